"""Documents of OIDC providers: JSON, key sets, discovery documents, URLs that they name.

A key set with a usable key and no broken one passes; one with a key that breaks a rule, or without a usable one, never
does. Python's own decoder and cryptography are the second opinion: what Go's encoding/json reads they read as well, and
a set that passes has a key that they can load.
"""

import base64
import json

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from egressprobe.golang.http.url import UrlError, parse_go_url, resolve
from egressprobe.golang.jose.json_text import JsonError, parse_json
from egressprobe.model.failure import Code, Failure
from egressprobe.probe.oidc import read_discovery, read_keys
from egressprobe.probe.transport.http.request import Response, host_port
from tests.support.mutations import SURROGATE, dumped, mutated_bytes, mutated_text, mutated_value, nested
from tests.support.peers import oidc_documents as documents

_PIECES = (
    b",",
    b"]",
    b"}",
    b"{",
    b"[",
    b'"',
    b"\\",
    b"\\u12",
    b"\\ud800",
    b"1",
    b"-",
    b".",
    b"e",
    b"tru",
    b"\xe2\x82",
    b"\n",
)
_CODES = {
    Code.OIDC_JWKS_INVALID,
    Code.HTTP_BODY_INVALID,
    Code.HTTP_STATUS,
    Code.OIDC_ISSUER_MISMATCH,
    Code.PROBE_LIMITATION,
}
_CURVES = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}


def response(random, body, status=200):
    kind = documents.JSON_TYPE if random.random() < 0.5 else random.choice(documents.CONTENT_TYPES)
    return Response(status, f"{status} x", "HTTP/1.1", kind, body, None)


def _invariants(failure):
    assert failure.code in _CODES, failure
    for text in (failure.message, failure.api_server_error or ""):
        assert len(text) <= 2000
        text.encode()
    assert failure.message.isprintable()


class _NotJsonError(ValueError):
    pass


def _no_constant(text):
    raise _NotJsonError(text)


def python_json(body, pairs=dict):
    """As Python's decoder reads it. Raises ValueError; bytes that are not UTF-8 become U+FFFD, as in Go.

    pairs: what becomes of the (name, value) pairs of an object.
    """
    number = lambda _: 0  # noqa: E731 (a number has no range in Go)
    text = body.decode("utf-8", "replace")
    return json.loads(text, parse_int=number, parse_float=number, parse_constant=_no_constant, object_pairs_hook=pairs)


def test_json_texts(fuzz):
    """What is JSON for one decoder is JSON for the other."""

    def check(random):
        value = mutated_value(random, documents.whole_discovery() | {"n": [-1.5e300, 0, nested(random.randrange(80))]})
        body = dumped(random, value).encode("utf-8", "surrogatepass")
        if random.random() < 0.8:
            body = mutated_bytes(random, body, _PIECES)
        try:
            parse_json(body)
        except JsonError as error:
            ours = str(error)
            assert ours.startswith(("invalid character ", "unexpected end")), ours
        else:
            ours = None
        try:
            python_json(body)
        except RecursionError:
            return
        except ValueError as error:
            assert ours is not None, (body, error)
        else:
            assert ours is None, (body, ours)

    fuzz(check, inputs=800, most_seconds=0.5)


def _number(text):
    return int.from_bytes(base64.urlsafe_b64decode(text.replace("\n", "").replace("\r", "") + "==="))


def _loads(key):
    """Whether cryptography makes a public key of its numbers that fits an algorithm of kube-apiserver."""
    try:
        if key.get("kty") == "RSA":
            rsa.RSAPublicNumbers(_number(key["e"]), _number(key["n"])).public_key()
        elif key.get("kty") == "EC":
            ec.EllipticCurvePublicNumbers(_number(key["x"]), _number(key["y"]), _CURVES[key["crv"]]).public_key()
        else:
            return False
    except (KeyError, TypeError, ValueError, AttributeError):
        return False
    return True


def _has_usable_key(document):
    members = document.items() if isinstance(document, dict) else ()
    keys = [key for name, listed in members if name.casefold() == "keys" and isinstance(listed, list) for key in listed]
    return any(isinstance(key, dict) and _loads(key) for key in keys)


def test_key_sets(fuzz):
    def check(random):
        match random.randrange(4):
            case 0:
                failure = read_keys(response(random, json.dumps(documents.whole_keys(random)).encode()))
                assert failure is None, failure
                return
            case 1:
                failure = read_keys(response(random, json.dumps(documents.broken_keys(random)).encode()))
                assert failure is not None
                _invariants(failure)
                return
            case 2:
                body = documents.as_body(random, documents.odd_keys(random))
            case _:
                body = mutated_bytes(random, documents.as_body(random, documents.odd_keys(random)), _PIECES)
        failure = read_keys(response(random, body, random.choice((200, 200, 200, 404))))
        if failure is not None:
            _invariants(failure)
        else:
            assert _has_usable_key(python_json(body)), body

    fuzz(check, inputs=1500, most_seconds=1.5)


def test_discovery_documents(fuzz):
    def check(random):
        document = documents.odd_discovery(random)
        body = documents.as_body(random, document)
        if random.random() < 0.4:
            body = mutated_bytes(random, body, _PIECES)
        found = read_discovery(response(random, body, random.choice((200, 200, 200, 500))), documents.ISSUER)
        if isinstance(found, Failure):
            _invariants(found)
            return
        read = python_json(body, list)
        issuers = [value for name, value in read if name.casefold() == "issuer"]
        assert found.issuer == documents.ISSUER
        assert documents.ISSUER in issuers
        assert found.jwks_uri

    fuzz(check, inputs=2000, most_seconds=0.5)


_BASES = (
    "https://idp.example/r/.well-known/openid-configuration",
    "https://idp.example:8443/a/b/../c?x=1",
    "http://u:p@h/x",
)
_URLS = ("https://keys.example/k", "/jwks", "jwks", "../k", "?a=b", "#f", "//other/k", "https://xn--0/", "ftp://x/", "https://h:99999/", "https://h:/", "https://h:0/", "https://[::1]:8443/k", "https://[fe80::1%25eth0]/", "http://u:S3CR3T@h/x y", "https://h/%zz", "https://h/a%2fb/./c/../d", "http:opaque", "mailto:x@y", "a:b", ":foo", "http://é.example/ü", "https:///k", "//", "", "http://h/..", "https://[1.2.3.4]/", "https://u@p@h/", "https://%41/", "https://h:8a/", "*", "https://h?S3CR3T", "https://h#a%zz")  # fmt: skip


def test_urls_of_providers(fuzz):
    """A place that can be dialled, or UrlError in one line; never user information or a query."""

    def check(random):
        text = random.choice(_URLS)
        for _ in range(random.choice((0, 1, 1, 3))):
            at = random.randrange(len(text) + 1)
            piece = random.choice((*"/:@[]%?#é \x7f\\", "/../", "%2F", "//", ":80", "[::1]", "x" * 300, "\udcff"))
            text = random.choice((text[:at] + piece + text[at:], text[:at] + text[at + 1 :]))
        if random.random() < 0.05:
            text = mutated_text(random, text).replace(SURROGATE, "")  # JSON and headers have none
        try:
            url = resolve(parse_go_url(random.choice(_BASES)), text)
            assert "?S3CR3T" not in text or "?S3CR3T" not in url.shown
            assert ":S3CR3T@" not in url.shown or "/" in url.shown.partition(":S3CR3T@")[0].partition("//")[2]
            assert url.shown.isprintable()
            place = host_port(url)
        except UrlError as error:
            assert len(str(error)) <= 2000
            return
        assert place.host
        assert 0 <= place.port <= 65535

    fuzz(check, inputs=6000, most_seconds=0.2)
