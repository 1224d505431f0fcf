"""Every text that the forecast can produce, with its code: read out of the source, where the texts are raised."""

import ast
import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import egressprobe
from egressprobe.error_texts import http, oidc, tls
from egressprobe.model.failure import Code

SOURCE = Path(egressprobe.__file__).parent
_FOLDERS = ("golang", "probe/transport", "apiserver", "discovery")
_SAMPLE = "0a7"
_ENDED = ("unexpected EOF", "http: unexpected EOF reading trailer")


class Produced(NamedTuple):
    """A text behind `Post "URL": `, and the code that the engine gives it."""

    text: str
    code: Code
    where: str


def raised(*names: str) -> Iterator[tuple[str, ast.Call, str, str]]:
    """(class, call, text, file) of every call of these classes that has a text, its placeholders filled in."""
    for name, node, module, file in _calls():
        if name in names:
            for argument in node.args:
                text = _text(argument, module)
                if text:
                    yield name, node, text, f"{file}:{node.lineno}"


@cache
def _calls() -> list[tuple[str, ast.Call, ModuleType, str]]:
    """(name, call, module, file) of every call of a name."""
    calls = []
    for path in sorted(path for folder in _FOLDERS for path in (SOURCE / folder).rglob("*.py")):
        module = importlib.import_module(".".join(("egressprobe", *path.relative_to(SOURCE).with_suffix("").parts)))
        nodes = ast.walk(ast.parse(path.read_text()))
        named = [node for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
        calls += [(node.func.id, node, module, path.name) for node in named]
    return calls


def _text(node: ast.expr, module: object) -> str | None:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(_part(value, module) for value in node.values)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "of":
        row = getattr(module, getattr(node.func.value, "id", ""), None)
        names = [keyword.arg for keyword in node.keywords]
        return row.of(**{name: 7 if name == "version" else _SAMPLE for name in names}) if row else None
    if isinstance(node, ast.Attribute) and node.attr == "text":
        return getattr(getattr(module, getattr(node.value, "id", ""), None), "text", None)
    return None


def _part(node: ast.expr, module: object) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    name = getattr(node.value, "id", "") if isinstance(node, ast.FormattedValue) else ""
    value = getattr(module, name, None) if name.isupper() or name.startswith("_") else None
    return value if isinstance(value, str) else _SAMPLE


def tls_problems() -> Iterator[Produced]:
    """golang/tls: what ends a handshake."""
    kinds = {"GoTlsError": Code.TLS_ALERT, "NotTlsError": Code.TLS_NOT_TLS}
    for name, _, text, where in raised(*kinds):
        yield Produced(text, kinds[name], where)
    path = SOURCE / "golang/tls_hello_checks.py"
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield Produced(f"tls: {node.value.value}", Code.TLS_ALERT, f"{path.name}:{node.lineno}")


def certificate_problems() -> Iterator[Produced]:
    """golang/x509: what cannot be parsed, in the server's chain and in a caBundle."""
    for _, _, text, where in raised("CertificateError"):
        yield Produced(tls.CERTIFICATE_UNREADABLE.of(problem=text), Code.TLS_CERT_INVALID, where)
        yield Produced(tls.BUNDLE_UNPARSED.of(problem=text), Code.CA_BUNDLE_INVALID, where)
    for _, _, text, where in raised("BundleError"):
        yield Produced(text, Code.CA_BUNDLE_INVALID, where)


def response_problems() -> Iterator[Produced]:
    """golang/http: responses that are not HTTP, or end too early."""
    for _, node, text, where in raised("HttpError", "StreamError", "RefusedError", "GzipError"):
        code = Code.HTTP_RESET if text in _ENDED else Code.HTTP_BODY_INVALID
        in_body = any(keyword.arg == "in_body" for keyword in node.keywords)
        if in_body:
            yield Produced(http.READING_BODY.of(problem=text), code, where)
        elif where.startswith("http2"):
            shown = (
                f"stream error: stream ID 1; PROTOCOL_ERROR; {text}" if "StreamError" in ast.dump(node.func) else text
            )
            yield Produced(shown, code, where)
        else:
            plain = text if text.startswith("net/http: ") else http.TRANSPORT_BROKEN.of(problem=text)
            yield Produced(plain, code, where)


def url_problems() -> Iterator[Produced]:
    """golang/http/url.py: where a document or a redirect leads."""
    for _, _, text, where in raised("UrlError"):
        if not text.startswith("parse "):  # of a UriError, below
            yield Produced(text, Code.HTTP_REDIRECT, where)
    for _, _, text, where in raised("UriError"):
        yield Produced(f'parse "https://x": {text}', Code.HTTP_REDIRECT, where)


def key_problems() -> Iterator[Produced]:
    """golang/jose: key sets that do not decode."""
    for _, _, text, where in raised("JoseError", "JsonError"):
        for label in ("got Content-Type = application/json, but could not unmarshal as JSON: ", ""):
            body = oidc.KEYS_UNREADABLE.of(problem=label + text)
            yield Produced(oidc.FETCHING + body, Code.OIDC_JWKS_INVALID, where)


def everything() -> list[Produced]:
    """All of them, once."""
    parts = (tls_problems(), certificate_problems(), response_problems(), url_problems(), key_problems())
    return list({(item.text, item.code): item for part in parts for item in part}.values())
