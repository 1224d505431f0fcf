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

from egressprobe.audit.fixes.candidates import MAKERS
from egressprobe.audit.run import audit
from egressprobe.audit.vpc.snapshot import AclEntry, Attachment, Encryption, Nat, Peering, Permission, Route, Subnet
from egressprobe.audit.vpc.snapshot_dns import ResolverRule, Zone
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
def printed():
    """Code -> command lines, of every broken VPC that we know."""
    found = {}
    snapshots = [(one.name, one.snapshot) for one in BROKEN] + list(MORE.items())
    for _, snapshot in snapshots:
        for one in audit(replace(snapshot, names=NAMES | snapshot.names), PLAN.targets).findings:
            found.setdefault(one.code, set()).update(one.remedy.split("\n")[:-1])
    return found


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
def test_the_aws_cli_takes_every_command_that_a_finding_prints():
    lines = sorted({line for held in printed().values() for line in held})
    assert len(lines) > 50
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
        for part in re.split(r"; |: ", entry.confirm)
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


def test_every_remedy_is_printed_by_some_broken_vpc():
    """So that the parser sees each of them; and every line is a command, ids filled in."""
    found = printed()
    assert {entry.code for entry in MAKERS} <= {code for code, lines in found.items() if lines}
    for line in (line for lines in found.values() for line in lines):
        assert line.startswith("aws ")
        assert "None" not in line
        assert not re.search(r"(--\S+-ids?) (--|$)", line)


def test_a_private_address_is_not_sent_to_a_nat_gateway():
    """No default route and no route of its own: it goes to the transit gateway if that is all there is, else a person
    must say where.
    """
    raw = {"kind": "webhook", "name": "corp", "url": "https://172.16.5.5/"}
    wanted = read_plan({"targets": [raw]}).targets
    bare = routes(BASE, "rtb-private", gone("0.0.0.0/0"), gone("172.16.0.0/12"))
    [one] = [one for one in audit(bare, wanted).findings if one.code == "ROUTE_NO_EGRESS"]
    assert one.remedy.startswith(
        "aws ec2 create-route --route-table-id rtb-private --destination-cidr-block 172.16.5.5/32 --transit-gateway-id"
    )
    [one] = [one for one in audit(replace(bare, attachments=()), wanted).findings if one.code == "ROUTE_NO_EGRESS"]
    assert "aws " not in one.remedy


def test_a_command_mends():
    """The finding goes when what its command says is done: a free number before the rule that denies."""
    deny = AclEntry(90, True, False, 6, "0.0.0.0/0", (443, 443))
    taken = AclEntry(89, True, True, 6, "10.9.0.0/16", (443, 443))
    one = next(
        one for one in audit(acl(BASE, A, deny, taken), PLAN.targets).findings if one.code == "NACL_EGRESS_DENIED"
    )
    number = int(re.search(r"--rule-number (\d+)", one.remedy)[1])
    assert number == 88
    mended = acl(BASE, A, deny, taken, AclEntry(number, True, True, 6, "0.0.0.0/0", (443, 443)))
    assert not [one for one in audit(mended, PLAN.targets).findings if one.code == "NACL_EGRESS_DENIED"]
