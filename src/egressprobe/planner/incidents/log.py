"""The log's line of each open incident in each evaluation: the dashboard and the saved query "incidents" read them."""

from collections.abc import Iterable
from typing import Any

from egressprobe.incidents.model import Incident
from egressprobe.incidents.states.memory import is_over


def log_open(logger: Any, incidents: Iterable[Incident]) -> None:
    """Fields are strings: CloudWatch Logs Insights makes a field of them, and none of a list."""
    for incident in incidents:
        if is_over(incident):
            continue
        facts = {
            "openIncident": incident.id,
            "tier": str(incident.tier),
            "code": incident.code,
            "openedAt": incident.opened_at,
            "affected": incident.affected,
            "owner": incident.owner,
            "reason": incident.silent,
        }
        logger.info(incident.what, extra={name: text for name, text in facts.items() if text})
