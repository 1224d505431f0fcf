"""mime.ParseMediaType as far as go-oidc uses it: the media type, or nothing where the header does not parse.

Source: mime/mediatype.go, mime/grammar.go (Go 1.25).
"""

import re

_TOKEN = r"[0-9A-Za-z!#$%&'*+\-.^_`{|}~]+"  # noqa: S105 (RFC 2045 token)
_TYPE = re.compile(f"{_TOKEN}(?:/{_TOKEN})?")
_PARAMETER = re.compile(rf'\s*;\s*({_TOKEN})\s*=\s*(?:({_TOKEN})|"((?:[^"\\\r\n]|\\.)*)"|(?=["]))', re.DOTALL)
_ESCAPED = re.compile(r'\\([()<>@,;:\\"/\[\]?=])')


def media_type(header: str) -> str | None:
    """The type in lower case; None where Go returns an error."""
    base, semicolon, _ = header.partition(";")
    kind = base.lower().strip()
    if not _TYPE.fullmatch(kind):
        return None
    rest = header[len(base) :] if semicolon else ""
    parameters: dict[str, str] = {}
    while rest.strip():
        match = _PARAMETER.match(rest)
        if match is None or match.end() == match.start():
            return kind if rest.strip() == ";" else None
        name, value = match[1].lower(), match[2] if match[2] is not None else match[3]
        if value is None:
            return None
        value = _ESCAPED.sub(r"\1", value)
        if parameters.setdefault(name, value) != value:
            return None
        rest = rest[match.end() :]
    return kind
