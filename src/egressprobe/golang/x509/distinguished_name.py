"""Names of issuers and subjects as crypto/x509/parser.go parseName reads them."""

import string

from egressprobe.golang.release import GoRelease
from egressprobe.golang.x509.der import SEQUENCE, SET, CertificateError, Element, Reader

_UTF8_STRING, _NUMERIC_STRING, _PRINTABLE_STRING = 0x0C, 0x12, 0x13
_T61_STRING, _IA5_STRING, _BMP_STRING = 0x14, 0x16, 0x1E
_ASCII = frozenset(range(0x80))
_NUMERIC = frozenset(map(ord, string.digits + " "))
# crypto/x509/parser.go isPrintable: with '*' and '&', which are not in X.680 but in the field
_PRINTABLE = frozenset(map(ord, string.ascii_letters + string.digits + " '()+,-./:=?*&"))
_ALLOWED = {
    _PRINTABLE_STRING: (_PRINTABLE, "invalid PrintableString"),
    _IA5_STRING: (_ASCII, "invalid IA5String"),
    _NUMERIC_STRING: (_NUMERIC, "invalid NumericString"),
}
# crypto/x509/pkix/pkix.go attributeTypeNames
_ATTRIBUTES = {
    "2.5.4.6": "C",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.3": "CN",
    "2.5.4.5": "SERIALNUMBER",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "STREET",
    "2.5.4.17": "POSTALCODE",
}
_INVALID = "invalid RDNSequence"


def attributes(name: bytes, release: GoRelease = GoRelease.V1_24) -> list[tuple[str, str]]:
    """The attributes of a Name as (short key or OID, text), in the order of the certificate.

    Without a release: of a certificate that was read before. Raises CertificateError.
    """
    pairs = []
    sequence = Reader(name, _INVALID).into(SEQUENCE)
    while not sequence.empty:
        rdn = sequence.into(SET)
        while not rdn.empty:
            attribute = rdn.into(SEQUENCE, f"{_INVALID}: invalid attribute")
            oid = attribute.oid(f"{_INVALID}: invalid attribute type")
            value = attribute.any(f"{_INVALID}: invalid attribute value")
            pairs.append((_ATTRIBUTES.get(oid, oid), _string(value, release)))
    return pairs


def _string(value: Element, release: GoRelease) -> str:
    """parseASN1String: the string types that Go supports, and what each may hold."""
    tag, body = value.tag, value.body
    error = ""
    if tag == _T61_STRING:
        return body.decode("latin-1")
    if tag in _ALLOWED:
        characters, error = _ALLOWED[tag]
        if characters.issuperset(body):
            return body.decode("ascii")
    elif tag == _UTF8_STRING:
        try:
            return body.decode("utf-8")
        except UnicodeDecodeError:
            error = "invalid UTF-8 string"
    elif tag == _BMP_STRING:
        error = "invalid BMPString"
        units = body[:-2] if body.endswith(b"\0\0") else body
        codes = [int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2)]
        if len(body) % 2 == 0 and not (release >= GoRelease.V1_25 and any(map(_reserved, codes))):
            return units.decode("utf-16-be", "replace")
    else:
        error = f"unsupported string type: {tag}"
    raise CertificateError(f"x509: {_INVALID}: invalid attribute value: {error}")


def _reserved(code: int) -> bool:
    """Surrogates and noncharacters, which UCS-2 does not have; refused since Go 1.25."""
    return 0xD800 <= code <= 0xDFFF or 0xFDD0 <= code <= 0xFDEF or code >= 0xFFFE


def name_text(name: bytes) -> str:
    """A Name in the form of RFC 2253: last attribute first, as Go and openssl print it."""
    return ",".join(f"{key}={value}" for key, value in reversed(attributes(name)))
