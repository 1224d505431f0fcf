"""The examples that connect PagerDuty, Slack and OpsCenter: valid templates, whose rules pass on what those accept."""

import json

import pytest
from moto.events.models import EventPattern
from msgspec.structs import replace
from samtranslator.yaml_helper import yaml_parse

from egressprobe.incidents.causes.unseen import EGRESS_DOWN, NOT_LOOKED_UP, PATH_BROKEN
from egressprobe.incidents.messages.payloads import detail_json, sns_attributes
from egressprobe.planner.incidents.publish import DETAIL_TYPE, SOURCE
from tests.conftest import ROOT
from tests.incidents.scenes import SCENES
from tests.incidents.test_messages import pagerduty_accepts, slack_accepts

EXAMPLES = {path.stem.removeprefix("messages-"): path for path in (ROOT / "docs/examples").glob("messages-*.yaml")}
PASSED_ON = {"pagerduty": {"broken", "escalated", "changed", "recovered"}, "opscenter": {"broken", "escalated"}}


def rule_of(name):
    return yaml_parse(EXAMPLES[name].read_text())["Resources"]["Rule"]["Properties"]


def passed_on(name, message):
    """What the rule's target gets of a message; None where the rule does not match."""
    rule = rule_of(name)
    event = {"source": SOURCE, "detail-type": DETAIL_TYPE, "detail": json.loads(detail_json(message))}
    if not EventPattern.load(json.dumps(rule["EventPattern"])).matches_event(event):
        return None
    found = event
    for key in rule["Targets"][0]["InputPath"].removeprefix("$.").split("."):
        found = found[key]
    return found


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_the_template_is_valid(name):
    """By cfn-lint, warnings included."""
    from cfnlint.api import lint

    problems = lint(EXAMPLES[name].read_text())
    assert not [f"{problem.rule.id} {problem.message}" for problem in problems]


@pytest.mark.parametrize("scene", ["black-hole", "escalated", "black-hole-changed", "black-hole-recovered"])
def test_each_gets_what_it_accepts(scene):
    """The transitions of its rule, in its own format."""
    message = SCENES[scene].make()[-1]
    pagerduty_accepts(passed_on("pagerduty", message))
    slack_accepts(passed_on("slack", message))
    item = passed_on("opscenter", message)
    assert (item is not None) == (message.transition in PASSED_ON["opscenter"])
    if item is not None:
        assert set(item) == {"title", "description", "source", "severity", "category", "operationalData"}
        assert json.loads(item["operationalData"]["/aws/dedup"]["value"]) == {"dedupString": message.dedup_key}


def test_what_closes_a_superseded_incident_reaches_machines_alone():
    """PagerDuty closes its own incident; nobody reads of it in Slack."""
    message = replace(SCENES["black-hole-recovered"].make()[-1], people=False)
    assert passed_on("pagerduty", message)["event_action"] == "resolve"
    assert passed_on("slack", message) is None


def test_the_page_names_every_field_and_attribute():
    """docs/messages.md beside the types."""
    page = (ROOT / "docs/messages.md").read_text()
    message = SCENES["black-hole"].make()[-1]
    for field in json.loads(detail_json(message)):
        assert f"`{field}`" in page, field
    for name in (*sns_attributes(message), "owner"):
        assert f"`{name}`" in page, name
    for code in (NOT_LOOKED_UP, EGRESS_DOWN, PATH_BROKEN):
        assert f"`{code}`" in page, code
