"""Hosts of URLs, as Go prints them."""

import pytest

from egressprobe.net.urls import as_written, parse_url, shown_text
from tests.support.cpu_time import within_seconds


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("https://[FD00::A]/", "FD00::A"),
        ("https://[::ffff:10.0.0.1]:8443/x", "::ffff:10.0.0.1"),
        ("https://10.0.0.1/", "10.0.0.1"),
        ("https://Hook.LAB/", "Hook.LAB"),
    ],
)
def test_an_address_is_printed_as_it_was_written(url, written):
    """crypto/x509 HostnameError prints the host of the URL; what is dialled is the canonical form."""
    assert as_written(url, parse_url(url, ("https",)).host) == written


def test_the_host_of_another_url_stays():
    """The JWKS may be on another host than the issuer."""
    assert as_written("https://[FD00::A]/", "fd00::b") == "fd00::b"
    assert as_written("https://[/", "fd00::b") == "fd00::b"
    assert as_written("https://hook.lab/", "fd00::b") == "fd00::b"


@pytest.mark.parametrize("unit", ["x", "?", "a:", "\\/", "a%40", "a@", "://", "h://", "'"])
def test_urls_in_a_long_text_are_found_in_linear_time(unit):
    """A name in an event may have megabytes; each word is looked at once."""
    secret = "https://u:S3CR3T@h/x"
    text = f"Get {secret} {unit * 200_000} end"
    shown = within_seconds(2.0, lambda: shown_text(text))
    assert shown.startswith("Get https://h/x ")
    assert shown.endswith(" end")
