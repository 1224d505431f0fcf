"""Rounds for tests: `seen("a", FAIL, at=3)`."""

from egressprobe.model.target import Verdict
from egressprobe.watching.rounds import WatchedCell, WatchRound

PASS, FAIL, UNKNOWN, DEGRADED = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN, Verdict.DEGRADED


def seen(target, verdict, *, at, subnet="subnet-a", seconds=0.01, cause="no reply to the SYN", details=()):
    failed = verdict is not PASS
    return WatchedCell(
        target,
        subnet,
        verdict,
        at,
        "connect_timeout" if failed else "",
        seconds,
        cause if failed else "",
        details or ((("cause", cause), ("fix", "Open the egress rule")) if failed else ()),
    )


def round_of(*cells, complete=True, trouble=""):
    return WatchRound(max((cell.at for cell in cells), default=0.0), cells, complete=complete, trouble=trouble)
