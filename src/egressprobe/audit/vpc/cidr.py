"""Address blocks and sets of ports, as numbers: a walk asks thousands of times whether a block holds an address."""

import ipaddress
from functools import lru_cache
from typing import NamedTuple

import msgspec


class Address(NamedTuple):
    """version: 4 or 6; they never meet."""

    version: int
    number: int

    def __str__(self) -> str:
        return str((ipaddress.IPv4Address if self.version == 4 else ipaddress.IPv6Address)(self.number))


class Block(msgspec.Struct, frozen=True):
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

    def within(self, other: "Block") -> bool:
        return self.version == other.version and other.first <= self.first and self.last <= other.last


@lru_cache(65536)
def block(text: str) -> Block:
    """Out of `10.0.0.0/8`, `fd00::/8` or one address. Host bits may be set, as EC2 accepts them. Raises ValueError."""
    found = ipaddress.ip_network(text, strict=False)
    return Block(found.version, int(found.network_address), int(found.broadcast_address), found.prefixlen)


@lru_cache(65536)
def address(text: str) -> Address:
    """Raises ValueError."""
    found = ipaddress.ip_address(text)
    return Address(found.version, int(found))


# No provider routes these: RFC 1918, RFC 6598, RFC 3927, RFC 1122 s3.2.1.3, RFC 4193, RFC 4291 s2.5.6.
_NOT_ON_THE_INTERNET = (
    *map(block, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8")),
    *map(block, ("fc00::/7", "fe80::/10", "::1/128")),
)
# RFC 6052 s2.1: a NAT gateway turns these into IPv4 (user guide, nat-gateway-nat64-dns64).
_NAT64 = block("64:ff9b::/96")


def on_the_internet(one: Address) -> bool:
    """Whether an internet gateway has anywhere to send it."""
    return not any(one in held for held in _NOT_ON_THE_INTERNET)


def behind_nat64(one: Address) -> Address | None:
    """The IPv4 address that an address of 64:ff9b::/96 stands for."""
    return Address(4, one.number - _NAT64.first) if one in _NAT64 else None


class Ports(NamedTuple):
    """A set of ports: ranges, both ends included, in order and apart."""

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
# Clients of Lambda, NAT gateways and load balancers use all of them (user guide, nacl-ephemeral-ports).
EPHEMERAL = Ports(((1024, 65535),))


def one_port(port: int) -> Ports:
    return Ports(((port, port),))
