"""The members of one JSON Web Key, decoded as go-jose's copy of encoding/json decodes rawJSONWebKey.

Source: go-jose v2.6.3 json/decode.go, jwk.go (rawJSONWebKey), encoding.go (byteBuffer). Unlike encoding/json: names
match in their exact case only, a name that occurs twice in an object is an error, a number where a string is expected
ends the decoding at once. Other type errors are kept: the first is returned when the whole key has been read, unless
something later ends it at once. Members that go-jose does not know may hold anything.
"""

from collections import deque
from collections.abc import Iterator

from egressprobe.golang.jose.base64_text import Base64Error, decode_raw_url
from egressprobe.golang.jose.json_text import JsonNumber, JsonObject, Value, kind_of


class JoseError(ValueError):
    """A key, key set or document that go-oidc or go-jose refuses; the text is theirs."""


_STRINGS = ("use", "kty", "kid", "crv", "alg", "x5t", "x5t#S256")
_BUFFERS = ("k", "x", "y", "n", "e", "d", "p", "q", "dp", "dq", "qi")
# net/url.URL has no UnmarshalJSON: a string does not decode into it, an object of its fields does.
_URL_STRINGS = ("Scheme", "Opaque", "Host", "Path", "RawPath", "RawQuery", "Fragment", "RawFragment")
_URL_BOOLS = ("OmitHost", "ForceQuery")


class RawKey:
    """The decoded members. A buffer is None where it is missing or null, b"" where it is the empty string.

    Raises JoseError when `value` does not decode.
    """

    def __init__(self, value: Value) -> None:
        self.strings: dict[str, str] = dict.fromkeys(_STRINGS, "")
        self.buffers: dict[str, bytes | None] = dict.fromkeys(_BUFFERS)
        self.x5c: list[str] = []
        self._first_error: str | None = None
        if isinstance(value, JsonObject):
            self._members(value)
        elif value is not None:  # null leaves an empty key, whose kty is then unknown
            self._mismatch(value, "jose.rawJSONWebKey")
        if self._first_error is not None:
            raise JoseError(self._first_error)

    def _members(self, key: JsonObject) -> None:
        for name, value in _distinct(key):
            if name in self.strings:
                self.strings[name] = self._string(value, self.strings[name])
            elif name in self.buffers:
                self.buffers[name] = _buffer(value)
            elif name == "x5c":
                self.x5c = self._list_of_strings(value)
            elif name == "x5u":
                self._url(value)

    def _mismatch(self, value: Value, go_type: str) -> None:
        """Keep the first type error; a number raises it (decode.go literalStore calls d.error, not d.saveError)."""
        text = f"json: cannot unmarshal {kind_of(value)} into Go value of type {go_type}"
        if isinstance(value, JsonNumber):
            raise JoseError(text)
        self._first_error = self._first_error or text

    def _string(self, value: Value, default: str = "") -> str:
        if isinstance(value, str):
            return value
        if value is not None:
            self._mismatch(value, "string")
        return default

    def _list_of_strings(self, value: Value) -> list[str]:
        if isinstance(value, list):
            return [self._string(item) for item in value]
        if value is not None:
            self._mismatch(value, "[]string")
        return []

    def _url(self, value: Value) -> None:
        if not isinstance(value, JsonObject):
            if value is not None:
                self._mismatch(value, "url.URL")
            return
        for name, member in _distinct(value):
            if name in _URL_STRINGS:
                self._string(member)
            elif name in _URL_BOOLS and member is not None and not isinstance(member, bool):
                self._mismatch(member, "bool")
            elif name == "User" and member is not None:
                if isinstance(member, JsonObject):
                    deque(_distinct(member), maxlen=0)
                else:
                    self._mismatch(member, "url.Userinfo")


def _distinct(value: JsonObject) -> Iterator[tuple[str, Value]]:
    """The members one by one. Raises JoseError at a repeated name, after the members before it were decoded."""
    names: set[str] = set()
    for name, member in value.members:
        if name in names:
            raise JoseError(f"json: duplicate key '{name}' in object")
        names.add(name)
        yield name, member


def _buffer(value: Value) -> bytes | None:
    """byteBuffer.UnmarshalJSON: base64url without padding; an error ends the decoding at once."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise JoseError(f"json: cannot unmarshal {kind_of(value)} into Go value of type string")
    try:
        return decode_raw_url(value)
    except Base64Error as error:
        raise JoseError(str(error)) from error
