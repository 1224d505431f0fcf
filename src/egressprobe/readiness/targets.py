"""What discovery knows as a plan: each target by itself, so that one that cannot be read costs no other. Pure."""

from contextlib import suppress
from typing import Literal

from egressprobe.apiserver.kube_version import nearest
from egressprobe.model.discovered import Discovered
from egressprobe.model.errors import InputError
from egressprobe.model.ownership import with_owners
from egressprobe.model.target import DEFAULT_KUBE_VERSION, Plan, Target
from egressprobe.readiness.coverage import gap
from egressprobe.readiness.result import ClusterState, DecisionReason
from egressprobe.targets.ca_bundle import read_anchors
from egressprobe.targets.spec import read_target

_FAMILIES: dict[str, Literal["ipv4", "ipv6"]] = {"ipv4": "ipv4", "ipv6": "ipv6"}


def plan_of(discovered: Discovered | None, cluster: ClusterState) -> tuple[Plan, list[DecisionReason]]:
    """The plan, perhaps without targets, and what could not be read."""
    shared: dict[str, tuple[bytes, ...]] = {}
    bundles: dict[str, tuple[bytes, ...]] = {}
    targets: list[Target] = []
    names: set[str] = set()
    gaps: list[DecisionReason] = []
    for name, text in (discovered.bundles if discovered else {}).items():
        try:
            shared[name] = read_anchors(text, f"bundles.{name}")
        except InputError as error:
            gaps.append(gap("discovery", str(error)))
    for raw in with_owners(discovered.targets, discovered.owners) if discovered else ():
        name = str(raw.get("name", "a target"))
        try:
            target, trusted = read_target(raw, "", shared)
        except InputError as error:
            gaps.append(gap(name, f"cannot be read: {str(error).lstrip('.')}"))
            continue
        if target.name in names:
            gaps.append(gap(name, "is the name of two targets, so one of them was not probed"))
            continue
        names.add(target.name)
        targets.append(target)
        if trusted:
            bundles[target.bundle] = trusted
    version = DEFAULT_KUBE_VERSION
    with suppress(ValueError):
        version = nearest(cluster.version)
    family = _FAMILIES.get(cluster.ip_family)
    return Plan(tuple(targets), bundles, ip_family=family, kube_version=version, egress_mode=cluster.mode), gaps
