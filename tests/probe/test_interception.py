"""A firewall that signs with a CA of its own: told from a server that is merely set up wrong."""

import asyncio

import pytest
from msgspec.structs import replace

from egressprobe.apiserver.forecast import client_for
from egressprobe.golang.resolver import ResolverConfig
from egressprobe.lab.certs import issue, make_authority
from egressprobe.lab.dns import DnsServer, Records, serve_zone
from egressprobe.lab.servers import HttpServer, server_context
from egressprobe.model.failure import Code, Failure, Phase
from egressprobe.model.measurement import Attempt, CertificateView, Handshake, Hop, Measurement
from egressprobe.model.target import Endpoint, Kind, Target
from egressprobe.probe.diagnosis.interception import intercepted, shared_issuers
from egressprobe.probe.diagnosis.rule_input import Case, Neighbours
from egressprobe.probe.edges import Edges
from egressprobe.probe.run import run
from egressprobe.targets.plan import read_plan


def test_one_unknown_ca_on_unrelated_targets(lab_loop):
    """Two owners' names under one CA that neither target knows; a third target is just wrong, a fourth is fine."""
    known, firewall, stray = (make_authority(name) for name in ("known-ca", "Inspection CA", "stray-ca"))
    names = {"idp.one.lab": firewall, "hook.two.lab": firewall, "hook.three.lab": stray, "hook.four.lab": known}
    servers = {n: lab_loop.start(HttpServer(tls=server_context(issue(ca, (n,))))) for n, ca in names.items()}
    dns = lab_loop.start(DnsServer(serve_zone({name: Records(a=("127.0.0.1",)) for name in names})))
    hook = {"kind": "webhook", "caBundle": known.pem}
    plan = read_plan({"targets": [hook | {"name": n, "url": f"https://{n}:{s.port}/"} for n, s in servers.items()]})
    edges = Edges(guard=lambda _: None, config=ResolverConfig(servers=(dns.text,)))
    report = asyncio.run(run(plan, run_id="x", seconds=10, edges=edges))
    found = {one.target.name: [f.code for f in one.findings] for one in report.results}
    assert found == {
        "idp.one.lab": ["TLS_INTERCEPTED"],
        "hook.two.lab": ["TLS_INTERCEPTED"],
        "hook.three.lab": [],
        "hook.four.lab": [],
    }
    assert report.results[0].findings[0].evidence["issuer"] == "CN=Inspection CA"
    assert report.results[0].failure.code is Code.TLS_UNKNOWN_AUTHORITY


def shown(host="idp.corp.com", *, names=None, issuer="CN=Fw", subject="CN=x", address="93.184.215.14", bundle="", code=Code.TLS_UNKNOWN_AUTHORITY, endpoints=()):  # fmt: skip
    """A target and the chain that it was shown."""
    target = Target(Kind.OIDC, host, f"https://{host}/", host, 443, bundle=bundle, endpoints=endpoints)
    view = CertificateView(subject, issuer, "1", "", "", (host,) if names is None else names, "ab")
    failure = Failure(Phase.TLS, code, "m", "e")
    attempt = Attempt(address, 443, "ipv4", 1.0, tls=Handshake(1.0, 1.0, chain=(view,)), failure=failure)
    return target, Measurement((Hop("call", target.url, host, 443, None, (attempt,)),), 1.0)


def found(target, measured, issuers=frozenset()):
    case = Case(target, measured, None, client_for(target, {}), Neighbours(issuers=issuers))
    return [finding.code for finding in intercepted(case)]


@pytest.mark.parametrize(
    ("seen", "wanted"),
    [
        (shown(), ["TLS_INTERCEPTED"]),
        (shown("a.b.corp.com", names=("*.b.corp.com",)), ["TLS_INTERCEPTED"]),
        (shown(names=("other.com",)), []),  # the wrong server, not a forged name
        (shown(subject="CN=Fw"), []),  # a server's own self-signed certificate
        (shown(address="10.0.0.4"), []),  # a private address may well have a private CA
        (shown("idp.internal"), []),
        (shown("idp"), []),
        (shown(bundle="sha256:1"), []),  # a private CA is expected, and was mistaken
        (shown(code=Code.TLS_CERT_EXPIRED), []),
    ],
)
def test_a_private_ca_on_a_public_name(seen, wanted):
    assert found(*seen) == wanted


def test_who_shares_an_issuer():
    """Different owners; not two hosts of one, not services inside the cluster, not self-signed strays."""
    one, two = shown("a.corp.com"), shown("b.other.org")
    assert shared_issuers([one, two]) == {"CN=Fw"}
    assert shared_issuers([one, shown("c.corp.com")]) == frozenset()
    assert shared_issuers([one, shown("x.ns.svc", endpoints=(Endpoint("10.0.0.1", 443),))]) == frozenset()
    assert shared_issuers([shown(subject="CN=Fw"), shown("b.org", subject="CN=Fw")]) == frozenset()
    assert shared_issuers([one, shown("b.org", issuer="CN=Other")]) == frozenset()


def test_a_missing_intermediate_is_not_an_interception():
    """The leaf says where its issuer's certificate is: the server sends too few. A CA that is sent is another thing."""
    target, measured = shown()
    (attempt,) = measured.hops[0].attempts
    leaf = replace(attempt.tls.chain[0], issuer_urls=("http://ca.example/1.crt",))
    firewall = CertificateView("CN=Fw", "CN=Fw", "1", "", "")
    for chain, codes in (((leaf,), []), ((leaf, firewall), ["TLS_INTERCEPTED"])):
        tried = replace(attempt, tls=replace(attempt.tls, chain=chain))
        seen = replace(measured, hops=(replace(measured.hops[0], attempts=(tried,)),))
        assert found(target, seen) == codes
        assert bool(shared_issuers([(target, seen), shown("b.other.org")])) is bool(codes)
