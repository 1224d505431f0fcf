"""The messages of every scene: golden texts, short and whole, and within the limits of whoever accepts them.

Write the golden files anew with UPDATE_GOLDEN=1 make test ARGS=tests/incidents/test_messages.py
"""

import json
import os
from pathlib import Path

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from egressprobe.catalog.registry import all_entries
from egressprobe.incidents.alarms import Contributor
from egressprobe.incidents.messages.action import advised
from egressprobe.incidents.messages.compose import compose
from egressprobe.incidents.messages.headline import MAX_HEADLINE
from egressprobe.incidents.messages.payloads import detail_json, sns_attributes
from egressprobe.incidents.messages.safe import ascii_line, clock, duration, line, seconds_between
from egressprobe.incidents.model import AffectedTarget, IncidentMessage, NetworkChange, ObservedCause, Tier, Transition
from egressprobe.incidents.states.decisions import DueMessage
from egressprobe.incidents.states.memory import opened
from egressprobe.model.failure import Code
from egressprobe.model.remedy import RemedySteps
from egressprobe.model.series import dimension_value
from egressprobe.model.text import valid_text
from tests.conftest import ROOT
from tests.incidents.scenes import NOW, PLACE, SCENES, all_fail
from tests.support.incident_story import IncidentStory
from tests.support.incidents import Probed, broken
from tests.support.vpc.snapshots import clean

GOLDEN = Path(__file__).parent / "golden"
SCHEMA = json.loads((ROOT / "docs/schemas/incident-v1.json").read_text())
HOSTILE = (
    "\x1b[31m<!channel> @here\r\n[PAGE] all is well \u202egnp\u2066\x00 *bold* `x` <https://evil.example|click> \ud83d"
)


@pytest.fixture(params=SCENES, scope="module")
def scene(request):
    return request.param, SCENES[request.param].make()


@pytest.fixture
def message(scene):
    return scene[1][-1]


def test_golden(scene):
    """What people read, to the byte; the subject first."""
    name, messages = scene
    text = f"Subject: {messages[-1].subject}\n\n{messages[-1].text}\n"
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text()


@pytest.mark.parametrize("entry", all_entries(), ids=lambda entry: entry.code)
def test_what_to_do_is_not_cut_inside_parentheses(entry):
    """In the headline, of every code that there is; nor at the full stop of a name such as cert-manager.io."""
    advice = advised(ObservedCause("key", entry.code, Tier.PAGE, "what", (), remedy=entry.remedy), PLACE)
    for words in (advice.words, advice.title):
        assert words.count("(") == words.count(")"), words


def test_every_golden_file_is_a_scene():
    assert {path.stem for path in GOLDEN.iterdir()} == set(SCENES)


def test_the_text_is_short(message):
    """Fewer than 12 lines; at most 100 characters but for the headline, commands and addresses."""
    lines = message.text.split("\n")
    assert len(lines) < 12
    commands = {c for fix in (message.cause.remedy_steps,) if fix for c in (*fix.fix, *fix.check)}
    for text in lines[1:]:
        whole = text in commands or "https://" in text or text.startswith("egressprobe ")
        assert whole or len(text) <= 100, text


def test_the_headline_alone_is_enough(message):
    """What is broken, where, since when, what it means, what to do; one line of ASCII."""
    first = message.headline
    assert first == message.text.partition("\n")[0]
    assert first.isascii()
    assert len(first) <= MAX_HEADLINE
    assert "prod: " in first
    assert "UTC" in first
    assert "Fix" in first or "Do:" in first
    assert any(subnet in first for subnet in message.cause.where) or not message.cause.where
    assert message.duration_seconds is not None or "request" in first or "calls to" in first
    names = [target.name for target in message.cause.targets]
    assert not names or any(name in message.text for name in names) or message.duration_seconds is not None


def test_the_subject_is_one_that_sns_accepts(message):
    """https://docs.aws.amazon.com/sns/latest/api/API_Publish.html"""
    assert message.subject.isascii()
    assert message.subject.isprintable()
    assert 0 < len(message.subject) < 100


def test_a_proven_fix_is_printed_whole(message):
    """Every command that the audit proved, each on a line of its own."""
    steps = message.cause.remedy_steps
    if steps and steps.proven and message.transition != "recovered":
        assert set(steps.fix) <= set(message.text.split("\n"))
        assert "Fix (proven)" in message.headline


def test_it_is_as_the_schema_says(scene):
    """Every message of the scene, as it leaves."""
    for made in scene[1]:
        document = json.loads(detail_json(made))
        jsonschema.Draft202012Validator(SCHEMA).validate(document)
        assert msgspec.convert(document, IncidentMessage) == made


def test_attributes_are_at_most_ten_strings(message):
    attributes = sns_attributes(message)
    assert len(attributes) <= 10
    assert all(value.isascii() and 0 < len(value) <= 256 for value in attributes.values())
    assert attributes["dedupKey"] == message.dedup_key
    assert attributes["messageId"] == message.id


def pagerduty_accepts(event):
    """https://developer.pagerduty.com/docs/events-api-v2/trigger-events/"""
    assert event["event_action"] in ("trigger", "resolve")
    assert 0 < len(event["dedup_key"]) <= 255
    assert 0 < len(event["payload"]["summary"]) <= 1024
    assert event["payload"]["severity"] in ("critical", "error", "warning", "info")
    assert event["payload"]["source"]
    assert all(link["href"].startswith("https://") for link in event["links"])
    assert "routing_key" not in event
    assert len(json.dumps(event)) <= 512 * 1024


def slack_accepts(message):
    """https://docs.slack.dev/reference/block-kit/blocks"""
    assert 0 < len(message["blocks"]) <= 50
    kinds = [block["type"] for block in message["blocks"]]
    assert kinds[:2] == ["header", "section"]
    assert len(message["blocks"][0]["text"]["text"]) <= 150
    for block in message["blocks"]:
        if block["type"] == "actions":
            assert 0 < len(block["elements"]) <= 25
            assert len({button["action_id"] for button in block["elements"]}) == len(block["elements"])
            for button in block["elements"]:
                assert len(button["text"]["text"]) <= 75
                assert len(button["url"]) <= 3000
        else:
            assert 0 < len(block["text"]["text"]) <= 3000
            assert block["text"]["type"] == "plain_text" or block["text"]["text"].startswith("```")


def test_pagerduty_slack_and_opscenter_accept_it(scene):
    """Their documented limits; OpsCenter's by the model of its API."""
    import botocore.session
    from botocore.validate import ParamValidator

    operation = botocore.session.get_session().get_service_model("ssm").operation_model("CreateOpsItem")
    for made in scene[1]:
        pagerduty_accepts(made.integrations["pagerduty"])
        slack_accepts(made.integrations["slack"])
        assert ("opsItem" in made.integrations) == (made.transition != "recovered")
        if "opsItem" in made.integrations:
            item = made.integrations["opsItem"]
            report = ParamValidator().validate(item, operation.input_shape)
            assert not report.has_errors(), report.generate_report()
            assert len(item["Title"]) <= 1024
            assert len(item["Description"]) <= 2048
            assert item["Severity"] in "1234"
            assert json.loads(item["OperationalData"]["/aws/dedup"]["Value"]) == {"dedupString": made.dedup_key}


def test_one_incident_has_one_dedup_key_and_each_message_an_id_of_its_own():
    opened, over = SCENES["black-hole-recovered"].make()
    assert opened.dedup_key == over.dedup_key
    assert opened.id != over.id
    assert opened.integrations["pagerduty"]["event_action"] == "trigger"
    assert over.integrations["pagerduty"]["event_action"] == "resolve"
    assert over.integrations["pagerduty"]["dedup_key"] == opened.integrations["pagerduty"]["dedup_key"]
    assert (opened.severity, over.severity) == ("critical", "critical")
    assert over.duration_seconds == 32 * 60


# -- hostile content, and much of it --------------------------------------------------------------------------


def of_hostile(name, *, changes=(), many=1):
    targets = [Probed(name, url="https://hook.example/", affects=HOSTILE, objects=(HOSTILE,) * 30)]
    targets += [Probed(f"{name}-{number}", url="https://hook.example/") for number in range(many - 1)]
    story = IncidentStory(targets)
    seen = all_fail(targets, Code.CONNECT_REFUSED, message=HOSTILE)
    alarms = broken(dimension_value(name), code=Code.CONNECT_REFUSED)
    story.changes = {"connect_refused|hook.example:443": changes}
    (due,) = story.look(NOW, alarms, seen, clean())
    return compose(due, PLACE, NOW, [HOSTILE])


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def test_hostile_text_is_harmless():
    """One line stays one line, no escape reaches a terminal, nothing mentions a channel."""
    change = NetworkChange("1", NOW, HOSTILE, HOSTILE, (HOSTILE, HOSTILE), True)
    made = of_hostile(f"hook {valid_text(HOSTILE)}", changes=(change,))
    assert len(made.text.split("\n")) < 12
    assert all(text.isprintable() for text in made.text.split("\n"))
    assert "\n" not in made.headline
    for text in (made.text, made.headline, made.subject, *strings(made.integrations)):
        assert not any(
            bad in text for bad in ("\x1b", "\x00", "\u202e", "\u2066", "\r", "<!channel", "@here", "<https")
        )
    mrkdwn = [
        b["text"]["text"] for b in made.integrations["slack"]["blocks"] if b.get("text", {}).get("type") == "mrkdwn"
    ]
    assert all(text.count("```") == 2 for text in mrkdwn)
    json.loads(detail_json(made))
    assert all(value.isascii() for value in sns_attributes(made).values())


def test_a_large_message_is_cut_and_says_so():
    """400 targets of one server, each with long texts: within what SNS and EventBridge accept."""
    made = of_hostile("hook.example", many=400)
    assert len(detail_json(made).encode()) <= 200_000
    assert any("targets are listed" in note for note in made.notes)
    assert "400 targets fail" in made.headline
    huge = replace(made, integrations={"x": "y" * 300_000})
    assert len(detail_json(huge).encode()) <= 200_000
    assert "integrations were left out" in detail_json(huge)


def test_a_part_that_fails_costs_that_part(monkeypatch, caplog):
    """The message leaves, with what is left of it."""
    for part in ("links_of", "text_of", "integrations_of"):
        monkeypatch.setattr(f"egressprobe.incidents.messages.compose.{part}", lambda *_: 1 / 0)
    made = SCENES["black-hole"].make()[-1]
    assert made.text == made.headline
    assert (made.links, made.integrations) == ((), {})
    assert "a part of a message could not be made" in caplog.text


_texts = st.text(st.characters(codec="utf-8"), max_size=60)
_severities = st.sampled_from(("", "critical", "error", "warning", "info"))


@given(
    cause=st.builds(
        ObservedCause,
        key=_texts,
        code=st.sampled_from(("ROUTE_BLACKHOLE", "connect_refused", "egress_down", "x")) | _texts,
        what=_texts,
        targets=st.lists(
            st.builds(
                AffectedTarget,
                name=_texts,
                subnets=st.lists(_texts, max_size=2).map(tuple),
                objects=st.lists(_texts, max_size=3).map(tuple),
                affects=_texts,
                severity=_severities,
                owner=_texts,
            ),
            max_size=4,
        ).map(tuple),
        where=st.lists(_texts, max_size=4).map(tuple),
        since=_texts | st.just(NOW),
        evidence=st.lists(_texts, max_size=5).map(tuple),
        unknown=st.lists(_texts, max_size=4).map(tuple),
        alarms=st.just(("targets",)),
        alarm_since=_texts | st.just(NOW),
        path=st.just(()),
        remedy=_texts,
        remedy_steps=st.none().map(lambda _: msgspec.UNSET) | st.builds(RemedySteps, fix=st.lists(_texts).map(tuple)),
    ),
    transition=st.sampled_from(Transition),
    note=_texts,
)
@settings(max_examples=60)
def test_any_text_makes_a_message(cause, transition, note):
    """Whatever names, texts and commands hold: short, one line a line, and accepted by everyone."""
    incident = opened(cause, NOW)
    change = NetworkChange("1", note, note, note, (note,), True)
    due = DueMessage(incident, transition, cause, (change,), (incident,))
    made = compose(due, PLACE._replace(cluster_name=note or "prod"), NOW, [note])
    lines = made.text.split("\n")
    assert len(lines) < 12
    assert all(text.isprintable() for text in lines)
    assert made.headline.isascii()
    assert len(made.headline) <= MAX_HEADLINE
    assert len(made.subject) < 100
    pagerduty_accepts(made.integrations["pagerduty"])
    slack_accepts(made.integrations["slack"])
    assert len(sns_attributes(made)) <= 10
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(detail_json(made)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\nb", "a b"),
        ("\x1b]0;title\x07x\x1b[1mbold", "xbold"),
        ("<!here> <@U1> <#C1> <http://x|y>", "(!here> (@U1> (#C1> (http://x|y>"),
        ("replace <NAT> </dev/null", "replace <NAT> </dev/null"),
        ("team@example.com @everyone", "team@example.com (at)everyone"),
        ("caf\u00e9 \ufeff\u200bok", "caf\u00e9 ok"),
    ],
)
def test_line(text, expected):
    assert line(text) == expected


def test_ascii_line_cuts_and_replaces():
    assert ascii_line("Équipe 東京", 20) == "Equipe ??"
    assert ascii_line("abcdefghij", 8) == "abcde..."


def test_times_and_durations():
    """UTC, with the date where it is not today's; durations in two units."""
    assert clock("2026-11-26T03:11:00+01:00", NOW) == "02:11 UTC"
    assert clock("2026-11-25T23:59:00+00:00", NOW) == "2026-11-25 23:59 UTC"
    assert clock("", NOW) == "an unknown time"
    assert [duration(s) for s in (40, 59.7, 3540, 3600, 7500, 86400, 270000)] == [
        *("40 s", "1 min", "59 min", "1 h", "2 h 5 min", "1 d", "3 d 3 h"),
    ]
    assert seconds_between("2026-11-26T02:00:00+00:00", "2026-11-26T01:00:00+00:00") == 0
    assert seconds_between("", NOW) is None


def test_contributors_of_hostile_names_are_found():
    """An alarm has the name as CloudWatch accepts it."""
    story = IncidentStory([Probed("h\u00f6ok", url="https://hook.example/")])
    alarms = broken("h?ok", code=Code.CONNECT_REFUSED)
    assert alarms.alarms[0].contributors[0] == Contributor(
        "h?ok", "connect_refused", "blocks", "", alarms.alarms[0].since
    )
    (due,) = story.look(NOW, alarms, all_fail(story.targets, Code.CONNECT_REFUSED), clean())
    assert due.cause is not None
    assert due.cause.reproduced
