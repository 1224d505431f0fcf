"""Open incidents as a table: what is broken, since when, which targets, whether it was reported; acknowledgements."""

from collections.abc import Iterator
from datetime import datetime

from egressprobe.cli.output.terminal import COLOURS, SHOWN, Style, indented, paragraph, printable, some
from egressprobe.incidents.answer import OpenIncidents
from egressprobe.incidents.model import Acknowledgement, Incident, Tier
from egressprobe.model.target import Verdict

VERDICTS = {Tier.PAGE: Verdict.FAIL, Tier.NOTICE: Verdict.DEGRADED}


def incidents_table(answer: OpenIncidents, *, colour: bool = False, width: int | None = None) -> str:
    """width: columns of a terminal to fold explanations to; None leaves them whole."""
    style = Style(colour)
    word = SHOWN[answer.verdict]
    first, *rest = paragraph(summary_line(answer), width)
    lines = [style.paint(word, COLOURS[answer.verdict]) + first.removeprefix(word), *rest]
    for incident in by_tier(answer):
        head = f"{incident.tier}: {printable(incident.what)} ({printable(incident.code)})"
        lines += ["", style.paint(head, COLOURS[VERDICTS[incident.tier]])]
        for label, text in explained(incident, answer.at):
            lines += indented(style, label, text, width)
    below = [part for text in footer(answer) for part in paragraph(text, width)]
    return "\n".join((*lines, *(["", *below] if below else [])))


def by_tier(answer: OpenIncidents) -> list[Incident]:
    """The open ones, pages first, in each tier the oldest first."""
    return sorted(answer.open, key=lambda incident: (incident.tier is not Tier.PAGE, incident.opened_at, incident.key))


def summary_line(answer: OpenIncidents) -> str:
    """The verdict, and how many of which tier are open."""
    tiers = [incident.tier for incident in answer.open]
    counts = ", ".join(f"{tiers.count(tier)} {tier}{'s' * (tiers.count(tier) != 1)}" for tier in Tier if tier in tiers)
    nothing = "no open incident" if answer.evaluated else "it is not known what is open"
    return f"{SHOWN[answer.verdict]}: {answer.cluster_name}: {f'{counts} open' if counts else nothing} at {answer.at}"


def explained(incident: Incident, now: str) -> Iterator[tuple[str, str]]:
    """(label, text): since when, what fails from where, what was sent."""
    since = incident.since or incident.opened_at
    yield "since", f"{since}{_ago(since, now)}"
    yield from (("targets", text) for text in _targets(incident))
    known = (
        ("affects", incident.affected),
        ("owner", f"{incident.owner} ({incident.severity})" if incident.owner else ""),
        ("ending", f"measured, and nothing of it fails since {incident.ended_at}" if incident.ended_at else ""),
        ("now", f"its targets fail by another cause: {incident.superseded_by}" if incident.superseded_by else ""),
    )
    yield from (pair for pair in known if pair[1])
    yield "message", message_state(incident)
    yield "incident", incident.id


def _targets(incident: Incident) -> Iterator[str]:
    """Those that fail from the same subnets are one line."""
    by_subnets: dict[tuple[str, ...], list[str]] = {}
    for target, subnets in incident.failing.items():
        by_subnets.setdefault(subnets, []).append(target or "everything outside the VPC")
    for subnets, targets in by_subnets.items():
        yield f"{some(targets)}{f' from {some(subnets)}' if subnets else ''}"
    if incident.more:
        yield f"and {incident.more} more"


def message_state(incident: Incident) -> str:
    """Which messages were sent, or why none was."""
    sent = f"sent: {', '.join(incident.sent)}" if incident.sent else ""
    if incident.silent:
        return f"{sent}; then not sent: {incident.silent}" if sent else f"not sent: {incident.silent}"
    sending = f"being sent: {incident.sending}" if incident.sending else ""
    return "; ".join(filter(None, (sent, sending))) or "not sent yet"


def acknowledgement_text(item: Acknowledgement) -> str:
    """`TARGET is acknowledged until TIME by WHO: NOTE`."""
    by = f" by {item.by}" if item.by else ""
    return f"{item.target} is acknowledged until {item.until}{by}{f': {item.note}' if item.note else ''}"


def footer(answer: OpenIncidents) -> Iterator[str]:
    """Acknowledgements, what has ended while `path broken` is on, and notes."""
    yield from map(acknowledgement_text, answer.acknowledgements)
    for incident in answer.incidents:
        if incident not in answer.open:
            yield f"Recovered, and the alarm `path broken` is still on: {incident.what} ({incident.code})"
    yield from answer.notes


def _ago(since: str, now: str) -> str:
    try:
        minutes = (datetime.fromisoformat(now) - datetime.fromisoformat(since)).total_seconds() // 60
    except (ValueError, TypeError):  # not a time, or one of both without its offset
        return ""
    if minutes < 0:
        return ""
    hours, rest = divmod(int(minutes), 60)
    return f" ({f'{hours} h {rest} min' if hours else f'{rest} min'})"
