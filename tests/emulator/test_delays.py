"""What AWS takes its time for: transitional states, and interfaces that outstay what they belonged to.

A test looks at the state on the way, then lets time pass by ending the conditions: everything is due then.
"""

from .support import AwsTest, eventually, tags

LONG = 600


class DelayTest(AwsTest):
    def conditions(self, **conditions) -> None:
        self.control("PUT", "conditions", conditions)

    def time_passes(self) -> None:
        self.conditions()


class Pending(DelayTest):
    def test_it_ends_by_itself(self):
        self.conditions(pending_seconds=0.2)
        gateway = self.nat_gateway(self.subnet(self.vpc()))
        self.assertTrue(eventually(lambda: self.gateway_state(gateway) == "available"))

    def nat_gateway(self, subnet: str) -> str:
        created = self.ec2.create_nat_gateway(SubnetId=subnet, ConnectivityType="private")
        return created["NatGateway"]["NatGatewayId"]

    def gateway_state(self, gateway: str) -> str:
        return self.ec2.describe_nat_gateways(NatGatewayIds=[gateway])["NatGateways"][0]["State"]

    def test_nat_gateway(self):
        subnet = self.subnet(self.vpc())
        self.conditions(pending_seconds=LONG)
        gateway = self.nat_gateway(subnet)
        self.assertEqual(self.gateway_state(gateway), "pending")
        available = {"Filters": [{"Name": "state", "Values": ["available"]}]}
        self.assertEqual(self.ec2.describe_nat_gateways(**available)["NatGateways"], [])
        self.time_passes()
        self.assertEqual(len(self.ec2.describe_nat_gateways(**available)["NatGateways"]), 1)

        self.conditions(pending_seconds=LONG)
        self.ec2.delete_nat_gateway(NatGatewayId=gateway)
        self.ec2.delete_nat_gateway(NatGatewayId=gateway)
        self.assertEqual(self.gateway_state(gateway), "deleting")
        self.refused("DependencyViolation", self.ec2.delete_subnet, SubnetId=subnet)
        self.time_passes()
        self.assertEqual(self.gateway_state(gateway), "deleted")
        self.ec2.delete_subnet(SubnetId=subnet)

    def test_address_of_a_nat_gateway_that_is_being_deleted(self):
        vpc = self.vpc()
        self.gateway(vpc)
        address = self.ec2.allocate_address(Domain="vpc")["AllocationId"]
        created = self.ec2.create_nat_gateway(SubnetId=self.subnet(vpc), AllocationId=address)
        self.conditions(pending_seconds=LONG)
        self.ec2.delete_nat_gateway(NatGatewayId=created["NatGateway"]["NatGatewayId"])
        self.refused("InvalidIPAddress.InUse", self.ec2.release_address, AllocationId=address)
        self.time_passes()
        self.ec2.release_address(AllocationId=address)

    def test_load_balancer(self):
        self.conditions(pending_seconds=LONG)
        subnet = self.subnet(self.vpc())
        created = self.elbv2.create_load_balancer(Name="api", Type="network", Scheme="internal", Subnets=[subnet])
        state = lambda: self.elbv2.describe_load_balancers()["LoadBalancers"][0]["State"]["Code"]  # noqa: E731
        self.assertEqual(created["LoadBalancers"][0]["State"]["Code"], "provisioning")
        self.assertEqual(state(), "provisioning")
        self.time_passes()
        self.assertEqual(state(), "active")

    def instance_state(self, instance: str) -> str:
        found = self.ec2.describe_instances(InstanceIds=[instance])
        return found["Reservations"][0]["Instances"][0]["State"]["Name"]

    def test_instance(self):
        vpc = self.vpc()
        subnet, group = self.subnet(vpc), self.group(vpc)
        self.conditions(pending_seconds=LONG)
        launched = self.ec2.run_instances(
            ImageId=self.image(), InstanceType="m6i.large", MinCount=1, MaxCount=1, SubnetId=subnet,
            SecurityGroupIds=[group],
        )  # fmt: skip
        instance = launched["Instances"][0]["InstanceId"]
        self.assertEqual(launched["Instances"][0]["State"], {"Code": 0, "Name": "pending"})
        self.assertEqual(self.instance_state(instance), "pending")
        self.time_passes()
        self.assertEqual(self.instance_state(instance), "running")

        self.conditions(pending_seconds=LONG)
        ended = self.ec2.terminate_instances(InstanceIds=[instance])["TerminatingInstances"][0]
        states = (ended["PreviousState"]["Name"], ended["CurrentState"]["Name"])
        self.assertEqual(states, ("running", "shutting-down"))
        self.refused("DependencyViolation", self.ec2.delete_security_group, GroupId=group)
        volumes = self.ec2.describe_volumes()["Volumes"]
        self.assertEqual([volume["State"] for volume in volumes], ["in-use"])
        self.time_passes()
        self.assertEqual(self.instance_state(instance), "terminated")
        self.assertEqual(self.ec2.describe_volumes()["Volumes"], [])
        self.ec2.delete_security_group(GroupId=group)

    def auto_scaling_group(self, subnet: str, **arguments) -> None:
        self.autoscaling.create_auto_scaling_group(
            AutoScalingGroupName="nodes",
            MinSize=1,
            MaxSize=3,
            VPCZoneIdentifier=subnet,
            LaunchTemplate={"LaunchTemplateName": "nodes", "Version": "1"},
            **arguments,
        )

    def groups(self) -> list[dict]:
        return self.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]

    def lifecycle(self) -> list[str]:
        return [instance["LifecycleState"] for instance in self.groups()[0]["Instances"]]

    def test_instances_of_a_group(self):
        subnet = self.subnet(self.vpc())
        self.template()
        self.conditions(pending_seconds=LONG)
        self.auto_scaling_group(subnet)
        self.assertEqual(self.lifecycle(), ["Pending"])
        self.time_passes()
        self.assertEqual(self.lifecycle(), ["InService"])
        self.conditions(pending_seconds=LONG)
        self.autoscaling.terminate_instance_in_auto_scaling_group(
            InstanceId=self.groups()[0]["Instances"][0]["InstanceId"], ShouldDecrementDesiredCapacity=False
        )
        self.assertEqual(self.lifecycle(), ["Terminating", "Pending"])
        self.time_passes()
        self.assertEqual(self.lifecycle(), ["InService"])

    def test_a_group_that_is_being_deleted(self):
        subnet = self.subnet(self.vpc())
        self.template()
        self.auto_scaling_group(subnet)
        self.conditions(pending_seconds=LONG)
        self.autoscaling.delete_auto_scaling_group(AutoScalingGroupName="nodes", ForceDelete=True)
        self.assertEqual(self.groups()[0]["Status"], "Delete in progress")
        self.assertEqual(self.lifecycle(), ["Terminating"])
        self.refused("AlreadyExists", lambda: self.auto_scaling_group(subnet))
        self.time_passes()
        self.assertEqual(self.groups(), [])
        self.auto_scaling_group(subnet)
        self.assertNotIn("Status", self.groups()[0])

    def test_endpoint(self):
        vpc = self.vpc()
        endpoint = self.ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3")
        self.conditions(pending_seconds=LONG)
        self.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint["VpcEndpoint"]["VpcEndpointId"]])
        self.assertEqual(self.ec2.describe_vpc_endpoints()["VpcEndpoints"][0]["State"], "deleting")
        self.refused("DependencyViolation", self.ec2.delete_vpc, VpcId=vpc)
        self.time_passes()
        self.ec2.delete_vpc(VpcId=vpc)

    def test_change_of_records(self):
        self.conditions(pending_seconds=LONG)
        change = self.route53.create_hosted_zone(Name="example.com", CallerReference="a")["ChangeInfo"]
        state = lambda: self.route53.get_change(Id=change["Id"])["ChangeInfo"]["Status"]  # noqa: E731
        self.assertEqual(state(), "PENDING")
        self.time_passes()
        self.assertEqual(state(), "INSYNC")


class Lingering(DelayTest):
    def test_interfaces_of_a_deleted_load_balancer(self):
        vpc = self.vpc()
        subnet, group = self.subnet(vpc), self.group(vpc)
        arguments = {"Type": "network", "Scheme": "internal", "Subnets": [subnet], "SecurityGroups": [group]}
        created = self.elbv2.create_load_balancer(Name="api", **arguments)
        self.conditions(lingering_seconds=LONG)
        self.elbv2.delete_load_balancer(LoadBalancerArn=created["LoadBalancers"][0]["LoadBalancerArn"])
        self.assertEqual(self.elbv2.describe_load_balancers()["LoadBalancers"], [])
        interface = self.ec2.describe_network_interfaces()["NetworkInterfaces"][0]
        self.assertEqual((interface["Status"], interface["RequesterManaged"]), ("in-use", True))
        self.refused("DependencyViolation", self.ec2.delete_security_group, GroupId=group)
        self.refused("DependencyViolation", self.ec2.delete_subnet, SubnetId=subnet)
        self.time_passes()
        self.ec2.delete_security_group(GroupId=group)
        self.ec2.delete_subnet(SubnetId=subnet)

    def test_interface_of_a_deleted_nat_gateway(self):
        vpc = self.vpc()
        self.gateway(vpc)
        subnet = self.subnet(vpc)
        address = self.ec2.allocate_address(Domain="vpc")["AllocationId"]
        created = self.ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)
        self.conditions(lingering_seconds=LONG)
        self.ec2.delete_nat_gateway(NatGatewayId=created["NatGateway"]["NatGatewayId"])
        self.ec2.release_address(AllocationId=address)
        self.refused("DependencyViolation", self.ec2.delete_subnet, SubnetId=subnet)
        self.time_passes()
        self.ec2.delete_subnet(SubnetId=subnet)

    def test_interface_of_a_terminated_instance(self):
        subnet = self.subnet(self.vpc())
        launched = self.ec2.run_instances(
            ImageId=self.image(), InstanceType="m6i.large", MinCount=1, MaxCount=1, SubnetId=subnet,
            TagSpecifications=tags("instance", Name="a"),
        )  # fmt: skip
        self.conditions(lingering_seconds=LONG)
        self.ec2.terminate_instances(InstanceIds=[launched["Instances"][0]["InstanceId"]])
        self.refused("DependencyViolation", self.ec2.delete_subnet, SubnetId=subnet)
        self.time_passes()
        self.ec2.delete_subnet(SubnetId=subnet)

    def test_a_reset_forgets_what_was_due(self):
        subnet = self.subnet(self.vpc())
        self.elbv2.create_load_balancer(Name="api", Type="network", Scheme="internal", Subnets=[subnet])
        self.conditions(lingering_seconds=LONG, pending_seconds=LONG)
        balancers = self.elbv2.describe_load_balancers()["LoadBalancers"]
        self.elbv2.delete_load_balancer(LoadBalancerArn=balancers[0]["LoadBalancerArn"])
        self.control("POST", "reset")
        self.assertEqual(self.world(), {"iam": {}, "regions": {}, "route53": {}, "s3": {}})


class NewProfiles(DelayTest):
    MESSAGE = "Value (nodes) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name"

    def launch(self, subnet: str) -> None:
        self.ec2.run_instances(
            ImageId=self.image(),
            InstanceType="m6i.large",
            MinCount=1,
            MaxCount=1,
            SubnetId=subnet,
            IamInstanceProfile={"Name": "nodes"},
        )

    def test_ec2_does_not_know_them(self):
        subnet = self.subnet(self.vpc())
        self.conditions(profile_seconds=LONG)
        self.profile()
        error = self.refused("InvalidParameterValue", lambda: self.launch(subnet))
        self.assertIn(self.MESSAGE, str(error))
        self.time_passes()
        self.launch(subnet)

    def test_groups_do_not_know_them(self):
        subnet = self.subnet(self.vpc())
        self.conditions(profile_seconds=LONG)
        self.profile()
        self.template(IamInstanceProfile={"Name": "nodes"})

        def create():
            self.autoscaling.create_auto_scaling_group(
                AutoScalingGroupName="nodes",
                MinSize=1,
                MaxSize=1,
                VPCZoneIdentifier=subnet,
                LaunchTemplate={"LaunchTemplateName": "nodes", "Version": "1"},
            )

        error = self.refused("ValidationError", create)
        self.assertIn(f"You must use a valid fully-formed launch template. {self.MESSAGE}", str(error))
        self.time_passes()
        create()

    def test_one_with_a_new_role_is_new(self):
        subnet = self.subnet(self.vpc())
        self.profile()
        self.launch(subnet)
        self.iam.remove_role_from_instance_profile(InstanceProfileName="nodes", RoleName="nodes")
        self.conditions(profile_seconds=LONG)
        self.launch(subnet)
        self.iam.add_role_to_instance_profile(InstanceProfileName="nodes", RoleName="nodes")
        self.refused("InvalidParameterValue", lambda: self.launch(subnet))
