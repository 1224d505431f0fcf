"""The first line: what is broken, where, since when, what it means, what to do. Pure.

It is read alone, on a phone: at most 300 ASCII characters, no newline.
"""

from egressprobe.incidents.causes.wording import affected_words, counted, listed
from egressprobe.incidents.messages.action import Advised
from egressprobe.incidents.messages.safe import ascii_line, clock, duration, line, seconds_between, shortened
from egressprobe.incidents.model import NetworkChange, ObservedCause, Tier, Transition
from egressprobe.incidents.states.decisions import DueMessage

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
        return ascii_line(f"{start}: over{_period(due, cause, now)}. {_passes(cause)} Do: nothing.", MAX_HEADLINE)
    fails = f"{_fails(cause)} since {clock(cause.since, now)}"
    affected = line(affected_words(cause.targets) or due.incident.affected, _MOST_AFFECTED) or "requests may fail"
    reported = "" if cause.reproduced else " (the alarm says so; not reproduced)"
    middle = f"{start}{reported}. {fails}; {affected}."
    if due.transition is Transition.CHANGED and due.changes:
        middle = f"{start}. Before it, {changed(due.changes[0], now)}. {fails}; {affected}."
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
    if len(names) == 1:
        return names[0], True
    return (counted(len(names), "target"), False) if names else ("the path", True)


def _where(cause: ObservedCause) -> str:
    return f" from {listed([line(subnet, 30) for subnet in cause.where], 3)}" if cause.where else ""


def _fails(cause: ObservedCause) -> str:
    who, single = _who(cause)
    degraded = bool(cause.targets) and all(target.degraded for target in cause.targets)
    verb = ("is degraded" if single else "are degraded") if degraded else ("fails" if single else "fail")
    return f"{who[:1].upper()}{who[1:]} {verb}{_where(cause)}" if not cause.targets else f"{who} {verb}{_where(cause)}"


def _passes(cause: ObservedCause) -> str:
    who, single = _who(cause)
    return (
        f"{who[:1].upper() if not cause.targets else who[:1]}{who[1:]} {'passes' if single else 'pass'}{_where(cause)}."
    )


def _period(due: DueMessage, cause: ObservedCause, now: str) -> str:
    end = due.incident.ended_at or now
    took = seconds_between(cause.since or due.incident.opened_at, end)
    began = clock(cause.since or due.incident.opened_at, now)
    return f" after {duration(took)} ({began.removesuffix(' UTC')} to {clock(end, now)})" if took is not None else ""
