"""The Go releases whose rules or error texts differ here.

Which Kubernetes version has which: apiserver/kube_version.py. V1_22 is Go 1.23 with the settings of 1.22
(`godebug default=go1.22`), which differ from V1_23's in the groups and cipher suites
that are offered, and in accepting negative serial numbers.
"""

from enum import IntEnum


class GoRelease(IntEnum):
    """Comparable: `release >= GoRelease.V1_26`."""

    V1_22 = 22
    V1_23 = 23
    V1_24 = 24
    V1_25 = 25
    V1_26 = 26


DEFAULT_RELEASE = GoRelease.V1_25
