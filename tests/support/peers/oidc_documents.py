"""Key sets and discovery documents: whole ones, with one rule of go-oidc or go-jose broken, and damaged anyhow."""

import base64

from tests.golang.test_jose_keys import OCT, certified, ec_jwk, ed_jwk, rsa_jwk, url64
from tests.support.mutations import ODD, VALUES, Similar, chosen, dumped, mutated_value

ISSUER = "https://idp.example/r"
JSON_TYPE = "application/json"
CONTENT_TYPES = (
    *(JSON_TYPE, "application/json; charset=utf-8", 'Application/JSON ;charset="utf-8"', "text/html", "", "/json"),
    *("application/json; charset", "application/json;", "application/jwk-set+json", "a b", 'application/json; a="x'),
    *("application/json; a=b; a=c", "text/html; é", 'application/json; q=""', "application/json; a=b; A=b ;", "é" * 3000),
)  # fmt: skip
# With each of these alone a token can be verified.
USABLE = (rsa_jwk(), certified(), *(ec_jwk(curve) for curve in ("P-256", "P-384", "P-521")))
# Fine in a set, of no use to verify a token.
USELESS = (OCT, ed_jwk(), ed_jwk(private=True), rsa_jwk(private=True), ec_jwk(private=True))
_NAMES = (
    "kty",
    "kid",
    "use",
    "alg",
    "crv",
    "x",
    "y",
    "n",
    "e",
    "d",
    "p",
    "q",
    "k",
    "x5c",
    "x5u",
    "x5t",
    "x5t#S256",
    "foo",
)
_JUNK = (
    *VALUES,
    *ODD,
    "RSA",
    "EC",
    "OKP",
    "oct",
    "P-256",
    "P-384",
    "Ed25519",
    "A",
    "AA==",
    "AQAB",
    "+/",
    {"Scheme": 1},
    {"User": "x"},
)
# One of them in a key drops the whole set.
_REFUSED = (
    *({"kty": kind} for kind in ("", "rsa", "AKP", 7, None)),
    *({"n": value} for value in (None, "A", "AQ==", "A+/A", 5, {}, [])),
    *({"e": value} for value in (None, "A", "AQ==", 65537)),
    *({"x5c": value} for value in ("x", ["!"], [7], {})),
    *({"y": "="}, {"use": 7}, {"kid": []}, {"x5u": "https://x/"}, {"x5t": "!"}, {"d": "A"}),
)  # fmt: skip
_SIMILAR = Similar([*USABLE, *USELESS])


def whole_keys(random):
    """A set with a usable key, and others."""
    others = random.choices((*USABLE, *USELESS), k=random.randrange(4))
    keys = [random.choice(USABLE), *others]
    random.shuffle(keys)
    return {"keys": keys}


def broken_keys(random):
    """One of the keys breaks a rule."""
    keys = [*random.choices(USABLE, k=random.randrange(3)), rsa_jwk() | random.choice(_REFUSED)]
    random.shuffle(keys)
    return {"keys": keys}


def odd_keys(random):
    """Keys of every kind, some with members that are missing, of other types, or changed by a digit."""
    keys = [_odd_key(random, dict(random.choice((*USABLE, *USELESS)))) for _ in range(random.choice((0, 1, 1, 2, 3)))]
    document = {"keys": keys}
    if random.random() < 0.1:
        document = {random.choice(("Keys", "KEYS", "\u212aeys", "key\u017f", "kees")): keys}
    if random.random() < 0.1:
        document |= {random.choice(("keys", "KEYS")): chosen(random, (keys, *VALUES))}
    return document if random.random() < 0.97 else chosen(random, VALUES)


def _odd_key(random, key):
    for _ in range(random.choice((0, 1, 1, 2))):
        match random.randrange(5):
            case 0:
                key.pop(random.choice(list(key)), None) if key else None
            case 1:
                key[random.choice(_NAMES)] = chosen(random, _JUNK)
            case 2 if key:
                name = random.choice(list(key))
                key[name] = (
                    _other_text(random, key[name]) if isinstance(key[name], str) else mutated_value(random, key[name])
                )
            case 3:
                key = _SIMILAR.mutated(random, key)
            case _ if key:
                name = random.choice(list(key))
                key[random.choice((name.upper(), name.capitalize(), name))] = key.pop(name)
    return key


def _other_text(random, text):
    """A base64 text of a digit more or less, with padding, line breaks, or a leading zero."""
    at = random.randrange(len(text) + 1)
    match random.randrange(6):
        case 0:
            return text[:-1]
        case 1:
            return text + random.choice("A=+/-_ \n\r.é")
        case 2:
            return text[:at] + random.choice("ABCab01-_=+/ \n") + text[at + 1 :]
        case 3 if len(text) % 4 != 1 and text.isascii() and text.replace("-", "").replace("_", "").isalnum():
            return url64(b"\0" + base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        case 4:
            return text.swapcase()
    return text[:at] + "\n" + text[at:]


def whole_discovery():
    return {
        "issuer": ISSUER,
        "jwks_uri": "https://keys.example/k",
        "authorization_endpoint": "a",
        "token_endpoint": "t",
        "userinfo_endpoint": "u",
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": [1, {}],
    }


def odd_discovery(random):
    document = whole_discovery()
    for _ in range(random.choice((0, 1, 2))):
        if not isinstance(document, dict) or not document:
            break
        name = random.choice(list(document))
        match random.randrange(4):
            case 0:
                del document[name]
            case 1:
                document[name] = chosen(random, (*VALUES, ["RS256", 5], ["x", None, True]))
            case 2:
                other = random.choice((name.upper(), name.title(), name.replace("s", "\u017f", 1), name))
                document[other] = random.choice((document.pop(name), "other"))
            case _:
                document = mutated_value(random, document)
    return document


def as_body(random, document):
    return dumped(random, document).encode("utf-8", "surrogatepass")
