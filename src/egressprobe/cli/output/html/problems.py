"""Causes, failures and findings: each with its evidence and its fix: check, fix, undo, and whether it is proven."""

from collections.abc import Iterator

from egressprobe.cli.output.html.markup import Html, classed, joined, tag
from egressprobe.cli.output.html.parts import command, commands, lines, pairs, pill, section
from egressprobe.cli.output.sheet import Sheet, SheetCheck, SheetProblem
from egressprobe.model.remedy import RemedySteps

# Severity -> word, and the colour of the verdict that it makes.
_SEVERITIES = {"error": ("ERROR", "fail"), "warning": ("WARNING", "degraded"), "info": ("note", "unknown")}
_NOT_PROVEN = (
    "Not proven: general advice, not carried out on a snapshot of this VPC. Read each command before you run it."
)
_STATES = {"met": ("met", "pass"), "not met": ("NOT MET", "fail"), "unknown": ("UNKNOWN", "unknown")}


def problems(sheet: Sheet) -> Html:
    """The most severe first; empty without any."""
    if not sheet.problems:
        return Html("")
    shown = (_problem(number, problem) for number, problem in enumerate(_ordered(sheet)))
    return section("problems", "Problems and their fixes", *shown)


def _ordered(sheet: Sheet) -> list[SheetProblem]:
    severities = list(_SEVERITIES)
    return sorted(sheet.problems, key=lambda problem: severities.index(problem.severity))


def links_by_summary(sheet: Sheet) -> dict[str, Html]:
    """What blocks a path has the sentence of its finding: sentence -> link to the problem with the fix."""
    numbered = [(f"p{number}", problem) for number, problem in enumerate(_ordered(sheet)) if problem.severity != "info"]
    links = {
        problem.summary: tag("a", {"href": f"#{anchor}", "class": "fix"}, f"Its fix: {problem.code}")
        for anchor, problem in reversed(numbered)
    }
    return {summary: link for summary, link in links.items() if summary}


def _problem(number: int, problem: SheetProblem) -> Html:
    word, kind = _SEVERITIES[problem.severity]
    affects = [("affects", problem.affects)] if problem.affects else []
    more = (tag("h4", {}, "More about it"), command(f"egressprobe explain {problem.code}")) if problem.docs else ()
    evidence = pairs(problem.evidence, "pairs evidence")
    return tag(
        "article",
        {"class": f"problem {kind}", "id": f"p{number}"},
        tag("h3", {}, pill(word, kind), " ", classed("span", "code", problem.code)),
        classed("p", "summary", problem.summary),
        pairs(affects),
        tag("details", {"class": "evidence"}, tag("summary", {}, "Evidence"), evidence) if evidence else Html(""),
        joined(_fix(problem)),
        *more,
    )


def _fix(problem: SheetProblem) -> Iterator[Html]:
    steps = problem.steps
    if steps is None or not (steps.fix or steps.check or steps.undo or steps.notes):
        if problem.remedy.strip():
            yield tag("h4", {}, "Fix")
            yield lines(problem.remedy.split("\n"))
            yield classed("p", "proof", _NOT_PROVEN)
        return
    if steps.check:
        yield tag("h4", {}, "Check first (commands that only read)")
        yield commands(steps.check)
    if steps.fix or steps.notes:
        yield tag("h4", {}, "Fix")
        yield joined(tag("p", {}, note) for note in steps.notes)
        yield commands(steps.fix)
    yield from _proof(steps)
    if steps.placeholders:
        yield classed("p", "replace", f"Replace {', '.join(map(_placeholder, steps.placeholders))}.")
    touched = [(item.id, f"used by {', '.join(item.used_by)}" if item.used_by else "-") for item in steps.touches]
    if touched:
        yield tag("h4", {}, "What the fix changes")
        yield pairs(touched)
    if steps.undo:
        yield tag("h4", {}, "Undo")
        yield commands(steps.undo)


def _placeholder(name: str) -> str:
    return f"{name} (the id that the command before returns)" if name.startswith("<NEW_") else name


def _proof(steps: RemedySteps) -> Iterator[Html]:
    if steps.proven:
        yield classed("p", "proof proven", f"Proven: {steps.proven_by or 'carried out on a snapshot of the VPC'}")
    elif steps.fix:
        yield classed("p", "proof", _NOT_PROVEN)


def checks(sheet: Sheet) -> Html:
    """Prerequisites, or steps of the verification; empty without any."""
    if not sheet.checks:
        return Html("")
    return section("checks", "Checks", tag("ul", {"class": "checks"}, *map(_check, sheet.checks)))


def _check(check: SheetCheck) -> Html:
    word, kind = _STATES[check.state]
    return tag(
        "li",
        {},
        pill(word, kind),
        tag("div", {}, tag("strong", {}, check.title), f": {check.summary}" if check.summary else ""),
    )
