"""Predicts one API call on a new connection: a pure function of what was measured.

No socket, no clock. Go's rules are replayed on measured times: wait for both DNS responses, sort by RFC 6724,
give each silent address its share of the dialer's 30 s, start the other family after 300 ms, 10 s for the
handshake, and the call's own limit over all of it.

Two assumptions, both documented: an address or server that was silent for as long as we waited stays silent; and the
call has no idle connection to reuse.

Where the outcome depends on something that was not measured there is no forecast (None), never a guess.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from egressprobe.apiserver.call_limit import PredictedCall, limited
from egressprobe.apiserver.call_orders import key_of, orders
from egressprobe.apiserver.client_rules import DIALER_LIMIT, RULES, TLS_HANDSHAKE_LIMIT, Client
from egressprobe.error_texts.network import DIAL_TIMEOUT, LOOKUP_TIMEOUT
from egressprobe.error_texts.tls import TLS_TIMEOUT
from egressprobe.golang.address_order import sort_addresses
from egressprobe.golang.dialer import Leg, NotMeasuredError, dial
from egressprobe.model.failure import NOT_MEASURED, SILENT, Code, Failure, Phase
from egressprobe.model.measurement import Attempt, Hop, Measurement
from egressprobe.model.report import Forecast
from egressprobe.model.target import Endpoint, Target

# Stand-ins by family for a source address that is link-local, as a Lambda's is: a control plane's own
# addresses are private IPv4 and global IPv6.
_ASSUMED_SOURCE = {4: "10.0.0.1", 6: "2600:1f00::1"}


def client_for(target: Target, sources: Mapping[str, str], *, ipv6_expected: bool = False) -> Client:
    rules = RULES[target.kind]
    limit = float(target.timeout_seconds) if rules.call_limit is None else rules.call_limit
    return Client(rules, limit, sources, ipv6_expected)


class Prediction(NamedTuple):
    """A forecast, and the failure behind a call that fails: of the order seen, else of another order."""

    forecast: Forecast
    failure: Failure | None


def forecast(measured: Measurement, client: Client) -> Prediction | None:
    """Outcome of the order seen, and the share of all equally likely orders that pass.

    Several hops (OIDC: discovery, redirects, key set) are calls one after the other: the first that fails
    ends it, and shares multiply.
    """
    if measured.failure or not measured.hops:
        return None
    seconds = dns_seconds = 0.0
    share, unknown = 1.0, 0.0
    failing: PredictedCall | None = None
    ended: PredictedCall | None = None
    for hop in measured.hops:
        try:
            outlook = _hop(hop, client)
        except NotMeasuredError:
            return None
        call = outlook.seen
        seconds += call.seconds
        dns_seconds = max(dns_seconds, _dns_seconds(hop))
        unknown = 1 - (1 - unknown) * (1 - outlook.unknown)
        share *= outlook.share
        failing = failing or outlook.failing
        if call.error is not None or call.failure is not None:
            ended = failing = call
            break
    predicted = Forecast(
        outcome="fail" if ended else "pass",
        seconds=round(seconds, 4),
        error=ended.error if ended else None,
        share=share,
        share_unknown=unknown,
        dns_seconds=round(dns_seconds, 4),
        alternatives=ended.alternatives if ended else (),
    )
    return Prediction(predicted, _with_error(failing) if failing else None)


class _Outlook(NamedTuple):
    """All equally likely calls of one hop: the one seen, shares, and one that does not pass, if any."""

    seen: PredictedCall
    share: float
    unknown: float
    failing: PredictedCall | None


def _hop(hop: Hop, client: Client) -> _Outlook:
    view = _view(hop, client)
    calls: list[PredictedCall | None] = []
    for order in orders(hop):
        try:
            calls.append(_call(view, order, client))
        except NotMeasuredError:
            calls.append(None)
    if not calls:
        return _Outlook(_without_addresses(hop, client), 0.0, 0.0, None)
    if calls[0] is None:
        raise NotMeasuredError(hop.host)
    known = [call for call in calls if call is not None]
    failing = [call for call in known if call.failure is not None or call.error is not None]
    many = len(calls)
    return _Outlook(
        calls[0], (len(known) - len(failing)) / many, (many - len(known)) / many, failing[0] if failing else None
    )


def _with_error(call: PredictedCall) -> Failure | None:
    """The failure with the error that the call as a whole ends with, which may be only `deadline exceeded`."""
    return replace(call.failure, api_server_error=call.error) if call.failure else None


def _dns_seconds(hop: Hop) -> float:
    return hop.resolution.ms / 1e3 if hop.resolution else 0.0


class _CallView(NamedTuple):
    """The part of a hop that does not depend on the order of its addresses."""

    hop: Hop
    dns: float
    attempts: dict[str, Attempt]
    legs: dict[str, Leg]
    sources: dict[str, str | None]


def _view(hop: Hop, client: Client) -> _CallView:
    attempts = {key_of(hop, attempt): attempt for attempt in hop.attempts}
    legs = {key: leg for key, attempt in attempts.items() if (leg := _leg(attempt, client))}
    return _CallView(hop, _dns_seconds(hop), attempts, legs, _sources(hop, client))


def _call(view: _CallView, order: tuple[str, ...], client: Client) -> PredictedCall:
    """One call: DNS, dial, TLS, exchange, each against the call's limit."""
    hop, dns, attempts, legs, sources = view
    if dns < client.limit and _unfinished(hop):
        raise NotMeasuredError(hop.host)
    if dns >= min(client.limit, DIALER_LIMIT):
        return _without_addresses(hop, client)
    ordered = sort_addresses(order, sources) if hop.resolution else order
    result = dial(ordered, legs, dns, DIALER_LIMIT, client.limit)
    if result.address is None:
        failed = next((f for a in ordered if (f := attempts[a].failure)), _too_slow(hop))
        return limited(PredictedCall(result.at, result.error, failed), client, failed)
    attempt = attempts[result.address]
    cause = _slow_lookup(hop) if dns >= client.limit / 2 else _dead_before(ordered, attempts, result.address)
    return limited(_after_connect(hop, attempt, result.at), client, cause)


def _too_slow(hop: Hop) -> Failure:
    """Every address connects, but not in the share of the dialer's time that it gets."""
    message = f"{hop.host}: its addresses connect too slowly"
    return Failure(Phase.CONNECT, Code.CONNECT_TIMEOUT, message)


def _dead_before(ordered: Sequence[str], attempts: Mapping[str, Attempt], winner: str) -> Failure | None:
    """The failure of an address that took the time, when one that works comes too late."""
    before = ordered[: ordered.index(winner)]
    return next((f for a in before if (f := attempts[a].failure)), None)


def _leg(attempt: Attempt, client: Client) -> Leg | None:
    """One address for the dialer; None where it was not measured."""
    failure = attempt.failure
    timed_out = DIAL_TIMEOUT.of(endpoint=Endpoint(attempt.address, attempt.port))
    # An endpoint that is a host name fails in its lookup.
    if failure is None or failure.phase not in (Phase.CONNECT, Phase.RESOLVE):
        return None if attempt.connect_ms is None else Leg(attempt.connect_ms / 1e3, None, timed_out)
    if failure.code in NOT_MEASURED:
        return None
    if failure.code is Code.NETWORK_UNREACHABLE and attempt.family == "ipv6" and client.ipv6_expected:
        return None
    silent = failure.code in SILENT
    seconds = math.inf if silent else (attempt.failure_ms or 0.0) / 1e3
    return Leg(seconds, failure.api_server_error or timed_out, timed_out)


def _after_connect(hop: Hop, attempt: Attempt, at: float) -> PredictedCall:
    """TLS and the exchange with the address that connected first; Go tries no other one after that."""
    failure = attempt.failure
    took = (attempt.failure_ms or 0.0) / 1e3
    tls = attempt.tls.duration_ms / 1e3 if attempt.tls else 0.0
    if failure is not None:
        if failure.code in NOT_MEASURED:
            raise NotMeasuredError(attempt.address)
        if failure.code is Code.TLS_TIMEOUT:
            return PredictedCall(at + TLS_HANDSHAKE_LIMIT, TLS_TIMEOUT.text, failure)
        if failure.code is Code.HTTP_TIMEOUT:
            return PredictedCall(math.inf, None, failure)
        seconds = at + took if failure.phase is Phase.TLS else at + tls + took
        return PredictedCall(seconds, failure.api_server_error or failure.message, failure)
    seconds = at + tls + (attempt.exchange_ms or 0.0) / 1e3
    if hop.role == "call":
        return PredictedCall(seconds)
    return _after_request(hop, at + tls)


def _after_request(hop: Hop, at: float) -> PredictedCall:
    """The GET of an OIDC hop, which takes the place of the exchange."""
    failure = hop.failure
    if hop.http is None and failure is None:
        raise NotMeasuredError(hop.host)
    seconds = at + (hop.http.duration_ms / 1e3 if hop.http else 0.0)
    if failure is None:
        return PredictedCall(seconds)
    if failure.code in NOT_MEASURED:
        raise NotMeasuredError(hop.host)
    if failure.code is Code.HTTP_TIMEOUT:
        return PredictedCall(math.inf, failure.api_server_error, failure)
    return PredictedCall(seconds, failure.api_server_error or failure.message, failure)


def _without_addresses(hop: Hop, client: Client) -> PredictedCall:
    """The call ends in DNS: the lookup failed, or it took the whole time limit."""
    resolution = hop.resolution
    if resolution is None:
        if hop.failure is None:
            raise NotMeasuredError(hop.host)
        return PredictedCall(0.0, hop.failure.api_server_error or hop.failure.message, hop.failure)
    seconds = resolution.ms / 1e3
    failure = resolution.failure
    if failure is None:
        failure = _slow_lookup(hop)
    if seconds < min(client.limit, DIALER_LIMIT) and failure is not None and failure.code in NOT_MEASURED:
        raise NotMeasuredError(hop.host)
    error = failure.api_server_error if failure else None
    if seconds >= DIALER_LIMIT:
        seconds, error = DIALER_LIMIT, LOOKUP_TIMEOUT.of(host=resolution.host)
    return limited(PredictedCall(seconds, error, failure), client, failure)


def _unfinished(hop: Hop) -> bool:
    """A lookup ended by the run's deadline: Go waits for both responses, and how long is unknown."""
    lookups = hop.resolution.lookups if hop.resolution else ()
    return any(lookup.failure is not None and lookup.failure.code in NOT_MEASURED for lookup in lookups)


def _slow_lookup(hop: Hop) -> Failure | None:
    """The failure of a query without a response, where there is one."""
    lookups = hop.resolution.lookups if hop.resolution else ()
    failures = [lookup.failure for lookup in lookups if lookup.failure]
    return next((failure for failure in failures if failure.code is Code.DNS_TIMEOUT), None)


def _sources(hop: Hop, client: Client) -> dict[str, str | None]:
    """The source for each address: the plan's assumption, else ours, with a stand-in for link-local ones."""
    sources: dict[str, str | None] = {}
    for destination, source in (hop.resolution.sources if hop.resolution else {}).items():
        version = 6 if ":" in destination else 4
        assumed = client.sources.get(f"ipv{version}")
        local = source is not None and source.startswith(("169.254.", "fe80:"))
        sources[destination] = assumed or (_ASSUMED_SOURCE[version] if local else source)
    return sources
