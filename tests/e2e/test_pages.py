"""Who is paged, when, and what the page says: the deployed stack over packets, schedules, logs, metrics and SNS."""

import pytest

from tests.e2e.stack import NOTICE, PAGE

pytestmark = pytest.mark.netns


def test_a_target_fails_and_recovers(stack, cluster):
    """A page, a message with target, code and impact, and an all-clear."""
    failed = stack.minute
    cluster.stop("policy")
    page = stack.until("targets", within=6)
    assert page[1:] == (PAGE, "targets", "ALARM", "policy.example:8443", "connect_refused", "blocks", "", page.text)
    assert page.minute - failed <= 6
    assert stack.minutes(2) == [], "each broken target is one message"
    assert stack.alarms()["path broken"] == "ALARM"
    [cause] = stack.invoke(expect=3)["causes"]
    assert (cause["target"], cause["code"]) == ("policy.example:8443", "connect_refused")
    cluster.start("policy")
    stack.until("path broken", "OK", within=6)
    assert stack.minutes(10) == []


def test_a_second_target_fails_while_the_first_is_broken(stack, cluster):
    """Its own message; the incident stays one, and ends when both are well."""
    cluster.stop("policy")
    stack.until("targets", within=8)
    cluster.stop("second")
    pages = stack.minutes(6)
    assert [(page.alarm, page.target) for page in pages] == [("targets", "second.example:8443")]
    cluster.start("policy")
    assert stack.minutes(8) == []
    cluster.start("second")
    stack.until("path broken", "OK", within=6)


def test_what_fails_open_is_a_notice(stack, cluster):
    """A webhook whose failurePolicy is Ignore."""
    cluster.stop("audit")
    page = stack.until("notices", within=12)
    assert (page.tier, page.target, page.impact) == (NOTICE, "audit.example:8443", "bypasses")
    cluster.start("audit")
    assert stack.minutes(10) == []


def test_the_nat_gateway_of_one_subnet_is_gone(stack, account):
    """Nothing outside of the VPC can be reached from there: a page of its own that names the subnet, and one cause."""
    account.delete_nat(1)
    page = stack.until("egress path down", within=6)
    assert (page.tier, page.subnet) == (PAGE, account.subnets[0])
    causes = stack.invoke(expect=3)["causes"]
    assert {cause["code"] for cause in causes} <= {"NAT_NOT_AVAILABLE", "ROUTE_BLACKHOLE"}
    assert {subnet for cause in causes for subnet in cause["subnets"]} == {account.subnets[0]}
    account.replace_nat(1)
    stack.until("path broken", "OK", within=8)


def test_a_rollout_to_pods_that_do_not_answer(stack, cluster):
    """A rollout hides no outage."""
    moved = stack.minute
    cluster.stop("pod-0")
    cluster.pods("pod-5")
    page = stack.until("targets", within=8)
    assert (page.impact, page.minute - moved <= 6) == ("blocks", True)
    cluster.repair()
    stack.until("path broken", "OK", within=12)


@pytest.mark.parametrize("replicas", [1, 2, 4])
def test_a_rollout_pages_nobody(stack, cluster, replicas):
    """Each replica is replaced by one with another address, a minute after the one before."""
    pods = [f"pod-{i}" for i in range(2 * replicas)]
    cluster.start(*pods[1:replicas])
    cluster.pods(*pods[:replicas])
    stack.plan()
    first = len(stack.pages)
    stack.minutes(5)
    for i in range(replicas):
        cluster.start(pods[replicas + i])
        cluster.stop(pods[i])
        cluster.pods(*pods[i + 1 : replicas + i + 1])
        stack.minutes(1)
    stack.minutes(8)
    cluster.repair()
    stack.plan()
    stack.minutes(2)
    assert [page for page in stack.pages[first:] if page.tier == PAGE] == []
