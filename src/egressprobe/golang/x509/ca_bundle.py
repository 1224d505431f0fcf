"""caBundles as kube-apiserver reads them: encoding/pem.Decode and client-go's rootCertPool.

Every certificate that parses is an anchor; other blocks are skipped as long as one certificate parses
(crypto/x509.CertPool.AppendCertsFromPEM). Without a usable certificate client-go makes the error text
(k8s.io/client-go/transport/transport.go createErrorParsingCAData).
"""

import base64
import binascii
import hashlib
import re
import textwrap
from collections.abc import Iterator
from typing import NamedTuple

from egressprobe.golang.x509.certificate import parse
from egressprobe.golang.x509.der import CertificateError

_START, _END, _DASHES = b"-----BEGIN ", b"\n-----END ", b"-----"
_SPACES = re.compile(rb"[ \t\r\n]+")


class Block(NamedTuple):
    type: str
    headers: bool
    der: bytes


class BundleError(ValueError):
    """A caBundle without one usable certificate; the text is client-go's."""


def _line(data: bytes) -> tuple[bytes, bytes]:
    line, _, rest = data.partition(b"\n")
    return line.removesuffix(b"\r").rstrip(b" \t"), rest


def blocks(data: bytes) -> Iterator[Block]:
    """The PEM blocks that Go's encoding/pem finds, in order; damaged ones are passed over."""
    rest = data
    while True:
        if rest.startswith(_START):
            rest = rest[len(_START) :]
        else:
            _, found, rest = rest.partition(b"\n" + _START)
            if not found:
                return
        first, rest = _line(rest)
        if not first.endswith(_DASHES):
            continue
        kind = first.removesuffix(_DASHES)
        body, headers = rest, False
        while body and b":" in _line(body)[0]:
            headers, body = True, _line(body)[1]
        if not body:
            return
        if not headers and body.startswith(_END[1:]):
            content, trailer = b"", body[len(_END) - 1 :]
        else:
            content, found, trailer = body.partition(_END)
            if not found:
                continue
        closing, after = _line(trailer)
        if closing != kind + _DASHES:
            continue
        try:
            der = base64.b64decode(_SPACES.sub(b"", content), validate=True)
        except binascii.Error:
            continue
        yield Block(kind.decode("latin-1"), headers, der)
        rest = after


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
        raise BundleError(f"unable to load root certificates: failed to parse certificate: {refused}")
    if any_block:
        raise BundleError("unable to load root certificates: no valid certificate authority data seen")
    raise BundleError("unable to load root certificates: unable to parse bytes as PEM block")


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
