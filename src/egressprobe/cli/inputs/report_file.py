"""A report that an earlier command wrote: a baseline, or the JSON of a preflight, a joined report or one run."""

from typing import Any

import msgspec

from egressprobe.audit.result import AUDIT_SCHEMA
from egressprobe.model.errors import InputError, short
from egressprobe.model.joined_report import JOINED_SCHEMA, Joined
from egressprobe.model.report import REPORT_SCHEMA, Report
from egressprobe.readiness.baseline import BASELINE_SCHEMA, load
from egressprobe.readiness.comparison.comparable import Comparable, comparable
from egressprobe.readiness.result import DIFF_SCHEMA, PREFLIGHT_SCHEMA, Difference, Preflight
from egressprobe.targets.file import read_file

_MOST_BYTES = 64 << 20
_REPORTS: dict[str, type[Preflight | Joined | Report]] = {
    PREFLIGHT_SCHEMA: Preflight,
    JOINED_SCHEMA: Joined,
    REPORT_SCHEMA: Report,
}
_OTHERS = {
    AUDIT_SCHEMA: "an audit; whatif compares configurations",
    "egressprobe/targets/v1": "a targets file; run -f measures it",
}


def read_report(name: str) -> Comparable:
    """The report in the file `name`, `-` for standard input. Raises InputError."""
    document = read_file(name, most=_MOST_BYTES)
    schema = document.get("schemaVersion") if isinstance(document, dict) else None
    if schema == BASELINE_SCHEMA:
        if name == "-":  # its hash is of the bytes of the file
            raise InputError(name, "is a baseline on standard input; give its file, or the JSON of a report")
        return comparable(load(name), name)
    kind: Any = _REPORTS.get(schema) if isinstance(schema, str) else None
    if schema == DIFF_SCHEMA:
        kind = Difference
    if kind is None:
        what = _OTHERS.get(str(schema), f'"{short(str(schema))}" is not a report' if schema else "is not a report")
        place = "is " if str(schema) in _OTHERS else ""
        raise InputError(name, f"{place}{what}; give a baseline, or the JSON of preflight, verify, invoke or run")
    try:
        report = msgspec.convert(document, kind, strict=True)
    except msgspec.ValidationError as error:
        raise InputError(name, f"is not a report of this version: {error}") from None
    if isinstance(report, Difference):
        if report.now is None:
            raise InputError(name, "is a diff, without a measurement of its own; give the reports it was made of")
        report = report.now
    return comparable(report, name)


def check_same_cluster(before: Comparable, after: Comparable, *, force: bool) -> None:
    """Raises InputError for reports of two clusters (unless `force`), or with no subnet in common."""
    names = [_identity(before), _identity(after)]
    if before.cluster is None or after.cluster is None:
        names = [before.cluster_name, after.cluster_name]
    if all(names) and names[0] != names[1] and not force:
        raise InputError(after.origin, f"is about {names[1]}, {before.origin} about {names[0]}; --force compares them")
    if before.subnets and after.subnets and not before.subnets & after.subnets:
        places = [_places(before), _places(after)]
        raise InputError(
            after.origin, f"has no subnet in common with {before.origin}: measured from {places[1]}, not {places[0]}"
        )


def _identity(report: Comparable) -> str:
    return (report.cluster.arn or report.cluster.name) if report.cluster else report.cluster_name


def _places(report: Comparable) -> str:
    return ", ".join(sorted(subnet or "a computer in no subnet" for subnet in report.subnets))
