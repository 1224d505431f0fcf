"""The rules that find what is worth a person's time beside the verdict: each looks at one thing. Pure.

What the retry ladder says is in middlebox.py, who else signs in interception.py.
"""

from collections.abc import Callable, Iterator

from egressprobe.catalog.findings_probe import (
    ADDRESS_DEAD,
    AVAILABLE_BUT_REJECTED,
    CALL_SLOW,
    CERT_EXPIRES_SOON,
    DNS_SLOW,
    DNS_VIEWS_DIFFER,
    SERVER_ERROR_STATUS,
)
from egressprobe.catalog.registry import FINDINGS
from egressprobe.model.failure import Code
from egressprobe.model.measurement import Attempt, Hop, Resolution
from egressprobe.model.report import Finding
from egressprobe.probe.diagnosis.interception import intercepted
from egressprobe.probe.diagnosis.middlebox import path_broken
from egressprobe.probe.diagnosis.rule_input import Case

_SLOW_SHARE = 0.5  # of the call's limit
_SERVER_ERRORS = frozenset({502, 503, 504})


def _address_dead(case: Case) -> Iterator[Finding]:
    for hop in case.measured.hops:
        dead = [a for a in hop.attempts if a.failure and not _no_route(hop, a)]
        alive = [a for a in hop.attempts if a.failure is None]
        if dead and alive:
            many = f"{len(dead)} of {len(dead) + len(alive)} addresses of {hop.host}"
            said = f"{many} {'does' if len(dead) == 1 else 'do'} not take the call"
            evidence = {
                "host": hop.host,
                "dead": [
                    {"address": a.address, "port": a.port, "code": str(a.failure.code)} for a in dead if a.failure
                ],
                "alive": [a.address for a in alive],
            }
            yield ADDRESS_DEAD.found(said, evidence)


def _no_route(hop: Hop, attempt: Attempt) -> bool:
    """An IPv6 address on an IPv4-only path is not dead: Go sorts it last and never waits for it."""
    sources = hop.resolution.sources if hop.resolution else {}
    return attempt.address in sources and sources[attempt.address] is None


def _dns_slow(case: Case) -> Iterator[Finding]:
    for hop in case.measured.hops:
        seconds = hop.resolution.ms / 1e3 if hop.resolution else 0.0
        if case.forecast is not None and hop.resolution and seconds >= case.client.limit * _SLOW_SHARE:
            slow = max(hop.resolution.lookups, key=lambda one: one.ms)
            failed = slow.failure.message if slow.failure else "the answer is late"
            said = f"the lookup of {hop.host} takes {seconds:.1f} s of {case.client.limit:.0f} s: {failed}"
            yield DNS_SLOW.found(said, {"host": hop.host, "type": slow.type, "seconds": round(seconds, 3)})


def _call_slow(case: Case) -> Iterator[Finding]:
    if case.forecast is None or case.forecast.outcome != "pass":
        return
    slow_dns = case.forecast.dns_seconds >= case.client.limit * _SLOW_SHARE
    if case.forecast.seconds >= case.client.limit * _SLOW_SHARE and not slow_dns:
        host = case.measured.hops[0].host
        said = f"a call to {host} takes {case.forecast.seconds:.1f} s of {case.client.limit:.0f} s"
        yield CALL_SLOW.found(said, {"seconds": case.forecast.seconds, "limit": case.client.limit})


def _certificate(case: Case) -> Iterator[Finding]:
    soonest: dict[str, float] = {}
    for hop in case.measured.hops:
        for attempt in hop.attempts:
            tls = attempt.tls
            if attempt.failure is None and tls and tls.expires_soon and tls.days_remaining is not None:
                soonest[hop.host] = min(soonest.get(hop.host, tls.days_remaining), tls.days_remaining)
    for host, days in soonest.items():
        left = f"{days:.1f} days" if days >= 1 else f"{days * 24:.1f} hours"
        yield CERT_EXPIRES_SOON.found(
            f"a certificate of {host} ends in {left}",
            {"host": host, "daysRemaining": days},
        )


def _server_error(case: Case) -> Iterator[Finding]:
    for hop in case.measured.hops:
        bad = [a for a in hop.attempts if a.exchange_status in _SERVER_ERRORS]
        if bad and hop.role == "call":
            said = f"{hop.host} answers {bad[0].exchange_status}: nothing healthy behind the load balancer"
            yield SERVER_ERROR_STATUS.found(said, {"status": bad[0].exchange_status})


def _views_differ(case: Case) -> Iterator[Finding]:
    own = case.measured.hops[0].resolution if case.measured.hops else None
    if own is None or own.origin != "dns":
        return
    mine = _nature(own)
    for other in case.measured.views:
        theirs = _nature(other)
        if mine and theirs and mine != theirs:
            said = f"{own.host}: {own.view} says {_told(own)}, {other.view} says {_told(other)}"
            yield DNS_VIEWS_DIFFER.found(said, {own.view: mine, other.view: theirs, "host": own.host})


def _nature(resolution: Resolution) -> str | None:
    """What kind of answer it is. Addresses themselves may differ: round robin and CDNs do that all day."""
    from ipaddress import ip_address

    if resolution.addresses:
        private = {ip_address(address).is_private for address in resolution.addresses}
        return "private" if private == {True} else "public" if private == {False} else "mixed"
    code = resolution.failure.code if resolution.failure else None
    return str(code) if code in (Code.DNS_NXDOMAIN, Code.DNS_NO_ADDRESSES, Code.DNS_REFUSED) else None


def _told(resolution: Resolution) -> str:
    if resolution.addresses:
        return ", ".join(resolution.addresses[:3])
    return str(resolution.failure.code) if resolution.failure else "nothing"


def _available_but_rejected(case: Case) -> Iterator[Finding]:
    """The unverified check is content and the verifying proxy is not."""
    available, predicted = case.available, case.forecast
    if available and available.outcome == "pass" and predicted and predicted.outcome == "fail":
        said = f"kubectl get apiservice {case.target.name} shows Available, and requests to it fail"
        yield AVAILABLE_BUT_REJECTED.found(said, {"error": predicted.error, "checked": available.url})


def _refused(case: Case) -> Iterator[Finding]:
    """What the API server would stumble over before it dials."""
    refusal = case.target.refusal
    if refusal is not None:
        evidence = {"error": refusal.error, "objects": list(case.target.objects)}
        yield FINDINGS[refusal.finding].found(FINDINGS[refusal.finding].summary, evidence)


type _Rule = Callable[[Case], Iterator[Finding]]
FINDING_RULES: tuple[_Rule, ...] = (
    _refused,
    path_broken,
    intercepted,
    _available_but_rejected,
    _address_dead,
    _call_slow,
    _certificate,
    _dns_slow,
    _views_differ,
    _server_error,
)
