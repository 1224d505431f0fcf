"""The discovery document as go-oidc reads it.

Source: go-oidc v2.3.0 oidc.go (NewProvider, providerJSON, unmarshalResp). Members that go-oidc does not know may hold
anything; jwks_uri may be missing here (the fetch of the keys then fails).
"""

from typing import NamedTuple

from egressprobe.error_texts.oidc import DOCUMENT_UNREADABLE, ISSUER_MISMATCH
from egressprobe.golang.http.media_type import media_type
from egressprobe.golang.http.quote import quote
from egressprobe.golang.jose.field_decode import FieldErrors
from egressprobe.golang.jose.json_text import JsonError, Value, parse_json
from egressprobe.golang.jose.raw_key import JoseError

_STRINGS = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint")
_ALGORITHMS = "id_token_signing_alg_values_supported"


class DiscoveryDocument(NamedTuple):
    """What of a discovery document decides; "" for what is missing."""

    issuer: str
    jwks_uri: str


class DocumentError(JoseError):
    """A body that does not decode. reason: without go-oidc's words around it."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(text)
        self.reason = reason


def read_provider(body: bytes, content_type: str) -> DiscoveryDocument:
    """Raises DocumentError with go-oidc's text."""
    try:
        return _decode(parse_json(body))
    except (JsonError, JoseError) as error:
        text = DOCUMENT_UNREADABLE.of(problem=with_content_type(str(error), content_type))
        raise DocumentError(text, str(error)) from error


def issuer_mismatch(expected: str, actual: str) -> str:
    """NewProvider's text where the issuers differ; they must be equal byte for byte."""
    return ISSUER_MISMATCH.of(expected=quote(expected), actual=quote(actual))


def with_content_type(reason: str, content_type: str) -> str:
    """unmarshalResp: what a body that does not decode was labelled as. content_type: the header, "" without one."""
    if media_type(content_type) == "application/json":
        return f"got Content-Type = application/json, but could not unmarshal as JSON: {reason}"
    return f"expected Content-Type = application/json, got {quote(content_type)}: {reason}"


def _decode(document: Value) -> DiscoveryDocument:
    errors = FieldErrors("oidc", "providerJSON")
    fields = dict.fromkeys(_STRINGS, "")
    for name, value in errors.members(document):
        if name in fields:
            if isinstance(value, str):
                fields[name] = value
            elif value is not None:
                errors.mismatch(value, name, "string")
        elif name == _ALGORITHMS:
            _check_algorithms(value, errors)
    if errors.first is not None:
        raise JoseError(errors.first)
    return DiscoveryDocument(fields["issuer"], fields["jwks_uri"])


def _check_algorithms(value: Value, errors: FieldErrors) -> None:
    """Decoded and then not used: kube-apiserver sets its own algorithms."""
    if not isinstance(value, list):
        if value is not None:
            errors.mismatch(value, _ALGORITHMS, "[]string")
        return
    for item in value:
        if item is not None and not isinstance(item, str):
            errors.mismatch(item, _ALGORITHMS, "string")
