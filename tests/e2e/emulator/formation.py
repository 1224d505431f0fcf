"""CloudFormation: what the template has and ministack's engine does not know."""

import json
import sys
from typing import Any

from ministack.core import responses
from ministack.services import cloudwatch, eks, lambda_svc
from ministack.services.cloudformation import engine, provisioners

from tests.e2e.emulator.monitor import Monitor

_FUNCTIONS = ("Fn::Select", "Fn::Split", "Fn::Sub", "Fn::Join", "Fn::FindInMap")


def install(monitor: Monitor) -> None:
    _conditions()
    _functions_in_subnets()
    _metric_alarms(monitor)
    _composite_alarms(monitor)
    _resource("AWS::EKS::AccessEntry", _access_entry, _no_access_entry)
    # ministack has no saved queries at all; Ref is an id.
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-querydefinition.html
    _resource("AWS::Logs::QueryDefinition", lambda _: (responses.new_uuid(), {}), lambda *_: None)


def _conditions() -> None:
    """Conditions may use Fn::Select of Fn::Split of Fn::Sub; ministack fails with KeyError 0.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-conditions.html
    """
    evaluate = engine._evaluate_conditions

    def evaluate_conditions(template: dict[str, Any], parameters: dict[str, Any]) -> Any:
        def plain(node: Any) -> Any:
            if isinstance(node, list):
                return [plain(item) for item in node]
            if not isinstance(node, dict):
                return node
            if len(node) == 1 and next(iter(node)) in _FUNCTIONS:
                return engine._resolve_refs(node, {}, parameters, {}, template.get("Mappings", {}), "", "")
            return {key: plain(value) for key, value in node.items()}

        return evaluate(template | {"Conditions": plain(template.get("Conditions", {}))}, parameters)

    for module in [module for name, module in sys.modules.items() if name.startswith("ministack.")]:
        if getattr(module, "_evaluate_conditions", None) is evaluate:
            module._evaluate_conditions = evaluate_conditions


def _functions_in_subnets() -> None:
    """A function has the template's VpcConfig and reserved concurrency; ministack drops both when it creates one.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-function.html
    """
    handler = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]

    def completed(original: Any, place: int) -> Any:
        def put(*arguments: Any, **more: Any) -> Any:
            name, attributes = original(*arguments, **more)
            function, properties = lambda_svc._functions[name], arguments[place]
            function["config"]["VpcConfig"] = lambda_svc._vpc_config_with_id(properties.get("VpcConfig"))
            reserved = properties.get("ReservedConcurrentExecutions")
            function["concurrency"] = None if reserved is None else int(reserved)
            return name, attributes

        return put

    handler["create"] = completed(handler["create"], 1)
    handler["update"] = completed(handler["update"], 2)


def _metric_alarms(monitor: Monitor) -> None:
    """Alarms on a Metrics Insights query; ministack refuses `Metrics`. What decides is monitor.py.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudwatch-alarm.html
    """
    record = provisioners._cw_metric_alarm_record

    def metric_alarm_record(name: str, properties: dict[str, Any]) -> dict[str, Any]:
        monitor.put_metric_alarm(properties | {"AlarmName": name})
        if not properties.get("Metrics"):
            return record(name, properties)
        single = {key: value for key, value in properties.items() if key != "Metrics"}
        return record(name, single | {"MetricName": "query", "Namespace": "query"}) | {"Metrics": properties["Metrics"]}

    provisioners._cw_metric_alarm_record = metric_alarm_record
    handler = provisioners._RESOURCE_HANDLERS["AWS::CloudWatch::Alarm"]
    delete = handler["delete"]

    def delete_alarm(name: str, properties: dict[str, Any]) -> Any:
        monitor.remove(name)
        return delete(name, properties)

    handler["delete"] = delete_alarm


def _composite_alarms(monitor: Monitor) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudwatch-compositealarm.html"""

    def put(properties: dict[str, Any]) -> tuple[str, dict[str, str]]:
        name = properties["AlarmName"]
        for child in cloudwatch._rule_refs(cloudwatch._parse_alarm_rule(properties["AlarmRule"])):
            if child not in cloudwatch._alarms and child not in cloudwatch._composite_alarms:
                raise ValueError(f"Could not save the composite alarm as alarms [{child}] do not exist")
        arn = f"arn:aws:cloudwatch:{responses.get_region()}:{responses.get_account_id()}:alarm:{name}"
        new = {"AlarmName": name, "AlarmArn": arn, "StateValue": "OK", "StateReason": "", "ActionsEnabled": True}
        cloudwatch._composite_alarms[name] = new | (cloudwatch._composite_alarms.get(name) or {}) | properties
        monitor.put_composite_alarm(properties)
        return name, {"Arn": arn}

    def delete(name: str, _: dict[str, Any]) -> None:
        monitor.remove(name)
        cloudwatch._composite_alarms.pop(name, None)

    _resource("AWS::CloudWatch::CompositeAlarm", put, delete)


def _resource(kind: str, put: Any, delete: Any) -> None:
    """A type whose update is the same as its creation."""
    provisioners._RESOURCE_HANDLERS[kind] = {
        "create": lambda _id, properties, _stack: put(properties),
        "update": lambda _name, _old, properties, _stack, *_more: put(properties),
        "delete": delete,
    }


def _access_entry(properties: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-eks-accessentry.html"""
    cluster, principal = properties["ClusterName"], properties["PrincipalArn"]
    tags = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
    groups = properties.get("KubernetesGroups", [])
    body = {"principalArn": principal, "type": properties.get("Type"), "kubernetesGroups": groups, "tags": tags}
    status, _, answer = eks._create_access_entry(cluster, body)
    if status >= 300:
        raise ValueError(answer.decode())
    return f"{principal}|{cluster}", {"AccessEntryArn": json.loads(answer)["accessEntry"]["accessEntryArn"]}


def _no_access_entry(_: str, properties: dict[str, Any]) -> None:
    eks._access_entries.pop(eks._ae_key(properties["ClusterName"], properties["PrincipalArn"]), None)
