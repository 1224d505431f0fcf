"""What the rungs of the retry ladder mean: which device or link on the path broke a handshake. Pure.

| as it was | with MSS 536 | small hello | other name | cause |
|---|---|---|---|---|
| fails | answers | | | a path MTU black hole, if nothing came back |
| fails | fails | answers | | large ClientHellos are dropped or reset |
| fails | fails | fails | answers | the server name is filtered |
| fails | fails | fails | fails | the server is silent, or packets after the SYN are dropped |

No cause without evidence: a rung that could not be tried, or the same handshake working the second time,
proves nothing. A server that resets or closes whatever the ClientHello is has its failure code, no finding.
"""

from collections.abc import Iterator
from typing import NamedTuple

from egressprobe.catalog.registry import FINDINGS
from egressprobe.model.failure import CODES, HANDSHAKE_CUT, Ending
from egressprobe.model.measurement import Attempt, Hop
from egressprobe.model.report import Finding
from egressprobe.model.target import Endpoint
from egressprobe.probe.diagnosis.rule_input import Case

# How the handshake ended, as the summary says it.
_HOW = {Ending.SILENT: "dropped", Ending.RESET: "reset", Ending.CLOSED: "closed"}
_OUT, _BACK = "client to server", "server to client"


class PathCause(NamedTuple):
    """A finding's code, its summary, and what it adds to the evidence."""

    code: str
    summary: str
    evidence: dict[str, str]


def path_broken(case: Case) -> Iterator[Finding]:
    """A finding for each address that climbed the ladder and whose rungs agree on a cause."""
    for hop in case.measured.hops:
        for attempt in hop.attempts:
            for cause in path_causes(attempt):
                where = Endpoint(attempt.address, attempt.port)
                summary = f"{hop.host} at {where}: {cause.summary}"
                yield FINDINGS[cause.code].found(summary, cause.evidence | _evidence(hop, attempt))


def path_causes(attempt: Attempt) -> list[PathCause]:
    """What the ladder of one address says: nothing, one cause, or a small MTU beside a hello filter."""
    failure = attempt.failure
    if failure is None or failure.code not in HANDSHAKE_CUT or not attempt.ladder:
        return []
    how = _HOW[CODES[failure.code].ending]
    rungs = _Rungs(attempt)
    if rungs.answered("again"):
        return []  # it is intermittent: no rung shows its cause
    silent = how == "dropped"
    if not rungs.failed("again-mss-536"):
        return [_path_mtu(attempt)] if silent and rungs.answered("again-mss-536") else []
    if rungs.tried("small") and not rungs.failed("small"):
        return [_large_hello(attempt, how)] if rungs.answered("small") else []
    if rungs.answered("small-mss-536"):
        return [_large_hello(attempt, how), *([_path_mtu(attempt)] if silent else [])]
    if rungs.answered("other-name"):
        return [_name_filter(attempt, how)]
    if rungs.all_failed() and silent:
        return _no_rung_answered(attempt)
    return []


class _Rungs:
    """The ladder by name. Several rungs share `other-name`: one answer is enough, a failure needs all."""

    def __init__(self, attempt: Attempt) -> None:
        self._outcomes: dict[str, set[str]] = {}
        for rung in attempt.ladder:
            self._outcomes.setdefault(rung.name, set()).add(rung.outcome)

    def tried(self, name: str) -> bool:
        return name in self._outcomes

    def answered(self, name: str) -> bool:
        return "answered" in self._outcomes.get(name, ())

    def failed(self, name: str) -> bool:
        outcomes = self._outcomes.get(name, set())
        return bool(outcomes) and not outcomes & {"answered", "unknown"}

    def all_failed(self) -> bool:
        return all(self.failed(name) for name in self._outcomes)


def _direction(attempt: Attempt) -> str:
    """Our bytes unacknowledged: they are dropped on the path to the server. Else return traffic is dropped."""
    if attempt.tcp is None:
        return "unknown"
    return _OUT if attempt.tcp.unacked else _BACK


def _path_mtu(attempt: Attempt) -> PathCause:
    direction = _direction(attempt)
    where = "" if direction == "unknown" else f", {direction}"
    summary = f"full-size packets are dropped on the path{where}, small ones pass: a path MTU black hole"
    return PathCause("PATH_MTU_BLACK_HOLE", summary, {"direction": direction})


def _large_hello(attempt: Attempt, how: str) -> PathCause:
    size = attempt.tls.hello_bytes if attempt.tls else 0
    small = next((rung.hello_bytes for rung in attempt.ladder if rung.name.startswith("small")), 0)
    summary = f"a ClientHello of {size} bytes is {how}, one of {small} is answered"
    return PathCause("LARGE_CLIENT_HELLO_DROPPED", summary, {"how": how})


def _name_filter(attempt: Attempt, how: str) -> PathCause:
    others = [r.server_name or "no name" for r in attempt.ladder if r.name == "other-name" and r.outcome == "answered"]
    own = attempt.tls.server_name if attempt.tls else None
    summary = f"a ClientHello with the name {own} is {how}, one with {others[0]} is answered"
    return PathCause("SNI_FILTERED", summary, {"how": how, "serverName": own or "", "answered": ", ".join(others)})


def _no_rung_answered(attempt: Attempt) -> list[PathCause]:
    tcp = attempt.tcp
    if tcp is None:
        return []  # only the kernel knows which of the two it is
    if tcp.unacked or tcp.out_of_order:
        direction = _direction(attempt)
        summary = f"TCP connects, then packets of any size are dropped ({direction})"
        return [PathCause("FLOW_BLACK_HOLED", summary, {"direction": direction})]
    summary = "TCP connects and the ClientHello is acknowledged, but no ClientHello is ever answered"
    return [PathCause("SERVER_SILENT", summary, {})]


def _evidence(hop: Hop, attempt: Attempt) -> dict[str, object]:
    return {
        "host": hop.host,
        "address": attempt.address,
        "port": attempt.port,
        "helloBytes": attempt.tls.hello_bytes if attempt.tls else 0,
        "ladder": [
            {"rung": r.name, "helloBytes": r.hello_bytes, "serverName": r.server_name, "outcome": r.outcome}
            for r in attempt.ladder
        ],
        "tcp": {"unacked": attempt.tcp.unacked, "outOfOrder": attempt.tcp.out_of_order} if attempt.tcp else None,
    }
