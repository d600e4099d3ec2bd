"""Images, instance types, instances, volumes, key pairs, launch templates."""

import base64

from .support import AwsTest, tags

USER_DATA = base64.b64encode(b"#!/bin/sh\n").decode()


class Images(AwsTest):
    def test_canonical_images_by_owner_and_name(self):
        for version, codename in (("24.04", "noble"), ("26.04", "resolute")):
            for architecture, machine in (("amd64", "x86_64"), ("arm64", "arm64")):
                with self.subTest(f"{version} {architecture}"):
                    pattern = f"ubuntu/images/hvm-ssd-gp3/ubuntu-{codename}-{version}-{architecture}-server-*"
                    found = self.ec2.describe_images(
                        Owners=["099720109477"], Filters=[{"Name": "name", "Values": [pattern]}]
                    )["Images"]
                    newest = max(found, key=lambda image: image["CreationDate"])
                    self.assertEqual(len(found), 2)
                    self.assertEqual(newest["ImageId"], self.image(architecture, version))
                    self.assertEqual(newest["Architecture"], machine)
                    self.assertEqual(
                        (newest["RootDeviceName"], newest["VirtualizationType"], newest["State"]),
                        ("/dev/sda1", "hvm", "available"),
                    )

    def test_images_by_id(self):
        image = self.image()
        self.assertEqual(self.ec2.describe_images(ImageIds=[image])["Images"][0]["OwnerId"], "099720109477")
        self.refused("InvalidAMIID.NotFound", self.ec2.describe_images, ImageIds=[image, "ami-00000000000000000"])

    def test_ids_differ_between_regions(self):
        name = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"
        other = self.client("ssm", region="eu-west-1").get_parameters(Names=[name])["Parameters"][0]["Value"]
        self.assertNotEqual(other, self.image())
        self.client("ec2", region="eu-west-1").describe_images(ImageIds=[other])

    def test_amazon_linux_parameter_names_an_image(self):
        name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
        image = self.ssm.get_parameter(Name=name)["Parameter"]["Value"]
        self.assertEqual(self.ec2.describe_images(ImageIds=[image])["Images"][0]["Architecture"], "x86_64")


class InstanceTypes(AwsTest):
    def test_named_types(self):
        found = self.ec2.describe_instance_types(InstanceTypes=["m6i.large", "m7g.large"])["InstanceTypes"]
        machines = {kind["InstanceType"]: kind["ProcessorInfo"]["SupportedArchitectures"] for kind in found}
        self.assertEqual(machines, {"m6i.large": ["x86_64"], "m7g.large": ["arm64"]})
        self.refused("InvalidInstanceType", self.ec2.describe_instance_types, InstanceTypes=["m6i.large", "m99.large"])

    def test_pages_of_a_hundred(self):
        answer = self.ec2.describe_instance_types()
        self.assertEqual(len(answer["InstanceTypes"]), 100)
        self.assertTrue(answer["NextToken"])

    def test_offerings(self):
        offered = self.ec2.describe_instance_type_offerings(
            LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": ["m6i.large"]}]
        )["InstanceTypeOfferings"]
        self.assertIn("us-east-1a", [offering["Location"] for offering in offered])
        self.assertEqual({offering["InstanceType"] for offering in offered}, {"m6i.large"})


class Instances(AwsTest):
    def setUp(self):
        super().setUp()
        self.network = self.vpc()
        self.zone_a = self.subnet(self.network)

    def run_one(self, **arguments) -> dict:
        arguments = {"ImageId": self.image(), "InstanceType": "m6i.large", "SubnetId": self.zone_a, **arguments}
        return self.ec2.run_instances(MinCount=1, MaxCount=1, **arguments)["Instances"][0]

    def described(self, instance: str) -> dict:
        return self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]

    def test_everything_a_launch_template_says(self):
        group = self.group(self.network)
        self.profile("node")
        template = self.template(
            UserData=USER_DATA,
            IamInstanceProfile={"Name": "node"},
            MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
            NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": self.zone_a, "Groups": [group]}],
            BlockDeviceMappings=[
                {
                    "DeviceName": "/dev/sda1",
                    "Ebs": {"VolumeSize": 64, "VolumeType": "gp3", "Encrypted": True, "Iops": 4000},
                }
            ],
            TagSpecifications=tags("instance", role="node") + tags("volume", role="disk"),
        )
        launched = self.ec2.run_instances(MinCount=1, MaxCount=1, LaunchTemplate={"LaunchTemplateId": template})
        instance = self.described(launched["Instances"][0]["InstanceId"])
        self.assertEqual([found["GroupId"] for found in instance["SecurityGroups"]], [group])
        self.assertTrue(instance["IamInstanceProfile"]["Arn"].endswith(":instance-profile/node"))
        self.assertEqual(instance["MetadataOptions"]["HttpTokens"], "required")
        shown = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
        self.assertEqual((shown["role"], shown["aws:ec2launchtemplate:version"]), ("node", "1"))
        self.assertEqual([mapping["DeviceName"] for mapping in instance["BlockDeviceMappings"]], ["/dev/sda1"])
        volume = self.ec2.describe_volumes()["Volumes"]
        self.assertEqual(len(volume), 1)
        self.assertEqual(
            (volume[0]["Size"], volume[0]["Encrypted"], volume[0]["Iops"], volume[0]["Tags"]),
            (64, True, 4000, [{"Key": "role", "Value": "disk"}]),
        )
        user_data = self.ec2.describe_instance_attribute(InstanceId=instance["InstanceId"], Attribute="userData")
        self.assertEqual(user_data["UserData"]["Value"], USER_DATA)

    def test_what_does_not_exist_is_refused(self):
        for code, arguments in (
            ("InvalidAMIID.NotFound", {"ImageId": "ami-00000000000000000"}),
            ("InvalidParameterValue", {"InstanceType": "m99.large"}),
            ("InvalidKeyPair.NotFound", {"KeyName": "none"}),
            ("InvalidParameterValue", {"IamInstanceProfile": {"Name": "none"}}),
            ("InvalidParameterValue", {"ImageId": self.image("arm64")}),
            ("InvalidGroup.NotFound", {"SecurityGroupIds": ["sg-00000000000000000"]}),
        ):
            with self.subTest(code):
                self.refused(code, self.run_one, **arguments)
        self.assertEqual(self.ec2.describe_instances()["Reservations"], [])

    def test_termination_frees_addresses_and_keeps_what_was_there_before(self):
        interface = self.interface(self.zone_a, PrivateIpAddress="10.0.0.10")
        volume = self.ec2.create_volume(AvailabilityZone="us-east-1a", Size=20)["VolumeId"]
        instance = self.ec2.run_instances(
            ImageId=self.image(),
            InstanceType="m6i.large",
            MinCount=1,
            MaxCount=1,
            NetworkInterfaces=[{"DeviceIndex": 0, "NetworkInterfaceId": interface}],
        )["Instances"][0]
        self.assertEqual(instance["PrivateIpAddress"], "10.0.0.10")
        self.refused("InvalidParameterValue", self.ec2.delete_network_interface, NetworkInterfaceId=interface)
        self.ec2.attach_volume(VolumeId=volume, InstanceId=instance["InstanceId"], Device="/dev/xvdb")
        self.refused("VolumeInUse", self.ec2.delete_volume, VolumeId=volume)
        other = self.run_one()
        self.ec2.terminate_instances(InstanceIds=[instance["InstanceId"], other["InstanceId"]])

        left = self.ec2.describe_network_interfaces()["NetworkInterfaces"]
        self.assertEqual([(found["NetworkInterfaceId"], found["Status"]) for found in left], [(interface, "available")])
        self.assertEqual([found["VolumeId"] for found in self.ec2.describe_volumes()["Volumes"]], [volume])
        gone = self.described(instance["InstanceId"])
        self.assertEqual(gone["State"]["Name"], "terminated")
        self.assertNotIn("PrivateIpAddress", gone)
        self.ec2.delete_network_interface(NetworkInterfaceId=interface)
        self.ec2.delete_subnet(SubnetId=self.zone_a)

    def test_a_modification_that_is_sent_twice_is_refused(self):
        volume = self.ec2.create_volume(AvailabilityZone="us-east-1a", Size=20)["VolumeId"]
        self.ec2.modify_volume(VolumeId=volume, Size=30)
        self.refused("IncorrectModificationState", self.ec2.modify_volume, VolumeId=volume, Size=30)
        self.ec2.modify_volume(VolumeId=volume, Size=40)

    def test_volumes_stay_in_their_zone(self):
        instance = self.run_one()["InstanceId"]
        volume = self.ec2.create_volume(AvailabilityZone="us-east-1b", Size=1)["VolumeId"]
        self.refused(
            "InvalidVolume.ZoneMismatch",
            self.ec2.attach_volume,
            VolumeId=volume,
            InstanceId=instance,
            Device="/dev/xvdb",
        )

    def test_filters_and_pages_count_instances(self):
        self.ec2.run_instances(
            ImageId=self.image(),
            InstanceType="m6i.large",
            MinCount=7,
            MaxCount=7,
            SubnetId=self.zone_a,
            TagSpecifications=tags("instance", cluster="a"),
        )
        self.run_one()
        mine = {
            "Filters": [
                {"Name": "tag:cluster", "Values": ["a"]},
                {"Name": "instance-state-name", "Values": ["running"]},
            ]
        }
        pages = list(self.ec2.get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 5}, **mine))
        self.assertEqual([len(page["Reservations"][0]["Instances"]) for page in pages], [5, 2])
        self.refused("InvalidInstanceID.NotFound", self.ec2.describe_instances, InstanceIds=["i-00000000000000000"])

    def test_same_token_same_instances(self):
        first = self.run_one(ClientToken="token")
        self.assertEqual(self.run_one(ClientToken="token")["InstanceId"], first["InstanceId"])
        self.assertEqual(len(self.ec2.describe_instances()["Reservations"]), 1)

    def test_types_that_a_zone_does_not_offer(self):
        zones = {zone["ZoneName"] for zone in self.ec2.describe_availability_zones()["AvailabilityZones"]}
        offered = self.ec2.describe_instance_type_offerings(
            LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": ["m6i.large"]}]
        )["InstanceTypeOfferings"]
        missing = sorted(zones - {offering["Location"] for offering in offered})[0]
        subnet = self.subnet(self.network, "10.0.9.0/24", missing)
        self.refused("Unsupported", self.run_one, SubnetId=subnet)


class KeyPairs(AwsTest):
    PUBLIC_KEY = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHD5yCDcbrladm4uCu4FXhHJrmMsjGG/vgltnsnz2i4g ops@example.com"

    def test_by_id_and_with_the_public_key_only_when_asked(self):
        imported = self.ec2.import_key_pair(
            KeyName="ops", PublicKeyMaterial=self.PUBLIC_KEY, TagSpecifications=tags("key-pair", cluster="a")
        )
        self.assertEqual(imported["Tags"], [{"Key": "cluster", "Value": "a"}])
        with_key = self.ec2.describe_key_pairs(KeyPairIds=[imported["KeyPairId"]], IncludePublicKey=True)["KeyPairs"][0]
        self.assertEqual(with_key["PublicKey"].encode().split()[:2], self.PUBLIC_KEY.split()[:2])
        self.assertNotIn("PublicKey", self.ec2.describe_key_pairs(KeyNames=["ops"])["KeyPairs"][0])
        self.refused(
            "InvalidKeyPair.Duplicate", self.ec2.import_key_pair, KeyName="ops", PublicKeyMaterial=self.PUBLIC_KEY
        )
        self.refused("InvalidKeyPair.NotFound", self.ec2.describe_key_pairs, KeyNames=["none"])
        self.ec2.delete_key_pair(KeyPairId=imported["KeyPairId"])
        self.assertEqual(self.ec2.describe_key_pairs()["KeyPairs"], [])


class LaunchTemplates(AwsTest):
    DATA = {
        "EbsOptimized": True,
        "IamInstanceProfile": {"Name": "node"},
        "BlockDeviceMappings": [
            {
                "DeviceName": "/dev/sda1",
                "Ebs": {
                    "Encrypted": True,
                    "DeleteOnTermination": True,
                    "Iops": 3000,
                    "KmsKeyId": "alias/aws/ebs",
                    "VolumeSize": 64,
                    "VolumeType": "gp3",
                    "Throughput": 250,
                },
            }
        ],
        "NetworkInterfaces": [
            {
                "AssociatePublicIpAddress": False,
                "DeleteOnTermination": True,
                "DeviceIndex": 0,
                "Groups": ["sg-00000000000000001"],
            }
        ],
        "ImageId": "ami-00000000000000001",
        "InstanceType": "m6i.large",
        "KeyName": "ops",
        "Monitoring": {"Enabled": True},
        "UserData": USER_DATA,
        "TagSpecifications": [
            {"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b"}]},
            {"ResourceType": "volume", "Tags": [{"Key": "c", "Value": "d"}]},
        ],
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled"},
        "PrivateDnsNameOptions": {"HostnameType": "resource-name", "EnableResourceNameDnsARecord": True},
    }

    def create(self, name: str = "nodes", **arguments) -> str:
        created = self.ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=self.DATA, **arguments)
        return created["LaunchTemplate"]["LaunchTemplateId"]

    def versions(self, **arguments) -> list[dict]:
        return self.ec2.describe_launch_template_versions(**arguments)["LaunchTemplateVersions"]

    def test_data_comes_back_as_given(self):
        template = self.create(TagSpecifications=tags("launch-template", cluster="a"))
        self.assertEqual(self.versions(LaunchTemplateId=template)[0]["LaunchTemplateData"], self.DATA)

    def test_an_existing_interface_comes_back_as_given(self):
        data = {"NetworkInterfaces": [{"DeviceIndex": 0, "NetworkInterfaceId": "eni-00000000000000001"}]}
        self.ec2.create_launch_template(LaunchTemplateName="slot", LaunchTemplateData=data)
        self.assertEqual(self.versions(LaunchTemplateName="slot")[0]["LaunchTemplateData"], data)

    def test_versions(self):
        template = self.create()
        second = self.ec2.create_launch_template_version(
            LaunchTemplateId=template, SourceVersion="1", LaunchTemplateData={"InstanceType": "m6i.xlarge"}
        )["LaunchTemplateVersion"]
        self.assertEqual(second["VersionNumber"], 2)
        self.assertEqual(second["LaunchTemplateData"], {**self.DATA, "InstanceType": "m6i.xlarge"})
        self.assertEqual([v["VersionNumber"] for v in self.versions(LaunchTemplateId=template)], [2, 1])
        self.ec2.modify_launch_template(LaunchTemplateId=template, DefaultVersion="2")
        deleted = self.ec2.delete_launch_template_versions(LaunchTemplateId=template, Versions=["1", "2"])
        self.assertEqual([v["VersionNumber"] for v in deleted["SuccessfullyDeletedLaunchTemplateVersions"]], [1])
        self.assertEqual([v["VersionNumber"] for v in deleted["UnsuccessfullyDeletedLaunchTemplateVersions"]], [2])
        self.assertEqual([v["VersionNumber"] for v in self.versions(LaunchTemplateId=template)], [2])
        third = self.ec2.create_launch_template_version(LaunchTemplateId=template, LaunchTemplateData=self.DATA)
        self.assertEqual(third["LaunchTemplateVersion"]["VersionNumber"], 3)
        self.refused(
            "InvalidLaunchTemplateId.VersionNotFound",
            self.ec2.describe_launch_template_versions,
            LaunchTemplateId=template,
            Versions=["1"],
        )

    def test_the_default_or_latest_version_of_all_templates(self):
        first, second = self.create("first"), self.create("second")
        self.ec2.create_launch_template_version(LaunchTemplateId=second, LaunchTemplateData=self.DATA)
        default = self.versions(Versions=["$Default"])
        latest = self.versions(Versions=["$Latest"])
        self.assertEqual([(v["LaunchTemplateId"], v["VersionNumber"]) for v in default], [(first, 1), (second, 1)])
        self.assertEqual([(v["LaunchTemplateId"], v["VersionNumber"]) for v in latest], [(first, 1), (second, 2)])
        both = self.versions(Versions=["$Latest", "$Default"])
        self.assertEqual(
            [(v["LaunchTemplateId"], v["VersionNumber"]) for v in both], [(first, 1), (second, 2), (second, 1)]
        )
        self.refused("InvalidParameterValue", self.ec2.describe_launch_template_versions, Versions=["1"])
        pages = self.ec2.get_paginator("describe_launch_template_versions").paginate(
            Versions=["$Latest"], PaginationConfig={"PageSize": 1}
        )
        self.assertEqual([len(page["LaunchTemplateVersions"]) for page in pages], [1, 1])

    def test_many_templates(self):
        for number in range(20):
            self.ec2.create_launch_template(
                LaunchTemplateName=f"lt-{number}", LaunchTemplateData={"InstanceType": "m6i.large"}
            )
        self.assertEqual(len(self.ec2.describe_launch_templates()["LaunchTemplates"]), 20)
        pages = self.ec2.get_paginator("describe_launch_templates").paginate(PaginationConfig={"PageSize": 8})
        self.assertEqual([len(page["LaunchTemplates"]) for page in pages], [8, 8, 4])

    def test_tags_of_templates_change(self):
        template = self.create()
        self.ec2.create_tags(Resources=[template], Tags=[{"Key": "cluster", "Value": "a"}])
        found = self.ec2.describe_launch_templates(
            Filters=[{"Name": "tag:cluster", "Values": ["a"]}, {"Name": "launch-template-name", "Values": ["no*"]}]
        )["LaunchTemplates"]
        self.assertEqual(
            [(lt["LaunchTemplateId"], lt["Tags"]) for lt in found], [(template, [{"Key": "cluster", "Value": "a"}])]
        )

    def test_unknown_templates(self):
        missing = "lt-00000000000000000"
        for call in (self.ec2.describe_launch_template_versions, self.ec2.delete_launch_template):
            self.refused("InvalidLaunchTemplateId.NotFound", call, LaunchTemplateId=missing)
        self.refused(
            "InvalidLaunchTemplateId.NotFound", self.ec2.describe_launch_templates, LaunchTemplateIds=[missing]
        )
        self.refused(
            "InvalidLaunchTemplateName.NotFoundException",
            self.ec2.describe_launch_templates,
            LaunchTemplateNames=["none"],
        )
        self.create()
        self.refused("InvalidLaunchTemplateName.AlreadyExistsException", self.create)
