"""Address order: the examples of RFC 6724 section 10.2 and Go's own exceptions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egressprobe.golang.address_order import sort_addresses

V6 = "2001:db8:1::2"


@pytest.mark.parametrize(
    ("addresses", "sources", "expected"),
    [
        # RFC 6724 10.2: prefer matching scope
        (
            ["2001:db8:1::1", "198.51.100.121"],
            {"2001:db8:1::1": V6, "198.51.100.121": "169.254.13.78"},
            ["2001:db8:1::1", "198.51.100.121"],
        ),
        (
            ["2001:db8:1::1", "198.51.100.121"],
            {"2001:db8:1::1": "fe80::1", "198.51.100.121": "198.51.100.117"},
            ["198.51.100.121", "2001:db8:1::1"],
        ),
        # prefer higher precedence: native IPv6 before IPv4
        (["10.1.2.3", "2001:db8:1::1"], {"10.1.2.3": "10.1.2.4", "2001:db8:1::1": V6}, ["2001:db8:1::1", "10.1.2.3"]),
        # prefer smaller scope
        (["2001:db8:1::1", "fe80::1"], {"2001:db8:1::1": V6, "fe80::1": "fe80::2"}, ["fe80::1", "2001:db8:1::1"]),
        # prefer matching label: 6to4
        (
            ["2002:c633:6401::1", "2001:db8:1::1"],
            {"2002:c633:6401::1": "2002:c633:6401::2", "2001:db8:1::1": "fe80::2"},
            ["2002:c633:6401::1", "2001:db8:1::1"],
        ),
        # unique local addresses lose to IPv4 (precedence 3 against 35)
        (["fd99::10", "10.99.0.10"], {"fd99::10": "fd99::1", "10.99.0.10": "10.99.0.1"}, ["10.99.0.10", "fd99::10"]),
        # rule 1: no route loses whatever it is
        (["2001:db8::1", "10.0.0.1"], {"2001:db8::1": None, "10.0.0.1": "10.0.0.2"}, ["10.0.0.1", "2001:db8::1"]),
        # rule 9 for IPv6 ...
        (
            ["2001:db8:9::1", "2001:db8:1::1"],
            {"2001:db8:9::1": V6, "2001:db8:1::1": V6},
            ["2001:db8:1::1", "2001:db8:9::1"],
        ),
        # ... over the first 64 bits only, and never for IPv4 (golang/go #13283, #18518)
        (
            ["2001:db8:1::f000", "2001:db8:1::3"],
            {"2001:db8:1::f000": V6, "2001:db8:1::3": V6},
            ["2001:db8:1::f000", "2001:db8:1::3"],
        ),
        (["192.168.9.9", "10.0.0.1"], {"192.168.9.9": "10.0.0.2", "10.0.0.1": "10.0.0.2"}, ["192.168.9.9", "10.0.0.1"]),
    ],
)
def test_order(addresses, sources, expected):
    assert list(sort_addresses(addresses, sources)) == expected


@given(st.lists(st.ip_addresses().map(str), unique=True, max_size=8), st.booleans())
def test_sorting_loses_nothing_and_is_stable(addresses, routed):
    """Total over all addresses; sorting twice changes nothing."""
    sources = {a: ("2001:db8::5" if ":" in a else "10.0.0.5") if routed else None for a in addresses}
    once = sort_addresses(addresses, sources)
    assert sorted(once) == sorted(addresses)
    assert sort_addresses(once, sources) == once
