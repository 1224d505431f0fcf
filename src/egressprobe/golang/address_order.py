"""Destination address order as Go computes it: net/addrselect.go, RFC 6724 section 6.

Go omits rules 3, 4 and 7 (deprecated, home and native addresses, which it cannot determine) and applies
rule 9 (longest matching prefix) to IPv6 only, over the first 64 bits (golang/go #13283, #18518).
The sort is stable: addresses that the rules rank equal keep the order of the answer.
"""

from collections.abc import Mapping, Sequence
from functools import cmp_to_key
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

type Address = IPv4Address | IPv6Address
# RFC 6724 section 2.1 as Go carries it: prefix, precedence, label; most specific first.
_POLICY: tuple[tuple[IPv6Network, int, int], ...] = tuple(
    (IPv6Network(prefix), precedence, label)
    for prefix, precedence, label in (
        ("::1/128", 50, 0),
        ("::ffff:0:0/96", 35, 4),
        ("::/96", 1, 3),
        ("2001::/32", 5, 5),
        ("2002::/16", 30, 2),
        ("3ffe::/16", 1, 12),
        ("fec0::/10", 1, 11),
        ("fc00::/7", 3, 13),
        ("::/0", 40, 1),
    )
)
_LINK_LOCAL, _SITE_LOCAL, _GLOBAL = 0x2, 0x5, 0xE
_SITE_LOCAL_NET = ip_network("fec0::/10")


def _policy(address: Address) -> tuple[int, int]:
    mapped = address if address.version == 6 else IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)
    return next((precedence, label) for net, precedence, label in _POLICY if mapped in net)


def _scope(address: Address) -> int:
    if address.is_loopback or address.is_link_local:
        return _LINK_LOCAL
    if address.version == 6:
        if address.is_multicast:
            return address.packed[1] & 0xF
        if address in _SITE_LOCAL_NET:
            return _SITE_LOCAL
    return _GLOBAL


def _common_prefix(a: Address, b: Address) -> int:
    if a.version != b.version:
        return 0
    width = 64 if a.version == 6 else 32
    x = int.from_bytes(a.packed[: width // 8]) ^ int.from_bytes(b.packed[: width // 8])
    return width - x.bit_length()


def sort_addresses(addresses: Sequence[str], sources: Mapping[str, str | None]) -> tuple[str, ...]:
    """The order in which Go dials `addresses`.

    sources: destination -> source address the kernel would use; None or absent: no route to it.
    """
    if len(addresses) < 2:
        return tuple(addresses)
    facts = {}
    for text in addresses:
        dst = ip_address(text)
        source = sources.get(text)
        src = ip_address(source) if source else None
        facts[text] = (dst, src, _scope(dst), *_policy(dst), *((_scope(src), _policy(src)[1]) if src else ()))

    def compare(a: str, b: str) -> int:
        dst_a, src_a, scope_a, precedence_a, label_a, *source_a = facts[a]
        dst_b, src_b, scope_b, precedence_b, label_b, *source_b = facts[b]
        if src_a is None or src_b is None:  # rule 1: avoid unusable destinations
            return (src_a is None) - (src_b is None)
        keys = (
            (scope_a != source_a[0], scope_b != source_b[0]),  # rule 2: matching scope
            (label_a != source_a[1], label_b != source_b[1]),  # rule 5: matching label
            (-precedence_a, -precedence_b),  # rule 6: higher precedence
            (scope_a, scope_b),  # rule 8: smaller scope
        )
        for key_a, key_b in keys:
            if key_a != key_b:
                return -1 if key_a < key_b else 1
        if dst_a.version == 6 and dst_b.version == 6:  # rule 9: longest matching prefix
            return _common_prefix(src_b, dst_b) - _common_prefix(src_a, dst_a)
        return 0  # rule 10: leave the order

    return tuple(sorted(addresses, key=cmp_to_key(compare)))
