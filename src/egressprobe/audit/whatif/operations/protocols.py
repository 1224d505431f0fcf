"""Protocols, ports and CIDRs, as the API takes them, in the form of a snapshot."""

import ipaddress

from egressprobe.audit.vpc.packet_filters import ALL, TCP, UDP
from egressprobe.audit.whatif.plan import NotModelled

# https://www.iana.org/assignments/protocol-numbers
_NUMBERS = {"icmp": 1, "tcp": TCP, "udp": UDP, "icmpv6": 58, "all": ALL, "": ALL}


def number_of(text: str) -> int:
    """By name or number; -1 and `all` are all protocols."""
    bare = text.strip().lower()
    if bare in _NUMBERS:
        return _NUMBERS[bare]
    try:
        return int(bare)
    except ValueError:
        raise NotModelled(f'"{text}" is not a protocol') from None


def cidr(text: str) -> str:
    """With the bits of the host cleared, as EC2 stores it. Raises ValueError."""
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise ValueError(f'"{text}" is not a CIDR') from None


def ports_of(protocol: int, low: int | None, high: int | None) -> tuple[int, int] | None:
    """None for all ports, and for protocols without ports."""
    if protocol not in (TCP, UDP) or low is None or low < 0:
        return None
    return low, low if high is None or high < 0 else high
