"""Servers that refuse an anonymous caller where the API server presents credentials that the probe does not have. Pure.

kube-apiserver calls an aggregated API with its front-proxy client certificate and a kubelet with its kubelet client
certificate (client_rules.py `credentials`). A healthy one answers the probe with 401 or 403, or demands the
certificate. That proves the path and the server's certificate; whether the API server's credentials are accepted is
not checked. To a webhook or an OIDC provider on EKS the API server presents none, so there the refusal is a failure.
"""

from typing import NamedTuple

from msgspec.structs import replace

from egressprobe.apiserver.client_rules import RULES
from egressprobe.apiserver.tls_alerts import CLIENT_CERTIFICATE_ALERTS, alert_number
from egressprobe.model.failure import Code
from egressprobe.model.measurement import Attempt, Hop, Measurement
from egressprobe.model.target import Endpoint, Kind, Target

# RFC 9110 sections 15.5.2 and 15.5.4
_REFUSED = frozenset({401, 403})


class Refusing(NamedTuple):
    """An endpoint that refused the probe for lack of credentials, and with what: a status or an alert."""

    endpoint: Endpoint
    answer: str


def client_certificate_refused(attempt: Attempt) -> bool:
    """The server showed its certificate and then ended the handshake because of the client's, or its absence.

    Without a certificate of the server the alert is about the ClientHello: no common version, cipher or group.
    """
    failure = attempt.failure
    if failure is None or failure.code is not Code.TLS_ALERT or attempt.tls is None or not attempt.tls.chain:
        return False
    return alert_number(failure.api_server_error) in CLIENT_CERTIFICATE_ALERTS


def refusal(kind: Kind, attempt: Attempt) -> str | None:
    """What refused the probe for lack of the API server's credentials; None if nothing did, or none are presented."""
    if not RULES[kind].credentials:
        return None
    if attempt.exchange_status in _REFUSED:
        return f"status {attempt.exchange_status}"
    if client_certificate_refused(attempt) and attempt.failure:
        return f"alert {alert_number(attempt.failure.api_server_error)}"
    return None


def reached(target: Target, measured: Measurement) -> tuple[Measurement, tuple[Refusing, ...]]:
    """The measurement with such attempts as what they prove, a reached server; and who refused."""
    checked = (measured.availability,) if measured.availability else ()
    refusing = {
        Endpoint(attempt.address, attempt.port): answer
        for hop in (*checked, *measured.hops)
        for attempt in hop.attempts
        if (answer := refusal(target.kind, attempt))
    }
    if not refusing:
        return measured, ()
    hops = tuple(_reached_hop(target, hop) for hop in measured.hops)
    return replace(measured, hops=hops), tuple(Refusing(*pair) for pair in refusing.items())


def _reached_hop(target: Target, hop: Hop) -> Hop:
    return replace(hop, attempts=tuple(_reached_attempt(target, attempt) for attempt in hop.attempts))


def _reached_attempt(target: Target, attempt: Attempt) -> Attempt:
    if attempt.failure is None or not refusal(target.kind, attempt):
        return attempt
    return replace(attempt, failure=None, failure_ms=None, exchange_ms=attempt.failure_ms or 0.0)
