"""The template's resources as Terraform's: one for one, but for what the provider has as resources of their own.

A role's policies and a rule's targets are such. In CloudFormation a role is complete when something refers to it; here
a function, or a schedule, depends on its role's policies: Lambda needs them to make the network interfaces, and to
remove them when the function is deleted.

An alarm with a property that the provider lacks (WarmUpConfiguration) is made by AWS Cloud Control, which takes the
template's properties as they are: aws_cloudcontrolapi_resource of the same provider.
https://docs.aws.amazon.com/cloudcontrolapi/latest/userguide/what-is-cloudcontrolapi.html
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from egressprobe.stack.terraform.expressions import NO_VALUE, SLOT, Expressions, may_be_null, snake
from egressprobe.stack.terraform.shapes import CLOUD_CONTROL, SHAPES, TARGET, Encoded, Nested, Pairs, Part
from egressprobe.stack.terraform.values import Block, Json, Raw, Text

_LACKS = {"AWS::CloudWatch::Alarm": frozenset({"WarmUpConfiguration"})}
# The property with the name that the template gives only under the condition.
NAMES_EVERYTHING = "NamesEverything"
_NAME_OF = {"AWS::IAM::Role": "RoleName", "AWS::SNS::Topic": "TopicName", "AWS::Events::Rule": "Name"}
_ADDED_BY_SAM = "lambda:createdBy"
_CODE = {"ProbeArtifact": "probe", "PlannerArtifact": "planner"}


class TerraformResource(NamedTuple):
    """body: arguments and blocks. origin: logical id and type in the template. repeat: its count or for_each."""

    type: str
    name: str
    body: dict[str, Any]
    origin: tuple[str, str]
    repeat: dict[str, Raw]
    after: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        return f"{self.type}.{self.name}"


class Resources:
    """The resources of an expanded template that has one slot, SLOT. Raises ValueError for what is not known."""

    def __init__(self, template: dict[str, Any]) -> None:
        self._template = template
        self.expressions = Expressions(template, self._attribute)

    def all(self, only: str = "") -> Iterator[TerraformResource]:
        """Of the whole template, or of one logical id."""
        for name, declared in self._template["Resources"].items():
            if only in ("", name):
                yield from self._of(name, declared)

    def _of(self, name: str, declared: dict[str, Any]) -> Iterator[TerraformResource]:
        kind, properties = declared["Type"], declared["Properties"]
        if kind not in SHAPES:
            raise ValueError(f"{name}: the type {kind} has no resource in Terraform here (shapes.py)")
        resource = TerraformResource(
            self._type(name), _name(name), {}, (name, kind), self._repeat(declared), self._after(declared)
        )
        if resource.type == CLOUD_CONTROL:
            desired = self.expressions.value(properties)
            if any(map(may_be_null, desired.values())):
                raise ValueError(f"{name}: a property that may be absent cannot be given to Cloud Control")
            yield resource._replace(body={"type_name": kind, "desired_state": Json(desired)})
            return
        body: dict[str, Any] = {}
        if SHAPES[kind].named:
            body["name"] = self._given_name(name, kind, properties)
        left_out = ("Code", _NAME_OF.get(kind))
        body |= self._parts(name, SHAPES[kind].parts, {key: v for key, v in properties.items() if key not in left_out})
        yield resource._replace(body=body | self._own(kind, properties))
        yield from self._parted(resource, properties)

    def _given_name(self, name: str, kind: str, properties: dict[str, Any]) -> Any:
        """Where CloudFormation derives a name from the stack's, unless NamePrefix is set, Terraform gives that name."""
        declared = properties.get(_NAME_OF.get(kind, ""))
        if declared is None:
            return Text((Raw("var.name_prefix"), "-", Raw("local.id"), f"-{_name(name).replace('_', '-')}"))
        condition, given, otherwise = declared["Fn::If"]
        if (condition, otherwise) != (NAMES_EVERYTHING, NO_VALUE):
            raise ValueError(f"{name}: a name that does not depend on {NAMES_EVERYTHING} alone has no translation")
        return self.expressions.value(given)

    def _own(self, kind: str, properties: dict[str, Any]) -> dict[str, Any]:
        """What is not one property, one argument."""
        value = self.expressions.value
        match kind:
            case "AWS::Lambda::Function":
                artifact = _CODE[properties["Code"]["S3Key"]["Ref"]]
                return {
                    "filename": Raw(f"local.from_bucket ? null : var.{artifact}_zip"),
                    "source_code_hash": Raw(f"local.from_bucket ? null : filebase64sha256(var.{artifact}_zip)"),
                    "s3_bucket": Raw("local.from_bucket ? var.artifact_bucket : null"),
                    "s3_key": Raw(f"local.from_bucket ? var.{artifact}_artifact : null"),
                    "lifecycle": Block({"precondition": _code_is_given(artifact)}),
                }
            case "AWS::IAM::Policy":
                [role] = properties["Roles"]
                return {"role": value(role)}
            case "AWS::SNS::TopicPolicy":
                [topic] = properties["Topics"]
                return {"arn": value(topic)}
            case "AWS::CloudWatch::CompositeAlarm" if "ActionsSuppressor" in properties:
                suppressor = {
                    "alarm": value(properties["ActionsSuppressor"]),
                    "wait_period": value(properties["ActionsSuppressorWaitPeriod"]),
                    "extension_period": value(properties["ActionsSuppressorExtensionPeriod"]),
                }
                return {"actions_suppressor": Block(suppressor)}
        return {}

    def _parted(self, whole: TerraformResource, properties: dict[str, Any]) -> Iterator[TerraformResource]:
        name, kind = whole.origin
        index = self._index(name, "each.key")
        if kind == "AWS::IAM::Role":
            for policy in properties["Policies"]:
                body = self._parts(name, SHAPES["AWS::IAM::Policy"].parts, policy)
                body["role"] = Raw(f"{whole.address}{index}.name")
                part = f"{whole.name}_{policy['PolicyName'].replace('-', '_')}"
                yield whole._replace(type="aws_iam_role_policy", name=part, body=body, after=())
        if kind == "AWS::Events::Rule":
            for target in properties["Targets"]:
                body = {"rule": Raw(f"{whole.address}{index}.name")} | self._parts(name, TARGET, target)
                part = f"{whole.name}_{target['Id'].replace('-', '_')}"
                yield whole._replace(type="aws_cloudwatch_event_target", name=part, body=body, after=())

    def _parts(self, where: str, parts: dict[str, Part], declared: dict[str, Any]) -> dict[str, Any]:
        body: dict[str, Any] = {}
        for name, node in declared.items():
            if name not in parts:
                raise ValueError(f"{where}: the property {name} has no argument in Terraform here (shapes.py)")
            match parts[name]:
                case str() as argument:
                    body[argument] = self.expressions.value(node)
                case Encoded(argument):
                    body[argument] = Json(self.expressions.value(node))
                case Pairs(argument, key):
                    pairs = {entry[key]: self.expressions.value(entry["Value"]) for entry in node}
                    pairs.pop(_ADDED_BY_SAM, None)
                    body[argument] = pairs
                case Nested("", inner):
                    body |= self._parts(where, inner, node)
                case Nested(argument, inner):
                    body[argument] = self._blocks(where, inner, node)
        return body

    def _blocks(self, where: str, parts: dict[str, Part], node: Any) -> Any:
        if isinstance(node, list):
            return [Block(self._parts(where, parts, entry)) for entry in node]
        if list(node) != ["Fn::If"]:
            return Block(self._parts(where, parts, node))
        condition, yes, no = node["Fn::If"]
        if no != NO_VALUE:
            raise ValueError(f"{where}: a block that is one of two has no translation")
        return Block(self._parts(where, parts, yes), f"local.{snake(condition)}")

    def _type(self, name: str) -> str:
        declared = self._template["Resources"][name]
        lacks = _LACKS.get(declared["Type"], frozenset())
        return CLOUD_CONTROL if lacks & declared["Properties"].keys() else SHAPES[declared["Type"]].type

    def _repeat(self, declared: dict[str, Any]) -> dict[str, Raw]:
        condition = declared.get("Condition", "")
        if condition == f"HasSlot{SLOT}":
            return {"for_each": Raw("toset(local.slots)")}
        return {"count": Raw(f"local.{snake(condition)} ? 1 : 0")} if condition else {}

    def _index(self, name: str, slot: str) -> str:
        condition = self._template["Resources"][name].get("Condition", "")
        return f"[{slot}]" if condition == f"HasSlot{SLOT}" else "[0]" if condition else ""

    def _after(self, declared: dict[str, Any]) -> tuple[str, ...]:
        after = [declared["DependsOn"]] if "DependsOn" in declared else []
        result = [f"{self._type(entry)}.{_name(entry)}" for entry in after]
        properties = declared["Properties"]
        role = properties.get("Role") or properties.get("Target", {}).get("RoleArn")
        if role is not None:
            name = role["Fn::If"][1]["Fn::GetAtt"][0]  # or one of the user's own
            policies = self._template["Resources"][name]["Properties"]["Policies"]
            result += [
                f"aws_iam_role_policy.{_name(name)}_{entry['PolicyName'].replace('-', '_')}" for entry in policies
            ]
        return tuple(result)

    def _attribute(self, name: str, attribute: str, slot: str) -> str:
        """Of a resource, by its logical id: Ref, or Arn."""
        shape, kind = SHAPES[self._template["Resources"][name]["Type"]], self._type(name)
        whole = f"{kind}.{_name(name)}{self._index(name, slot)}"
        if kind == CLOUD_CONTROL:
            return f"{whole}.id" if attribute == "Ref" else f'jsondecode({whole}.properties)["{attribute}"]'
        if attribute == "Ref":
            return f"{whole}.{shape.ref}"
        if attribute != "Arn":
            raise ValueError(f"{name}.{attribute} has no translation to Terraform")
        return shape.arn.format(whole)


def _code_is_given(artifact: str) -> Block:
    """Without it Terraform's message names no variable."""
    test = f'local.from_bucket ? var.{artifact}_artifact != "" : can(filebase64sha256(var.{artifact}_zip))'
    message = f"Set {artifact}_zip to the file that make build writes, or artifact_bucket and {artifact}_artifact."
    return Block({"condition": Raw(test), "error_message": message})


def _name(logical_id: str) -> str:
    return snake(re.sub(SLOT, "", logical_id))
