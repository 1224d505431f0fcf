"""CloudFormation's resource types and properties as those of Terraform's provider hashicorp/aws.

A property that a table does not name is refused, so that nothing of the template is lost. The names and types are
checked against the provider's schema by tests/stack/terraform/.
https://registry.terraform.io/providers/hashicorp/aws/6.25.0/docs
"""

from typing import NamedTuple


class Encoded(NamedTuple):
    """A property that becomes JSON in the argument."""

    argument: str


class Nested(NamedTuple):
    """A property that becomes a block, or one for each element of a list; empty argument: its parts join the parent."""

    argument: str
    parts: "dict[str, Part]"


class Pairs(NamedTuple):
    """A list of {key: K, "Value": V} that becomes a map."""

    argument: str
    key: str


Part = str | Encoded | Nested | Pairs | None  # None: left out


class ResourceShape(NamedTuple):
    """ref: the attribute that Ref is; arn: what GetAtt Arn is, {} for the address. named: the template has no name."""

    type: str
    ref: str
    parts: dict[str, Part]
    arn: str = "{}.arn"
    named: bool = False


CLOUD_CONTROL = "aws_cloudcontrolapi_resource"
_TAGS = Pairs("tags", "Key")
_RETRY = Nested(
    "retry_policy",
    {
        "MaximumRetryAttempts": "maximum_retry_attempts",
        "MaximumEventAgeInSeconds": "maximum_event_age_in_seconds",
    },
)
_METRIC: dict[str, Part] = {
    "Namespace": "namespace",
    "MetricName": "metric_name",
    "Dimensions": Pairs("dimensions", "Name"),
}
_ALARM: dict[str, Part] = {
    "AlarmName": "alarm_name",
    "AlarmDescription": "alarm_description",
    "AlarmActions": "alarm_actions",
    "OKActions": "ok_actions",
}
SHAPES: dict[str, ResourceShape] = {
    "AWS::Lambda::Function": ResourceShape(
        "aws_lambda_function",
        "function_name",
        {
            "FunctionName": "function_name",
            "Description": "description",
            "Runtime": "runtime",
            "Handler": "handler",
            "Architectures": "architectures",
            "Role": "role",
            "MemorySize": "memory_size",
            "Timeout": "timeout",
            "ReservedConcurrentExecutions": "reserved_concurrent_executions",
            "Tags": _TAGS,
            "LoggingConfig": Nested("logging_config", {"LogGroup": "log_group", "LogFormat": "log_format"}),
            "TracingConfig": Nested("tracing_config", {"Mode": "mode"}),
            "Environment": Nested("environment", {"Variables": "variables"}),
            "VpcConfig": Nested(
                "vpc_config",
                {
                    "SubnetIds": "subnet_ids",
                    "SecurityGroupIds": "security_group_ids",
                    "Ipv6AllowedForDualStack": "ipv6_allowed_for_dual_stack",
                },
            ),
        },
    ),
    "AWS::Lambda::EventInvokeConfig": ResourceShape(
        "aws_lambda_function_event_invoke_config",
        "id",
        {
            "FunctionName": "function_name",
            "Qualifier": "qualifier",
            "MaximumRetryAttempts": "maximum_retry_attempts",
            "MaximumEventAgeInSeconds": "maximum_event_age_in_seconds",
            "DestinationConfig": None,  # the SAM translator writes an empty one
        },
    ),
    "AWS::Lambda::Permission": ResourceShape(
        "aws_lambda_permission",
        "id",
        {
            "FunctionName": "function_name",
            "Action": "action",
            "Principal": "principal",
            "SourceAccount": "source_account",
            "SourceArn": "source_arn",
        },
    ),
    "AWS::Logs::LogGroup": ResourceShape(
        "aws_cloudwatch_log_group",
        "name",
        {"LogGroupName": "name", "RetentionInDays": "retention_in_days", "KmsKeyId": "kms_key_id"},
        # CloudFormation's ends with :*, the provider's does not.
        arn='"${{{}.arn}}:*"',
    ),
    "AWS::Logs::SubscriptionFilter": ResourceShape(
        "aws_cloudwatch_log_subscription_filter",
        "name",
        {"LogGroupName": "log_group_name", "FilterPattern": "filter_pattern", "DestinationArn": "destination_arn"},
        named=True,
    ),
    "AWS::Logs::QueryDefinition": ResourceShape(
        "aws_cloudwatch_query_definition",
        "query_definition_id",
        {"Name": "name", "LogGroupNames": "log_group_names", "QueryString": "query_string"},
    ),
    "AWS::IAM::Role": ResourceShape(
        "aws_iam_role",
        "name",
        {
            "Path": "path",
            "Description": "description",
            "PermissionsBoundary": "permissions_boundary",
            "AssumeRolePolicyDocument": Encoded("assume_role_policy"),
            "Policies": None,  # resources of their own
        },
        named=True,
    ),
    "AWS::IAM::Policy": ResourceShape(
        "aws_iam_role_policy",
        "id",
        {"PolicyName": "name", "PolicyDocument": Encoded("policy"), "Roles": None},
    ),
    "AWS::Scheduler::ScheduleGroup": ResourceShape(
        "aws_scheduler_schedule_group", "name", {"Name": "name", "Tags": _TAGS}
    ),
    "AWS::Scheduler::Schedule": ResourceShape(
        "aws_scheduler_schedule",
        "name",
        {
            "GroupName": "group_name",
            "Description": "description",
            "ScheduleExpression": "schedule_expression",
            "FlexibleTimeWindow": Nested("flexible_time_window", {"Mode": "mode"}),
            "Target": Nested("target", {"Arn": "arn", "RoleArn": "role_arn", "Input": "input", "RetryPolicy": _RETRY}),
        },
        named=True,
    ),
    "AWS::Events::Rule": ResourceShape(
        "aws_cloudwatch_event_rule",
        "name",
        {"Description": "description", "EventPattern": Encoded("event_pattern"), "Targets": None},
        named=True,
    ),
    "AWS::SNS::Topic": ResourceShape(
        "aws_sns_topic",
        "arn",
        {"DisplayName": "display_name", "KmsMasterKeyId": "kms_master_key_id", "Tags": _TAGS},
        named=True,
    ),
    "AWS::SNS::TopicPolicy": ResourceShape(
        "aws_sns_topic_policy", "id", {"PolicyDocument": Encoded("policy"), "Topics": None}
    ),
    "AWS::SNS::Subscription": ResourceShape(
        "aws_sns_topic_subscription", "arn", {"TopicArn": "topic_arn", "Protocol": "protocol", "Endpoint": "endpoint"}
    ),
    "AWS::EKS::AccessEntry": ResourceShape(
        "aws_eks_access_entry",
        "id",
        {
            "ClusterName": "cluster_name",
            "PrincipalArn": "principal_arn",
            "Type": "type",
            "KubernetesGroups": "kubernetes_groups",
            "Tags": _TAGS,
        },
    ),
    "AWS::CloudWatch::Alarm": ResourceShape(
        "aws_cloudwatch_metric_alarm",
        "alarm_name",
        {
            **_ALARM,
            **_METRIC,
            "Statistic": "statistic",
            "Period": "period",
            "EvaluationPeriods": "evaluation_periods",
            "DatapointsToAlarm": "datapoints_to_alarm",
            "ComparisonOperator": "comparison_operator",
            "Threshold": "threshold",
            "TreatMissingData": "treat_missing_data",
            "Metrics": Nested(
                "metric_query",
                {
                    "Id": "id",
                    "ReturnData": "return_data",
                    "Expression": "expression",
                    "Period": "period",
                    "MetricStat": Nested("metric", {"Stat": "stat", "Period": "period", "Metric": Nested("", _METRIC)}),
                },
            ),
        },
    ),
    "AWS::CloudWatch::CompositeAlarm": ResourceShape(
        "aws_cloudwatch_composite_alarm",
        "alarm_name",
        {
            **_ALARM,
            "AlarmRule": "alarm_rule",
            # A block; the two periods are put into it (resources.py).
            "ActionsSuppressor": None,
            "ActionsSuppressorWaitPeriod": None,
            "ActionsSuppressorExtensionPeriod": None,
        },
    ),
    "AWS::CloudWatch::Dashboard": ResourceShape(
        "aws_cloudwatch_dashboard",
        "dashboard_name",
        {"DashboardName": "dashboard_name", "DashboardBody": "dashboard_body"},
    ),
}
TARGET: dict[str, Part] = {"Id": "target_id", "Arn": "arn", "RetryPolicy": _RETRY}
