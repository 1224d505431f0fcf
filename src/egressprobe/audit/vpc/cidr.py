"""CIDR blocks and sets of ports, as numbers: a walk tests thousands of times whether a CIDR contains an address."""

import ipaddress
from functools import lru_cache
from typing import NamedTuple

import msgspec


class Address(NamedTuple):
    """version: 4 or 6; addresses of different versions are never equal."""

    version: int
    number: int

    def __str__(self) -> str:
        return str((ipaddress.IPv4Address if self.version == 4 else ipaddress.IPv6Address)(self.number))


class Cidr(msgspec.Struct, frozen=True):
    """A CIDR block; `length` is its prefix length."""

    version: int
    first: int
    last: int
    length: int

    def __contains__(self, address: object) -> bool:
        return (
            isinstance(address, Address)
            and address.version == self.version
            and self.first <= address.number <= self.last
        )

    def within(self, other: "Cidr") -> bool:
        return self.version == other.version and other.first <= self.first and self.last <= other.last


@lru_cache(65536)
def block(text: str) -> Cidr:
    """Reads `10.0.0.0/8`, `fd00::/8` or one address. Host bits may be set, as EC2 accepts them. Raises ValueError."""
    network = ipaddress.ip_network(text, strict=False)
    return Cidr(network.version, int(network.network_address), int(network.broadcast_address), network.prefixlen)


@lru_cache(65536)
def address(text: str) -> Address:
    """Raises ValueError."""
    parsed = ipaddress.ip_address(text)
    return Address(parsed.version, int(parsed))


# Not routed on the internet: RFC 6890 and its updates in the IANA special-purpose address registries. The blocks for
# documentation (RFC 5737, RFC 3849) are left out: the audit uses one address of each for "any address of the internet".
_NOT_ON_THE_INTERNET = tuple(
    block(text)
    for text in (
        *("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16"),  # RFC 1122, RFC 3927
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"),  # RFC 1918, RFC 6598
        *("192.0.0.0/24", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4"),  # RFC 6890, RFC 2544, RFC 5771, RFC 1112
        *("::/128", "::1/128", "::ffff:0:0/96", "64:ff9b:1::/48"),  # RFC 4291, RFC 8215
        *("100::/64", "2001::/32", "2001:2::/48", "2001:10::/28"),  # RFC 6666, RFC 4380, RFC 5180, RFC 4843
        *("5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"),  # RFC 9602, RFC 4193, RFC 4291, RFC 3879
    )
)
# RFC 6052 s2.1: a NAT gateway turns these into IPv4 (user guide, nat-gateway-nat64-dns64).
NAT64 = block("64:ff9b::/96")


@lru_cache(65536)
def on_the_internet(target: Address) -> bool:
    """Whether an internet gateway has a route for it beyond the VPC."""
    return not any(target in special for special in _NOT_ON_THE_INTERNET)


def behind_nat64(target: Address) -> Address | None:
    """The IPv4 address that an address of 64:ff9b::/96 stands for."""
    return Address(4, target.number - NAT64.first) if target in NAT64 else None


class Ports(NamedTuple):
    """A set of ports: ranges, both ends included, sorted and not adjacent."""

    ranges: tuple[tuple[int, int], ...]

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __contains__(self, port: object) -> bool:
        return isinstance(port, int) and any(low <= port <= high for low, high in self.ranges)

    def __and__(self, other: "Ports") -> "Ports":
        common = [(max(a, c), min(b, d)) for a, b in self.ranges for c, d in other.ranges if max(a, c) <= min(b, d)]
        return Ports(tuple(sorted(common)))

    def __or__(self, other: "Ports") -> "Ports":
        joined: list[tuple[int, int]] = []
        for low, high in sorted((*self.ranges, *other.ranges)):
            if joined and low <= joined[-1][1] + 1:
                joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
            else:
                joined.append((low, high))
        return Ports(tuple(joined))

    def __sub__(self, other: "Ports") -> "Ports":
        left = self.ranges
        for low, high in other.ranges:
            left = tuple(
                piece
                for a, b in left
                for piece in ((a, min(b, low - 1)), (max(a, high + 1), b))
                if piece[0] <= piece[1]
            )
        return Ports(left)

    def __str__(self) -> str:
        return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in self.ranges) or "none"


NO_PORTS = Ports(())
# Lambda, NAT gateways and load balancers use all of these as client ports (user guide, custom-network-acl).
EPHEMERAL = Ports(((1024, 65535),))


def one_port(port: int) -> Ports:
    return Ports(((port, port),))
