"""JSON Web Keys, key sets and discovery documents, with the texts of go-jose v2.6.3 and go-oidc v2.3.0.

Every expectation was compared with the real libraries (Go 1.25.5) for these cases and for 60,000 mutated documents.
"""

import base64
import hashlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from egressprobe.golang.jose.key_set import read_key_set
from egressprobe.golang.jose.provider import DocumentError, issuer_mismatch, read_provider
from egressprobe.golang.jose.rsa_private import TooCostlyError
from egressprobe.lab.certs import issue, make_authority
from tests.support.cpu_time import within_seconds

JSON_TYPE = "application/json"
JOSE = "go-jose/go-jose: "


def url64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, size=0):
    return url64(value.to_bytes(max(size, (value.bit_length() + 7) // 8)))


RSA_KEY = rsa.generate_private_key(65537, 1024)
EC_KEYS = {
    "P-256": ec.generate_private_key(ec.SECP256R1()),
    "P-384": ec.generate_private_key(ec.SECP384R1()),
    "P-521": ec.generate_private_key(ec.SECP521R1()),
    "secp256k1": ec.generate_private_key(ec.SECP256K1()),
}
ED_KEY = ed25519.Ed25519PrivateKey.generate()


def rsa_jwk(*, private=False):
    numbers = RSA_KEY.private_numbers()
    jwk = {"kty": "RSA", "kid": "r", "n": number(numbers.public_numbers.n), "e": "AQAB"}
    if private:
        parts = {"d": numbers.d, "p": numbers.p, "q": numbers.q}
        parts |= {"dp": numbers.dmp1, "dq": numbers.dmq1, "qi": numbers.iqmp}
        jwk |= {name: number(value) for name, value in parts.items()}
    return jwk


def ec_jwk(curve="P-256", *, private=False):
    numbers = EC_KEYS[curve].private_numbers()
    size = (EC_KEYS[curve].curve.key_size + 7) // 8
    jwk = {"kty": "EC", "kid": "e", "crv": curve, "x": number(numbers.public_numbers.x, size)}
    jwk["y"] = number(numbers.public_numbers.y, size)
    return jwk | ({"d": number(numbers.private_value, size)} if private else {})


def ed_jwk(*, private=False):
    jwk = {"kty": "OKP", "kid": "o", "crv": "Ed25519", "x": url64(ED_KEY.public_key().public_bytes_raw())}
    return jwk | ({"d": url64(ED_KEY.private_bytes_raw())} if private else {})


OCT = {"kty": "oct", "kid": "s", "k": "AQAB"}
CERTIFICATE = issue(make_authority("jwk-ca"), ("jwk.lab",)).certificate
CERTIFICATE_DER = CERTIFICATE.public_bytes(Encoding.DER)
CERTIFICATE_KEY = CERTIFICATE.public_key()


def certified(**changes):
    """A key with its certificate: whatever kind the lab issues."""
    numbers = CERTIFICATE_KEY.public_numbers()
    if isinstance(CERTIFICATE_KEY, rsa.RSAPublicKey):
        jwk = {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
    else:
        size = (CERTIFICATE_KEY.curve.key_size + 7) // 8
        jwk = {"kty": "EC", "crv": "P-256", "x": number(numbers.x, size), "y": number(numbers.y, size)}
    return jwk | {"x5c": [base64.b64encode(CERTIFICATE_DER).decode()]} | changes


SHA1 = hashlib.sha1(CERTIFICATE_DER, usedforsecurity=False)
SHA256 = hashlib.sha256(CERTIFICATE_DER)


def error_of(*keys, text=None):
    """The reason, without go-oidc's words, or None."""
    body = text if text is not None else json.dumps({"keys": list(keys)}).encode()
    try:
        read_key_set(body, JSON_TYPE)
    except DocumentError as error:
        return error.reason
    return None


REFUSED = {
    # kty and crv
    "kty unknown": ({"kty": "AKP"}, f"{JOSE}unknown json web key type 'AKP'"),
    "kty missing": ({"kid": "1"}, f"{JOSE}unknown json web key type ''"),
    "kty in lower case": (rsa_jwk() | {"kty": "rsa"}, f"{JOSE}unknown json web key type 'rsa'"),
    "kty array": (rsa_jwk() | {"kty": []}, "json: cannot unmarshal array into Go value of type string"),
    "key null": (None, f"{JOSE}unknown json web key type ''"),
    "key number": (7, "json: cannot unmarshal number into Go value of type jose.rawJSONWebKey"),
    "key string": ("x", "json: cannot unmarshal string into Go value of type jose.rawJSONWebKey"),
    "key array": ([], "json: cannot unmarshal array into Go value of type jose.rawJSONWebKey"),
    "curve secp256k1": (ec_jwk("secp256k1"), f"{JOSE}unsupported elliptic curve 'secp256k1'"),
    "curve missing": (ec_jwk() | {"crv": None}, f"{JOSE}unsupported elliptic curve ''"),
    "OKP X25519": (ed_jwk() | {"crv": "X25519"}, f"{JOSE}unknown curve X25519'"),
    "OKP Ed448": (ed_jwk() | {"crv": "Ed448"}, f"{JOSE}unknown curve Ed448'"),
    "OKP without x": (ed_jwk() | {"x": None}, f"{JOSE}unknown curve Ed25519'"),
    # coordinates
    "x missing": (ec_jwk() | {"x": None}, f"{JOSE}invalid EC key, missing x/y values"),
    "x empty": (ec_jwk() | {"x": ""}, f"{JOSE}invalid EC public key, wrong length for x"),
    "x too long": (ec_jwk() | {"x": "AAAA" + ec_jwk()["x"]}, f"{JOSE}invalid EC public key, wrong length for x"),
    "y too short": (ec_jwk() | {"y": ec_jwk()["y"][:-4]}, f"{JOSE}invalid EC public key, wrong length for y"),
    "curves mixed": (ec_jwk("P-384") | {"crv": "P-256"}, f"{JOSE}invalid EC public key, wrong length for x"),
    "not on the curve": (ec_jwk() | {"y": ec_jwk()["x"]}, f"{JOSE}invalid EC key, X/Y are not on declared curve"),
    "zero point": (ec_jwk() | {"x": "A" * 43, "y": "A" * 43}, f"{JOSE}invalid EC key, X/Y are not on declared curve"),
    "not reduced": (ec_jwk() | {"x": "_" * 42 + "8"}, f"{JOSE}invalid EC key, X/Y are not on declared curve"),
    # encoding of the numbers
    "padding": (rsa_jwk() | {"e": "AQ=="}, "illegal base64 data at input byte 2"),
    "standard alphabet": (rsa_jwk() | {"e": "A+/A"}, "illegal base64 data at input byte 1"),
    "one digit over": (rsa_jwk() | {"e": "AQABA"}, "illegal base64 data at input byte 4"),
    "white space": (rsa_jwk() | {"e": "AQ AB"}, "illegal base64 data at input byte 2"),
    "number for base64": (rsa_jwk() | {"e": 65537}, "json: cannot unmarshal number into Go value of type string"),
    "object for base64": (rsa_jwk() | {"n": {}}, "json: cannot unmarshal object into Go value of type string"),
    "unused member": (rsa_jwk() | {"y": "="}, "illegal base64 data at input byte 0"),
    "n missing": (rsa_jwk() | {"n": None}, f"{JOSE}invalid RSA key, missing n/e values"),
    "k missing": ({"kty": "oct"}, f"{JOSE}invalid OCT (symmetric) key, missing k value"),
    # other members
    "kid number": (rsa_jwk() | {"kid": 1}, "json: cannot unmarshal number into Go value of type string"),
    "use array": (rsa_jwk() | {"use": ["sig"]}, "json: cannot unmarshal array into Go value of type string"),
    "alg bool": (rsa_jwk() | {"alg": True}, "json: cannot unmarshal bool into Go value of type string"),
    "number before array": (
        {"use": [], "kid": 1} | rsa_jwk() | {"kid": 1},
        "json: cannot unmarshal number into Go value of type string",
    ),
    "first of two": (
        {"use": [], "alg": True, **rsa_jwk()},
        "json: cannot unmarshal array into Go value of type string",
    ),
    "x5u string": (rsa_jwk() | {"x5u": "https://x/"}, "json: cannot unmarshal string into Go value of type url.URL"),
    "x5u object": (
        rsa_jwk() | {"x5u": {"ForceQuery": "x"}},
        "json: cannot unmarshal string into Go value of type bool",
    ),
    "x5c string": (rsa_jwk() | {"x5c": "AQ=="}, "json: cannot unmarshal string into Go value of type []string"),
    "x5c of numbers": (rsa_jwk() | {"x5c": [1]}, "json: cannot unmarshal number into Go value of type string"),
    # certificates
    "x5c not base64": (
        rsa_jwk() | {"x5c": ["%"]},
        f"{JOSE}failed to unmarshal x5c field: illegal base64 data at input byte 0",
    ),
    "x5c base64url": (
        rsa_jwk() | {"x5c": ["AQ-_"]},
        f"{JOSE}failed to unmarshal x5c field: illegal base64 data at input byte 2",
    ),
    "x5c not a certificate": (
        rsa_jwk() | {"x5c": ["AQAB"]},
        f"{JOSE}failed to unmarshal x5c field: x509: malformed certificate",
    ),
    "x5c of null": (
        rsa_jwk() | {"x5c": [None]},
        f"{JOSE}failed to unmarshal x5c field: x509: malformed certificate",
    ),
    "x5c of another key": (
        rsa_jwk() | {"x5c": certified()["x5c"]},
        f"{JOSE}invalid JWK, public keys in key and x5c fields to not match",
    ),
    "x5c of another type": (
        ed_jwk() | {"x5c": certified()["x5c"]},
        f"{JOSE}invalid JWK, public keys in key and x5c fields to not match",
    ),
    "oct with x5c": (
        OCT | {"x5c": certified()["x5c"]},
        f"{JOSE}invalid JWK, found 'oct' (symmetric) key with cert chain",
    ),
    "x5t encoding": (rsa_jwk() | {"x5t": "A"}, f"{JOSE}invalid JWK, x5t header has invalid encoding"),
    "x5t size": (rsa_jwk() | {"x5t": "AQAB"}, f"{JOSE}invalid JWK, x5t header is of incorrect size"),
    "x5t#S256 size": (rsa_jwk() | {"x5t#S256": "AQAB"}, f"{JOSE}invalid JWK, x5t#S256 header is of incorrect size"),
    "x5t of another": (
        certified(x5t=url64(bytes(20))),
        f"{JOSE}invalid JWK, x5c thumbprint does not match x5t value",
    ),
    "x5t#S256 of another": (
        certified(**{"x5t#S256": url64(bytes(32))}),
        f"{JOSE}invalid JWK, x5c thumbprint does not match x5t#S256 value",
    ),
    "x5t not hexadecimal": (
        rsa_jwk() | {"x5t": url64(b"g" * 40)},
        f"{JOSE}invalid JWK, unable to hex decode x5t: encoding/hex: invalid byte: U+0067 'g'",
    ),
    # private keys
    "EC d too short": (ec_jwk() | {"d": "AQAB"}, f"{JOSE}invalid EC private key, wrong length for d"),
    "RSA d alone": (rsa_jwk() | {"d": "AQAB"}, f"{JOSE}invalid RSA private key, missing P value(s)"),
    "RSA d without q": (
        rsa_jwk(private=True) | {"q": None},
        f"{JOSE}invalid RSA private key, missing Q value(s)",
    ),
    "RSA p wrong": (rsa_jwk(private=True) | {"p": "Aw", "dp": None}, "crypto/rsa: p * q != n"),
    "RSA q of 1": (rsa_jwk(private=True) | {"q": "AQ"}, "modulus must be > 1"),
    "RSA d too large": (rsa_jwk(private=True) | {"d": "_" * 200}, "input overflows the modulus size"),
    "RSA dp wrong": (rsa_jwk(private=True) | {"dp": "AQ"}, "crypto/rsa: invalid CRT exponent"),
    "RSA qi wrong": (rsa_jwk(private=True) | {"qi": "AQ"}, "crypto/rsa: invalid CRT coefficient"),
    "RSA e even": (rsa_jwk(private=True) | {"e": "Ag"}, "crypto/rsa: public exponent is even"),
    "RSA e of 1": (rsa_jwk(private=True) | {"e": "AQ"}, "crypto/rsa: public exponent too small or negative"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_one_key_that_does_not_decode_drops_the_set(name):
    """Also beside good keys, and named by its index."""
    key, reason = REFUSED[name]
    found = error_of(rsa_jwk(), key, ec_jwk())
    assert found is not None
    assert found.startswith("keys[1]")
    assert found.endswith(f": {reason}")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'{"kty":"oct","k":"AQ","kid":"a","kid":"b"}', "json: duplicate key 'kid' in object"),
        (b'{"kty":"oct","k":"AQ","foo":1,"foo":2}', "json: duplicate key 'foo' in object"),
        (b'{"kty":"oct","k":"AQ","\\u006bid":"a","kid":"b"}', "json: duplicate key 'kid' in object"),
        (b'{"kty":"oct","k":"AQ","x5u":{"Host":"a","Host":"b"}}', "json: duplicate key 'Host' in object"),
        (b'{"KTY":"oct","K":"AQ"}', f"{JOSE}unknown json web key type ''"),
    ],
)
def test_names_in_a_key(text, reason):
    """Once each and in their exact case, unlike in the documents around it."""
    assert error_of(text=b'{"keys":[' + text + b"]}").endswith(reason)
    assert error_of(text=b'{"keys":[{"kty":"oct","k":"AQ","Kid":1,"foo":{"a":1,"a":2}}]}') is None


USABLE = {
    "RSA, an even modulus": (rsa_jwk() | {"n": number(RSA_KEY.private_numbers().public_numbers.n - 1)}, False),
    "RSA": (rsa_jwk(), True),
    "RSA with unknown members": (rsa_jwk() | {"foo": {"a": [1, None]}, "key_ops": 5, "nbf": 1e99}, True),
    "RSA for encryption": (rsa_jwk() | {"use": "enc", "alg": "RSA-OAEP"}, True),
    "RSA with null members": (rsa_jwk() | {"x5c": None, "x5u": None, "x5t": None, "d": None, "use": None}, True),
    "RSA with line breaks": (rsa_jwk() | {"e": "AQ\r\nAB\n"}, True),
    "RSA with leading zeros": (rsa_jwk() | {"e": "AAEAAQ", "n": "AAAA" + rsa_jwk()["n"]}, True),
    "P-256": (ec_jwk(), True),
    "P-384": (ec_jwk("P-384"), True),
    "P-521": (ec_jwk("P-521"), True),
    "certified": (certified(), True),
    "certified, x5t": (certified(**{"x5t": url64(SHA1.digest()), "x5t#S256": url64(SHA256.digest())}), True),
    "certified, x5t in hexadecimal": (certified(x5t=url64(SHA1.hexdigest().encode())), True),
    "x5u of URL fields": (rsa_jwk() | {"x5u": {"Scheme": "https", "User": {}}}, True),
    "Ed25519": (ed_jwk(), False),
    "Ed25519 of 3 bytes": (ed_jwk() | {"x": "AQAB"}, False),
    "Ed25519 private": (ed_jwk(private=True), False),
    "oct": (OCT, False),
    "oct of nothing": (OCT | {"k": ""}, False),
    "RSA private": (rsa_jwk(private=True), False),
    "RSA private without CRT": (rsa_jwk(private=True) | {"dp": None}, False),
    "EC private": (ec_jwk(private=True), False),
    "RSA n empty": (rsa_jwk() | {"n": ""}, False),
    "RSA of 1023 bits": (rsa_jwk() | {"n": url64(b"\x7f" + b"\xff" * 127)}, False),
    "RSA e of 1": (rsa_jwk() | {"e": "AQ"}, False),
    "RSA e even": (rsa_jwk() | {"e": "Ag"}, False),
    "RSA e of 2^31": (rsa_jwk() | {"e": "gAAAAQ"}, False),
    "RSA e of 9 bytes": (rsa_jwk() | {"e": "AQAAAAAAAQAB"}, True),
    "RSA e negative": (rsa_jwk() | {"e": "_" * 11}, False),
}


@pytest.mark.parametrize("name", USABLE)
def test_keys_that_decode(name):
    """Whether a token can be verified with one is another question."""
    key, usable = USABLE[name]
    keys = read_key_set(json.dumps({"keys": [key]}).encode(), JSON_TYPE)
    assert keys.usable is usable
    assert (keys.keys[0].unusable is None) is usable


@pytest.mark.parametrize("strange", [ed_jwk(), OCT, rsa_jwk(private=True)])
def test_a_usable_key_beside_an_unusable_one(strange):
    assert read_key_set(json.dumps({"keys": [strange, rsa_jwk()]}).encode(), JSON_TYPE).usable


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (b'{"keys":[]}', 0),
        (b"{}", 0),
        (b"null", 0),
        (b'{"keys":null}', 0),
        (b'{"KEYS":[{"kty":"oct","k":"AQ"}]}', 1),
        (b'{"\xe2\x84\xaaeys":[{"kty":"oct","k":"AQ"}]}', 1),
        (b'{"keys":[{"kty":"oct","k":"AQ"}],"Keys":[]}', 0),
        (b'{"keys":[{"kty":"oct","k":"AQ"}],"keys":null}', 0),
        (b' {"keys" : [ ] , "x":{"y":[1,2]}} ', 0),
    ],
)
def test_sets_that_decode(text, count):
    assert len(read_key_set(text, "").keys) == count


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"[]", "json: cannot unmarshal array into Go value of type jose.JSONWebKeySet"),
        (b'"x"', "json: cannot unmarshal string into Go value of type jose.JSONWebKeySet"),
        (
            b'{"keys":{}}',
            "json: cannot unmarshal object into Go struct field JSONWebKeySet.keys of type []jose.JSONWebKey",
        ),
        (
            b'{"keys":5,"keys":[{"kty":"oct","k":"AQ"}]}',
            "json: cannot unmarshal number into Go struct field JSONWebKeySet.keys of type []jose.JSONWebKey",
        ),
        (b'{"keys":5,"keys":[7]}', "json: cannot unmarshal number into Go value of type jose.rawJSONWebKey"),
        (b'{"keys":[]} x', "invalid character 'x' after top-level value"),
    ],
)
def test_sets_that_do_not_decode(text, reason):
    assert error_of(text=text).endswith(reason)


def test_the_whole_line_of_a_key_set():
    with pytest.raises(DocumentError) as raised:
        read_key_set(b'{"keys":[{"kty":"AKP"}]}\n', "text/html; charset=utf-8")
    assert str(raised.value) == (
        'oidc: failed to decode keys: expected Content-Type = application/json, got "text/html; charset=utf-8": '
        'go-jose/go-jose: unknown json web key type \'AKP\' {"keys":[{"kty":"AKP"}]}'
    )


ISSUER = "https://idp.example/r"
DOCUMENT = {"issuer": ISSUER, "jwks_uri": "https://idp.example/k"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"issuer": 1}, "number into Go struct field providerJSON.issuer of type string"),
        ({"jwks_uri": []}, "array into Go struct field providerJSON.jwks_uri of type string"),
        (
            {"authorization_endpoint": {}},
            "object into Go struct field providerJSON.authorization_endpoint of type string",
        ),
        ({"token_endpoint": True}, "bool into Go struct field providerJSON.token_endpoint of type string"),
        ({"userinfo_endpoint": 0.5}, "number into Go struct field providerJSON.userinfo_endpoint of type string"),
        (
            {"id_token_signing_alg_values_supported": "RS256"},
            "string into Go struct field providerJSON.id_token_signing_alg_values_supported of type []string",
        ),
        (
            {"id_token_signing_alg_values_supported": ["RS256", 5]},
            "number into Go struct field providerJSON.id_token_signing_alg_values_supported of type string",
        ),
        ({"USERINFO_endpoint": 5}, "number into Go struct field providerJSON.userinfo_endpoint of type string"),
    ],
)
def test_members_of_the_wrong_type_fail_the_document(changes, reason):
    with pytest.raises(DocumentError) as raised:
        read_provider(json.dumps(DOCUMENT | changes).encode(), JSON_TYPE)
    assert raised.value.reason == f"json: cannot unmarshal {reason}"
    assert str(raised.value) == (
        "oidc: failed to decode provider discovery object: got Content-Type = application/json, "
        f"but could not unmarshal as JSON: {raised.value.reason}"
    )


@pytest.mark.parametrize(
    ("text", "issuer", "jwks"),
    [
        (b'{"issuer":"a","jwks_uri":"b","scopes_supported":5,"x":{"issuer":1}}', "a", "b"),
        (b'{"ISSUER":"a","JWKS_URI":"b"}', "a", "b"),
        (b'{"issuer":"a","Issuer":"c","jwks_uri":null}', "c", ""),
        (b'{"issuer":"a","issuer":null}', "a", ""),
        (b'{"i\xc5\xbf\xc5\xbfuer":"a"}', "a", ""),
        (b'{"issuer":"a\xff"}', "a\ufffd", ""),
        (b"null", "", ""),
        (b'{"id_token_signing_alg_values_supported":[null]}', "", ""),
    ],
)
def test_documents_that_decode(text, issuer, jwks):
    """Names in any case, the last one counts, null leaves what was there."""
    assert read_provider(text, "") == (issuer, jwks)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("text/html", 'expected Content-Type = application/json, got "text/html"'),
        ("", 'expected Content-Type = application/json, got ""'),
        ("application/json; charset", 'expected Content-Type = application/json, got "application/json; charset"'),
        ("application/json; charset=utf-8", "got Content-Type = application/json, but could not unmarshal as JSON"),
        ('a"\\\x01\udcff', 'expected Content-Type = application/json, got "a\\"\\\\\\x01\\xff"'),
    ],
)
def test_the_words_for_a_content_type(kind, words):
    with pytest.raises(DocumentError) as raised:
        read_provider(b"<html>", kind)
    assert str(raised.value) == (
        f"oidc: failed to decode provider discovery object: {words}: "
        "invalid character '<' looking for beginning of value"
    )


def test_the_words_for_another_issuer():
    assert issuer_mismatch("https://a", 'https://"b"\n') == (
        'oidc: issuer did not match the issuer returned by provider, expected "https://a" got "https://\\"b\\"\\n"'
    )


def private_rsa(first, second):
    """A private key without CRT members, of Mersenne primes 2^first-1 and 2^second-1."""
    p, q = (1 << first) - 1, (1 << second) - 1
    numbers = {"n": p * q, "d": pow(65537, -1, (p - 1) * (q - 1)), "p": p, "q": q}
    as_text = {name: url64(number.to_bytes((number.bit_length() + 7) // 8)) for name, number in numbers.items()}
    return {"kty": "RSA", "e": "AQAB"} | as_text


def test_a_private_key_of_a_mebibyte_is_not_computed_with():
    """Validate is cubic: it is bounded."""
    huge = url64(b"\xff" * 500_000)
    with pytest.raises(TooCostlyError, match="of more than 16384 bits"):
        error_of({"kty": "RSA", "n": huge, "e": "AQAB", "d": huge, "p": "Aw", "q": "Aw"})


@pytest.mark.parametrize(("first", "second", "count"), [(4423, 4253, 1), (2281, 2203, 200)])
def test_private_keys_are_computed_with_up_to_a_bound(first, second, count):
    """A document of 1 MiB has room for a minute of modular exponentiations."""
    key = private_rsa(first, second)

    def check():
        with pytest.raises(TooCostlyError, match="take too long to check"):
            error_of(*[key] * count)

    within_seconds(5.0, check)


def test_a_few_private_keys_are_checked():
    keys = [private_rsa(1279, 607)] * 10
    assert error_of(*keys, rsa_jwk()) is None
    p = ((1 << 1279) - 1) * 3  # a "prime" that is not one
    assert "invalid" in error_of(keys[0] | {"p": url64(p.to_bytes(200))})
