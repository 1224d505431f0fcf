"""Calls as CloudTrail's event history lists them, in the shapes of its user guide and of EC2's own records."""

import json
from datetime import UTC, datetime

ACCOUNT = "111122223333"
NOON = datetime(2026, 11, 26, 2, 11, tzinfo=UTC)


def role(name="deployer", session="alice@example.com", **more):
    """A role's session: user guide, cloudtrail-event-reference-user-identity."""
    return {
        "type": "AssumedRole",
        "principalId": f"AROAEXAMPLE:{session}",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{session}",
        "accountId": ACCOUNT,
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": "AROAEXAMPLE",
                "arn": f"arn:aws:iam::{ACCOUNT}:role/{name}",
                "accountId": ACCOUNT,
                "userName": name,
            },
            "attributes": {"creationDate": "2026-11-26T02:00:00Z", "mfaAuthenticated": "false"},
        },
    } | more


def event(call, request, *, source="ec2.amazonaws.com", at=NOON, number=1, response=None, identity=None, **record):
    """One item of LookupEvents' `Events`."""
    full = {
        "eventVersion": "1.11",
        "userIdentity": role() if identity is None else identity,
        "eventTime": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": source,
        "eventName": call,
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "203.0.113.7",
        "userAgent": "APN/1.0 HashiCorp/1.0 Terraform/1.13",
        "requestParameters": request,
        "responseElements": {"requestId": "8a1f7a0c-1c5b-4d3b-9d60-1f7f6d2c9f1e", "_return": True}
        if response is None
        else response,
        "eventID": f"00000000-0000-4000-8000-{number:012}",
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    } | record
    return {
        "EventId": full["eventID"],
        "EventName": call,
        "ReadOnly": "false",
        "EventTime": at,
        "EventSource": source,
        "Username": "alice@example.com",
        "Resources": [],
        "CloudTrailEvent": json.dumps(full),
    }


NAT_DELETED = event("DeleteNatGateway", {"DeleteNatGatewayRequest": {"NatGatewayId": "nat-0b2c3d4e5f60718a2"}})
EGRESS_REVOKED = event(
    "RevokeSecurityGroupEgress",
    {
        "groupId": "sg-0c3d4e5f60718a2b3",
        "ipPermissions": {
            "items": [
                {"ipProtocol": "tcp", "fromPort": 443, "toPort": 443, "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]}}
            ]
        },
    },
    number=2,
)
EGRESS_MODE = event(
    "UpdateClusterConfig",
    {"name": "prod", "clientRequestToken": "t", "resourcesVpcConfig": {"controlPlaneEgressMode": "CUSTOMER_ROUTED"}},
    source="eks.amazonaws.com",
    response={"update": {"id": "u-1", "status": "InProgress", "type": "ControlPlaneEgressUpdate"}},
    number=3,
)
