"""A caBundle as written, to the certificates that kube-apiserver would trust. Raises InputError with the place."""

import base64
import binascii
from functools import lru_cache

from egressprobe.golang.x509.ca_bundle import BundleError, anchors
from egressprobe.model.errors import InputError

# Thousands of targets of one file may share a bundle of megabytes, by an alias or as a copy.
_anchors = lru_cache(maxsize=4)(anchors)


def read_anchors(text: str, place: str) -> tuple[bytes, ...]:
    """PEM, or base64 of PEM as a webhook configuration holds it."""
    try:
        pem = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise InputError(place, "is not Unicode") from None
    if b"-----BEGIN" not in pem:
        try:
            pem = base64.b64decode(b"".join(pem.split()), validate=True)
        except binascii.Error:
            raise InputError(place, "is neither PEM nor base64 of PEM") from None
    try:
        return _anchors(pem)
    except BundleError as error:
        raise InputError(place, f"holds no certificate that kube-apiserver could use: {error}") from None
