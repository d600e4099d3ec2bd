"""Auto Scaling groups: what they launch, keep, show and refuse."""

import base64

from .support import AwsTest

OWNED = [
    {"Key": "cluster", "Value": "a", "PropagateAtLaunch": True},
    {"Key": "quiet", "Value": "b", "PropagateAtLaunch": False},
]


class GroupTest(AwsTest):
    def setUp(self):
        super().setUp()
        self.network = self.vpc()
        self.subnets = [
            self.subnet(self.network, f"10.0.{number}.0/24", f"us-east-1{zone}") for number, zone in enumerate("abc")
        ]

    def create(self, name: str = "nodes", template: str | None = None, version: str = "$Latest", **arguments) -> None:
        arguments = {"MinSize": 0, "MaxSize": 10, **arguments}
        if "AvailabilityZones" not in arguments:
            arguments.setdefault("VPCZoneIdentifier", ",".join(self.subnets))
        if "MixedInstancesPolicy" not in arguments:
            arguments["LaunchTemplate"] = {"LaunchTemplateId": template or self.template(name), "Version": version}
        self.autoscaling.create_auto_scaling_group(AutoScalingGroupName=name, **arguments)

    def shown(self, name: str = "nodes") -> dict:
        return self.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]

    def instances(self, name: str = "nodes") -> list[dict]:
        found = self.ec2.describe_instances(
            Filters=[
                {"Name": "tag:aws:autoscaling:groupName", "Values": [name]},
                {"Name": "instance-state-name", "Values": ["running"]},
            ]
        )
        return [instance for reservation in found["Reservations"] for instance in reservation["Instances"]]

    def activities(self, name: str = "nodes", **arguments) -> list[dict]:
        return self.autoscaling.describe_scaling_activities(AutoScalingGroupName=name, **arguments)["Activities"]


class Groups(GroupTest):
    def test_instances_are_spread_tagged_and_shown(self):
        self.create(DesiredCapacity=4, Tags=OWNED)
        group = self.shown()
        zones = [instance["AvailabilityZone"] for instance in group["Instances"]]
        self.assertEqual(sorted(zones), ["us-east-1a", "us-east-1a", "us-east-1b", "us-east-1c"])
        self.assertTrue(
            all(i["LifecycleState"] == "InService" and i["HealthStatus"] == "Healthy" for i in group["Instances"])
        )
        keys = {tag["Key"] for tag in self.instances()[0]["Tags"]}
        self.assertLessEqual({"cluster", "aws:autoscaling:groupName", "aws:ec2launchtemplate:version"}, keys)
        self.assertNotIn("quiet", keys)

    def test_settings_come_back_as_given(self):
        self.create(
            DefaultCooldown=0,
            HealthCheckGracePeriod=0,
            HealthCheckType="EC2",
            TerminationPolicies=["OldestLaunchTemplate"],
            CapacityRebalance=True,
            DefaultInstanceWarmup=30,
            MaxInstanceLifetime=86400 * 7,
            NewInstancesProtectedFromScaleIn=True,
        )
        group = self.shown()
        self.assertEqual((group["DefaultCooldown"], group["HealthCheckGracePeriod"]), (0, 0))
        self.assertEqual(group["TerminationPolicies"], ["OldestLaunchTemplate"])
        self.assertEqual((group["CapacityRebalance"], group["DefaultInstanceWarmup"]), (True, 30))
        self.assertEqual((group["MaxInstanceLifetime"], group["NewInstancesProtectedFromScaleIn"]), (604800, True))

    def test_names_are_taken_once(self):
        self.create(DesiredCapacity=1)
        self.refused("AlreadyExists", self.create, template=self.template("other"))
        self.assertEqual(len(self.instances()), 1)

    def test_deletion(self):
        self.create(DesiredCapacity=2)
        self.refused("ResourceInUse", self.autoscaling.delete_auto_scaling_group, AutoScalingGroupName="nodes")
        self.autoscaling.delete_auto_scaling_group(AutoScalingGroupName="nodes", ForceDelete=True)
        self.assertEqual(self.instances(), [])
        self.assertEqual(self.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"], [])
        self.refused("ValidationError", self.autoscaling.delete_auto_scaling_group, AutoScalingGroupName="nodes")
        self.create("empty")
        self.autoscaling.delete_auto_scaling_group(AutoScalingGroupName="empty")

    def test_sizes(self):
        template = self.template()
        self.refused("ValidationError", self.create, template=template, MinSize=3, MaxSize=2)
        self.refused("ValidationError", self.create, template=template, MaxSize=2, DesiredCapacity=3)
        self.create(template=template, MinSize=1, MaxSize=2)
        self.refused(
            "ValidationError", self.autoscaling.set_desired_capacity, AutoScalingGroupName="nodes", DesiredCapacity=3
        )
        self.autoscaling.update_auto_scaling_group(AutoScalingGroupName="nodes", MinSize=3, MaxSize=5)
        self.assertEqual((self.shown()["DesiredCapacity"], len(self.instances())), (3, 3))
        self.autoscaling.update_auto_scaling_group(AutoScalingGroupName="nodes", MinSize=0, MaxSize=1)
        self.assertEqual((self.shown()["DesiredCapacity"], len(self.instances())), (1, 1))

    def test_a_launch_template_is_tried_first(self):
        for data in (
            {"ImageId": "ami-00000000000000000"},
            {"InstanceType": "m99.large"},
            {"ImageId": self.image("arm64")},
            {"KeyName": "none"},
            {"IamInstanceProfile": {"Name": "none"}},
            {"NetworkInterfaces": [{"DeviceIndex": 0, "Groups": ["sg-00000000000000000"]}]},
        ):
            with self.subTest(data):
                template = self.template("try", **data)
                error = self.refused("ValidationError", self.create, template=template)
                self.assertIn("You must use a valid fully-formed launch template.", str(error))
                self.ec2.delete_launch_template(LaunchTemplateId=template)
        self.assertEqual(self.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"], [])

    def test_unknown_subnets_and_target_groups(self):
        template = self.template()
        self.refused("ValidationError", self.create, template=template, VPCZoneIdentifier="subnet-00000000000000000")
        arn = "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/a/b"
        self.refused("ValidationError", self.create, template=template, TargetGroupARNs=[arn])

    def test_filters_and_pages(self):
        template = self.template()
        for number in range(3):
            self.create(f"mine-{number}", template, Tags=OWNED)
        self.create("other", template, Tags=[{"Key": "cluster", "Value": "b", "PropagateAtLaunch": True}])
        mine = {"Filters": [{"Name": "tag:cluster", "Values": ["a"]}, {"Name": "tag-key", "Values": ["quiet"]}]}
        pages = list(
            self.autoscaling.get_paginator("describe_auto_scaling_groups").paginate(
                PaginationConfig={"PageSize": 2}, **mine
            )
        )
        names = [[group["AutoScalingGroupName"] for group in page["AutoScalingGroups"]] for page in pages]
        self.assertEqual(names, [["mine-0", "mine-1"], ["mine-2"]])

    def test_groups_without_their_instances(self):
        self.create(DesiredCapacity=1)
        shown = self.autoscaling.describe_auto_scaling_groups(IncludeInstances=False)["AutoScalingGroups"][0]
        self.assertEqual(shown["Instances"], [])
        self.assertEqual(len(self.shown()["Instances"]), 1)


class Versions(GroupTest):
    def test_instances_show_the_version_they_were_launched_from(self):
        template = self.template(UserData=base64.b64encode(b"one").decode())
        self.create(template=template, DesiredCapacity=1)
        self.ec2.create_launch_template_version(
            LaunchTemplateId=template,
            SourceVersion="1",
            LaunchTemplateData={"UserData": base64.b64encode(b"two").decode()},
        )
        self.ec2.modify_launch_template(LaunchTemplateId=template, DefaultVersion="2")
        self.autoscaling.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=2)
        versions = [instance["LaunchTemplate"]["Version"] for instance in self.shown()["Instances"]]
        self.assertEqual(sorted(versions), ["1", "2"])
        self.autoscaling.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=1)
        self.assertEqual([i["LaunchTemplate"]["Version"] for i in self.shown()["Instances"]], ["2"])

    def test_an_update_keeps_what_it_does_not_name(self):
        policy = {
            "LaunchTemplate": {
                "LaunchTemplateSpecification": {"LaunchTemplateId": self.template(), "Version": "1"},
                "Overrides": [{"InstanceType": "m6i.large"}, {"InstanceType": "m5.large"}],
            },
            "InstancesDistribution": {
                "OnDemandPercentageAboveBaseCapacity": 0,
                "SpotAllocationStrategy": "price-capacity-optimized",
            },
        }
        self.create(MixedInstancesPolicy=policy, HealthCheckGracePeriod=60, TerminationPolicies=["NewestInstance"])
        before = self.shown()
        self.autoscaling.update_auto_scaling_group(AutoScalingGroupName="nodes", MaxSize=20)
        self.assertEqual({**self.shown(), "MaxSize": before["MaxSize"]}, before)

    def test_template_and_policy_replace_each_other(self):
        template = self.template()
        specification = {"LaunchTemplateId": template, "Version": "1"}
        self.create(template=template, version="1")
        self.assertNotIn("MixedInstancesPolicy", self.shown())
        self.autoscaling.update_auto_scaling_group(
            AutoScalingGroupName="nodes",
            MixedInstancesPolicy={
                "LaunchTemplate": {
                    "LaunchTemplateSpecification": specification,
                    "Overrides": [{"InstanceType": "m5.large"}],
                }
            },
        )
        self.assertNotIn("LaunchTemplate", self.shown())
        self.assertEqual(
            self.shown()["MixedInstancesPolicy"]["InstancesDistribution"]["OnDemandPercentageAboveBaseCapacity"], 100
        )
        self.autoscaling.update_auto_scaling_group(AutoScalingGroupName="nodes", LaunchTemplate=specification)
        self.assertNotIn("MixedInstancesPolicy", self.shown())
        self.assertEqual(self.shown()["LaunchTemplate"]["Version"], "1")

    def test_a_refused_update_changes_nothing(self):
        self.create(DesiredCapacity=1)
        before = self.shown()
        broken = self.template("broken", ImageId="ami-00000000000000000")
        self.refused(
            "ValidationError",
            self.autoscaling.update_auto_scaling_group,
            AutoScalingGroupName="nodes",
            LaunchTemplate={"LaunchTemplateId": broken},
        )
        self.assertEqual(self.shown(), before)

    def test_mixed_instances(self):
        policy = {
            "LaunchTemplate": {
                "LaunchTemplateSpecification": {"LaunchTemplateId": self.template()},
                "Overrides": [{"InstanceType": "m6i.xlarge"}, {"InstanceType": "m5.xlarge"}],
            },
            "InstancesDistribution": {"OnDemandBaseCapacity": 1, "OnDemandPercentageAboveBaseCapacity": 0},
        }
        self.create(MixedInstancesPolicy=policy, DesiredCapacity=4)
        launched = [(instance["InstanceType"], instance.get("InstanceLifecycle")) for instance in self.instances()]
        self.assertEqual(launched[0], ("m6i.xlarge", None))
        self.assertEqual({lifecycle for _, lifecycle in launched[1:]}, {"spot"})
        self.assertEqual({kind for kind, _ in launched[1:]}, {"m6i.xlarge", "m5.xlarge"})

    def test_an_override_may_name_its_own_template(self):
        arm = self.template("arm", ImageId=self.image("arm64"), InstanceType="m7g.large")
        policy = {
            "LaunchTemplate": {
                "LaunchTemplateSpecification": {"LaunchTemplateId": self.template()},
                "Overrides": [{"InstanceType": "m7g.large", "LaunchTemplateSpecification": {"LaunchTemplateId": arm}}],
            }
        }
        self.create(MixedInstancesPolicy=policy, DesiredCapacity=1)
        self.assertEqual(self.shown()["Instances"][0]["LaunchTemplate"]["LaunchTemplateId"], arm)


class Slots(GroupTest):
    """Groups of one instance whose template names an existing network interface."""

    def slot(self, zones: list[str] | None = None) -> str:
        interface = self.interface(self.subnets[0], PrivateIpAddress="10.0.0.10")
        template = self.template("slot", NetworkInterfaces=[{"DeviceIndex": 0, "NetworkInterfaceId": interface}])
        self.autoscaling.create_auto_scaling_group(
            AutoScalingGroupName="nodes",
            MinSize=1,
            MaxSize=1,
            AvailabilityZones=zones or ["us-east-1a"],
            LaunchTemplate={"LaunchTemplateId": template, "Version": "1"},
        )
        return interface

    def test_the_interface_outlives_its_instances(self):
        interface = self.slot()
        first = self.instances()[0]
        self.assertEqual(first["PrivateIpAddress"], "10.0.0.10")
        self.autoscaling.terminate_instance_in_auto_scaling_group(
            InstanceId=first["InstanceId"], ShouldDecrementDesiredCapacity=False
        )
        second = self.instances()[0]
        self.assertNotEqual(second["InstanceId"], first["InstanceId"])
        self.assertEqual(second["NetworkInterfaces"][0]["NetworkInterfaceId"], interface)
        self.ec2.terminate_instances(InstanceIds=[second["InstanceId"]])
        third = self.instances()[0]
        self.assertEqual(third["PrivateIpAddress"], "10.0.0.10")
        self.autoscaling.delete_auto_scaling_group(AutoScalingGroupName="nodes", ForceDelete=True)
        found = self.ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"][0]
        self.assertEqual(found["Status"], "available")

    def test_a_busy_interface_is_a_failed_activity_until_it_is_free(self):
        interface = self.interface(self.subnets[0])
        holder = self.ec2.run_instances(
            ImageId=self.image(),
            InstanceType="m6i.large",
            MinCount=1,
            MaxCount=1,
            NetworkInterfaces=[{"DeviceIndex": 0, "NetworkInterfaceId": interface}],
        )["Instances"][0]["InstanceId"]
        template = self.template("slot", NetworkInterfaces=[{"DeviceIndex": 0, "NetworkInterfaceId": interface}])
        self.create(template=template, DesiredCapacity=1, AvailabilityZones=["us-east-1a"])
        self.assertEqual(self.shown()["Instances"], [])
        failed = self.activities()
        self.assertEqual([activity["StatusCode"] for activity in failed], ["Failed"])
        self.assertIn("in use", failed[0]["StatusMessage"])
        self.ec2.terminate_instances(InstanceIds=[holder])
        self.assertEqual(len(self.shown()["Instances"]), 1)
        self.assertEqual([activity["StatusCode"] for activity in self.activities()], ["Successful", "Failed"])

    def test_a_group_with_subnets_cannot_use_an_existing_interface(self):
        interface = self.interface(self.subnets[0])
        template = self.template("slot", NetworkInterfaces=[{"DeviceIndex": 0, "NetworkInterfaceId": interface}])
        self.create(template=template, DesiredCapacity=1)
        self.assertEqual(self.shown()["Instances"], [])
        self.assertIn("may not be specified on the same request", self.activities()[0]["StatusMessage"])


class Activities(GroupTest):
    def test_launches_and_terminations(self):
        self.create(DesiredCapacity=2)
        self.autoscaling.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=1)
        described = [activity["Description"].split(":")[0] for activity in self.activities()]
        self.assertEqual(
            described, ["Terminating EC2 instance", "Launching a new EC2 instance", "Launching a new EC2 instance"]
        )
        self.assertTrue(all(activity["StatusCode"] == "Successful" for activity in self.activities()))
        self.autoscaling.delete_auto_scaling_group(AutoScalingGroupName="nodes", ForceDelete=True)
        self.refused("ValidationError", self.activities)
        self.assertEqual(len(self.activities(IncludeDeletedGroups=True)), 4)

    def test_launches_that_a_test_lets_fail(self):
        message = "We currently do not have sufficient m6i.large capacity in the Availability Zone you requested"
        self.control(
            "PUT", "faults", [{"service": "autoscaling", "action": "LaunchInstance", "message": message, "times": 1}]
        )
        self.create(DesiredCapacity=1)
        first = self.activities()
        self.assertIn(message, first[-1]["StatusMessage"])
        self.assertEqual(len(self.shown()["Instances"]), 1)

    def test_a_deleted_template_is_noticed_at_the_next_launch(self):
        template = self.template()
        self.create(template=template, DesiredCapacity=1)
        self.ec2.delete_launch_template(LaunchTemplateId=template)
        self.ec2.terminate_instances(InstanceIds=[self.shown()["Instances"][0]["InstanceId"]])
        self.assertEqual(self.shown()["Instances"], [])
        self.assertEqual(self.activities()[0]["StatusCode"], "Failed")


class Processes(GroupTest):
    def test_suspended_launches(self):
        self.create()
        self.autoscaling.suspend_processes(AutoScalingGroupName="nodes", ScalingProcesses=["Launch"])
        self.autoscaling.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=1)
        self.assertEqual(self.shown()["Instances"], [])
        self.autoscaling.resume_processes(AutoScalingGroupName="nodes")
        self.assertEqual(len(self.shown()["Instances"]), 1)

    def test_unhealthy_instances_are_replaced(self):
        self.create(DesiredCapacity=1)
        sick = self.shown()["Instances"][0]["InstanceId"]
        self.autoscaling.set_instance_health(InstanceId=sick, HealthStatus="Unhealthy")
        self.assertNotIn(sick, [instance["InstanceId"] for instance in self.shown()["Instances"]])
        self.assertEqual(len(self.shown()["Instances"]), 1)

    def test_protected_instances_stay(self):
        self.create(DesiredCapacity=2, NewInstancesProtectedFromScaleIn=True)
        self.autoscaling.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=0)
        self.assertEqual(len(self.shown()["Instances"]), 2)

    def test_termination_below_the_minimum(self):
        self.create(MinSize=1, DesiredCapacity=1)
        instance = self.shown()["Instances"][0]["InstanceId"]
        self.refused(
            "ValidationError",
            self.autoscaling.terminate_instance_in_auto_scaling_group,
            InstanceId=instance,
            ShouldDecrementDesiredCapacity=True,
        )

    def test_targets_come_and_go_with_instances(self):
        group = self.elbv2.create_target_group(
            Name="nodes", Protocol="TCP", Port=80, VpcId=self.network, TargetType="instance"
        )
        arn = group["TargetGroups"][0]["TargetGroupArn"]
        self.create(DesiredCapacity=2, TargetGroupARNs=[arn])

        def targets():
            health = self.elbv2.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
            return sorted(found["Target"]["Id"] for found in health)

        def instances():
            return sorted(found["InstanceId"] for found in self.shown()["Instances"])

        self.assertEqual((len(targets()), targets()), (2, instances()))
        self.autoscaling.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=1)
        self.assertEqual((len(targets()), targets()), (1, instances()))
        self.ec2.terminate_instances(InstanceIds=instances())
        self.assertEqual((len(targets()), targets()), (1, instances()))
