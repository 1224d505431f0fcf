"""A preflight as a table: the decision and what decides it, the matrix, causes with their fixes, checks, and gaps."""

from collections.abc import Iterable, Iterator, Sequence

from msgspec import UNSET, UnsetType

from egressprobe.cli.output.preflight.matrix import matrix_groups
from egressprobe.cli.output.preflight.words import counted, headline, reason_text
from egressprobe.cli.output.terminal import Style, indented, paragraph, remedy, short
from egressprobe.model.joined_report import Cause
from egressprobe.model.remedy import RemedySteps
from egressprobe.model.report import Finding
from egressprobe.readiness.result import (
    LOCAL,
    CheckState,
    Decision,
    Preflight,
)

_COLOUR = {Decision.GO: "32", Decision.NO_GO: "31", Decision.UNKNOWN: "35"}
_STATES = {CheckState.MET: "met", CheckState.NOT_MET: "NOT MET", CheckState.UNKNOWN: "UNKNOWN"}
_STATE_COLOUR = {CheckState.MET: "32", CheckState.NOT_MET: "31", CheckState.UNKNOWN: "35"}
_PARTS = {"prerequisite": "Prerequisites", "verification": "Verification, as AWS lists it"}
_MOST_REASONS, _MOST_NAMED = 12, 4


def preflight_table(preflight: Preflight, *, colour: bool = False, width: int | None = None) -> str:
    """The table; `width`: columns of a terminal to fold words to, None leaves them whole. Commands are never folded."""
    style = Style(colour)
    parts = [
        list(_head(preflight, style, width)),
        list(_reasons(preflight, style, width)),
        *matrix_groups(preflight, style, width),
        list(_causes(preflight, style, width)),
        list(_checks(preflight, "prerequisite", style, width)),
        list(_checks(preflight, "verification", style, width)),
        list(_findings(preflight.safety, style, width)),
        list(_not_covered(preflight, style, width)),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part)


def _head(preflight: Preflight, style: Style, width: int | None) -> Iterator[str]:
    first, *rest = paragraph(headline(preflight), width)
    word = str(preflight.decision)
    yield style.paint(word, _COLOUR[preflight.decision]) + first[len(word) :]
    yield from rest
    cluster = preflight.cluster
    moved = sum(row.switch_relevant for row in preflight.rows)
    facts = (
        f"{cluster.name} in {cluster.region}: {cluster.mode}, {cluster.status}; probed from {preflight.probed_from}, "
        f"{counted(preflight.rounds, 'round')} in {preflight.duration_ms / 1e3:.0f} s; "
        f"{counted(len(preflight.rows), 'target')}, {moved} on the path that the switch moves."
    )
    yield from paragraph(facts, width)
    if preflight.probed_from == LOCAL:
        text = "This computer is not in the cluster's subnets: what passes here may fail there, so GO is not possible."
        yield from paragraph(text, width)
    if cluster.mode == "CUSTOMER_ROUTED":
        yield from paragraph("The cluster is switched already: this is about its paths as they are.", width)


def _reasons(preflight: Preflight, style: Style, width: int | None) -> Iterator[str]:
    """All of them, where the first line does not have them all."""
    if len(preflight.reasons) < 2:
        return
    yield style.paint("Why", "1")
    for reason in preflight.reasons[:_MOST_REASONS]:
        text = reason_text(reason)
        first, *rest = paragraph(text, width - 11 if width else None)
        yield f"  {style.paint(f'{reason.decision:<7}', _COLOUR[reason.decision])}  {first}"
        yield from (" " * 11 + part for part in rest)
    if len(preflight.reasons) > _MOST_REASONS:
        yield f"  and {len(preflight.reasons) - _MOST_REASONS} more (-o json has them)"


def _causes(preflight: Preflight, style: Style, width: int | None) -> Iterator[str]:
    """A cause that several targets have in common is shown once; those that the switch has to do with come first."""
    groups: dict[tuple[str, str], list[Cause]] = {}
    for cause in preflight.causes:
        groups.setdefault((cause.code, cause.summary), []).append(cause)
    if groups:
        yield style.paint("Causes", "1")
    printed: set[str] = set()
    for (code, summary), causes in groups.items():
        yield f"  {code}"
        yield from indented(style, "cause", summary, width)
        targets = _some([short(cause.target) for cause in causes])
        subnets = _some([subnet for cause in causes for subnet in cause.subnets])
        yield from indented(style, "affects", f"{targets} from {subnets}", width)
        yield from _remedy(causes[0].remedy.split("\n"), causes[0].remedy_steps or UNSET, printed, style, width)


def _remedy(
    texts: Sequence[str], steps: RemedySteps | UnsetType, printed: set[str], style: Style, width: int | None
) -> Iterator[str]:
    """Commands that an earlier cause has are not made twice."""
    fresh = [text for text in texts if text and not (text.startswith("aws ") and text in printed)]
    printed.update(texts)
    for label, text in remedy(fresh, steps):
        yield from indented(style, label, text, width)


def _checks(preflight: Preflight, part: str, style: Style, width: int | None) -> Iterator[str]:
    wanted = [check for check in preflight.checks if check.part == part]
    explained = {cause.code for cause in preflight.causes}
    if wanted:
        yield style.paint(_PARTS[part], "1")
    for check in wanted:
        first, *rest = paragraph(f"{check.title}: {check.summary}", width - 11 if width else None)
        yield f"  {style.paint(f'{_STATES[check.state]:<7}', _STATE_COLOUR[check.state])}  {first}"
        yield from (" " * 11 + text for text in rest)
        if check.state is CheckState.MET or part != "prerequisite":
            continue
        if check.code in explained:
            yield from indented(style, "fix", f"as of {check.code}, above", width)
        elif check.remedy_steps:
            for label, text in remedy(check.remedy_steps.fix, check.remedy_steps):
                yield from indented(style, label, text, width)
        yield from indented(style, "source", check.source, width)


def _findings(findings: Sequence[Finding], style: Style, width: int | None) -> Iterator[str]:
    shown = [finding for finding in findings if finding.severity != "info"]
    if shown:
        yield style.paint("Found by discovery", "1")
    for finding in shown:
        yield f"  {finding.code}"
        yield from indented(style, finding.severity, finding.summary, width)


def _not_covered(preflight: Preflight, style: Style, width: int | None) -> Iterator[str]:
    texts = [*preflight.not_covered, *([preflight.limits] if preflight.limits else [])]
    if texts:
        yield style.paint("Not covered", "1")
    for text in texts:
        yield from ("  " + part for part in paragraph(text, width - 2 if width else None))


def _some(names: Iterable[str]) -> str:
    distinct = list(dict.fromkeys(names))
    more = len(distinct) - _MOST_NAMED
    return ", ".join(distinct[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
