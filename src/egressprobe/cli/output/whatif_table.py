"""A trial of a plan as a table: what closes, opens and is unknown, by its cause; and what is not carried out."""

from collections.abc import Callable, Iterator, Sequence

from egressprobe.audit.whatif.result import Effect, PathEffect, PlanStep, WhatIf
from egressprobe.cli.output.terminal import COLOURS, SHOWN, Style, indented, paragraph, short
from egressprobe.model.target import Expect, Verdict

_HEADS: dict[Effect, str] = {"closes": "CLOSES", "opens": "opens", "unknown": "UNKNOWN", "ends": "ends"}
_PAINT: dict[Effect, str] = {
    "closes": COLOURS[Verdict.FAIL],
    "opens": COLOURS[Verdict.PASS],
    "unknown": COLOURS[Verdict.UNKNOWN],
    "ends": "2",
}
# What needs a person comes first.
_ORDER: tuple[Effect, ...] = ("closes", "unknown", "opens", "ends")
_STATES = {"open": "open", "partial": "partial", "closed": "CLOSED", "unknown": "unknown", "": "not used"}
_STATUS = {"refused": "REFUSED", "unmodelled": "NOT MODELLED", "elsewhere": "another VPC", "no effect": "no effect"}
_MOST_NAMED, _MOST_STEPS, _MOST_WHYS = 5, 12, 3
_FAIL_PAINT = COLOURS[Verdict.FAIL]


def whatif_table(result: WhatIf, *, colour: bool = False, width: int | None = None) -> str:
    """`width`: columns of a terminal to fold words to; None leaves all whole."""
    style = Style(colour)
    lines: list[str] = []
    for group in _groups(result.paths):
        lines += _group(group, style, width)
    for finding in result.findings:
        lines.append(style.paint(f"{'ADDS':<9}", _FAIL_PAINT) + f"{finding.severity} {finding.code}")
        lines += indented(style, "cause", finding.summary, width)
    for finding in result.resolved:
        lines.append(f"{'resolves':<9}{finding.severity} {finding.code}")
        lines += indented(style, "cause", finding.summary, width)
    lines += _steps(result.steps, style, width)
    if lines:
        lines.append("")
    lines += [part for text in _footer(result) for part in paragraph(text, width)]
    return "\n".join(lines)


def _groups(paths: Sequence[PathEffect]) -> list[list[PathEffect]]:
    """Paths with one cause, in the order of _ORDER."""
    groups: dict[tuple[object, ...], list[PathEffect]] = {}
    for path in paths:
        key = (path.effect, path.expect, path.before, path.after, path.code, path.steps, path.why)
        groups.setdefault(key, []).append(path)
    return sorted(groups.values(), key=lambda group: (not _is_wrong(group[0]), _ORDER.index(group[0].effect)))


def _is_wrong(path: PathEffect) -> bool:
    """A target that must be blocked and is not."""
    return path.expect is Expect.BLOCKED and path.after in ("open", "partial")


def _group(group: list[PathEffect], style: Style, width: int | None) -> Iterator[str]:
    first = group[0]
    after = f"{_STATES[first.after]} {first.code}".rstrip()
    wrong = _is_wrong(first)
    head = "MUST BE BLOCKED, " if wrong else ""
    count = f"{len(group)} path{'' if len(group) == 1 else 's'}"
    paint = _FAIL_PAINT if wrong else _PAINT[first.effect]
    yield style.paint(f"{_HEADS[first.effect]:<9}", paint) + f"{head}{count}: {_STATES[first.before]} -> {after}"
    for subnets, targets in _by_subnets(group):
        yield from indented(style, "paths", f"{_some(targets)} from {_some(subnets)}", width)
    yield from _sentences("cause", [path.cause for path in group if path.cause], style, width)
    yield from _sentences("why", first.why, style, width)
    if first.steps:
        yield from indented(style, "by", _some(first.steps), width)


def _sentences(label: str, texts: Sequence[str], style: Style, width: int | None) -> Iterator[str]:
    """The first few, each once."""
    unique = list(dict.fromkeys(texts))
    for i, text in enumerate(unique[:_MOST_WHYS]):
        yield from indented(style, "" if i else label, text, width)
    if len(unique) > _MOST_WHYS:
        yield from indented(style, "", f"and {len(unique) - _MOST_WHYS} more (-o json has them)", width)


def _by_subnets(group: list[PathEffect]) -> Iterator[tuple[list[str], list[str]]]:
    """Targets that have the same subnets, together."""
    of_target: dict[str, list[str]] = {}
    for path in group:
        of_target.setdefault(_name(path), []).append(f"{path.subnet} ({path.zone})" if path.zone else path.subnet)
    together: dict[tuple[str, ...], list[str]] = {}
    for target, subnets in of_target.items():
        together.setdefault(tuple(subnets), []).append(target)
    yield from ((list(subnets), targets) for subnets, targets in together.items())


def _name(path: PathEffect) -> str:
    port = f" {path.protocol.upper()}" if path.protocol != "tcp" else ""
    family = f" ({path.family.replace('ipv', 'IPv')})" if path.family else ""
    return f"{short(path.target)}:{path.port}{port}{family}"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _steps(steps: Sequence[PlanStep], style: Style, width: int | None) -> Iterator[str]:
    """Those that are not carried out, or not whole."""
    for status in ("refused", "unmodelled"):
        listed = [step for step in steps if step.status == status]
        for step in listed[:_MOST_STEPS]:
            yield style.paint(_STATUS[status], _PAINT["unknown"]) + f" {step.name} ({step.action})"
            yield from _sentences("why", step.why, style, width)
        if len(listed) > _MOST_STEPS:
            yield f"and {len(listed) - _MOST_STEPS} more that are {_STATUS[status].lower()} (-o json has them)"


def _footer(result: WhatIf) -> Iterator[str]:
    statuses = [step.status for step in result.steps]
    parts = [f"{statuses.count('applied')} applied to the snapshot"]
    words: tuple[tuple[str, Callable[[int], str]], ...] = (
        ("refused", lambda count: f"{count} refused by AWS"),
        ("unmodelled", lambda count: f"{count} not modelled"),
        ("elsewhere", lambda count: f"{count} in another VPC"),
        ("no effect", lambda count: f"{count} without effect"),
    )
    parts += [word(statuses.count(status)) for status, word in words if statuses.count(status)]
    if result.ignored:
        parts.append(f"{result.ignored} that touch no path")
    yield f"{result.plan}: {', '.join(parts)}."
    summary = result.summary
    unchanged = ", ".join(f"{count} {state}" for state, count in summary.unchanged.items())
    name = result.cluster_name or result.vpc
    yield (
        f"{name}: {SHOWN[result.verdict]}; closes {summary.closes}, opens {summary.opens}, unknown {summary.unknown}; "
        f"unchanged: {unchanged or 'none'}; {result.vpc} in {result.region} as of {result.taken_at}."
    )
    yield from result.notes
    if result.not_audited:
        listed = [f"{target.name} ({target.reason})" for target in result.not_audited]
        yield f"{len(listed)} not evaluated: {_some(listed)}."
    yield result.limits
