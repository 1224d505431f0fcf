"""Who is paged, when, and what the page says: the deployed stack over packets, schedules, logs, metrics and SNS."""

import pytest

pytestmark = pytest.mark.netns


def test_a_target_fails_and_recovers(stack, cluster):
    """A page, a message with target, code and impact, and an all-clear."""
    assert stack.minutes(12) == []
    failed = stack.minute
    cluster.stop("policy")
    page = stack.until("targets", within=6)
    assert (page.target, page.code, page.impact) == ("policy.example:8443", "connect_refused", "blocks")
    assert stack.until("path broken", within=2).minute - failed <= 6
    cluster.start("policy")
    stack.until("path broken", "OK", within=6)
    assert stack.minutes(10) == []
