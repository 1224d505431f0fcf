"""A sheet in Prometheus' text format, version 0.0.4, for a file of the node_exporter's textfile collector or a push.

Names of blackbox_exporter where it has the same (prober/handler.go, prober/tls.go). What is unknown has no
`probe_success`: 0 would page for what was not seen, 1 would hide it. `egressprobe_verdict` has all four verdicts.
https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from collections.abc import Iterator, Mapping
from datetime import datetime

from egressprobe.cli.output.sheet import Sheet, SheetCell, SheetRow
from egressprobe.cli.output.terminal import ORDER, printable
from egressprobe.model.target import Verdict

type Labels = tuple[tuple[str, str], ...]

_HELP = {
    "probe_success": "Whether the API server's call passes, or what must be blocked is; no sample where unknown",
    "probe_duration_seconds": "Time of a phase: resolve, connect, tls or http",
    "probe_ssl_earliest_cert_expiry": "Earliest expiry of a certificate of the chain, Unix time",
    "egressprobe_predicted_call_seconds": "Time until the predicted API call returns, either way",
    "egressprobe_verdict": "1 for the verdict that a target has from a subnet, 0 for the others",
    "egressprobe_failure_info": "The failure or finding that decides a verdict, as the label code",
    "egressprobe_target_info": "What a target is: its kind, URL, and the impact of its failure",
    "egressprobe_check": "1 for the state that a prerequisite has, 0 for the others",
    "egressprobe_problems": "Causes and findings by severity",
    "egressprobe_decision": "1 for the decision of the preflight, 0 for the others",
    "egressprobe_report_verdict": "1 for the verdict of the whole report, 0 for the others",
    "egressprobe_report_time_seconds": "When the report was made, Unix time",
    "egressprobe_report_duration_seconds": "How long the report took",
}
_DECISIONS = ("GO", "NO-GO", "UNKNOWN")
_STATES = ("met", "not met", "unknown")
_SUCCESS = {Verdict.PASS: 1.0, Verdict.DEGRADED: 1.0, Verdict.FAIL: 0.0}


class _Samples:
    """Samples by metric; of a series that comes twice the first stays."""

    def __init__(self) -> None:
        self._series: dict[str, dict[Labels, float]] = {name: {} for name in _HELP}

    def add(self, metric: str, labels: Mapping[str, str], value: float) -> None:
        known = tuple((name, text) for name, text in labels.items() if text)
        self._series[metric].setdefault(known, value)

    def add_state(self, metric: str, labels: Mapping[str, str], name: str, state: str, states: tuple[str, ...]) -> None:
        """One series for each state that there is: those that do not hold are 0, so that none is left over at 1."""
        for other in states:
            self.add(metric, {**labels, name: other}, float(other == state))

    def text(self) -> str:
        lines = []
        for metric, series in self._series.items():
            if series:
                lines += [f"# HELP {metric} {_HELP[metric]}", f"# TYPE {metric} gauge"]
                lines += [f"{metric}{_labels(labels)} {_number(value)}" for labels, value in series.items()]
        return "\n".join(lines)


def to_prometheus(sheet: Sheet) -> str:
    """Gauges only. The worst cell of those with the same labels is the one that is written."""
    samples = _Samples()
    of_cluster = {"cluster": sheet.cluster}
    worst: dict[tuple[str, str, str], tuple[SheetRow, SheetCell]] = {}
    for row, cell in sorted(_cells(sheet), key=lambda pair: ORDER.index(pair[1].verdict)):
        worst.setdefault((row.name, cell.subnet, cell.family), (row, cell))
    for row, cell in worst.values():
        _add_cell(samples, row, cell, of_cluster, probed=sheet.probed)
    for row in sorted(sheet.rows, key=lambda row: ORDER.index(row.verdict)):
        about = {"target": row.name, "kind": row.kind, "url": row.url, "impact": row.impact}
        samples.add("egressprobe_target_info", of_cluster | about, 1.0)
    for check in sheet.checks:
        samples.add_state("egressprobe_check", of_cluster | {"check": check.title}, "state", check.state, _STATES)
    for severity in ("error", "warning", "info"):
        count = sum(problem.severity == severity for problem in sheet.problems)
        samples.add("egressprobe_problems", of_cluster | {"severity": severity}, float(count))
    if sheet.decision:
        samples.add_state("egressprobe_decision", of_cluster, "decision", sheet.decision, _DECISIONS)
    samples.add_state("egressprobe_report_verdict", of_cluster, "verdict", sheet.verdict, tuple(ORDER))
    samples.add("egressprobe_report_duration_seconds", of_cluster, sheet.seconds)
    made_at = _unix_time(sheet.made_at)
    if made_at is not None:
        samples.add("egressprobe_report_time_seconds", of_cluster, made_at)
    return samples.text()


def _cells(sheet: Sheet) -> Iterator[tuple[SheetRow, SheetCell]]:
    yield from ((row, cell) for row in sheet.rows for cell in row.cells)


def _add_cell(samples: _Samples, row: SheetRow, cell: SheetCell, of_cluster: dict[str, str], *, probed: bool) -> None:
    labels = of_cluster | {"target": row.name, "subnet": cell.subnet, "family": cell.family}
    samples.add_state("egressprobe_verdict", labels, "verdict", cell.verdict, tuple(ORDER))
    if cell.code and cell.verdict is not Verdict.PASS:
        samples.add("egressprobe_failure_info", labels | {"code": cell.code}, 1.0)
    if not probed:
        return
    if cell.verdict in _SUCCESS:
        samples.add("probe_success", labels, _SUCCESS[cell.verdict])
    for phase, seconds in cell.phases:
        samples.add("probe_duration_seconds", labels | {"phase": phase}, seconds)
    if cell.expires is not None:
        samples.add("probe_ssl_earliest_cert_expiry", labels, cell.expires)
    if cell.seconds is not None:
        samples.add("egressprobe_predicted_call_seconds", labels, cell.seconds)


def _labels(labels: Labels) -> str:
    inner = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels)
    return f"{{{inner}}}" if inner else ""


def _number(value: float) -> str:
    return repr(value).removesuffix(".0")


def _escaped(text: str) -> str:
    return printable(text).replace("\\", "\\\\").replace('"', '\\"')


def _unix_time(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return None
