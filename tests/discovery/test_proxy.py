"""Discovery through proxies: which one is used, as kubectl decides, and what each of them may do wrong.

The texts are what net/http of Go 1.25.5 printed for the same proxies, after `Get "URL": `.
"""

import asyncio
import base64
import re
import time

import pytest

from egressprobe.discovery.kubernetes.api_server import ApiServer, proxy_of_environment
from egressprobe.discovery.kubernetes.client import KubernetesSource
from egressprobe.discovery.run import collect
from egressprobe.golang.http.proxy import Proxy, environment_proxy, parse_proxy
from egressprobe.golang.x509.ca_bundle import anchors
from egressprobe.lab.certs import make_authority
from egressprobe.net.guard import forbidden
from egressprobe.probe.transport.http import proxy as transport
from tests.support.kube_objects import codes
from tests.support.peers.kubeapi import kube_api
from tests.support.peers.proxies import (
    GRANTED,
    PASSWORD,
    USER,
    answering,
    connect_proxy,
    proxy_server,
    socks_proxy,
)

SCHEMES = ("http", "https", "socks5")
CREDENTIALS = (USER.encode(), PASSWORD.encode())


@pytest.fixture(scope="module")
def api():
    with kube_api() as found:
        yield found


def through(api, proxy, *, seconds=20.0, **more):
    server = api.server(**({"proxy": proxy if isinstance(proxy, Proxy) else parse_proxy(proxy, SCHEMES)} | more))

    async def work():
        return await collect(KubernetesSource(server, seconds=seconds, guard=forbidden), [])

    return asyncio.run(work())


def is_read(found):
    return not found.unread and found.targets


def failure(api, proxy, **more):
    """What is said of a proxy that does not connect, with local addresses as A."""
    found = through(api, proxy, **more)
    assert set(codes(found)) == {"API_SERVER_UNREACHABLE"}  # up to three connections are made at once
    finding = found.findings[0]
    text = finding.summary.partition(f"cannot be reached through the proxy {finding.evidence['proxy']}: ")[2]
    return re.sub(r"127\.0\.0\.1:\d+", "A", text)


# -- what works ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("credentials", [False, True])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_list_is_read_through_the_proxy(api, scheme, credentials):
    port = int(api.url.rpartition(":")[2])
    talk = socks_proxy if scheme == "socks5" else connect_proxy
    with proxy_server(talk(credentials=credentials, where=("127.0.0.1", port)), scheme) as proxy:
        used = parse_proxy(proxy.url if scheme != "socks5" else proxy.url.replace("http", "socks5"), SCHEMES)
        used = used._replace(credentials=CREDENTIALS if credentials else None)
        found = through(api, used)
    assert is_read(found)
    assert len(found.targets) == 17
    asked = {("connect", *target) if isinstance(target, tuple) else target for target in proxy.asked}
    assert asked == ({("connect", 1, "127.0.0.1", port)} if scheme == "socks5" else {f"127.0.0.1:{port}"})
    if credentials:
        basic = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        assert set(proxy.authorized) == ({CREDENTIALS} if scheme == "socks5" else {basic})


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_the_proxy_resolves_the_name(api, scheme):
    """A name that no resolver here knows, as of a private cluster behind a bastion."""
    port = int(api.url.rpartition(":")[2])
    talk = socks_proxy if scheme == "socks5" else connect_proxy
    with proxy_server(talk(where=("127.0.0.1", port))) as proxy:
        server = api.server(proxy=parse_proxy(proxy.url.replace("http", scheme), SCHEMES), name="127.0.0.1")
        server = server._replace(url=f"https://k8s.private.invalid:{port}")

        async def work():
            return await collect(KubernetesSource(server, seconds=20, guard=forbidden), [])

        assert is_read(asyncio.run(work()))
    wanted = (3, "k8s.private.invalid", port) if scheme == "socks5" else f"k8s.private.invalid:{port}"
    assert set(proxy.asked) == {wanted}


def test_a_server_without_tls_behind_a_proxy_gets_whole_urls():
    """RFC 9112 section 3.2.2; `kubectl proxy` on another host is such a server."""
    with kube_api(tls=False) as plain, proxy_server(connect_proxy(credentials=True)) as proxy:
        plain.tokens = {""}
        used = parse_proxy(proxy.url, SCHEMES)._replace(credentials=CREDENTIALS)
        assert is_read(through(plain, used, token=None))
        assert {target.partition("?")[0].rpartition("/")[0][: len(plain.url)] for target in proxy.asked} == {plain.url}
        with pytest.raises(ValueError, match="must begin with https://"):
            through(plain, used)  # a token never goes out in the clear


# -- what does not ------------------------------------------------------------------------------------------------

BROKEN = {
    "407": (connect_proxy(credentials=True), "http", "Proxy Authentication Required"),
    "502": (answering(b"HTTP/1.1 502 Bad Gateway\r\n\r\n"), "http", "Bad Gateway"),
    "no reason": (answering(b"HTTP/1.1 407 \r\n\r\n"), "http", "the proxy's answer has no reason"),
    "no space": (answering(b"HTTP/1.1 407\r\n\r\n"), "http", "unknown status code"),
    "1xx is final": (answering(b"HTTP/1.1 100 Continue\r\n\r\n" + GRANTED), "http", "Continue"),
    "only 200": (answering(b"HTTP/1.1 204 No Content\r\n\r\n"), "http", "No Content"),
    "closes": (answering(), "http", "unexpected EOF"),
    "closes in its head": (answering(b"HTTP/1.1 200 OK\r\nA: b"), "http", "unexpected EOF"),
    "resets": (answering(reset=True), "http", "read tcp A->A: read: connection reset by peer"),
    "not HTTP": (answering(b"SSH-2.0-x\r\n"), "http", 'malformed HTTP response "SSH-2.0-x"'),
    "bad header": (answering(b"HTTP/1.1 200 OK\r\nA\r\n\r\n"), "http", 'malformed MIME header: missing colon: "A"'),
    "not TLS": (
        answering(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        "https",
        "proxyconnect tcp: tls: first record does not look like a TLS handshake",
    ),
    "ruleset": (
        socks_proxy(reply=2),
        "socks5",
        "socks connect tcp A->A: unknown error connection not allowed by ruleset",
    ),
    "no such code": (socks_proxy(reply=9), "socks5", "socks connect tcp A->A: unknown error unknown code: 9"),
    "wrong password": (
        socks_proxy(credentials=True),
        "socks5",
        "socks connect tcp A->A: username/password authentication failed",
    ),
    "no method": (socks_proxy(method=255), "socks5", "socks connect tcp A->A: no acceptable authentication methods"),
    "unknown method": (socks_proxy(method=9), "socks5", "socks connect tcp A->A: unsupported authentication method 9"),
    "HTTP, not SOCKS": (
        answering(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        "socks5",
        "socks connect tcp A->A: unexpected protocol version 72",
    ),
    "closes SOCKS": (answering(), "socks5", "socks connect tcp A->A: EOF"),
    "one byte": (answering(b"\5"), "socks5", "socks connect tcp A->A: unexpected EOF"),
    "reserved": (answering(b"\5\0\5\0\7\1"), "socks5", "socks connect tcp A->A: non-zero reserved field"),
    "address type": (answering(b"\5\0\5\0\0\7"), "socks5", "socks connect tcp A->A: unknown address type 7"),
}


@pytest.mark.parametrize("case", list(BROKEN))
def test_a_proxy_that_does_not_connect(api, case):
    talk, scheme, text = BROKEN[case]
    with proxy_server(talk) as proxy:
        used = parse_proxy(proxy.url.replace("http", scheme), SCHEMES)._replace(credentials=(b"user", b"wrong"))
        assert failure(api, used) == text


def test_an_https_proxy_is_verified_as_net_http_does(api):
    """With the TLS configuration of the request: the cluster's CA, and its tls-server-name."""
    prefix = "proxyconnect tcp: tls: failed to verify certificate: x509: "
    with proxy_server(connect_proxy(), "https", authority=make_authority("other")) as proxy:
        assert failure(api, proxy.url) == f"{prefix}certificate signed by unknown authority"
        assert is_read(through(api, proxy.url, verify=False))
    with proxy_server(connect_proxy(), "https", names=("proxy.example",)) as proxy:
        text = "cannot validate certificate for 127.0.0.1 because it doesn't contain any IP SANs"
        assert failure(api, proxy.url) == prefix + text
    refused = "proxyconnect tcp: dial tcp A: connect: connection refused"
    assert failure(api, proxy.url) == refused


def test_the_api_server_is_verified_inside_the_tunnel(api):
    with proxy_server(connect_proxy()) as proxy:
        found = through(api, proxy.url, anchors=anchors(make_authority("other").pem.encode()))
        assert found.findings[0].evidence["code"] == "tls_unknown_authority"
        assert found.findings[0].evidence["proxy"] == proxy.url


def test_a_proxy_whose_name_does_not_resolve(api):
    text = failure(api, "http://proxy.invalid:3128")
    assert text.startswith("proxyconnect tcp: dial tcp: lookup proxy.invalid")


HOLDING = {
    "silent": answering(close=False),
    "trickles": answering(b"HTTP/1.1 200 OK\r\nA: ", *[b"a"] * 400, pause=0.05),
    "endless head": answering(b"HTTP/1.1 200 OK\r\n", *[b"A: " + b"a" * 60_000 + b"\r\n"] * 60),
    "many lines": answering(b"HTTP/1.1 200 OK\r\n", *[b"A: a\r\n" * 1000] * 400),
    "silent after the grant": answering(GRANTED, close=False),
    "trickles SOCKS": answering(b"\5\0", b"\5\0\0\3\xff", *[b"a"] * 255, pause=0.1),
    "endless TLS": answering(GRANTED, *[b"\x16\x03\x03\x40\x00" + bytes(0x4000)] * 400),
}


@pytest.mark.parametrize("case", list(HOLDING))
def test_no_proxy_holds_discovery(api, monkeypatch, case):
    """One connection's limits of time and bytes count for the proxy as well."""
    monkeypatch.setattr("egressprobe.discovery.kubernetes.client._CONNECT_SECONDS", 0.6)
    monkeypatch.setattr(transport, "HTTP_LIMIT", 0.5)
    with proxy_server(HOLDING[case]) as proxy:
        started = time.monotonic()
        url = proxy.url.replace("http", "socks5") if "SOCKS" in case else proxy.url
        assert failure(api, url, seconds=60)
        assert time.monotonic() - started < 15
        assert len(proxy.asked) <= 6  # three lists at once, each with a second opinion


# -- which proxy --------------------------------------------------------------------------------------------------

# What golang.org/x/net/http/httpproxy of Go 1.26.6 answers: HTTPS_PROXY, NO_PROXY, URL, the proxy's host and port.
CHOSEN = [
    ("http://p:3128", "", "https://k8s.example.com", "p:3128"),
    ("p:3128", "", "https://k8s.example.com", "p:3128"),
    ("p", "", "https://k8s.example.com", "p:80"),
    ("https://p", "", "https://k8s.example.com", "p:443"),
    ("socks5://p", "", "https://k8s.example.com", "p:1080"),
    ("socks5h://p", "", "https://k8s.example.com", "p:1080"),
    ("http://[bad", "", "https://k8s.example.com", "http:80"),
    ("http://p", "", "https://localhost:6443", None),
    ("http://p", "", "https://localhost.:6443", "p:80"),
    ("http://p", "", "https://127.9.9.9", None),
    ("http://p", "", "https://[::1]", None),
    ("http://p", "", "https://[::ffff:127.0.0.1]", None),
    ("http://p", "", "http://k8s.example.com", None),
    ("http://p", "*", "https://k8s.example.com", None),
    ("http://p", " a , * ", "https://k8s.example.com", None),
    ("http://p", "example.com", "https://example.com", None),
    ("http://p", "example.com", "https://k8s.example.com", None),
    ("http://p", "example.com", "https://xexample.com", "p:80"),
    ("http://p", ".example.com", "https://example.com", "p:80"),
    ("http://p", "*.example.com", "https://k8s.example.com", None),
    ("http://p", "*example.com", "https://k8s.example.com", "p:80"),
    ("http://p", "EXAMPLE.com", "https://K8S.example.COM", None),
    ("http://p", "example.com:6443", "https://k8s.example.com", "p:80"),
    ("http://p", "example.com:443", "https://k8s.example.com", None),
    ("http://p", ":443", "https://k8s.example.com", "p:80"),
    ("http://p", "10.0.0.0/8", "https://10.1.2.3", None),
    ("http://p", "10.0.0.0/8", "https://[::ffff:10.1.2.3]", None),
    ("http://p", "::ffff:10.0.0.0/104", "https://10.1.2.3", None),
    ("http://p", "::/0", "https://10.1.2.3", "p:80"),
    ("http://p", "10.0.0.0/33", "https://10.1.2.3", "p:80"),
    ("http://p", "10.0.0.0/255.0.0.0", "https://10.1.2.3", "p:80"),
    ("http://p", "10.1.2.3:6443", "https://10.1.2.3", "p:80"),
    ("http://p", "10.1.2.3:443", "https://10.1.2.3", None),
    ("http://p", "[2001:db8::1]:443", "https://[2001:db8::1]", None),
    ("http://p", "2001:DB8::/32", "https://[2001:db8::1]", None),
    ("http://p", "010.0.0.0/8", "https://10.1.2.3", None),  # k8s.io/apimachinery, ParseCIDRSloppy
]


@pytest.mark.parametrize(("proxy", "no_proxy", "url", "chosen"), CHOSEN)
@pytest.mark.parametrize("upper", [True, False])
def test_the_environments_proxy(monkeypatch, proxy, no_proxy, url, chosen, upper):
    for name in ("HTTPS_PROXY", "NO_PROXY", "https_proxy", "no_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (("HTTPS_PROXY", proxy), ("NO_PROXY", no_proxy)):
        monkeypatch.setenv(name if upper else name.lower(), value)
    used = proxy_of_environment(url)
    assert (f"{used.host}:{used.port}" if used else None) == chosen


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://p", "must begin with http://, https://, socks5://"),
        ("socks5h://p", "must begin with http://, https://, socks5://"),
        ("p:3128", "must begin with http://, https://, socks5://"),
        ("http://p:65536", "has a port that is not in 1..65535"),
        ("http://p:0", "has a port that is not in 1..65535"),
        ("http://", "names no host"),
        ("http://[bad", "is not a URL"),
        ("http://u:%zz@p", "is not a URL"),
        (" http://p", "is not a URL"),
    ],
)
def test_a_proxy_url_that_kubectl_refuses_or_cannot_use(url, reason):
    with pytest.raises(ValueError, match=re.escape(reason)):
        parse_proxy(url, SCHEMES)


def test_user_information_is_decoded_and_shown_nowhere():
    proxy = parse_proxy("HTTP://us%40er:pass%3Aword%00@[2001:db8::1]:03128/x?y#z", SCHEMES)
    assert proxy == Proxy("http", "2001:db8::1", 3128, (b"us@er", b"pass:word\0"))
    assert proxy.shown == "http://[2001:db8::1]:3128"
    assert repr(ApiServer("https://x", (), proxy=proxy)) == "ApiServer('https://x')"
    assert "pass" not in repr(proxy)


def test_http_proxy_is_not_used_in_a_cgi_program():
    environment = {"HTTP_PROXY": "http://p", "REQUEST_METHOD": "GET"}
    with pytest.raises(ValueError, match="refusing to use HTTP_PROXY"):
        environment_proxy(environment, "http", "x", 80)
    assert environment_proxy(environment | {"HTTPS_PROXY": "http://p"}, "https", "x", 443)


def test_without_a_proxy_the_guard_holds(api):
    async def work():
        return await collect(KubernetesSource(api.server(), seconds=5, guard=forbidden), [])

    assert asyncio.run(work()).findings[0].evidence["code"] == "target_forbidden"
