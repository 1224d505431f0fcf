"""The paths while the update is under way: what changed from one probe to the next."""

from collections.abc import Iterator

from egressprobe.model.joined_report import Joined
from egressprobe.readiness.comparison.comparable import Comparable, comparable
from egressprobe.readiness.comparison.compare import compare_reports
from egressprobe.readiness.result import CellDifference, MatrixCell, Preflight, Trend

_MOST = 10


class Watch:
    """Compares each probe with the one before, the first with the baseline."""

    def __init__(self, baseline: Preflight) -> None:
        self._last: Comparable = comparable(baseline, "the baseline")

    def changes(self, joined: Joined) -> Iterator[str]:
        """A line for each cell that changed, the worst first, and how many more."""
        report = comparable(joined, "now")
        listed = [entry for entry in compare_reports(self._last, report).differences if _is_news(entry)]
        self._last = report
        yield from map(_line, listed[:_MOST])
        if len(listed) > _MOST:
            yield f"and {len(listed) - _MOST} more changes"


def _is_news(entry: CellDifference) -> bool:
    both_unknown = entry.before and entry.after and entry.before.verdict is entry.after.verdict
    return not (entry.trend is Trend.UNKNOWN and both_unknown)


def _line(entry: CellDifference) -> str:
    family = f" by {entry.family}" if entry.family else ""
    where = f"{entry.kind} {entry.target} from {entry.subnet_id or 'this computer'}{family}"
    return f"{where}: {_cell(entry.before)} -> {_cell(entry.after)}"


def _cell(cell: MatrixCell | None) -> str:
    return "not probed" if cell is None else f"{cell.verdict} {cell.code or ''}".rstrip()
