"""A sheet as GitHub Flavored Markdown that fits one comment of a pull request.

Texts of other parties become character references, which are never markup, neither in Markdown nor in the HTML of
<summary> (CommonMark 0.31, section 2.5). GitHub links mentions, issues and URLs in the text that results: a zero width
space, as a reference, keeps them apart. Commands are in fences that are longer than any run of backticks in them.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence

from msgspec import UNSET

from egressprobe.catalog.entry import is_command
from egressprobe.cli.output.sheet import Sheet, SheetCell, SheetProblem, SheetRow, column_key
from egressprobe.cli.output.terminal import SHOWN, cut, printable, remedy, short
from egressprobe.model.target import Verdict

# GitHub refuses a longer body of a comment: "Body is too long (maximum is 65536 characters)". Counted in bytes of UTF-8
# here, of which there are never fewer.
MAX_BYTES = 65_536
_RESERVE = 2_000  # for what says that something was left out, and the limits
_MOST_MATRIX = 30_000
_MOST_HEADLINE, _MOST_CELL, _MOST_LINE = 300, 120, 1_000
_HEADS = {"error": "ERROR", "warning": "WARNING", "info": "note"}
_SPACE = "&#8203;"
_MARKUP = re.compile(r"[&<>`*\[\]\\|~$#@!{}]|(?<![^\W_])_|_(?![^\W_])")
# What GitHub makes a link of in plain text: mentions and addresses, issues, URLs.
_LINKS = re.compile(r"&#(?:64|35);(?=\w)|\bGH-(?=\d)|:(?=//)|\bwww(?=\.)", re.IGNORECASE)


def to_markdown(sheet: Sheet) -> str:
    """The decision and the matrix first; what does not fit is counted at the end."""
    head = [f"### {escaped(cut(sheet.headline, _MOST_HEADLINE))}", "", _subtitle(sheet), ""]
    facts = [f"- {escaped(label)}: {escaped(text, _MOST_LINE)}" for label, text in sheet.facts]
    checks = _table(("state", "check", "result"), ((c.state, c.title, c.summary) for c in sheet.checks))
    room = MAX_BYTES - _RESERVE - _size(head)
    matrix, hidden_rows = _matrix(sheet)
    room -= _size(matrix)
    parts, hidden = [], 0
    blocks = [
        facts,
        checks,
        *map(_problem, sheet.problems),
        *([f"- {escaped(text, _MOST_LINE)}"] for text in sheet.notes),
    ]
    for block in blocks:
        if _size(block) <= room:
            room -= _size(block)
            parts.append(block)
        else:
            parts.append([])
            hidden += 1
    facts, checks, *rest = parts
    problems, notes = rest[: len(sheet.problems)], rest[len(sheet.problems) :]
    lines = [*head, *_spaced(facts), *_spaced(checks), *_spaced(matrix)]
    lines += [line for block in problems for line in _spaced(block)]
    lines += [line for block in notes for line in block]
    if hidden or hidden_rows:
        lines += [
            "",
            f"**Too long for one comment:** {hidden_rows} rows and {hidden} parts are left out; `-o json` has all.",
        ]
    return "\n".join(lines).rstrip()


def escaped(text: str, most: int = _MOST_HEADLINE) -> str:
    """Text of any origin in one line, without markup, links or mentions."""
    plain = cut(printable(text), most)
    return _LINKS.sub(lambda match: match[0] + _SPACE, _MARKUP.sub(lambda match: f"&#{ord(match[0])};", plain))


def _size(lines: Iterable[str]) -> int:
    return sum(len(line.encode()) + 1 for line in lines) + 1


def _spaced(block: Sequence[str]) -> Iterator[str]:
    """A block and the empty line that ends it."""
    yield from (*block, "") if block else ()


def _subtitle(sheet: Sheet) -> str:
    taken = f" in {sheet.seconds:.1f} s" if sheet.seconds else ""
    return f"{escaped(sheet.title)}, {escaped(sheet.made_at)}{taken}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Empty without rows. The heads are escaped by the caller, where they are not ours."""
    body = [f"| {' | '.join(escaped(cell, _MOST_CELL) or ' ' for cell in row)} |" for row in rows]
    return [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}", *body] if body else []


def _matrix(sheet: Sheet) -> tuple[list[str], int]:
    """The rows by group, and how many did not fit; what passes is left out first, as it comes last."""
    heads = ["verdict", "kind", "target", "impact", *map(_head, sheet.columns)]
    lines: list[str] = []
    size = hidden = 0
    groups: dict[str, list[SheetRow]] = {}
    for row in sheet.rows:
        groups.setdefault(row.group, []).append(row)
    for group, rows in groups.items():
        table = _table(heads, (_row(row, sheet) for row in rows))
        fits = [line for line in table if (size := size + len(line.encode()) + 1) <= _MOST_MATRIX]
        hidden += len(table) - max(len(fits), 2)
        if len(fits) > 2:
            lines += [*([f"**{escaped(group)}**", ""] if group else []), *fits, ""]
    return lines[:-1], hidden


def _head(column: tuple[str, str]) -> str:
    zone, key = escaped(cut(column[0], _MOST_CELL)), escaped(cut(column_key(column), _MOST_CELL))
    return zone if zone == key else f"{zone}<br>{key}"


def _row(row: SheetRow, sheet: Sheet) -> tuple[str, ...]:
    by_column = {cell.column: cell for cell in row.cells}
    cells = (_cell(by_column.get(column_key(column))) for column in sheet.columns)
    return (SHOWN[row.verdict], row.kind, short(row.name), row.impact, *cells)


def _cell(cell: SheetCell | None) -> str:
    if cell is None:
        return ""
    shown = cell.verdict is Verdict.PASS or not cell.code or cell.code in cell.text
    return cell.text if shown else f"{cell.text} ({cell.code})"


def _problem(problem: SheetProblem) -> list[str]:
    code = f" {escaped(problem.code)}" if problem.code else ""
    affects = f" ({escaped(problem.affects)})" if problem.affects else ""
    summary = f"<b>{_HEADS[problem.severity]}{code}</b>: {escaped(problem.summary)}{affects}"
    lines = [f"<details><summary>{summary}</summary>", ""]
    lines += [f"- {escaped(label)}: {escaped(text, _MOST_LINE)}" for label, text in problem.evidence]
    lines += [""] if problem.evidence else []
    pairs = remedy(problem.remedy.split("\n") if problem.remedy else (), problem.steps or UNSET)
    for label, texts in _by_label(pairs):
        lines += [f"**{label}**", ""]
        for command, part in itertools.groupby(texts, key=is_command):
            given = list(part)
            lines += [*(fenced(given) if command else [f"- {escaped(text, _MOST_LINE)}" for text in given]), ""]
    return [*lines, "</details>"]


def _by_label(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    """A pair without a label belongs to the label before it."""
    groups: list[tuple[str, list[str]]] = []
    for label, text in pairs:
        if label or not groups:
            groups.append((label, []))
        groups[-1][1].append(text)
    yield from groups


def fenced(commands: Iterable[str]) -> list[str]:
    """A block of code from which no text can break out."""
    lines = [printable(command) for command in commands]
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}sh", *lines, fence]
