"""`egressprobe invoke` and the joined table: what an on-call engineer sees of every subnet at once."""

import json

import boto3
import msgspec
import pytest
from msgspec.structs import replace

from egressprobe.catalog.entry import is_command
from egressprobe.cli import main as cli
from egressprobe.cli.output.subnet_table import subnet_table
from egressprobe.model.failure import Code
from egressprobe.model.joined_report import Joined, RefusedTarget
from egressprobe.model.report import Report
from egressprobe.model.target import Impact, Verdict
from egressprobe.planner.join import Heard, join, joined_response
from tests.conftest import ROOT
from tests.support.aws.deployments import put_planner
from tests.support.aws.fake_aws import ENVIRONMENT, aws
from tests.support.documents import junit_tests

LAB = msgspec.json.decode((ROOT / "tests" / "data" / "report.json").read_bytes(), type=Report)
PLANNER = "arn:aws:lambda:eu-west-1:123456789012:function:egressprobe-1a2b3c4d-planner"
PICKED = ("policy.healthy", "one-of-two-dead", "expired")


def seen(subnet, names=PICKED, **verdicts):
    """The lab's report as one subnet's; a verdict given by name is the lab's healthy target under that name."""
    healthy = next(one for one in LAB.results if one.target.name == "policy.healthy")
    results = []
    for name in names:
        own = next(one for one in LAB.results if one.target.name == name)
        results.append(replace(healthy, target=own.target) if verdicts.get(name.replace("-", "_")) == "pass" else own)
    return replace(LAB, results=tuple(results), vantage=replace(LAB.vantage, subnet_id=subnet))


def joined(*heard, **more):
    targets = [one.target for one in LAB.results if one.target.name in PICKED]
    known = {
        "run_id": "r",
        "started_at": "2026-11-22T03:00:00.000+00:00",
        "duration_ms": 5200.0,
        "cluster_name": "prod",
    }
    return join(heard, targets, **(known | more))


@pytest.fixture
def two():
    return joined(
        Heard("subnet-0a", "eu-west-1a", (seen("subnet-0a"),)),
        Heard("subnet-0b", "eu-west-1b", (seen("subnet-0b", one_of_two_dead="pass"),)),
    )


def test_the_worst_subnet_is_the_verdict(two):
    rows = {row.target.name: row for row in two.rows}
    assert [str(rows[name].verdict) for name in PICKED] == ["pass", "fail", "fail"]
    assert [str(cell.verdict) for cell in rows["one-of-two-dead"].cells] == ["fail", "pass"]
    assert rows["one-of-two-dead"].cells[0].code is Code.CONNECT_TIMEOUT
    assert [(v.subnet_id, str(v.verdict), v.summary.fail) for v in two.views] == [
        ("subnet-0a", "fail", 2),
        ("subnet-0b", "fail", 1),
    ]


def test_the_table_says_where_and_names_one_cause_for_the_same_everywhere(two):
    text = subnet_table(two)
    lines = text.splitlines()
    assert lines[0] == "FAIL: prod: 2 fail, 0 unknown, 0 degraded, 1 pass from 2 subnets in 5.2 s"
    assert lines[2].split() == ["VERDICT", "KIND", "TARGET", "eu-west-1a", "eu-west-1b"]
    assert lines[3].split() == ["subnet-0a", "subnet-0b"]
    [dead] = [line for line in lines if " one-of-two-dead" in line and line.startswith("FAIL")]
    assert "FAIL connect_timeout" in dead
    assert dead.rstrip().endswith("ms")
    start = lines.index(dead)
    assert lines[start + 1].split() == ["in", "subnet-0a"]
    [expired] = [line for line in lines if line.startswith("FAIL") and " expired " in line]
    assert lines[lines.index(expired) + 1].split()[0] == "cause", "no subnet is named: all of them"
    assert text.count("the server's certificate expired on") == 1


@pytest.mark.parametrize("width", [60, 80])
def test_a_narrow_terminal_gets_the_subnets_on_a_line_of_their_own(two, width):
    """Nothing but commands, the API server's message and words that are longer is wider than the terminal."""
    for text in subnet_table(two, width=width).splitlines():
        copied = text.strip().startswith("apiserver") or is_command(text[14:])
        assert len(text) <= width or copied or len(max(text.split(), key=len)) + 14 > width, text


def test_text_of_others_cannot_control_the_terminal(two):
    """Names, errors and causes are escaped in every line."""
    evil = "\x1b[2J\nFAIL \u009b31m"
    view = replace(two.views[0], error=evil)
    row = replace(two.rows[0], target=replace(two.rows[0].target, name=evil))
    text = subnet_table(replace(two, views=(view, *two.views[1:]), rows=(row, *two.rows[1:]), cluster_name=evil))
    assert not {"\x1b", "\u009b"} & set(text)


def test_a_subnet_without_an_answer_is_unknown_and_says_why():
    one = joined(
        Heard("subnet-0a", "eu-west-1a", (seen("subnet-0a", one_of_two_dead="pass", expired="pass"),)),
        Heard("subnet-0b", "eu-west-1b", (), "the function could not be invoked: TooManyRequests"),
    )
    assert {str(row.verdict) for row in one.rows} == {"unknown"}
    assert "No answer from subnet-0b (eu-west-1b): the function could not be invoked" in subnet_table(one)


def test_a_joined_report_survives_json(two):
    assert msgspec.json.decode(msgspec.json.encode(two), type=Joined) == two


@pytest.mark.parametrize("limit", [4_000_000, 20_000, 14_000, 9_000, 5_000, 3_000])
def test_an_answer_that_is_too_large_keeps_its_verdicts(two, limit):
    """Chains, queries, evidence and whole reports go before a failing row does; counts always stay."""
    wide = replace(two, rows=two.rows * 3)
    answer = msgspec.convert(joined_response(wide, limit), Joined)
    assert len(msgspec.json.encode(answer)) < limit
    assert answer.summary == wide.summary
    assert answer.views == wide.views
    assert answer.rows
    assert [row.cells for row in answer.rows] in (
        [row.cells for row in wide.rows],
        [row.cells for row in wide.rows if row.verdict is not Verdict.PASS][: len(answer.rows)],
    )
    assert bool(answer.findings) == (limit < 4_000_000)


# -- the command ---------------------------------------------------------------------------------------------


@pytest.fixture
def deployed(monkeypatch, two):
    """A stack's outputs in moto, and a Planner that answers what it is told to."""
    with aws() as cloud:
        for name, value in ENVIRONMENT.items():
            monkeypatch.setenv(name, value)
        template = {
            "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
            "Outputs": {"PlannerFunction": {"Value": PLANNER}},
        }
        formation = boto3.client("cloudformation")
        formation.create_stack(StackName="egressprobe-prod", TemplateBody=json.dumps(template))
        formation.create_stack(StackName="other", TemplateBody=json.dumps(template | {"Outputs": {}}))
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", cloud.url)
        cloud.asked = []

        def answer(body):
            cloud.asked.append(json.loads(body))
            return cloud.answer

        cloud.answer = msgspec.json.encode(two)
        cloud.functions[PLANNER] = answer
        yield cloud


def test_invoke_prints_the_table_and_fails_with_the_path(deployed, capsys):
    assert cli.main(["invoke", "--stack", "egressprobe-prod", "policy.healthy", "expired"]) == 3
    assert deployed.asked == [{"action": "probe", "targets": ["policy.healthy", "expired"]}]
    assert "FAIL connect_timeout" in capsys.readouterr().out


@pytest.mark.parametrize("planner", ["egressprobe-1a2b3c4d-planner", PLANNER])
def test_the_planner_itself_is_named_where_terraform_has_made_it(deployed, capsys, monkeypatch, planner):
    """The ARN has the region."""
    monkeypatch.delenv("AWS_ENDPOINT_URL_LAMBDA")
    put_planner()
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", deployed.url)
    if planner == PLANNER:
        monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
        monkeypatch.delenv("AWS_REGION", raising=False)
    assert cli.main(["invoke", "--stack", planner]) == 3
    assert capsys.readouterr().out.startswith("FAIL: prod: 2 fail")
    assert deployed.pairs == [("lambda:GetFunctionConfiguration", planner), ("lambda:InvokeFunction", PLANNER)]


def test_invoke_by_globs(deployed, capsys):
    """The Planner has the inventory; names that are given beside are matched here."""
    cli.main(["invoke", "--stack", "egressprobe-prod", "-l", "kyverno*", "-l", "opa"])
    cli.main(["invoke", "--stack", "egressprobe-prod", "policy.healthy", "expired", "-l", "POL*"])
    assert cli.main(["invoke", "--stack", "egressprobe-prod", "expired", "-l", "x*"]) == 2
    assert [asked["targets"] for asked in deployed.asked] == [["kyverno*", "opa"], ["policy.healthy"]]
    assert "no target is named x*; there are: expired" in capsys.readouterr().err


@pytest.mark.parametrize(("fail_on", "code"), [("fail", 3), ("blocks", 4), ("degraded", 3)])
def test_invoke_fails_on_what_it_is_told_to(deployed, capsys, two, fail_on, code):
    """All failing targets are webhooks that are ignored."""
    rows = tuple(replace(row, impact=Impact.BYPASSES) for row in two.rows)
    deployed.answer = msgspec.json.encode(replace(two, rows=rows))
    assert cli.main(["invoke", "--stack", "egressprobe-prod", "--fail-on", fail_on, "-o", "junit"]) == code
    failed = any(test.outcome == "failure" for test in junit_tests(capsys.readouterr().out))
    assert failed == (code == 3)


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_invoke_as_data(deployed, capsys, form, two):
    import yaml

    cli.main(["invoke", "--stack", "egressprobe-prod", "-o", form])
    assert deployed.asked == [{"action": "probe"}]
    assert msgspec.convert(yaml.safe_load(capsys.readouterr().out), Joined) == two


def test_a_name_that_is_refused_is_said_and_2_when_the_rest_passes(deployed, capsys):
    passing = joined(Heard("subnet-0a", "eu-west-1a", (seen("subnet-0a", one_of_two_dead="pass", expired="pass"),)))
    deployed.answer = msgspec.json.encode(
        replace(passing, refused=(RefusedTarget("x", "is not in this stack's inventory"),))
    )
    assert cli.main(["invoke", "--stack", "egressprobe-prod", "x", "expired"]) == 2
    assert 'egressprobe: "x" is not in this stack\'s inventory' in capsys.readouterr().err
    deployed.answer = msgspec.json.encode(passing)
    assert cli.main(["invoke", "--stack", "egressprobe-prod"]) == 0


@pytest.mark.parametrize(
    ("stack", "answer", "code", "said"),
    [
        ("nope", None, 2, '--stack: "nope" is neither a stack nor a Planner\'s function in eu-west-1'),
        ("other", None, 2, '"other" is not a stack of egressprobe'),
        (
            "egressprobe-prod",
            b'{"error": {"code": "target_invalid", "message": "event.targets: x is not"}}',
            2,
            "event.targets: x is not",
        ),
        ("egressprobe-prod", b'{"errorMessage": "boom", "errorType": "X"}', 1, "the Planner failed: "),
    ],
)
def test_what_goes_wrong_is_one_line(deployed, capsys, stack, answer, code, said):
    if answer:
        deployed.answer = answer
    assert cli.main(["invoke", "--stack", stack]) == code
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("egressprobe: ")
    assert said in line


def test_aws_that_refuses_is_our_error_not_the_paths(deployed, capsys):
    deployed.before = lambda _: (403, "AccessDeniedException")
    assert cli.main(["invoke", "--stack", "egressprobe-prod"]) == 1
    assert "AccessDenied" in capsys.readouterr().err


def test_the_sample_event_is_taken_by_the_planner_too():
    """events/on-demand.json goes to a probe or, by names and places, to the Planner."""
    from egressprobe.handlers.planner import _action
    from egressprobe.planner.inventory import chosen, read_inventory

    event = json.loads((ROOT / "events" / "on-demand.json").read_text())
    assert _action(event) == "probe"
    taken, refused = chosen(read_inventory(event), event["targets"])
    assert len(taken) == len(event["targets"])
    assert not refused
