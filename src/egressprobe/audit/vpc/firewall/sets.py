"""Addresses and ports in a rule's header: `any`, CIDRs, ranges, `!`, groups in brackets, variables.

Suricata User Guide, rules/intro ("Source and destination", "Ports"). Answers have three values: None where a variable
or a form is not known here.

HOME_NET and EXTERNAL_NET (Network Firewall Developer Guide, suricata-limitations-caveats): a rule group's own, else
the policy's; HOME_NET of a policy is by default the CIDR of the firewall's VPC, and EXTERNAL_NET of a policy always
its negation. Whether that default has the VPC's further CIDRs is not documented.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from egressprobe.audit.vpc.cidr import NO_PORTS, Address, Cidr, Ports, block

_ALL = Ports(((0, 65535),))
_MOST_NESTED = 8


class Variables(NamedTuple):
    """What the variables of one rule group stand for. policy_home: the policy's HOME_NET, empty for the default.

    vpc: CIDRs of the firewall's VPC. answered: what was asked before; a rule group has thousands of rules, and few
    addresses.
    """

    ip_sets: Mapping[str, tuple[str, ...]]
    port_sets: Mapping[str, tuple[str, ...]]
    policy_home: tuple[str, ...]
    vpc: tuple[Cidr, ...]
    answered: dict[tuple[str, Address | Ports], bool | None]


def contains(text: str, address: Address, names: Variables) -> bool | None:
    """Whether an expression of a header contains the address."""
    key = (text, address)
    if key not in names.answered:
        names.answered[key] = _contains(text, address, names, 0)
    return names.answered[key]


def _contains(text: str, address: Address, names: Variables, depth: int) -> bool | None:
    text = text.strip()
    if depth > _MOST_NESTED or not text:
        return None
    if text.startswith("!"):
        inside = _contains(text[1:], address, names, depth + 1)
        return None if inside is None else not inside
    if text.startswith("["):
        return _grouped(list(_members(text)), address, names, depth)
    if text.startswith("$"):
        return _variable(text[1:], address, names, depth)
    if text.lower() == "any":
        return True
    try:
        return address in block(text)
    except ValueError:  # `@` references to prefix lists, ranges with `-`
        return None


def _grouped(members: list[str], address: Address, names: Variables, depth: int) -> bool | None:
    """In one of the members, and in none of those behind a `!`."""
    included = [_contains(text, address, names, depth + 1) for text in members if not text.startswith("!")]
    excluded = [_contains(text[1:], address, names, depth + 1) for text in members if text.startswith("!")]
    inside = any_of(included) if included else True
    outside = any_of(excluded)
    return all_of((inside, None if outside is None else not outside))


def _variable(name: str, address: Address, names: Variables, depth: int) -> bool | None:
    if name in names.ip_sets:
        return _grouped(list(names.ip_sets[name]), address, names, depth + 1)
    if name in ("HOME_NET", "EXTERNAL_NET"):
        home = _policy_home(address, names, depth)
        return home if name == "HOME_NET" or home is None else not home
    return None


def _policy_home(address: Address, names: Variables, depth: int) -> bool | None:
    if names.policy_home:
        return _grouped(list(names.policy_home), address, names, depth + 1)
    if not names.vpc:
        return None
    primary = next((cidr for cidr in names.vpc if cidr.version == 4), None)  # the VPC's first CIDR
    if primary is not None and address in primary:
        return True
    return None if any(address in cidr for cidr in names.vpc) else False


def matches_ports(text: str, ports: Ports, names: Variables) -> bool | None:
    """Whether an expression has all the ports (True) or none of them (False); None for some, or where it is unknown."""
    key = (text, ports)
    if key not in names.answered:
        covered = _ports(text, names, 0)
        common = None if covered is None else covered & ports
        names.answered[key] = None if common is None else True if common == ports else None if common else False
    return names.answered[key]


def _ports(text: str, names: Variables, depth: int) -> Ports | None:
    text = text.strip()
    if depth > _MOST_NESTED or not text:
        return None
    if text.startswith("!"):
        inside = _ports(text[1:], names, depth + 1)
        return None if inside is None else _ALL - inside
    if text.startswith("["):
        return _port_group(list(_members(text)), names, depth)
    if text.startswith("$"):
        listed = names.port_sets.get(text[1:])
        return None if listed is None else _port_group(list(listed), names, depth + 1)
    if text.lower() == "any":
        return _ALL
    low, colon, high = (part.strip() for part in text.partition(":"))
    if not all(part.isascii() and (part.isdigit() or (colon and not part)) for part in (low, high or low)):
        return None
    bounds = (int(low or 0), int(high or (65535 if colon else low)))
    return Ports((bounds,)) if bounds[0] <= bounds[1] <= 65535 else None


def _port_group(members: list[str], names: Variables, depth: int) -> Ports | None:
    included, excluded = NO_PORTS, NO_PORTS
    for text in members:
        part = _ports(text.removeprefix("!"), names, depth + 1)
        if part is None:
            return None
        if text.startswith("!"):
            excluded |= part
        else:
            included |= part
    return (included or _ALL) - excluded


def _members(text: str) -> Iterator[str]:
    """Of `[a, [b, c], !d]`, at the first level."""
    if not text.endswith("]"):
        yield "@"  # of no known form
        return
    depth, member = 0, ""
    for character in text[1:-1]:
        depth += {"[": 1, "]": -1}.get(character, 0)
        if character == "," and depth == 0:
            yield member.strip()
            member = ""
        else:
            member += character
    yield member.strip()


def all_of(values: "list[bool | None] | tuple[bool | None, ...]") -> bool | None:
    if any(value is False for value in values):
        return False
    return None if any(value is None for value in values) else True


def any_of(values: "list[bool | None] | tuple[bool | None, ...]") -> bool | None:
    if any(value is True for value in values):
        return True
    return None if any(value is None for value in values) else False
