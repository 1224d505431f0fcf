"""OIDC providers on loopback: discovery, redirects, key sets, and why the API server refuses them."""

import asyncio
import gzip
import json
import threading

import pytest

from egressprobe.golang.resolver import ResolverConfig
from egressprobe.lab.certs import issue, make_authority
from egressprobe.lab.dns import DnsServer, Records, serve_zone
from egressprobe.lab.servers import HttpServer, Page, TcpServer, server_context
from egressprobe.model.failure import Code
from egressprobe.model.target import Verdict
from egressprobe.probe import oidc
from egressprobe.probe.edges import Edges
from egressprobe.probe.run import run
from egressprobe.targets.plan import read_plan
from tests.support.peers.h2server import H2Server

CA = make_authority("idp-ca")
KEY = {  # RFC 7515 appendix A.3.1
    "kty": "EC",
    "crv": "P-256",
    "kid": "1",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
KEYS = Page(json.dumps({"keys": [KEY]}).encode())
PATH = "/r/.well-known/openid-configuration"


class Provider:
    """An issuer at idp.lab with keys at keys.lab, and the probe's result for it."""

    def __init__(self, loop):
        tls = server_context(issue(CA, ("idp.lab", "keys.lab")))
        self.idp = loop.start(HttpServer(tls=tls))
        self.keys = loop.start(HttpServer(tls=tls, pages={"/jwks": KEYS}))
        self.plain = loop.start(HttpServer(pages={"/jwks": KEYS}))
        self.issuer = f"https://idp.lab:{self.idp.port}/r"
        self.jwks = f"https://keys.lab:{self.keys.port}/jwks"
        zone = dict.fromkeys(("idp.lab", "keys.lab"), Records(a=("127.0.0.1",)))
        zone |= {"meta.lab": Records(a=("169.254.169.254",))}
        self.dns = loop.start(DnsServer(serve_zone(zone)))
        self.serve(self.document())

    def document(self, **changes):
        return Page(json.dumps({"issuer": self.issuer, "jwks_uri": self.jwks} | changes).encode())

    def serve(self, page):
        self.idp.pages[PATH] = page

    def probe(self, issuer=None, seconds=15):
        def guard(address):
            return "metadata" if address.startswith("169.254") else None

        entry = {"kind": "oidc", "name": "idp", "url": issuer or self.issuer, "caBundle": CA.pem}
        edges = Edges(guard=guard, config=ResolverConfig(servers=(self.dns.text,)))
        return asyncio.run(run(read_plan({"targets": [entry]}), run_id="t", seconds=seconds, edges=edges)).results[0]


@pytest.fixture
def provider(lab_loop):
    return Provider(lab_loop)


def code(result):
    return result.failure.code if result.failure else None


def test_a_good_provider(provider):
    """Both hosts are measured, two GETs are shown, no query string in any of them."""
    result = provider.probe()
    assert (result.verdict, result.failure) == (Verdict.PASS, None)
    assert [(h.url, h.status, h.protocol) for h in result.http] == [
        (provider.issuer + "/.well-known/openid-configuration", 200, "HTTP/1.1"),
        (provider.jwks, 200, "HTTP/1.1"),
    ]
    assert [r.host for r in result.resolutions] == ["idp.lab", "keys.lab"]
    assert any("User-Agent: egressprobe/" in request for request in provider.idp.requests)


def test_the_trailing_slash_is_cut_once(provider):
    """TrimSuffix(issuer, "/"), but the issuer itself must still match byte for byte."""
    provider.serve(provider.document(issuer=provider.issuer + "/"))
    assert provider.probe(provider.issuer + "/").verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("changes", "expected", "text"),
    [
        ({"issuer": "https://other"}, Code.OIDC_ISSUER_MISMATCH, 'got "https://other"'),
        ({"issuer": None}, Code.OIDC_ISSUER_MISMATCH, 'got ""'),
        ({"jwks_uri": ""}, Code.HTTP_BODY_INVALID, None),
        ({"jwks_uri": "ftp://x/"}, Code.OIDC_JWKS_UNREACHABLE, "unsupported protocol scheme"),
    ],
)
def test_documents_that_are_refused(provider, changes, expected, text):
    provider.serve(provider.document(**changes))
    result = provider.probe()
    assert (result.verdict, code(result)) == (Verdict.FAIL, expected)
    assert text is None or text in result.failure.api_server_error


@pytest.mark.parametrize(
    ("page", "expected", "text"),
    [
        (Page(b"nope", "404 Not Found"), Code.HTTP_STATUS, "initializing plugin: 404 Not Found: nope"),
        (Page(b"{}", "204 No Content"), Code.HTTP_STATUS, "initializing plugin: 204 No Content"),
        (Page(b"<html>login</html>"), Code.HTTP_BODY_INVALID, "failed to decode provider discovery object"),
        (Page(b"[" * 500_000), Code.HTTP_BODY_INVALID, "failed to decode provider discovery object"),
        (Page(b"[]"), Code.HTTP_BODY_INVALID, "failed to decode provider discovery object"),
        (Page(b" " * (1 << 20) + b"{}"), Code.HTTP_BODY_TOO_LARGE, None),
        (
            Page(gzip.compress(b" " * (64 << 20)), headers=("Content-Encoding: gzip",)),
            Code.HTTP_BODY_TOO_LARGE,
            None,
        ),
        (
            Page(b"not gzip", headers=("Content-Encoding: gzip",)),
            Code.HTTP_BODY_INVALID,
            "unable to read response body: unexpected EOF",
        ),
    ],
    ids=["404", "204", "html", "deep", "list", "large", "bomb", "bad-gzip"],
)
def test_responses_that_are_refused(provider, page, expected, text):
    """Exactly 200, JSON. Over 1 MiB, also when unpacked, Go reads on, so that the verdict is unknown."""
    provider.serve(page)
    result = provider.probe()
    verdict = Verdict.UNKNOWN if expected is Code.HTTP_BODY_TOO_LARGE else Verdict.FAIL
    assert (result.verdict, code(result)) == (verdict, expected)
    assert text is None or text in result.failure.api_server_error


def test_gzip_is_unpacked_as_go_does(provider):
    provider.serve(Page(gzip.compress(provider.document().body), headers=("Content-Encoding: gzip",)))
    assert provider.probe().verdict is Verdict.PASS


def test_redirects_are_followed_to_another_host(provider, caplog):
    """Each host on the path is resolved and dialled like the first; the query is neither reported nor logged."""
    caplog.set_level(0)
    target = f"https://keys.lab:{provider.keys.port}/moved?secret=1"
    provider.serve(Page(status="302 Found", headers=(f"Location: {target}",)))
    provider.keys.pages["/moved"] = provider.document()
    result = provider.probe()
    assert result.verdict is Verdict.PASS
    assert len(result.http) == 3
    assert "secret" not in str(result)
    assert "secret" not in caplog.text


def test_a_redirect_loop_ends_after_ten(provider):
    provider.serve(Page(status="302 Found", headers=(f"Location: {PATH}",)))
    result = provider.probe()
    assert code(result) is Code.HTTP_REDIRECT
    assert result.failure.api_server_error.endswith("stopped after 10 redirects")


@pytest.mark.parametrize(("redirects", "passes"), [(9, True), (10, False)])
def test_the_tenth_redirect_is_not_followed(provider, redirects, passes):
    """As Go 1.25.5: ten requests at most."""
    for number in range(redirects):
        page = Page(status="302 Found", headers=(f"Location: /{number + 1}",))
        provider.idp.pages[f"/{number}" if number else PATH] = page
    provider.idp.pages[f"/{redirects}"] = provider.document()
    result = provider.probe()
    assert (code(result), len(result.http)) == ((None, 11) if passes else (Code.HTTP_REDIRECT, 10))


def test_a_redirect_without_a_location_is_a_status(provider):
    """net/http returns it as it is; go-oidc wants 200."""
    provider.serve(Page(b"moved", status="302 Found"))
    result = provider.probe()
    assert code(result) is Code.HTTP_STATUS
    assert result.failure.api_server_error == "oidc authenticator: initializing plugin: 302 Found: moved"


@pytest.mark.parametrize(
    ("location", "text"),
    [
        ("ftp://x/", 'Get "ftp://x/": unsupported protocol scheme "ftp"'),
        (
            "https://%41/?secret",
            'failed to parse Location header "https://%41/": parse "https://%41/": invalid URL escape',
        ),
        ("https://xn--0:99999/", 'Get "https://xn--0:99999/": dial tcp: address 99999: invalid port'),
    ],
)
def test_redirects_that_cannot_be_followed(provider, location, text):
    provider.serve(Page(status="302 Found", headers=(f"Location: {location}",)))
    result = provider.probe()
    assert (result.verdict, code(result)) == (Verdict.FAIL, Code.HTTP_REDIRECT)
    assert text in result.failure.api_server_error
    assert "secret" not in str(result)


def test_a_redirect_to_metadata_is_not_followed(provider):
    """The guard checks the address dialled, after every redirect."""
    provider.serve(Page(status="302 Found", headers=("Location: http://meta.lab/latest/meta-data/",)))
    result = provider.probe()
    assert (result.verdict, code(result)) == (Verdict.UNKNOWN, Code.TARGET_FORBIDDEN)


@pytest.mark.parametrize(
    ("keys", "message", "text"),
    [
        (
            [KEY, KEY | {"kid": "9", "crv": "secp256k1"}],
            "keys[1] (kty EC, crv secp256k1, kid 9): go-jose/go-jose: unsupported elliptic curve 'secp256k1'",
            "fetching keys oidc: failed to decode keys: got Content-Type = application/json, but could not unmarshal as JSON: go-jose",
        ),
        (
            [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg"}],
            "no key of the set can verify a token: keys[0]: EdDSA is not accepted",
            'oidc: verify token: oidc: id token signed with unsupported algorithm, expected ["ES256" ',
        ),
        ([], "the key set holds no keys", "failed to verify id token signature"),
    ],
)
def test_key_sets_that_verify_nothing(provider, keys, message, text):
    """The failure names the key by its index, and why."""
    provider.keys.pages["/jwks"] = Page(json.dumps({"keys": keys}).encode())
    result = provider.probe()
    assert (result.verdict, code(result)) == (Verdict.FAIL, Code.OIDC_JWKS_INVALID)
    assert message in result.failure.message
    assert text in result.failure.api_server_error


def test_a_login_page_is_named_by_its_content_type(provider):
    provider.serve(Page(b"<html>sign in</html>", headers=("Content-Type: text/html",)))
    result = provider.probe()
    assert result.failure.api_server_error == (
        "oidc authenticator: initializing plugin: oidc: failed to decode provider discovery object: "
        'expected Content-Type = application/json, got "text/html": '
        "invalid character '<' looking for beginning of value"
    )
    assert "Content-Type: text/html" in result.failure.message


def test_text_of_a_provider_is_cut_and_escaped(provider):
    """A mebibyte of issuer, an escape sequence in a body, a mebibyte of URL: none of it reaches a person's terminal."""
    provider.serve(provider.document(issuer="\x1b[31m" + "i" * 900_000))
    result = provider.probe()
    assert code(result) is Code.OIDC_ISSUER_MISMATCH
    assert len(result.failure.message) + len(result.failure.api_server_error) < 3000
    provider.serve(Page(b"\x1b[31mred\r\n\xff", "500 \x1b"))
    shown = str(provider.probe())
    assert "\x1b" not in shown.replace("\\x1b", "")
    provider.serve(provider.document(jwks_uri=f"https://{'j' * 400_000}.lab/{'k' * 400_000}"))
    result = provider.probe()
    assert (result.verdict, code(result)) == (Verdict.FAIL, Code.OIDC_JWKS_UNREACHABLE)
    assert len(str(result)) < 40_000


def test_keys_over_plain_http(provider):
    """jwks_uri may be http://."""
    provider.serve(provider.document(jwks_uri=f"http://keys.lab:{provider.plain.port}/jwks"))
    result = provider.probe()
    assert (result.verdict, result.failure) == (Verdict.PASS, None)


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        (b'{"keys": []}', "200 OK", Code.OIDC_JWKS_INVALID),
        (b'{"keys": [{"kty": "unknown"}, 7]}', "200 OK", Code.OIDC_JWKS_INVALID),
        (b"nothing", "200 OK", Code.OIDC_JWKS_INVALID),
        (b"{}", "500 Internal Server Error", Code.OIDC_JWKS_UNREACHABLE),
    ],
)
def test_key_sets_that_are_refused(provider, body, status, expected):
    provider.keys.pages["/jwks"] = Page(body, status)
    result = provider.probe()
    assert (result.verdict, code(result)) == (Verdict.FAIL, expected)


def test_keys_that_cannot_be_reached(provider, lab_loop):
    """Discovery is fine; every token gets 401. The sentence is the one of the token's log line."""
    lab_loop.call(provider.keys.stop())
    result = provider.probe()
    assert code(result) is Code.OIDC_JWKS_UNREACHABLE
    assert "get keys failed Get" in result.failure.api_server_error
    assert result.failure.api_server_error.endswith("connect: connection refused")


@pytest.mark.thorough
def test_an_issuer_that_hangs(provider, lab_loop):
    """After TLS the server stays silent: http.Client.Timeout of 30 s is forecast, not waited for."""

    class Hanging(TcpServer):
        async def talk(self, reader, writer):
            await reader.read(1)

    server = lab_loop.start(Hanging(tls=server_context(issue(CA, ("idp.lab",)))))
    result = provider.probe(f"https://idp.lab:{server.port}/r")
    assert code(result) is Code.HTTP_TIMEOUT
    assert result.forecast.seconds == 30
    assert result.forecast.error == "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
    assert result.duration_ms < 25_000


def test_a_provider_that_negotiates_h2(provider, lab_loop):
    """As most public ones do: the API server offers h2 first, so it is h2 that must work."""
    tls = server_context(issue(CA, ("idp.lab",)), alpn=("h2", "http/1.1"))
    server = lab_loop.start(H2Server(tls, {}))
    issuer = f"https://idp.lab:{server.port}/r"
    padding = "x" * 30_000
    server.pages[PATH] = Page(json.dumps({"issuer": issuer, "jwks_uri": provider.jwks, "more": padding}).encode())
    result = provider.probe(issuer)
    assert (result.verdict, result.failure) == (Verdict.PASS, None)
    assert [h.protocol for h in result.http] == ["HTTP/2", "HTTP/1.1"]
    assert result.attempts[0].tls.alpn == "h2"
    assert server.requests == [PATH]
    server.pages.clear()
    assert provider.probe(issuer).failure.code is Code.HTTP_STATUS


def test_a_document_that_is_decoded_at_the_deadline_does_not_delay_the_report(provider, monkeypatch):
    """A thread cannot be stopped: the run ends without it."""
    reported, decoded = threading.Event(), threading.Event()
    monkeypatch.setattr(oidc, "read_keys", lambda _: reported.wait(60) and decoded.set())
    provider.keys.pages["/jwks"] = Page(json.dumps({"keys": [KEY], "padding": "x" * 100_000}).encode())
    result = provider.probe(seconds=1.0)
    reported.set()
    assert decoded.wait(60), "the thread was decoding until the report came"
    assert (result.verdict, code(result)) == (Verdict.UNKNOWN, Code.DEADLINE_EXCEEDED)


@pytest.mark.parametrize("key", [{"kty": "x" * 900_000}, {"kty": "EC", "crv": "x" * 900_000}, {"kty": "x", "kid": 1}])
@pytest.mark.parametrize("content_type", ["application/json", "text/html;" + "x" * 100_000])
def test_no_text_of_a_provider_is_kept_whole(provider, key, content_type):
    page = Page(json.dumps({"keys": [key]}).encode(), headers=(f"Content-Type: {content_type}",))
    provider.keys.pages["/jwks"] = page
    failure = provider.probe().failure
    assert failure.code is Code.OIDC_JWKS_INVALID
    assert len(failure.message) + len(failure.api_server_error) < 5000
