"""`egressprobe audit`: what a person sees, of a cluster and of a file; exit codes; what may not be read."""

import json
import re
import subprocess
import sys

import boto3
import pytest
import yaml
from msgspec.structs import replace

from egressprobe.audit.resolve_names import resolve, with_names
from egressprobe.audit.result import SubnetColumn
from egressprobe.audit.vpc.snapshot import AclEntry, to_json
from egressprobe.audit.vpc.snapshot_dns import Zone
from egressprobe.catalog.entry import is_command
from egressprobe.cli import main as cli
from egressprobe.cli.output.audit_table import audit_table
from tests.support.aws.fake_aws import ENVIRONMENT, aws
from tests.support.documents import junit_tests
from tests.support.reports import audit
from tests.support.vpc.snapshots import POD, PODS, WEB, acl, clean, gone, group, routes

POD_FILE = f"""
targets:
- kind: webhook
  name: pod.hooks
  service: {{namespace: hooks, name: pods}}
  addresses: ["{POD}:9443"]
- kind: webhook
  name: by-address
  url: https://{WEB}/
"""


def no_pods():
    """An ACL that refuses what arrives at the pods of the webhook."""
    return acl(clean(), PODS, AclEntry(90, False, False, 6, "0.0.0.0/0", (9443, 9443)))


@pytest.fixture
def files(tmp_path):
    """A snapshot and a targets file, as a person would name them."""

    def made(snapshot, targets=POD_FILE):
        place = tmp_path / "snapshot.json"
        place.write_bytes(to_json(snapshot))
        (tmp_path / "targets.yaml").write_text(targets)
        return ["audit", "--snapshot", str(place), "-f", str(tmp_path / "targets.yaml")]

    return made


def test_a_healthy_vpc_is_exit_0(files, capsys):
    assert cli.main(files(clean())) == 0
    said = capsys.readouterr().out
    assert re.search(r"pod\.hooks +9443 +open +open", said)
    assert "prod: pass; 0 errors, 0 warnings, 0 notes.\nvpc-1 in eu-west-1" in said
    assert "Configuration only" in said


def test_a_broken_vpc_is_exit_3_with_the_command_that_mends(files, capsys):
    broken = routes(clean(), "rtb-private", gone("0.0.0.0/0"))
    assert cli.main(files(broken)) == 3
    said = capsys.readouterr().out
    assert re.search(r"by-address +443 +CLOSED ROUTE_NO_EGRESS +CLOSED ROUTE_NO_EGRESS", said)
    assert "fix       aws ec2 create-route --route-table-id rtb-private" in said
    assert said.startswith("prod: FAIL; 1 error")


IGNORED = POD_FILE.replace("name: pod.hooks", "name: pod.hooks\n  failurePolicy: Ignore")


@pytest.mark.parametrize(
    ("targets", "snapshot", "codes"),
    [
        (POD_FILE, clean(), (0, 0, 0)),
        (IGNORED, no_pods(), (3, 4, 3)),
        (POD_FILE, no_pods(), (3, 3, 3)),
        (IGNORED, routes(clean(), "rtb-private", gone("0.0.0.0/0")), (3, 3, 3)),
        (POD_FILE, replace(clean(), vpc=replace(clean().vpc, dns_hostnames=False)), (4, 4, 3)),
        (POD_FILE, replace(clean(), acls=None), (4, 4, 4)),
    ],
    ids=["open", "an ignored webhook", "a webhook", "another target", "a warning", "unknown"],
)
def test_what_fails_an_audit(files, capsys, targets, snapshot, codes):
    """--fail-on fail, blocks, degraded; JUnit has a failure exactly where the exit code is 3."""
    arguments = files(snapshot, targets)
    for word, code in zip(("fail", "blocks", "degraded"), codes, strict=True):
        assert cli.main([*arguments, "--fail-on", word, "-o", "junit"]) == code, word
        tests = junit_tests(capsys.readouterr().out)
        assert any(test.outcome == "failure" for test in tests) == (code == 3), word
        assert all(test.outcome == "passed" for test in tests) == (code == 0), word


def test_a_suppressed_finding_opens_no_path(files, capsys):
    """The target that it closes fails, by exit code and in JUnit; the finding is not shown."""
    arguments = [*files(no_pods()), "--skip", "NACL_INGRESS_DENIED", "-o", "junit"]
    assert cli.main(arguments) == 3
    outcomes = {test.name: test.outcome for test in junit_tests(capsys.readouterr().out)}
    assert outcomes == {"VPC egress of prod": "failure", "pod.hooks": "failure", "by-address": "passed"}
    unread = [*files(replace(clean(), acls=None)), "--skip", "PATH_UNKNOWN"]
    assert cli.main(unread) == 4, "what is not known stays unknown"
    assert capsys.readouterr().out.startswith("prod: UNKNOWN; 0 errors")


def test_what_a_suppressed_finding_closes_is_in_the_first_line(files, capsys):
    """Where no finding is shown, the line says why it is no pass."""
    assert cli.main([*files(no_pods()), "--skip", "NACL_INGRESS_DENIED"]) == 3
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("prod: FAIL; 0 errors,")
    assert first.endswith(", 1 finding suppressed (NACL_INGRESS_DENIED skipped); 1 target does not pass.")


def test_findings_of_one_code_with_one_fix_are_together(files, capsys):
    """Each cause with what it affects, then the fix once; the summary counts all of them."""
    gone_addresses = "".join(
        f"- {{kind: webhook, name: gone-{i}, url: 'https://10.0.250.{i}/'}}\n" for i in range(1, 4)
    )
    assert cli.main(files(clean(), f"targets:\n{gone_addresses}")) == 3
    first, *lines = capsys.readouterr().out.splitlines()
    assert "; 3 errors," in first
    assert [line for line in lines if line.startswith("ERROR")] == ["ERROR   ADDRESS_NOT_IN_A_SUBNET (3)"]
    labels = [line[4:13].strip() for line in lines if line.startswith("    ") and line[4] != " "]
    assert labels == [*["cause", "affects"] * 3, "check", "fix"]


@pytest.mark.parametrize("width", [60, 80])
def test_a_narrow_terminal_gets_the_subnets_below_each_target(width):
    """What is closed first; nothing but commands, and words longer than the line, is wider than the terminal."""
    subnets = tuple(SubnetColumn(f"subnet-0123456789abcde{i}", f"eu-west-1{'abc'[i]}") for i in range(3))
    rows = tuple(
        replace(row, cells=tuple(replace(row.cells[0], subnet=subnet.id) for subnet in subnets)) for row in audit().rows
    )
    text = audit_table(replace(audit(), subnets=subnets, rows=rows), width=width)
    first, _, _, head, *rest = text.splitlines()
    assert first == "prod: FAIL; 2 errors, 0 warnings, 0 notes."
    assert head.split() == ["TARGET", "PORT"]
    assert rest[0].split() == ["pods.hooks.svc", "9443"]
    assert " ".join(rest[1].split() + rest[2].split()).startswith("subnets subnet-0123456789abcde0 CLOSED NACL_INGRESS")
    for shown in text.splitlines():
        assert len(shown) <= width or is_command(shown[14:]), shown
    assert "eu-west-1a" in audit_table(replace(audit(), subnets=subnets, rows=rows), width=200)


def test_targets_by_name(files, capsys):
    """-l as in `run`: the other targets are not looked at; none that matches is a mistake."""
    broken = files(routes(clean(), "rtb-private", gone("0.0.0.0/0")))
    assert cli.main([*broken, "-l", "POD*"]) == 0
    assert "by-address" not in capsys.readouterr().out
    assert cli.main([*broken, "-l", "x", "-l", "y"]) == 2
    assert capsys.readouterr().err == "egressprobe: -l: no target is named x or y; there are: pod.hooks, by-address\n"


def test_warnings_and_unknowns_are_exit_4(files, capsys):
    assert cli.main(files(replace(clean(), vpc=replace(clean().vpc, dns_hostnames=False)))) == 4
    assert cli.main(files(replace(clean(), acls=None))) == 4
    capsys.readouterr()


def test_json_and_yaml_say_the_same(files, capsys):
    given = files(routes(clean(), "rtb-private", gone("0.0.0.0/0")))
    assert cli.main([*given, "-o", "json"]) == 3
    as_json = json.loads(capsys.readouterr().out)
    assert cli.main([*given, "-o", "yaml"]) == 3
    assert yaml.safe_load(capsys.readouterr().out) == as_json
    assert as_json["schemaVersion"] == "egressprobe/audit/v1"
    assert as_json["rows"][1]["cells"][0] == {"subnet": "subnet-a", "state": "closed", "code": "ROUTE_NO_EGRESS"}
    path = next(one for one in as_json["paths"] if one["address"] == WEB)
    assert path["blame"]["evidence"]["routeTable"] == "rtb-private"
    assert path["elements"] == ["sg-cluster", "acl-subnet-a", "rtb-private"]


def test_skip_takes_codes_in_any_case(files, capsys):
    given = files(replace(clean(), vpc=replace(clean().vpc, dns_hostnames=False)))
    assert cli.main([*given, "--skip", "vpc_dns_hostnames_off"]) == 0
    assert "1 finding suppressed (VPC_DNS_HOSTNAMES_OFF skipped)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["audit"], "give one of --cluster NAME and --snapshot FILE"),
        (["audit", "--cluster", "x", "--snapshot", "y"], "give one of --cluster NAME and --snapshot FILE"),
        (["audit", "--snapshot", "/nowhere"], "/nowhere: cannot be read"),
        (["audit", "--snapshot", "README.md"], "README.md: is not a snapshot"),
        (
            ["audit", "--snapshot", "x", "--skip", "NO_SUCH"],
            '--skip: "NO_SUCH" is not a finding; egressprobe explain lists',
        ),
        (["audit", "--snapshot", "x", "--skip", "route_blackhol"], "; did you mean ROUTE_BLACKHOLE?"),
    ],
)
def test_mistakes_are_a_line_and_exit_2(arguments, said, capsys):
    assert cli.main(arguments) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


def test_a_word_in_a_file_that_is_no_block_is_told(files, capsys):
    odd = clean()
    odd = group(odd, "sg-pods", egress=(replace(odd.groups[0].egress[0], blocks=("10.0.0.0/40",)),))
    assert cli.main(files(odd)) == 2
    assert 'sg-pods: "10.0.0.0/40" is not a CIDR' in capsys.readouterr().err


def test_the_table_fits_a_terminal_and_keeps_commands_whole(files, tmp_path):
    """In a pseudo-terminal of 80 columns words are folded; a command that is folded cannot be pasted."""
    given = files(acl(routes(clean(), "rtb-private", gone("0.0.0.0/0")), "subnet-pods"))
    command = f"stty cols 80; {sys.executable} -m egressprobe {' '.join(given)}"
    run = subprocess.run(["script", "-qec", command, "/dev/null"], text=True, check=False, capture_output=True)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", run.stdout)
    assert "\x1b[31mCLOSED" in run.stdout
    assert re.search(r"fix       aws ec2 create-route .* --nat-gateway-id nat-1\r?\n", plain)
    assert all(
        len(line.rstrip()) <= 80 for line in plain.splitlines() if "aws ec2" not in line and "CLOSED" not in line
    )


# -- of a cluster ---------------------------------------------------------------------------------------------


@pytest.fixture
def cloud(monkeypatch):
    with aws() as one:
        for name, value in (ENVIRONMENT | {"AWS_ENDPOINT_URL": one.url}).items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_ENDPOINT_URL")
        ec2, eks = boto3.client("ec2"), boto3.client("eks")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
        group_id = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"][0]
        eks.create_cluster(
            name="prod",
            version="1.35",
            roleArn="arn:aws:iam::123456789012:role/eks",
            resourcesVpcConfig={"subnetIds": [subnet], "controlPlaneEgressMode": "CUSTOMER_ROUTED"},
        )
        one.cluster = {
            "resourcesVpcConfig": {"vpcId": vpc, "clusterSecurityGroupId": group_id["GroupId"]},
            "identity": {"oidc": {"issuer": "https://oidc.eks.eu-west-1.amazonaws.com/id/1"}},
        }
        monkeypatch.setenv("AWS_ENDPOINT_URL", one.url)
        monkeypatch.setattr("egressprobe.cli.inputs.audit_source.with_names", lambda snapshot, _: snapshot)
        yield one


def test_a_cluster_is_read_audited_and_saved(cloud, tmp_path, capsys):
    """The issuer that EKS names is the target; the saved file gives the same answer without AWS."""
    place = tmp_path / "saved.json"
    assert cli.main(["audit", "--cluster", "prod", "--save", str(place)]) == 3
    said = capsys.readouterr().out
    assert "oidc/oidc.eks.eu-west-1.amazonaws.com/id/1" in said
    assert "ROUTE_NO_EGRESS" in said
    assert place.stat().st_mode & 0o077 == 0
    before = len(cloud.calls)
    assert cli.main(["audit", "--snapshot", str(place)]) == 3
    assert len(cloud.calls) == before
    assert "ROUTE_NO_EGRESS" in capsys.readouterr().out
    actions = {call.action for call in cloud.calls}
    assert not {one for one in actions if not re.search(r":(Describe|List|Get|Lookup|Simulate)", one)}, "it only reads"


def test_missing_permissions_are_named_one_by_one(cloud, capsys):
    """And the rest is audited."""
    denied = {"ec2:DescribeNatGateways", "route53:ListHostedZonesByVPC", "ec2:DescribeNetworkAcls"}
    eks = "eks:ListIdentityProviderConfigs"
    cloud.before = lambda call: (403, "AccessDenied") if call.action in denied | {eks} else None
    assert cli.main(["audit", "--cluster", "prod", "-o", "json"]) in (3, 4)
    found = json.loads(capsys.readouterr().out)["findings"]
    told = [one["evidence"]["action"] for one in found if one["code"] == "AUDIT_PERMISSION_MISSING"]
    assert set(told) == denied
    assert {"ROUTE_NO_EGRESS", "IDENTITY_PROVIDERS_UNREADABLE"} <= {one["code"] for one in found}


def test_what_eks_refuses_is_told_by_its_words(cloud, capsys):
    cloud.before = lambda call: (403, "AccessDeniedException") if call.action == "eks:DescribeCluster" else None
    assert cli.main(["audit", "--cluster", "prod"]) == 1
    assert "cannot be read" in capsys.readouterr().err
    cloud.before = lambda _: None
    assert cli.main(["audit", "--cluster", "other"]) == 2


# -- names ----------------------------------------------------------------------------------------------------


def test_names_are_resolved_at_once_and_never_for_ever(monkeypatch):
    """What hangs is left out; what does not resolve too."""
    import threading

    never = threading.Event()

    def lookup(host, *_, **__):
        if host == "hangs":
            never.wait(60)
        if host == "gone":
            raise OSError("no such name")
        return [(2, 1, 6, "", ("192.0.2.7", 0)), (2, 1, 6, "", ("192.0.2.7", 0))]

    monkeypatch.setattr("socket.getaddrinfo", lookup)
    assert resolve(["a", "hangs", "gone", "a"], seconds=1.0) == {"a": ("192.0.2.7",)}
    never.set()
    assert resolve([]) == {}


def test_names_that_are_known_or_private_are_not_asked_for(monkeypatch):
    asked = []
    monkeypatch.setattr("egressprobe.audit.resolve_names.resolve", lambda hosts: asked.extend(hosts) or {})
    held = replace(clean(), names={"a.example": (WEB,)}, zones=(Zone("Z1", "corp.example."),))
    with_names(held, ["a.example", "x.corp.example", "b.example", "192.0.2.1", "2001:db8::1"])
    assert asked == ["b.example"]


def test_a_snapshot_of_any_depth_is_a_line_and_exit_2(tmp_path, capsys):
    """The decoder's limit on recursion is no error of ours."""
    place = tmp_path / "deep.json"
    place.write_text("[" * 50_000)
    assert cli.main(["audit", "--snapshot", str(place)]) == 2
    assert capsys.readouterr().err == f"egressprobe: {place}: is not a snapshot: it is nested too deep\n"
