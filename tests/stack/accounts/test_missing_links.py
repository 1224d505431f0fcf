"""Which accounts are reported as not linked, by the API's answers in each region (botocore's Stubber)."""

import boto3
import pytest
from botocore.stub import Stubber

from egressprobe.stack.fleet.file import ListedCluster
from egressprobe.stack.fleet_dashboard.links import missing_links

OWN, FIRST, SECOND = "999988887777", "111122223333", "444455556666"
METRIC, LOGS = "AWS::CloudWatch::Metric", "AWS::Logs::LogGroup"


def sink(region):
    return f"arn:aws:oam:{region}:{OWN}:sink/1a2b"


def link(account, *types):
    return {"Label": "x", "LinkArn": f"arn:aws:oam:eu-west-1:{account}:link/3c4d", "ResourceTypes": list(types)}


@pytest.fixture
def regions():
    """By region, the links of its sink; None: no sink; an error's code."""
    made = []

    def client_of(answers):
        def of(region):
            client = boto3.client("oam", region_name=region, aws_access_key_id="x", aws_secret_access_key="y")
            stub = Stubber(client)
            answer = answers[region]
            if isinstance(answer, str):
                stub.add_client_error("list_sinks", answer, "not allowed")
            elif answer is None:
                stub.add_response("list_sinks", {"Items": []})
            else:
                stub.add_response("list_sinks", {"Items": [{"Arn": sink(region), "Id": "1a2b", "Name": "x"}]})
                pages = [answer[:1], answer[1:]]
                more = {"NextToken": "more"}
                stub.add_response("list_attached_links", {"Items": pages[0], **more}, {"SinkIdentifier": sink(region)})
                stub.add_response("list_attached_links", {"Items": pages[1]}, {"SinkIdentifier": sink(region)} | more)
            stub.activate()
            made.append(stub)
            return client

        return of

    yield client_of
    for stub in made:
        stub.assert_no_pending_responses()


def clusters(*places):
    return [ListedCluster("prod", account, region) for account, region in places]


def test_linked_accounts_and_the_own_one_are_well(regions):
    answers = {"eu-west-1": [link(FIRST, METRIC), link(SECOND, LOGS, METRIC)]}
    places = ((OWN, "us-east-1"), (OWN, "eu-west-1"), (FIRST, "eu-west-1"), (SECOND, "eu-west-1"))
    assert list(missing_links(regions(answers), clusters(*places), OWN)) == []


def test_what_is_missing_is_named_by_region(regions):
    answers = {
        "ap-south-1": None,
        "eu-west-1": [link(FIRST, METRIC), link(SECOND, LOGS)],  # the second shares no metrics
        "us-east-1": "AccessDeniedException",
    }
    places = [(account, region) for region in answers for account in (FIRST, SECOND)]
    none, unlinked, unread = missing_links(regions(answers), clusters(*places), OWN)
    assert none.startswith("ap-south-1: no sink,")
    assert unlinked == f"eu-west-1: no link from {SECOND}, so no data; deploy/fleet/source-account.yaml"
    assert unread.startswith("us-east-1: whether the accounts are linked could not be read: ")
    assert "AccessDenied" in unread


def test_of_many_accounts_some_are_named(regions):
    places = [(f"{i:012}", "eu-west-1") for i in range(200)]
    [line] = missing_links(regions({"eu-west-1": []}), clusters(*places), OWN)
    assert "000000000019 and 180 more" in line
