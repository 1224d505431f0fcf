"""A message's evidence from the real API server: read for what fails now, and never worth the message."""

from datetime import UTC, datetime

import boto3
import pytest
from botocore.stub import Stubber
from msgspec.structs import replace

from egressprobe.aws.eks import Cluster
from egressprobe.incidents.model import AffectedTarget, ObservedCause, Tier
from egressprobe.model.report import view
from egressprobe.model.target import Impact, Kind, Target
from egressprobe.planner.incidents.edges import IncidentEdges
from egressprobe.planner.incidents.reads.api_server import with_evidence
from egressprobe.planner.incidents.reads.look import Look
from egressprobe.planner.incidents.settings import IncidentClients
from egressprobe.planner.settings import Settings
from tests.incidents.test_log_lines import AT, ERROR, LINE, NAME

SETTINGS = Settings("prod", (), "g", "r", corroborate="logs")
TARGET = Target(Kind.WEBHOOK, "kyverno", "", "kyverno", 443, objects=(f"ValidatingWebhookConfiguration/k/{NAME}",))
CLUSTER = Cluster("1.35", "ipv4", "CUSTOMER_ROUTED", "ACTIVE", logs=("api",))
LOOK = Look(targets=(view(TARGET),), cluster=CLUSTER)
AFFECTED = (AffectedTarget("kyverno", Impact.BLOCKS, "connect_timeout"),)
CAUSE = ObservedCause("k", "connect_timeout", Tier.PAGE, "w", AFFECTED, evidence=("own",), alarms=("targets",))


class Inline:
    """A call that is made when its result is wanted."""

    def __init__(self, call):
        self._call = call

    def result(self, _seconds):
        return self._call()


class Late(Inline):
    def result(self, _seconds):
        raise TimeoutError


@pytest.fixture
def clients():
    session = boto3.Session("id", "secret", region_name="eu-west-1")
    made = IncidentClients(session.client, lambda: None)
    with Stubber(made.cloudwatch) as cloudwatch, Stubber(made.logs) as logs:
        cloudwatch.add_client_error("list_metrics", "Throttling")
        cloudwatch.add_response("get_metric_data", {"MetricDataResults": []})
        logs.add_response("filter_log_events", {"events": [{"timestamp": AT, "message": LINE}]})
        yield made


def evidence(clients, settings=SETTINGS, cause=CAUSE, start=Inline):
    edges = IncidentEdges(clock=lambda: datetime(2026, 11, 26, 2, 15, tzinfo=UTC), start=start)
    (result,) = with_evidence((cause,), LOOK, settings, clients, edges)
    return result.evidence


def test_the_api_servers_own_log(clients):
    """Minutes after the break, and without the metrics."""
    assert evidence(clients) == (
        "own",
        f"the API server's log has 1 call of webhook {NAME} that failed (2026-11-26T02:11:00+00:00), and requests were "
        f"refused, the last with: {ERROR}",
    )


@pytest.mark.parametrize(
    ("more", "cause"),
    [
        ({"corroborate": "false"}, CAUSE),
        ({"audits": False}, CAUSE),
        ({}, replace(CAUSE, alarms=())),
    ],
)
def test_nothing_is_read(more, cause):
    """Where it may not be, or where no alarm is on: a client would fail the test."""
    assert evidence(None, SETTINGS._replace(**more), cause) == ("own",)


def test_a_message_does_not_wait(clients):
    assert evidence(clients, start=Late) == ("own",)
