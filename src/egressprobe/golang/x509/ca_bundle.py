"""caBundles as kube-apiserver reads them: encoding/pem.Decode and client-go's rootCertPool.

Every certificate that parses is an anchor; other blocks are skipped as long as one certificate parses
(crypto/x509.CertPool.AppendCertsFromPEM). Without a usable certificate client-go makes the error text
(k8s.io/client-go/transport/transport.go createErrorParsingCAData).
"""

import base64
import binascii
import hashlib
import textwrap
from collections.abc import Iterator
from typing import NamedTuple

from egressprobe.error_texts.tls import BUNDLE_NOT_PEM, BUNDLE_UNPARSED, BUNDLE_WITHOUT
from egressprobe.golang.x509.certificate import parse
from egressprobe.golang.x509.der import CertificateError

_START, _END, _DASHES = b"-----BEGIN ", b"\n-----END ", b"-----"


class PemBlock(NamedTuple):
    type: str
    headers: bool
    der: bytes


class BundleError(ValueError):
    """A caBundle without one usable certificate; the text is client-go's."""


def _line(data: bytes, at: int) -> tuple[bytes, int]:
    """The line at `at` without what is blank at its end, and where the next one begins (pem.go getLine)."""
    end = data.find(b"\n", at)
    after = len(data) if end < 0 else end + 1
    line = data[at:] if end < 0 else data[at:end].removesuffix(b"\r")
    return line.rstrip(b" \t"), after


def blocks(data: bytes) -> Iterator[PemBlock]:
    """The PEM blocks that Go's encoding/pem finds, in order; damaged ones are passed over.

    pem.go Decode: the first END line, then the last BEGIN line before it. Every byte is looked at a fixed number of
    times, however many BEGIN lines there are.
    """
    at = 0
    while (end := data.find(_END, at)) >= 0:
        begin = data.rfind(_START, at, end)
        after = end + len(_END)
        if begin < 0 or (begin > at and data[begin - 1] != 0x0A):
            at = after
            continue
        block, at = _block(data, begin + len(_START), end)
        if block is not None:
            yield block
        elif at < 0:
            return


def _block(data: bytes, at: int, end: int) -> tuple[PemBlock | None, int]:
    """The block whose type is at `at` and whose END line begins at `end`, and where to look on; -1 nowhere."""
    after = end + len(_END)
    first, at = _line(data, at)
    if not first.endswith(_DASHES):
        return None, after if at <= after else -1
    kind, headers = first.removesuffix(_DASHES), False
    while True:
        if at >= len(data):
            return None, -1
        line, following = _line(data, at)
        if b":" not in line:
            break
        headers, at = True, following
    if headers and at > end:  # a header needs a newline before the END line
        return None, after if at <= after else -1
    closing = data[after : after + len(kind) + len(_DASHES)]
    rest, following = _line(data, after + len(closing))
    if closing != kind + _DASHES or rest:
        return None, after
    try:
        der = base64.b64decode(data[at:end].translate(None, b" \t\r\n"), validate=True) if end > at else b""
    except binascii.Error:
        return None, after
    return PemBlock(kind.decode("latin-1"), headers, der), following


def anchors(pem: bytes) -> tuple[bytes, ...]:
    """The DER of every certificate kube-apiserver would trust. Raises BundleError with its text."""
    good: list[bytes] = []
    refused: CertificateError | None = None
    any_block = False
    for block in blocks(pem):
        any_block = True
        if block.type != "CERTIFICATE" or block.headers:
            continue
        try:
            parse(block.der)
        except CertificateError as error:
            refused = refused or error
        else:
            good.append(block.der)
    if good:
        return tuple(good)
    if refused:
        raise BundleError(BUNDLE_UNPARSED.of(problem=refused))
    if any_block:
        raise BundleError(BUNDLE_WITHOUT.text)
    raise BundleError(BUNDLE_NOT_PEM.text)


def as_pem(certificates: tuple[bytes, ...]) -> str:
    """Certificates in DER as text, one block each and nothing between them."""
    return "".join(
        f"-----BEGIN CERTIFICATE-----\n{textwrap.fill(base64.b64encode(der).decode(), 64)}\n-----END CERTIFICATE-----\n"
        for der in certificates
    )


def cluster_anchors(authority: str) -> tuple[bytes, ...]:
    """The cluster's CA as certificates; raises ValueError when there is none."""
    try:
        return anchors(base64.b64decode(authority, validate=True))
    except (binascii.Error, BundleError) as error:
        raise ValueError(f"the cluster's certificateAuthority cannot be used: {error}") from None


def bundle_id(anchors: tuple[bytes, ...]) -> str:
    """A short stable name of a caBundle: the hash of what is trusted, not of how it was written."""
    return "sha256:" + hashlib.sha256(b"".join(anchors)).hexdigest()[:16]
