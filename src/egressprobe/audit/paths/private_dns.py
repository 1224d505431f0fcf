"""DNS names and the domains that contain them."""

from egressprobe.audit.vpc.snapshot import VpcEndpoint, VpcSnapshot


def within(name: str, domain: str) -> bool:
    """Whether the name is the domain or below it."""
    parent = domain.lower().rstrip(".")
    return not parent or name == parent or name.endswith(f".{parent}")


def depth(domain: str) -> int:
    """The number of labels; of the root 0."""
    bare = domain.rstrip(".")
    return bare.count(".") + 1 if bare else 0


def answered_privately(snapshot: VpcSnapshot, name: str) -> bool:
    """Whether the VPC has an answer of its own for the name, which a lookup from outside does not show."""
    bare = name.lower().rstrip(".")
    domains = [rule.domain for rule in snapshot.resolver_rules or () if rule.kind == "FORWARD"]
    domains += [zone.name for zone in snapshot.zones or ()]
    return any(within(bare, domain) for domain in domains) or any(
        f".{_service(endpoint)}.{snapshot.region}.amazonaws." in f".{bare}"
        for endpoint in snapshot.endpoints or ()
        if endpoint.kind == "Interface" and endpoint.private_dns
    )


def _service(endpoint: VpcEndpoint) -> str:
    """com.amazonaws.REGION.ecr.api is api.ecr.REGION.amazonaws.com (PrivateLink guide, "Private DNS")."""
    _, _, name = endpoint.service.partition("amazonaws.")
    return ".".join(reversed(name.split(".")[1:]))
