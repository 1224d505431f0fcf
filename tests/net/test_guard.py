"""What is never dialled."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from egressprobe.net.guard import forbidden


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "::1",
        "0.0.0.0",
        "0.1.2.3",
        "::",
        "169.254.169.254",
        "169.254.169.253",
        "169.254.170.2",
        "fe80::1",
        "fe80::1%eth0",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
        "240.0.0.1",
        "fd00:ec2::254",
        "fd00:ec2::253",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "100.100.100.200",
        "::ffff:100.100.100.200",
        "2001:0:7f00:1::1",
        "2001::a00:1",
        "64:ff9b:1::10.0.0.1",
        "64:ff9b:1:ffff::1",
        "::ffff:0:10.0.0.1",
        "fec0::1",
        "feff:ffff::1",
    ],
)
def test_forbidden(address):
    """Loopback, link-local, metadata, multicast, unspecified, and IPv6 forms that hold them."""
    assert forbidden(address)


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "100.64.0.1",
        "192.168.1.1",
        "52.94.0.1",
        "2600:1f00::1",
        "fd12:3456::1",
        "::ffff:10.0.0.1",
        "64:ff9b::808:808",
        "100.100.100.199",
        "64:ff9b:2::1",
        "2001:1::1",
        "2001:4860::1",
    ],
)
def test_allowed(address):
    """Private networks are where webhooks live."""
    assert forbidden(address) is None


@given(st.ip_addresses())
def test_every_address_gets_an_answer(address):
    """Total; and everything the standard library calls loopback, link-local or multicast is refused."""
    reason = forbidden(str(address))
    if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
        assert reason


# How an IPv4 address can be written as IPv6. The last three are refused whatever they hold.
_FORMS = {
    "mapped": lambda n: 0xFFFF << 32 | n,
    "compatible": lambda n: n,
    "nat64": lambda n: 0x64FF9B << 96 | n,
    "6to4": lambda n: 0x2002 << 112 | n << 80 | 1,
    "translated": lambda n: 0xFFFF << 48 | n,
    "local nat64": lambda n: 0x64FF9B0001 << 80 | n,
    "teredo": lambda n: 0x20010000 << 96 | 0x0A000001 << 64 | n ^ 0xFFFFFFFF,
}


@example(IPv4Address("0.0.0.2"), "compatible")
@given(st.ip_addresses(v=4), st.sampled_from(sorted(_FORMS)))
def test_no_ipv6_form_opens_what_ipv4_forbids(address, form):
    """Whatever the notation, an address that may not be dialled stays forbidden."""
    written = IPv6Address(_FORMS[form](int(IPv4Address(address))))
    if forbidden(str(address)) or form in ("translated", "local nat64", "teredo"):
        assert forbidden(str(written)), written
