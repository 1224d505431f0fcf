"""An audit as a sheet: the states of the configured paths, a column for each subnet. Nothing in it was measured."""

from egressprobe.audit.paths.destination import SubnetCell, TargetRow
from egressprobe.audit.result import Audit
from egressprobe.cli.output.audit_table import (
    affected,
    cell_text,
    footer,
    name_text,
    path_verdict,
    source_line,
    summary_line,
)
from egressprobe.cli.output.sheet import Sheet, SheetCell, SheetRow
from egressprobe.cli.output.sheets.parts import expectation, of_finding, sorted_problems
from egressprobe.cli.output.sheets.paths import PathPictures
from egressprobe.cli.output.terminal import ORDER
from egressprobe.model.report import worst
from egressprobe.model.target import Expect


def audit_sheet(audit: Audit) -> Sheet:
    """What is closed comes first."""
    columns = tuple((column.zone or column.id, column.id) for column in audit.subnets)
    pictures = PathPictures(audit)
    rows = [_row(row, pictures) for row in audit.rows]
    return Sheet(
        title=f"VPC egress of {audit.cluster_name or audit.vpc}",
        headline=summary_line(audit),
        verdict=audit.verdict,
        cluster=audit.cluster_name,
        made_at=audit.taken_at,
        seconds=0.0,
        facts=(("VPC", source_line(audit)),),
        columns=columns,
        rows=tuple(sorted(rows, key=lambda row: ORDER.index(row.verdict))),
        problems=sorted_problems(of_finding(finding, affected(finding)) for finding in audit.findings),
        notes=tuple(footer(audit)),
        probed=False,
    )


def _row(row: TargetRow, pictures: PathPictures) -> SheetRow:
    cells = tuple(
        _cell(cell, row.target.expect)._replace(paths=pictures.of(row.target.name, cell.subnet)) for cell in row.cells
    )
    place = row.target.host or ", ".join(row.target.addresses)
    return SheetRow(
        name=name_text(row),
        kind="",
        url=f"{place}:{row.target.port}",
        verdict=worst(cell.verdict for cell in cells),
        impact=row.target.impact or "",
        cells=cells,
        tags=(("port", str(row.target.port)), *expectation(row.target.expect)),
    )


def _cell(cell: SubnetCell, expect: Expect) -> SheetCell:
    return SheetCell(
        column=cell.subnet,
        text=cell_text(cell, expect),
        verdict=path_verdict(cell.state, expect),
        code=cell.code,
        subnet=cell.subnet,
    )
