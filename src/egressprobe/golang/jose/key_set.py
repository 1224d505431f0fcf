"""A JSON Web Key Set as go-oidc reads it: decoded as a whole, so one key that does not decode drops all of them.

Source: go-oidc v2.3.0 jwks.go (updateKeys, verify), oidc.go (unmarshalResp); go-jose v2.6.3 jwk.go (JSONWebKeySet).
"""

from typing import NamedTuple

from egressprobe.error_texts.oidc import KEYS_UNREADABLE
from egressprobe.golang.http.quote import cut
from egressprobe.golang.jose.field_decode import FieldErrors
from egressprobe.golang.jose.json_text import JsonError, Value, parse_json
from egressprobe.golang.jose.key import JsonWebKey, decode_key
from egressprobe.golang.jose.provider import DocumentError, with_content_type
from egressprobe.golang.jose.raw_key import JoseError
from egressprobe.golang.jose.rsa_private import Work

# updateKeys puts the whole body behind the error; this much of it is shown.
_SHOWN_BODY = 200


class KeySet(NamedTuple):
    """The keys of a set that decodes."""

    keys: tuple[JsonWebKey, ...]

    @property
    def usable(self) -> bool:
        """Whether any token can be verified."""
        return any(key.unusable is None for key in self.keys)


def read_key_set(body: bytes, content_type: str) -> KeySet:
    """Raises DocumentError with go-oidc's text; its reason names the key by its index where it is a key's.

    Raises TooCostlyError for private keys that would take too long to check.
    """
    try:
        return _decode(parse_json(body))
    except (JsonError, JoseError) as error:
        text = KEYS_UNREADABLE.of(problem=f"{with_content_type(str(error), content_type)} {cut(body, _SHOWN_BODY)}")
        raise DocumentError(text.rstrip(), getattr(error, "reason", str(error))) from error


class _KeyError(JoseError):
    """A key that does not decode. The text is go-jose's; `reason` says which key."""

    def __init__(self, index: int, value: Value, error: JoseError) -> None:
        super().__init__(str(error))
        self.reason = f"keys[{index}]{_described(value)}: {error}"


def _decode(document: Value) -> KeySet:
    errors = FieldErrors("jose", "JSONWebKeySet")
    keys: tuple[JsonWebKey, ...] = ()
    work = Work()
    for name, value in errors.members(document):
        if name != "keys":
            continue
        if isinstance(value, list):
            keys = tuple(_key(index, item, work) for index, item in enumerate(value))
        elif value is None:
            keys = ()
        else:
            errors.mismatch(value, "keys", "[]jose.JSONWebKey")
    if errors.first is not None:
        raise JoseError(errors.first)
    return KeySet(keys)


def _key(index: int, value: Value, work: Work) -> JsonWebKey:
    """A key's own error ends the decoding at once: it is returned even where a type error came before."""
    try:
        return decode_key(value, work)
    except JoseError as error:
        raise _KeyError(index, value, error) from error


def _described(value: Value) -> str:
    """` (kty EC, crv P-256, kid x)`: how people find the key in the set."""
    members = dict(getattr(value, "members", ()))
    parts = [
        f"{name} {cut(member.encode('utf-8', 'replace'), 40)}"
        for name in ("kty", "crv", "kid")
        if isinstance(member := members.get(name), str) and member
    ]
    return f" ({', '.join(parts)})" if parts else ""
