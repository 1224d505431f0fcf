"""What a TLS alert means depends on its number and on the kind of target; so does a demanded client certificate."""

import asyncio
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egressprobe.apiserver.authentication import reached, refusal
from egressprobe.apiserver.client_rules import RULES
from egressprobe.apiserver.forecast import client_for, forecast
from egressprobe.apiserver.tls_alerts import CLIENT_CERTIFICATE_ALERTS, alert_number
from egressprobe.golang.resolver import ResolverConfig
from egressprobe.golang.tls_record import ALERT_TEXTS, alert_text
from egressprobe.lab.certs import issue, make_authority
from egressprobe.lab.servers import TcpServer, server_context
from egressprobe.model.failure import Code, Failure, Phase
from egressprobe.model.measurement import Attempt, CertificateView, Handshake, Hop, Measurement
from egressprobe.model.target import Endpoint, Kind, ServiceRef, Target, Verdict
from egressprobe.probe.diagnosis.refusals import alerts
from egressprobe.probe.diagnosis.rule_input import Case, Neighbours
from egressprobe.probe.edges import Edges
from egressprobe.probe.run import run
from egressprobe.targets.plan import read_plan
from tests.support.peers.client_certificates import requiring

CA, CLIENT_CA = make_authority("server-ca"), make_authority("client-ca")
SERVICE = {"namespace": "ns", "name": "svc"}
CHAIN = (CertificateView("CN=x", "CN=y", "1", "", ""),)


class Alerting(TcpServer):
    """Answers every ClientHello with one alert."""

    def __init__(self, number):
        super().__init__()
        self.number = number

    async def talk(self, reader, writer):
        await reader.read(1)
        writer.write(bytes((21, 3, 3, 0, 2, 2, self.number)))
        await writer.drain()
        writer.close()


def probe(*targets):
    edges = Edges(guard=lambda _: None, config=ResolverConfig())
    return asyncio.run(run(read_plan({"targets": list(targets)}), run_id="a", seconds=10, edges=edges)).results


@pytest.mark.parametrize(
    ("kind", "number", "code"),
    [
        (Kind.KUBELET, 80, "KUBELET_WITHOUT_SERVING_CERTIFICATE"),
        (Kind.WEBHOOK, 80, "SERVER_TLS_ERROR"),
        (Kind.KUBELET, 40, "TLS_PARAMETERS_DIFFER"),
        (Kind.WEBHOOK, 40, "TLS_PARAMETERS_DIFFER"),
        (Kind.WEBHOOK, 71, "TLS_PARAMETERS_DIFFER"),
        (Kind.WEBHOOK, 112, "SERVER_NAME_REJECTED"),
        (Kind.AGGREGATED_API, 120, "ALPN_REJECTED"),
        (Kind.WEBHOOK, 116, "CLIENT_CERTIFICATE_REQUIRED"),
        (Kind.WEBHOOK, 47, None),
    ],
)
def test_the_alert_and_the_kind_decide_the_finding(lab_loop, kind, number, code):
    """An alert before any certificate, from a real socket: the finding names its number and its text."""
    server = lab_loop.start(Alerting(number))
    target = {"kind": kind, "name": "t", "addresses": [f"{server.address}:{server.port}"]}
    if kind is not Kind.KUBELET:
        target |= {"service": SERVICE, "caBundle": CA.pem}
    [one] = probe(target)
    assert (one.verdict, one.failure.code, one.authentication) == (Verdict.FAIL, Code.TLS_ALERT, None)
    assert [found.code for found in one.findings if found.code != "AVAILABLE_BUT_REJECTED"] == ([code] if code else [])
    if code:
        [found] = one.findings
        assert f"(alert {number}, {alert_text(number)})" in found.summary
        assert found.evidence["alert"] == number


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("kind", [Kind.KUBELET, Kind.WEBHOOK])
def test_a_demanded_client_certificate(version, kind):
    """A kubelet is reached, for kube-apiserver has a certificate for it; a webhook fails, for it has none."""
    with requiring(server_context(issue(CA, ("svc.ns.svc",))), CLIENT_CA.pem, version) as (address, port):
        target = {"kind": kind, "name": "t", "addresses": [f"{address}:{port}"]}
        if kind is Kind.WEBHOOK:
            target |= {"service": SERVICE, "caBundle": CA.pem}
        [one] = probe(target)
    codes = [found.code for found in one.findings]
    if kind is Kind.KUBELET:
        assert (one.verdict, one.failure, one.authentication) == (Verdict.PASS, None, "not checked")
        assert codes == ["AUTHENTICATION_NOT_CHECKED"]
    else:
        assert (one.verdict, one.failure.code, one.authentication) == (Verdict.FAIL, Code.TLS_ALERT, None)
        assert codes == ["CLIENT_CERTIFICATE_REQUIRED"]


def attempt(number, *, chain=CHAIN, phase=Phase.TLS, status=None):
    failure = None
    if number is not None:
        failure = Failure(phase, Code.TLS_ALERT, "m", f"remote error: tls: {alert_text(number)}")
    handshake = Handshake(1.0, 1.0, chain=chain)
    return Attempt("10.0.0.1", 443, "ipv4", 1.0, 1.0, handshake, None, status, failure, 1.0 if failure else None)


@given(
    st.sampled_from(list(Kind)),
    st.one_of(st.none(), st.integers(0, 255)),
    st.booleans(),
    st.one_of(st.none(), st.integers(100, 599)),
)
def test_only_a_lack_of_credentials_is_forgiven(kind, number, chain, status):
    """Any alert, status and kind: forgiven are only the alerts about the client's certificate after the server's, and
    401 and 403, of the kinds to which the API server presents credentials. Everything else is left as it was measured.
    """
    target = Target(kind, "t", "u", "h", 443, service=ServiceRef("n", "s"), endpoints=(Endpoint("10.0.0.1", 443),))
    tried = attempt(number, chain=CHAIN if chain else (), status=status)
    measured = Measurement((Hop("call", "u", "h", 443, attempts=(tried,)),), 1.0)
    after, refusing = reached(target, measured)
    about_client = number in CLIENT_CERTIFICATE_ALERTS and chain
    expected = bool(RULES[kind].credentials) and (about_client or status in (401, 403))
    assert bool(refusal(kind, tried)) == bool(refusing) == expected
    failed = after.hops[0].attempts[0].failure is not None
    assert failed == (number is not None and not expected)
    if not expected:
        assert after == measured
    prediction = forecast(after, client_for(target, {}))
    assert prediction.forecast.outcome == ("fail" if failed else "pass")
    list(alerts(Case(target, after, prediction, client_for(target, {}), Neighbours())))


@given(st.integers(0, 255))
def test_alert_numbers_are_read_back_from_gos_texts(number):
    assert alert_number(f"remote error: tls: {alert_text(number)}") == number
    assert alert_number(f"local error: tls: {alert_text(number)}") is None


def test_every_alert_text_is_one_alert():
    assert len(set(ALERT_TEXTS.values())) == len(ALERT_TEXTS)
