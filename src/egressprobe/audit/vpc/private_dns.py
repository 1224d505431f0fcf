"""Names and the domains that hold them."""

from egressprobe.audit.vpc.snapshot import Endpoint, VpcSnapshot


def within(name: str, domain: str) -> bool:
    wanted = domain.lower().rstrip(".")
    return not wanted or name == wanted or name.endswith(f".{wanted}")


def depth(domain: str) -> int:
    bare = domain.rstrip(".")
    return bare.count(".") + 1 if bare else 0


def held_privately(snapshot: VpcSnapshot, name: str) -> bool:
    """Whether the VPC has an answer of its own for the name, which nobody outside can know."""
    bare = name.lower().rstrip(".")
    domains = [rule.domain for rule in snapshot.resolver_rules or () if rule.kind == "FORWARD"]
    domains += [zone.name for zone in snapshot.zones or ()]
    return any(within(bare, domain) for domain in domains) or any(
        f".{_service(one)}.{snapshot.region}.amazonaws." in f".{bare}"
        for one in snapshot.endpoints or ()
        if one.kind == "Interface" and one.private_dns
    )


def _service(endpoint: Endpoint) -> str:
    """com.amazonaws.REGION.ecr.api is api.ecr.REGION.amazonaws.com (PrivateLink guide, "Private DNS")."""
    _, _, name = endpoint.service.partition("amazonaws.")
    return ".".join(reversed(name.split(".")[1:]))
