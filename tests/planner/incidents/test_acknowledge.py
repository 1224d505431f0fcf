"""Acknowledgements: what is accepted, what is refused, and that two people's are both kept."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from botocore.exceptions import EndpointConnectionError

from egressprobe.incidents.model import Acknowledgement, Incident, Tier, Transition
from egressprobe.model.errors import AwsError, InputError
from egressprobe.planner import scheduler_api
from egressprobe.planner.incidents.acknowledge import acknowledge, read_request
from egressprobe.planner.incidents.edges import IncidentEdges
from egressprobe.planner.incidents.settings import IncidentSettings
from egressprobe.planner.incidents.store import IncidentStore
from egressprobe.planner.incidents.turn import ACKNOWLEDGING, Turn
from egressprobe.planner.inventory import read_inventory
from tests.planner.incidents.test_turn import INCIDENTS, NOW, SETTINGS
from tests.support.aws.inline import Inline
from tests.support.aws.planners import hook
from tests.support.aws.scheduler_memory import Scheduler, random_interleavings

UNTIL = "2026-11-27T08:00:00Z"
INVENTORY = read_inventory({"targets": [hook("kyverno-a"), hook("kyverno-b"), hook("other")]})
EDGES = IncidentEdges(clock=lambda: NOW, pause=lambda _: None, start=Inline)


def ask(scheduler, *, incidents=INCIDENTS, edges=EDGES, **event):
    request = read_request({"action": "acknowledge"} | event, NOW)
    return acknowledge(SETTINGS, incidents, INVENTORY, scheduler, request, edges)


def test_names_and_globs_are_acknowledged_and_taken_back():
    """Who did, why, and until when is kept; the others stay."""
    scheduler = Scheduler()
    first = ask(scheduler, targets=["KYVERNO-*"], until="2026-11-27T09:00:00+01:00", by="ada", note="upgrade")
    assert first.acknowledgements == tuple(
        Acknowledgement(name, UNTIL, "ada", "upgrade") for name in ("kyverno-a", "kyverno-b")
    )
    assert ask(scheduler).acknowledgements == first.acknowledgements
    later = ask(scheduler, targets=["kyverno-b", "other"], until="2026-11-28T08:00:00Z")
    assert [(one.target, one.until[8:10]) for one in later.acknowledgements] == [
        ("kyverno-a", "27"), ("kyverno-b", "28"), ("other", "28")
    ]  # fmt: skip
    assert [one.target for one in ask(scheduler, targets=["kyverno-?"], until="").acknowledgements] == ["other"]


def test_a_name_that_is_not_known_costs_none_of_the_others():
    answer = ask(Scheduler(), targets=["kyvreno-a", "other"], until=UNTIL)
    assert [one.target for one in answer.acknowledgements] == ["other"]
    [refused] = answer.refused
    assert (refused.name, "kyverno-a" in refused.why) == ("kyvreno-a", True)


def test_a_target_of_an_open_incident_needs_no_place_in_the_plan():
    """And the acknowledgement is about the causes that are open for it now."""
    scheduler = Scheduler()
    store = IncidentStore(scheduler, "group", Turn(scheduler, SETTINGS, INCIDENTS))
    one = Incident(
        "id", "NACL|acl-1", "c", Tier.PAGE, "w", "t", failing={"gone": (), "": ()}, sent=(Transition.BROKEN,)
    )
    over = Incident("id-2", "OLD|x", "c", Tier.PAGE, "w", "t", failing={"gone": ()}, sent=(Transition.RECOVERED,))
    store.write_incidents((one, over), NOW)
    answer = ask(scheduler, targets=["gone"], until=UNTIL)
    assert answer.acknowledgements == (Acknowledgement("gone", UNTIL, causes=("NACL|acl-1",)),)
    assert (answer.open, answer.refused) == ((one,), ())
    store.write_incidents((), NOW)
    assert ask(scheduler, targets=["gone"], until="").acknowledgements == ()


@pytest.mark.parametrize(
    ("event", "place"),
    [
        ({"targets": "a"}, "event.targets"),
        ({"targets": [3]}, "event.targets"),
        ({"targets": [""]}, "event.targets"),
        ({"targets": ["a"] * 501}, "event.targets"),
        ({"until": 3}, "event.until"),
        ({"until": "tomorrow"}, "event.until"),
        ({"until": "2026-11-27T08:00:00"}, "event.until"),
        ({"until": "2026-11-26T02:11:20Z"}, "event.until"),
        ({"until": "2026-12-26T02:11:21Z"}, "event.until: must be in the future, and at most 30 days"),
        ({"by": None}, "event.by"),
        ({"note": "a\nb"}, "event.note"),
        ({"note": "x" * 501}, "event.note"),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused_with_its_place(event, place):
    with pytest.raises(InputError, match=place):
        read_request({"action": "acknowledge", "targets": ["a"], "until": UNTIL} | event, NOW)


def test_without_messages_nothing_is_changed():
    scheduler = Scheduler()
    answer = ask(scheduler, incidents=IncidentSettings(), targets=["other"], until=UNTIL)
    assert answer.acknowledgements == ()
    assert answer.notes
    assert scheduler.there == {}


def test_people_who_acknowledge_at_once_lose_nothing():
    """In 40 orders of their calls: what was answered is stored, and who waited in vain is asked to try again."""
    both = []

    def make():
        scheduler, ended, accepted = Scheduler(), [], set()

        def run(name):
            with suppress(AwsError):
                ask(scheduler, targets=[name], until=UNTIL)
                accepted.add(name)
            ended.append(name)
            if len(ended) == 2:
                assert {one.target for one in ask(scheduler).acknowledgements} == accepted != set()
                both.append(len(accepted) == 2)

        return scheduler, [partial(run, "kyverno-a"), partial(run, "kyverno-b")], lambda: None

    random_interleavings(make, range(40))
    assert sum(both) > 20


def test_a_lock_that_stays_taken_is_reported_after_some_tries():
    scheduler, pauses = Scheduler(), []
    Turn(scheduler, SETTINGS, INCIDENTS).take(ACKNOWLEDGING)
    with pytest.raises(AwsError, match="try again in a minute"):
        ask(scheduler, targets=["other"], until=UNTIL, edges=EDGES._replace(pause=pauses.append))
    assert sum(pauses) == 16


def test_schedules_that_cannot_be_read_are_an_error(monkeypatch):
    monkeypatch.setattr(scheduler_api.time, "sleep", lambda _: None)

    def refuse(*_):
        raise EndpointConnectionError(endpoint_url="https://scheduler")

    scheduler = Scheduler(refuse)
    with pytest.raises(AwsError, match="cannot be read or written"):
        ask(scheduler, targets=["other"], until=UNTIL)


def test_an_acknowledgement_ends_by_itself():
    scheduler = Scheduler()
    ask(scheduler, targets=["other"], until=UNTIL)
    after = EDGES._replace(clock=lambda: datetime.fromisoformat(UNTIL).astimezone(UTC) + timedelta(seconds=1))
    assert ask(scheduler, edges=after).acknowledgements == ()
