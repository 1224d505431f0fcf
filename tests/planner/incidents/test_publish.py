"""A message to SNS and EventBridge: moto's topics, and every refusal by a stub of the documented answers."""

import json
from types import SimpleNamespace

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from moto import mock_aws

from egressprobe.planner.incidents.publish import Outgoing, PublishedMessage, places_of, publish_to, published
from tests.support.aws.fake_aws import ENVIRONMENT

MESSAGE = Outgoing(
    "id-1/broken", "id-1", "arn:topic", "subject", "FAIL: text\nmore", {"tier": "page", "none": ""}, '{"a": 1}'
)
ACCEPTED = {"Entries": [{"EventId": "e-1"}], "FailedEntryCount": 0}


@pytest.fixture
def aws(monkeypatch):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        yield SimpleNamespace(sns=boto3.client("sns"), events=boto3.client("events"), sqs=boto3.client("sqs"))


@pytest.mark.parametrize("suffix", ["", ".fifo"])
def test_a_topic_and_the_bus_get_the_message_with_its_ids(aws, suffix):
    """A FIFO topic drops a repeat by the message's id: it arrives once."""
    attributes = {"FifoTopic": "true"} if suffix else {}
    topic = aws.sns.create_topic(Name=f"pages{suffix}", Attributes=attributes)["TopicArn"]
    queue = aws.sqs.create_queue(QueueName=f"people{suffix}", Attributes={"FifoQueue": "true"} if suffix else {})[
        "QueueUrl"
    ]
    aws.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:eu-west-1:123456789012:people{suffix}")
    log = aws.sqs.create_queue(QueueName="bus")["QueueUrl"]
    aws.events.put_rule(Name="all", EventPattern='{"source": ["egressprobe"], "detail-type": ["egressprobe incident"]}')
    aws.events.put_targets(Rule="all", Targets=[{"Id": "1", "Arn": "arn:aws:sqs:eu-west-1:123456789012:bus"}])
    message = MESSAGE._replace(topic=topic)
    for _ in range(2):
        assert everywhere(aws.sns, aws.events, message, pytest.fail) == PublishedMessage(
            "id-1/broken", (), ("topic", "bus")
        )
    arrived = [
        json.loads(one["Body"]) for one in aws.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    ]
    assert len(arrived) == (1 if suffix else 2)
    assert (arrived[0]["Subject"], arrived[0]["Message"]) == ("subject", "FAIL: text\nmore")
    assert arrived[0]["MessageAttributes"] == {"tier": {"Type": "String", "Value": "page"}}
    [event, _] = [
        json.loads(one["Body"]) for one in aws.sqs.receive_message(QueueUrl=log, MaxNumberOfMessages=10)["Messages"]
    ]
    assert event["detail"] == {"a": 1}


def client(*answers):
    """Raises or returns each in turn, the last one again and again."""
    left = list(answers)

    def call(**_):
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return SimpleNamespace(publish=call, put_events=call)


def everywhere(sns, events, message, pause):
    """To each of its places, as a run does (send.py)."""
    results = {place: publish_to(place, sns, events, message, pause) for place in places_of(message)}
    return published(message.id, results)


REFUSED = ClientError({"Error": {"Code": "AuthorizationError", "Message": "not allowed"}}, "Publish")


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (REFUSED, "not allowed"),
        (ReadTimeoutError(endpoint_url="https://sns"), "timeout"),
        (EndpointConnectionError(endpoint_url="https://sns"), "Could not connect"),
        ({}, "not as documented"),
        (None, "not as documented"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_one_refuses_does_not_cost_the_other(broken, why):
    """After three attempts, with pauses; the reason is AWS's."""
    pauses = []
    [failure] = everywhere(client(broken), client(ACCEPTED), MESSAGE, pauses.append).failed
    assert failure.startswith("SNS arn:topic: ")
    assert why in failure
    assert pauses == [1.0, 3.0]
    [failure] = everywhere(client({"MessageId": "m"}), client(broken), MESSAGE, pauses.append).failed
    assert failure.startswith("EventBridge: ")


def test_an_entry_that_is_refused_in_a_successful_answer_has_failed():
    """https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html"""
    throttled = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"}]}
    [failure] = everywhere(client({"MessageId": "m"}), client(throttled), MESSAGE, lambda _: None).failed
    assert failure == "EventBridge: ThrottlingException: slow down"


def test_a_refusal_that_passes_is_none():
    assert everywhere(client(REFUSED, {"MessageId": "m"}), client(ACCEPTED), MESSAGE, lambda _: None).failed == ()


def test_without_a_topic_only_the_bus_gets_it():
    nothing = SimpleNamespace(publish=pytest.fail)
    assert everywhere(nothing, client(ACCEPTED), MESSAGE._replace(topic=""), pytest.fail).failed == ()
