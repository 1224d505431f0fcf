"""The first line: what is broken, where, since when, what it means, what to do. Pure.

It is read alone, on a phone: at most 300 ASCII characters, no newline.
"""

from msgspec.structs import replace

from egressprobe.incidents.alarms import AlarmKind
from egressprobe.incidents.causes import drill
from egressprobe.incidents.causes.wording import affected_words, counted, listed
from egressprobe.incidents.messages.action import Advised
from egressprobe.incidents.messages.safe import ascii_line, clock, duration, line, seconds_between, shortened
from egressprobe.incidents.model import NetworkChange, ObservedCause, Tier, Transition
from egressprobe.incidents.states.decisions import DueMessage
from egressprobe.model.target import Impact

MAX_HEADLINE = 300
# SNS: less than 100 characters, no line breaks or control characters.
# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
MAX_SUBJECT = 99
_MOST_WHAT, _MOST_AFFECTED = 120, 80
_LABELS = {Transition.RECOVERED: "RECOVERED", Transition.CHANGED: "CHANGE", Transition.ESCALATED: "PAGE, was a notice"}


def label(due: DueMessage, tier: Tier) -> str:
    """`[PAGE]`, `[NOTICE]`, `[RECOVERED]`, `[CHANGE]`, `[PAGE, was a notice]`."""
    return f"[{_LABELS.get(due.transition, str(tier).upper())}]"


def headline(due: DueMessage, cause: ObservedCause, advised: Advised, cluster: str, now: str) -> str:
    start = f"{label(due, cause.tier)} {line(cluster, 40)}: {line(cause.what, _MOST_WHAT)}"
    if due.transition is Transition.RECOVERED:
        return ascii_line(f"{start}: over{_period(due, cause, now)}. {_passes(due, cause)} Do: nothing.", MAX_HEADLINE)
    start += "" if cause.reproduced or cause.code == drill.CODE else " (reported by the alarm, not reproduced)"
    affected = line(_affected(due, cause), _MOST_AFFECTED)
    since = f"since {clock(cause.since or due.incident.opened_at, now)}; {affected}."
    middle = f"{start}. {_fails(cause)} {since}" if cause.targets else f"{start} {since}"
    if due.transition is Transition.CHANGED and due.changes:
        middle = f"{start}. Before it, {changed(due.changes[0], now)}. {_fails(cause)} {since}"
    last = f" {advised.words.rstrip('.')}."
    return ascii_line(shortened(ascii_line(middle), max(MAX_HEADLINE - len(last), 100)) + last, MAX_HEADLINE)


def subject(due: DueMessage, cause: ObservedCause, cluster: str) -> str:
    """Of an e-mail: the label, the cluster and what is broken."""
    return ascii_line(f"{label(due, cause.tier)} {line(cluster, 40)}: {line(cause.what)}", MAX_SUBJECT)


def changed(change: NetworkChange, now: str) -> str:
    """`role deployer called DeleteNatGateway (nat-1) at 02:10 UTC`."""
    resources = f" ({line(listed(change.resources, 2), 60)})" if change.resources else ""
    return f"{line(change.by, 60) or 'someone'} called {line(change.call, 60)}{resources} at {clock(change.at, now)}"


def _who(cause: ObservedCause) -> tuple[str, bool]:
    """The target, or how many; and whether it is one."""
    names = [line(target.name, 50) for target in cause.targets]
    return (names[0], True) if len(names) == 1 else (counted(len(names), "target"), False)


def _affected(due: DueMessage, cause: ObservedCause) -> str:
    """What it means for the cluster; of an egress path it is more than what its targets mean."""
    words = affected_words(cause.targets) or due.incident.affected
    blocks = any(target.impact is Impact.BLOCKS and not target.degraded for target in cause.targets)
    if not blocks and AlarmKind.EGRESS_DOWN in cause.alarms:
        return "calls to anything outside the VPC fail"
    if not blocks and AlarmKind.EGRESS_WOULD_FAIL in cause.alarms:
        return "after the switch, calls to anything outside the VPC fail"
    return words or "requests may fail"


def _where(cause: ObservedCause) -> str:
    return f" from {listed([line(subnet, 30) for subnet in cause.where], 3)}" if cause.where else ""


def _fails(cause: ObservedCause) -> str:
    who, single = _who(cause)
    if cause.targets and all(target.degraded for target in cause.targets):
        return f"{who} {'is' if single else 'are'} degraded{_where(cause)}"
    return f"{who} {'fails' if single else 'fail'}{_where(cause)}"


def _passes(due: DueMessage, cause: ObservedCause) -> str:
    """Only of what was measured: a target may have left the plan."""
    left = tuple(target for target in cause.targets if target.name not in due.removed)
    if len(left) < len(cause.targets):
        number = counted(len(cause.targets) - len(left), "target")
        removed = f"{number} left the plan, not probed any more."
        return f"{_passes(due, replace(cause, targets=left))} {removed}" if left else removed.capitalize()
    if not cause.targets:
        return f"What is outside the VPC can be reached{_where(cause)}." if cause.where else "Every target passes."
    who, single = _who(cause)
    return f"{who} {'passes' if single else 'pass'}{_where(cause)}."


def _period(due: DueMessage, cause: ObservedCause, now: str) -> str:
    began, end = cause.since or due.incident.opened_at, due.incident.ended_at or now
    took = seconds_between(began, end)
    if took is None:
        return ""
    first, last = clock(began, now), clock(end, now if began[:10] == end[:10] else "")
    return f" after {duration(took)} ({first.removesuffix(' UTC')} to {last})"
