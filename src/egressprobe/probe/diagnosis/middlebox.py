"""What the rungs of the retry ladder mean: which box or link on the way broke a handshake. Pure.

| as it was | with MSS 536 | small hello | other name | cause |
|---|---|---|---|---|
| fails | answers | | | a path MTU black hole, if nothing came back |
| fails | fails | answers | | large ClientHellos are dropped or reset |
| fails | fails | fails | answers | the server name is filtered |
| fails | fails | fails | fails | the server is silent, or the flow dies after its SYN |

No cause without evidence: a rung that could not be tried, or the same handshake working the second time,
says nothing. A server that resets or closes whatever the hello is has its failure code, no finding.
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
    """A finding's code, what is said, and what it adds to the evidence."""

    code: str
    said: str
    evidence: dict[str, str]


def path_broken(case: Case) -> Iterator[Finding]:
    """A finding for each address that climbed the ladder and whose rungs agree on a cause."""
    for hop in case.measured.hops:
        for attempt in hop.attempts:
            for cause in path_causes(attempt):
                where = Endpoint(attempt.address, attempt.port)
                said = f"{hop.host} at {where}: {cause.said}"
                yield FINDINGS[cause.code].found(said, cause.evidence | _evidence(hop, attempt))


def path_causes(attempt: Attempt) -> list[PathCause]:
    """What the ladder of one address says: nothing, one cause, or a small MTU beside a hello filter."""
    failure = attempt.failure
    if failure is None or failure.code not in HANDSHAKE_CUT or not attempt.ladder:
        return []
    how = _HOW[CODES[failure.code].ending]
    rungs = _Rungs(attempt)
    if rungs.answered("again"):
        return []  # it comes and goes: nothing that a rung shows would be about this
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
        return _nobody_answers(attempt)
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
        seen = self._outcomes.get(name, set())
        return bool(seen) and not seen & {"answered", "unknown"}

    def all_failed(self) -> bool:
        return all(self.failed(name) for name in self._outcomes)


def _direction(attempt: Attempt) -> str:
    """Our bytes unacknowledged: they die on the way out. Else the answer dies on the way back."""
    if attempt.tcp is None:
        return "unknown"
    return _OUT if attempt.tcp.unacked else _BACK


def _path_mtu(attempt: Attempt) -> PathCause:
    direction = _direction(attempt)
    way = "" if direction == "unknown" else f", {direction}"
    said = f"full-size packets vanish on the way{way}, small ones pass: a path MTU black hole"
    return PathCause("PATH_MTU_BLACK_HOLE", said, {"direction": direction})


def _large_hello(attempt: Attempt, how: str) -> PathCause:
    size = attempt.tls.hello_bytes if attempt.tls else 0
    small = next((rung.hello_bytes for rung in attempt.ladder if rung.name.startswith("small")), 0)
    said = f"a ClientHello of {size} bytes is {how}, one of {small} is answered"
    return PathCause("LARGE_CLIENT_HELLO_DROPPED", said, {"how": how})


def _name_filter(attempt: Attempt, how: str) -> PathCause:
    others = [r.server_name or "no name" for r in attempt.ladder if r.name == "other-name" and r.outcome == "answered"]
    own = attempt.tls.server_name if attempt.tls else None
    said = f"a ClientHello with the name {own} is {how}, one with {others[0]} is answered"
    return PathCause("SNI_FILTERED", said, {"how": how, "serverName": own or "", "answered": ", ".join(others)})


def _nobody_answers(attempt: Attempt) -> list[PathCause]:
    tcp = attempt.tcp
    if tcp is None:
        return []  # only the kernel knows which of the two it is
    if tcp.unacked or tcp.out_of_order:
        direction = _direction(attempt)
        said = f"TCP connects, then nothing arrives any more ({direction}), however small"
        return [PathCause("FLOW_BLACK_HOLED", said, {"direction": direction})]
    said = "TCP connects and acknowledges the ClientHello, and no hello is ever answered"
    return [PathCause("SERVER_SILENT", said, {})]


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
