"""Every kind of change on a snapshot: what it makes of the VPC, and what AWS would refuse, with its code."""

import pytest
from msgspec.structs import replace

from egressprobe.audit.changes import association_changes as associations
from egressprobe.audit.changes import network_changes as whole
from egressprobe.audit.changes import resource_changes as resources
from egressprobe.audit.changes.apply import apply, apply_all
from egressprobe.audit.changes.attribute_changes import UpdateClusterSubnets
from egressprobe.audit.changes.change import (
    AclRuleChange,
    AttachGateway,
    Change,
    CreateGateway,
    CreateNat,
    DeleteRoute,
    GroupRule,
    RouteChange,
)
from egressprobe.audit.changes.refusal import UNMODELLED, ChangeRefused, NotInSnapshot
from egressprobe.audit.paths.reachability import walk
from egressprobe.audit.vpc.snapshot import AclEntry, Permission, PrefixList, Route, VpcEndpoint
from egressprobe.audit.vpc.snapshot_dns import Dhcp
from egressprobe.audit.vpc.sources import sources
from egressprobe.audit.vpc.topology import Topology
from tests.support.vpc.snapshots import CLUSTER_SG, CORP, POD, POD_SG, PODS, PUBLIC, WEB, WEB6, A, B, clean, swap

BASE = replace(clean(), acls=swap(clean().acls, f"acl-{PUBLIC}", default=True))
GATEWAY = replace(
    BASE,
    endpoints=(VpcEndpoint("vpce-s3", "Gateway", "com.amazonaws.eu-west-1.s3"),),
    prefix_lists=(PrefixList("pl-s3", (f"{WEB}/32",)),),
)
GATEWAY_ROUTE = resources.ModifyEndpoint("vpce-s3", add_tables=("rtb-private",), prefix_list="pl-s3")
NO_ROUTE = DeleteRoute("rtb-private", "0.0.0.0/0")


def states(snapshot, target, port=443, subnet=A):
    """The states of the paths from every place of one subnet."""
    topology = Topology(snapshot)
    starts, _ = sources(topology, subnet, 6 if ":" in target else 4)
    return {walk(topology, source, target, port).state for source in starts}


def only(snapshot, target, subnet=A, port=443):
    [state] = states(snapshot, target, port, subnet)
    return state


ALLOW = [
    AclRuleChange("acl-NEW", AclEntry(100, egress, True, -1, text))
    for egress, text in ((True, "0.0.0.0/0"), (False, "0.0.0.0/0"))
]
OPEN_TABLE = RouteChange("rtb-NEW", Route("0.0.0.0/0", "nat", "nat-1"))
# Changes, what is reached from subnet-a, and how that ends.
EFFECTS = {
    "a table that no subnet has": ([associations.CreateRouteTable("vpc-1")], WEB, "open"),
    "a subnet on a new table": (
        [associations.CreateRouteTable("vpc-1"), associations.AssociateTable("rtb-NEW", A, replace=True)],
        WEB,
        "closed",
    ),
    "a new table with a route": (
        [associations.CreateRouteTable("vpc-1"), OPEN_TABLE, associations.AssociateTable("rtb-NEW", A, replace=True)],
        WEB,
        "open",
    ),
    "back to the main table": ([associations.DisassociateTable("rtb-private", A)], WEB, "closed"),
    "another main table": (
        [associations.DisassociateTable("rtb-private", A), associations.SetMainTable("rtb-private")],
        WEB,
        "open",
    ),
    "a new ACL denies": ([associations.CreateAcl("vpc-1"), associations.AssociateAcl(A, "acl-NEW")], WEB, "closed"),
    "a new ACL denies IPv6": (
        [associations.CreateAcl("vpc-1"), *ALLOW, associations.AssociateAcl(A, "acl-NEW")],
        WEB6,
        "closed",
    ),
    "a new ACL with rules": (
        [associations.CreateAcl("vpc-1"), *ALLOW, associations.AssociateAcl(A, "acl-NEW")],
        WEB,
        "open",
    ),
    "the rules of an ACL": ([associations.DeleteAclRule(f"acl-{A}", 400, egress=True)], WEB, "closed"),
    "its return traffic": ([associations.DeleteAclRule(f"acl-{A}", 400, egress=False)], WEB, "closed"),
    "the other family": ([associations.DeleteAclRule(f"acl-{A}", 401, egress=True)], WEB, "open"),
    "the default ACL": (
        [associations.DeleteAclRule(f"acl-{PUBLIC}", 400, egress=True), associations.AssociateAcl(A)],
        WEB,
        "closed",
    ),
    "no NAT gateway": ([resources.DeleteNat("nat-1")], WEB, "closed"),
    "another NAT gateway": (
        [
            CreateNat("", "nat-2", PUBLIC, elastic=("eipalloc-2",)),
            RouteChange("rtb-private", Route("0.0.0.0/0", "nat", "nat-2"), replace=True),
            resources.DeleteNat("nat-1"),
        ],
        WEB,
        "open",
    ),
    "a private NAT gateway": (
        [
            CreateNat("", "nat-2", PUBLIC),
            RouteChange("rtb-private", Route("0.0.0.0/0", "nat", "nat-2"), replace=True),
        ],
        WEB,
        "closed",
    ),
    "a regional NAT gateway": (
        [CreateNat("vpc-1"), RouteChange("rtb-private", Route("0.0.0.0/0", "nat", "nat-NEW"), replace=True)],
        WEB,
        "open",
    ),
    "a NAT gateway's own address": ([CreateNat("", "nat-2", PUBLIC, elastic=("eipalloc-2",))], WEB, "open"),
    "no egress-only gateway": ([resources.RemoveGateway("eigw-1", "vpc-1")], WEB6, "closed"),
    "another egress-only gateway": (
        [
            resources.RemoveGateway("eigw-1", "vpc-1"),
            CreateGateway("vpc-1", egress_only=True, id="eigw-2"),
            RouteChange("rtb-private", Route("::/0", "egress-only", "eigw-2"), replace=True),
        ],
        WEB6,
        "open",
    ),
    "no internet gateway": (
        [resources.DeleteNat("nat-1"), resources.RemoveGateway("igw-1", "vpc-1")],
        WEB,
        "closed",
    ),
    "no attachment": ([resources.DeleteAttachment("tgw-1", "tgw-attach-1")], CORP, "closed"),
    "no attachment in the zone": ([resources.ChangeAttachment("tgw-1", "tgw-attach-1", (A,))], CORP, "closed"),
    "no peering": ([resources.DeletePeering("pcx-1")], "10.99.0.5", "closed"),
    "other groups": (
        [
            GroupRule(CLUSTER_SG, True, Permission(-1, blocks=("0.0.0.0/0",)), revoke=True),
            resources.CreateGroup("vpc-1", "sg-more", "more"),
            whole.UpdateClusterGroups("prod", ("sg-more",)),
        ],
        WEB,
        "open",
    ),
    "a group of the target": (
        [resources.CreateGroup("vpc-1", "sg-none"), resources.SetInterfaceGroups("eni-pod", ("sg-none",))],
        POD,
        "closed",
    ),
    "no public access": ([whole.SetPublicAccess("block-bidirectional")], WEB, "closed"),
    "no DNS": ([whole.SetDnsAttribute("vpc-1", support=True, value=False)], "10.0.0.2", "closed"),
    "a route to more CIDRs": ([whole.AssociateVpcCidr("vpc-1", "10.7.0.0/16")], "10.7.0.9", "closed"),
}


@pytest.mark.parametrize("name", EFFECTS)
def test_what_a_change_makes_of_a_path(name):
    changes, target, state = EFFECTS[name]
    port = {POD: 9443, "10.0.0.2": 53}.get(target, 443)
    before, after = only(BASE, target, port=port), only(apply_all(BASE, changes), target, port=port)
    assert after == state
    if state == "closed" and target != "10.7.0.9":
        assert before in ("open", "unknown")


TAKEN = AclRuleChange("acl-1", AclEntry(5, True, True, 6, "0.0.0.0/0"))
REFUSED = {
    "the main table": (associations.DeleteRouteTable("rtb-main"), "DependencyViolation"),
    "a table in use": (associations.DeleteRouteTable("rtb-private"), "DependencyViolation"),
    "a second table": (associations.AssociateTable("rtb-public", A), "Resource.AlreadyAssociated"),
    "no table to replace": (
        associations.AssociateTable("rtb-public", "igw-1", replace=True),
        "InvalidAssociationID.NotFound",
    ),
    "a member that is none": (associations.AssociateTable("rtb-public", "subnet-x"), "InvalidSubnetID.NotFound"),
    "an association that is none": (
        associations.DisassociateTable("rtb-public", A),
        "InvalidAssociationID.NotFound",
    ),
    "an ACL in use": (associations.DeleteAcl(f"acl-{A}"), "DependencyViolation"),
    "the default ACL": (associations.DeleteAcl(f"acl-{PUBLIC}"), "Client.CannotDelete"),
    "a rule that is none": (
        associations.DeleteAclRule(f"acl-{A}", 7, egress=True),
        "InvalidNetworkAclEntry.NotFound",
    ),
    "the last rule": (
        associations.DeleteAclRule(f"acl-{A}", 32767, egress=True),
        "InvalidNetworkAclEntry.NotFound",
    ),
    "public addresses in use": (resources.RemoveGateway("igw-1", "vpc-1"), "DependencyViolation"),
    "a second internet gateway": (AttachGateway("igw-2", "vpc-1"), "Resource.AlreadyAssociated"),
    "the last subnet of an attachment": (
        resources.ChangeAttachment("tgw-1", "tgw-attach-1", (A, B)),
        "InvalidParameterValue",
    ),
    "a group in use": (resources.DeleteGroup(POD_SG), "DependencyViolation"),
    "a group that a rule names": (resources.DeleteGroup(CLUSTER_SG), "DependencyViolation"),
    "a group's name": (resources.CreateGroup("vpc-1", "sg-2", "pods"), "InvalidGroup.Duplicate"),
    "a subnet in use": (whole.DeleteSubnet(PODS), "DependencyViolation"),
    "a subnet outside of the VPC": (
        whole.CreateSubnet("vpc-1", "subnet-x", "eu-west-1a", ("10.9.0.0/24",)),
        "InvalidSubnet.Range",
    ),
    "a subnet that overlaps": (
        whole.CreateSubnet("vpc-1", "subnet-x", "eu-west-1a", ("10.0.1.128/25",)),
        "InvalidSubnet.Conflict",
    ),
    "a CIDR that overlaps": (whole.AssociateVpcCidr("vpc-1", "10.0.0.0/8"), "InvalidVpc.Range"),
    "the mode back": (whole.SetEgressMode("prod", "AWS_MANAGED"), "InvalidParameterException"),
    "a group of another VPC": (whole.UpdateClusterGroups("prod", ("sg-x",)), "InvalidParameterException"),
    "too many groups": (
        whole.UpdateClusterGroups("prod", tuple(f"sg-{i}" for i in range(5))),
        "InvalidParameterException",
    ),
    "subnets of one zone": (UpdateClusterSubnets("prod", (A, PODS)), "InvalidParameterException"),
    "an address of another subnet": (
        CreateNat("", subnet=PUBLIC, address="10.0.1.9"),
        "InvalidParameterValue",
    ),
    "a route to what is elsewhere": (
        RouteChange("rtb-public", Route("10.77.0.0/16", "nat", "nat-x")),
        "NatGatewayNotFound",
    ),
    "private DNS twice": (
        resources.CreateEndpoint("vpc-1", "vpce-2", "Interface", "com.amazonaws.eu-west-1.eks", private_dns=True),
        "InvalidParameter",
    ),
    "a gateway endpoint's route twice": (GATEWAY_ROUTE, "RouteAlreadyExists"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_aws_refuses(name):
    change, code = REFUSED[name]
    snapshot = replace(
        apply(GATEWAY_ROUTE, GATEWAY),
        endpoints=(
            *GATEWAY.endpoints,
            VpcEndpoint("vpce-1", "Interface", "com.amazonaws.eu-west-1.eks", private_dns=True),
        ),
    )
    with pytest.raises(ChangeRefused) as refused:
        apply(change, snapshot)
    assert refused.value.code == code
    assert not isinstance(refused.value, NotInSnapshot)


ELSEWHERE = (
    associations.CreateRouteTable("vpc-2"),
    associations.DeleteRouteTable("rtb-x"),
    associations.CreateAcl("vpc-2"),
    DeleteRoute("rtb-x", "0.0.0.0/0"),
    resources.DeleteNat("nat-x"),
    resources.RemoveGateway("igw-x", "vpc-2"),
    resources.CreateEndpoint("vpc-2", "vpce-x", "Interface", "s"),
    resources.CreatePeering("vpc-2", "vpc-3", "pcx-x"),
    resources.CreateGroup("vpc-2", "sg-x"),
    AttachGateway("igw-x", "vpc-2"),
    CreateGateway("vpc-2", egress_only=True),
    whole.AssociateDhcp("vpc-2", Dhcp("dopt-x")),
    whole.SetEgressMode("other", "CUSTOMER_ROUTED"),
    UpdateClusterSubnets("other", (A, B)),
)


@pytest.mark.parametrize("change", ELSEWHERE, ids=lambda change: type(change).__name__)
def test_what_is_in_another_vpc_is_told_from_what_is_refused(change):
    """A plan of a whole account changes other VPCs too."""
    with pytest.raises(NotInSnapshot):
        apply(change, BASE)


def test_what_could_not_be_read_is_neither():
    with pytest.raises(ChangeRefused) as refused:
        apply(NO_ROUTE, replace(BASE, route_tables=None))
    assert refused.value.code == UNMODELLED
    assert not isinstance(refused.value, NotInSnapshot)


def test_a_gateway_endpoint_comes_and_goes_with_its_routes():
    dead = apply(NO_ROUTE, GATEWAY)
    assert only(dead, WEB) == "closed"
    through = apply(GATEWAY_ROUTE, dead)
    assert only(through, WEB) == "open"
    assert only(apply(resources.ModifyEndpoint("vpce-s3", remove_tables=("rtb-private",)), through), WEB) == "closed"
    assert only(apply(resources.DeleteEndpoint("vpce-s3"), through), WEB) == "closed"


def test_a_new_subnet_has_the_main_table_and_the_default_acl():
    added = apply(whole.CreateSubnet("vpc-1", "subnet-c", "eu-west-1a", ("10.0.4.0/24",)), BASE)
    topology = Topology(added)
    assert topology.table_of("subnet-c").id == "rtb-main"
    assert topology.acls["subnet-c"].id == f"acl-{PUBLIC}"
    gone = apply(whole.DeleteSubnet("subnet-c"), added)
    assert gone == replace(BASE, acls=gone.acls)


def test_every_kind_can_be_applied():
    """Each has a row in the table of apply.py."""
    from egressprobe.audit.changes.apply import _APPLY

    assert set(_APPLY) == set(Change.__subclasses__())
