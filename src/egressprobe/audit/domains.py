"""Names and the domains that hold them."""

from egressprobe.audit.snapshot import VpcSnapshot


def within(name: str, domain: str) -> bool:
    wanted = domain.lower().rstrip(".")
    return not wanted or name == wanted or name.endswith(f".{wanted}")


def depth(domain: str) -> int:
    bare = domain.rstrip(".")
    return bare.count(".") + 1 if bare else 0


def held_privately(snapshot: VpcSnapshot, name: str) -> bool:
    """Whether the VPC has an answer of its own for the name, which nobody outside can know."""
    bare = name.lower().rstrip(".")
    rules_ = [rule.domain for rule in snapshot.resolver_rules or () if rule.kind == "FORWARD"]
    return any(within(bare, domain) for domain in [*rules_, *(zone.name for zone in snapshot.zones or ())])
