"""The files of deploy/terraform."""

import json
from typing import Any

from egressprobe.stack.template import TEMPLATE, expanded
from egressprobe.stack.terraform.expressions import LISTS, SLOT, SLOTS, condition, is_bool, snake
from egressprobe.stack.terraform.resources import NAMES_EVERYTHING, Resources, TerraformResource
from egressprobe.stack.terraform.values import Choice, Raw, arguments, written

_HEADER = "# Generated from template.yaml, which says why each is as it is, by make docs: change that one.\n"
_LOOP = json.dumps([str(slot) for slot in range(SLOTS)])
_OF_TEMPLATE = ("ArtifactBucketPrefix", "ArtifactBucket", "ProbeArtifact", "PlannerArtifact")
_FILES = {
    "functions.tf": ("AWS::Lambda::", "AWS::Logs::LogGroup", "AWS::Logs::SubscriptionFilter", "AWS::EKS::"),
    "roles.tf": ("AWS::IAM::",),
    "schedules.tf": ("AWS::Scheduler::",),
    "alarms.tf": ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"),
    "messages.tf": ("AWS::SNS::", "AWS::Events::"),
    "dashboard.tf": ("AWS::CloudWatch::Dashboard", "AWS::Logs::QueryDefinition"),
}
# The provider's version is the one that tests/data/terraform-aws.json is of.
_VERSIONS = """
terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.25, < 7"
    }
  }
}
"""
_CODE = """
variable "id" {
  type        = string
  default     = ""
  nullable    = false
  description = "Part of every name, 8 of 0-9 and a-f. Empty - derived from account, region and cluster."

  validation {
    condition     = can(regex("^([0-9a-f]{8})?$", var.id))
    error_message = "8 characters of 0-9 and a-f, or empty."
  }
}

variable "probe_zip" {
  type        = string
  default     = ""
  nullable    = false
  description = "Path of build/probe.zip, which make build writes. Or set artifact_bucket."
}

variable "planner_zip" {
  type        = string
  default     = ""
  nullable    = false
  description = "Path of build/planner.zip, which make build writes; it has the targets file. Or set artifact_bucket."
}

variable "artifact_bucket" {
  type        = string
  default     = ""
  nullable    = false
  description = "Bucket of this region with the code, in place of the two paths; make package uploads it."
}

variable "probe_artifact" {
  type        = string
  default     = ""
  nullable    = false
  description = "Key of the Probe's zip in artifact_bucket. It is derived from the content, so new code has a new key."
}

variable "planner_artifact" {
  type        = string
  default     = ""
  nullable    = false
  description = "Key of the Planner's zip in artifact_bucket."
}
"""
_DATA = """
data "aws_region" "current" {}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  region     = data.aws_region.current.region
  account    = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  dns_suffix = data.aws_partition.current.dns_suffix
}
"""


def general() -> dict[str, Any]:
    """The expanded template with one slot, SLOT, in its loops. Raises ValueError where a loop is not over the slots."""
    text = TEMPLATE.read_text()
    if text.count("Fn::ForEach") - text.count("in Fn::ForEach") != text.count(_LOOP):
        raise ValueError(f"a loop of template.yaml is not over {_LOOP}")
    return expanded(text.replace(_LOOP, json.dumps([SLOT])))


def files(template: dict[str, Any]) -> dict[str, str]:
    """Name -> text. template: as `general` has it. Raises ValueError for what has no translation."""
    made = Resources(template)
    result = {name: [_HEADER] for name in _FILES}
    for resource in made.all():
        [place] = [name for name, kinds in _FILES.items() if resource.origin[1].startswith(kinds)]
        result[place].append(_resource(resource))
    texts = {name: "\n".join(parts) for name, parts in result.items()}
    texts["variables.tf"] = "\n".join((_HEADER, *_variables(template["Parameters"]), _CODE.lstrip("\n")))
    texts["locals.tf"] = _HEADER + "\n" + _locals(template)
    texts["account.tf"] = _HEADER + _DATA
    texts["outputs.tf"] = "\n".join((_HEADER, *_outputs(template, made)))
    texts["versions.tf"] = _HEADER + _VERSIONS
    return texts


def resource_texts(template: dict[str, Any], only: str = "") -> dict[str, str]:
    """Logical id -> what Terraform has of it. Raises as `files`."""
    made = Resources(template)
    texts: dict[str, str] = {}
    for resource in made.all(only):
        texts[resource.origin[0]] = texts.get(resource.origin[0], "") + _resource(resource)
    return texts


def _resource(resource: TerraformResource) -> str:
    head = arguments(dict(resource.repeat), 2)
    tail = [f"  depends_on = [{', '.join(resource.after)}]"] if resource.after else []
    lines = [f'resource "{resource.type}" "{resource.name}" {{', *head, *([""] if head else [])]
    lines += arguments(resource.body, 2)
    return "\n".join([*lines, *(["", *tail] if tail else []), "}", ""])


def _variables(parameters: dict[str, Any]) -> list[str]:
    texts = []
    for name, declared in parameters.items():
        if name in _OF_TEMPLATE:
            continue
        body: dict[str, Any] = {"type": Raw(_type(name, declared))}
        if "Default" in declared:
            body["default"] = _default(name, declared)
        body["nullable"] = False
        if "Description" in declared:
            body["description"] = _in_snake(declared["Description"], parameters)
        lines = [f'variable "{snake(name)}" {{', *arguments(body, 2)]
        for test, message in _validations(name, declared):
            rule = arguments({"condition": Raw(test), "error_message": message}, 4)
            lines += ["", "  validation {", *rule, "  }"]
        texts.append("\n".join([*lines, "}", ""]))
    return texts


def _in_snake(text: str, parameters: dict[str, Any]) -> str:
    for name in sorted(parameters, key=len, reverse=True):
        if name not in ("Subnets", "Discovery", "Exclude", "Architecture", "Tracing"):
            text = text.replace(name, snake(name))
    return text


def _type(name: str, declared: dict[str, Any]) -> str:
    if name in LISTS:
        return "list(string)"
    return "bool" if is_bool(declared) else "number" if declared["Type"] == "Number" else "string"


def _default(name: str, declared: dict[str, Any]) -> Any:
    default = declared["Default"]
    if name in LISTS:
        return default.split(",") if default else []
    return default == "true" if is_bool(declared) else default


def _validations(name: str, declared: dict[str, Any]) -> list[tuple[str, str]]:
    """Conditions with their error messages."""
    variable = f"var.{snake(name)}"
    result = []
    if "AllowedPattern" in declared:
        whole = f'join(",", {variable})' if name in LISTS else variable
        pattern = declared["AllowedPattern"]
        message = declared.get("ConstraintDescription", f"It must match {pattern}")
        result.append((f"can(regex({written(pattern)}, {whole}))", message.removesuffix(".")))
    if "AllowedValues" in declared and not is_bool(declared):
        values = declared["AllowedValues"]
        result.append((f"contains({json.dumps(values)}, {variable})", f"One of {', '.join(map(str, values))}"))
    if "MinValue" in declared:
        low, high = declared["MinValue"], declared["MaxValue"]
        result.append((f"{variable} >= {low} && {variable} <= {high}", f"From {low} to {high}"))
    return [(test, f"{message}.") for test, message in result]


def _locals(template: dict[str, Any]) -> str:
    parameters = template["Parameters"]
    conditions = {
        snake(name): Raw(condition(declared, parameters))
        for name, declared in template["Conditions"].items()
        if not name.startswith("HasSlot") and name not in ("HasArtifactBucket", NAMES_EVERYTHING)
    }
    hosts = {partition: declared["Host"] for partition, declared in template["Mappings"]["Console"].items()}
    derived = 'substr(sha256("${local.account}/${local.region}/${var.cluster_name}"), 0, 8)'
    body = {
        "id": Raw(f'var.id != "" ? var.id : {derived}'),
        "planner": Raw('"${var.name_prefix}-${local.id}-planner"'),
        "from_bucket": Raw('var.artifact_bucket != ""'),
        "console": Raw("local.consoles[local.partition]"),
        "dashboard_url": Raw(
            '"https://${local.console}/cloudwatch/home?region=${local.region}'
            '#dashboards/dashboard/egressprobe-${var.cluster_name}"'
        ),
        "page_topic": Raw("local.make_topic ? aws_sns_topic.topic[0].arn : var.alarm_topic_arn"),
        "consoles": hosts,
    }
    slots = '[for slot, subnet in var.subnets : tostring(slot) if subnet != "-"]'
    lines = [
        "locals {",
        "  # A subnet keeps its slot: its place in the list.",
        f"  slots = {slots}",
        "",
        *arguments(body, 2),
        "",
        *arguments(conditions, 2),
        "}",
        "",
    ]
    return "\n".join(lines)


def _outputs(template: dict[str, Any], made: Resources) -> list[str]:
    texts = []
    for name, declared in template["Outputs"].items():
        value = made.expressions.value(declared["Value"])
        if "Condition" in declared:
            value = Choice(f"local.{snake(declared['Condition'])}", value, None)
        body = arguments({"description": declared["Description"], "value": value}, 2)
        texts.append("\n".join([f'output "{snake(name)}" {{', *body, "}", ""]))
    return texts
