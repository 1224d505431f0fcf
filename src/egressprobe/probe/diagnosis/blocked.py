"""Targets with `expect: blocked`: they pass while they cannot be reached and something else can. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

from egressprobe.catalog.findings_probe import NO_POSITIVE_CONTROL
from egressprobe.model.failure import HANDSHAKE_CUT, NOT_MEASURED, Code, Failure, Phase
from egressprobe.model.measurement import Attempt, Hop, Measurement
from egressprobe.model.report import Finding
from egressprobe.model.target import Target, Verdict


class BlockedVerdict(NamedTuple):
    verdict: Verdict
    failure: Failure | None = None
    findings: tuple[Finding, ...] = ()


def connected(hops: Iterable[Hop]) -> bool:
    """Whether TCP connected to any address: what proves that this vantage reaches something."""
    return any(attempt.connect_ms is not None for hop in hops for attempt in hop.attempts)


def blocked(target: Target, measured: Measurement, *, control: bool) -> BlockedVerdict:
    """control: another target of the run connected; the target's own control decides where it has one."""
    attempts = [attempt for hop in measured.hops for attempt in hop.attempts]
    reached = [attempt for attempt in attempts if _reached(attempt)]
    if reached:
        where = ", ".join(f"{a.address}:{a.port}" for a in reached)
        message = f"{target.host} must be blocked and can be reached at {where}"
        return BlockedVerdict(Verdict.FAIL, Failure(Phase.CONNECT, Code.BLOCKED_TARGET_REACHED, message))
    failures = [attempt.failure for attempt in attempts if attempt.failure]
    if not failures or any(failure.code in NOT_MEASURED for failure in failures):
        resolution = measured.hops[0].resolution if measured.hops else None
        return BlockedVerdict(Verdict.UNKNOWN, measured.failure or (resolution.failure if resolution else None))
    if measured.control is not None:
        control = connected([measured.control])
    if control:
        return BlockedVerdict(Verdict.PASS)
    message = f"{target.host} looks blocked, but nothing shows that this vantage reaches anything at all"
    finding = NO_POSITIVE_CONTROL.found(message, {"control": target.control})
    return BlockedVerdict(Verdict.UNKNOWN, failures[0], (finding,))


def _reached(attempt: Attempt) -> bool:
    """Connected, and for TLS answered: silence or a cut in the handshake is a block."""
    if attempt.connect_ms is None:
        return False
    return attempt.failure is None or attempt.failure.code not in HANDSHAKE_CUT
