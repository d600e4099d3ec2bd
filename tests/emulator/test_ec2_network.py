"""Networks: attributes, addresses, filters and pages, and above all the order of deletion."""

from .support import AwsTest, tags

OPEN = "0.0.0.0/0"


class Attributes(AwsTest):
    def test_one_vpc_attribute_per_call(self):
        vpc = self.vpc()
        self.refused(
            "InvalidParameterCombination",
            self.ec2.modify_vpc_attribute,
            VpcId=vpc,
            EnableDnsSupport={"Value": True},
            EnableDnsHostnames={"Value": True},
        )
        self.ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
        shown = self.ec2.describe_vpc_attribute(VpcId=vpc, Attribute="enableDnsHostnames")
        self.assertTrue(shown["EnableDnsHostnames"]["Value"])

    def test_one_subnet_attribute_per_call(self):
        subnet = self.subnet(self.vpc())
        self.refused(
            "InvalidParameterCombination",
            self.ec2.modify_subnet_attribute,
            SubnetId=subnet,
            MapPublicIpOnLaunch={"Value": True},
            EnableResourceNameDnsARecordOnLaunch={"Value": True},
        )
        self.ec2.modify_subnet_attribute(SubnetId=subnet, PrivateDnsHostnameTypeOnLaunch="resource-name")
        shown = self.ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]
        self.assertEqual(shown["PrivateDnsNameOptionsOnLaunch"]["HostnameType"], "resource-name")

    def test_new_subnets_are_nobodys_default_and_give_no_public_addresses(self):
        default = self.ec2.describe_subnets(Filters=[{"Name": "availability-zone", "Values": ["us-east-1a"]}])[
            "Subnets"
        ]
        self.ec2.delete_subnet(SubnetId=default[0]["SubnetId"])
        subnet = self.subnet(self.vpc())
        shown = self.ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]
        self.assertEqual((shown["DefaultForAz"], shown["MapPublicIpOnLaunch"]), (False, False))

    def test_cidrs_are_stored_in_canonical_form(self):
        vpc = self.vpc("10.3.2.1/16")
        self.assertEqual(self.ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["CidrBlock"], "10.3.0.0/16")

    def test_subnet_sizes(self):
        vpc = self.vpc()
        for size in (29, 32):
            self.refused("InvalidSubnet.Range", self.ec2.create_subnet, VpcId=vpc, CidrBlock=f"10.0.0.0/{size}")
        self.refused("InvalidVpc.Range", self.ec2.create_vpc, CidrBlock="10.0.0.0/15")

    def test_dhcp_options_keep_their_tags(self):
        self.ec2.create_dhcp_options(
            DhcpConfigurations=[{"Key": "domain-name", "Values": ["ec2.internal"]}],
            TagSpecifications=tags("dhcp-options", cluster="a"),
        )
        found = self.ec2.describe_dhcp_options(Filters=[{"Name": "tag:cluster", "Values": ["a"]}])["DhcpOptions"]
        self.assertEqual(found[0]["Tags"], [{"Key": "cluster", "Value": "a"}])

    def test_dry_runs_do_nothing(self):
        self.refused("DryRunOperation", self.ec2.create_vpc, 412, CidrBlock="10.0.0.0/16", DryRun=True)
        self.assertEqual(self.world()["regions"], {})

    def test_zones_say_that_they_need_no_opt_in(self):
        zones = self.ec2.describe_availability_zones(
            Filters=[{"Name": "opt-in-status", "Values": ["opt-in-not-required"]}]
        )
        self.assertIn("us-east-1a", [zone["ZoneName"] for zone in zones["AvailabilityZones"]])


class Filters(AwsTest):
    def test_tag_filters_of_every_listing(self):
        """Two of everything, tagged differently: a filter finds its own only."""
        for cluster, network in (("a", "10.0"), ("b", "10.1")):
            self.everything(cluster, network)
        for method, result in (
            ("describe_vpcs", "Vpcs"),
            ("describe_subnets", "Subnets"),
            ("describe_route_tables", "RouteTables"),
            ("describe_internet_gateways", "InternetGateways"),
            ("describe_egress_only_internet_gateways", "EgressOnlyInternetGateways"),
            ("describe_nat_gateways", "NatGateways"),
            ("describe_addresses", "Addresses"),
            ("describe_security_groups", "SecurityGroups"),
            ("describe_security_group_rules", "SecurityGroupRules"),
            ("describe_network_interfaces", "NetworkInterfaces"),
            ("describe_volumes", "Volumes"),
            ("describe_launch_templates", "LaunchTemplates"),
            ("describe_key_pairs", "KeyPairs"),
            ("describe_vpc_endpoints", "VpcEndpoints"),
            ("describe_dhcp_options", "DhcpOptions"),
        ):
            with self.subTest(method):
                describe = getattr(self.ec2, method)
                found = describe(Filters=[{"Name": "tag:cluster", "Values": ["a"]}])[result]
                shown = [item["TagSet"] if result == "NetworkInterfaces" else item["Tags"] for item in found]
                self.assertEqual(shown, [[{"Key": "cluster", "Value": "a"}]])
                both = describe(
                    Filters=[{"Name": "tag:cluster", "Values": ["?"]}, {"Name": "tag-key", "Values": ["clus*"]}]
                )
                self.assertEqual(len(both[result]), 2)
                self.assertEqual(describe(Filters=[{"Name": "tag:cluster", "Values": ["c"]}])[result], [])

    def everything(self, cluster: str, network: str) -> None:
        def tagged(kind):
            return {"TagSpecifications": tags(kind, cluster=cluster)}

        ec2 = self.ec2
        vpc = ec2.create_vpc(CidrBlock=f"{network}.0.0/16", **tagged("vpc"))["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=f"{network}.0.0/24", **tagged("subnet"))["Subnet"]["SubnetId"]
        table = ec2.create_route_table(VpcId=vpc, **tagged("route-table"))["RouteTable"]["RouteTableId"]
        gateway = ec2.create_internet_gateway(**tagged("internet-gateway"))["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        ec2.create_egress_only_internet_gateway(VpcId=vpc, **tagged("egress-only-internet-gateway"))
        address = ec2.allocate_address(Domain="vpc", **tagged("elastic-ip"))["AllocationId"]
        ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address, **tagged("natgateway"))
        group = ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc, **tagged("security-group"))[
            "GroupId"
        ]
        ec2.authorize_security_group_ingress(
            GroupId=group,
            IpPermissions=[{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": OPEN}]}],
            **tagged("security-group-rule"),
        )
        ec2.create_network_interface(SubnetId=subnet, **tagged("network-interface"))
        ec2.create_volume(AvailabilityZone="us-east-1a", Size=1, **tagged("volume"))
        ec2.create_launch_template(
            LaunchTemplateName=f"lt-{cluster}", LaunchTemplateData={}, **tagged("launch-template")
        )
        ec2.create_key_pair(KeyName=f"key-{cluster}", KeyType="ed25519", **tagged("key-pair"))
        ec2.create_vpc_endpoint(
            VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3", RouteTableIds=[table], **tagged("vpc-endpoint")
        )
        ec2.create_dhcp_options(DhcpConfigurations=[{"Key": "domain-name", "Values": ["a"]}], **tagged("dhcp-options"))

    def test_pages(self):
        for number in range(12):
            self.vpc(f"10.{number}.0.0/16")
        pages = list(self.ec2.get_paginator("describe_vpcs").paginate(PaginationConfig={"PageSize": 5}))
        self.assertEqual([len(page["Vpcs"]) for page in pages], [5, 5, 3])
        self.assertEqual(len({vpc["VpcId"] for page in pages for vpc in page["Vpcs"]}), 13)

    def test_too_many_filter_values(self):
        values = [f"vpc-{number}" for number in range(201)]
        self.refused("FilterLimitExceeded", self.ec2.describe_vpcs, Filters=[{"Name": "vpc-id", "Values": values}])

    def test_tags_of_deleted_resources_are_forgotten(self):
        vpc = self.vpc()
        self.ec2.create_tags(Resources=[vpc], Tags=[{"Key": "cluster", "Value": "a"}])
        self.assertEqual(len(self.ec2.describe_tags(Filters=[{"Name": "tag:cluster", "Values": ["a"]}])["Tags"]), 1)
        self.assertEqual(self.ec2.describe_tags(Filters=[{"Name": "tag:cluster", "Values": ["b"]}])["Tags"], [])
        self.ec2.delete_vpc(VpcId=vpc)
        self.assertEqual(self.ec2.describe_tags()["Tags"], [])


class Addresses(AwsTest):
    def test_fixed_addresses(self):
        subnet = self.subnet(self.vpc())
        self.interface(subnet, PrivateIpAddress="10.0.0.10")
        for address, code in (
            ("10.0.0.10", "InvalidIPAddress.InUse"),
            ("10.0.0.3", "InvalidParameterValue"),
            ("10.0.0.255", "InvalidParameterValue"),
            ("10.0.1.10", "InvalidParameterValue"),
        ):
            with self.subTest(address):
                self.refused(code, self.interface, subnet=subnet, PrivateIpAddress=address)

    def test_chosen_addresses_are_free_and_not_reserved(self):
        subnet = self.subnet(self.vpc(), "10.0.0.0/28")
        self.interface(subnet, PrivateIpAddress="10.0.0.14")
        for _ in range(10):
            self.interface(subnet)
        found = self.ec2.describe_network_interfaces(Filters=[{"Name": "subnet-id", "Values": [subnet]}])[
            "NetworkInterfaces"
        ]
        self.assertEqual(
            {interface["PrivateIpAddress"] for interface in found}, {f"10.0.0.{number}" for number in range(4, 15)}
        )
        self.refused("InsufficientFreeAddressesInSubnet", self.interface, subnet=subnet)

    def test_unknown_groups_are_refused(self):
        subnet = self.subnet(self.vpc())
        self.refused("InvalidGroup.NotFound", self.interface, subnet=subnet, Groups=["sg-00000000000000000"])
        elsewhere = self.group(self.vpc("10.9.0.0/16"))
        self.refused("InvalidParameterValue", self.interface, subnet=subnet, Groups=[elsewhere])

    def test_an_address_needs_an_internet_gateway(self):
        vpc = self.vpc()
        interface = self.interface(self.subnet(vpc))
        address = self.ec2.allocate_address(Domain="vpc")["AllocationId"]
        self.refused(
            "Gateway.NotAttached", self.ec2.associate_address, AllocationId=address, NetworkInterfaceId=interface
        )
        self.gateway(vpc)
        self.ec2.associate_address(AllocationId=address, NetworkInterfaceId=interface)
        self.refused("InvalidIPAddress.InUse", self.ec2.release_address, AllocationId=address)


class NatGateways(AwsTest):
    def test_life(self):
        vpc = self.vpc()
        subnet = self.subnet(vpc)
        gateway = self.gateway(vpc)
        address = self.ec2.allocate_address(Domain="vpc")["AllocationId"]
        table = self.ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        nat = self.ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]
        self.assertEqual(nat["NatGatewayAddresses"][0]["PrivateIp"], "10.0.0.254")
        self.ec2.create_route(RouteTableId=table, DestinationCidrBlock=OPEN, NatGatewayId=nat["NatGatewayId"])

        self.refused("DependencyViolation", self.ec2.delete_subnet, SubnetId=subnet)
        self.refused("DependencyViolation", self.ec2.detach_internet_gateway, InternetGatewayId=gateway, VpcId=vpc)
        self.refused("InvalidIPAddress.InUse", self.ec2.release_address, AllocationId=address)
        association = self.ec2.describe_addresses()["Addresses"][0]["AssociationId"]
        self.refused("AuthFailure", self.ec2.disassociate_address, AssociationId=association)
        self.refused("Resource.AlreadyAssociated", self.ec2.create_nat_gateway, SubnetId=subnet, AllocationId=address)

        self.ec2.delete_nat_gateway(NatGatewayId=nat["NatGatewayId"])
        shown = self.ec2.describe_nat_gateways(NatGatewayIds=[nat["NatGatewayId"]])["NatGateways"][0]
        self.assertEqual(shown["State"], "deleted")
        routes = self.ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
        self.assertEqual({route["DestinationCidrBlock"]: route["State"] for route in routes}[OPEN], "blackhole")
        self.ec2.release_address(AllocationId=address)
        self.ec2.delete_subnet(SubnetId=subnet)
        self.ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)

    def test_it_needs_an_address(self):
        subnet = self.subnet(self.vpc())
        self.refused("MissingParameter", self.ec2.create_nat_gateway, SubnetId=subnet)
        self.refused("NatGatewayNotFound", self.ec2.delete_nat_gateway, NatGatewayId="nat-00000000000000000")
        self.refused("NatGatewayNotFound", self.ec2.describe_nat_gateways, NatGatewayIds=["nat-00000000000000000"])

    def test_it_fails_without_an_internet_gateway(self):
        subnet = self.subnet(self.vpc())
        address = self.ec2.allocate_address(Domain="vpc")["AllocationId"]
        nat = self.ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]
        shown = self.ec2.describe_nat_gateways(NatGatewayIds=[nat["NatGatewayId"]])["NatGateways"][0]
        self.assertEqual((shown["State"], shown["FailureCode"]), ("failed", "Gateway.NotAttached"))


class Routes(AwsTest):
    def test_targets_must_exist_in_the_same_network(self):
        vpc = self.vpc()
        table = self.ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        route = {"RouteTableId": table, "DestinationCidrBlock": OPEN}
        self.refused(
            "InvalidNatGatewayID.NotFound", self.ec2.create_route, NatGatewayId="nat-00000000000000000", **route
        )
        elsewhere = self.gateway(self.vpc("10.9.0.0/16"))
        self.refused("InvalidParameterValue", self.ec2.create_route, GatewayId=elsewhere, **route)
        own = self.gateway(vpc)
        self.ec2.create_route(GatewayId=own, **route)
        self.refused("RouteAlreadyExists", self.ec2.create_route, GatewayId=own, **route)

    def test_one_table_per_subnet(self):
        vpc = self.vpc()
        subnet = self.subnet(vpc)
        first, second = (self.ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"] for _ in "12")
        association = self.ec2.associate_route_table(RouteTableId=first, SubnetId=subnet)["AssociationId"]
        self.refused("Resource.AlreadyAssociated", self.ec2.associate_route_table, RouteTableId=second, SubnetId=subnet)
        self.refused("DependencyViolation", self.ec2.delete_route_table, RouteTableId=first)
        self.ec2.replace_route_table_association(AssociationId=association, RouteTableId=second)
        self.ec2.delete_route_table(RouteTableId=first)

    def test_associations_go_with_the_subnet(self):
        vpc = self.vpc()
        subnet = self.subnet(vpc)
        table = self.ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        self.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        self.ec2.delete_subnet(SubnetId=subnet)
        self.ec2.delete_route_table(RouteTableId=table)

    def test_the_main_table_stays(self):
        vpc = self.vpc()
        main = self.ec2.describe_route_tables(
            Filters=[{"Name": "vpc-id", "Values": [vpc]}, {"Name": "association.main", "Values": ["true"]}]
        )["RouteTables"][0]["RouteTableId"]
        self.refused("DependencyViolation", self.ec2.delete_route_table, RouteTableId=main)

    def test_gateway_endpoints_bring_and_take_their_routes(self):
        vpc = self.vpc()
        first, second = (self.ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"] for _ in "12")
        endpoint = self.ec2.create_vpc_endpoint(
            VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3", RouteTableIds=[first]
        )["VpcEndpoint"]
        self.assertEqual(endpoint["VpcEndpointType"], "Gateway")
        identifier = endpoint["VpcEndpointId"]
        self.assertEqual(self.endpoint_routes(first), [identifier])
        self.ec2.modify_vpc_endpoint(VpcEndpointId=identifier, AddRouteTableIds=[second], RemoveRouteTableIds=[first])
        self.assertEqual((self.endpoint_routes(first), self.endpoint_routes(second)), ([], [identifier]))
        self.refused("DependencyViolation", self.ec2.delete_vpc, VpcId=vpc)
        self.ec2.delete_vpc_endpoints(VpcEndpointIds=[identifier])
        self.assertEqual(self.endpoint_routes(second), [])
        self.assertEqual(self.ec2.describe_vpc_endpoints()["VpcEndpoints"], [])
        self.refused("InvalidVpcEndpointId.NotFound", self.ec2.describe_vpc_endpoints, VpcEndpointIds=[identifier])

    def endpoint_routes(self, table: str) -> list[str]:
        routes = self.ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
        return [route["GatewayId"] for route in routes if "DestinationPrefixListId" in route]

    def test_unknown_endpoint_services(self):
        self.refused(
            "InvalidServiceName",
            self.ec2.create_vpc_endpoint,
            VpcId=self.vpc(),
            ServiceName="com.amazonaws.eu-west-1.s3",
        )


class OrderOfDeletion(AwsTest):
    def test_vpc_waits_for_all_it_holds(self):
        vpc = self.vpc()
        gateway = self.gateway(vpc)
        self.refused("DependencyViolation", self.ec2.delete_vpc, VpcId=vpc)
        self.ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        group = self.group(vpc)
        self.refused("DependencyViolation", self.ec2.delete_vpc, VpcId=vpc)
        self.ec2.delete_security_group(GroupId=group)
        subnet = self.subnet(vpc)
        self.refused("DependencyViolation", self.ec2.delete_vpc, VpcId=vpc)
        self.ec2.delete_subnet(SubnetId=subnet)
        table = self.ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        self.refused("DependencyViolation", self.ec2.delete_vpc, VpcId=vpc)
        self.ec2.delete_route_table(RouteTableId=table)
        self.ec2.delete_vpc(VpcId=vpc)
        self.refused("InvalidVpcID.NotFound", self.ec2.delete_vpc, VpcId=vpc)

    def test_dhcp_options_survive_the_vpc_and_wait_for_it(self):
        vpc = self.vpc()
        options = self.ec2.create_dhcp_options(DhcpConfigurations=[{"Key": "domain-name", "Values": ["a"]}])
        options = options["DhcpOptions"]["DhcpOptionsId"]
        self.ec2.associate_dhcp_options(DhcpOptionsId=options, VpcId=vpc)
        self.refused("DependencyViolation", self.ec2.delete_dhcp_options, DhcpOptionsId=options)
        self.ec2.delete_vpc(VpcId=vpc)
        self.ec2.delete_dhcp_options(DhcpOptionsId=options)

    def test_groups_wait_for_interfaces_and_for_rules_that_name_them(self):
        vpc = self.vpc()
        worn, named = self.group(vpc, "worn"), self.group(vpc, "named")
        interface = self.interface(self.subnet(vpc), Groups=[worn])
        self.ec2.authorize_security_group_ingress(
            GroupId=worn, IpPermissions=[{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": named}]}]
        )
        self.refused("DependencyViolation", self.ec2.delete_security_group, GroupId=named)
        self.refused("DependencyViolation", self.ec2.delete_security_group, GroupId=worn)
        self.ec2.delete_network_interface(NetworkInterfaceId=interface)
        self.ec2.delete_security_group(GroupId=worn)
        self.ec2.delete_security_group(GroupId=named)

    def test_the_default_group_stays(self):
        groups = self.ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [self.vpc()]}])[
            "SecurityGroups"
        ]
        self.refused("CannotDelete", self.ec2.delete_security_group, GroupId=groups[0]["GroupId"])

    def test_one_internet_gateway_per_vpc(self):
        vpc = self.vpc()
        self.gateway(vpc)
        second = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.refused("InvalidParameterValue", self.ec2.attach_internet_gateway, InternetGatewayId=second, VpcId=vpc)


class SecurityGroupRules(AwsTest):
    def permission(self, port: int, cidr: str = OPEN) -> dict:
        return {
            "IpProtocol": "tcp",
            "FromPort": port,
            "ToPort": port,
            "IpRanges": [{"CidrIp": cidr, "Description": str(port)}],
        }

    def test_all_rules_of_a_call_are_answered_with_their_tags(self):
        group = self.group(self.vpc())
        rules = self.ec2.authorize_security_group_ingress(
            GroupId=group,
            IpPermissions=[
                self.permission(22, "10.1.2.3/8"),
                {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group, "Description": "self"}]},
            ],
            TagSpecifications=tags("security-group-rule", cluster="a"),
        )["SecurityGroupRules"]
        self.assertEqual([rule.get("CidrIpv4") for rule in rules], ["10.0.0.0/8", None])
        self.assertEqual(rules[1]["ReferencedGroupInfo"]["GroupId"], group)
        self.assertEqual([rule["Description"] for rule in rules], ["22", "self"])
        self.assertTrue(all(rule["Tags"] == [{"Key": "cluster", "Value": "a"}] for rule in rules))

    def test_all_rules_of_a_call_or_none(self):
        group = self.group(self.vpc())
        self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[self.permission(22)])
        self.refused(
            "InvalidPermission.Duplicate",
            self.ec2.authorize_security_group_ingress,
            GroupId=group,
            IpPermissions=[self.permission(80), self.permission(22)],
        )
        rules = self.ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])[
            "SecurityGroupRules"
        ]
        self.assertEqual([rule["FromPort"] for rule in rules if not rule["IsEgress"]], [22])

    def test_change_and_revoke_by_id(self):
        vpc = self.vpc()
        group, other = self.group(vpc, "one"), self.group(vpc, "other")
        rule = self.ec2.authorize_security_group_ingress(
            GroupId=group,
            IpPermissions=[{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": other}]}],
            TagSpecifications=tags("security-group-rule", cluster="a"),
        )["SecurityGroupRules"][0]["SecurityGroupRuleId"]
        self.ec2.modify_security_group_rules(
            GroupId=group,
            SecurityGroupRules=[
                {
                    "SecurityGroupRuleId": rule,
                    "SecurityGroupRule": {"IpProtocol": "-1", "ReferencedGroupId": group, "Description": "now self"},
                }
            ],
        )
        shown = self.ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule])["SecurityGroupRules"][0]
        self.assertEqual((shown["ReferencedGroupInfo"]["GroupId"], shown["Description"]), (group, "now self"))
        self.assertEqual(shown["Tags"], [{"Key": "cluster", "Value": "a"}])
        self.ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=[rule])
        self.refused(
            "InvalidSecurityGroupRuleId.NotFound",
            self.ec2.revoke_security_group_ingress,
            GroupId=group,
            SecurityGroupRuleIds=[rule],
        )
        self.assertEqual(self.ec2.describe_tags()["Tags"], [])


class Idempotency(AwsTest):
    def test_same_token_same_result(self):
        vpc = self.vpc()
        subnet = self.subnet(vpc)
        self.gateway(vpc)
        address = self.ec2.allocate_address(Domain="vpc")["AllocationId"]
        for method, arguments, identifier in (
            ("create_nat_gateway", {"SubnetId": subnet, "AllocationId": address}, "NatGateway.NatGatewayId"),
            ("create_volume", {"AvailabilityZone": "us-east-1a", "Size": 1}, "VolumeId"),
            ("create_network_interface", {"SubnetId": subnet}, "NetworkInterface.NetworkInterfaceId"),
            ("create_route_table", {"VpcId": vpc}, "RouteTable.RouteTableId"),
            (
                "create_vpc_endpoint",
                {"VpcId": vpc, "ServiceName": "com.amazonaws.us-east-1.s3"},
                "VpcEndpoint.VpcEndpointId",
            ),
            (
                "create_launch_template",
                {"LaunchTemplateName": "one", "LaunchTemplateData": {"InstanceType": "m6i.large"}},
                "LaunchTemplate.LaunchTemplateId",
            ),
            (
                "create_launch_template_version",
                {"LaunchTemplateName": "one", "LaunchTemplateData": {"InstanceType": "m6i.xlarge"}},
                "LaunchTemplateVersion.VersionNumber",
            ),
        ):
            with self.subTest(method):
                make = getattr(self.ec2, method)

                def made(answer, path=identifier):
                    for member in path.split("."):
                        answer = answer[member]
                    return answer

                first = made(make(ClientToken="token", **arguments))
                self.assertEqual(made(make(ClientToken="token", **arguments)), first)

    def test_same_token_other_arguments(self):
        self.ec2.create_volume(AvailabilityZone="us-east-1a", Size=1, ClientToken="token")
        self.refused(
            "IdempotentParameterMismatch",
            self.ec2.create_volume,
            AvailabilityZone="us-east-1a",
            Size=2,
            ClientToken="token",
        )
        self.assertEqual(len(self.ec2.describe_volumes()["Volumes"]), 1)

    def test_tokens_belong_to_an_account_and_a_region(self):
        first = self.ec2.create_volume(AvailabilityZone="us-east-1a", Size=1, ClientToken="token")["VolumeId"]
        other = self.client("ec2", account="999999999904").create_volume(
            AvailabilityZone="us-east-1a", Size=1, ClientToken="token"
        )["VolumeId"]
        self.assertNotEqual(first, other)

    def test_a_refused_request_leaves_no_token(self):
        vpc = self.vpc()
        subnet = self.subnet(vpc)
        arguments = {"SubnetId": subnet, "PrivateIpAddress": "10.0.0.10", "ClientToken": "token"}
        blocking = self.interface(subnet, PrivateIpAddress="10.0.0.10")
        self.refused("InvalidIPAddress.InUse", self.ec2.create_network_interface, **arguments)
        self.ec2.delete_network_interface(NetworkInterfaceId=blocking)
        self.ec2.create_network_interface(**arguments)
