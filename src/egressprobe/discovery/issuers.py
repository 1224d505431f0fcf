"""OIDC issuers as targets: the cluster's own and its associated identity providers."""

from contextlib import suppress
from typing import Any

from msgspec.structs import replace

from egressprobe.aws.cluster import Surroundings
from egressprobe.aws.eks import Cluster, IdentityProvider
from egressprobe.catalog.findings_cluster import OBJECT_NOT_PROBED
from egressprobe.discovery.target_names import free_name, target_name
from egressprobe.model.discovered import Discovered
from egressprobe.model.errors import InputError
from egressprobe.model.target import Kind
from egressprobe.net.urls import parse_url
from egressprobe.targets.spec import read_target


def issuer_targets(cluster: Cluster, providers: list[IdentityProvider]) -> list[dict[str, Any]]:
    """The cluster's own issuer, which only warns, and those of the associated providers."""
    targets: dict[str, dict[str, Any]] = {}
    if cluster.issuer:
        own = _issuer(cluster.issuer, f"Cluster/{cluster.name}", "IAM roles for service accounts, which STS validates")
        targets[cluster.issuer] = own | {"advisory": True}
    for provider in sorted(providers):
        if provider.issuer and provider.status != "DELETING":
            name = f"IdentityProviderConfig/{provider.name}"
            targets[provider.issuer] = _issuer(provider.issuer, name, f"all logins by {provider.name}")
    return list(targets.values())


def _issuer(url: str, obj: str, affects: str) -> dict[str, Any]:
    name = url
    with suppress(ValueError):  # reported where the target is checked
        place = parse_url(url, ("https",))
        name = target_name(Kind.OIDC, place.host, place.port, place.path)
    return {"kind": "oidc", "name": name, "url": url, "objects": [obj], "affects": affects}


def with_issuers(discovered: Discovered, around: Surroundings) -> Discovered:
    """What the Kubernetes API returned, and the issuers that EKS names."""
    names = {str(raw["name"]) for raw in discovered.targets}
    targets, findings = list(discovered.targets), list(discovered.findings)
    for raw in issuer_targets(around.cluster, around.providers or []) if around.cluster else []:
        try:
            read_target(raw, "", {})
        except InputError as error:
            summary = f"{raw['objects'][0]}: {str(error).lstrip('.')}"
            findings.append(OBJECT_NOT_PROBED.found(summary, {"objects": raw["objects"]}))
            continue
        raw["name"] = free_name(raw["name"], raw["objects"][0], names)
        names.add(raw["name"])
        targets.append(raw)
    targets.sort(key=lambda raw: str(raw["name"]))
    return replace(discovered, targets=tuple(targets), findings=(*around.findings, *findings))
