"""Targets with `expect: blocked`: they pass while they cannot be reached and something else can. Pure.

| the target | the control | verdict |
|---|---|---|
| connected, for TLS answered | | fail |
| refused, reset, dropped, unreachable; for TLS also in the handshake | connected | pass |
| NXDOMAIN, no address, refused by the name server, or no response | resolved by DNS and connected | pass |
| any of these | not connected | unknown, and the control is named |
| another DNS error, or not measured | | unknown |

The control is the target's own, else any other target of the run. Without it a broken network, or a name server that
is down, would look like a perfect firewall.
"""

from collections.abc import Iterable
from typing import NamedTuple

from egressprobe.catalog.findings_probe import BLOCKED_BY_DNS, BLOCKED_IN_TLS, NO_POSITIVE_CONTROL
from egressprobe.model.failure import HANDSHAKE_CUT, NOT_MEASURED, Code, Failure, Phase
from egressprobe.model.measurement import Attempt, Hop, Measurement
from egressprobe.model.report import Finding
from egressprobe.model.target import Target, Verdict
from egressprobe.probe.diagnosis.rule_input import Neighbours

# Answers, or the lack of one, with which a DNS firewall or a response policy blocks a name.
_BLOCKED_IN_DNS = frozenset({Code.DNS_NXDOMAIN, Code.DNS_NO_ADDRESSES, Code.DNS_REFUSED, Code.DNS_TIMEOUT})


class BlockedVerdict(NamedTuple):
    verdict: Verdict
    failure: Failure | None = None
    findings: tuple[Finding, ...] = ()


def connected(hops: Iterable[Hop]) -> bool:
    """Whether TCP connected to any address: what proves that this vantage reaches something."""
    return any(attempt.connect_ms is not None for hop in hops for attempt in hop.attempts)


def connected_by_name(hops: Iterable[Hop]) -> bool:
    """Whether TCP connected to an address from DNS: what proves that names resolve here as well."""
    return any(connected([hop]) for hop in hops if hop.resolution and hop.resolution.origin == "dns")


def blocked(target: Target, measured: Measurement, others: Neighbours) -> BlockedVerdict:
    """others: what the other targets of the run prove; the target's own control decides where it has one."""
    attempts = [attempt for hop in measured.hops for attempt in hop.attempts]
    reached = [attempt for attempt in attempts if _reached(attempt)]
    if reached:
        where = ", ".join(f"{a.address}:{a.port}" for a in reached)
        message = f"{target.host} must be blocked and can be reached at {where}"
        return BlockedVerdict(Verdict.FAIL, Failure(Phase.CONNECT, Code.BLOCKED_TARGET_REACHED, message))
    failures = [attempt.failure for attempt in attempts if attempt.failure]
    in_dns = _dns_failure(measured) if not attempts else None
    if in_dns is not None and in_dns.code in _BLOCKED_IN_DNS:
        if _control(measured, others, by_name=True):
            summary = f"{target.host} does not resolve ({in_dns.code}), so that it cannot be reached"
            return BlockedVerdict(Verdict.PASS, None, (BLOCKED_BY_DNS.found(summary, {"code": str(in_dns.code)}),))
        return _without_control(target, measured, "that names resolve here")
    if not failures or any(failure.code in NOT_MEASURED for failure in failures):
        return BlockedVerdict(Verdict.UNKNOWN, measured.failure or in_dns)
    if _control(measured, others):
        return BlockedVerdict(Verdict.PASS, None, _open_port(target, attempts))
    return _without_control(target, measured, "that this vantage reaches anything")


def _open_port(target: Target, attempts: Iterable[Attempt]) -> tuple[Finding, ...]:
    """What is blocked by name only: TCP connects, the handshake is cut."""
    where = [f"{a.address}:{a.port}" for a in attempts if a.connect_ms is not None]
    if not where:
        return ()
    summary = f"TCP connects to {', '.join(where)}; what blocks {target.host} cuts the TLS handshake"
    return (BLOCKED_IN_TLS.found(summary, {"addresses": where}),)


def _control(measured: Measurement, others: Neighbours, *, by_name: bool = False) -> bool:
    if measured.control is not None:
        return (connected_by_name if by_name else connected)([measured.control])
    return others.control_by_name if by_name else others.control


def _dns_failure(measured: Measurement) -> Failure | None:
    resolution = measured.hops[0].resolution if measured.hops else None
    return resolution.failure if resolution else None


def _without_control(target: Target, measured: Measurement, unproven: str) -> BlockedVerdict:
    """Unknown, and it is the control that needs work: nothing is to be opened for the target."""
    control = measured.control
    if control is None:
        message = f"{target.host} cannot be reached, but no other target of this run shows {unproven}"
    elif connected([control]):
        message = f"{target.host} does not resolve, but its control {target.control} does not show {unproven}"
    else:
        message = f"{target.host} cannot be reached, but neither can its control {target.control}: {_why(control)}"
    failure = Failure(Phase.CONNECT, Code.CONTROL_UNREACHABLE, message)
    return BlockedVerdict(Verdict.UNKNOWN, failure, (NO_POSITIVE_CONTROL.found(message, {"control": target.control}),))


def _why(control: Hop) -> str:
    parts = (control.resolution, *control.attempts, control)
    failure = next((part.failure for part in parts if part is not None and part.failure), None)
    return failure.message if failure else "not measured"


def _reached(attempt: Attempt) -> bool:
    """Connected, and for TLS answered: silence or a cut in the handshake is a block."""
    if attempt.connect_ms is None:
        return False
    return attempt.failure is None or attempt.failure.code not in HANDSHAKE_CUT
