"""Plans for the healthy VPC, and what each makes of it: written by hand beside the plan, not by the product's model.

`after` is the VPC as AWS would have it after the plan; None where it is not known. Paths are those of `web` (IPv4),
`web6`, `pod`, `corp` (by a transit gateway) and `peer`, from both subnets.
"""

from typing import Any, NamedTuple

from msgspec.structs import replace

from egressprobe.audit.vpc.snapshot import (
    Acl,
    AclEntry,
    Gateway,
    Group,
    Nat,
    Permission,
    PrefixList,
    PublicAccess,
    Route,
    RouteTable,
    VpcEndpoint,
    VpcSnapshot,
)
from egressprobe.audit.vpc.snapshot_dns import Dhcp
from tests.support.terraform import change, plan, ref
from tests.support.vpc.snapshots import (
    ANY,
    CLUSTER_SG,
    LOCAL,
    POD_SG,
    PODS,
    PUBLIC,
    WEB,
    A,
    B,
    acl,
    clean,
    entries,
    gone,
    group,
    routes,
    swap,
)

# A list that no route names yet; the public subnet's ACL is the default one.
BASE = replace(
    clean(),
    acls=swap(clean().acls, f"acl-{PUBLIC}", default=True),
    prefix_lists=(PrefixList("pl-1", (f"{WEB}/32",)),),
    names={"web.example": (WEB,), "web6.example": ("2606:2800:220:1::10",), "corp.example": ("172.16.5.5",),
           "peer.example": ("10.99.0.5",)},
)  # fmt: skip
TARGETS = [
    {"kind": "webhook", "name": "web", "url": "https://web.example/"},
    {"kind": "webhook", "name": "web6", "url": "https://web6.example/"},
    {"kind": "webhook", "name": "pod", "service": {"namespace": "hooks", "name": "pods"},
     "addresses": ["10.0.3.10:9443"]},
    {"kind": "webhook", "name": "corp", "url": "https://corp.example/"},
    {"kind": "webhook", "name": "peer", "url": "https://peer.example/"},
]  # fmt: skip


class PlanCase(NamedTuple):
    """effects: target -> effect from both subnets, or (target, subnet) -> effect. exit: of the command."""

    name: str
    plan: Any
    after: VpcSnapshot | None
    effects: dict[Any, str]
    exit: int
    before: VpcSnapshot = BASE
    refused: tuple[str, ...] = ()


NO_WEB = routes(BASE, "rtb-private", gone("0.0.0.0/0"))
VPC = {"vpc_id": "vpc-1"}
DEFAULT = {"route_table_id": "rtb-private", "destination_cidr_block": "0.0.0.0/0"}
NAT2 = Nat("nat-2", "available", PUBLIC, addresses=("10.0.9.201",), elastic=("203.0.113.2",))


def _rule(number, egress, action="deny", low=443, high=443, **more):
    return {"network_acl_id": f"acl-{A}", "rule_number": number, "egress": egress, "protocol": "tcp",
            "rule_action": action, "cidr_block": "0.0.0.0/0", "ipv6_cidr_block": None, "from_port": low,
            "to_port": high, "icmp_code": None, "icmp_type": None} | more  # fmt: skip


def _deny(number, egress, low=443, high=443, block="0.0.0.0/0"):
    return AclEntry(number, egress, False, 6, block, (low, high))


def _inline(number, action="allow", protocol="-1", low=0, high=0, cidr="0.0.0.0/0", cidr6=""):
    return {"rule_no": number, "action": action, "protocol": protocol, "from_port": low, "to_port": high,
            "cidr_block": cidr, "ipv6_cidr_block": cidr6, "icmp_code": 0, "icmp_type": 0}  # fmt: skip


def _sg_rule(protocol="-1", low=0, high=0, cidrs=(), cidrs6=(), groups=(), lists=(), own=False):
    return {"protocol": protocol, "from_port": low, "to_port": high, "cidr_blocks": list(cidrs),
            "ipv6_cidr_blocks": list(cidrs6), "prefix_list_ids": list(lists), "security_groups": list(groups),
            "self": own, "description": ""}  # fmt: skip


def _route(cidr="0.0.0.0/0", **target):
    return dict.fromkeys(("cidr_block", "ipv6_cidr_block", "destination_prefix_list_id", "carrier_gateway_id", "core_network_arn", "egress_only_gateway_id", "gateway_id", "local_gateway_id", "nat_gateway_id", "network_interface_id", "transit_gateway_id", "vpc_endpoint_id", "vpc_peering_connection_id"), "") | {
            "ipv6_cidr_block" if ":" in cidr else "cidr_block": cidr} | target  # fmt: skip


def _table(*listed):
    return {"id": "rtb-private", "vpc_id": "vpc-1", "propagating_vgws": [], "route": list(listed), "tags": None}


OLD_ROUTES = (
    _route(nat_gateway_id="nat-1"),
    _route("::/0", egress_only_gateway_id="eigw-1"),
    _route("172.16.0.0/12", transit_gateway_id="tgw-1"),
    _route("10.99.0.0/16", vpc_peering_connection_id="pcx-1"),
)
CLUSTER = {
    "id": "prod", "name": "prod", "role_arn": "arn:aws:iam::123456789012:role/eks", "version": "1.35",
    "vpc_config": [{"subnet_ids": [A, B], "security_group_ids": [], "cluster_security_group_id": CLUSTER_SG,
                    "endpoint_private_access": True, "endpoint_public_access": True, "vpc_id": "vpc-1"}],
    "remote_network_config": [],
}  # fmt: skip


def _cluster(**config):
    return CLUSTER | {"vpc_config": [CLUSTER["vpc_config"][0] | config]}


def _nat_move(*, count=False):
    """A new NAT gateway, the default route to it, the old one away."""
    index = "[0]" if count else ""
    return [
        change(f"aws_eip.nat{index}", "create", after={"domain": "vpc"}),
        change(f"aws_nat_gateway.new{index}", "create", after={"subnet_id": PUBLIC, "connectivity_type": "public"},
               refs={"allocation_id": ref(f"aws_eip.nat{index}.id")}),
        change("aws_route.default", "update", before=DEFAULT | {"id": "r-1", "nat_gateway_id": "nat-1"},
               after=DEFAULT | {"id": "r-1"},
               refs={"nat_gateway_id": ref("aws_nat_gateway.new", "count.index") if count
                     else ref("aws_nat_gateway.new.id")}),
        change("aws_nat_gateway.old", "delete", before={"id": "nat-1", "subnet_id": PUBLIC}),
    ]  # fmt: skip


MOVED = routes(replace(BASE, nats=(NAT2,)), "rtb-private", Route("0.0.0.0/0", "nat", "nat-2"))
WITH_A_TABLE = replace(
    BASE,
    route_tables=(
        *swap(BASE.route_tables, "rtb-private", subnets=(B, PODS)),
        RouteTable("rtb-new", subnets=(A,), routes=(*LOCAL, Route("0.0.0.0/0", "nat", "nat-1"))),
    ),
)
NEW_ACL = Acl(
    "acl-new", (A,), (*(AclEntry(100, egress, True, 6, "0.0.0.0/0", ports) for egress, ports in
                        ((False, (1024, 65535)), (True, (443, 443)))),
                      *(AclEntry(number, egress, False, -1, text) for egress in (False, True)
                        for number, text in ((32767, "0.0.0.0/0"), (32768, "::/0")))),
)  # fmt: skip
MORE_SG = Group("sg-more", "more", (), (Permission(6, (443, 443), ("0.0.0.0/0",)),))
REQUIRED_SG = group(BASE, CLUSTER_SG, egress=())
PLANS = [
    PlanCase("a route away", plan(change("aws_route.default", "delete", before=DEFAULT | {"nat_gateway_id": "nat-1"})),
             NO_WEB, {"web": "closes"}, 3),
    PlanCase("a route back", plan(change("aws_route.default", "create", after=DEFAULT | {"nat_gateway_id": "nat-1"})),
             BASE, {"web": "opens"}, 0, NO_WEB),
    PlanCase("a default route to the internet gateway",
             plan(change("aws_route.default", "update", before=DEFAULT | {"nat_gateway_id": "nat-1", "gateway_id": ""},
                         after=DEFAULT | {"nat_gateway_id": "", "gateway_id": "igw-1"})),
             routes(BASE, "rtb-private", Route("0.0.0.0/0", "internet", "igw-1")), {"web": "closes"}, 3),
    PlanCase("a NAT gateway replaced by another", plan(*_nat_move()), MOVED, {}, 0),
    PlanCase("a NAT gateway of a counted resource", plan(*_nat_move(count=True)), MOVED, {}, 0),
    PlanCase("a NAT gateway away without its route",
             plan(change("aws_nat_gateway.old", "delete", before={"id": "nat-1", "subnet_id": PUBLIC})),
             routes(replace(BASE, nats=()), "rtb-private", Route("0.0.0.0/0", "nat", "nat-1", active=False)),
             {"web": "closes"}, 3),
    PlanCase("a private NAT gateway",
             plan(change("aws_nat_gateway.new", "create",
                         after={"subnet_id": PUBLIC, "connectivity_type": "private", "allocation_id": None}),
                  change("aws_route.default", "update", before=DEFAULT | {"nat_gateway_id": "nat-1"}, after=DEFAULT,
                         refs={"nat_gateway_id": ref("aws_nat_gateway.new.id")})),
             None, {"web": "closes"}, 3),
    PlanCase("a table with inline routes loses one",
             plan(change("aws_route_table.private", "update", before=_table(*OLD_ROUTES), after=_table(*OLD_ROUTES[1:]))),
             NO_WEB, {"web": "closes"}, 3),
    PlanCase("an inline route by a reference",
             plan(change("aws_nat_gateway.new", "create", after={"subnet_id": PUBLIC, "allocation_id": "eipalloc-1"}),
                  change("aws_route_table.private", "update", before=_table(*OLD_ROUTES),
                         after=_table({key: value for key, value in OLD_ROUTES[0].items() if key != "nat_gateway_id"},
                                      *OLD_ROUTES[1:]),
                         unknown={"route": [{"nat_gateway_id": True}, {}, {}, {}]},
                         refs={"route": [
                             {"cidr_block": {"constant_value": "0.0.0.0/0"},
                              "nat_gateway_id": ref("aws_nat_gateway.new.id")},
                             {"ipv6_cidr_block": {"constant_value": "::/0"},
                              "egress_only_gateway_id": ref("var.eigw")}]})),
             routes(replace(BASE, nats=(*BASE.nats, NAT2)), "rtb-private", Route("0.0.0.0/0", "nat", "nat-2")), {}, 0),
    PlanCase("a new table for a subnet",
             plan(change("aws_route_table.new", "create", after=VPC | {"tags": None}),
                  change("aws_route.new", "create", after={"destination_cidr_block": "0.0.0.0/0",
                                                           "nat_gateway_id": "nat-1"},
                         refs={"route_table_id": ref("aws_route_table.new.id")}),
                  change("aws_route_table_association.a", "delete", "create",
                         before={"id": "rtbassoc-a", "subnet_id": A, "route_table_id": "rtb-private"},
                         after={"subnet_id": A, "gateway_id": None},
                         refs={"route_table_id": ref("aws_route_table.new.id")})),
             WITH_A_TABLE, {("web6", A): "closes", ("corp", A): "closes", ("peer", A): "closes"}, 3),
    PlanCase("an association away",
             plan(change("aws_route_table_association.a", "delete",
                         before={"id": "rtbassoc-a", "subnet_id": A, "route_table_id": "rtb-private"})),
             replace(BASE, route_tables=swap(BASE.route_tables, "rtb-private", subnets=(B, PODS))),
             {(name, A): "closes" for name in ("web", "web6", "corp", "peer")}, 3),
    PlanCase("another main table",
             plan(change("aws_main_route_table_association.main", "create",
                         after=VPC | {"route_table_id": "rtb-private"}),
                  change("aws_route_table_association.a", "delete",
                         before={"id": "rtbassoc-a", "subnet_id": A, "route_table_id": "rtb-private"})),
             replace(BASE, route_tables=(replace(BASE.route_tables[0], main=False),
                                         replace(BASE.route_tables[1], main=True, subnets=(B, PODS)),
                                         BASE.route_tables[2])), {}, 0),
    PlanCase("an ACL rule that denies", plan(change("aws_network_acl_rule.deny", "create", after=_rule(90, True))),
             acl(BASE, A, _deny(90, True)), {(name, A): "closes" for name in ("web", "corp", "peer")}, 3),
    PlanCase("an ACL rule that denies return traffic in part",
             plan(change("aws_network_acl_rule.deny", "create", after=_rule(90, False, low=1024, high=32767))),
             acl(BASE, A, _deny(90, False, 1024, 32767)),
             {("web", A): "closes", ("pod", A): "closes", ("corp", A): "unknown", ("peer", A): "unknown"}, 3),
    PlanCase("an ACL rule with a number that is taken",
             plan(change("aws_network_acl_rule.deny", "create", after=_rule(400, True))), BASE, {}, 4,
             refused=("NetworkAclEntryAlreadyExists",)),
    PlanCase("an ACL rule replaced by one with its number",
             plan(change("aws_network_acl_rule.deny", "delete", "create", before=_rule(90, True) | {"id": "nacl-1"},
                         after=_rule(90, True, low=8443, high=8443))),
             acl(BASE, A, _deny(90, True, 8443, 8443)), {("web", A): "opens", ("corp", A): "unknown", ("corp", B): "unknown", ("peer", A): "unknown"}, 4, acl(BASE, A, _deny(90, True))),
    PlanCase("a new ACL with inline rules, one family",
             plan(change("aws_network_acl.new", "create",
                         after=VPC | {"subnet_ids": [A], "ingress": [_inline(100, "allow", "6", 1024, 65535)],
                                      "egress": [_inline(100, "allow", "6", 443, 443)]})),
             replace(BASE, acls=(*swap(BASE.acls, f"acl-{A}", subnets=()), NEW_ACL)),
             {("web6", A): "closes", ("pod", A): "closes", ("corp", A): "closes", ("corp", B): "unknown"}, 3),
    PlanCase("an ACL's inline rule away",
             plan(change("aws_network_acl.a", "update",
                         before=VPC | {"id": f"acl-{A}", "subnet_ids": [A],
                                       "ingress": [_inline(400), _inline(401, cidr="", cidr6="::/0")],
                                       "egress": [_inline(400), _inline(401, cidr="", cidr6="::/0")]},
                         after=VPC | {"id": f"acl-{A}", "subnet_ids": [A],
                                      "ingress": [_inline(400), _inline(401, cidr="", cidr6="::/0")],
                                      "egress": [_inline(400)]})),
             replace(BASE, acls=swap(BASE.acls, f"acl-{A}", entries=tuple(
                 entry for entry in entries() if not (entry.egress and entry.number == 401)))),
             {("web6", A): "closes"}, 3),
    PlanCase("the default ACL adopted without rules",
             plan(change("aws_default_network_acl.default", "create",
                         after={"default_network_acl_id": f"acl-{PUBLIC}", "ingress": [], "egress": [],
                                "subnet_ids": None})),
             replace(BASE, acls=swap(BASE.acls, f"acl-{PUBLIC}", entries=tuple(
                 entry for entry in entries() if entry.number > 32766))), {"web": "closes"}, 3),
    PlanCase("a subnet gets another ACL",
             plan(change("aws_network_acl_association.a", "create", after={"subnet_id": A, "network_acl_id": f"acl-{B}"})),
             replace(BASE, acls=swap(swap(BASE.acls, f"acl-{A}", subnets=()), f"acl-{B}", subnets=(A, B))), {}, 0),
    PlanCase("a group's inline egress rules narrowed",
             plan(change("aws_security_group.cluster", "update",
                         before=VPC | {"id": CLUSTER_SG, "egress": [_sg_rule(cidrs=ANY[:1], cidrs6=ANY[1:])],
                                       "ingress": [_sg_rule(own=True)]},
                         after=VPC | {"id": CLUSTER_SG, "egress": [_sg_rule("tcp", 9443, 9443, cidrs=["10.0.0.0/16"])],
                                      "ingress": [_sg_rule(own=True)]})),
             group(BASE, CLUSTER_SG, egress=(Permission(6, (9443, 9443), ("10.0.0.0/16",)),)),
             {"web": "closes", "web6": "closes", "corp": "closes", "peer": "closes"}, 3),
    PlanCase("a rule of a group away",
             plan(change("aws_security_group_rule.pods", "delete",
                         before={"id": "sgrule-1", "type": "ingress", "security_group_id": POD_SG, "protocol": "tcp",
                                 "from_port": 9443, "to_port": 9443, "cidr_blocks": None, "self": False,
                                 "source_security_group_id": CLUSTER_SG})),
             group(BASE, POD_SG, ingress=()), {"pod": "closes"}, 3),
    PlanCase("a group's egress by rules of their own",
             plan(change("aws_vpc_security_group_egress_rule.https", "create",
                         after={"security_group_id": CLUSTER_SG, "cidr_ipv4": "0.0.0.0/0", "cidr_ipv6": None,
                                "prefix_list_id": None, "referenced_security_group_id": None, "ip_protocol": "tcp",
                                "from_port": 443, "to_port": 443})),
             group(BASE, CLUSTER_SG, egress=(Permission(6, (443, 443), ("0.0.0.0/0",)),)),
             {"web": "opens", "corp": "unknown", "peer": "unknown"}, 4, REQUIRED_SG),
    PlanCase("a rule by a group that is new",
             plan(change("aws_security_group.callers", "create", after=VPC | {"name": "callers"}),
                  change("aws_vpc_security_group_ingress_rule.pods", "delete", "create",
                         before={"id": "sgr-1", "security_group_id": POD_SG, "ip_protocol": "tcp", "from_port": 9443,
                                 "to_port": 9443, "cidr_ipv4": None, "referenced_security_group_id": CLUSTER_SG},
                         after={"security_group_id": POD_SG, "ip_protocol": "tcp", "from_port": 9443, "to_port": 9443,
                                "cidr_ipv4": None},
                         refs={"referenced_security_group_id": ref("aws_security_group.callers.id")})),
             group(replace(BASE, groups=(*BASE.groups, Group("sg-callers", "callers"))), POD_SG,
                   ingress=(Permission(6, (9443, 9443), groups=("sg-callers",)),)), {"pod": "closes"}, 3),
    PlanCase("no egress-only gateway",
             plan(change("aws_egress_only_internet_gateway.out", "delete", before=VPC | {"id": "eigw-1"})),
             routes(replace(BASE, gateways=(Gateway("igw-1", "internet"),)), "rtb-private",
                    Route("::/0", "egress-only", "eigw-1", active=False)), {"web6": "closes"}, 3),
    PlanCase("the internet gateway away", plan(change("aws_internet_gateway.main", "delete",
                                                      before=VPC | {"id": "igw-1"})), BASE, {}, 4,
             refused=("DependencyViolation",)),
    PlanCase("DHCP options with a name server of their own",
             plan(change("aws_vpc_dhcp_options.own", "create",
                         after={"domain_name": "corp.example", "domain_name_servers": ["10.0.3.53"]}),
                  change("aws_vpc_dhcp_options_association.own", "create", after=VPC,
                         refs={"dhcp_options_id": ref("aws_vpc_dhcp_options.own.id")})),
             replace(BASE, dhcp=Dhcp("dopt-2", ("10.0.3.53",), "corp.example")),
             {"name server 10.0.3.53 (udp)": "closes", "name server 10.0.3.53 (tcp)": "closes"}, 3),
    PlanCase("DNS support off",
             plan(change("aws_vpc.main", "update",
                         before={"id": "vpc-1", "cidr_block": "10.0.0.0/16", "enable_dns_support": True},
                         after={"id": "vpc-1", "cidr_block": "10.0.0.0/16", "enable_dns_support": False})),
             replace(BASE, vpc=replace(BASE.vpc, dns_support=False)), {}, 3),
    PlanCase("a gateway endpoint",
             plan(change("aws_vpc_endpoint.s3", "create",
                         after=VPC | {"service_name": "com.amazonaws.eu-west-1.s3", "vpc_endpoint_type": "Gateway",
                                      "route_table_ids": ["rtb-private"], "private_dns_enabled": None})),
             None, {"corp": "unknown", "peer": "unknown"}, 4),
    PlanCase("an EKS endpoint that hides the issuer",
             plan(change("aws_vpc_endpoint.eks", "create",
                         after=VPC | {"service_name": "com.amazonaws.eu-west-1.eks", "vpc_endpoint_type": "Interface",
                                      "subnet_ids": [A, B], "private_dns_enabled": True})),
             replace(BASE, endpoints=(VpcEndpoint("vpce-1", "Interface", "com.amazonaws.eu-west-1.eks",
                                                  private_dns=True),)), {}, 4),
    PlanCase("an attachment loses a subnet",
             plan(change("aws_ec2_transit_gateway_vpc_attachment.main", "update",
                         before=VPC | {"id": "tgw-attach-1", "transit_gateway_id": "tgw-1", "subnet_ids": [A, B],
                                       "ipv6_support": "enable"},
                         after=VPC | {"id": "tgw-attach-1", "transit_gateway_id": "tgw-1", "subnet_ids": [B],
                                      "ipv6_support": "enable"})),
             replace(BASE, attachments=(replace(BASE.attachments[0], subnets=(B,)),)), {("corp", A): "closes"}, 3),
    PlanCase("a route of a transit gateway",
             plan(change("aws_ec2_transit_gateway_route.corp", "delete",
                         before={"id": "x", "destination_cidr_block": "172.16.0.0/12",
                                 "transit_gateway_route_table_id": "tgw-rtb-1"})),
             None, {"corp": "unknown"}, 4),
    PlanCase("a prefix list of a route changes",
             plan(change("aws_ec2_managed_prefix_list.out", "update",
                         before={"id": "pl-1", "name": "out", "entry": [{"cidr": f"{WEB}/32", "description": ""}]},
                         after={"id": "pl-1", "name": "out", "entry": [{"cidr": "198.41.0.0/16", "description": ""}]})),
             replace(routes(NO_WEB, "rtb-private", Route("pl-1", "nat", "nat-1")),
                     prefix_lists=(PrefixList("pl-1", ("198.41.0.0/16",)),)),
             {"web": "closes"}, 3, routes(NO_WEB, "rtb-private", Route("pl-1", "nat", "nat-1"))),
    PlanCase("the cluster moves to a public subnet",
             plan(change("aws_eks_cluster.prod", "update", before=CLUSTER, after=_cluster(subnet_ids=[B, PUBLIC]))),
             replace(BASE, cluster=replace(BASE.cluster, subnets=(B, PUBLIC)), interfaces=BASE.interfaces[1:]),
             {("web", PUBLIC): "closes", ("web6", PUBLIC): "closes", ("corp", PUBLIC): "closes",
              ("peer", PUBLIC): "closes", ("pod", PUBLIC): "opens",
              **{(name, A): "ends" for name in ("web", "web6", "pod", "corp", "peer")}}, 3),
    PlanCase("the cluster gets a group",
             plan(change("aws_security_group.more", "create",
                         after=VPC | {"name": "more", "ingress": [],
                                      "egress": [_sg_rule("tcp", 443, 443, cidrs=["0.0.0.0/0"])]}),
                  change("aws_eks_cluster.prod", "update", before=CLUSTER,
                         after=_cluster() | {"vpc_config": [
                             {key: value for key, value in CLUSTER["vpc_config"][0].items()
                              if key != "security_group_ids"}]},
                         unknown={"vpc_config": [{"security_group_ids": True}]},
                         refs={"vpc_config": [{"security_group_ids": ref("aws_security_group.more.id"),
                                               "subnet_ids": {"constant_value": [A, B]}}]})),
             replace(REQUIRED_SG, groups=(*REQUIRED_SG.groups, MORE_SG),
                     cluster=replace(BASE.cluster, groups=(CLUSTER_SG, "sg-more")),
                     interfaces=tuple(replace(one, groups=(CLUSTER_SG, "sg-more")) if one.id in ("eni-a", "eni-b")
                                      else one for one in BASE.interfaces)),
             {"web": "opens", "corp": "unknown", "peer": "unknown"}, 4, REQUIRED_SG),
    PlanCase("public access blocked",
             plan(change("aws_vpc_block_public_access_options.all", "create",
                         after={"internet_gateway_block_mode": "block-bidirectional"})),
             replace(BASE, public_access=PublicAccess("block-bidirectional")), {"web": "closes", "web6": "closes"}, 3),
    PlanCase("what a plan has besides",
             plan(change("aws_iam_role.x", "create", after={"name": "x"}),
                  change("aws_s3_bucket.x", "create", after={"bucket": "x"}),
                  change("aws_lambda_function.x", "update", before={"vpc_config": [{"subnet_ids": [A]}], "memory": 1},
                         after={"vpc_config": [{"subnet_ids": [A, B]}], "memory": 2}),
                  change("aws_route_table.private", "update", before=_table(*OLD_ROUTES) | {"tags": {"a": "1"}},
                         after=_table(*OLD_ROUTES) | {"tags": {"a": "2"}}),
                  change("aws_route.other", "no-op", before=DEFAULT, after=DEFAULT),
                  change("aws_flow_log.x", "create", after=VPC)), BASE, {}, 0),
    PlanCase("another VPC",
             plan(change("aws_vpc.other", "create", after={"cidr_block": "10.5.0.0/16"}),
                  change("aws_route_table.other", "create", after={}, refs={"vpc_id": ref("aws_vpc.other.id")}),
                  change("aws_route.other", "create", after={"destination_cidr_block": "0.0.0.0/0"},
                         refs={"route_table_id": ref("aws_route_table.other.id")}),
                  change("aws_route.third", "delete", before=DEFAULT | {"route_table_id": "rtb-0third"})),
             BASE, {}, 0),
    PlanCase("a type that is not modelled, on one table",
             plan(change("aws_ec2_carrier_gateway.x", "create", after={"route_table_id": "rtb-private"})),
             None, dict.fromkeys(("web", "web6", "corp", "peer", "pod"), "unknown"), 4),
    PlanCase("a Network Firewall, which no path passes",
             plan(change("aws_networkfirewall_rule_group.x", "update", before={"id": "x", "capacity": 1},
                         after={"id": "x", "capacity": 2})), BASE, {}, 0),
    PlanCase("a target that is known after apply only",
             plan(change("aws_route.default", "update", before=DEFAULT | {"nat_gateway_id": "nat-1"}, after=DEFAULT,
                         refs={"nat_gateway_id": ref("local.nat_id")})),
             None, dict.fromkeys(("web", "web6", "corp", "peer", "pod"), "unknown"), 4),
]  # fmt: skip
