"""The readiness of a fleet as a sheet: a row for each cluster, with what decides about it."""

from egressprobe.cli.output.fleet_table import notes, reason, summary
from egressprobe.cli.output.sheet import Sheet, SheetCell, SheetRow
from egressprobe.cli.output.sheets.preflight import DECISIONS
from egressprobe.readiness.fleet.result import Fleet, FleetCluster

_COLUMN = ("readiness", "")


def fleet_sheet(fleet: Fleet) -> Sheet:
    """In the order of the fleet: the worst first."""
    headline, *facts = summary(fleet)
    return Sheet(
        title="Readiness of the clusters",
        headline=headline,
        verdict=DECISIONS[fleet.decision],
        cluster="",
        made_at=fleet.started_at,
        seconds=fleet.duration_ms / 1e3,
        facts=(("run", fleet.run_id), *(("", text) for text in facts)),
        columns=(_COLUMN,),
        rows=tuple(map(_row, fleet.clusters)),
        notes=tuple(notes(fleet)),
        decision=fleet.decision,
    )


def _row(cluster: FleetCluster) -> SheetRow:
    verdict = DECISIONS[cluster.decision]
    known = (
        ("region", cluster.region),
        ("version", cluster.version),
        ("controlPlaneEgressMode", cluster.mode),
        ("status", cluster.status),
        ("evidence", cluster.evidence),
        ("stack", cluster.stack),
    )
    details = tuple((label, str(text)) for label, text in known if text)
    text = f"{cluster.decision}: {reason(cluster)}"
    return SheetRow(
        name=f"{cluster.name} in {cluster.region}",
        kind="cluster",
        url="",
        verdict=verdict,
        impact="",
        cells=(SheetCell(_COLUMN[0], text, verdict, cluster.code, details=(("cause", reason(cluster)), *details)),),
        tags=details,
    )
