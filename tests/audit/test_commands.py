"""Every command that a finding prints is one that the AWS CLI takes: parsed by its own parser, checked by its own
validator, called by nobody.
"""

import json
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest
from msgspec.structs import replace

from egressprobe.audit.changes import association_changes as associations
from egressprobe.audit.changes import network_changes as whole
from egressprobe.audit.changes import resource_changes as resources
from egressprobe.audit.changes.attribute_changes import (
    EXCLUSIONS,
    AcceptPeering,
    AssociateIpv6,
    DeletePublicAccessExclusion,
    DisassociateIpv6,
    ExcludeFromEncryption,
    ExcludeFromPublicAccessBlock,
    SetSourceCheck,
    UpdateClusterSubnets,
)
from egressprobe.audit.changes.change import (
    AclRuleChange,
    AttachGateway,
    AttachTransitGateway,
    Change,
    CreateGateway,
    CreateNat,
    DeleteRoute,
    GroupRule,
    RouteChange,
)
from egressprobe.audit.fixes.candidates import MAKERS
from egressprobe.audit.run import audit
from egressprobe.audit.vpc.snapshot import AclEntry, Attachment, Encryption, Nat, Peering, Permission, Route, Subnet
from egressprobe.audit.vpc.snapshot_dns import Dhcp, ResolverRule, Zone
from egressprobe.catalog import findings_vpc_config, findings_vpc_path
from egressprobe.catalog.entry import FindingEntry
from egressprobe.targets.plan import read_plan
from tests.support.vpc.broken import BASE, BROKEN, TARGETS, ZONE
from tests.support.vpc.snapshots import CLUSTER_SG, POD_SG, PODS, A, acl, gone, group, routes, swap

ROOT = Path(__file__).parents[2]
AWS = ROOT / ".tools" / "stack" / "awscli" / "bin" / "python"
RAW = [{"kind": "webhook", "name": name} | more for name, more in TARGETS.items()]
PLAN = read_plan({"targets": RAW})
NAMES = {name: (*one.a, *one.aaaa) for name, one in ZONE.items()}
_BARE = replace(BASE, nats=(), gateways=(), attachments=(), peerings=())
# What the grid cannot build, or builds in one way only.
MORE = {
    "no NAT anywhere": replace(routes(BASE, "rtb-private", gone("0.0.0.0/0")), nats=()),
    "nothing anywhere": routes(_BARE, "rtb-private", gone("0.0.0.0/0"), gone("::/0")),
    "no internet gateway": routes(replace(BASE, gateways=BASE.gateways[1:]), "rtb-public", gone("0.0.0.0/0")),
    "a detached internet gateway": replace(BASE, gateways=BASE.gateways[1:]),
    "no attachment at all": replace(BASE, attachments=()),
    "one zone of two": replace(BASE, attachments=(Attachment("tgw-attach-1", "tgw-1", subnets=(PODS,)),)),
    "a black hole of IPv6": routes(BASE, "rtb-private", Route("::/0", "egress-only", "eigw-old", active=False)),
    "a black hole of a list": routes(BASE, "rtb-private", Route("172.16.0.0/12", "transit", "tgw-old", active=False)),
    "an expired peer": replace(BASE, peerings=(Peering("pcx-1", "expired", "vpc-peer", ("10.99.0.0/16",)),)),
    "a rule number that is taken": acl(BASE, A, AclEntry(1, True, False, 6, "0.0.0.0/0", (443, 443))),
    "IPv6 denied": acl(BASE, A, AclEntry(10, False, False, 6, "::/0", (1024, 65535))),
    "through a NAT to a private group": group(
        routes(BASE, "rtb-private", Route("10.0.3.0/24", "nat", "nat-1")),
        POD_SG,
        ingress=(Permission(6, (443, 443), ("10.0.0.0/8",)),),
    ),
    "a subnet without IPv6": replace(
        BASE, subnets=swap(BASE.subnets, A, blocks=("10.0.1.0/24",), free=3), interfaces=BASE.interfaces[1:]
    ),
    "a VPC without IPv6": replace(
        BASE,
        vpc=replace(BASE.vpc, blocks=("10.0.0.0/16",), dns_hostnames=False),
        subnets=tuple(replace(one, blocks=one.blocks[:1]) for one in BASE.subnets),
        interfaces=(),
    ),
    "no way out of IPv6": replace(BASE, encryption=(Encryption("vpcec-1", "enforce"),)),
    "no name servers": replace(BASE, dhcp=replace(BASE.dhcp, servers=())),
    "the role cannot follow": replace(
        BASE, dhcp=replace(BASE.dhcp, servers=("10.0.3.53",)), cluster=replace(BASE.cluster, reads_dhcp=False)
    ),
    "a rule above the zone": replace(
        BASE,
        zones=(Zone("Z1", "example."),),
        resolver_rules=(ResolverRule("rslvr-rr-1", "web.example.", "FORWARD", targets=("172.16.5.5:53",)),),
    ),
    "NAT64 without a route": replace(
        BASE, names={"web.example": ("64:ff9b::5db8:d822",), "web6.example": ("2606:2800:220:1::10",)}
    ),
    "an empty group": group(BASE, CLUSTER_SG, egress=()),
    "NAT in a private subnet": replace(BASE, nats=(Nat("nat-1", "available", PODS, addresses=("10.0.3.200",)),)),
    "a subnet more": replace(BASE, subnets=(*BASE.subnets, Subnet("subnet-c", "eu-west-1c", "", ("10.0.4.0/24",), 7))),
    "public": routes(BASE, "rtb-public", gone("0.0.0.0/0")),
}


@cache
def printed(*fields):
    """Code -> command lines of these fields, of every broken VPC that we know."""
    lines = {}
    snapshots = [case.snapshot for case in BROKEN] + list(MORE.values())
    for snapshot in snapshots:
        for finding in audit(replace(snapshot, names=NAMES | snapshot.names), PLAN.targets).findings:
            steps = finding.remedy_steps
            commands = [line for field in fields for line in getattr(steps, field) if line.startswith("aws ")]
            lines.setdefault(finding.code, set()).update(commands)
    return lines


CHANGES = (
    *(
        GroupRule("sg-1", egress, rule, revoke)
        for egress in (True, False)
        for revoke in (True, False)
        for rule in (
            Permission(6, (443, 443), blocks=("0.0.0.0/0",)),
            Permission(17, (53, 53), blocks=("2001:db8::/32",)),
            Permission(6, (1, 9), groups=("sg-2",)),
            Permission(-1, prefix_lists=("pl-1",)),
        )
    ),
    AclRuleChange("acl-1", AclEntry(5, True, True, 6, "10.0.0.0/8", (443, 443))),
    AclRuleChange("acl-1", AclEntry(5, False, False, -1, "::/0"), replace=True),
    *(
        RouteChange("rtb-1", Route(to, gate, f"{gate}-1"), replaced)
        for replaced in (True, False)
        for to in ("0.0.0.0/0", "64:ff9b::/96", "pl-1")
        for gate in ("internet", "egress-only", "nat", "transit", "vpn", "peering", "endpoint", "interface")
    ),
    *(DeleteRoute("rtb-1", to) for to in ("0.0.0.0/0", "::/0", "pl-1")),
    CreateNat("vpc-1"),
    CreateGateway("vpc-1"),
    CreateGateway("vpc-1", egress_only=True),
    AttachGateway("igw-1", "vpc-1"),
    AttachTransitGateway("tgw-1", "vpc-1", "subnet-1"),
    AttachTransitGateway("tgw-1", "vpc-1", "subnet-1", "tgw-attach-1"),
    AcceptPeering("pcx-1"),
    SetSourceCheck("eni-1", on=False),
    SetSourceCheck("eni-1", on=True),
    ExcludeFromEncryption("vpcec-1", "NatGateway", revoke=True),
    RouteChange("rtb-1", Route("10.0.0.0/16", "local", "local"), replace=True),
    DeletePublicAccessExclusion("vpc-1"),
    DisassociateIpv6("subnet-1", "2001:db8::/64"),
    ExcludeFromPublicAccessBlock("vpc-1"),
    ExcludeFromPublicAccessBlock("subnet-1"),
    *(ExcludeFromEncryption("vpcec-1", resource) for resource in EXCLUSIONS),
    AssociateIpv6("vpc-1"),
    AssociateIpv6("vpc-1", "subnet-1", "2001:db8::/64"),
    UpdateClusterSubnets("prod", ("subnet-1", "subnet-2")),
    CreateNat("", subnet="subnet-1", elastic=("eipalloc-1",)),
    CreateNat("", subnet="subnet-1", address="10.0.0.9"),
    AttachGateway("vgw-1", "vpc-1", vpn=True),
    associations.CreateRouteTable("vpc-1"),
    associations.DeleteRouteTable("rtb-1"),
    associations.AssociateTable("rtb-1", "subnet-1"),
    associations.AssociateTable("rtb-1", "igw-1"),
    associations.AssociateTable("rtb-1", "subnet-1", replace=True),
    associations.DisassociateTable("rtb-1", "subnet-1"),
    associations.SetMainTable("rtb-1"),
    associations.DisablePropagation("rtb-1", "vgw-1"),
    associations.CreateAcl("vpc-1"),
    associations.DeleteAcl("acl-1"),
    associations.DeleteAclRule("acl-1", 5, egress=True),
    associations.DeleteAclRule("acl-1", 5, egress=False),
    associations.AssociateAcl("subnet-1", "acl-1"),
    associations.AssociateAcl("subnet-1"),
    resources.DeleteNat("nat-1"),
    *(resources.RemoveGateway(name, "vpc-1") for name in ("igw-1", "eigw-1", "vgw-1")),
    resources.ChangeAttachment("tgw-1", "tgw-attach-1", ("subnet-1",)),
    resources.ChangeAttachment("tgw-1", "tgw-attach-1", ipv6=False),
    resources.DeleteAttachment("tgw-1", "tgw-attach-1"),
    resources.CreateEndpoint("vpc-1", "vpce-1", "Gateway", "com.amazonaws.eu-west-1.s3", tables=("rtb-1", "rtb-2")),
    resources.CreateEndpoint(
        "vpc-1", "vpce-1", "Interface", "com.amazonaws.eu-west-1.sts", subnets=("subnet-1",), private_dns=True
    ),
    resources.ModifyEndpoint("vpce-1", add_tables=("rtb-1",), remove_tables=("rtb-2",)),
    resources.ModifyEndpoint("vpce-1", add_subnets=("subnet-1",), remove_subnets=("subnet-2",), private_dns=True),
    resources.DeleteEndpoint("vpce-1"),
    resources.CreatePeering("vpc-1", "vpc-2", "pcx-1"),
    resources.DeletePeering("pcx-1"),
    resources.CreateGroup("vpc-1", "sg-1", "name"),
    resources.DeleteGroup("sg-1"),
    resources.SetInterfaceGroups("eni-1", ("sg-1", "sg-2")),
    resources.ChangePrefixList("pl-1", (), ("10.0.0.0/8",), ("10.1.0.0/16",)),
    whole.CreateSubnet("vpc-1", "subnet-1", "eu-west-1a", ("10.0.0.0/24", "2001:db8::/64")),
    whole.DeleteSubnet("subnet-1"),
    whole.DeleteInternetGateway("igw-1"),
    whole.AssociateVpcCidr("vpc-1", "10.9.0.0/16"),
    whole.AssociateVpcCidr("vpc-1", "2001:db8::/56"),
    whole.AssociateDhcp("vpc-1", Dhcp("dopt-1")),
    *(whole.SetDnsAttribute("vpc-1", support, value) for support in (True, False) for value in (True, False)),
    whole.SetDns64("subnet-1", value=True),
    whole.SetDns64("subnet-1", value=False),
    whole.SetPublicAccess("block-ingress"),
    whole.UpdateClusterGroups("prod", ("sg-1", "sg-2")),
    whole.UpdateClusterNetworks("prod", ("10.80.0.0/16",), ("10.90.0.0/16",)),
    whole.SetEgressMode("prod", "CUSTOMER_ROUTED"),
    whole.TransitRouteChange("tgw-rtb-1", "10.0.0.0/8", "tgw-attach-1"),
    whole.TransitRouteChange("tgw-rtb-1", "10.0.0.0/8", replace=True),
    whole.DeleteTransitRoute("tgw-rtb-1", "10.0.0.0/8"),
    whole.AssociateTransitTable("tgw-rtb-1", "tgw-attach-1"),
    whole.AssociateTransitTable("tgw-rtb-1", "tgw-attach-1", end=True),
)


def parsed(lines):
    done = subprocess.run(
        [str(AWS), "tests/support/aws/awscommands.py"],
        input="\n".join(lines) + "\n",
        text=True,
        check=True,
        capture_output=True,
        cwd=ROOT,
    )
    return dict(zip(lines, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.awscli
def test_the_aws_cli_accepts_every_command_that_a_finding_prints():
    lines = sorted({line for lines in printed("check", "fix", "undo").values() for line in lines})
    assert len(lines) > 120
    wrong = {line: said["said"] for line, said in parsed(lines).items() if not said["calls"]}
    assert not wrong


@pytest.mark.awscli
def test_the_aws_cli_accepts_the_command_of_every_kind_of_change():
    """Also of those whose effect lies beyond the account, so that no finding prints them."""
    assert {type(change) for change in CHANGES} == set(Change.__subclasses__())
    assert all(change.words and change.touches for change in CHANGES)
    lines = sorted({change.command for change in CHANGES})
    wrong = {line: said["said"] for line, said in parsed(lines).items() if not said["calls"]}
    assert not wrong


@pytest.mark.awscli
def test_the_aws_cli_takes_what_the_catalogue_tells_to_confirm():
    """Their ids are words in capitals; the commands are whole all the same."""
    lines = [
        part.strip()
        for module in (findings_vpc_path, findings_vpc_config)
        for entry in vars(module).values()
        if isinstance(entry, FindingEntry)
        for part in re.split(r"; |: |\n", entry.confirm)
        if part.startswith("aws ")
    ]
    assert len(lines) > 25
    wrong = {line: said["said"] for line, said in parsed(lines).items() if not said["calls"]}
    assert not wrong


@pytest.mark.awscli
def test_the_parser_would_tell():
    """A command with a wrong option, one with a wrong type, one with an option missing, and none at all."""
    lines = [
        "aws ec2 create-route --route-table-id rtb-1 --destination-cidr-blok 0.0.0.0/0",
        "aws ec2 create-network-acl-entry --network-acl-id acl-1 --rule-number x --egress --rule-action allow "
        "--protocol tcp",
        "aws ec2 create-route --destination-cidr-block 0.0.0.0/0",
        "ec2 create-internet-gateway",
    ]
    assert not any(said["calls"] for said in parsed(lines).values())


# What these fixes lead to is not visible in the VPC: they are said in words.
BEYOND = {"PRIVATE_ADDRESS_TO_INTERNET", "TGW_NO_ATTACHMENT_IN_AZ", "PEERING_NOT_ACTIVE", "APPLIANCE_SOURCE_DEST_CHECK"}


def test_every_kind_of_fix_is_printed_for_some_broken_vpc():
    """So that the parser sees each of them; and every line is a command, ids filled in."""
    lines_of = printed("fix")
    assert {entry.code for entry in MAKERS} - BEYOND <= {code for code, lines in lines_of.items() if lines}
    for line in (line for lines in lines_of.values() for line in lines):
        assert "None" not in line
        assert not re.search(r"(--\S+-ids?) (--|$)", line)


def test_a_private_address_is_not_sent_to_a_nat_gateway():
    """No default route and no route of its own: words name the transit gateway if it is the only way there."""
    raw = {"kind": "webhook", "name": "corp", "url": "https://172.16.5.5/"}
    corp = read_plan({"targets": [raw]}).targets
    bare = routes(BASE, "rtb-private", gone("0.0.0.0/0"), gone("172.16.0.0/12"))
    for snapshot, named in ((bare, True), (replace(bare, attachments=()), False)):
        [finding] = [finding for finding in audit(snapshot, corp).findings if finding.code == "ROUTE_NO_EGRESS"]
        assert "aws " not in finding.remedy
        assert ("sending 172.16.5.5/32 of rtb-private to tgw-1" in finding.remedy) is named


def test_a_command_fixes():
    """The finding goes when what its command says is done: a free number before the rule that denies."""
    deny = AclEntry(90, True, False, 6, "0.0.0.0/0", (443, 443))
    taken = AclEntry(89, True, True, 6, "10.9.0.0/16", (443, 443))
    one = next(
        one for one in audit(acl(BASE, A, deny, taken), PLAN.targets).findings if one.code == "NACL_EGRESS_DENIED"
    )
    number = int(re.search(r"--rule-number (\d+)", one.remedy)[1])
    assert number == 88
    fixed = acl(BASE, A, deny, taken, AclEntry(number, True, True, 6, "0.0.0.0/0", (443, 443)))
    assert not [one for one in audit(fixed, PLAN.targets).findings if one.code == "NACL_EGRESS_DENIED"]
