"""`egressprobe whatif`: what a person and a CI job see of a plan; exit codes; bad input in one line."""

import io
import json
import re
from types import SimpleNamespace

import pytest
import yaml
from bench import audit as bench
from msgspec.structs import replace

from egressprobe.audit.vpc.snapshot import AclEntry, to_json
from egressprobe.audit.whatif.compare import whatif
from egressprobe.audit.whatif.terraform.read import read_terraform
from egressprobe.cli import main as cli
from egressprobe.cli.output.whatif_table import whatif_table
from tests.audit.test_whatif_change_sets import MOVE
from tests.support.cpu_time import within_seconds
from tests.support.terraform import change, plan, ref
from tests.support.vpc.plans import BASE, DEFAULT, PLANS, TARGETS
from tests.support.vpc.snapshots import A, B, acl, gone, routes

CLOSING = next(case for case in PLANS if case.name == "a route away").plan


@pytest.fixture
def files(tmp_path):
    """A snapshot, targets and a plan, as a person would name them."""

    def made(given, snapshot=BASE, targets=TARGETS):
        (tmp_path / "vpc.json").write_bytes(to_json(snapshot))
        (tmp_path / "targets.yaml").write_text(yaml.safe_dump({"targets": targets}))
        place = tmp_path / "plan"
        place.write_text(given if isinstance(given, str) else json.dumps(given))
        named = [str(tmp_path / name) for name in ("vpc.json", "targets.yaml", "plan")]
        return ["whatif", "--snapshot", named[0], "-f", named[1], "--plan", named[2]]

    return made


def test_a_plan_that_closes_a_path_is_exit_3(files, capsys):
    assert cli.main(files(CLOSING)) == 3
    said = capsys.readouterr().out
    assert "CLOSES   2 paths: open -> CLOSED ROUTE_NO_EGRESS" in said
    assert "paths     web:443 from subnet-a (eu-west-1a), subnet-b (eu-west-1b)" in said
    assert re.search(r"cause     rtb-private of subnet-a has no route for 93\.184\.216\.34", said)
    assert "by        aws_route.default" in said
    assert "Terraform plan: 1 applied to the snapshot." in said
    assert "prod: FAIL; closes 2, opens 0, unknown 0; unchanged: 4 open, 4 unknown." in said
    assert max(map(len, said.splitlines()[:5])) <= 80


def test_a_plan_that_changes_no_path_is_exit_0(files, capsys):
    assert cli.main(files(plan(change("aws_s3_bucket.x", "create", after={"bucket": "x"})))) == 0
    said = capsys.readouterr().out
    assert "Terraform plan: 0 applied to the snapshot, 1 that touch no path." in said
    assert "prod: pass; closes 0" in said


def test_a_plan_of_standard_input(files, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(json.dumps(CLOSING).encode())))
    assert cli.main([*files("")[:-1], "-"]) == 3
    assert "CLOSES" in capsys.readouterr().out


def test_json_and_yaml_have_every_path_and_step(files, capsys):
    given = files(CLOSING)
    assert cli.main([*given, "-o", "json"]) == 3
    result = json.loads(capsys.readouterr().out)
    assert cli.main([*given, "-o", "yaml"]) == 3
    assert yaml.safe_load(capsys.readouterr().out) == result
    assert result["schemaVersion"] == "egressprobe/whatif/v1"
    assert result["verdict"] == "fail"
    assert result["summary"] == {"closes": 2, "opens": 0, "unknown": 0, "ends": 0,
                                 "unchanged": {"open": 4, "unknown": 4}}  # fmt: skip
    path = result["paths"][0]
    assert (path["effect"], path["target"], path["port"], path["subnet"]) == ("closes", "web", 443, A)
    assert (path["before"], path["after"], path["code"]) == ("open", "closed", "ROUTE_NO_EGRESS")
    assert path["evidence"]["routeTable"] == "rtb-private"
    assert path["steps"] == ["aws_route.default"]
    assert result["steps"] == [
        {
            "name": "aws_route.default",
            "action": "delete",
            "status": "applied",
            "changes": ["delete the route 0.0.0.0/0 of rtb-private"],
        }
    ]


def test_a_target_that_must_be_blocked_and_is_opened_is_exit_3(files, capsys):
    targets = [{"kind": "endpoint", "name": "no-web", "url": "tcp://93.184.216.34:443", "expect": "blocked"}]
    shut = acl(acl(BASE, A, AclEntry(90, True, False, 6, "0.0.0.0/0")), B, AclEntry(90, True, False, 6, "0.0.0.0/0"))
    opening = f"aws ec2 delete-network-acl-entry --network-acl-id acl-{A} --rule-number 90 --egress\n"
    assert cli.main(files(opening, shut, targets)) == 3
    said = capsys.readouterr().out
    assert "opens    MUST BE BLOCKED, 1 path: CLOSED -> open" in said
    closing = next(case for case in PLANS if case.name == "a route away")
    assert cli.main(files(closing.plan, BASE, targets)) == 0
    capsys.readouterr()


def test_a_step_that_aws_refuses_is_exit_4_and_named(files, capsys):
    taken = next(case for case in PLANS if "taken" in case.name)
    assert cli.main(files(taken.plan)) == 4
    said = capsys.readouterr().out
    assert "REFUSED aws_network_acl_rule.deny (create)" in said
    assert "NetworkAclEntryAlreadyExists: acl-subnet-a has a rule 400" in said


def test_what_is_not_modelled_is_named(files, capsys):
    unmodelled = next(case for case in PLANS if case.name.startswith("a type that is not modelled"))
    assert cli.main(files(unmodelled.plan)) == 4
    said = capsys.readouterr().out
    assert "NOT MODELLED aws_ec2_carrier_gateway.x (create)" in said
    assert "why       aws_ec2_carrier_gateway.x: aws_ec2_carrier_gateway is not modelled" in said
    assert "-> unknown" in said


def test_an_id_of_a_command_that_is_not_in_the_vpc_is_exit_4(files, capsys):
    """It may be mistyped."""
    assert cli.main(files("aws ec2 delete-route --route-table-id rtb-0typo --destination-cidr-block 0.0.0.0/0")) == 4
    assert "InvalidRouteTableID.NotFound: rtb-0typo does not exist, or is in another VPC" in capsys.readouterr().out


def test_new_and_resolved_findings(files, capsys):
    dns = next(case for case in PLANS if case.name == "DNS support off").plan
    assert cli.main(files(dns)) == 3
    assert "ADDS     error VPC_DNS_SUPPORT_OFF" in capsys.readouterr().out
    back = "aws ec2 modify-vpc-attribute --vpc-id vpc-1 --enable-dns-support"
    off = replace(BASE, vpc=replace(BASE.vpc, dns_support=False))
    assert cli.main(files(back, off)) == 0
    assert "resolves error VPC_DNS_SUPPORT_OFF" in capsys.readouterr().out
    assert cli.main([*files(dns), "--skip", "VPC_DNS_SUPPORT_OFF"]) == 0
    capsys.readouterr()


def test_sensitive_values_are_not_printed(files, capsys):
    """A CIDR from a sensitive variable: used, and not shown."""
    secret = plan(
        change("aws_route.x", "create", after=DEFAULT | {"destination_cidr_block": "93.184.216.0/24",
                                                         "gateway_id": "igw-1"},
               sensitive={"destination_cidr_block": True}),
    )  # fmt: skip
    for form in ("table", "json"):
        assert cli.main([*files(secret), "-o", form]) == 3
        said = capsys.readouterr().out
        assert "93.184.216.0" not in said
        assert "(sensitive)" in said


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("{", "is not JSON"),
        ("[]", "is neither a Terraform plan"),
        ("{}", "is neither a Terraform plan"),
        ('{"format_version": "2.0", "resource_changes": []}', 'format_version is "2.0"'),
        ('{"format_version": "1.0", "terraform_version": "1.9.0", "values": {}}', "is a state, not a plan"),
        ('{"format_version": "1.2", "resource_changes": 7}', "resource_changes is not a list"),
        ('{"format_version": "1.2", "resource_changes": [{"mode": "managed"}]}', "has no address"),
        (
            '{"format_version": "1.2", "resource_changes": [{"mode": "managed", "address": "a.b", "type": "a", '
            '"name": "b", "change": {"actions": ["create"], "after": 7}}]}',
            "after of a.b is not an object",
        ),
        ("terraform apply", '"terraform" is not an aws command'),
        ("[" * 100_000, "is not JSON"),
        ("aws ec2 create-route --route-table-id x --destination-cidr-block 10.0.0.0/99 --nat-gateway-id nat-1", ""),
    ],
)
def test_bad_input_is_one_line_and_exit_2(given, words, files, capsys):
    code = cli.main(files(given))
    said = capsys.readouterr()
    if not words:  # AWS would refuse the CIDR
        assert code == 4
        assert '"10.0.0.0/99" is not a CIDR' in said.out
        return
    assert code == 2
    assert words in said.err
    assert said.err.count("\n") == 1
    assert not said.out


def test_options_that_are_missing(files, capsys, tmp_path):
    assert cli.main(["whatif", "--snapshot", "x"]) == 2
    assert cli.main([*files("")[:1], "--plan", files("")[-1]]) == 2
    assert cli.main([*files("")[:-1], str(tmp_path / "none")]) == 2
    place = tmp_path / "binary"
    place.write_bytes(b"PK\x03\x04\xff\xfe")
    assert cli.main([*files("")[:-1], str(place)]) == 2
    assert "terraform show -json prints a plan file as text" in capsys.readouterr().err


TEMPLATE = """
Resources:
  Nat: {Type: "AWS::EC2::NatGateway", Properties: {SubnetId: subnet-public, AllocationId: !GetAtt Eip.AllocationId}}
  DefaultRoute:
    Type: AWS::EC2::Route
    Properties:
      RouteTableId: !ImportValue private-table
      DestinationCidrBlock: !Sub "0.0.0.0/0"
      NatGatewayId: !If [Own, !Ref Nat, !Ref "AWS::NoValue"]
"""


def test_a_change_set_with_its_template(files, capsys, tmp_path):
    place = tmp_path / "stack.yaml"
    place.write_text(TEMPLATE)
    given = files(MOVE)
    assert cli.main([*given, "--template", str(place)]) == 0
    assert "CloudFormation change set: 3 applied to the snapshot." in capsys.readouterr().out
    assert cli.main(given) == 4
    assert "does not know NatGatewayId (--template gives the template)" in capsys.readouterr().out
    assert cli.main([*files(CLOSING), "--template", str(place)]) == 2
    assert "goes with a change set" in capsys.readouterr().err
    place.write_text("a: !Ref b\n")
    assert cli.main([*files(MOVE), "--template", str(place)]) == 2
    assert "it has no Resources" in capsys.readouterr().err


def test_a_reference_through_modules(files, capsys):
    """The id of a new NAT gateway, by an output of one module and a variable of another."""
    given = plan(
        change('module.net["a"].aws_nat_gateway.this[0]', "create", after={"subnet_id": "subnet-public"},
               refs={"allocation_id": ref("aws_eip.x.id")}),
        change("module.routes.aws_route.default", "update", before=DEFAULT | {"nat_gateway_id": "nat-1"},
               after=DEFAULT, refs={"nat_gateway_id": ref("var.nat")}),
        calls={
            "net": {"outputs": {"nat_ids": ref("aws_nat_gateway.this")}},
            "routes": {"expressions": {"nat": ref('module.net["a"].nat_ids[0]')}},
        },
    )  # fmt: skip
    assert cli.main([*files(given), "-o", "json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["steps"][1]["changes"] == ['send 0.0.0.0/0 of rtb-private to module.net["a"].aws_nat_gateway.this[0]']


def test_each_takes_the_instance_of_its_key(files, capsys):
    nats = [
        change(f'aws_nat_gateway.this["{key}"]', "create", after={"subnet_id": "subnet-public"},
               refs={"allocation_id": ref("aws_eip.x.id")})
        for key in ("a", "b")
    ]  # fmt: skip
    route = change('aws_route.x["b"]', "create", after=DEFAULT | {"destination_cidr_block": "198.18.0.0/16"},
                   refs={"nat_gateway_id": ref("aws_nat_gateway.this", "each.key")})  # fmt: skip
    assert cli.main([*files(plan(*nats, route)), "-o", "json"]) == 0
    [step] = [step for step in json.loads(capsys.readouterr().out)["steps"] if step["name"].startswith("aws_route")]
    assert step["changes"] == ['send 198.18.0.0/16 of rtb-private to aws_nat_gateway.this["b"]']
    ambiguous = change("aws_route.x", "create", after=DEFAULT | {"destination_cidr_block": "198.18.0.0/16"},
                       refs={"nat_gateway_id": ref("aws_nat_gateway.this")})  # fmt: skip
    assert cli.main(files(plan(*nats, ambiguous))) == 4
    assert "nat_gateway_id is known only after the change" in capsys.readouterr().out.replace(
        "NatGatewayId", "nat_gateway_id"
    )


def test_the_switch_to_customer_routed_is_tried_as_a_plan(files, capsys):
    """The calls of today do not take these paths: what is closed on them closes by the switch, and that is one-way."""
    managed = replace(BASE, cluster=replace(BASE.cluster, mode="AWS_MANAGED"))
    switch = "aws eks update-cluster-config --name prod --resources-vpc-config controlPlaneEgressMode=CUSTOMER_ROUTED"
    assert cli.main(files(switch, managed)) == 4  # corp and peer are unknown
    said = capsys.readouterr().out
    assert "not used -> open" in said
    assert "The plan switches the cluster to CUSTOMER_ROUTED, which cannot be undone" in said
    no_nat = routes(managed, "rtb-private", gone("0.0.0.0/0"))
    assert cli.main(files(switch, no_nat)) == 3
    assert "CLOSES   2 paths: not used -> CLOSED ROUTE_NO_EGRESS" in capsys.readouterr().out
    back = switch.replace("CUSTOMER_ROUTED", "AWS_MANAGED")
    assert cli.main(files(back)) == 4
    assert "REFUSED line 1: eks update-cluster-config" in capsys.readouterr().out


def test_16_subnets_200_targets_and_2_families_take_less_than_5_seconds():
    """Half of the targets are on the internet; the NAT gateway is taken from them, and one step is not modelled."""
    given = read_terraform(
        plan(
            change("aws_nat_gateway.x", "delete", before={"id": "nat-1", "subnet_id": "subnet-public"}),
            change("aws_ec2_carrier_gateway.x", "create", after={"route_table_id": "rtb-03"}),
        )
    )

    def as_table():
        result = whatif(bench.snapshot(), given, bench.targets())
        return result, whatif_table(result)

    result, text = within_seconds(5.0, as_table)
    assert result.summary.closes == 15 * 100
    # All of one subnet, but for its own addresses; and the return traffic of those in it to the others.
    assert result.summary.unknown == 764
    assert "CLOSES   1500 paths: open -> CLOSED ROUTE_BLACKHOLE" in text
