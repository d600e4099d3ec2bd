"""Names, sizes and tags."""

import base64

from .support import AwsTest, tags


class UserData(AwsTest):
    def data(self, size: int) -> dict:
        return {"UserData": base64.b64encode(b"x" * size).decode()}

    def test_in_launch_templates(self):
        make = self.ec2.create_launch_template
        self.refused("InvalidUserData.Malformed", make, LaunchTemplateName="big", LaunchTemplateData=self.data(16385))
        self.refused("InvalidUserData.Malformed", make, LaunchTemplateName="odd", LaunchTemplateData={"UserData": "!"})
        make(LaunchTemplateName="fits", LaunchTemplateData=self.data(16384))
        self.refused(
            "InvalidUserData.Malformed",
            self.ec2.create_launch_template_version,
            LaunchTemplateName="fits",
            LaunchTemplateData=self.data(16385),
        )

    def test_in_run_instances(self):
        self.refused(
            "InvalidParameterValue",
            self.ec2.run_instances,
            ImageId=self.image(),
            MinCount=1,
            MaxCount=1,
            UserData="x" * 16385,
        )


class Names(AwsTest):
    def test_launch_templates(self):
        for name in ("ab", "a" * 129, "with space", "stern*"):
            with self.subTest(name):
                self.refused(
                    "InvalidLaunchTemplateName.MalformedException",
                    self.ec2.create_launch_template,
                    LaunchTemplateName=name,
                    LaunchTemplateData={},
                )

    def test_security_groups(self):
        vpc = self.vpc()
        for name in ("sg-mine", "a" * 256, "ünicode", "default"):
            with self.subTest(name):
                self.refused("InvalidParameterValue", self.group, vpc=vpc, name=name)
        self.group(vpc)
        self.refused("InvalidGroup.Duplicate", self.group, vpc=vpc)

    def test_load_balancers_and_target_groups(self):
        vpc = self.vpc()
        subnet = self.subnet(vpc)
        for name in ("a" * 33, "-a", "a-", "a_b", "internal-a"):
            with self.subTest(name):
                self.refused(
                    "ValidationError",
                    self.elbv2.create_load_balancer,
                    Name=name,
                    Type="network",
                    Scheme="internal",
                    Subnets=[subnet],
                )
        for name in ("a" * 33, "-a", "a-", "a_b"):
            with self.subTest(name):
                self.refused(
                    "ValidationError",
                    self.elbv2.create_target_group,
                    Name=name,
                    Protocol="TCP",
                    Port=1,
                    VpcId=vpc,
                    TargetType="ip",
                )

    def test_groups(self):
        self.refused(
            "ValidationError",
            self.autoscaling.create_auto_scaling_group,
            AutoScalingGroupName="a" * 256,
            MinSize=0,
            MaxSize=0,
            AvailabilityZones=["us-east-1a"],
            LaunchTemplate={"LaunchTemplateId": self.template()},
        )


class Tags(AwsTest):
    def test_of_ec2(self):
        for code, specification in (
            ("InvalidParameterValue", tags("subnet", a="b")),
            ("InvalidParameterValue", tags("vpc", **{"aws:mine": "b"})),
            ("InvalidParameterValue", tags("vpc", **{"k" * 129: "b"})),
            ("InvalidParameterValue", tags("vpc", a="v" * 257)),
            ("TagLimitExceeded", tags("vpc", **{f"k{number}": "" for number in range(51)})),
        ):
            self.refused(code, self.ec2.create_vpc, CidrBlock="10.0.0.0/16", TagSpecifications=specification)
        self.assertEqual(self.world()["regions"], {})
        vpc = self.vpc()
        self.refused(
            "InvalidParameterValue", self.ec2.create_tags, Resources=[vpc], Tags=[{"Key": "aws:a", "Value": "b"}]
        )
        self.ec2.create_tags(Resources=[vpc], Tags=[{"Key": f"k{number}", "Value": ""} for number in range(50)])
        self.refused("TagLimitExceeded", self.ec2.create_tags, Resources=[vpc], Tags=[{"Key": "one more", "Value": ""}])

    def test_of_launch_template_data(self):
        data = {"TagSpecifications": tags("subnet", a="b")}
        self.refused(
            "InvalidParameterValue", self.ec2.create_launch_template, LaunchTemplateName="one", LaunchTemplateData=data
        )

    def test_of_groups(self):
        template = self.template()
        many = [{"Key": f"k{number}", "Value": "", "PropagateAtLaunch": True} for number in range(51)]
        for given in (many, [{"Key": "aws:a", "Value": "b", "PropagateAtLaunch": True}]):
            self.refused(
                "ValidationError",
                self.autoscaling.create_auto_scaling_group,
                AutoScalingGroupName="a",
                MinSize=0,
                MaxSize=0,
                AvailabilityZones=["us-east-1a"],
                LaunchTemplate={"LaunchTemplateId": template},
                Tags=given,
            )
