"""A preflight as a sheet: the decision, the prerequisites, and a column for each subnet and family."""

from collections.abc import Iterable, Iterator

from egressprobe.cli.output.audit_table import affected
from egressprobe.cli.output.preflight.words import cell_text, group_title, headline, reason_text
from egressprobe.cli.output.sheet import Sheet, SheetCell, SheetCheck, SheetProblem, SheetRow
from egressprobe.cli.output.sheets.parts import anchor, family_name, of_cause, of_finding, sorted_problems
from egressprobe.cli.output.sheets.paths import PathPictures
from egressprobe.cli.output.sheets.report import tags
from egressprobe.cli.output.table import details
from egressprobe.cli.output.terminal import SHOWN, ms
from egressprobe.model.joined_report import Joined
from egressprobe.model.target import Verdict
from egressprobe.readiness.result import (
    CheckState,
    ClusterState,
    Decision,
    MatrixCell,
    MatrixRow,
    Preflight,
    Relation,
    SwitchCheck,
)

HERE = "this computer"  # where there is no subnet
DECISIONS = {Decision.GO: Verdict.PASS, Decision.NO_GO: Verdict.FAIL, Decision.UNKNOWN: Verdict.UNKNOWN}


def preflight_sheet(preflight: Preflight) -> Sheet:
    """In the order of the preflight: what would break by the switch comes first."""
    pictures = PathPictures(preflight.audit) if preflight.audit else None
    return Sheet(
        title=f"Preflight of {preflight.cluster.name}",
        headline=headline(preflight),
        verdict=DECISIONS[preflight.decision],
        cluster=preflight.cluster.name,
        made_at=preflight.started_at,
        seconds=preflight.duration_ms / 1e3,
        facts=(
            ("run", preflight.run_id),
            *cluster_facts(preflight.cluster),
            ("probed from", preflight.probed_from),
            ("rounds", f"{preflight.rounds} in {preflight.seconds:g} s"),
            *(("decided by", reason_text(reason)) for reason in preflight.reasons),
        ),
        checks=tuple(map(sheet_check, preflight.checks)),
        columns=matrix_columns(preflight),
        rows=tuple(_row(row, preflight, pictures) for row in preflight.rows),
        problems=sorted_problems(_problems(preflight)),
        notes=(*(f"Not covered: {text}" for text in preflight.not_covered), *filter(None, (preflight.limits,))),
        decision=preflight.decision,
    )


def cluster_facts(cluster: ClusterState) -> tuple[tuple[str, str], ...]:
    """The state of a cluster, as label and text."""
    known = (
        ("cluster", f"{cluster.name} in {cluster.region}"),
        ("status", cluster.status),
        ("controlPlaneEgressMode", cluster.mode),
        ("Kubernetes", cluster.version),
        ("update in progress", cluster.update),
    )
    return tuple((label, text) for label, text in known if text)


def sheet_check(check: SwitchCheck) -> SheetCheck:
    """A prerequisite or a step of the verification."""
    return SheetCheck(check.title, check.state, check.summary)


def matrix_columns(preflight: Preflight) -> tuple[tuple[str, str], ...]:
    """Of each subnet the families that any cell has."""
    families: dict[str, list[str]] = {column.id: [] for column in preflight.subnets}
    for row in preflight.rows:
        for cell in row.cells:
            families.setdefault(cell.subnet_id, []).append(cell.family)
    zones = {column.id: column.zone or column.id for column in preflight.subnets}
    return tuple(
        (zones.get(subnet, subnet), key)
        for subnet, names in families.items()
        for key in dict.fromkeys(matrix_key(subnet, family) for family in sorted(names) or [""])
    )


def matrix_key(subnet: str, family: str) -> str:
    """The key of the column of a subnet and a family."""
    return f"{subnet or HERE} {family_name(family)}".rstrip()


def _row(row: MatrixRow, preflight: Preflight, pictures: PathPictures | None) -> SheetRow:
    cells: Iterable[SheetCell] = (matrix_cell(cell, preflight.rounds) for cell in row.cells)
    name = row.target.name
    cells = (_explained(cell, name, preflight.joined) for cell in cells)
    if pictures:
        cells = (cell._replace(paths=pictures.of(name, cell.subnet, cell.family)) for cell in cells)
    return SheetRow(
        name=row.target.name,
        kind=row.target.kind,
        url=row.target.url,
        verdict=row.verdict,
        impact=row.impact,
        cells=tuple(cells),
        group=group_title(row),
        tags=tags(row.target, switch_relevant=row.switch_relevant),
        counted=decides(row),
    )


def decides(row: MatrixRow) -> bool:
    """Whether a row has a part in the decision: what fails does where the switch has to do with it."""
    concerned = row.switch_relevant and not row.advisory
    return concerned and (row.relation is Relation.BY_SWITCH or row.verdict is not Verdict.FAIL)


def matrix_cell(cell: MatrixCell, rounds: int) -> SheetCell:
    """A target from a subnet by a family, over all rounds."""
    known = (
        ("rounds", ", ".join(SHOWN[verdict] for verdict in cell.rounds)),
        ("times", ", ".join(map(ms, cell.times_ms))),
        ("configured", cell.configured),
    )
    return SheetCell(
        column=matrix_key(cell.subnet_id, cell.family),
        text=cell_text(cell, rounds),
        verdict=cell.verdict,
        code=cell.code or "",
        seconds=None if cell.median_ms is None else cell.median_ms / 1e3,
        details=tuple((label, text) for label, text in known if text),
        subnet=cell.subnet_id,
        family=cell.family,
    )


def _explained(cell: SheetCell, target: str, joined: Joined | None) -> SheetCell:
    """A cell that does not pass also has what the run's table says of the target from this subnet."""
    if joined is None or cell.verdict is Verdict.PASS:
        return cell
    results = (
        result
        for report in joined.reports
        if report.vantage.subnet_id == cell.subnet
        for result in report.results
        if result.target.name == target and result.verdict is not Verdict.PASS
    )
    more = next((tuple(details(result)) for result in results), ())
    return cell._replace(details=(*cell.details, *more))


def check_problems(checks: tuple[SwitchCheck, ...]) -> Iterator[SheetProblem]:
    """Prerequisites that are not met, or not known to be, each with its fix."""
    for check in checks:
        if check.state is not CheckState.MET:
            steps = check.remedy_steps
            yield SheetProblem(
                code=check.code or check.id,
                severity="error" if check.state is CheckState.NOT_MET else "warning",
                summary=f"{check.title}: {check.summary}",
                evidence=(("source", check.source),) if check.source else (),
                remedy="\n".join((*steps.fix, *steps.notes)) if steps else "",
                steps=steps,
                docs=anchor(check.code),
            )


def _problems(preflight: Preflight) -> Iterator[SheetProblem]:
    yield from map(of_cause, preflight.causes)
    yield from check_problems(preflight.checks)
    yield from map(of_finding, preflight.safety)
    shown = {problem.code for problem in map(of_cause, preflight.causes)}
    if preflight.audit:
        for finding in preflight.audit.findings:
            if finding.code not in shown:
                yield of_finding(finding, affected(finding))
