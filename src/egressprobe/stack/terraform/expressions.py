"""CloudFormation's functions as expressions of Terraform.

The template is expanded with one slot, SLOT, in place of the sixteen: what the slot's resources contain becomes
`each.key`. A list of sixteen conditional elements, one for each slot, becomes a list over the slots in use; that all
sixteen are alike is checked.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from egressprobe.stack.terraform.values import Choice, EachSlot, Filtered, JoinedText, Raw, Text, written

SLOT = "90909"
SLOTS = 16
# Parameters that are lists, written as one text with commas in CloudFormation.
LISTS = frozenset(
    {
        "SecurityGroupIds",
        "Subnets",
        "ClusterSecurityGroupIds",
        "Exclude",
        "AuditSkip",
        "PlannerSubnetIds",
        "PlannerSecurityGroupIds",
    }
)
_ID = {"Fn::Select": [0, {"Fn::Split": ["-", {"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}]}]}]}
_PSEUDO = {
    "AWS::Region": "local.region",
    "AWS::AccountId": "local.account",
    "AWS::Partition": "local.partition",
    "AWS::URLSuffix": "local.dns_suffix",
    # --stack takes the Planner's name, too.
    "AWS::StackName": "local.planner",
}
_SUBNETS = {"Fn::Split": [",", {"Fn::Sub": "${Subnets}" + ",-" * (SLOTS - 1)}]}
_HOST = {"Fn::FindInMap": ["Console", {"Ref": "AWS::Partition"}, "Host"]}
_DASHBOARD = "https://${Host}/cloudwatch/home?region=${AWS::Region}#dashboards/dashboard/egressprobe-${ClusterName}"
_PAGES = {"Fn::If": ["MakeTopic", {"Ref": "Topic"}, {"Ref": "AlarmTopicArn"}]}
# What the template repeats, as locals of the module (module.py).
_NAMED = {
    json.dumps(_ID): "local.id",
    json.dumps(_SUBNETS): "var.subnets",
    json.dumps(_HOST): "local.console",
    json.dumps({"Fn::Sub": [_DASHBOARD, {"Host": _HOST}]}): "local.dashboard_url",
    json.dumps(_PAGES): "local.page_topic",
}
NO_VALUE = {"Ref": "AWS::NoValue"}


def snake(name: str) -> str:
    """AlarmTopicArn -> alarm_topic_arn."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


class Expressions:
    """attribute(logical id, attribute or "Ref", slot expression) -> the expression for it."""

    def __init__(self, template: dict[str, Any], attribute: Callable[[str, str, str], str]) -> None:
        self._parameters, self._attribute = template["Parameters"], attribute

    def value(self, node: Any, slot: str = "each.key") -> Any:
        """A value of values.py. Raises ValueError for what has no translation."""
        if isinstance(node, str):
            return self._text(node, {}, slot) if SLOT in node else node
        if isinstance(node, list):
            return self._list(node, slot)
        if not isinstance(node, dict):
            return node
        if (named := _NAMED.get(json.dumps(node))) is not None:
            return Raw(named)
        if len(node) == 1:
            [(function, declared)] = node.items()
            if function == "Ref":
                return self._ref(declared, slot)
            if function.startswith("Fn::"):
                return self._function(function, declared, slot)
        return {key: self.value(item, slot) for key, item in node.items()}

    def _function(self, function: str, declared: Any, slot: str) -> Any:
        match function:
            case "Fn::If":
                return Choice(
                    f"local.{snake(declared[0])}", self.value(declared[1], slot), self.value(declared[2], slot)
                )
            case "Fn::Sub":
                text, own = (declared, {}) if isinstance(declared, str) else declared
                return self._text(text, own, slot)
            case "Fn::Join":
                return JoinedText(declared[0], self.value(declared[1], slot))
            case "Fn::Split":
                return self._split(declared, slot)
            case "Fn::Select":
                return self._select(declared, slot)
            case "Fn::GetAtt":
                name, attribute = declared if isinstance(declared, list) else declared.split(".", 1)
                return Raw(self._attribute(name, attribute, slot))
        raise ValueError(f"{function} has no translation to Terraform")

    def _split(self, declared: list[Any], slot: str) -> Raw:
        whole = declared[1]
        name = whole.get("Ref") or str(whole.get("Fn::Sub", "")).removeprefix("${").removesuffix("}")
        if declared[0] == "," and name in LISTS:
            return Raw(f"var.{snake(name)}")
        return Raw(f'split("{declared[0]}", {written(self.value(whole, slot))})')

    def _select(self, declared: list[Any], slot: str) -> Raw:
        index = slot if str(declared[0]) == SLOT else str(declared[0])
        return Raw(f"{written(self.value(declared[1], slot))}[{index}]")

    def _ref(self, name: str, slot: str) -> Any:
        if name == "AWS::NoValue":
            return None
        if name in _PSEUDO:
            return Raw(_PSEUDO[name])
        if name not in self._parameters:
            return Raw(self._attribute(name, "Ref", slot))
        return Raw(f'join(",", var.{snake(name)})' if name in LISTS else f"var.{snake(name)}")

    def _text(self, text: str, own: dict[str, Any], slot: str) -> Any:
        parts: list[str | Raw] = []
        for piece in re.split(rf"(\$\{{[^}}]+\}}|{SLOT})", text):
            if piece == SLOT:
                parts.append(Raw(slot))
            elif piece.startswith("${"):
                parts.append(Raw(written(self._substitute(piece[2:-1], own, slot))))
            elif piece:
                parts.append(piece)
        return Text(tuple(parts))

    def _substitute(self, name: str, own: dict[str, Any], slot: str) -> Any:
        if name in own:
            return self.value(own[name], slot)
        if "." in name:
            resource, attribute = name.split(".", 1)
            return Raw(self._attribute(resource, attribute, slot))
        return self._ref(name, slot)

    def _list(self, node: list[Any], slot: str) -> Any:
        if len(node) == SLOTS and all(_slot_of(item) == str(n) for n, item in enumerate(node)):
            return EachSlot(self.value(_alike(node), "slot"))
        items = tuple(self.value(item, slot) for item in node)
        if any(isinstance(item, Choice) and may_be_null(item) for item in items):
            return Filtered(items)
        return list(items)


def may_be_null(value: Any) -> bool:
    return value is None or (isinstance(value, Choice) and (may_be_null(value.yes) or may_be_null(value.no)))


def _slot_of(item: Any) -> str:
    """The N of {"Fn::If": ["HasSlotN", ..., AWS::NoValue]}; empty for anything else."""
    if not isinstance(item, dict) or list(item) != ["Fn::If"] or item["Fn::If"][2] != NO_VALUE:
        return ""
    return str(item["Fn::If"][0]).removeprefix("HasSlot")


def _alike(items: list[Any]) -> Any:
    """The element for SLOT. Raises ValueError where the elements differ by more than their slot."""
    general = set()
    for number, item in enumerate(items):
        text = json.dumps(item["Fn::If"][1])
        text = re.sub(rf"\$\{{([A-Za-z]+){number}\}}", rf"${{\g<1>{SLOT}}}", text)
        text = re.sub(rf'"Fn::Select": \["?{number}"?, (\{{"Fn::Split": \[",")', rf'"Fn::Select": ["{SLOT}", \1', text)
        general.add(text)
    if len(general) != 1:
        raise ValueError(f"the elements of the slots differ: {sorted(general)[:2]}")
    return json.loads(general.pop())


def condition(declared: dict[str, Any], parameters: dict[str, Any]) -> str:
    """A condition of the template as an expression."""
    [(function, value)] = declared.items()
    match function:
        case "Condition":
            return f"local.{snake(value)}"
        case "Fn::And":
            return " && ".join(condition(entry, parameters) for entry in value)
        case "Fn::Not":
            return _equal(value[0]["Fn::Equals"], parameters, negated=True)
        case "Fn::Equals":
            return _equal(value, parameters, negated=False)
    raise ValueError(f"{function} has no translation to Terraform")


def _equal(sides: list[Any], parameters: dict[str, Any], *, negated: bool) -> str:
    name, other = sides[0]["Ref"], sides[1]
    variable = f"var.{snake(name)}"
    if name in LISTS and other == "":
        return f"length({variable}) {'>' if negated else '=='} 0"
    if is_bool(parameters[name]):
        return f"{'!' if negated != (other == 'false') else ''}{variable}"
    return f"{variable} {'!=' if negated else '=='} {json.dumps(other)}"


def is_bool(parameter: dict[str, Any]) -> bool:
    return list(parameter.get("AllowedValues", ())) == ["true", "false"]
