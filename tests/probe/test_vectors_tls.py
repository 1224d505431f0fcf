"""The recorded TLS verdicts on real servers. A false pass is the worst bug there is: none may appear, now or later."""

import asyncio
import socket
import ssl
import struct
import tempfile
import warnings
from datetime import timedelta

import pytest

from egressprobe.golang.resolver import ResolverConfig
from egressprobe.lab.dns import DnsServer, Records, serve_zone
from egressprobe.lab.servers import EofServer, HttpServer, Loop, RefusingServer, TcpServer
from egressprobe.probe.edges import Edges
from egressprobe.probe.run import run
from egressprobe.targets.plan import read_plan
from tests.support.peers import namespaces as network
from tests.support.peers import pki, vectors

CASES = vectors.cases("tls-server", "tls-trust", "tls-name")
T = pki.alt_names(dns=("t.lab",))
EKU = pki.extended_key_usage(pki.SERVER)
_HOUR = timedelta(hours=1)
_IP4 = socket.inet_aton("10.99.0.10")


# Servers whose alert must reach us, which asyncio's own TLS would drop.
_REFUSING = {
    "server speaks only TLS 1.0",
    "TLS 1.2, AES128-GCM-SHA256 (RSA key exchange) only",
    "TLS 1.2, ECDHE-RSA-AES128-SHA256 only",
}


class AtOnce(TcpServer):
    """Accepts and ends at once: with data unread in the socket, or by a reset."""

    def __init__(self, address, *, reset):
        super().__init__(address)
        self._reset = reset
        self._listener = None

    async def start(self):
        self._listener = socket.create_server((self.address, 0), backlog=64)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._task = asyncio.create_task(self._serve())

    async def _serve(self):
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(self._listener)
            if self._reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                while True:  # until the hello lies unread in the socket
                    try:
                        connection.recv(1, socket.MSG_PEEK)
                        break
                    except BlockingIOError:
                        await asyncio.sleep(0.005)
            connection.close()

    async def stop(self):
        self._task.cancel()
        self._listener.close()


def _leaves():
    """Server certificates by the recorded description; the CA is RSA, as the recorder's was."""
    ca = pki.make_ca("lab-ca", key=pki.make_key("rsa2048"))

    def leaf(*extensions, cn="", **options):
        return [pki.make(cn, by=ca, extensions=extensions, **options)]

    def alone(*extensions, cn="self", **options):
        return [pki.make(cn, extensions=extensions, **options)]

    def names(*dns):
        return leaf(pki.alt_names(dns=dns), EKU)

    true, false = pki.basic_constraints(ca=True), pki.basic_constraints(ca=False)
    inner = pki.make("int", by=ca, extensions=(true, pki.CERT_SIGN))
    via = pki.make("", by=inner, extensions=(T, EKU))
    usual = pki.alt_names(
        dns=("t.lab", "*.w.lab", "t_u.lab", "localhost"),
        ips=(socket.inet_aton("127.0.0.1"), _IP4, socket.inet_pton(socket.AF_INET6, "fd99::10")),
    )
    full = "valid RSA-2048 leaf, SANs t.lab *.w.lab t_u.lab localhost 127.0.0.1 10.99.0.10 fd99::10, issued by the CA"
    made = {
        full: leaf(usual, EKU, key=pki.make_key("rsa2048")),
        "leaf with SAN other.lab": names("other.lab"),
        "leaf with CN=t.lab and no SAN": leaf(EKU, cn="t.lab"),
        'SAN "t.lab."': names("t.lab."),
        "P-256 leaf": names("t.lab"),
        "Ed25519 leaf": leaf(T, EKU, key=pki.make_key("ed25519")),
        "EKU anyExtendedKeyUsage only": leaf(T, pki.extended_key_usage(pki.ANY)),
        "EKU clientAuth only": leaf(T, pki.extended_key_usage(pki.CLIENT)),
        "no EKU": leaf(T),
        "leaf expired an hour ago": leaf(T, EKU, ends=-_HOUR),
        "SAN is the DNS name 10.99.0.10": names("10.99.0.10"),
        "leaf keyUsage keyCertSign only": leaf(T, EKU, pki.CERT_SIGN),
        "leaf with serial -5": leaf(T, EKU, serial=-5),
        "leaf without AKI and SKI": leaf(T, EKU),
        "leaf valid from 5 h ahead": leaf(T, EKU, begins=5 * _HOUR),
        "RSA-1024 leaf": leaf(T, EKU, key=pki.make_key("rsa1024")),
        "RSA-768 leaf": leaf(T, EKU, key=pki.make_key("rsa768")),
        "SAN is only IP 10.99.0.10, CN t.lab": leaf(pki.alt_names(ips=(_IP4,)), EKU, cn="t.lab"),
        "leaf signed with SHA-1 by the CA": leaf(T, EKU, digest="sha1"),
        "self-signed, CA:TRUE": alone(T, EKU, true),
        "self-signed, CN only": alone(EKU, cn="t.lab"),
        "self-signed, CA:TRUE, no EKU": alone(T, true),
        "self-signed, expired": alone(T, EKU, ends=-_HOUR),
        "self-signed, no basicConstraints": alone(T, EKU),
        "self-signed, CA:FALSE": alone(T, EKU, false),
        "SAN T.LAB": names("T.LAB"),
        "SAN is only URI https://t.lab/, CN t.lab": leaf(pki.alt_names(uris=("https://t.lab/",)), EKU, cn="t.lab"),
        "X.509 v1 leaf, CN=t.lab": leaf(cn="t.lab", version=1),
        "leaf through an intermediate, full chain": [via, inner],
        "leaf through an intermediate, intermediate not sent": [via],
        "SAN *.w.lab": names("*.w.lab"),
        "SAN f*.w.lab": names("f*.w.lab"),
        "SAN *.lab": names("*.lab"),
        "SAN *": names("*"),
        "SAN a.*.lab": names("a.*.lab"),
    }
    return ca, inner, made


def _roots():
    """The `its root: ...` cases: a root with one thing unusual, and a good leaf under it."""
    true = pki.basic_constraints(ca=True)
    roots = {
        "its root: v3, no basicConstraints, no keyUsage": pki.make("ca_nobc", extensions=(EKU,)),
        "its root: no keyUsage": pki.make("ca_noku", extensions=(true,)),
        "its root is expired": pki.make_ca("ca_expired", ends=-_HOUR),
        "its root: basicConstraints not critical": pki.make(
            "ca_bcnoncrit", extensions=(pki.basic_constraints(ca=True, critical=False), pki.CERT_SIGN)
        ),
        "its root: RSA-1024": pki.make_ca("ca_1024", key=pki.make_key("rsa1024")),
        "its root: self-signed with SHA-1": pki.make_ca("ca_sha1", key=pki.make_key("rsa2048"), digest="sha1"),
    }
    return {what: (root, pki.make("", by=root, extensions=(T, EKU))) for what, root in roots.items()}


def _context(chain, *, ciphers="DEFAULT:@SECLEVEL=0", versions=None, group=None, alpn=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers(ciphers)
    with tempfile.NamedTemporaryFile("w") as file:
        file.write("".join(certificate.pem for certificate in chain) + chain[0].key_pem)
        file.flush()
        context.load_cert_chain(file.name)
    if versions:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # TLS 1.0 is the point
            context.minimum_version, context.maximum_version = versions
    if group:
        context.set_ecdh_curve(group)
    if alpn:
        context.set_alpn_protocols(alpn)
    return context


def _parameters(good, rsa):
    """TLS parameters by the recorded description."""
    v1_0, v1_2, v1_3 = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
    return {
        "server speaks only TLS 1.0": _context(good, versions=(v1_0, v1_0)),
        "only TLS 1.2": _context(good, versions=(v1_2, v1_2)),
        "only TLS 1.3": _context(good, versions=(v1_3, v1_3)),
        "TLS 1.2, AES128-GCM-SHA256 (RSA key exchange) only": _context(
            rsa, ciphers="AES128-GCM-SHA256", versions=(v1_2, v1_2)
        ),
        "TLS 1.2, ECDHE-RSA-AES128-SHA only": _context(rsa, ciphers="ECDHE-RSA-AES128-SHA", versions=(v1_2, v1_2)),
        "TLS 1.2, ECDHE-RSA-AES128-SHA256 only": _context(
            rsa, ciphers="ECDHE-RSA-AES128-SHA256", versions=(v1_2, v1_2)
        ),
        "group P-256 only": _context(good, group="prime256v1"),
        "group P-384 only": _context(good, group="secp384r1"),
        "group X25519 only": _context(good, group="X25519"),
        "offers ALPN h2 only, does not enforce it": _context(good, alpn=["h2"]),
        "no ALPN": _context(good),
    }


def _silent_servers(address, good, ca):
    alert = b"\x15\x03\x03\x00\x02\x02\x28"
    demanding = _context(good)
    demanding.verify_mode = ssl.CERT_REQUIRED
    demanding.load_verify_locations(cadata=ca.pem)
    return {
        "TLS 1.3, requires a client certificate": RefusingServer(address, context=demanding),
        "plain HTTP on the port, waits for a request": TcpServer(address),
        "accepts, then says nothing": TcpServer(address),
        "reads the hello, then says nothing": TcpServer(address),
        "accepts and closes at once, data unread": AtOnce(address, reset=False),
        "accepts and resets at once": AtOnce(address, reset=True),
        "answers the hello with a handshake_failure alert": EofServer(address, words=alert),
    }


@pytest.fixture(scope="module")
def results():
    """One run over all cases."""
    address = network.LIVE[0]
    ca, inner, chains = _leaves()
    roots = _roots()
    other = pki.make_ca("other-ca")
    good = chains["P-256 leaf"]
    contexts = {what: _context(chain) for what, chain in chains.items()}
    contexts |= {what: _context([leaf]) for what, (_, leaf) in roots.items()}
    contexts |= _parameters(good, chains[next(iter(chains))])
    with network.world(), Loop(network.enter_world) as loop:
        servers = {
            what: loop.start(
                RefusingServer(address, context=context) if what in _REFUSING else HttpServer(address, tls=context)
            )
            for what, context in contexts.items()
        }
        servers |= {what: loop.start(server) for what, server in _silent_servers(address, good, ca).items()}
        zone = {case["host"].rstrip("."): Records(a=(address,)) for case in CASES}
        dns = loop.start(DnsServer(serve_zone(zone), network.DNS, 53))
        targets = []
        for case in CASES:
            what = case["server"]
            trusted = {
                "the CA": lambda _: ca.pem,
                "another CA": lambda _: other.pem,
                "the leaf itself": lambda what: chains[what][0].pem,
                "the intermediate alone": lambda _: inner.pem,
                "that root": lambda what: roots[what][0].pem,
                "none (system roots)": lambda _: "",
            }[case["caBundle"]](what)
            url = f"https://{case['host']}:{servers[what].port}/"
            target = {"kind": "webhook", "name": case["id"], "url": url, "timeoutSeconds": case["timeoutSeconds"]}
            targets.append(target | ({"caBundle": trusted} if trusted else {}))
        edges = Edges(config=ResolverConfig(servers=(dns.text,)))
        report = asyncio.run(run(read_plan({"targets": targets}), run_id="tls", seconds=60, edges=edges))
    return {result.target.name: result for result in report.results}


@pytest.mark.netns
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_on_the_wire(case, results, record_property):
    vectors.check(case, results, record_property)


def test_all_recorded_cases_are_tried():
    assert len(CASES) == 76
