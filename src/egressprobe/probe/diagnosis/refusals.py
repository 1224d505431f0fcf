"""Servers that answer and refuse: what a TLS alert means for this kind of target, and authentication. Pure."""

from collections.abc import Iterator

from egressprobe.apiserver import tls_alerts
from egressprobe.apiserver.authentication import client_certificate_refused
from egressprobe.apiserver.client_rules import RULES
from egressprobe.apiserver.tls_alerts import alert_number
from egressprobe.catalog.entry import FindingEntry
from egressprobe.catalog.findings_tls import (
    ALPN_REJECTED,
    AUTHENTICATION_NOT_CHECKED,
    CLIENT_CERTIFICATE_REQUIRED,
    KUBELET_WITHOUT_SERVING_CERTIFICATE,
    SERVER_NAME_REJECTED,
    SERVER_TLS_ERROR,
    TLS_PARAMETERS_DIFFER,
)
from egressprobe.golang.tls_record import alert_text
from egressprobe.model.measurement import Attempt
from egressprobe.model.report import Finding
from egressprobe.model.target import Endpoint, Kind
from egressprobe.probe.diagnosis.rule_input import Case

_BY_ALERT: dict[int, FindingEntry] = {
    tls_alerts.HANDSHAKE_FAILURE: TLS_PARAMETERS_DIFFER,
    tls_alerts.INSUFFICIENT_SECURITY: TLS_PARAMETERS_DIFFER,
    tls_alerts.INTERNAL_ERROR: SERVER_TLS_ERROR,
    tls_alerts.UNRECOGNIZED_NAME: SERVER_NAME_REJECTED,
    tls_alerts.NO_APPLICATION_PROTOCOL: ALPN_REJECTED,
    tls_alerts.CERTIFICATE_REQUIRED: CLIENT_CERTIFICATE_REQUIRED,
}
# Where a kind of target gives an alert another meaning.
_BY_KIND: dict[tuple[Kind, int], FindingEntry] = {
    (Kind.KUBELET, tls_alerts.INTERNAL_ERROR): KUBELET_WITHOUT_SERVING_CERTIFICATE,
}


def alerts(case: Case) -> Iterator[Finding]:
    """One finding for each alert and host, by the alert's number and the kind of the target."""
    for hop in case.measured.hops:
        entries: dict[str, Finding] = {}
        for attempt in hop.attempts:
            number = alert_number(attempt.failure.api_server_error) if attempt.failure else None
            entry = _entry(case.target.kind, attempt, number)
            if entry is None or number is None:
                continue
            where = Endpoint(attempt.address, attempt.port)
            summary = f"{hop.host} at {where}: {entry.summary} (alert {number}, {alert_text(number)})"
            evidence = {"host": hop.host, "address": attempt.address, "port": attempt.port, "alert": number}
            entries.setdefault(entry.code, entry.found(summary, evidence))
        yield from entries.values()


def _entry(kind: Kind, attempt: Attempt, number: int | None) -> FindingEntry | None:
    if number is None:
        return None
    if client_certificate_refused(attempt):
        return CLIENT_CERTIFICATE_REQUIRED
    return _BY_KIND.get((kind, number)) or _BY_ALERT.get(number)


def not_authenticated(case: Case) -> Iterator[Finding]:
    """The path and the server's certificate are proven, the API server's credentials are not."""
    if not case.refusing:
        return
    endpoint, answer = case.refusing[0]
    more = f" and {len(case.refusing) - 1} more" if len(case.refusing) > 1 else ""
    summary = (
        f"authentication: not checked; {endpoint}{more} refuses the probe ({answer}), which does not have the API "
        f"server's {RULES[case.target.kind].credentials}"
    )
    condition = case.available.condition if case.available else None
    if condition is not None:
        summary += f"; the API server itself reports Available={condition.status} since {condition.since or 'unknown'}"
    yield AUTHENTICATION_NOT_CHECKED.found(
        summary, {"refusing": [{"endpoint": str(endpoint), "answer": answer} for endpoint, answer in case.refusing]}
    )
