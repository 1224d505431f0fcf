"""The matrix target x subnet x family, in groups. Where the terminal is too narrow for names of subnets and codes the
columns are numbered and codes go below their row; where it is too narrow for that, each row lists its subnets.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from egressprobe.cli.output.preflight.words import cell_text, contradicts, group_title
from egressprobe.cli.output.terminal import COLOURS, ORDER, SHOWN, Style, cut, indented, line, paragraph, short, widths
from egressprobe.model.target import Verdict
from egressprobe.readiness.result import MatrixCell, MatrixRow, Preflight

_FAMILIES = {"ipv4": "IPv4", "ipv6": "IPv6", "": "-"}
_TARGET = 3  # the column that may be cut
_LEAST_ROOM, _LEAST_NAME = 10, 18


class _MatrixLine(NamedTuple):
    """One target by one family; cells in the order of the columns."""

    row: MatrixRow
    family: str
    cells: tuple[MatrixCell | None, ...]

    @property
    def verdict(self) -> Verdict:
        verdicts = {cell.verdict for cell in self.cells if cell}
        return next((verdict for verdict in ORDER if verdict in verdicts), Verdict.UNKNOWN)

    def left(self, *, families: bool) -> list[str]:
        target, switch = self.row.target, "moves" if self.row.switch_relevant else "stays"
        left = [SHOWN[self.verdict], switch, str(target.kind), short(target.name)]
        return [*left, _FAMILIES[self.family]] if families else left


class _Layout(NamedTuple):
    """form: `full`, `numbered` or `listed`. heads: lines above each group. names: what numbers stand for."""

    form: str
    columns: list[int]
    heads: tuple[tuple[str, ...], ...]
    names: tuple[str, ...]
    rounds: int
    families: bool

    def cells(self, entry: _MatrixLine) -> list[str]:
        if self.form == "listed":
            return []
        return [cell_text(cell, self.rounds, code=self.form == "full") for cell in entry.cells]


def matrix_groups(preflight: Preflight, style: Style, width: int | None) -> Iterator[list[str]]:
    """The lines of each group; all groups have the same columns."""
    groups: dict[str, list[_MatrixLine]] = {}
    for row in preflight.rows:
        groups.setdefault(group_title(row), []).extend(_lines(row, preflight))
    layout = _layout(preflight, [entry for group in groups.values() for entry in group], width)
    if layout.form == "numbered" and groups:
        yield [part for text in _legend(layout) for part in paragraph(text, width)]
    for title, group in groups.items():
        yield list(_group_lines(title, group, layout, style, width))


def _lines(row: MatrixRow, preflight: Preflight) -> Iterator[_MatrixLine]:
    for family in dict.fromkeys(cell.family for cell in row.cells):
        by_subnet = {cell.subnet_id: cell for cell in row.cells if cell.family == family}
        yield _MatrixLine(row, family, tuple(by_subnet.get(column.id) for column in preflight.subnets))


def _layout(preflight: Preflight, lines: Sequence[_MatrixLine], width: int | None) -> _Layout:
    families = any(entry.family == "ipv6" for entry in lines)
    left = ("VERDICT", "SWITCH", "KIND", "TARGET", *(["BY"] if families else []))
    blank = ("",) * len(left)
    zones = tuple(column.zone or column.id for column in preflight.subnets)
    ids = tuple(column.id if column.zone else "" for column in preflight.subnets)
    names = tuple(" ".join(filter(None, (column.id, column.zone))) for column in preflight.subnets)
    numbers = tuple(f"[{number}]" for number in range(1, len(zones) + 1))
    full = ((*left, *zones), *([(*blank, *ids)] if any(ids) else []))
    for form, heads, least in (
        ("full", full, None),
        ("numbered", ((*left, *numbers),), _LEAST_NAME),
        ("listed", (left,), _LEAST_ROOM),
    ):
        layout = _Layout(form, [], heads, names, preflight.rounds, families)
        cells = [[*entry.left(families=families), *layout.cells(entry)] for entry in lines]
        columns = widths((*heads, *cells))
        if width and least:
            others = sum(columns) - columns[_TARGET] + 2 * (len(columns) - 1)
            columns[_TARGET] = min(columns[_TARGET], max(width - others, least))
        layout = layout._replace(columns=columns)
        if not width or sum(columns) + 2 * (len(columns) - 1) <= width:
            break
    return layout


def _legend(layout: _Layout) -> Iterator[str]:
    yield "Subnets: " + ", ".join(f"[{number}] {name}" for number, name in enumerate(layout.names, 1))


def _group_lines(
    title: str, group: Sequence[_MatrixLine], layout: _Layout, style: Style, width: int | None
) -> Iterator[str]:
    yield style.paint(f"{title} ({len({entry.row.target.name for entry in group})})", "1")
    for head in layout.heads:
        yield style.paint(line(head, layout.columns), "2")
    for entry in group:
        left = entry.left(families=layout.families)
        name = left[_TARGET]
        left[_TARGET] = cut(name, layout.columns[_TARGET])
        yield line([*left, *layout.cells(entry)], layout.columns, paint=style.first(COLOURS[entry.verdict]))
        if left[_TARGET] != name and entry.verdict is not Verdict.PASS:
            yield from indented(style, "target", name, width)
        if layout.form == "numbered":
            for text in _codes(entry):
                yield from indented(style, "code", text, width)
        elif layout.form == "listed":
            texts = [cell_text(cell, layout.rounds) for cell in entry.cells]
            text = ", ".join(f"{name} {cell}" for name, cell in zip(layout.names, texts, strict=True))
            yield from indented(style, "subnets", text, width)


def _codes(entry: _MatrixLine) -> Iterator[str]:
    """Each code with the numbers of its columns."""
    columns: dict[str, list[str]] = {}
    for number, cell in enumerate(entry.cells, 1):
        if cell and cell.code and cell.verdict is not Verdict.PASS:
            columns.setdefault(str(cell.code), []).append(f"[{number}]")
        if cell and contradicts(cell):
            columns.setdefault(f"configured: {cell.configured.upper()}", []).append(f"[{number}]")
    for code, numbers in columns.items():
        yield f"{code} from {', '.join(numbers)}"
