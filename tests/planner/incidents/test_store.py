"""What is remembered comes back, whatever its size; what cannot be read is counted, never guessed."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from egressprobe.incidents.model import Acknowledgement, Incident, Tier, Transition
from egressprobe.planner.incidents.store import INCIDENTS, IncidentStore, Remembered, StateTooLargeError, as_input
from egressprobe.planner.incidents.turn import Turn, store_errors
from egressprobe.planner.shards import MAX_INPUT
from tests.planner.incidents.test_turn import INCIDENTS as ON
from tests.planner.incidents.test_turn import NOW, SETTINGS
from tests.support.aws.scheduler_memory import Scheduler


def incident(number=0, targets=2):
    failing = {
        f"validatingwebhook/policy-{number}/hook-{n}.example.com": ("subnet-0a1b2c3d", "subnet-1")
        for n in range(targets)
    }
    return Incident(f"id-{number}", f"KEY|{number}", "connect_timeout", Tier.PAGE, "what", "2026-11-26T02:11:00Z",
                    failing=failing, sent=(Transition.BROKEN,), sending=Transition.RECOVERED)  # fmt: skip


@pytest.fixture
def store():
    scheduler = Scheduler()
    return IncidentStore(scheduler, "group", Turn(scheduler, SETTINGS, ON))


def test_nothing_is_remembered_before_the_first_write(store):
    assert store.incidents() == Remembered()
    assert store.acknowledgements(NOW) == ()


@pytest.mark.parametrize("many", [0, 1, 3, 600])
def test_incidents_come_back_as_they_were(store, many):
    """600 of them are compressed; three can be read in the console."""
    before = tuple(incident(number) for number in range(many))
    store.write_incidents(before, NOW)
    assert store.incidents() == Remembered(before, "2026-11-26T02:11:20+00:00")
    text = store._client.there[INCIDENTS]["Target"]["Input"]
    assert len(text) <= MAX_INPUT
    assert ("policy-0" in text) is (0 < many < 600)
    assert store._client.there[INCIDENTS]["State"] == "DISABLED"


def test_one_cause_may_break_thousands_of_targets(store):
    """None of them is forgotten: each must be seen to pass before the incident ends."""
    large = (incident(0, targets=5000),)
    store.write_incidents(large, NOW)
    assert store.incidents().incidents == large


def test_what_does_not_fit_is_refused_whole():
    """Rather than to forget a target."""
    import random

    dice = random.Random(1)
    noise = tuple(Incident(dice.randbytes(400).hex(), "k", "c", Tier.PAGE, "w", "t") for _ in range(700))
    with pytest.raises(StateTooLargeError, match="700 entries"):
        as_input(noise, NOW)


@pytest.mark.parametrize(
    "stored",
    [
        {"Target": {}},
        {"Target": {"Input": "not JSON"}},
        {"Target": {"Input": "[]"}},
        {"Target": {"Input": '{"items": 3}'}},
        {"Target": {"Input": '{"packed": "AAAA"}'}},
        {"Target": {"Input": "[" * 100_000}},
    ],
    ids=str,
)
def test_a_state_that_cannot_be_understood_is_lost_and_reported(store, stored):
    store._client.there[INCIDENTS] = stored
    assert store.incidents() == Remembered(lost=1)
    store.write_incidents((incident(),), NOW)
    assert store.incidents().incidents == (incident(),)


def test_an_answer_without_a_target_is_no_state(store):
    """GetSchedule always has one: nothing is taken from such an answer, and nothing is written over what is there."""
    store._client.there[INCIDENTS] = {}
    with pytest.raises(store_errors()):
        store.incidents()


def test_one_entry_that_cannot_be_understood_costs_no_other(store):
    store.write_incidents((incident(1), incident(2)), NOW)
    raw = store._client.there[INCIDENTS]["Target"]
    content = json.loads(raw["Input"])
    content["items"][0]["tier"] = "siren"
    raw["Input"] = json.dumps(content)
    assert store.incidents() == Remembered((incident(2),), "2026-11-26T02:11:20+00:00", 1)


def test_acknowledgements_expire(store):
    """One without a valid time has expired."""
    current = Acknowledgement("a", (NOW + timedelta(seconds=1)).isoformat(), "me", "known")
    others = [Acknowledgement("b", NOW.isoformat()), Acknowledgement("c", "soon"), Acknowledgement("d", "2030-01-01")]
    store.write_acknowledgements((current, *others), NOW)
    assert store.acknowledgements(NOW) == (current,)
    assert store.acknowledgements(datetime(2026, 11, 27, tzinfo=UTC)) == ()
