"""OIDC issuers as targets: the cluster's own and its associated identity providers."""

from contextlib import suppress
from typing import Any

from msgspec.structs import replace

from egressprobe.aws.cluster import Surroundings
from egressprobe.aws.eks import Cluster, Provider
from egressprobe.catalog.findings_cluster import OBJECT_NOT_PROBED
from egressprobe.discovery.target_names import free_name, target_name
from egressprobe.model.discovered import Discovered
from egressprobe.model.errors import InputError
from egressprobe.model.target import Kind
from egressprobe.net.urls import parse_url
from egressprobe.targets.spec import read_target


def issuer_targets(cluster: Cluster, providers: list[Provider]) -> list[dict[str, Any]]:
    """The cluster's own issuer, which only warns, and those of the associated providers."""
    found: dict[str, dict[str, Any]] = {}
    if cluster.issuer:
        own = _issuer(cluster.issuer, f"Cluster/{cluster.name}", "IAM roles for service accounts, which STS validates")
        found[cluster.issuer] = own | {"advisory": True}
    for one in sorted(providers):
        if one.issuer and one.status != "DELETING":
            target = _issuer(one.issuer, f"IdentityProviderConfig/{one.name}", f"all logins by {one.name}")
            found[one.issuer] = target
    return list(found.values())


def _issuer(url: str, obj: str, affects: str) -> dict[str, Any]:
    name = url
    with suppress(ValueError):  # what is wrong with it is said where it is checked
        place = parse_url(url, ("https",))
        name = target_name(Kind.OIDC, place.host, place.port, place.path)
    return {"kind": "oidc", "name": name, "url": url, "objects": [obj], "affects": affects}


def with_issuers(found: Discovered, around: Surroundings) -> Discovered:
    """What the Kubernetes API told, and the issuers that EKS names."""
    names = {str(one["name"]) for one in found.targets}
    targets, findings = list(found.targets), list(found.findings)
    for raw in issuer_targets(around.cluster, around.providers or []) if around.cluster else []:
        try:
            read_target(raw, "", {})
        except InputError as error:
            said = f"{raw['objects'][0]}: {str(error).lstrip('.')}"
            findings.append(OBJECT_NOT_PROBED.found(said, {"objects": raw["objects"]}))
            continue
        raw["name"] = free_name(raw["name"], raw["objects"][0], names)
        names.add(raw["name"])
        targets.append(raw)
    targets.sort(key=lambda one: str(one["name"]))
    return replace(found, targets=tuple(targets), findings=(*around.findings, *findings))
