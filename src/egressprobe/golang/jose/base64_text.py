"""encoding/base64 of Go: RawURLEncoding and StdEncoding, not strict, line breaks ignored.

Python's decoders either drop what they do not know or refuse line breaks, and neither says where. Source:
encoding/base64/base64.go decodeQuantum (Go 1.25).
"""

import base64
import string

_ALPHANUMERIC = string.ascii_uppercase + string.ascii_lowercase + string.digits
_URL = frozenset((_ALPHANUMERIC + "-_").encode())
_STANDARD = frozenset((_ALPHANUMERIC + "+/").encode())
_BREAKS = b"\r\n"


class Base64Error(ValueError):
    """Text that is not base64; the text is Go's CorruptInputError."""

    def __init__(self, at: int) -> None:
        super().__init__(f"illegal base64 data at input byte {at}")


def decode_raw_url(text: str) -> bytes:
    """base64.RawURLEncoding.DecodeString: no padding at all."""
    data = text.encode("utf-8", "surrogatepass")
    _check(data, _URL, padded=False)
    digits = data.translate(None, _BREAKS)
    return base64.urlsafe_b64decode(digits + b"=" * (-len(digits) % 4))


def decode_standard(text: str) -> bytes:
    """base64.StdEncoding.DecodeString: padding required, nothing after it."""
    data = text.encode("utf-8", "surrogatepass")
    _check(data, _STANDARD, padded=True)
    return base64.b64decode(data.translate(None, _BREAKS))


def _check(data: bytes, alphabet: frozenset[int], *, padded: bool) -> None:
    """Raises Base64Error where Go does. The number is of the input with its line breaks."""
    digits = 0  # of the group of four that is being read
    for at, byte in enumerate(data):
        if byte in alphabet:
            digits = (digits + 1) % 4
        elif byte in _BREAKS:
            continue
        elif byte == 0x3D and padded and digits >= 2:
            _check_padding(data, at, digits)
            return
        else:
            raise Base64Error(at)
    if digits == 1 or (padded and digits):
        raise Base64Error(len(data) - digits)


def _check_padding(data: bytes, at: int, digits: int) -> None:
    """From the first `=` on: a second one after two digits, then only line breaks."""

    def skip(index: int) -> int:
        while index < len(data) and data[index] in _BREAKS:
            index += 1
        return index

    index = at + 1
    if digits == 2:
        index = skip(index)
        if index == len(data):
            raise Base64Error(len(data))
        if data[index] != 0x3D:
            raise Base64Error(index - 1)
        index += 1
    index = skip(index)
    if index < len(data):
        raise Base64Error(index)
