"""IP addresses as text, in the one form that everything here compares and dials."""

from ipaddress import ip_address


def is_address(text: str) -> bool:
    """Whether `text` is an IPv4 or IPv6 address, without brackets."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def canonical(address: str | bytes) -> str:
    """The shortest text; an IPv4-mapped IPv6 address is its IPv4 address, as to Go (net.IP.To4). Raises ValueError."""
    found = ip_address(address)
    return str(getattr(found, "ipv4_mapped", None) or found)
