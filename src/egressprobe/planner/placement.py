"""Where the stack stands against where the control plane stands. Pure.

A probe in the wrong place measures something, but not what the API server would meet: its verdicts are unknown until
the stack follows.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from egressprobe.aws.eks import Cluster
from egressprobe.catalog.findings_cluster import CLUSTER_DELETING, STACK_DRIFTED
from egressprobe.model.report import Finding
from egressprobe.planner.settings import Probe, Settings

# By slot: what a plan says of a probe that stands wrong.
type Misplaced = Mapping[int, dict[str, Any]]


def misplaced(settings: Settings, cluster: Cluster | None, leaving: str = "") -> tuple[Misplaced, list[Finding]]:
    """What each probe's plan must say, and what to tell people."""
    if leaving:
        return {probe.slot: _said(CLUSTER_DELETING.code, leaving) for probe in settings.probes}, []
    if cluster is None:
        return {}, []
    everywhere = [text for text in (_groups(settings, cluster), _family(settings, cluster)) if text]
    found = [_drifted(settings, text) for text in everywhere]
    said: dict[int, dict[str, Any]] = {}
    for probe in settings.probes:
        gone = [f"{probe.subnet_id} is not among the cluster's subnets any more"] if _gone(probe, cluster) else []
        if gone or everywhere:
            said[probe.slot] = _said(STACK_DRIFTED.code, "; ".join([*everywhere, *gone]))
        found += [_drifted(settings, text) for text in gone]
    missing = sorted(set(cluster.subnets) - {probe.subnet_id for probe in settings.probes})
    if missing:
        text = f"nothing probes from {_list(missing)}, where the control plane may stand"
        found.append(_drifted(settings, text, subnets=missing))
    return said, found


def _drifted(settings: Settings, text: str, **evidence: Any) -> Finding:
    return STACK_DRIFTED.found(f"{text}; make deploy CLUSTER={settings.cluster_name} follows", evidence)


def _gone(probe: Probe, cluster: Cluster) -> bool:
    return bool(cluster.subnets) and probe.subnet_id not in cluster.subnets


def _groups(settings: Settings, cluster: Cluster) -> str:
    """The order is not EKS's to keep."""
    if not settings.groups or not cluster.groups or set(settings.groups) == set(cluster.groups):
        return ""
    return f"the control plane has the security groups {_list(cluster.groups)}, and had {_list(settings.groups)}"


def _family(settings: Settings, cluster: Cluster) -> str:
    if not settings.ip_family or settings.ip_family == cluster.ip_family:
        return ""
    return f"the cluster is {cluster.ip_family}, the probes stand for {settings.ip_family}"


def _list(ids: Iterable[str]) -> str:
    return ", ".join(sorted(ids))


def _said(code: str, text: str) -> dict[str, Any]:
    return {"misplaced": {"finding": code, "said": text}}
