"""The same message as PagerDuty, Slack and OpsCenter accept it. Pure.

- PagerDuty, Events API v2: https://developer.pagerduty.com/docs/events-api-v2/trigger-events/. The routing key is the
  integration's own: an API destination adds it (docs/messages.md).
- Slack, Block Kit: https://docs.slack.dev/reference/block-kit/blocks. Text from outside is `plain_text`, which Slack
  does not interpret; only commands are `mrkdwn`, inside a code block.
- OpsCenter: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_CreateOpsItem.html, and the same as
  EventBridge's target for OpsItems takes it. A recovery creates none: OpsCenter has no create that closes.
"""

from typing import Any

from egressprobe.incidents.messages.action import Advised
from egressprobe.incidents.messages.safe import ascii_line, line, shortened
from egressprobe.incidents.model import IncidentMessage, Transition

MAX_SUMMARY, MAX_DEDUP_KEY = 1024, 255
_MAX_HEADER, _MAX_SECTION, _MAX_BUTTON, _MAX_URL = 150, 3000, 75, 3000
_MAX_TITLE, _MAX_DESCRIPTION, _MAX_SOURCE = 1024, 2048, 128
_MOST_NAMED = 20
_OPS_SEVERITIES = {"critical": "1", "error": "2", "warning": "3", "info": "4"}
_CLOSING = Transition.RECOVERED


def integrations_of(message: IncidentMessage, advised: Advised) -> dict[str, Any]:
    """By name: pagerduty, slack; opsItem and opsItemInput, not of a recovery."""
    made = {"pagerduty": _pagerduty(message), "slack": _slack(message, advised)}
    if message.transition is _CLOSING:
        return made
    item = _ops_item(message)
    return made | {"opsItem": item, "opsItemInput": _with_small_initials(item)}


def _pagerduty(message: IncidentMessage) -> dict[str, Any]:
    cause = message.cause
    details = {
        "text": message.text,
        "targets": [line(target.name, MAX_DEDUP_KEY) for target in cause.targets[:_MOST_NAMED]],
        "subnets": list(cause.where[:_MOST_NAMED]),
        "since": message.since,
        "owner": line(message.owner),
        "account": message.account,
        "region": message.region,
        "messageId": message.id,
    }
    event: dict[str, Any] = {
        "event_action": "resolve" if message.transition is _CLOSING else "trigger",
        "dedup_key": message.dedup_key[:MAX_DEDUP_KEY],
        "payload": {
            "summary": ascii_line(message.headline, MAX_SUMMARY),
            "source": line(f"egressprobe {message.cluster_name}", MAX_DEDUP_KEY),
            "severity": message.severity,
            "timestamp": message.at,
            "component": line(cause.key.partition("|")[2], MAX_DEDUP_KEY) or message.cluster_name,
            "group": message.cluster_name,
            "class": message.code,
            "custom_details": details,
        },
        "client": "egressprobe",
        "links": [{"href": link.url, "text": link.name} for link in message.links if len(link.url) <= _MAX_URL],
    }
    dashboard = next((link.url for link in message.links if link.name == "dashboard"), "")
    return event | ({"client_url": dashboard} if dashboard else {})


def _slack(message: IncidentMessage, advised: Advised) -> dict[str, Any]:
    """Commands are one block, so that they can be copied."""
    commands = advised.commands if message.transition is not _CLOSING else ()
    addresses = {link.url for link in message.links}
    prose = [
        text
        for text in message.text.split("\n")
        if text not in commands and not any(text.endswith(url) for url in addresses)
    ]
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(message.subject, _MAX_HEADER)},
        {"type": "section", "text": _plain("\n".join(prose), _MAX_SECTION)},
    ]
    if commands:
        code = _escaped("\n".join(commands).replace("```", "'''"))
        blocks.append(
            {"type": "section", "text": {"type": "mrkdwn", "text": f"```{shortened(code, _MAX_SECTION - 6)}```"}}
        )
    buttons = [
        {"type": "button", "text": _plain(link.name, _MAX_BUTTON), "url": link.url, "action_id": f"open-{link.name}"}
        for link in message.links
        if len(link.url) <= _MAX_URL
    ]
    if buttons:
        blocks.append({"type": "actions", "elements": buttons})
    return {"text": _escaped(shortened(message.headline, _MAX_SECTION)), "blocks": blocks}


def _plain(text: str, most: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": shortened(text, most), "emoji": False}


def _escaped(text: str) -> str:
    """Slack's three characters (Formatting text for app surfaces, "Escaping text")."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _ops_item(message: IncidentMessage) -> dict[str, Any]:
    """The parameters of CreateOpsItem. Keys of operational data may not begin with aws, but for /aws/dedup."""
    searchable = {
        "cluster": message.cluster_name,
        "code": message.code,
        "incident": message.incident_id,
        "owner": line(message.owner),
    }
    data = {name: {"Type": "SearchableString", "Value": value} for name, value in searchable.items() if value}
    data["/aws/dedup"] = {"Type": "SearchableString", "Value": f'{{"dedupString":"{message.dedup_key}"}}'}
    return {
        "Title": ascii_line(message.subject, _MAX_TITLE),
        "Description": shortened(message.text, _MAX_DESCRIPTION),
        "Source": line(f"egressprobe {message.cluster_name}", _MAX_SOURCE),
        "Severity": _OPS_SEVERITIES.get(message.severity, "3"),
        "Category": "Availability",
        "OperationalData": data,
    }


def _with_small_initials(parameters: dict[str, Any]) -> dict[str, Any]:
    """The names of CreateOpsItem's parameters as an event's target has them; those of operational data stay."""
    data = {
        name: {key.lower(): value for key, value in item.items()}
        for name, item in parameters["OperationalData"].items()
    }
    return {name[0].lower() + name[1:]: value for name, value in (parameters | {"OperationalData": data}).items()}
