"""What the Planner answers to people about incidents."""

import msgspec

from egressprobe.incidents.answer import OPEN_INCIDENTS_SCHEMA, OpenIncidents
from egressprobe.incidents.model import Acknowledgement, Incident, Tier, Transition
from egressprobe.model.joined_report import RefusedTarget

NOW = "2026-11-26T03:00:00+00:00"
OPEN = Incident("1", "ROUTE_BLACKHOLE|rtb-1", "ROUTE_BLACKHOLE", Tier.PAGE, "no route", NOW, sent=(Transition.BROKEN,))
OVER = msgspec.structs.replace(OPEN, id="2", sent=(Transition.BROKEN, Transition.RECOVERED))


def test_what_has_recovered_is_not_open_and_travels_all_the_same():
    """A reader sees why `path broken` is still on."""
    answer = OpenIncidents(
        OPEN_INCIDENTS_SCHEMA,
        "prod",
        NOW,
        incidents=(OPEN, OVER),
        acknowledgements=(Acknowledgement("t", NOW, "me"),),
        refused=(RefusedTarget("u", "is not in this stack's inventory"),),
        notes=("messages are off",),
    )
    assert answer.open == (OPEN,)
    assert msgspec.json.decode(msgspec.json.encode(answer), type=OpenIncidents) == answer
