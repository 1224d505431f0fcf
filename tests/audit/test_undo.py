"""Undo: the printed commands, carried out after the fix, give back the VPC that was there; of every kind of change."""

import importlib
import json
import pkgutil
import random

import pytest
from msgspec.structs import replace

from egressprobe.audit import fixes
from egressprobe.audit.changes import association_changes as associations
from egressprobe.audit.changes import attribute_changes as attributes
from egressprobe.audit.changes import change as network
from egressprobe.audit.changes import resource_changes as resources
from egressprobe.audit.changes.apply import apply, apply_all
from egressprobe.audit.changes.change import Change
from egressprobe.audit.remedies.undo import same, undo
from egressprobe.audit.run import audit
from egressprobe.audit.vpc.snapshot import (
    AclEntry,
    Encryption,
    Exclusion,
    Peering,
    Permission,
    PublicAccess,
    Route,
    VpcEndpoint,
    to_json,
)
from egressprobe.cli.output.audit_table import audit_table
from egressprobe.cli.output.formats import to_yaml
from tests.audit.test_commands import NAMES, PLAN
from tests.audit.test_fixes import CASES, IPV4, POD_TARGET, TARGETS, WEB_TARGET, _faults
from tests.support.vpc.execute import execute
from tests.support.vpc.snapshots import (
    CLUSTER_SG,
    POD_SG,
    PODS,
    PUBLIC,
    WEB,
    A,
    B,
    acl,
    clean,
    gone,
    group,
    routes,
    swap,
)


def normal(snapshot, *, blackholes):
    """As JSON in which the order of lists does not count. blackholes: whether routes to nothing count."""
    known = {item.id for item in (*snapshot.nats, *snapshot.gateways, *snapshot.peerings, *snapshot.endpoints)}
    known |= {item.gateway for item in snapshot.attachments} | {item.id for item in snapshot.interfaces} | {"local"}

    def ordered(value):
        if isinstance(value, dict):
            # EC2 marks a route to nothing by itself.
            if "gate" in value:
                value = value | {"active": value.get("active", True) and value["to"] in known}
            if value.get("gate") and not value["active"] and not blackholes:
                return None
            return {key: ordered(item) for key, item in value.items() if item not in ([], {})}
        if isinstance(value, list):
            return sorted((ordered(item) for item in value), key=repr)
        return value

    def without(value):
        if isinstance(value, list):
            return [without(item) for item in value if item is not None]
        return {key: without(item) for key, item in value.items()} if isinstance(value, dict) else value

    return without(ordered(json.loads(to_json(snapshot))))


def undone(snapshot, targets):
    """Carries out all fixes of a report and then, from the last finding to the first, what takes them back."""
    found = [one for one in audit(snapshot, targets).findings if one.remedy_steps]
    fixed = execute(snapshot, [line for one in found for line in one.remedy_steps.fix if line.startswith("aws ec2")])
    lines = [line for one in reversed(found) for line in one.remedy_steps.undo if line.startswith("aws ec2")]
    words = "Undo: " in "".join(one.remedy for one in found)
    if "AWS would refuse to take igw" in "".join(one.remedy for one in found):  # NAT gateways use it now
        assert any("attach-internet-gateway" in line for one in found for line in one.remedy_steps.fix)
        return lines
    assert normal(execute(fixed, lines), blackholes=not words) == normal(snapshot, blackholes=not words)
    return lines


@pytest.mark.parametrize("name", [name for name, _ in CASES])
def test_the_printed_undo_gives_the_vpc_back(name):
    snapshot = dict(CASES)[name]
    undone(replace(snapshot, names=NAMES | snapshot.names), PLAN.targets)


def test_of_random_faults():
    lines = 0
    for seed in range(40):
        rng, snapshot = random.Random(f"undo {seed}"), clean()
        for fault in rng.sample(_faults(rng), rng.choice([1, 2, 3])):
            snapshot = fault(snapshot)
        lines += len(undone(snapshot, TARGETS))
    assert lines > 40


BLOCKED = replace(clean(), public_access=PublicAccess("block-bidirectional", (Exclusion(A, "allow-egress"),)))
ENFORCED = replace(clean(), encryption=(Encryption("vpcec-1", "enforce", ("InternetGateway",)),))
WITH_ENDPOINT = replace(clean(), endpoints=(VpcEndpoint("vpce-1", "Interface", "com.amazonaws.eks", private_dns=True),))
BARE_SUBNET = replace(clean(), subnets=swap(clean().subnets, A, blocks=("10.0.1.0/24",)))
NO_GATEWAY = replace(clean(), gateways=clean().gateways[1:])
UNASSOCIATED = replace(clean(), route_tables=swap(clean().route_tables, "rtb-private", subnets=(B, PODS)))
_HTTPS = Permission(6, (443, 443), blocks=("192.0.2.0/24", "198.51.100.0/24"))
EVERY = [
    (network.GroupRule(CLUSTER_SG, egress=True, permission=_HTTPS), clean()),
    (network.GroupRule(POD_SG, egress=False, permission=Permission(6, (1, 2), groups=(CLUSTER_SG,))), clean()),
    (
        network.GroupRule(CLUSTER_SG, egress=True, permission=replace(_HTTPS, blocks=("192.0.2.0/24",)), revoke=True),
        group(clean(), CLUSTER_SG, egress=(_HTTPS, Permission(-1, blocks=("10.0.0.0/8",)))),
    ),
    (network.AclRuleChange("acl-subnet-a", AclEntry(9, True, True, 6, "0.0.0.0/0", (443, 443))), clean()),
    (network.AclRuleChange("acl-subnet-a", AclEntry(400, False, False, -1, "::/0"), replace=True), clean()),
    (network.RouteChange("rtb-private", Route("192.0.2.0/24", "nat", "nat-1")), clean()),
    (network.RouteChange("rtb-private", Route("0.0.0.0/0", "internet", "igw-1"), replace=True), clean()),
    (
        network.RouteChange("rtb-private", Route("192.0.2.0/24", "nat", "nat-1")),
        routes(clean(), "rtb-private", Route("192.0.2.0/24", "vpn", "vgw-1", propagated=True)),
    ),
    (network.DeleteRoute("rtb-private", "10.99.0.0/16"), clean()),
    (network.CreateNat("vpc-1"), clean()),
    (associations.CreateRouteTable("vpc-1"), clean()),
    (associations.AssociateTable("rtb-public", A, replace=True), clean()),
    (associations.AssociateTable("rtb-public", A), UNASSOCIATED),
    (network.CreateGateway("vpc-1"), clean()),
    (network.CreateGateway("vpc-1", egress_only=True), clean()),
    (network.AttachGateway("igw-1", "vpc-1"), replace(NO_GATEWAY, nats=())),
    (network.AttachTransitGateway("tgw-2", "vpc-1", PODS), clean()),
    (network.AttachTransitGateway("tgw-1", "vpc-1", B, "tgw-attach-1"), None),
    (attributes.SetSourceCheck("eni-box", on=False), clean()),
    (attributes.ExcludeFromPublicAccessBlock(PUBLIC), BLOCKED),
    (attributes.ExcludeFromEncryption("vpcec-1", "NatGateway"), ENFORCED),
    (attributes.ExcludeFromEncryption("vpcec-1", "InternetGateway", revoke=True), ENFORCED),
    (attributes.AssociateIpv6("vpc-1", A, "2001:db9:0:1fe::/64"), BARE_SUBNET),
    (attributes.UpdateClusterSubnets("prod", (PODS, B)), clean()),
    (resources.ModifyEndpoint("vpce-1", private_dns=False), WITH_ENDPOINT),
]
_ONE_ZONE = replace(clean(), attachments=swap(clean().attachments, "tgw-attach-1", subnets=(A,)))


@pytest.mark.parametrize(
    ("change", "before"), EVERY, ids=lambda value: value.words if isinstance(value, Change) else ""
)
def test_each_kind_of_change_is_taken_back_exactly(change, before):
    before = before or _ONE_ZONE
    inverse = undo([change], before)
    assert inverse.changes
    assert not inverse.words
    after = apply(change, before)
    assert isinstance(change, network.CreateGateway) or not same(after, before), "it changes something"
    assert same(apply_all(after, inverse.changes), before)


def test_every_kind_of_change_that_a_fix_makes_is_above():
    """The modules that make candidates import the kinds that they make."""
    made = {
        kind
        for info in pkgutil.iter_modules(fixes.__path__)
        for kind in vars(importlib.import_module(f"{fixes.__name__}.{info.name}")).values()
        if isinstance(kind, type) and issubclass(kind, Change) and kind is not Change
    }
    assert len(made) > 12
    assert made <= {type(change) for change, _ in EVERY} | {attributes.AcceptPeering}


def test_several_are_taken_back_in_reverse_order():
    bare = replace(routes(clean(), "rtb-private", gone("0.0.0.0/0")), gateways=(), nats=())
    changes = [
        network.CreateGateway("vpc-1"),
        network.AttachGateway(network.NEW_INTERNET_GATEWAY, "vpc-1"),
        network.CreateNat("vpc-1"),
        network.RouteChange("rtb-private", Route("0.0.0.0/0", "nat", network.NEW_NAT)),
    ]
    inverse = undo(changes, bare)
    assert [text.split()[2] for text in network.commands(inverse.changes)] == [
        "delete-route",
        "delete-nat-gateway",
        "detach-internet-gateway",
        "delete-internet-gateway",
    ]
    assert not inverse.words
    assert same(apply_all(apply_all(bare, changes), inverse.changes), bare)


def test_what_aws_does_not_restore_is_said():
    """A route to a NAT gateway that is gone; a peering connection that was accepted; a gateway that is in use."""
    attached = undo([network.AttachGateway("igw-1", "vpc-1")], NO_GATEWAY)
    assert not attached.changes
    assert attached.words.startswith("AWS would refuse to take igw-1 from vpc-1 (DependencyViolation")
    dead = routes(clean(), "rtb-private", Route("0.0.0.0/0", "nat", "nat-old", active=False))
    change = network.RouteChange("rtb-private", Route("0.0.0.0/0", "nat", "nat-1"), replace=True)
    inverse = undo([change], dead)
    assert inverse.changes == (network.DeleteRoute("rtb-private", "0.0.0.0/0"),)
    assert "led to something that does not exist" in inverse.words
    pending = replace(clean(), peerings=(Peering("pcx-1", "pending-acceptance", "vpc-peer"),))
    inverse = undo([attributes.AcceptPeering("pcx-1")], pending)
    assert inverse == ((), "no command takes back to accept the peering connection pcx-1")
    [finding] = [
        one for one in audit(replace(dead, cluster=IPV4.cluster), WEB_TARGET).findings if one.severity == "error"
    ]
    assert "Undo: the former route for 0.0.0.0/0 of rtb-private led to something" in finding.remedy


# -- the steps as data ---------------------------------------------------------------------------------------------


def _steps(snapshot, targets=WEB_TARGET):
    [finding] = [one for one in audit(snapshot, targets).findings if one.severity == "error"]
    return finding, finding.remedy_steps


def test_a_proven_fix_as_data():
    finding, steps = _steps(routes(IPV4, "rtb-private", gone("0.0.0.0/0")))
    assert steps.fix == (
        "aws ec2 create-route --route-table-id rtb-private --destination-cidr-block 0.0.0.0/0 --nat-gateway-id nat-1",
    )
    assert steps.undo == ("aws ec2 delete-route --route-table-id rtb-private --destination-cidr-block 0.0.0.0/0",)
    assert all(text.split()[2].startswith("describe-") for text in steps.check)
    assert steps.check[0].endswith("Name=association.subnet-id,Values=subnet-a")
    assert [(item.id, item.used_by) for item in steps.touches] == [("rtb-private", (A, B, PODS))]
    assert steps.proven
    assert steps.proven_by.startswith("applied to the snapshot of 2026-11-22T03:00:00+00:00: every path that it is for")
    assert steps.placeholders == ()
    assert steps.notes == tuple(line for line in finding.remedy.split("\n") if not line.startswith("aws "))


def test_what_aws_names_is_a_placeholder_that_is_listed_once():
    no_nat = replace(routes(IPV4, "rtb-private", gone("0.0.0.0/0")), nats=())
    _, steps = _steps(no_nat)
    assert steps.fix[-1].endswith("--nat-gateway-id <NEW_NAT>")
    assert steps.undo[-1] == "aws ec2 delete-nat-gateway --nat-gateway-id <NEW_NAT>"
    assert steps.placeholders == ("<NEW_NAT>",)


def test_a_finding_without_a_proven_fix_says_so():
    finding, steps = _steps(
        routes(IPV4, "rtb-private", gone("0.0.0.0/0"), gone("172.16.0.0/12")),
        [replace(WEB_TARGET[0], url="https://172.16.5.5/", host="172.16.5.5")],
    )
    assert "No command is printed" in finding.remedy
    assert (steps.fix, steps.undo, steps.touches, steps.proven, steps.proven_by) == ((), (), (), False, "")
    assert steps.check
    assert steps.notes


def test_commands_that_are_not_proven_have_an_undo_too():
    """An attribute of the VPC; name servers, whose former options set is known."""
    off = replace(IPV4, vpc=replace(IPV4.vpc, dns_support=False), dhcp=replace(IPV4.dhcp, servers=()))
    by_code = {one.code: one.remedy_steps for one in audit(off, POD_TARGET).findings}
    support, dhcp = by_code["VPC_DNS_SUPPORT_OFF"], by_code["DHCP_WITHOUT_AMAZON_DNS"]
    assert support.undo == ("aws ec2 modify-vpc-attribute --vpc-id vpc-1 --enable-dns-support '{\"Value\":false}'",)
    assert not support.proven
    assert dhcp.undo[0] == "aws ec2 associate-dhcp-options --dhcp-options-id dopt-1 --vpc-id vpc-1"
    assert dhcp.placeholders == ("<NEW_DHCP_OPTIONS>",)


def test_a_command_that_an_earlier_finding_has_is_undone_with_that_one():
    deny = AclEntry(10, True, False, 6, "0.0.0.0/0", (443, 443))
    found = audit(acl(acl(IPV4, A, deny), B, deny), WEB_TARGET).findings
    fixes = [line for one in found for line in one.remedy_steps.fix]
    undos = [line for one in found for line in one.remedy_steps.undo]
    assert len(fixes) == len(set(fixes)) == len(undos) == len(set(undos)) == 2
    assert WEB


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_table_shows_everything_and_breaks_no_command(width):
    """Check, fix, what to replace, undo, users and proof; each command in one line whatever the terminal."""
    found = audit(replace(routes(IPV4, "rtb-private", gone("0.0.0.0/0")), nats=()), WEB_TARGET)
    lines = audit_table(found, width=width).split("\n")
    [steps] = [one.remedy_steps for one in found.findings]
    shown = [line[14:] for line in lines]
    assert [text for text in shown if text in steps.fix] == list(steps.fix)
    assert [text for text in shown if text in steps.undo] == list(steps.undo)
    assert set(steps.check) & set(shown)
    begin = next(i for i, line in enumerate(lines) if line.startswith("ERROR "))  # the matrix before it may be folded
    labels = [line[4:13].strip() for line in lines[begin:] if line.startswith("    ") and line[4:13].strip()]
    assert [label for label in labels if label != "affects"] == [
        *("cause", "check", "fix", "replace", "undo", "touches", "proven")
    ]
    assert sum("<NEW_NAT>" in line and "aws " not in line for line in lines) == 1


def test_yaml_breaks_no_command_either():
    found = audit(replace(routes(IPV4, "rtb-private", gone("0.0.0.0/0")), nats=()), WEB_TARGET)
    [steps] = [one.remedy_steps for one in found.findings]
    assert all(f"- {line}\n" in to_yaml(found) for line in (*steps.fix, *steps.undo))
