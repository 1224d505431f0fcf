"""Secrets in text: what may be part of an HTTP header, and messages of other programs with their secrets removed. Pure.

URLs are printed by urls.shown only; a header that carries a secret is never printed. What is left are the messages of
other programs (a credential plugin, AWS), which may repeat what they were given.
"""

import base64
import re
from collections.abc import Iterable
from urllib.parse import quote

_HIDDEN = "..."
_LEAST = 4  # characters; a shorter value would blank ordinary words
# Long runs without a space are tokens, keys, certificates; a path or an ARN has other characters in between.
_TOKEN = re.compile(r"[A-Za-z0-9+_=.~-]{24,}|[A-Za-z0-9+/_=~-]{32,}")
_SEPARATORS = re.compile(r"[\s=:,;]+")
# golang.org/x/net/http/httpguts ValidHeaderFieldValue: control characters but for the tab.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def is_header_value(text: str) -> bool:
    """Whether Go's net/http sends `text` as the value of a header; lone surrogates are not text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return not _CONTROL.search(text)


def _forms(secret: str) -> Iterable[str]:
    """A secret, its parts (`--password=SECRET`, `user:SECRET`, `Bearer SECRET`), each also in base64."""
    for part in {secret, *_SEPARATORS.split(secret), secret.partition("=")[2], secret.partition(":")[2]}:
        data = part.encode("utf-8", "surrogatepass")
        yield part
        yield quote(data, safe="")
        yield from (encode(data).decode().rstrip("=") for encode in (base64.b64encode, base64.urlsafe_b64encode))


def without_secrets(text: str, secrets: Iterable[str] = (), *, most: int = 200) -> str:
    """One printable line of at most `most` characters, without `secrets` and without what looks like a token."""
    forms = {form for secret in secrets for form in _forms(secret) if len(form) >= _LEAST}
    for secret in sorted(forms, key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    text = _TOKEN.sub(_HIDDEN, text[: 10 * most])
    return "".join(c if c.isprintable() else " " for c in text).strip()[:most]
