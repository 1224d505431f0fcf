"""The messages of every scene: short, whole, and within the limits of whoever accepts them."""

import pytest

from egressprobe.incidents.messages.payloads import detail_json, sns_attributes
from tests.incidents.scenes import SCENES


@pytest.fixture(params=SCENES, scope="module")
def message(request):
    return SCENES[request.param].make()[-1]


def test_the_text_is_short(message):
    """Fewer than 12 lines; at most 100 characters but for the headline, commands and addresses."""
    lines = message.text.split("\n")
    assert len(lines) < 12
    commands = {c for fix in (message.cause.remedy_steps,) if fix for c in (*fix.fix, *fix.check)}
    for text in lines[1:]:
        whole = (
            text in commands or "https://" in text or text.startswith(("aws ", "egressprobe ", "Calls on connections"))
        )
        assert whole or len(text) <= 100, text


def test_the_headline_alone_is_enough(message):
    """What, where, since when, what it means, what to do; one line of ASCII."""
    first = message.headline
    assert first == message.text.partition("\n")[0]
    assert first.isascii()
    assert len(first) <= 300
    assert "prod: " in first
    assert "UTC" in first
    assert "Fix" in first or "Do:" in first
    assert any(subnet in first for subnet in message.cause.where) or not message.cause.where
    assert message.subject.isascii()
    assert len(message.subject) < 100
    assert "\n" not in message.subject


def test_attributes_are_at_most_ten_strings(message):
    attributes = sns_attributes(message)
    assert len(attributes) <= 10
    assert all(isinstance(value, str) and value for value in attributes.values())
    assert attributes["dedupKey"] == message.dedup_key
    assert len(detail_json(message)) <= 200_000
