"""Names, ids and texts of others of any length: the message is one that SNS and EventBridge accept."""

import pytest

from egressprobe.incidents.messages.compose import compose
from egressprobe.incidents.messages.payloads import detail_json, sns_attributes
from egressprobe.incidents.messages.place import MessagePlace
from egressprobe.incidents.model import AffectedTarget, Incident, NetworkChange, ObservedCause, Tier, Transition
from egressprobe.incidents.states.decisions import DueMessage
from egressprobe.model.remedy import RemedySteps
from egressprobe.model.target import Impact

NOW = "2026-11-26T02:11:00Z"
CONSOLE = "https://console.aws.amazon.com/cloudwatch/home?region=eu-west-1#dashboards/dashboard/x"
PLACE = MessagePlace("prod", "eu-west-1", "1", "s", CONSOLE, "", "/egressprobe/prod/probe")
LIMIT = 256_000


@pytest.mark.parametrize("text", ["x" * 300, "x" * 2_000, "x" * 9_000, "\U0001f600" * 2_000], ids=len)
def test_a_message_of_any_content_is_accepted(text):
    target = AffectedTarget(text, Impact.BLOCKS, text, (text,), text, (text,) * 20, text, "critical")
    cause = ObservedCause(
        key=text,
        code=text,
        tier=Tier.PAGE,
        what=text,
        targets=(target,) * 60,
        where=(text,) * 16,
        since=NOW,
        alarms=("targets",),
        muted=text,
        evidence=(text,) * 9,
        unknown=(text,) * 9,
        path=(text,) * 60,
        remedy=text,
        remedy_steps=RemedySteps(fix=(text,), proven=True),
    )
    incident = Incident("id-1", text[:200], text, Tier.PAGE, text[:200], NOW, NOW, {text: (text,)}, severity="critical")
    change = NetworkChange("e-1", NOW, text, text, (text,) * 6, related=True)
    message = compose(DueMessage(incident, Transition.BROKEN, cause, (change,) * 20, (incident,) * 9), PLACE, NOW)
    assert len(detail_json(message).encode()) < LIMIT
    attributes = "".join(name + value for name, value in sns_attributes(message).items())
    assert len((message.text + attributes).encode()) < LIMIT
    assert message.text.startswith(f"{message.headline}\n")
    assert (message.id, message.dedup_key) == ("id-1/broken", "egressprobe:id-1")
