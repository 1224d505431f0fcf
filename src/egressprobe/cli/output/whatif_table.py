"""A trial of a plan as a table: what closes, opens and is unknown, by its cause; and what is not carried out."""

from collections.abc import Callable, Iterator, Sequence

from egressprobe.audit.whatif.result import Effect, PathEffect, PlanStep, WhatIf
from egressprobe.cli.output.audit_table import source_line
from egressprobe.cli.output.terminal import COLOURS, SHOWN, Style, indented, paragraph, short, some
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
STATES = {"open": "open", "partial": "partial", "closed": "CLOSED", "unknown": "unknown", "": "not used"}
STATUS = {"refused": "REFUSED", "unmodelled": "NOT MODELLED", "elsewhere": "another VPC", "no effect": "no effect"}
_MOST_STEPS, _MOST_WHYS = 12, 3
_FAIL_PAINT = COLOURS[Verdict.FAIL]


def whatif_table(result: WhatIf, *, colour: bool = False, width: int | None = None) -> str:
    """`width`: columns of a terminal to fold words to; None leaves all whole."""
    style = Style(colour)
    heads = (summary_line(result), plan_line(result), source_line(result))
    lines = [*(part for text in heads for part in paragraph(text, width)), ""]
    before = len(lines)
    for group in _groups(result.paths):
        lines += _group(group, style, width)
    for finding in result.findings:
        lines.append(style.paint(f"{'ADDS':<9}", _FAIL_PAINT) + f"{finding.severity} {finding.code}")
        lines += indented(style, "cause", finding.summary, width)
    for finding in result.resolved:
        lines.append(f"{'resolves':<9}{finding.severity} {finding.code}")
        lines += indented(style, "cause", finding.summary, width)
    lines += _steps(result.steps, style, width)
    if len(lines) > before:
        lines.append("")
    lines += [part for text in footer(result) for part in paragraph(text, width)]
    return "\n".join(lines)


def _groups(paths: Sequence[PathEffect]) -> list[list[PathEffect]]:
    """Paths with one cause, in the order of _ORDER."""
    groups: dict[tuple[object, ...], list[PathEffect]] = {}
    for path in paths:
        key = (path.effect, path.expect, path.before, path.after, path.code, path.steps, path.why)
        groups.setdefault(key, []).append(path)
    return sorted(
        groups.values(),
        key=lambda group: (not is_wrong(group[0]), is_wanted(group[0]), _ORDER.index(group[0].effect)),
    )


def is_wrong(path: PathEffect) -> bool:
    """A target that must be blocked and is not."""
    return path.expect is Expect.BLOCKED and path.after in ("open", "partial")


def is_wanted(path: PathEffect) -> bool:
    """A target that must be blocked and is, by the plan."""
    return path.expect is Expect.BLOCKED and path.effect == "closes" and path.after == "closed"


def _group(group: list[PathEffect], style: Style, width: int | None) -> Iterator[str]:
    first = group[0]
    after = f"{STATES[first.after]} {first.code}".rstrip()
    wrong, wanted = is_wrong(first), is_wanted(first)
    head = "MUST BE BLOCKED, " if wrong else "must be blocked, " if wanted else ""
    count = f"{len(group)} path{'' if len(group) == 1 else 's'}"
    paint = _FAIL_PAINT if wrong else COLOURS[Verdict.PASS] if wanted else _PAINT[first.effect]
    shown = "closes" if wanted else _HEADS[first.effect]
    yield style.paint(f"{shown:<9}", paint) + f"{head}{count}: {STATES[first.before]} -> {after}"
    for subnets, targets in _by_subnets(group):
        yield from indented(style, "paths", f"{some(targets)} from {some(subnets)}", width)
    yield from _sentences("cause", [path.cause for path in group if path.cause], style, width)
    yield from _sentences("why", first.why, style, width)
    if first.steps:
        yield from indented(style, "by", some(first.steps), width)


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
        of_target.setdefault(path_name(path), []).append(f"{path.subnet} ({path.zone})" if path.zone else path.subnet)
    together: dict[tuple[str, ...], list[str]] = {}
    for target, subnets in of_target.items():
        together.setdefault(tuple(subnets), []).append(target)
    yield from ((list(subnets), targets) for subnets, targets in together.items())


def path_name(path: PathEffect) -> str:
    """A target with its port, and the protocol and the family where they tell paths from each other."""
    port = f" {path.protocol.upper()}" if path.protocol != "tcp" else ""
    family = f" ({path.family.replace('ipv', 'IPv')})" if path.family else ""
    return f"{short(path.target)}:{path.port}{port}{family}"


def _steps(steps: Sequence[PlanStep], style: Style, width: int | None) -> Iterator[str]:
    """Those that are not carried out, or not whole."""
    for status in ("refused", "unmodelled"):
        listed = [step for step in steps if step.status == status]
        for step in listed[:_MOST_STEPS]:
            yield style.paint(STATUS[status], _PAINT["unknown"]) + f" {step.name} ({step.action})"
            yield from _sentences("why", step.why, style, width)
        if len(listed) > _MOST_STEPS:
            yield f"and {len(listed) - _MOST_STEPS} more that are {STATUS[status].lower()} (-o json has them)"


def plan_line(result: WhatIf) -> str:
    """The plan, and what became of its steps."""
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
    return f"{result.plan}: {', '.join(parts)}."


def summary_line(result: WhatIf) -> str:
    """The first line: the verdict, and how many paths the plan changes."""
    summary = result.summary
    unchanged = ", ".join(f"{count} {state}" for state, count in summary.unchanged.items())
    name = result.cluster_name or result.vpc
    return (
        f"{name}: {SHOWN[result.verdict]}; closes {summary.closes}, opens {summary.opens}, unknown {summary.unknown}; "
        f"unchanged: {unchanged or 'none'}."
    )


def footer(result: WhatIf) -> Iterator[str]:
    """Notes on the trial, what was not evaluated, and its limits."""
    yield from result.notes
    if result.not_audited:
        listed = [f"{target.name} ({target.reason})" for target in result.not_audited]
        yield f"{len(listed)} not evaluated: {some(listed)}."
    yield result.limits
