"""Which ClientHello the API server of a Kubernetes version sends, and whose certificate rules it has.

It follows the Go release that Kubernetes was built with (the `go.mod` and CHANGELOG of kubernetes/kubernetes):
a post-quantum key share makes the ClientHello two TCP segments long instead of one, and some middleboxes drop it.
"""

import re
from typing import NamedTuple

from egressprobe.golang.release import GoRelease
from egressprobe.model.target import DEFAULT_KUBE_VERSION


class Hello(NamedTuple):
    """`size`: bytes of the record before a server name is added; `post_quantum`: it has a hybrid key share.

    groups: the key exchange groups offered, crypto/tls/defaults.go defaultCurvePreferences. release: whose rules and
    error texts the API server has, for TLS, certificates and HTTP.
    """

    size: int
    post_quantum: bool
    groups: tuple[str, ...]
    release: GoRelease


# Bytes as recorded with a name of five characters, less the name. 1.32 is not recorded: Go 1.23 sends the draft
# of the hybrid share, which has the size of the final one.
_CURVES = ("X25519", "P-256", "P-384", "P-521")
_CLASSIC = Hello(257, False, _CURVES, GoRelease.V1_22)
_GO_1_23 = Hello(1477, True, ("X25519Kyber768Draft00", *_CURVES), GoRelease.V1_23)
_GO_1_24 = Hello(1477, True, ("X25519MLKEM768", *_CURVES), GoRelease.V1_24)
_GO_1_25 = Hello(1503, True, ("X25519MLKEM768", *_CURVES), GoRelease.V1_25)
_HYBRIDS_1_26 = ("X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024")
_GO_1_26 = Hello(1507, True, (*_HYBRIDS_1_26, *_CURVES), GoRelease.V1_26)
# Since its patch 7, 1.31 is built with Go 1.23 and keeps the settings of 1.22 (`godebug default=go1.22` in its go.mod).
# The last patches of 1.32 are built with Go 1.24, which refuses less.
HELLOS = {
    "1.31": _CLASSIC,
    "1.32": _GO_1_23,
    "1.33": _GO_1_24,
    "1.34": _GO_1_24,
    "1.35": _GO_1_25,
    "1.36": _GO_1_26,
}
CURRENT, CLASSIC = HELLOS[DEFAULT_KUBE_VERSION], _CLASSIC


def read_version(text: str) -> str:
    """`1.35`, `v1.35.3` or `1.35.3-eks-1a2b3c` as `1.35`. Raises ValueError."""
    match = re.fullmatch(r"v?(\d+\.\d+)(?:[.+-].*)?", text)
    known = f"{min(HELLOS)}..{max(HELLOS)}"
    if match is None:
        raise ValueError(f"is not a Kubernetes version such as {DEFAULT_KUBE_VERSION}")
    if match[1] not in HELLOS:
        raise ValueError(f"is not in {known}; use the nearest supported version")
    return match[1]


def nearest(text: str) -> str:
    """As read_version, but a version outside the known range becomes the nearest known one."""
    match = re.fullmatch(r"v?(\d+)\.(\d+)(?:[.+-].*)?", text)
    if match is None:
        return read_version(text)
    numbers = (int(match[1]), int(match[2]))
    ordered = sorted(HELLOS, key=_numbers)
    return next((known for known in reversed(ordered) if _numbers(known) <= numbers), ordered[0])


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
