"""What the Planner remembers of a drill: whether its message has left, and whether its end was reported.

It is asked for what it remembers, which evaluates nothing: the message must come by the same way as in an incident,
from the alarm by EventBridge.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from egressprobe.incidents.answer import OpenIncidents
from egressprobe.incidents.model import Incident, Transition
from egressprobe.model.errors import AwsError
from egressprobe.model.target import DRILL_TARGET
from egressprobe.stack.drill.watch import INCIDENT, TARGETS, Message

_QUESTION = {"action": "acknowledge", "targets": []}
_AT = {"Target": DRILL_TARGET}


class PlannerMemory:
    """ask: the Planner's answer to an event. A drill's incident is looked up once more at each call."""

    def __init__(self, ask: Callable[[dict[str, Any]], dict[str, Any]], now: Callable[[], datetime]) -> None:
        self._ask, self._now, self._seen = ask, now, ""

    def page(self) -> Message | None:
        """Once it was sent, or is not to be: then with the reason. Raises AwsError and botocore's exceptions."""
        incident = self._incident()
        if incident is None or not (incident.silent or Transition.BROKEN in incident.sent):
            return None
        self._seen = incident.id
        return Message(self._now(), TARGETS, incident.silent or None, _AT)

    def all_clear(self, *, still: bool) -> Message | None:
        """Once it was sent. It is forgotten when "path broken" has ended as well; still: whether that is on."""
        incident = self._incident()
        over = Transition.RECOVERED in incident.sent if incident else bool(self._seen) and not still
        return Message(self._now(), INCIDENT, None, _AT) if over else None

    def _incident(self) -> Incident | None:
        """The drill's, the one that was seen or the newest."""
        answer = self._ask(_QUESTION)
        try:
            incidents = msgspec.convert(answer, OpenIncidents).incidents
        except msgspec.ValidationError as invalid:
            reason = answer.get("error", invalid)
            raise AwsError(f"the Planner's answer is not about incidents: {reason}; deploy the stack again") from None
        of_drill = [
            incident for incident in incidents if DRILL_TARGET in incident.failing and self._seen in ("", incident.id)
        ]
        return max(of_drill, key=lambda incident: incident.opened_at, default=None)
