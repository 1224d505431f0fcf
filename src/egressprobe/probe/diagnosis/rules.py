"""Rules that return findings beside the verdict: each checks one thing. Pure.

The retry ladder's rules are in middlebox.py, those on the issuer in interception.py.
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
from egressprobe.model.measurement import Attempt, Hop, Lookup, Resolution
from egressprobe.model.report import Finding
from egressprobe.probe.diagnosis.interception import intercepted
from egressprobe.probe.diagnosis.middlebox import path_broken
from egressprobe.probe.diagnosis.refusals import alerts, not_authenticated
from egressprobe.probe.diagnosis.rule_input import Case

_SLOW_SHARE = 0.5  # of the call's limit
_SERVER_ERRORS = frozenset({502, 503, 504})


def _address_dead(case: Case) -> Iterator[Finding]:
    for hop in case.measured.hops:
        dead = [a for a in hop.attempts if a.failure and not _no_route(hop, a)]
        alive = [a for a in hop.attempts if a.failure is None]
        if dead and alive:
            fail = "fails" if len(dead) == 1 else "fail"
            summary = f"{len(dead)} of {len(dead) + len(alive)} addresses of {hop.host} {fail}"
            evidence = {
                "host": hop.host,
                "dead": [
                    {"address": a.address, "port": a.port, "code": str(a.failure.code)} for a in dead if a.failure
                ],
                "alive": [a.address for a in alive],
            }
            yield ADDRESS_DEAD.found(summary, evidence)


def _no_route(hop: Hop, attempt: Attempt) -> bool:
    """An IPv6 address without a route is not dead: Go sorts it last and never waits for it."""
    sources = hop.resolution.sources if hop.resolution else {}
    return attempt.address in sources and sources[attempt.address] is None


def _dns_slow(case: Case) -> Iterator[Finding]:
    for hop in case.measured.hops:
        seconds = hop.resolution.ms / 1e3 if hop.resolution else 0.0
        if case.forecast is not None and hop.resolution and seconds >= case.client.limit * _SLOW_SHARE:
            slow = max(hop.resolution.lookups, key=lambda lookup: lookup.ms)
            failed = _why_slow(slow)
            summary = f"the lookup of {hop.host} takes {seconds:.1f} s of {case.client.limit:.0f} s: {failed}"
            yield DNS_SLOW.found(summary, {"host": hop.host, "type": slow.type, "seconds": round(seconds, 3)})


def _why_slow(lookup: Lookup) -> str:
    """Of all queries together: the time of the last one alone would contradict the time of the lookup."""
    silent = [query for query in lookup.queries if query.failure and query.failure.code is Code.DNS_TIMEOUT]
    if len(silent) > 1 and lookup.failure:
        servers = ", ".join(dict.fromkeys(query.server for query in silent))
        return f"{len(silent)} {lookup.type} queries to {servers} without an answer"
    return lookup.failure.message if lookup.failure else "the response is late"


def _call_slow(case: Case) -> Iterator[Finding]:
    if case.forecast is None or case.forecast.outcome != "pass":
        return
    slow_dns = case.forecast.dns_seconds >= case.client.limit * _SLOW_SHARE
    if case.forecast.seconds >= case.client.limit * _SLOW_SHARE and not slow_dns:
        host = case.measured.hops[0].host
        summary = f"a call to {host} takes {case.forecast.seconds:.1f} s of {case.client.limit:.0f} s"
        yield CALL_SLOW.found(summary, {"seconds": case.forecast.seconds, "limit": case.client.limit})


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
            f"a certificate of {host} expires in {left}",
            {"host": host, "daysRemaining": days},
        )


def _server_error(case: Case) -> Iterator[Finding]:
    for hop in case.measured.hops:
        bad = [a for a in hop.attempts if a.exchange_status in _SERVER_ERRORS]
        if bad and hop.role == "call" and case.target.exchange == "head":
            summary = (
                f"{hop.host} answers HEAD / with {bad[0].exchange_status}: the load balancer may have no healthy target"
            )
            yield SERVER_ERROR_STATUS.found(summary, {"status": bad[0].exchange_status})


def _views_differ(case: Case) -> Iterator[Finding]:
    own = case.measured.hops[0].resolution if case.measured.hops and case.measured.views else None
    if own is None or own.origin != "dns":
        return
    mine = _nature(own)
    for other in case.measured.views:
        theirs = _nature(other)
        if mine and theirs and mine != theirs:
            summary = f"{own.host}: {own.view} answers {_answer(own)}, {other.view} answers {_answer(other)}"
            yield DNS_VIEWS_DIFFER.found(summary, {own.view: mine, other.view: theirs, "host": own.host})


def _nature(resolution: Resolution) -> str | None:
    """The kind of a response. Addresses themselves may differ: round robin and CDNs change them all the time."""
    from ipaddress import ip_address

    if resolution.addresses:
        private = {ip_address(address).is_private for address in resolution.addresses}
        return "private" if private == {True} else "public" if private == {False} else "mixed"
    code = resolution.failure.code if resolution.failure else None
    return str(code) if code in (Code.DNS_NXDOMAIN, Code.DNS_NO_ADDRESSES, Code.DNS_REFUSED) else None


def _answer(resolution: Resolution) -> str:
    if resolution.addresses:
        return ", ".join(resolution.addresses[:3])
    return str(resolution.failure.code) if resolution.failure else "nothing"


def _available_but_rejected(case: Case) -> Iterator[Finding]:
    """The check, which does not verify TLS, passes; the proxy, which does, fails."""
    available, predicted = case.available, case.forecast
    if available and available.outcome == "pass" and predicted and predicted.outcome == "fail":
        summary = f"kubectl get apiservice {case.target.name} shows Available, but requests to it fail"
        yield AVAILABLE_BUT_REJECTED.found(summary, {"error": predicted.error, "checked": available.url})


def _refused(case: Case) -> Iterator[Finding]:
    """Why the API server fails the call before it connects."""
    refusal = case.target.refusal
    if refusal is not None:
        evidence = {"error": refusal.error, "objects": list(case.target.objects)}
        yield FINDINGS[refusal.finding].found(FINDINGS[refusal.finding].summary, evidence)


type _Rule = Callable[[Case], Iterator[Finding]]
FINDING_RULES: tuple[_Rule, ...] = (
    _refused,
    path_broken,
    intercepted,
    alerts,
    _available_but_rejected,
    _address_dead,
    _call_slow,
    _certificate,
    _dns_slow,
    _views_differ,
    _server_error,
    not_authenticated,
)
