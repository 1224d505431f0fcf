"""The matrix: a row for each target, a column for each subnet; a cell is a link to its details.

Rows keep the sheet's order and its groups. On a narrow screen each row is a block, and a cell has its column's name
beside it, so the roles of the table are written out: without them its elements would lose them (ARIA in HTML).
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

from egressprobe.cli.output.html.markup import Html, Node, classed, joined, tag
from egressprobe.cli.output.html.parts import section, sign, verdict_pill
from egressprobe.cli.output.sheet import Sheet, SheetCell, SheetRow
from egressprobe.cli.output.terminal import ORDER, SHOWN, cut
from egressprobe.model.target import Verdict

_MAX_NAME = 120
_MANY = 8  # columns; with more the print is smaller
type Columns = tuple[tuple[str, str], ...]


def matrix(sheet: Sheet) -> Html:
    """Empty without rows."""
    if not sheet.rows:
        return Html("")
    heads = [_head(head, below) for head, below in sheet.columns]
    head = tag("thead", {"role": "rowgroup"}, _row("heads", _column("Verdict"), _column("Target"), *heads))
    numbered = enumerate(sheet.rows)
    bodies = [_body(title, list(rows), sheet.columns) for title, rows in groupby(numbered, lambda pair: pair[1].group)]
    table = tag(
        "table",
        {
            "class": "matrix wide" if len(sheet.columns) > _MANY else "matrix",
            "role": "table",
            "aria-labelledby": "matrix-title",
        },
        head,
        *bodies,
    )
    frame = {"class": "frame", "tabindex": "0", "role": "group", "aria-labelledby": "matrix-title"}
    hint = tag("p", {"class": "hint"}, "Choose a cell for its details.")
    title = "Targets by subnet" if len(sheet.columns) > 1 else "Targets"
    return section("matrix", title, hint, _tools(sheet.rows), tag("div", frame, table))


def _tools(rows: Sequence[SheetRow]) -> Html:
    """The filter. Hidden: it needs JavaScript, which shows it."""
    shown = [verdict for verdict in ORDER if any(row.verdict is verdict for row in rows)]
    options = [tag("option", {"value": ""}, "all")]
    options += [tag("option", {"value": str(verdict)}, SHOWN[verdict]) for verdict in shown]
    text = {"type": "search", "id": "filter", "autocomplete": "off", "spellcheck": "false"}
    return tag(
        "div",
        {"class": "tools", "hidden": True, "role": "search"},
        tag("label", {"for": "filter"}, "Filter"),
        tag("input", text),
        tag("label", {"for": "verdicts"}, "Verdict"),
        tag("select", {"id": "verdicts"}, *options),
        tag("button", {"type": "button", "id": "expand"}, "Expand all"),
        tag("span", {"id": "count", "role": "status"}),
    )


def _body(title: str, rows: Sequence[tuple[int, SheetRow]], columns: Columns) -> Html:
    lines = [_line(number, row, columns) for number, row in rows]
    if title:
        span = {"role": "rowheader", "scope": "rowgroup", "colspan": str(len(columns) + 2)}
        lines.insert(0, _row("group", tag("th", span, title)))
    return tag("tbody", {"role": "rowgroup"}, *lines)


def _line(number: int, row: SheetRow, columns: Columns) -> Html:
    verdict = tag("td", {"role": "cell"}, verdict_pill(row.verdict))
    name = tag(
        "th",
        {"role": "rowheader", "scope": "row"},
        tag("a", {"href": f"#t{number}", "class": "name"}, cut(row.name, _MAX_NAME)),
        classed("span", "under", " · ".join(filter(None, (row.kind, _impact(row), *map(_tag, row.tags))))),
    )
    cells = [
        _cell(number, column, list(places)) for column, places in zip(columns, by_column(row, columns), strict=True)
    ]
    return _row(f"target {row.verdict}", verdict, name, *cells)


def _impact(row: SheetRow) -> str:
    return f"impact: {row.impact}" if row.impact else ""


def _tag(pair: tuple[str, str]) -> str:
    return ": ".join(filter(None, pair))


def _cell(number: int, column: tuple[str, str], places: Sequence[tuple[int, SheetCell]]) -> Html:
    links: Iterator[Node] = (
        tag(
            "a",
            {"href": f"#t{number}c{place}", "class": f"cell {cell.verdict}"},
            sign(cell.verdict),
            # A time alone does not have the verdict in words.
            *([classed("span", "spoken", "pass ")] if cell.verdict is Verdict.PASS and cell.text != "pass" else []),
            cell.text,
        )
        for place, cell in places
    )
    name = column_name(column)
    if not places:
        return tag("td", {"role": "cell", "class": "empty"}, "-")
    return tag("td", {"role": "cell", "data-column": name}, joined(links))


def by_column(row: SheetRow, columns: Columns) -> list[list[tuple[int, SheetCell]]]:
    """The cells of a row, with their numbers, under their columns: by the second line, which is unique, or the head.

    A cell whose column has no such name goes by its place.
    """
    names = {head: i for i, (head, _) in reversed(list(enumerate(columns)))}
    names |= {below: i for i, (_, below) in enumerate(columns) if below}
    placed: list[list[tuple[int, SheetCell]]] = [[] for _ in columns]
    for number, cell in enumerate(row.cells):
        i = names.get(cell.column, min(number, len(columns) - 1))
        if i >= 0:
            placed[i].append((number, cell))
    return placed


def column_name(column: tuple[str, str]) -> str:
    """Both lines of its head; the second alone where it begins with the first."""
    head, below = column
    return below if below.startswith(head) else " ".join(filter(None, column))


def _head(head: str, below: str) -> Html:
    twice = not head or below.startswith(head)
    return _column(below if twice else head, *([classed("span", "under", below)] if below and not twice else []))


def _column(*children: Node) -> Html:
    return tag("th", {"role": "columnheader", "scope": "col"}, *children)


def _row(classes: str, *cells: Html) -> Html:
    return tag("tr", {"role": "row", "class": classes}, *cells)
