"""Hosted zones and records."""

import uuid

from .support import AwsTest


class ZoneTest(AwsTest):
    def zone(self, name: str = "example.com", **arguments) -> str:
        created = self.route53.create_hosted_zone(Name=name, CallerReference=str(uuid.uuid4()), **arguments)
        return created["HostedZone"]["Id"]

    def change(self, zone: str, *changes: tuple) -> dict:
        changes = [{"Action": action, "ResourceRecordSet": record} for action, record in changes]
        return self.route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})[
            "ChangeInfo"
        ]

    def a(self, name: str = "api.example.com", *addresses: str, **more) -> dict:
        values = [{"Value": address} for address in addresses or ["192.0.2.1"]]
        return {"Name": name, "Type": "A", "TTL": 60, "ResourceRecords": values, **more}

    def names(self, zone: str) -> list[str]:
        records = self.route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
        return [record["Name"] for record in records if record["Type"] not in ("NS", "SOA")]


class Records(ZoneTest):
    def test_create_and_delete(self):
        zone = self.zone()
        self.change(zone, ("CREATE", self.a()))
        self.refused("InvalidChangeBatch", lambda: self.change(zone, ("CREATE", self.a())))
        self.refused("InvalidChangeBatch", lambda: self.change(zone, ("DELETE", self.a("none.example.com"))))
        self.refused(
            "InvalidChangeBatch", lambda: self.change(zone, ("DELETE", self.a("api.example.com", "192.0.2.9")))
        )
        self.refused("HostedZoneNotEmpty", self.route53.delete_hosted_zone, Id=zone)
        self.change(zone, ("UPSERT", self.a("api.example.com", "192.0.2.9")))
        self.change(zone, ("DELETE", self.a("API.example.com.", "192.0.2.9")))
        self.route53.delete_hosted_zone(Id=zone)

    def test_a_batch_takes_effect_as_a_whole_or_not_at_all(self):
        zone = self.zone()
        for second in (("CREATE", self.a("api.example.org")), ("DELETE", self.a("none.example.com"))):
            self.refused("InvalidChangeBatch", lambda second=second: self.change(zone, ("CREATE", self.a()), second))
            self.assertEqual(self.names(zone), [])

    def test_what_is_no_record(self):
        zone = self.zone()
        for record in (
            {"Name": "example.com", "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": "example.org"}]},
            self.a("api.example.com", "not-an-address"),
            {"Name": "api.example.com", "Type": "A", "ResourceRecords": [{"Value": "192.0.2.1"}]},
            self.a("notexample.com"),
        ):
            self.refused("InvalidChangeBatch", lambda record=record: self.change(zone, ("CREATE", record)))

    def test_deletion_by_identifier_deletes_one(self):
        zone = self.zone()
        sets = [self.a(name, MultiValueAnswer=True, SetIdentifier="one") for name in ("a.example.com", "b.example.com")]
        self.change(zone, *(("CREATE", record) for record in sets))
        self.refused("InvalidChangeBatch", lambda: self.change(zone, ("CREATE", self.a("a.example.com"))))
        self.change(zone, ("DELETE", sets[0]))
        self.assertEqual(self.names(zone), ["b.example.com."])

    def test_aliases(self):
        zone = self.zone()
        subnet = self.subnet(self.vpc())
        balancer = self.elbv2.create_load_balancer(Name="api", Type="network", Scheme="internal", Subnets=[subnet])
        balancer = balancer["LoadBalancers"][0]
        target = {
            "HostedZoneId": balancer["CanonicalHostedZoneId"],
            "DNSName": balancer["DNSName"],
            "EvaluateTargetHealth": False,
        }
        record = {"Name": "api.example.com", "Type": "A", "AliasTarget": target}
        unknown = {**record, "AliasTarget": {**target, "HostedZoneId": "Z00000000000000000000"}}
        self.refused("InvalidChangeBatch", lambda: self.change(zone, ("CREATE", unknown)))
        self.change(zone, ("CREATE", record))
        shown = self.route53.list_resource_record_sets(HostedZoneId=zone, StartRecordName="api.example.com")
        self.assertEqual(shown["ResourceRecordSets"][0]["AliasTarget"]["DNSName"].rstrip("."), balancer["DNSName"])
        self.change(zone, ("DELETE", record))

    def test_wildcards(self):
        zone = self.zone()
        self.change(zone, ("CREATE", self.a("*.apps.example.com")))
        self.assertEqual(self.names(zone), ["\\052.apps.example.com."])
        self.change(zone, ("DELETE", self.a("*.apps.example.com")))

    def test_pages(self):
        zone = self.zone()
        for number in range(4):
            self.change(
                zone,
                (
                    "CREATE",
                    self.a("api.example.com", f"192.0.2.{number}", MultiValueAnswer=True, SetIdentifier=str(number)),
                ),
            )
        pages = self.route53.get_paginator("list_resource_record_sets").paginate(
            HostedZoneId=zone, PaginationConfig={"PageSize": 2}
        )
        shown = [(r["Name"], r["Type"], r.get("SetIdentifier")) for page in pages for r in page["ResourceRecordSets"]]
        self.assertEqual((len(shown), len(set(shown))), (6, 6))


class Changes(ZoneTest):
    def test_every_change_has_an_id(self):
        zone = self.zone()
        first, second = self.change(zone, ("UPSERT", self.a())), self.change(zone, ("UPSERT", self.a()))
        self.assertNotEqual(first["Id"], second["Id"])
        self.assertEqual(first["Status"], "PENDING")
        self.assertEqual(self.route53.get_change(Id=first["Id"])["ChangeInfo"]["Status"], "INSYNC")
        self.refused("NoSuchChange", self.route53.get_change, Id="C00000000000000000000")


class Zones(ZoneTest):
    def test_one_zone_per_caller_reference(self):
        self.route53.create_hosted_zone(Name="example.com", CallerReference="one")
        self.refused(
            "HostedZoneAlreadyExists", self.route53.create_hosted_zone, Name="example.com", CallerReference="one"
        )

    def test_zones_by_name_start_at_a_name(self):
        for name in ("example.org", "b.example.com", "example.com", "aexample.com"):
            self.zone(name)

        def names(**arguments):
            return [zone["Name"] for zone in self.route53.list_hosted_zones_by_name(**arguments)["HostedZones"]]

        self.assertEqual(names(), ["aexample.com.", "example.com.", "b.example.com.", "example.org."])
        self.assertEqual(names(DNSName="example.com"), ["example.com.", "b.example.com.", "example.org."])
        self.assertEqual(names(DNSName="c.example.com"), ["example.org."])

    def test_private_zones(self):
        vpc = self.vpc()
        self.refused(
            "InvalidVPCId", lambda: self.zone(VPC={"VPCRegion": "us-east-1", "VPCId": "vpc-00000000000000000"})
        )
        zone = self.zone(VPC={"VPCRegion": "us-east-1", "VPCId": vpc})
        shown = self.route53.get_hosted_zone(Id=zone)
        self.assertTrue(shown["HostedZone"]["Config"]["PrivateZone"])
        self.assertEqual(shown["VPCs"], [{"VPCRegion": "us-east-1", "VPCId": vpc}])
        by_vpc = self.route53.list_hosted_zones_by_vpc(VPCId=vpc, VPCRegion="us-east-1")["HostedZoneSummaries"]
        self.assertEqual([found["HostedZoneId"] for found in by_vpc], [zone.removeprefix("/hostedzone/")])
        self.refused(
            "LastVPCAssociation",
            self.route53.disassociate_vpc_from_hosted_zone,
            HostedZoneId=zone,
            VPC={"VPCRegion": "us-east-1", "VPCId": vpc},
        )
