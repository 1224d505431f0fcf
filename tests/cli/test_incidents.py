"""`egressprobe incidents` and `ack`: what a person on call asks a stack's Planner, which is a fake one here."""

import json
from datetime import UTC, datetime, timedelta

import boto3
import msgspec
import pytest
from msgspec.structs import replace

from egressprobe.cli import main as cli
from egressprobe.cli.commands.deployed.ack import until_of
from egressprobe.cli.output.observed.incidents_table import incidents_table
from egressprobe.incidents.answer import OpenIncidents
from egressprobe.incidents.model import Tier, Transition
from egressprobe.model.errors import InputError
from egressprobe.model.joined_report import RefusedTarget
from egressprobe.model.target import Verdict
from egressprobe.planner.incidents.settings import incident_clients
from tests.support.aws.fake_aws import ENVIRONMENT, aws
from tests.support.aws.planners import hook, planner_stack
from tests.support.documents import junit_tests
from tests.support.reports import incidents

PLANNER = "arn:aws:lambda:eu-west-1:123456789012:function:egressprobe-1a2b3c4d-planner"
STACK = ["--stack", "egressprobe-prod"]
NOTHING = replace(incidents(), incidents=(), acknowledgements=(), notes=())


@pytest.fixture(scope="module")
def deployed():
    """A stack's outputs in moto."""
    with aws() as cloud, pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in ENVIRONMENT.items():
            monkeypatch.setenv(name, value)
        template = {
            "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
            "Outputs": {"PlannerFunction": {"Value": PLANNER}},
        }
        boto3.client("cloudformation").create_stack(StackName="egressprobe-prod", TemplateBody=json.dumps(template))
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", cloud.url)
        yield cloud


@pytest.fixture
def planner(deployed):
    """A Planner that answers `planner.answer`."""
    deployed.asked, deployed.answer = [], incidents()

    def answer(body):
        deployed.asked.append(json.loads(body))
        return deployed.answer if isinstance(deployed.answer, bytes) else msgspec.json.encode(deployed.answer)

    deployed.functions[PLANNER] = answer
    return deployed


def test_what_is_open_with_its_messages_and_who_knows_of_it(planner, capsys):
    """To the letter: it is read at night."""
    assert cli.main(["incidents", *STACK]) == 3
    assert planner.asked == [{"action": "incidents"}]
    assert (
        capsys.readouterr().out
        == """\
FAIL: prod: 1 page, 1 notice open at 2026-11-26T03:04:00+00:00

page: the default route of rtb-1 is a black hole (ROUTE_BLACKHOLE)
    since     2026-11-26T02:11:00+00:00 (53 min)
    targets   policy.example.com, idp from subnet-0b
    message   sent: broken, changed
    incident  20261126T021100Z-1a2b3c4d

notice: the certificate of audit.example.com expired (tls_cert_expired)
    since     2026-11-25T10:00:00+00:00 (17 h 4 min)
    targets   audit.example.com from subnet-0a, subnet-0b
    targets   and 2 more
    affects   all Pod CREATE
    owner     Team A (warning)
    ending    measured, and nothing of it fails since 2026-11-26T03:00:00+00:00
    now       its targets fail by another cause: 20261125T110000Z-11112222
    message   not sent: every target is acknowledged
    incident  20261125T100000Z-5e6f7a8b

audit.example.com is acknowledged until 2026-11-27T10:00:00+00:00 by Admin/alice: INC-42
Recovered, and the alarm `path broken` is still on: the default route of rtb-1 is a black hole (ROUTE_BLACKHOLE)
a note
"""
    )


@pytest.mark.parametrize(
    ("tiers", "evaluated", "verdict", "code"),
    [
        ((), True, Verdict.PASS, 0),
        ((), False, Verdict.UNKNOWN, 4),
        ((Tier.NOTICE,), True, Verdict.DEGRADED, 4),
        ((Tier.NOTICE,), False, Verdict.UNKNOWN, 4),
        ((Tier.PAGE,), False, Verdict.FAIL, 3),
    ],
)
def test_the_exit_code_and_every_format_agree(planner, capsys, tiers, evaluated, verdict, code):
    """What is not known is no pass, in no format."""
    open_now = tuple(incident for incident in incidents().open if incident.tier in tiers)
    planner.answer = replace(NOTHING, incidents=open_now, evaluated=evaluated)
    assert planner.answer.verdict is verdict
    assert cli.main(["incidents", *STACK, "-o", "junit"]) == code
    outcomes = {test.outcome for test in junit_tests(capsys.readouterr().out)}
    assert ("failure" in outcomes) == (code == 3)
    assert (outcomes <= {"passed"}) == (code == 0)
    cli.main(["incidents", *STACK])
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith({0: "pass: ", 3: "FAIL: "}.get(code, first[:1]))
    assert ("not known" in first) == (not tiers and not evaluated)


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_as_data(planner, capsys, form):
    import yaml

    cli.main(["incidents", *STACK, "-o", form])
    assert msgspec.convert(yaml.safe_load(capsys.readouterr().out), OpenIncidents) == planner.answer


def test_the_state_of_a_message():
    [page] = [incident for incident in incidents().open if incident.tier is Tier.PAGE]
    states = {
        "not sent yet": {"sent": ()},
        "being sent: broken": {"sent": (), "sending": Transition.BROKEN},
        "sent: broken; then not sent: muted by RULE": {"sent": (Transition.BROKEN,), "silent": "muted by RULE"},
    }
    for text, fields in states.items():
        table = incidents_table(replace(NOTHING, incidents=(replace(page, **fields),)))
        assert f"    message   {text}" in table.splitlines()


@pytest.mark.parametrize("since", ["", "yesterday", "2026-11-26T02:11:00", "2026-11-27T00:00:00+00:00"])
def test_a_time_that_says_nothing_has_no_duration(since):
    [page] = [incident for incident in incidents().open if incident.tier is Tier.PAGE]
    table = incidents_table(replace(NOTHING, incidents=(replace(page, since=since, opened_at=since),)))
    assert f"    since     {since}".rstrip() in [line.rstrip() for line in table.splitlines()]


def test_texts_of_others_cannot_control_a_terminal(planner, capsys):
    page = replace(incidents().incidents[2], what="a\x1b[2Jb", failing={"x\n": ()})
    planner.answer = replace(NOTHING, incidents=(page,), notes=("\x07",))
    cli.main(["incidents", *STACK])
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\x07" not in out


# -- ack --


def test_ack_sends_who_until_when_and_why(planner, capsys):
    """The caller is moto's; --for is from now."""
    before = datetime.now(UTC).replace(microsecond=0)
    assert cli.main(["ack", *STACK, "audit.example.com", "AUDIT*", "--for", "90m", "--note", "INC-42"]) == 0
    [event] = planner.asked
    until = datetime.fromisoformat(event.pop("until"))
    assert before + timedelta(minutes=90) <= until <= datetime.now(UTC) + timedelta(minutes=90)
    caller = boto3.client("sts").get_caller_identity()["Arn"]
    assert caller.endswith(event["by"])
    assert event == {
        "action": "acknowledge",
        "targets": ["audit.example.com", "AUDIT*"],
        "by": event["by"],
        "note": "INC-42",
    }
    assert "/" not in event["by"] or not event["by"].startswith(("user/", "assumed-role/")), "short"
    out = capsys.readouterr().out
    assert "audit.example.com is acknowledged until 2026-11-27T10:00:00+00:00 by Admin/alice: INC-42\n" in out


def test_undo_and_list(planner, capsys):
    planner.answer = NOTHING
    assert cli.main(["ack", *STACK, "audit.example.com", "--undo"]) == 0
    assert cli.main(["ack", *STACK, "--list"]) == 0
    undo, listed = planner.asked
    assert (undo["targets"], undo["until"]) == (["audit.example.com"], "")
    assert listed == {"action": "acknowledge", "targets": []}, "which changes nothing"
    assert capsys.readouterr().out == "No target is acknowledged.\n" * 2


def test_a_name_that_is_not_in_the_inventory_is_2_and_says_which_is(planner, capsys):
    why = 'is not in this stack\'s inventory of 9 targets; did you mean "policy.example.com"?'
    planner.answer = replace(incidents(), refused=(RefusedTarget("polcy.example.com", why),))
    assert cli.main(["ack", *STACK, "polcy.example.com", "-o", "json"]) == 2
    captured = capsys.readouterr()
    assert captured.err == f'egressprobe: "polcy.example.com" {why}\n'
    assert msgspec.json.decode(captured.out, type=OpenIncidents) == planner.answer


def test_what_was_not_done_is_no_success(planner, capsys):
    """A stack that sends no messages of causes acknowledges nothing, and its note says so."""
    planner.answer = replace(NOTHING, notes=("nothing was changed: the stack sends no messages of causes",))
    assert cli.main(["ack", *STACK, "t"]) == 2
    captured = capsys.readouterr()
    assert captured.err == 'egressprobe: "t" is not acknowledged\n'
    assert captured.out == "nothing was changed: the stack sends no messages of causes\n"
    planner.answer = incidents()
    assert cli.main(["ack", *STACK, "audit*", "--undo"]) == 2
    assert capsys.readouterr().err == 'egressprobe: "audit*" is still acknowledged\n'


@pytest.mark.parametrize(
    ("arn", "by"),
    [
        ("arn:aws:sts::123456789012:assumed-role/Admin/alice@example.com", "Admin/alice@example.com"),
        ("arn:aws:iam::123456789012:user/alice", "alice"),
        ("arn:aws:iam::123456789012:root", "root"),
        (f"arn:aws:sts::123456789012:assumed-role/{'r' * 64}/{'s' * 64}", f"{'r' * 64}/{'s' * 35}"),
        (None, ""),
    ],
)
def test_who_acknowledges(planner, monkeypatch, arn, by):
    """STS that does not answer costs the name, not the acknowledgement."""
    from botocore.client import BaseClient
    from botocore.exceptions import EndpointConnectionError

    call = BaseClient._make_api_call

    def answering(client, operation, parameters):
        if operation != "GetCallerIdentity":
            return call(client, operation, parameters)
        if arn is None:
            raise EndpointConnectionError(endpoint_url="https://sts")
        return {"Arn": arn}

    monkeypatch.setattr(BaseClient, "_make_api_call", answering)
    assert cli.main(["ack", *STACK, "audit.example.com"]) == 0
    assert planner.asked[0]["by"] == by


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], "TARGET: is missing; `egressprobe incidents` names what fails"),
        (["--list", "t"], "--list: goes with --stack alone"),
        (["--list", "--for", "1h"], "--list: goes with --stack alone"),
        (["t", "--undo", "--note", "x"], "--undo: takes neither --for, --until nor --note"),
        (["t", "--for", "4"], '--for: "4" is not a time such as 90m, 6h or 7d'),
        (["t", "--for", "31d"], "--for: 31d is longer than 30d"),
        (["t", "--until", "tomorrow"], '--until: "tomorrow" is not a time such as 2026-11-30T08:00:00Z'),
        (["t", "--until", "2099-01-01T00:00:00"], '--until: "2099-01-01T00:00:00" lacks its offset'),
        (["t", "--until", "2020-01-01T00:00:00Z"], "--until: 2020-01-01T00:00:00Z is not within the next 30d"),
        (["t", "--for", "1h", "--until", "2099-01-01T00:00:00Z"], "not allowed with argument --for"),
        (["t", "--note", "a\nb"], "--note: needs one line of printable characters, at most 500"),
        (["t", "--note", "x" * 501], "--note: needs one line of printable characters, at most 500"),
    ],
)
def test_bad_input_is_one_line_and_asks_nothing(planner, capsys, words, text):
    assert cli.main(["ack", *STACK, *words]) == 2
    assert text in capsys.readouterr().err
    assert planner.asked == []


def test_a_time_is_sent_in_utc():
    now = datetime(2026, 11, 26, tzinfo=UTC)
    assert until_of(None, None, now) == "2026-11-26T04:00:00+00:00"
    assert until_of(None, "2026-11-27T08:00:00+02:00", now) == "2026-11-27T06:00:00+00:00"
    with pytest.raises(InputError):
        until_of(None, "2026-11-26T00:00:00Z", now)


@pytest.mark.parametrize("command", [["incidents"], ["ack", "t"]])
@pytest.mark.parametrize(
    ("answer", "code", "text"),
    [
        (
            b'{"error": {"code": "target_invalid", "message": "event.action: must be one of plan, probe"}}',
            2,
            "--stack: its Planner is older than this command and has no incidents; deploy it again",
        ),
        (b'{"error": {"code": "x", "message": "event.until: is past"}}', 2, "event.until: is past"),
        (b'{"errorMessage": "boom", "errorType": "X"}', 1, "the Planner failed: "),
        (b'{"verdict": "pass"}', 1, "the Planner's response is not about incidents of this version"),
        (b"[]", 1, "the Planner's response is not an object"),
    ],
)
def test_what_goes_wrong_is_one_line(planner, capsys, command, answer, code, text):
    planner.answer = answer
    assert cli.main([*command, *STACK]) == code
    [line] = capsys.readouterr().err.splitlines()
    assert text in line


# -- the real Planner -------------------------------------------------------------------------------------------


@pytest.fixture
def real(deployed, tmp_path, monkeypatch):
    """The Planner's handler behind the command's Invoke, with moto's scheduler behind it."""
    with planner_stack(tmp_path, monkeypatch, Discovery="false", TargetNotifications="causes") as stack:
        for service in ("cloudformation", "sts"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service.upper()}", f"https://{service}.eu-west-1.amazonaws.com")
        incident_clients.cache_clear()
        stack.plan(hook("policy-a"), hook("policy-b"))
        deployed.functions[PLANNER] = lambda body: json.dumps(stack.run(json.loads(body))).encode()
        yield stack
        incident_clients.cache_clear()


def test_the_planner_remembers_who_knows_of_what(real, capsys, monkeypatch):
    """Acknowledged, listed, mistyped, taken back; and what a stack without messages answers."""
    assert cli.main(["ack", *STACK, "policy-a", "--until", soon(), "--note", "INC-42"]) == 0
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("policy-a is acknowledged until ")
    assert line.endswith(": INC-42")
    assert cli.main(["ack", *STACK, "--list"]) == 0
    assert capsys.readouterr().out == f"{line}\n"
    assert cli.main(["ack", *STACK, "polcy-b"]) == 2
    assert 'egressprobe: "polcy-b" is not in this stack\'s inventory of 2 targets; did you mean "policy-b"?' in (
        capsys.readouterr().err
    )
    assert cli.main(["ack", *STACK, "POLICY*", "--undo"]) == 0
    assert capsys.readouterr().out == "No target is acknowledged.\n"
    monkeypatch.setenv("EGRESSPROBE_MESSAGES", "false")
    assert cli.main(["ack", *STACK, "policy-a"]) == 2
    assert "the stack sends no messages of causes" in capsys.readouterr().out
    assert cli.main(["incidents", *STACK]) == 4
    assert "UNKNOWN: prod: it is not known what is open" in capsys.readouterr().out


def soon():
    return (datetime.now(UTC) + timedelta(hours=2)).isoformat()
