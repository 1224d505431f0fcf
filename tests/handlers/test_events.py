"""The sample events are what the README says they are."""

import json

import pytest

from egressprobe.handlers.probe import _event
from egressprobe.net.guard import forbidden
from egressprobe.targets.plan import read_plan
from tests.conftest import ROOT

EVENTS = sorted((ROOT / "events").glob("*.json"))


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_events_are_well_formed(path):
    """Each is accepted by the handler's own reading; the demo's CA is filled in by the lab."""
    event = json.loads(path.read_text())
    kind = _event(event)
    assert kind == {"on-demand": "demand", "schedule": "schedule", "doctor": "doctor", "demo": "schedule"}[path.stem]
    if path.stem != "demo" and kind != "doctor":
        assert read_plan(event.get("plan", event), forbidden=forbidden).targets
