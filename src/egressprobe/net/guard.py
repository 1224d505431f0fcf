"""Addresses that are never connected to, whether given as numbers or through DNS.

Invoking a probe equals network access with the cluster's security groups, so the guard is applied at the last
step: to the address passed to connect(2), after resolution, after every redirect. The runtime API of
Lambda is on 127.0.0.1; instance and task metadata and the X-Ray daemon are on 169.254.0.0/16.
"""

from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

# The VPC resolver's link-local addresses, allowed as name servers only.
# https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html
VPC_RESOLVERS = ("169.254.169.253", "fd00:ec2::253")
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
_AWS_LOCAL = ip_network("fd00:ec2::/32")
_THIS_NETWORK = ip_network("0.0.0.0/8")  # RFC 1122 section 3.2.1.3: Linux sends it to itself
_RESERVED = ip_network("240.0.0.0/4")
_NAT64 = ip_network("64:ff9b::/96")  # RFC 6052: the IPv4 address is in the last 32 bits
_6TO4 = ip_network("2002::/16")
_COMPATIBLE = ip_network("::/96")
# Instance metadata of another cloud, inside 100.64.0.0/10, which VPCs do use.
# https://www.alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata
_OTHER_METADATA = ip_network("100.100.100.200/32")
# IPv6 prefixes that reach an IPv4 address that cannot be checked, or that are not in use any more.
_REFUSED = (
    (ip_network("2001::/32"), "a Teredo address (RFC 4380)"),
    (ip_network("64:ff9b:1::/48"), "a local-use NAT64 address (RFC 8215)"),
    (ip_network("::ffff:0:0:0/96"), "an IPv4-translated address (RFC 2765)"),
    (ip_network("fec0::/10"), "a site-local address (RFC 3879)"),
)
type Guard = Callable[[str], str | None]


def _embedded_ipv4(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped:
        return address.ipv4_mapped
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return IPv4Address(address.packed[12:])
    if address in _6TO4:
        return IPv4Address(address.packed[2:6])
    return None


@lru_cache(maxsize=4096)
def forbidden(text: str) -> str | None:
    """Why `text`, an IP address, may not be dialled; None when it may. Raises ValueError on other text."""
    address = ip_address(text.partition("%")[0])
    if address.version == 6:
        inner = _embedded_ipv4(address)
        if inner is not None:
            reason = forbidden(str(inner))
            return f"{reason} (inside {address})" if reason else None
        for prefix, what in _REFUSED:
            if address in prefix:
                return f"{address} is {what}"
        if address in _AWS_LOCAL:
            return f"{address} is an AWS-local address (instance metadata, resolver)"
    elif address in _THIS_NETWORK:
        return f"{address} is unspecified"
    elif address in _OTHER_METADATA:
        return f"{address} is an instance metadata address"
    elif address in _RESERVED:
        return f"{address} is reserved or broadcast"
    for what, is_it in (
        ("unspecified", address.is_unspecified),
        ("a loopback address", address.is_loopback),
        ("a link-local address (instance metadata)", address.is_link_local),
        ("a multicast address", address.is_multicast),
    ):
        if is_it:
            return f"{address} is {what}"
    return None
