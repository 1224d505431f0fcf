"""Endpoints that EKS does not dial, or that are not what they seem: findings, and calls that always fail. Pure.

EKS lets the control plane dial addresses of the VPC's CIDRs and of the cluster's remote node and pod networks only; for
any other the API server answers `Address is not allowed`. Pods of an overlay network have such addresses.
https://docs.aws.amazon.com/eks/latest/userguide/hybrid-nodes-networking.html
"""

from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from typing import Any

from egressprobe.catalog.findings_vpc_path import ADDRESS_NOT_ALLOWED
from egressprobe.catalog.findings_webhook import ENDPOINT_IS_A_KUBELET
from egressprobe.discovery.kubelets import Kubelet, NodeNetwork
from egressprobe.error_texts.services import NOT_ALLOWED
from egressprobe.model.report import Finding
from egressprobe.net.addresses import is_address

_MOST_ADDRESSES = 20


def kubelet_findings(targets: Iterable[dict[str, Any]], kubelets: Iterable[Kubelet]) -> list[Finding]:
    """Endpoints of webhooks and APIServices that are a node's own address and kubelet port.

    A pod with hostNetwork, and each pod on Fargate, has the address of its node, where the kubelet has the port.
    """
    nodes = {str(kubelet.endpoint): kubelet.name for kubelet in kubelets}
    findings = []
    for raw in targets:
        hits = {text: f"Node/{nodes[text]}" for text in raw.get("addresses", ()) if text in nodes}
        if not hits:
            continue
        address, node = next(iter(hits.items()))
        more = f" and {len(hits) - 1} more" if len(hits) > 1 else ""
        summary = f"{raw['name']}: the kubelet of {node} answers at its endpoint {address}{more}"
        findings.append(ENDPOINT_IS_A_KUBELET.found(summary, {"target": raw["name"], "endpoints": hits}))
    return findings


def outside_findings(targets: Iterable[dict[str, Any]], networks: Sequence[NodeNetwork]) -> list[Finding]:
    """Endpoints outside of all `networks`, which are the VPC's subnets and the remote networks; none known: nothing.

    A target of which no endpoint is inside gets a refusal: every call fails, whatever the network would do.
    """
    blocks = [block for network in networks for block in network.blocks]
    if not blocks:
        return []
    findings = []
    for raw in targets:
        literal = {text: text.rpartition(":")[0].strip("[]") for text in raw.get("addresses", ())}
        literal = {text: host for text, host in literal.items() if is_address(host)}
        outside = [text for text, host in literal.items() if not any(ip_address(host) in block for block in blocks)]
        if not outside:
            continue
        everything = len(outside) == len(raw["addresses"])
        if everything:
            raw["refusal"] = {"finding": ADDRESS_NOT_ALLOWED.code, "error": NOT_ALLOWED.text}
            del raw["addresses"]
        share = "none of its endpoints is" if everything else f"{len(outside)} of its endpoints are not"
        summary = f"{raw['name']}: {share} in the VPC or a remote network of the cluster, {outside[0]} for one"
        evidence = {"target": raw["name"], "endpoints": outside[:_MOST_ADDRESSES], "error": NOT_ALLOWED.text}
        findings.append(ADDRESS_NOT_ALLOWED.found(summary, evidence))
    return findings
