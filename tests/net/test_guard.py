"""What is never dialled."""

import pytest
from hypothesis import given
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
