"""The filter policies of docs/messages.md on a topic of moto's: which messages reach whose subscription."""

import json
import re
import shlex

import boto3
import pytest
from moto import mock_aws

from egressprobe.planner.incidents.publish import Outgoing, publish_to
from tests.conftest import ROOT
from tests.support.aws.fake_aws import ENVIRONMENT

PAGE = (ROOT / "docs" / "messages.md").read_text()
TEXT = (ROOT / "tests" / "incidents" / "golden" / "black-hole.txt").read_text().partition("\n\n")[2]
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
ALARM = {"AlarmName": "egressprobe prod probe broken", "NewStateValue": "ALARM"}


def documented(protocol):
    """The attributes of the page's `aws sns subscribe` with that protocol."""
    [line] = [
        line for line in re.findall(r"^\$ (aws sns subscribe .*)$", PAGE, re.MULTILINE) if f" {protocol} " in line
    ]
    words = shlex.split(line)
    return json.loads(words[words.index("--attributes") + 1])


@pytest.mark.parametrize(
    ("protocol", "arrive"),
    [("email", ["team-a's page"]), ("https", ["CloudWatch's"])],
    ids=["by owner", "CloudWatch's alone, for a pager that has the events"],
)
def test_documented_filters(monkeypatch, protocol, arrive):
    """By attributes CloudWatch's messages never arrive; by the body the Planner's do not."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        sns, events, sqs = boto3.client("sns"), boto3.client("events"), boto3.client("sqs")
        topic = sns.create_topic(Name="pages")["TopicArn"]
        queue = sqs.create_queue(QueueName="person")["QueueUrl"]
        arn = "arn:aws:sqs:eu-west-1:123456789012:person"
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=documented(protocol))
        for owner in ("team-a", "team-b"):
            attributes = {"tier": "page", "owner": owner}
            message = Outgoing(f"{owner}/broken", owner, topic, f"{owner}'s page", TEXT, attributes, "{}")
            assert publish_to("topic", sns, events, message, lambda _: None) == ""
        sns.publish(TopicArn=topic, Subject="CloudWatch's", Message=json.dumps(ALARM))
        got = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    assert [json.loads(message["Body"])["Subject"] for message in got] == arrive
