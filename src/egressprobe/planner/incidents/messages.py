"""A due message as it is published: from which stack, to which topic."""

from collections.abc import Sequence

from egressprobe.incidents.messages.compose import compose
from egressprobe.incidents.messages.payloads import detail_json, sns_attributes
from egressprobe.incidents.messages.place import MessagePlace
from egressprobe.incidents.states.decisions import DueMessage
from egressprobe.planner.incidents.publish import Outgoing
from egressprobe.planner.incidents.settings import IncidentSettings
from egressprobe.planner.settings import Settings


def outgoing(
    due: DueMessage, settings: Settings, incidents: IncidentSettings, *, topic: str, at: str, notes: Sequence[str] = ()
) -> Outgoing:
    """topic: ARN, empty for none. at: now (RFC 3339). notes: what was not read, in sentences."""
    place = MessagePlace(
        cluster_name=settings.cluster_name,
        region=settings.region,
        account=incidents.account,
        stack=incidents.stack,
        dashboard_url=incidents.dashboard_url,
        runbook_url=incidents.runbook_url,
        probe_logs=incidents.probe_logs,
    )
    message = compose(due, place, at, notes)
    return Outgoing(
        id=message.id,
        incident_id=message.incident_id,
        topic=topic,
        subject=message.subject,
        text=message.text,
        attributes=sns_attributes(message),
        detail=detail_json(message),
    )
