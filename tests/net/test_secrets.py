"""Secrets in the messages of other programs, and in URLs."""

import base64

import pytest

from egressprobe.net.secrets import without_secrets
from egressprobe.net.urls import shown

SECRET = "Hunter2-xyz"


@pytest.mark.parametrize(
    "known", [SECRET, f"--password={SECRET}", f"user:{SECRET}", f"Bearer {SECRET}", f"a=b, c={SECRET}"]
)
@pytest.mark.parametrize(
    "repeated",
    [SECRET, base64.b64encode(SECRET.encode()).decode(), base64.urlsafe_b64encode(SECRET.encode()).decode()],
)
def test_a_part_of_an_argument_is_hidden_too(known, repeated):
    message = without_secrets(f"login failed: {repeated} is wrong", [known])
    assert repeated.rstrip("=") not in message
    assert message.startswith("login failed")


@pytest.mark.parametrize(
    "url",
    [
        f"https://user:{SECRET}@host",
        f"https://user:12?{SECRET}@host/",
        f"https://user:12#{SECRET}@host/",
        f"https://{SECRET}?x@host",
        f"https://{SECRET}#@host/path",
        f"https://user:{SECRET}%40host:1/",
        f"https://user:12/{SECRET}@host",
        f"https:/user:{SECRET}@host",
        f"user:{SECRET}@host:6443",
        f"user:{SECRET}%40host:6443",
        f"https://user:{SECRET}%2540host/",
        f"https://user:{SECRET}\uff20host/",
        f"https://user:{SECRET}\ufe6bhost/",
    ],
)
def test_no_url_is_shown_with_what_may_be_user_information(url):
    text = shown(url)
    assert SECRET not in text
    assert "12" not in text


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://host/@team/x?mail=a@b", "https://host/@team/x"),
        ("https://host?mail=a", "https://host"),
        ("https://host/a%40b", "https://host/a%40b"),
    ],
)
def test_other_urls_are_shown_as_they_are(url, text):
    assert shown(url) == text
