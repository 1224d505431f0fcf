"""Random VPCs, made in moto by the calls that a person would make; what moto lacks is changed in the snapshot read.

The audit's names are not used here. Rules are drawn so that most ways are nearly open: a VPC with ten closed doors
proves one of them.
"""

import random
from typing import Any, NamedTuple

import boto3
from botocore.exceptions import ClientError
from msgspec.structs import replace

from egressprobe.audit.vpc.snapshot import Encryption, Exclusion, PublicAccess, VpcSnapshot
from egressprobe.aws.eks import Cluster
from egressprobe.aws.vpc_snapshot import Readers, read_snapshot
from tests.support.vpc.virtual.wires import ELSEWHERE, INTERNET

CLUSTER = "c"
REGION = "us-east-1"
PORTS = (443, 9443)
_ZONES = ("us-east-1a", "us-east-1b")


class Made(NamedTuple):
    """targets: addresses to try from each source."""

    snapshot: VpcSnapshot
    targets: tuple[str, ...]


def make(clients: Readers, seed: str) -> Made:
    """One VPC. The same seed makes the same (but for ids, which are moto's)."""
    return _Maker(clients, random.Random(seed)).make()


def unchanged(clients: Readers, rng: random.Random) -> Made:
    """One VPC as moto has it: nothing is changed in the snapshot that moto lacks."""
    maker = _Maker(clients, rng)
    maker._changed = _addressed  # type: ignore[method-assign]
    made = maker.make()
    inside = {address for one in made.snapshot.interfaces for address in one.addresses}
    private = [text for text in made.targets if text in inside or not text.startswith(f"10.{maker.second}.")]
    # What is behind a transit gateway or a peer answers in the virtual VPC, whatever moto's route tables say.
    snapshot = replace(made.snapshot, transit_gateways=None, other_vpcs=())
    return made._replace(snapshot=snapshot, targets=tuple(private))


def read_again(clients: Readers, snapshot: VpcSnapshot) -> VpcSnapshot:
    """The VPC of a snapshot as moto has it now."""
    cluster = Cluster(
        version="1.35",
        ip_family="ipv6",
        mode="CUSTOMER_ROUTED",
        status="ACTIVE",
        name=CLUSTER,
        vpc=snapshot.vpc.id,
        subnets=snapshot.cluster.subnets,
        groups=snapshot.cluster.groups,
    )
    read = replace(read_snapshot(clients, cluster, region=REGION), encryption=(), public_access=PublicAccess("off"))
    read = replace(read, transit_gateways=None, other_vpcs=())
    return _addressed(read, {nat.id: nat.addresses for nat in snapshot.nats})


def moto_session() -> Any:
    """boto3's, with two answers of moto's put right (moto 5.2): it garbles the state of a subnet's IPv6 block, and its
    interfaces are attached to nothing.
    """
    session = boto3.Session(region_name=REGION)

    def attach(parsed: dict[str, Any], **_: Any) -> None:
        for interface in parsed.get("NetworkInterfaces", []):
            interface["Status"] = "in-use"

    def restore(parsed: dict[str, Any], **_: Any) -> None:
        for subnet in parsed.get("Subnets", []):
            for one in subnet.get("Ipv6CidrBlockAssociationSet", []):
                if "'associated'" in one["Ipv6CidrBlockState"]["State"]:
                    one["Ipv6CidrBlockState"] = {"State": "associated"}

    session.events.register("after-call.ec2.DescribeSubnets", restore)
    session.events.register("after-call.ec2.DescribeNetworkInterfaces", attach)
    return session


class _Maker:
    def __init__(self, clients: Readers, rng: random.Random) -> None:
        self.clients, self.ec2, self.rng = clients, clients.ec2, rng
        self.blocks4: list[str] = []
        self.blocks6: list[str] = []
        self.hosts = rng.sample(range(20, 120), 20)

    def likely(self, share: float) -> bool:
        return self.rng.random() < share

    def make(self) -> Made:
        self._vpc()
        self._lists()
        self._groups()
        self._interfaces()
        self._gates()
        self._tables()
        self._acls()
        cluster = Cluster(
            version="1.35",
            ip_family="ipv6",
            mode="CUSTOMER_ROUTED",
            status="ACTIVE",
            name=CLUSTER,
            vpc=self.vpc,
            subnets=tuple(self.sources),
            groups=tuple(self.source_groups),
        )
        read = read_snapshot(self.clients, cluster, region=REGION)
        # What is behind a transit gateway or a peer answers in the virtual VPC, whatever moto's route tables say.
        read = replace(read, transit_gateways=None, other_vpcs=())
        snapshot = self._changed(replace(read, encryption=(), public_access=PublicAccess("off")))
        inside = [a for one in snapshot.interfaces if one.id in self.targets for a in one.addresses]
        inside += self.delegated
        outside = self.rng.sample(INTERNET, 3) + self.rng.sample(ELSEWHERE, 1)
        if self.likely(0.2):
            outside.append(f"10.{self.second}.250.9")  # in the VPC's range, in no subnet
        return Made(snapshot, tuple(dict.fromkeys(inside + outside)))

    # -- parts ------------------------------------------------------------------------------------------------

    def _vpc(self) -> None:
        rng = self.rng
        self.second = rng.choice((0, 20, 200))
        made = self.ec2.create_vpc(CidrBlock=f"10.{self.second}.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]
        self.vpc = made["VpcId"]
        whole6 = made["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
        prefix6 = whole6.removesuffix("00::/56")
        self.subnets = []
        for i in range(rng.choice((3, 4, 4, 5))):
            six = f"{prefix6}{i:02x}::/64" if self.likely(0.85) else ""
            four = f"10.{self.second}.{i}.0/24"
            zone = _ZONES[i % 2]
            one = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=four, AvailabilityZone=zone)["Subnet"]
            if six:
                self.ec2.associate_subnet_cidr_block(SubnetId=one["SubnetId"], Ipv6CidrBlock=six)
            self.subnets.append((one["SubnetId"], four, six))
        # the last is public, the one before it may be
        self.blocks4 = [four for _, four, _ in self.subnets]
        self.blocks6 = [six for _, _, six in self.subnets if six]
        self.whole6 = whole6
        self.sources = [name for name, _, _ in self.subnets[: 1 + (len(self.subnets) > 3)]]

    def _lists(self) -> None:
        """A managed prefix list of some of the internet's addresses."""
        entries = [{"Cidr": c} for c in self.rng.sample(("93.184.0.0/16", "52.94.0.0/22", "198.41.0.4/32"), 2)]
        made = self.ec2.create_managed_prefix_list(
            PrefixListName="partners", Entries=entries, MaxEntries=5, AddressFamily="IPv4"
        )
        self.list = made["PrefixList"]["PrefixListId"]

    def _groups(self) -> None:
        self.groups = []
        for i in range(4):
            made = self.ec2.create_security_group(GroupName=f"g{i}", Description="g", VpcId=self.vpc)["GroupId"]
            self.groups.append(made)
        self.source_groups = self.groups[: self.rng.choice((1, 1, 2))]
        self.target_groups = self.groups[2:]
        for group in self.source_groups:
            if self.likely(0.7):
                self._open_out(group)
                continue
            self.ec2.revoke_security_group_egress(
                GroupId=group, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
            )
            self._permit(group, "egress", self.rng.randint(1, 4))
        for group in self.target_groups:
            if self.likely(0.6):
                every = [
                    {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}
                ]
                self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=every)
            else:
                self._permit(group, "ingress", self.rng.randint(1, 3))

    def _open_out(self, group: str) -> None:
        """A new group lets out everything, of IPv4 in moto; AWS adds IPv6 where the VPC has it."""
        said = self.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
        if not any(one.get("Ipv6Ranges") for one in said["IpPermissionsEgress"]):
            six = [{"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}]
            self.ec2.authorize_security_group_egress(GroupId=group, IpPermissions=six)

    def _permit(self, group: str, way: str, many: int) -> None:
        call = getattr(self.ec2, f"authorize_security_group_{way}")
        for _ in range(many):
            rule: dict[str, Any] = {"IpProtocol": "tcp"} | self._span()
            if self.likely(0.2):
                rule = {"IpProtocol": self.rng.choice(("-1", "udp"))} | ({} if self.likely(0.5) else self._span())
                if rule["IpProtocol"] == "-1":
                    rule = {"IpProtocol": "-1"}
                elif "FromPort" not in rule:
                    rule |= {"FromPort": 0, "ToPort": 65535}
            what = self.rng.choice(("four", "four", "six", "group", "list"))
            if what == "four":
                rule["IpRanges"] = [{"CidrIp": self._block4()}]
            elif what == "six":
                rule["Ipv6Ranges"] = [{"CidrIpv6": self._block6()}]
            elif what == "group":
                rule["UserIdGroupPairs"] = [{"GroupId": self.rng.choice(self.groups)}]
            else:
                rule["PrefixListIds"] = [{"PrefixListId": self.list}]
            try:
                call(GroupId=group, IpPermissions=[rule])
            except ClientError as error:  # the same once more
                assert "Duplicate" in str(error)

    def _span(self) -> dict[str, int]:
        low, high = self.rng.choice(((443, 443), (9443, 9443), (443, 9443), (0, 65535), (1000, 2000)))
        return {"FromPort": low, "ToPort": high}

    def _block4(self) -> str:
        return self.rng.choice(
            [
                *("0.0.0.0/0", "0.0.0.0/0", "10.0.0.0/8", f"10.{self.second}.0.0/16", *self.blocks4),
                *("93.184.216.0/24", "128.0.0.0/1", "172.16.0.0/12"),
            ]
        )

    def _block6(self) -> str:
        return self.rng.choice(("::/0", "::/0", self.whole6, "2606:2800::/32", *self.blocks6))

    def _interfaces(self) -> None:
        self.targets, self.delegated = [], []
        for name, _, six in self.subnets[: len(self.sources)]:
            self._interface(name, six, self.source_groups, f"Amazon EKS {CLUSTER}")
        for name, four, six in self.rng.sample(self.subnets, 2):
            groups = self.rng.sample(self.target_groups, self.rng.choice((1, 1, 2)))
            one = self._interface(name, six, groups, "a pod's node")
            self.targets.append(one)
            if self.likely(0.5):
                prefix = four.replace(".0/24", ".128/28")
                self.prefixed = (one, prefix)
                self.delegated = [prefix.replace(".128/28", ".130")]
        self.appliance = ""
        if self.likely(0.15):
            name, _, six = self.rng.choice(self.subnets)
            self.appliance = self._interface(name, six, [self.rng.choice(self.target_groups)], "appliance")
            if self.likely(0.7):
                self.ec2.modify_network_interface_attribute(
                    NetworkInterfaceId=self.appliance, SourceDestCheck={"Value": False}
                )

    def _interface(self, subnet: str, six: str, groups: list[str], description: str) -> str:
        more: dict[str, Any] = {}
        if six:
            host = six.replace("::/64", f"::{self.rng.randint(0x100, 0xFFFF):x}")
            more = {"Ipv6Addresses": [{"Ipv6Address": host}]}
        four = next(four for name, four, _ in self.subnets if name == subnet)
        address = four.replace(".0/24", f".{self.hosts.pop()}")
        made = self.ec2.create_network_interface(
            SubnetId=subnet, Groups=groups, Description=description, PrivateIpAddress=address, **more
        )
        return str(made["NetworkInterface"]["NetworkInterfaceId"])

    def _gates(self) -> None:
        rng, ec2 = self.rng, self.ec2
        self.igw = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=self.igw, VpcId=self.vpc)
        made = ec2.create_egress_only_internet_gateway(VpcId=self.vpc)
        self.eigw = made["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"]
        self.public = self.subnets[-1][0]
        self.nats = []
        for _ in range(rng.choice((1, 1, 2))):
            where = self.public if self.likely(0.85) else rng.choice(self.subnets)[0]
            if self.likely(0.9):
                elastic = ec2.allocate_address(Domain="vpc")["AllocationId"]
                made = ec2.create_nat_gateway(SubnetId=where, AllocationId=elastic)
            else:
                made = ec2.create_nat_gateway(SubnetId=where, ConnectivityType="private")
            self.nats.append(made["NatGateway"]["NatGatewayId"])
        self.others: list[dict[str, str]] = []
        if self.likely(0.25):
            gateway = ec2.create_transit_gateway()["TransitGateway"]["TransitGatewayId"]
            ec2.create_transit_gateway_vpc_attachment(
                TransitGatewayId=gateway, VpcId=self.vpc, SubnetIds=[rng.choice(self.subnets)[0]]
            )
            self.others.append({"TransitGatewayId": gateway})
        if self.likely(0.2):
            peer = ec2.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]
            made = ec2.create_vpc_peering_connection(VpcId=self.vpc, PeerVpcId=peer)
            name = made["VpcPeeringConnection"]["VpcPeeringConnectionId"]
            if self.likely(0.7):
                ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=name)
            self.others.append({"VpcPeeringConnectionId": name})
        if self.appliance:
            self.others.append({"NetworkInterfaceId": self.appliance})

    def _tables(self) -> None:
        """One for the public subnet, one or two for the rest, or the main one."""
        rng, ec2 = self.rng, self.ec2
        main = ec2.describe_route_tables(
            Filters=[{"Name": "vpc-id", "Values": [self.vpc]}, {"Name": "association.main", "Values": ["true"]}]
        )["RouteTables"][0]["RouteTableId"]
        public = ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        ec2.associate_route_table(RouteTableId=public, SubnetId=self.public)
        if self.likely(0.93):
            ec2.create_route(RouteTableId=public, DestinationCidrBlock="0.0.0.0/0", GatewayId=self.igw)
        if self.likely(0.5):
            ec2.create_route(RouteTableId=public, DestinationIpv6CidrBlock="::/0", GatewayId=self.igw)
        if self.likely(0.1):
            self._route(public, "DestinationCidrBlock", "93.184.216.0/24")
        private = [main]
        if self.likely(0.6):
            private.append(ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"])
        for name, _, _ in self.subnets[:-1]:
            table = rng.choice(private)
            if table != main:
                ec2.associate_route_table(RouteTableId=table, SubnetId=name)
        for table in private:
            if self.likely(0.9):
                self._default(table)
            if self.likely(0.8):
                six = {"EgressOnlyInternetGatewayId": self.eigw} if self.likely(0.75) else {"GatewayId": self.igw}
                ec2.create_route(RouteTableId=table, DestinationIpv6CidrBlock="::/0", **six)
            for block in rng.sample(
                ("93.184.0.0/16", "52.94.0.0/16", "172.16.0.0/12", "10.99.0.0/16", "198.0.0.0/8"), 2
            ):
                if self.likely(0.35):
                    self._route(table, "DestinationCidrBlock", block)
            if self.likely(0.25):
                self._route(table, "DestinationPrefixListId", self.list)
            if self.likely(0.12):  # a middlebox in front of one of the VPC's own subnets
                self._route(table, "DestinationCidrBlock", rng.choice(self.blocks4))

    def _default(self, table: str) -> None:
        nat = {"NatGatewayId": self.rng.choice(self.nats)}
        if self.likely(0.08):
            nat = {"GatewayId": self.igw}
        self.ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **nat)

    def _route(self, table: str, field: str, block: str) -> None:
        others = self.others
        if field == "DestinationPrefixListId":  # moto forgets the destination of such a route to an interface
            others = [one for one in others if "NetworkInterfaceId" not in one]
        choices = [{"NatGatewayId": one} for one in self.nats] + [{"GatewayId": self.igw}] + others * 2
        self.ec2.create_route(RouteTableId=table, **{field: block}, **self.rng.choice(choices))

    def _acls(self) -> None:
        """Each subnet keeps the default ACL or gets one of its own."""
        ec2, rng = self.ec2, self.rng
        held = ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])["NetworkAcls"]
        default = next(one for one in held if one["IsDefault"])
        if not any(one.get("Ipv6CidrBlock") for one in default["Entries"]):
            for egress in (False, True):
                self._entry(default["NetworkAclId"], 101, egress, allow=True, block="::/0")
        associations = {one["SubnetId"]: one["NetworkAclAssociationId"] for acl in held for one in acl["Associations"]}
        for name, _, _ in self.subnets:
            if self.likely(0.5):
                continue
            acl = ec2.create_network_acl(VpcId=self.vpc)["NetworkAcl"]["NetworkAclId"]
            for egress in (False, True):
                self._entries(acl, egress)
            ec2.replace_network_acl_association(AssociationId=associations[name], NetworkAclId=acl)
        del rng

    def _entries(self, acl: str, egress: bool) -> None:
        rng = self.rng
        numbers = rng.sample(range(3, 300), 7)
        if self.likely(0.85):  # mostly open below the odd rules
            self._entry(acl, 400, egress, allow=True, block="0.0.0.0/0", span=self._wide())
            self._entry(acl, 401, egress, allow=True, block="::/0", span=self._wide())
        if self.likely(0.3):  # a part of the ports that answers come back to
            part = rng.choice(((32768, 60999), (1024, 9999), (50000, 65535), (1025, 1025)))
            self._entry(acl, 1, egress, allow=False, block="0.0.0.0/0", span=part)
            self._entry(acl, 2, egress, allow=False, block="::/0", span=part)
        for number in numbers[: rng.randint(0, 3)]:
            block = self._block4() if self.likely(0.6) else self._block6()
            self._entry(acl, number, egress, allow=self.likely(0.5), block=block, span=self._narrow())

    def _wide(self) -> tuple[int, int] | None:
        return self.rng.choice((None, None, None, (0, 65535), (443, 65535), (1024, 65535)))

    def _narrow(self) -> tuple[int, int] | None:
        return self.rng.choice(
            [
                *(None, (443, 443), (9443, 9443), (1024, 65535), (32768, 60999), (1024, 4999), (49152, 65535)),
                *((40000, 40999), (10000, 65535), (0, 1023)),
            ]
        )

    def _entry(
        self, acl: str, number: int, egress: bool, *, allow: bool, block: str, span: tuple[int, int] | None = None
    ) -> None:
        six = ":" in block
        said: dict[str, Any] = {"Ipv6CidrBlock" if six else "CidrBlock": block}
        said["Protocol"] = "-1"
        if span:
            said |= {"Protocol": "17" if self.likely(0.07) else "6", "PortRange": {"From": span[0], "To": span[1]}}
        self.ec2.create_network_acl_entry(
            NetworkAclId=acl, RuleNumber=number, Egress=egress, RuleAction="allow" if allow else "deny", **said
        )

    # -- what moto lacks --------------------------------------------------------------------------------------

    def _changed(self, snapshot: VpcSnapshot) -> VpcSnapshot:
        """NAT gateways' addresses, delegated prefixes, black holes, states, Block Public Access, detached gateways."""
        snapshot = _addressed(snapshot)
        if self.delegated:
            one, prefix = self.prefixed
            snapshot = replace(
                snapshot,
                interfaces=tuple(replace(i, prefixes=(prefix,)) if i.id == one else i for i in snapshot.interfaces),
            )
        if self.likely(0.06):
            tables = list(snapshot.route_tables)
            at = self.rng.randrange(len(tables))
            dead = [
                replace(r, active=False) if r.gate != "local" and self.likely(0.5) else r for r in tables[at].routes
            ]
            tables[at] = replace(tables[at], routes=tuple(dead))
            snapshot = replace(snapshot, route_tables=tuple(tables))
        if self.likely(0.04):
            nats = [replace(one, state=self.rng.choice(("failed", "pending", "deleted"))) for one in snapshot.nats]
            snapshot = replace(snapshot, nats=tuple(nats))
        if self.likely(0.08):
            mode = self.rng.choice(("block-bidirectional", "block-ingress"))
            of = [self.vpc, *(name for name, _, _ in self.subnets)]
            lifted = tuple(Exclusion(name, "allow-egress") for name in self.rng.sample(of, self.rng.randint(0, 2)))
            snapshot = replace(snapshot, public_access=PublicAccess(mode, lifted))
        if self.likely(0.05):
            gone = self.rng.choice([one.id for one in snapshot.gateways])
            snapshot = replace(snapshot, gateways=tuple(one for one in snapshot.gateways if one.id != gone))
        return snapshot


def _addressed(snapshot: VpcSnapshot, known: dict[str, tuple[str, ...]] | None = None) -> VpcSnapshot:
    """Moto gives a NAT gateway's interface any private address, of no subnet, and the type of a plain one; it keeps the
    interface of a deleted one. known: addresses that NAT gateways have already.
    """
    fours = {one.id: next(text for text in one.blocks if ":" not in text) for one in snapshot.subnets}
    nats, interfaces = [], {one.id: one for one in snapshot.interfaces}
    for i, nat in enumerate(snapshot.nats):
        mine = (known or {}).get(nat.id) or (fours[nat.subnet].replace(".0/24", f".{200 + 20 * bool(known) + i}"),)
        for one in snapshot.interfaces:
            if one.addresses == nat.addresses:
                interfaces[one.id] = replace(one, addresses=mine, kind="nat_gateway", groups=())
                if nat.state == "deleted":
                    del interfaces[one.id]
        nats.append(replace(nat, addresses=mine))
    return replace(snapshot, nats=tuple(nats), interfaces=tuple(interfaces.values()))


__all__ = ["Encryption", "Made", "make"]
