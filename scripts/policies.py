"""deploy/*-policy.json, from the template and from AWS's own resource schemas.

What CloudFormation calls for a type of resource is in the type's schema, under `handlers`; cfn-lint has the schemas. Of
these permissions the resource's own service is taken, and what Lambda needs to read code and subnets. What our commands
call themselves is in COMMANDS; a test records their calls. ACCOUNT, REGION and KEY are to be replaced.

https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html (handlers)
"""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from egressprobe.stack.template import expanded

_REGION = "us-east-1"
_HANDLERS = ("create", "read", "update", "delete")
_READS = ("Describe", "Get", "List")
# Of a function's handlers: code in S3, interfaces. The rest is for file systems and code signing, which it has not.
_OF_LAMBDA = frozenset({"s3:GetObject", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"})
# Handlers' permissions for what no resource of the template uses.
_UNUSED = (
    *("DataProtection", "IndexPolic", "Transformer", "ResourcePolic", "LogDelivery", "Deletion", "BearerToken"),
    *("CodeSigning", "Version", "Alias", "EventSourceMapping", "Layer", "FunctionUrl", "ScalingConfig"),
    *("RuntimeManagement", "RecursionConfig", "CapacityProvider", "UserPolic", "GroupPolic", "AssociatedAccessPolic"),
    *("AccessPolicy", "InsightRule"),
)
_ARNS = {
    "lambda": ["arn:aws:lambda:REGION:ACCOUNT:function:egressprobe-*"],
    "iam": ["arn:aws:iam::ACCOUNT:role/egressprobe-*"],
    "logs": ["arn:aws:logs:REGION:ACCOUNT:log-group:/egressprobe/*"],
    "scheduler": [
        "arn:aws:scheduler:REGION:ACCOUNT:schedule-group/egressprobe-*",
        "arn:aws:scheduler:REGION:ACCOUNT:schedule/egressprobe-*/*",
    ],
    "cloudwatch": [
        "arn:aws:cloudwatch:REGION:ACCOUNT:alarm:egressprobe *",
        "arn:aws:cloudwatch::ACCOUNT:dashboard/egressprobe-*",
    ],
    "sns": ["arn:aws:sns:REGION:ACCOUNT:egressprobe-*"],
    "events": ["arn:aws:events:REGION:ACCOUNT:rule/egressprobe-*"],
    "eks": ["arn:aws:eks:REGION:ACCOUNT:cluster/*", "arn:aws:eks:REGION:ACCOUNT:access-entry/*"],
}
# Writes that support no resource.
_ANYWHERE = frozenset({"logs:PutQueryDefinition", "logs:DeleteQueryDefinition"})
_STACKS = "arn:aws:cloudformation:REGION:ACCOUNT:stack/egressprobe-*"
_BUCKET = "arn:aws:s3:::egressprobe-ACCOUNT-*"
_PLANNERS = "arn:aws:lambda:REGION:ACCOUNT:function:egressprobe-*-planner"
# What deploy, destroy, drill and invoke call themselves, by resource.
COMMANDS: dict[str, tuple[str, ...]] = {
    _STACKS: tuple(
        f"cloudformation:{name}"
        for name in (
            *("CreateChangeSet", "DescribeChangeSet", "ExecuteChangeSet", "DeleteChangeSet", "DeleteStack"),
            *("DescribeStackEvents", "DescribeStacks"),
        )
    ),
    _BUCKET: (
        "s3:CreateBucket",
        "s3:GetBucketPolicy",
        "s3:ListBucket",
        "s3:PutBucketPolicy",
        "s3:PutBucketPublicAccessBlock",
    ),
    f"{_BUCKET}/*": ("s3:GetObject", "s3:PutObject"),
    _PLANNERS: ("lambda:GetFunctionConfiguration", "lambda:InvokeFunction"),
    "*": (
        *("ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "eks:DescribeCluster", "eks:ListClusters"),
        *("eks:DescribeIdentityProviderConfig", "eks:ListIdentityProviderConfigs", "sns:ListSubscriptionsByTopic"),
        *("cloudwatch:DescribeAlarmContributors", "cloudwatch:DescribeAlarmHistory", "cloudwatch:DescribeAlarms"),
        "sts:GetCallerIdentity",
    ),
}


# What preflight, switch and verify call beside discovery and the audit.
SWITCH: dict[str, tuple[str, ...]] = {
    "Read": (
        *("cloudformation:DescribeStacks", "eks:DescribeUpdate", "eks:ListClusters", "eks:ListUpdates"),
        "tag:GetResources",
    ),
    "Probe": ("lambda:GetFunctionConfiguration", "lambda:InvokeFunction"),
    "Switch": ("eks:UpdateClusterConfig",),
}


@cache
def _resources() -> dict[str, Any]:
    resources: dict[str, Any] = expanded()["Resources"]
    return resources


@cache
def handler_actions(kind: str) -> frozenset[str]:
    """Permissions of CloudFormation's handlers of a type of resource, of its own service and what Lambda needs."""
    schema: dict[str, Any] = PROVIDER_SCHEMA_MANAGER.get_resource_schema(_REGION, kind).schema
    service = kind.split("::")[1].lower()
    handlers = schema.get("handlers") or {}
    actions = {action for name in _HANDLERS for action in handlers.get(name, {}).get("permissions", ())}
    own = {action for action in actions if action.startswith(f"{service}:")}
    more = actions & _OF_LAMBDA if service == "lambda" else set()
    return frozenset(action for action in own | more if not any(unused in action for unused in _UNUSED))


def deployer_policy() -> str:
    """For whoever runs make deploy, drill, invoke and destroy."""
    reads, writes = set(COMMANDS["*"]), dict[str, set[str]]()
    for kind in {resource["Type"] for resource in _resources().values()}:
        for action in handler_actions(kind):
            service, name = action.split(":")
            if name.startswith(_READS) or action in _ANYWHERE:
                reads.add(action)
            elif action != "iam:PassRole":
                writes.setdefault(service, set()).add(action)
    reads.discard("s3:GetObject")
    statements = [_allow(actions, _ARNS[service]) for service, actions in sorted(writes.items())]
    statements += [_allow(set(actions), [arn]) for arn, actions in COMMANDS.items() if arn != "*"]
    services = {"iam:PassedToService": ["lambda.amazonaws.com", "scheduler.amazonaws.com"]}
    statements.append(_allow({"iam:PassRole"}, _ARNS["iam"]) | {"Condition": {"StringEquals": services}})
    statements.append(_allow(reads, ["*"]))
    return _text(statements)


def switch_policy() -> str:
    """For whoever runs preflight, verify and switch; the statement `Switch` is for the last alone.

    Discovery and the audit read what the Planner's role may read.
    """
    planner = _resources()["PlannerRole"]["Properties"]["Policies"]
    reads = {action for action in _actions(planner) if _is_read(action)} | set(SWITCH["Read"])
    routed = {"StringEquals": {"eks:controlPlaneEgressMode": "CUSTOMER_ROUTED"}}
    return _text(
        [
            {"Sid": "Read"} | _allow(reads, ["*"]),
            {"Sid": "Probe"} | _allow(set(SWITCH["Probe"]), [_PLANNERS]),
            {"Sid": "Switch"}
            | _allow(set(SWITCH["Switch"]), ["arn:aws:eks:REGION:ACCOUNT:cluster/*"])
            | {"Condition": routed},
        ]
    )


def _actions(policies: Any) -> Iterator[str]:
    """Every Action of statements, also within Fn::If."""
    if isinstance(policies, dict):
        listed = policies.get("Action", [])
        yield from [listed] if isinstance(listed, str) else listed
    for part in policies.values() if isinstance(policies, dict) else policies if isinstance(policies, list) else ():
        yield from _actions(part)


def _is_read(action: str) -> bool:
    """Of AWS as it is; what the Planner reads of its own schedules, and of alarms and metrics, is not needed."""
    service, _, name = action.partition(":")
    return service not in ("scheduler", "cloudwatch") and name.startswith((*_READS, "Search", "Lookup", "Simulate"))


def kms_key_policy() -> str:
    """For the key in KmsKeyArn: its account, the log groups, and who publishes to the stack's topic."""
    resources = _resources()
    [statement] = resources["TopicPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    groups = "arn:aws:logs:REGION:ACCOUNT:log-group:/egressprobe/*"
    everything = ["kms:Decrypt*", "kms:Describe*", "kms:Encrypt*", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
    return _text(
        [
            _allow({"kms:*"}, ["*"]) | {"Principal": {"AWS": "arn:aws:iam::ACCOUNT:root"}},
            _allow(set(everything), ["*"])
            | {
                "Principal": {"Service": "logs.REGION.amazonaws.com"},
                "Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
            },
            _allow({"kms:Decrypt", "kms:GenerateDataKey*"}, ["*"])
            | {
                "Principal": statement["Principal"],
                "Condition": {"StringEquals": {"aws:SourceAccount": "ACCOUNT"}},
            },
        ]
    )


def _allow(actions: set[str], resources: list[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": sorted(actions), "Resource": resources}


def _text(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2) + "\n"
