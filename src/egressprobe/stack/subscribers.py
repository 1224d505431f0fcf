"""Who is notified. A topic without a confirmed subscriber reaches no person, so deploy warns before and after."""

from collections.abc import Mapping
from typing import Any

from egressprobe.stack.aws_answers import aws_errors, error_line

_PENDING = "PendingConfirmation"
# What a topic gets that a pager cannot close by itself (docs/alarms.md).
_FOR_PEOPLE = {
    "causes": "each cause is a message, as text; a pager takes it from the event bus: docs/messages.md, Connect",
    "true": "each broken target is a page; for a pager that closes an incident by its alarm's OK set "
    "TargetNotifications=notices",
}


def before_deployment(parameters: Mapping[str, str]) -> list[str]:
    """Warnings from the stack's parameters."""
    lines = []
    if not parameters["AlarmTopicArn"] and not parameters["AlarmEmail"]:
        lines.append(
            "  WARNING: pages reach no person: the stack's own topic has no subscriber.\n"
            "    Set AlarmEmail=... or AlarmTopicArn=..., or subscribe to the output PageTopic"
        )
    if parameters["AlarmEmail"] and not parameters["AlarmTopicArn"]:
        lines.append(f"  {parameters['AlarmEmail']} gets an e-mail from AWS; pages come only after it is confirmed")
    if parameters["AlarmTopicArn"] and parameters["TargetNotifications"] in _FOR_PEOPLE:
        lines.append(f"  {_FOR_PEOPLE[parameters['TargetNotifications']]}")
    if not parameters["NoticeTopicArn"]:
        lines.append("  notices (certificates and so on) are on the dashboard only;")
        lines.append("    NoticeTopicArn=... sends them")
    return lines


def after_deployment(session: Any, topic: str) -> list[str]:
    """Warnings from the topic's subscriptions, as SNS lists them."""
    if not topic:
        return []
    try:
        pages = session.client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
        subscriptions = [entry for page in pages for entry in page.get("Subscriptions") or []]
    except aws_errors() as error:
        return [f"WARNING: the subscribers of {topic} could not be read: {error_line(error)}"]
    pending = [entry.get("Endpoint", "?") for entry in subscriptions if entry.get("SubscriptionArn") == _PENDING]
    lines = [f"WARNING: {endpoint} has not confirmed the subscription to {topic} yet" for endpoint in pending]
    if len(subscriptions) == len(pending):
        lines.append(f"WARNING: pages reach no person: {topic} has no confirmed subscriber")
    return lines
