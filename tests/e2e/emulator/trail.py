"""CloudTrail's event history: EC2's and EKS's writes, with who made them; ministack records none by default.

A call is listed `lag` seconds after it was made. What AWS records: https://docs.aws.amazon.com/awscloudtrail/latest/
userguide/cloudtrail-event-reference-record-contents.html, who: cloudtrail-event-reference-user-identity.html beside it;
LookupEvents: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html.
"""

import json
import re
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from ministack import app
from ministack.core import iam_evaluator, responses, router
from ministack.services import cloudtrail

# Seconds until a call is listed.
lag = 0.0
_PAGE = 50
_READS = ("Describe", "Get", "List", "Search")
_ID = re.compile(r"(?:rtb|subnet|nat|acl|sg|vpc|dopt|igw|eipalloc|aclassoc|rtbassoc)-[0-9A-Za-z-]+")
_KINDS = {
    "rtb": "RouteTable",
    "subnet": "Subnet",
    "nat": "NatGateway",
    "acl": "NetworkAcl",
    "sg": "SecurityGroup",
    "vpc": "VPC",
    "dopt": "DHCPOptions",
    "igw": "InternetGateway",
}
_events: list[dict[str, Any]] = []


def forget() -> None:
    """What was called until now was called long ago."""
    _events.clear()


def install() -> None:
    app._maybe_record_cloudtrail = _record
    cloudtrail._DISPATCH["LookupEvents"] = _lookup


def _record(
    service: str, method: str, path: str, headers: Any, body: bytes, query: Any, request: str, region: str
) -> None:
    if service == "ec2":
        words = {key: values[-1] for key, values in (parse_qs(body.decode()) | query).items()}
        name = words.pop("Action", "")
        parameters = _parameters({key: value for key, value in words.items() if key != "Version"})
    elif service == "eks" and method != "GET":
        name = "UpdateClusterConfig" if path.endswith("/update-config") else "CreateCluster"
        parameters = {"name": path.split("/")[2] if path.count("/") > 1 else ""} | json.loads(body or b"{}")
    else:
        return
    if name.startswith(_READS):
        return
    at = time.time()
    record = {
        "eventVersion": "1.11",
        "userIdentity": _identity(router.extract_access_key_id(headers, query)),
        "eventTime": _text(at),
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "awsRegion": region,
        "requestParameters": parameters,
        "readOnly": False,
        "eventID": request,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": responses.get_account_id(),
        "eventCategory": "Management",
    }
    named = sorted(set(_ID.findall(json.dumps(parameters))))
    resources = [
        {"ResourceType": f"AWS::EC2::{_KINDS[one.partition('-')[0]]}", "ResourceName": one}
        for one in named
        if one.partition("-")[0] in _KINDS
    ]
    event = {
        "EventId": request,
        "EventName": name,
        "EventSource": record["eventSource"],
        "EventTime": at,
        "ReadOnly": "false",
        "Username": record["userIdentity"].get("sessionName", "root"),
        "Resources": resources,
        "CloudTrailEvent": json.dumps(record),
        "region": region,
    }
    _events.append(event)


def _identity(access_key: str) -> dict[str, Any]:
    account = responses.get_account_id()
    principal = iam_evaluator.resolve_principal(access_key, account)
    arn = getattr(principal, "arn", "")
    if ":assumed-role/" not in arn:
        return {"type": "Root", "principalId": account, "arn": f"arn:aws:iam::{account}:root", "accountId": account}
    _, role, session = arn.split("/")[-3:]
    issuer = {"type": "Role", "arn": f"arn:aws:iam::{account}:role/{role}", "accountId": account, "userName": role}
    return {
        "type": "AssumedRole",
        "principalId": f"AROAEXAMPLE:{session}",
        "arn": arn,
        "accountId": account,
        "sessionContext": {"sessionIssuer": issuer},
    }


def _parameters(words: dict[str, str]) -> dict[str, Any]:
    """As CloudTrail has EC2's: names begin in lower case, and lists are sets of items."""
    found: dict[str, Any] = {}
    for key, value in words.items():
        name, _, rest = key.partition(".")
        name = name[:1].lower() + name[1:]
        if rest:
            found.setdefault(f"{name}Set", {"items": []})["items"].append({rest: value})
        else:
            found[name] = value
    return found


def _lookup(request: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    """Newest first; one attribute a call."""
    wanted = {one["AttributeKey"]: one["AttributeValue"] for one in request.get("LookupAttributes", [])}
    assert len(wanted) <= 1, wanted
    start, end = float(request.get("StartTime") or 0), float(request.get("EndTime") or time.time())
    names = {"ReadOnly", "EventSource", "EventName", "EventId", "Username"}
    found = [
        {key: value for key, value in event.items() if key != "region"}
        for event in reversed(_events)
        if event["region"] == responses.get_region()
        and event["EventTime"] + lag <= time.time()
        and start <= event["EventTime"] <= end
        and all(event[key] == value for key, value in wanted.items() if key in names)
        and ("ResourceName" not in wanted or wanted["ResourceName"] in {r["ResourceName"] for r in event["Resources"]})
    ]
    first = int(request.get("NextToken") or 0)
    body: dict[str, Any] = {"Events": found[first : first + _PAGE]}
    if first + _PAGE < len(found):
        body["NextToken"] = str(first + _PAGE)
    answer: tuple[int, dict[str, str], bytes] = cloudtrail._ok(body)
    return answer


def _text(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
