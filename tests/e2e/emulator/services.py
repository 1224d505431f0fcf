"""EKS, CloudWatch Logs and IAM: what ministack answers otherwise than AWS."""

import contextlib
import json
import re
from typing import Any

from ministack import app
from ministack.core import iam_actions, iam_evaluator, sigv4
from ministack.services import cloudwatch_logs, ec2, eks, sns

from tests.e2e.emulator import vpc
from tests.e2e.emulator.monitor import Monitor

# What DescribeCluster says beside what ministack knows.
cluster: dict[str, Any] = {}
# Topic, of each message that a topic passed on to a confirmed subscriber.
_passed_on: list[str] = []
_TERM = re.compile(r'\s*\$\.(\w+)\s*(?:=\s*"([^"]*)"|IS (TRUE|FALSE))\s*')


def install(monitor: Monitor) -> None:
    _describe_cluster()
    _filter_patterns()
    _metrics_of_logs(monitor)
    _resources()
    _conditions_of_events()
    _count_messages()
    _without_resources()
    vpc.install()
    # Callers outside the functions are on real time.
    for module in (sigv4, iam_evaluator):
        if hasattr(module, "request_time_failure"):
            module.request_time_failure = lambda *_, **__: None


def _describe_cluster() -> None:
    """Without Docker ministack's cluster has an invented VPC, no CA, no listener and no controlPlaneEgressMode.

    https://docs.aws.amazon.com/eks/latest/APIReference/API_Cluster.html
    """
    original = eks._describe_cluster

    def describe(name: str) -> tuple[int, dict[str, str], bytes]:
        status, headers, body = original(name)
        if status == 200:
            body = json.dumps(_merged(json.loads(body), {"cluster": cluster})).encode()
            headers = {key: value for key, value in headers.items() if key.lower() != "content-length"}
        return status, headers, body

    eks._describe_cluster = describe


def _merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    for key, value in new.items():
        old[key] = _merged(old.get(key) or {}, value) if isinstance(value, dict) else value
    return old


def _filter_patterns() -> None:
    """JSON filter patterns of equal strings and IS TRUE; ministack looks for their words.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
    """
    words = cloudwatch_logs._subscription_pattern_matches

    def matches(pattern: str, message: str) -> bool:
        if not (pattern or "").strip().startswith("{"):
            return words(pattern, message)
        try:
            document = json.loads(message)
        except ValueError:
            return False
        return isinstance(document, dict) and all(_holds(term, document) for term in pattern.strip()[1:-1].split("&&"))

    cloudwatch_logs._subscription_pattern_matches = matches


def _holds(term: str, document: dict[str, Any]) -> bool:
    parts = _TERM.fullmatch(term)
    assert parts, f"a filter pattern that the emulation does not know: {term}"
    name, text, truth = parts.groups()
    return document.get(name) == text if truth is None else document.get(name) is (truth == "TRUE")


def _metrics_of_logs(monitor: Monitor) -> None:
    """Embedded metric format; ministack does not read it.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    fan_out = cloudwatch_logs._fanout_to_subscription_filters

    def received(group: str, stream: str, events: list[dict[str, Any]]) -> Any:
        for event in events:
            with contextlib.suppress(ValueError):
                document = json.loads(event.get("message", ""))
                if isinstance(document, dict) and "_aws" in document:
                    monitor.document(document)
        return fan_out(group, stream, events)

    cloudwatch_logs._fanout_to_subscription_filters = received


def published() -> int:
    """How many messages topics have passed on to subscribers, of alarms and of functions."""
    return len(_passed_on)


def _count_messages() -> None:
    """A test waits for as many."""
    fan_out = sns._fanout

    def counted(topic: str, *more: Any, **rest: Any) -> Any:
        subscriptions = sns._topics[topic]["subscriptions"]
        _passed_on.extend(topic for one in subscriptions if one.get("confirmed"))
        return fan_out(topic, *more, **rest)

    sns._fanout = counted


def _conditions_of_events() -> None:
    """The condition key events:source of PutEvents; ministack has none.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/policy-keys-eventbridge.html
    """
    original = iam_actions.request_tag_context

    def context(service: str, action: str, body: bytes, *more: Any) -> dict[str, Any]:
        found: dict[str, Any] = original(service, action, body, *more)
        if action != "events:PutEvents":
            return found
        [source] = {entry["Source"] for entry in json.loads(body)["Entries"]}
        return found | {"events:source": source}

    iam_actions.request_tag_context = context


def _without_resources() -> None:
    """Reads of what the account does not have; ministack does not know the calls.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeTransitGatewayVpcAttachments.html
    https://docs.aws.amazon.com/Route53/latest/APIReference/API_Operations_Amazon_Route_53_Resolver.html
    """
    action = "DescribeTransitGatewayVpcAttachments"
    if action not in ec2._ACTION_MAP:
        ec2._ACTION_MAP[action] = lambda *_: ec2._xml(200, f"{action}Response", "<transitGatewayVpcAttachments/>")

    async def resolver(_method: str, _path: str, headers: Any, *_: Any) -> tuple[int, dict[str, str], bytes]:
        listed = headers.get("x-amz-target", "").rpartition(".")[2].removeprefix("List")
        return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps({listed: []}).encode()

    app.SERVICE_HANDLERS.setdefault("route53resolver", resolver)


def _resources() -> None:
    """A schedule's ARN has its group, and the simulation's resource is the principal; ministack has `default` and `*`.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridgescheduler.html
    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
    """
    original = iam_actions.extract_resource_arn

    def resource_arn(
        service: str, method: str, path: str, headers: Any, body: bytes, query: Any, *more: Any, **rest: Any
    ):
        arn = original(service, method, path, headers, body, query, *more, **rest)
        if service == "scheduler" and ":schedule/default/" in str(arn):
            group = (query.get("groupName") or [None])[0]
            with contextlib.suppress(ValueError, AttributeError):
                group = json.loads(body or b"{}").get("GroupName") or group
            if group:
                return arn.replace(":schedule/default/", f":schedule/{group}/")
        if service == "iam" and query.get("Action", [""])[0] == "SimulatePrincipalPolicy":
            return query["PolicySourceArn"][0]
        return arn

    iam_actions.extract_resource_arn = resource_arn
    if getattr(app, "extract_resource_arn", None) is original:
        app.extract_resource_arn = resource_arn
