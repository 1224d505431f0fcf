"""Resources of CloudFormation and of Terraform as comparable leaves: {path: text}.

This is the table by which the two are compared. It is not the generator's: names are equal when they are so without
case and underscores, and the exceptions are written here.
"""

import json
from typing import Any

_NAMES = {
    "AWS::Logs::LogGroup": {"loggroupname": "name"},
    "AWS::IAM::Role": {"assumerolepolicydocument": "assumerolepolicy"},
    "AWS::IAM::Policy": {"policydocument": "policy", "policyname": "name", "roles": "role"},
    "AWS::SNS::TopicPolicy": {"policydocument": "policy", "topics": "arn"},
    "AWS::CloudWatch::CompositeAlarm": {
        "actionssuppressor": "actionssuppressor.alarm",
        "actionssuppressorwaitperiod": "actionssuppressor.waitperiod",
        "actionssuppressorextensionperiod": "actionssuppressor.extensionperiod",
    },
}
_SEPARATE = {
    "AWS::IAM::Role": {"Policies", "RoleName"},
    "AWS::SNS::Topic": {"TopicName"},
    "AWS::Events::Rule": {"Targets", "Name"},
    "AWS::Lambda::Function": {"Code"},
}
_JSON = ("policy", "assume_role_policy", "event_pattern", "desired_state")
_CODE = ("filename", "source_code_hash", "s3_bucket", "s3_key")
_MADE_NAMES = ("aws_iam_role", "aws_sns_topic", "aws_cloudwatch_event_rule", "aws_cloudwatch_log_subscription_filter", "aws_scheduler_schedule")  # fmt: skip


def of_cloudformation(kind: str, properties: dict[str, Any]) -> dict[str, str]:
    properties = {name: value for name, value in properties.items() if name not in _SEPARATE.get(kind, ())}
    if kind == "AWS::Lambda::Function":
        properties["Tags"] = [tag for tag in properties["Tags"] if tag["Key"] != "lambda:createdBy"]
    if kind == "AWS::Lambda::EventInvokeConfig":
        assert properties.pop("DestinationConfig") == {}
    return {_renamed(kind, path): text for path, text in _leaves(_metrics(properties)).items()}


def of_terraform(kind: str, arguments: dict[str, Any]) -> dict[str, str]:
    """Of a resource of the provider. Cloud Control's has the properties of CloudFormation's."""
    if kind == "aws_cloudcontrolapi_resource":
        return of_cloudformation(arguments["type_name"], json.loads(arguments["desired_state"]))
    read = {name: json.loads(value) if name in _JSON else value for name, value in arguments.items()}
    left_out = _CODE + (("name",) if kind in _MADE_NAMES else ())
    return _leaves({name: value for name, value in read.items() if name not in left_out})


def _renamed(kind: str, path: str) -> str:
    first, dot, rest = path.partition(".")
    return _NAMES.get(kind, {}).get(first, first) + dot + rest


def _metrics(properties: dict[str, Any]) -> dict[str, Any]:
    """Metrics as the provider has them: MetricStat's Metric is part of it."""
    found = dict(properties)
    for one in found.pop("Metrics", []):
        query = dict(one)
        if "MetricStat" in query:
            stat = dict(query.pop("MetricStat"))
            query["metric"] = stat | stat.pop("Metric")
        found.setdefault("metric_query", []).append(query)
    return found


def _leaves(node: Any, path: str = "") -> dict[str, str]:
    """What is null or empty is not there, and a list of one is its element."""
    if isinstance(node, list) and node and all(isinstance(one, dict) and one.keys() in ({"Key", "Value"}, {"Name", "Value"}) for one in node):  # fmt: skip
        node = {one.get("Key", one.get("Name")): one["Value"] for one in node}
    if isinstance(node, list):
        items = {f"{path}.{n}" if len(node) > 1 else path: one for n, one in enumerate(node)}
    elif isinstance(node, dict):
        items = {f"{path}.{key}".lstrip(".").lower().replace("_", ""): one for key, one in node.items()}
    else:
        text = str(node).lower() if isinstance(node, bool) else str(node)
        return {path: text} if node is not None else {}
    return {where: text for inner, one in items.items() for where, text in _leaves(one, inner).items()}
