"""AWS CLI commands read as the AWS CLI reads them: its own parser decides, of good ones and of wrong ones; and files of
commands as a shell would run them.
"""

import json
import random
import shlex
import subprocess

import pytest

from egressprobe.audit.whatif.plan import KnownAfterApply
from egressprobe.aws.commands import shorthand
from egressprobe.aws.commands.options import parse
from egressprobe.aws.commands.script import read_script
from egressprobe.model.errors import InputError
from tests.audit.test_commands import CHANGES, parsed
from tests.conftest import ROOT

ACL = "aws ec2 create-network-acl-entry --network-acl-id acl-1 --rule-number 5 --rule-action allow "
RULE = "aws ec2 authorize-security-group-egress --group-id sg-1 "
LINES = [
    *dict.fromkeys(change.command for change in CHANGES if "route" not in change.command),
    ACL + "--egress --protocol tcp --port-range From=443,To=443 --cidr-block 0.0.0.0/0",
    ACL + "--ingress --protocol -1 --cidr-block 0.0.0.0/0",
    ACL + "--no-egress --protocol 6 --cidr-block=0.0.0.0/0",
    ACL + """--egress --protocol 6 --port-range '{"From": 1, "To": 9}' --ipv6-cidr-block ::/0""",
    RULE + "--protocol tcp --port 443 --cidr 10.0.0.0/8",
    RULE + "--protocol tcp --port 1-9 --source-group sg-2 --group-owner 123456789012",
    RULE + "--protocol all --cidr 0.0.0.0/0",
    RULE + "--protocol -1 --source-group other",
    RULE + "--protocol udp --port all --cidr 10.0.0.0/8",
    RULE + "--ip-permissions IpProtocol=tcp,FromPort=443,ToPort=443,IpRanges=[{CidrIp=10.0.0.0/8},{CidrIp=11.0.0.0/8}]",
    RULE + "--ip-permissions 'IpProtocol=-1,UserIdGroupPairs=[{GroupId=sg-2,Description=\"a, b\"}]' "
    "'IpProtocol=tcp,FromPort=1,ToPort=2,Ipv6Ranges=[{CidrIpv6=::/0}],PrefixListIds=[{PrefixListId=pl-1}]'",
    RULE + """--ip-permissions '[{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "IpRanges": []}]'""",
    RULE + "--ip-permissions IpProtocol=tcp,FromPort=1,ToPort=2,IpRanges=CidrIp=10.0.0.0/8",
    "aws ec2 modify-vpc-attribute --vpc-id vpc-1 --enable-dns-support Value=false",
    """aws ec2 modify-vpc-attribute --vpc-id vpc-1 --enable-dns-hostnames '{"Value":true}'""",
    "aws ec2 modify-vpc-attribute --vpc-id vpc-1 --no-enable-dns-support",
    "aws ec2 create-dhcp-options --dhcp-configurations Key=domain-name-servers,Values=10.0.0.53,10.0.1.53 "
    "Key=domain-name,Values=corp.example",
    "aws ec2 create-dhcp-options --dhcp-configurations 'Key=domain-name-servers,Values=[AmazonProvidedDNS]'",
    "aws eks update-cluster-config --name prod --resources-vpc-config "
    "subnetIds=subnet-1,subnet-2,securityGroupIds=sg-1,endpointPublicAccess=false",
    "aws eks update-cluster-config --name prod --resources-vpc-config "
    """'{"subnetIds": ["subnet-1"], "controlPlaneEgressMode": "CUSTOMER_ROUTED"}'""",
    "aws eks update-cluster-config --name prod --remote-network-config "
    "'remoteNodeNetworks=[{cidrs=[10.80.0.0/16,10.81.0.0/16]}],remotePodNetworks=[{cidrs=[10.90.0.0/16]}]'",
    "aws --region eu-west-1 ec2 delete-route --route-table-id rtb-1 --destination-cidr-block 0.0.0.0/0 --output text",
    "aws ec2 create-vpc-endpoint --vpc-id vpc-1 --service-name s --route-table-ids rtb-1 rtb-2 --vpc-endpoint-type Gateway",
    "aws ec2 modify-managed-prefix-list --prefix-list-id pl-1 --current-version 3 "
    "--add-entries Cidr=10.0.0.0/8,Description=a Cidr=11.0.0.0/8 --remove-entries Cidr=12.0.0.0/8",
    "aws ec2 modify-transit-gateway-vpc-attachment --transit-gateway-attachment-id tgw-attach-1 "
    "--add-subnet-ids subnet-1 --options Ipv6Support=enable,DnsSupport=disable",
    "aws ec2 create-tags --resources rtb-1 --tags Key=Name,Value=a Key=b,Value=",
    "aws ec2 create-route --route-table rtb-1 --destination-cidr 10.0.0.0/8 --nat nat-1",
    # Wrong ones.
    RULE + "--protocol tcp --port x --cidr 10.0.0.0/8",
    RULE + "--protocol sctp --cidr 10.0.0.0/8",
    RULE + "--protocol tcp --ip-permissions IpProtocol=tcp",
    RULE + "--ip-permissions IpProtocol=tcp,IpProtocol=udp",
    RULE + "--ip-permissions IpProtocol=tcp,FromPort=x",
    RULE + "--ip-permissions IpProtocol=tcp,IpRanges=[{CidrIp=10.0.0.0/8}",
    RULE + "--ip-permissions IpProtocol",
    RULE + "--ip-permissions {broken",
    ACL + "--egress --protocol tcp --cidr-blok 0.0.0.0/0",
    "aws ec2 create-route --destination-cidr-block 0.0.0.0/0",
    "aws ec2 no-such-operation",
    "aws no-such-service create-route",
    "aws ec2 create-network-acl-entry --network-acl-id acl-1 --rule-number x --egress --rule-action allow --protocol 6",
]
_NUMBERS = {"tcp": "6", "udp": "17", "icmp": "1", "all": "-1"}


@pytest.mark.awscli
@pytest.mark.parametrize("lines", [pytest.param(LINES, marks=pytest.mark.thorough), LINES[::18]], ids=["all", "some"])
def test_commands_are_read_as_the_aws_cli_reads_them(lines):
    """Parameter by parameter; what it refuses is refused. (It names the protocols of ACL entries only later.)"""
    differ, refused = {}, 0
    for line, expected in parsed(lines).items():
        try:
            call = parse(shlex.split(line)[1:])
            mine = {"calls": [call.service, None], "parameters": call.parameters}
        except ValueError:
            mine, refused = {"calls": None, "parameters": None}, refused + 1
        theirs = expected["parameters"]
        if theirs and "network-acl-entry" in line and "Protocol" in theirs:
            theirs["Protocol"] = _NUMBERS.get(theirs["Protocol"], theirs["Protocol"])
        if mine["parameters"] != theirs:
            differ[line] = (mine["parameters"], theirs, expected["said"])
    assert not differ
    assert refused >= len(lines) // 18


_PIECES = ["a", "=", ",", "[", "]", "{", "}", "b c", "'", '"', "\\,", "\\'", " ", "x=1", "k=[", "k={a=", "-./:", "\\"]


def _texts(many):
    rng = random.Random(17)
    return ["".join(rng.choices(_PIECES, k=rng.randint(1, 12))) for _ in range(many)]


_READER = """
import json, sys
from awscli.shorthand import ShorthandParser, ShorthandParseError
for line in sys.stdin.read().splitlines():
    try:
        print(json.dumps(ShorthandParser().parse(json.loads(line))))
    except ShorthandParseError:
        print("null")
    except TypeError:  # its own error at the end of an open list
        print("null")
"""


def _theirs(texts):
    python = ROOT / ".tools" / "stack" / "awscli" / "bin" / "python"
    given_lines = "\n".join(map(json.dumps, texts)) + "\n"
    done = subprocess.run([str(python), "-c", _READER], input=given_lines, text=True, check=True, capture_output=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def _mine(text):
    try:
        return shorthand.parse(text)
    except ValueError:
        return None


@pytest.mark.awscli
def test_shorthand_is_read_as_the_aws_cli_reads_it():
    """Texts made of its own characters, right and wrong."""
    texts = _texts(5_000)
    theirs = _theirs(texts)
    pairs = list(zip(texts, theirs, strict=True))
    assert sum(expected is not None for _, expected in pairs) > 100
    wrong = [(text, mine, expected) for text, expected in pairs if (mine := _mine(text)) != expected]
    assert not wrong[:3]


SCRIPT = r"""#!/usr/bin/env bash
set -euo pipefail
# A NAT gateway more.
export VPC=vpc-1 # ours
EIP=$(aws ec2 allocate-address --query AllocationId --output text)
NAT="$(aws ec2 create-nat-gateway --subnet-id subnet-public \
    --allocation-id "$EIP" --query NatGateway.NatGatewayId --output text)"
aws ec2 wait nat-gateway-available --nat-gateway-ids $NAT
aws ec2 create-route --route-table-id rtb-1 --destination-cidr-block 10.8.0.0/16 --nat-gateway-id ${NAT} > /dev/null
aws ec2 delete-route --route-table-id rtb-1 --destination-cidr-block 0.0.0.0/0 && aws ec2 create-route \
    --route-table-id rtb-1 --destination-cidr-block 0.0.0.0/0 --nat-gateway-id nat-NEW | jq .
aws ec2 create-nat-gateway --vpc-id $VPC --availability-mode regional
aws ec2 create-route --route-table-id rtb-1 --destination-cidr-block 10.9.0.0/16 --nat-gateway-id $OTHER
aws iam attach-role-policy --role-name x --policy-arn arn:aws:iam::aws:policy/AmazonEKSClusterPolicy
aws ec2 delete-nat-gateway --nat-gateway-id nat-1 --dry-run
aws eks update-cluster-config --name prod --resources-vpc-config '{
  "subnetIds": ["subnet-1", "subnet-2"]
}'
"""


def test_a_file_of_commands_is_read_as_a_shell_runs_it():
    plan = read_script(SCRIPT, "x.sh")
    assert plan.ordered
    assert not plan.ids_certain
    assert plan.ignored == 3  # the wait, IAM and the dry run
    calls = [(step.name, call.operation, dict(call.parameters), call.id) for step in plan.steps for call in step.calls]
    assert [(name.split(":")[0], operation) for name, operation, _, _ in calls] == [
        ("line 5", "AllocateAddress"),
        ("line 6", "CreateNatGateway"),
        ("line 9", "CreateRoute"),
        ("line 10", "DeleteRoute"),
        ("line 10", "CreateRoute"),
        ("line 12", "CreateNatGateway"),
        ("line 13", "CreateRoute"),
        ("line 16", "UpdateClusterConfig"),
    ]
    by_line = {name.split(":")[0]: (parameters, created) for name, _, parameters, created in calls}
    assert by_line["line 6"] == ({"SubnetId": "subnet-public", "AllocationId": "eipalloc-NEW"}, "nat-NEW")
    assert by_line["line 9"][0]["NatGatewayId"] == by_line["line 10"][0]["NatGatewayId"] == "nat-NEW"
    assert by_line["line 12"] == ({"VpcId": "vpc-1", "AvailabilityMode": "regional"}, "nat-NEW-2")
    assert isinstance(by_line["line 13"][0]["NatGatewayId"], KnownAfterApply)
    assert by_line["line 16"][0]["resourcesVpcConfig"] == {"subnetIds": ["subnet-1", "subnet-2"]}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("aws ec2 delete-rout --route-table-id rtb-1", '"delete-rout" is not an operation of ec2'),
        ("\n\nterraform apply", 'line 3: "terraform" is not an aws command'),
        ("aws ec2", "line 1: names no service and operation"),
        ("aws ec2 delete-route --route-table-id rtb-1 --x", '"--x" is not an option of delete-route'),
        ("aws ec2 delete-route --route-table-id 'rtb-1", "is not a shell command"),
        (f"{ACL} --egress --ingress --protocol 6", "not allowed with argument"),
        ("aws ec2 create-route --cli-input-json {}", "options of the command itself"),
        ("aws ec2 authorize-security-group-egress --group-id s --ip-permissions file://x", "which is not read"),
        ("aws ec2 authorize-security-group-egress --group-id s --ip-permissions a=[[[" + "[" * 50, "too deep"),
    ],
)
def test_a_mistake_names_the_line(text, words):
    with pytest.raises(InputError) as error:
        read_script(text, "x.sh")
    assert words in str(error.value)
    assert str(error.value).startswith("x.sh line ")
