"""IP addresses as text, in the one form that everything here compares and connects to."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address


@lru_cache(maxsize=4096)
def is_address(text: str) -> bool:
    """Whether `text` is an IPv4 or IPv6 address, without brackets."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def canonical(address: str | bytes) -> str:
    """The shortest text; an IPv4-mapped IPv6 address is its IPv4 address, as to Go (net.IP.To4). Raises ValueError."""
    parsed = ip_address(address)
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)


def from_packed(data: bytes) -> str:
    """The same of 4 or 16 bytes in network order."""
    if len(data) == 4:
        return f"{data[0]}.{data[1]}.{data[2]}.{data[3]}"
    address = IPv6Address(data)
    return str(address.ipv4_mapped or address)
