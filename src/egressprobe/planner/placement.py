"""The stack's subnets, security groups and IP family against the control plane's. Pure.

A misplaced probe measures something, but not the API server's paths: its verdicts are unknown until the stack is
deployed again.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from egressprobe.aws.eks import Cluster
from egressprobe.catalog.findings_cluster import CLUSTER_DELETING, STACK_DRIFTED
from egressprobe.model.report import Finding
from egressprobe.planner.settings import Probe, Settings

# By slot: what the plan of a misplaced probe contains in addition.
type MisplacedProbes = Mapping[int, dict[str, Any]]


def misplaced(settings: Settings, cluster: Cluster | None, leaving: str = "") -> tuple[MisplacedProbes, list[Finding]]:
    """Additions to the plans of misplaced probes, and the findings. leaving: why the cluster is about to end."""
    if leaving:
        return {probe.slot: _addition(CLUSTER_DELETING.code, leaving) for probe in settings.probes}, []
    if cluster is None:
        return {}, []
    everywhere = [text for text in (_groups(settings, cluster), _family(settings, cluster)) if text]
    findings = [_drifted(settings, text) for text in everywhere]
    additions: dict[int, dict[str, Any]] = {}
    for probe in settings.probes:
        removed = [f"{probe.subnet_id} is no longer one of the cluster's subnets"] if _removed(probe, cluster) else []
        if removed or everywhere:
            additions[probe.slot] = _addition(STACK_DRIFTED.code, "; ".join([*everywhere, *removed]))
        findings += [_drifted(settings, text) for text in removed]
    missing = sorted(set(cluster.subnets) - {probe.subnet_id for probe in settings.probes})
    if missing:
        text = f"there is no probe in {_list(missing)}, where the control plane may have interfaces"
        findings.append(_drifted(settings, text, subnets=missing))
    return additions, findings


def _drifted(settings: Settings, text: str, **evidence: Any) -> Finding:
    return STACK_DRIFTED.found(f"{text}; to update the stack: make deploy CLUSTER={settings.cluster_name}", evidence)


def _removed(probe: Probe, cluster: Cluster) -> bool:
    return bool(cluster.subnets) and probe.subnet_id not in cluster.subnets


def _groups(settings: Settings, cluster: Cluster) -> str:
    """Compared as sets: EKS does not promise an order."""
    if not settings.groups or not cluster.groups or set(settings.groups) == set(cluster.groups):
        return ""
    return (
        f"the control plane has the security groups {_list(cluster.groups)}, "
        f"at deployment it had {_list(settings.groups)}"
    )


def _family(settings: Settings, cluster: Cluster) -> str:
    if not settings.ip_family or settings.ip_family == cluster.ip_family:
        return ""
    return f"the cluster is {cluster.ip_family}, the probes were deployed for {settings.ip_family}"


def _list(ids: Iterable[str]) -> str:
    return ", ".join(sorted(ids))


def _addition(code: str, text: str) -> dict[str, Any]:
    return {"misplaced": {"finding": code, "said": text}}
