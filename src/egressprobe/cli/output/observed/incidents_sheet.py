"""Open incidents as a sheet: a row for each, with one cell."""

from egressprobe.cli.output.observed.incidents_table import VERDICTS, by_tier, explained, footer, summary_line
from egressprobe.cli.output.sheet import Sheet, SheetCell, SheetProblem, SheetRow
from egressprobe.cli.output.terminal import some
from egressprobe.incidents.answer import OpenIncidents
from egressprobe.incidents.model import Incident, Tier
from egressprobe.model.target import Verdict

_COLUMN = ("incident", "")
_SEVERITIES = {Tier.PAGE: "error", Tier.NOTICE: "warning"}


def incidents_sheet(answer: OpenIncidents) -> Sheet:
    """Where what is open is not known, one unknown row says so: no reader takes an empty sheet for a pass."""
    incidents = by_tier(answer)
    unknown = SheetRow(
        "what is open", "incidents", "", Verdict.UNKNOWN, "", (SheetCell(_COLUMN[0], "not known", Verdict.UNKNOWN),)
    )
    return Sheet(
        title=f"Open incidents of {answer.cluster_name}",
        headline=summary_line(answer),
        verdict=answer.verdict,
        cluster=answer.cluster_name,
        made_at=answer.at,
        seconds=0.0,
        columns=(_COLUMN,),
        rows=(*(_row(incident, answer.at) for incident in incidents), *(() if answer.evaluated else (unknown,))),
        problems=tuple(map(_problem, incidents)),
        notes=tuple(footer(answer)),
        probed=False,
    )


def _row(incident: Incident, now: str) -> SheetRow:
    verdict = VERDICTS[incident.tier]
    details = (("cause", f"{incident.what} ({incident.code})"), *explained(incident, now))
    cell = SheetCell(_COLUMN[0], incident.what, verdict, incident.code, details=details)
    return SheetRow(incident.key, incident.tier, "", verdict, incident.impact, (cell,), tags=(("id", incident.id),))


def _problem(incident: Incident) -> SheetProblem:
    return SheetProblem(
        incident.code, _SEVERITIES[incident.tier], incident.what, affects=some(tuple(filter(None, incident.failing)))
    )
