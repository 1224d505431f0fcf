"""The Go releases whose rules or error texts differ here.

Kubernetes 1.35 is built with Go 1.25, 1.36 with Go 1.26 (apiserver/kube_version.py). Earlier releases are judged as
1.25: what changed before it is not replicated.
"""

from enum import IntEnum


class GoRelease(IntEnum):
    """Comparable: `release >= GoRelease.V1_26`."""

    V1_25 = 25
    V1_26 = 26


DEFAULT_RELEASE = GoRelease.V1_25
