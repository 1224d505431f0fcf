"""The runbook: every alarm has its heading and is linked to it; every command on the page is run, with what it needs."""

import json
import re
import shlex
import socket
import subprocess
from base64 import b64encode
from functools import cache

import boto3
import jmespath
import msgspec
import pytest
from botocore.validate import ParamValidator

from egressprobe.aws.commands.options import _service, parse
from egressprobe.cli import main as cli
from tests.conftest import ROOT
from tests.support.aws.cloudformation import rendered
from tests.support.aws.fake_aws import ENVIRONMENT, aws
from tests.support.kubectl import check_kubectl
from tests.support.peers.kubeapi import CLUSTER_CA, kube_api
from tests.support.reports import incidents, joined

PAGE = (ROOT / "docs" / "runbook.md").read_text()
ALARMS = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
URL = "https://wiki.example/runbook"
LABELS = ("Means", "With a stack", "Without a stack", "Over when")
PLANNER = "arn:aws:lambda:eu-west-1:123456789012:function:egressprobe-1a2b3c4d-planner"
# What the words in capitals stand for.
WORDS = {
    "STACK": "egressprobe-prod",
    "CLUSTER": "prod",
    "N": "3",
    "PLANNER": "egressprobe-1a2b3c4d-planner",
    "GROUP": "egressprobe-1a2b3c4d",
    "LOGS": "/egressprobe/prod/1a2b3c4d/probe",
    "TARGET": "policy.example.com",
    "NAME": "kyverno-policy",
    "I": "0",
    "HOST": "policy.example.com",
    "OPERATOR": "kyverno-admission-controller",
    "NAMESPACE": "kyverno",
}
# Capitals that are no placeholders: output columns, patterns, a code.
_OTHERS = {"KIND", "WEBHOOKS", "POLICY", "ERROR", "WARNING", "ALARM", "CLUSTER_UNREADABLE"}
COMMANDS = [
    line[2:]
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("$ ")
]


def slug(heading):
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def sections():
    """Heading of an alarm -> its text."""
    return dict(re.findall(r"^### ([^\n]+)\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))


@cache
def alarms():
    """Name without the cluster, with N for a slot -> description, of every alarm that any stack has."""
    named = {}
    for notifications in ("causes", "true", "notices", "false"):
        stack = rendered(3, ClusterName="prod", RunbookUrl=URL, TargetNotifications=notifications)
        for alarm in (alarm for kind in ALARMS for alarm in stack.of(kind).values()):
            name = alarm["AlarmName"].removeprefix("egressprobe prod ")
            named[re.sub(r"slot \d+$", "slot N", name)] = alarm["AlarmDescription"]
    return named


# -- headings and anchors ---------------------------------------------------------------------------------------


def test_the_headings_are_the_alarms():
    assert set(sections()) == set(alarms())
    assert len(sections()) == PAGE.count("\n### "), "none is there twice"


@pytest.mark.parametrize("name", sorted(alarms()))
def test_each_description_links_to_the_alarms_own_heading(name):
    assert alarms()[name].endswith(f"{URL}#{slug(name)}")


def test_the_planners_link_is_a_heading_too():
    """Its messages link to `path broken` and the other alarms by the same rule."""
    anchors = {slug(line.lstrip("# ")) for line in PAGE.splitlines() if line.startswith("#")}
    assert {slug(name) for name in alarms()} <= anchors
    assert len(anchors) == len([line for line in PAGE.splitlines() if re.match("#+ ", line)])


@pytest.mark.parametrize("name", sections())
def test_each_alarm_says_the_same_four_things_in_one_order(name):
    text = sections()[name]
    assert re.findall(r"^- \*\*(.+?):\*\* \S", text, re.MULTILINE) == list(LABELS)
    means = re.search(r"\*\*Means:\*\* (.*?)\n- ", text, re.DOTALL)[1]
    assert len(means) <= 300


def test_the_first_thing_is_what_to_do_with_a_message():
    """Before the first heading of a section, the emergency before any alarm, and the caveat beside it."""
    first = PAGE.partition("\n## ")[0]
    assert "**You got a message: read line 1, run its fix.**" in first
    assert "#emergency-a-fail-closed-webhook-stops-requests" in first
    assert PAGE.index("## Emergency") < PAGE.index("## Pages")
    emergency = PAGE.partition("## Emergency")[2].partition("\n## ")[0]
    assert "**Until it is set back, requests go through unchecked**" in emergency
    caveat = PAGE.partition('## "It works for me"')[2].partition("\n## ")[0]
    assert all(figure in caveat for figure in ("90 s", "85 s", "95 s", "190 s"))


def test_it_stays_short():
    """Read at 3 a.m.: what is needed before any alarm fits two screens; a section one."""
    assert PAGE.partition("\n## Pages")[0].count("\n") <= 100
    assert max(text.count("\n") for text in sections().values()) <= 20


# -- placeholders -----------------------------------------------------------------------------------------------


def words_of(command):
    return set(re.findall(r"(?<![\w$])(?<! -)[A-Z][A-Z_]*(?![\w])", command)) - _OTHERS


def test_each_word_in_capitals_comes_from_a_command_of_the_page():
    """The table says which; nothing is to be guessed."""
    table = PAGE.partition("| word | is |")[2].partition("\n\n")[0]
    listed = {word for cell in re.findall(r"^\| ([A-Z, ]+) \|", table, re.MULTILINE) for word in cell.split(", ")}
    used = set().union(*map(words_of, COMMANDS))
    assert used == listed == set(WORDS)


def test_the_outputs_that_the_table_names_are_the_stacks():
    table = PAGE.partition("| word | is |")[2].partition("\n\n")[0]
    stack = rendered(3, ClusterName="prod")
    assert {"PlannerFunction", "ScheduleGroup", "ProbeLogGroup"} <= set(stack.outputs)
    assert all(f"`{name}`" in table for name in ("PlannerFunction", "ScheduleGroup", "ProbeLogGroup"))
    values = {"PLANNER": "PlannerFunction", "GROUP": "ScheduleGroup", "LOGS": "ProbeLogGroup"}
    assert {word: stack.outputs[name] for word, name in values.items()} == {word: WORDS[word] for word in values}
    probes = {function["FunctionName"] for function in stack.of("AWS::Lambda::Function").values()}
    assert f"{stack.outputs['ScheduleGroup']}-probe-2" in probes


# -- commands ---------------------------------------------------------------------------------------------------


def filled(command):
    for word in words_of(command):
        command = re.sub(rf"(?<![\w$])(?<! -){word}(?!\w)", WORDS[word], command)
    return command


def run_in_bash(command, place):
    """The calls that the line makes: words by words. Each name is a program that records them."""
    record = place / "calls"
    for name in ("aws", "kubectl", "egressprobe"):
        program = place / name
        read = (
            "cat >/dev/null\n" if name == "egressprobe" else ""
        )  # what another writes: it has recorded its call by then
        program.write_text(
            f'#!/bin/bash\n{read}printf "%s\\0" {name} "$@" >> {record}; echo >> {record}\necho /a/log/group\n'
        )
        program.chmod(0o755)
    record.write_text("")
    subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", command],
        env={"PATH": f"{place}:/usr/bin:/bin"},
        cwd=place,
        stdin=subprocess.DEVNULL,
        check=True,
        timeout=20,
        capture_output=True,
    )
    return [line.split("\0")[:-1] for line in record.read_text().splitlines()]


def names_in(expression):
    """Fields that a JMESPath expression reads."""
    own = {expression["value"]} if expression["type"] == "field" else set()
    return own.union(*(names_in(child) for child in expression["children"]))


def members(shape, depth=0):
    """Names of fields of an answer, at any depth."""
    if shape.type_name == "list":
        return members(shape.member, depth)
    if shape.type_name != "structure" or depth > 6:
        return set()
    return set(shape.members).union(*(members(member, depth + 1) for member in shape.members.values()))


def check_aws(words):
    """The operation exists, its parameters are valid, and what --query reads is in its answer."""
    rest = words[1:]
    if rest[:2] == ["lambda", "invoke"]:
        assert not rest[-1].startswith("-"), "the file that the answer is written to"
        payload = json.loads(rest[rest.index("--payload") + 1])
        assert payload == {"action": "plan"}
        rest = rest[:-1]
    call = parse(rest)
    model = _service(call.service).operation_model(call.operation)
    report = ParamValidator().validate(call.parameters, model.input_shape)
    assert not report.has_errors(), report.generate_report()
    if "--query" in rest:
        query = jmespath.compile(rest[rest.index("--query") + 1])
        assert names_in(query.parsed) <= members(model.output_shape), words
    return call.operation


@pytest.mark.parametrize("command", [line for line in COMMANDS if line.startswith(("aws ", "kubectl "))])
def test_commands_of_others_are_calls_that_exist(command, tmp_path):
    """As bash passes them on; aws by botocore's models, kubectl by its reference."""
    calls = run_in_bash(filled(command), tmp_path)
    assert calls
    for words in calls:
        if words[0] == "aws":
            check_aws(words)
        elif words[0] == "egressprobe":
            assert words[1:] == ["explain", "-"], "what reads the output by a pipe"
        else:
            check_kubectl(words)


def test_a_wrong_command_would_be_seen(tmp_path):
    """The checks can fail: an option, an operation, a field of the answer, a verb, a resource, a flag."""
    for command in (
        'aws lambda invoke --functions PLANNER --payload \'{"action": "plan"}\' out.json',
        "aws cloudwatch describe-alarm --alarm-names x",
        "aws eks describe-cluster --name x --query cluster.vpcConfig",
    ):
        with pytest.raises((ValueError, AssertionError)):
            check_aws(shlex.split(command))
    for command in ("kubectl patch nodepool x", "kubectl get apiservices --wide", "kubectl mend apiservices"):
        with pytest.raises(AssertionError):
            check_kubectl(shlex.split(command))
    with pytest.raises(subprocess.CalledProcessError):
        run_in_bash("aws a | false", tmp_path)


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """A stack with a Planner that answers, an EKS cluster whose API server is on loopback, a server to reach."""
    place = tmp_path_factory.mktemp("night")
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        aws() as cloud,
        kube_api() as api,
        socket.create_server(("127.0.0.1", 0)) as server,
    ):
        monkeypatch.chdir(place)
        for name, value in ENVIRONMENT.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("egressprobe.cli.inputs.discover_source.forbidden", lambda _: None)
        monkeypatch.setattr("egressprobe.cli.inputs.audit_source.with_names", lambda snapshot, _: snapshot)
        ec2 = boto3.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
        groups = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"]
        boto3.client("eks").create_cluster(
            name="prod",
            version="1.35",
            roleArn="arn:aws:iam::123456789012:role/e",
            resourcesVpcConfig={"subnetIds": [subnet], "controlPlaneEgressMode": "CUSTOMER_ROUTED"},
        )
        outputs = {"PlannerFunction": {"Value": PLANNER}}
        template = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}, "Outputs": outputs}
        boto3.client("cloudformation").create_stack(StackName="egressprobe-prod", TemplateBody=json.dumps(template))
        api.accepts = lambda token: token.startswith("k8s-aws-v1.")
        cloud.cluster = {
            "endpoint": api.url,
            "certificateAuthority": {"data": b64encode(CLUSTER_CA.pem.encode()).decode()},
            "identity": {"oidc": {"issuer": "https://oidc.eks.example/id/1"}},
            "resourcesVpcConfig": {"vpcId": vpc, "clusterSecurityGroupId": groups[0]["GroupId"]},
        }
        for service in (
            "EKS",
            "EC2",
            "LAMBDA",
            "ROUTE_53",
            "ROUTE53RESOLVER",
            "NETWORK_FIREWALL",
            "ELASTIC_LOAD_BALANCING_V2",
            "CLOUDTRAIL",
            "IAM",
            "STS",
        ):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", cloud.url)
        answers = {"probe": joined, "incidents": incidents, "acknowledge": incidents}
        cloud.functions[PLANNER] = lambda body: msgspec.json.encode(answers[json.loads(body)["action"]]())
        host, port = server.getsockname()
        targets = {"targets": [{"kind": "endpoint", "name": "t", "url": f"tcp://{host}:{port}"}]}
        (place / "targets.yaml").write_text(json.dumps(targets))
        yield place


@pytest.mark.parametrize("command", [line for line in COMMANDS if line.startswith("egressprobe ")])
def test_our_commands_do_what_the_page_says(command, night, capsys):
    """Each is run for real; what it prints is what the step goes on with."""
    words = shlex.split(filled(command).partition(" > ")[0])
    code = cli.main(words[1:])
    out, err = capsys.readouterr()
    assert code in (0, 3, 4), err
    expected = {
        "discover": "targets:",
        "audit": "ROUTE_NO_EGRESS",
        "incidents": "since ",
        "invoke": "probe_ssl_earliest_cert_expiry" if "prometheus" in command else "fix ",
        "run": "VERDICT",
        "explain": "",
    }
    assert expected[words[1]] in out
    assert out


@pytest.mark.thorough
def test_what_discover_writes_is_what_audit_reads(night, capsys):
    """The two commands of CloudShell, one after the other."""
    assert cli.main(["discover", "--cluster", "prod"]) == 0
    (night / "targets.yaml").write_text(capsys.readouterr().out)
    assert cli.main(["audit", "--cluster", "prod", "-f", "targets.yaml"]) in (3, 4)
    assert "policy.corp.example.com" in capsys.readouterr().out


def test_the_emergency_patch_is_applied_to_the_named_webhook_and_taken_back(tmp_path):
    """RFC 6902: `add` replaces a member that exists, and adds one that does not."""
    patches = []
    for command in (line for line in COMMANDS if line.startswith("kubectl patch ")):
        [words] = run_in_bash(filled(command), tmp_path)
        [operation] = json.loads(words[words.index("-p") + 1])
        assert words[1:4] == ["patch", "validatingwebhookconfiguration", "kyverno-policy"]
        assert (operation["op"], operation["path"]) == ("add", "/webhooks/0/failurePolicy")
        patches.append(operation["value"])
    assert patches == ["Ignore", "Fail"]
