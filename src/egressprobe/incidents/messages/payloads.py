"""What is sent where: the attributes of SNS, and the detail of the event as JSON. Pure."""

import msgspec

from egressprobe.incidents.messages.bounds import MAX_DETAIL
from egressprobe.incidents.messages.safe import ascii_line
from egressprobe.incidents.model import IncidentMessage
from egressprobe.model.target import Impact

# Raw delivery to SQS has at most 10. https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html
_MAX_VALUE = 256


def sns_attributes(message: IncidentMessage) -> dict[str, str]:
    """At most ten, all strings, for filter policies; one without a value is left out."""
    worst = next((impact for impact in Impact if any(t.impact is impact for t in message.cause.targets)), Impact.BLOCKS)
    values = {
        "cluster": message.cluster_name,
        "tier": str(message.tier),
        "transition": str(message.transition),
        "code": message.code,
        "severity": message.severity,
        "impact": str(worst),
        "dedupKey": message.dedup_key,
        "messageId": message.id,
        "owner": message.owner,
        "region": message.region,
    }
    return {name: ascii_line(value, _MAX_VALUE) for name, value in values.items() if ascii_line(value)}


def detail_json(message: IncidentMessage) -> str:
    """At most 200 KB; integrations that do not fit are left out, and the notes say so."""
    encoded = msgspec.json.encode(message)
    if len(encoded) > MAX_DETAIL:
        note = "the integrations were left out to fit the message"
        encoded = msgspec.json.encode(msgspec.structs.replace(message, integrations={}, notes=(*message.notes, note)))
    return encoded.decode()
