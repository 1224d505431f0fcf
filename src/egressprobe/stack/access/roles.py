"""`make roles`: what the stack's roles are trusted for and allowed, for roles of one's own in their place.

The documents are those of the template, with the stack's parameters filled in, so that there is one source. What is
known only after the stack was created is a wildcard: the part of names that is derived from the stack's ID, and the
rest of a name that CloudFormation makes. A condition with such a value compares by StringLike or ArnLike: StringEquals
would take the wildcard as it is.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

import re
from typing import Any, NamedTuple

from egressprobe.stack.access.parameters import check_parameters

# Parameters that name a role of one's own -> the role that the stack creates without it.
OWN_ROLES = {
    f"{name}Arn": name for name in ("ProbeRole", "DiscoverRole", "PlannerRole", "ScheduleRole", "PlannerScheduleRole")
}
_GONE = object()
# Type -> property with the name, service, the rest of the ARN
_ARNS = {
    "AWS::Lambda::Function": ("FunctionName", "lambda", "function:{}"),
    "AWS::Logs::LogGroup": ("LogGroupName", "logs", "log-group:{}:*"),
    "AWS::Scheduler::ScheduleGroup": ("Name", "scheduler", "schedule-group/{}"),
    "AWS::IAM::Role": ("RoleName", "iam", "role{path}{}"),
    "AWS::SNS::Topic": ("TopicName", "sns", "{}"),
}
# CloudFormation shortens a name that is too long; so many characters of the stack's name are taken to be left.
_MAX_STACK_NAME, _KEPT = 30, 20


class StackPlace(NamedTuple):
    """Where the stack is, or is to be. cluster: a name, or * for every one of the account."""

    partition: str
    region: str
    account: str
    stack: str
    cluster: str


class StackRole(NamedTuple):
    """trust: the document of who may assume it; policies: name -> document."""

    trust: dict[str, Any]
    policies: dict[str, dict[str, Any]]


def role_policies(template: dict[str, Any], place: StackPlace, given: dict[str, str]) -> dict[str, StackRole]:
    """Parameter of a role of one's own -> what that role needs. template: expanded; given: the stack's parameters.

    A role is in it if the stack would create it without its parameter. Raises InputError for an unknown or bad one.
    """
    check_parameters(template, given)
    own = dict.fromkeys(OWN_ROLES, "")
    wanted, created = _Documents(template, place, given), _Documents(template, place, given | own)
    roles = {}
    for parameter, name in OWN_ROLES.items():
        role = template["Resources"][name]
        if not created.holds(role.get("Condition")):
            continue
        policies = list(role["Properties"]["Policies"])
        for other in template["Resources"].values():
            if other["Type"] == "AWS::IAM::Policy" and {"Ref": name} in other["Properties"]["Roles"]:
                policies += [other["Properties"]] if created.holds(other.get("Condition")) else []
        documents = {
            policy["PolicyName"]: _with_wildcards(wanted.value(policy["PolicyDocument"])) for policy in policies
        }
        roles[parameter] = StackRole(
            _with_wildcards(wanted.value(role["Properties"]["AssumeRolePolicyDocument"])), documents
        )
    return roles


def stack_pattern(stack: str, logical_id: str = "") -> str:
    """The names that CloudFormation makes for a stack's resources, or for one of them, as a pattern."""
    if len(stack) > _MAX_STACK_NAME:
        return f"{stack[:_KEPT]}*"
    return f"{stack}-{logical_id}-*" if logical_id else f"{stack}-*"


class _Documents:
    """Values of the template. What a policy document refers to is known; anything else raises ValueError."""

    def __init__(self, template: dict[str, Any], place: StackPlace, given: dict[str, str]) -> None:
        self._template, self._place = template, place
        defaults = {name: str(declared.get("Default", "")) for name, declared in template["Parameters"].items()}
        self._parameters = defaults | {"ClusterName": place.cluster} | given
        arn = f"arn:{place.partition}:cloudformation:{place.region}:{place.account}:stack/{place.stack}/*"
        self._pseudo = {
            "AWS::NoValue": _GONE,
            "AWS::Region": place.region,
            "AWS::Partition": place.partition,
            "AWS::AccountId": place.account,
            "AWS::StackId": arn,
        }

    def holds(self, condition: str | None) -> bool:
        return condition is None or self._decide(self._template["Conditions"][condition])

    def _decide(self, declared: dict[str, Any]) -> bool:
        [(function, value)] = declared.items()
        match function:
            case "Fn::Equals":
                return str(self.value(value[0])) == str(self.value(value[1]))
            case "Fn::Not":
                return not self._decide(value[0])
            case "Fn::And":
                return all(map(self._decide, value))
            case "Condition":
                return self.holds(value)
        raise ValueError(f"{function} in a condition of the template")

    def value(self, node: Any) -> Any:
        if isinstance(node, list):
            return [item for item in map(self.value, node) if item is not _GONE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            [(function, declared)] = node.items()
            if function == "Ref":
                return self._ref(declared)
            if function.startswith("Fn::"):
                return self._function(function, declared)
        return {key: self.value(item) for key, item in node.items()}

    def _function(self, function: str, declared: Any) -> Any:
        match function:
            case "Fn::If":
                return self.value(declared[1] if self.holds(declared[0]) else declared[2])
            case "Fn::Sub":
                text, own = (declared, {}) if isinstance(declared, str) else declared
                known = {name: self.value(value) for name, value in own.items()}
                return re.sub(r"\$\{([^}]+)\}", lambda name: str(known.get(name[1]) or self._ref(name[1])), text)
            case "Fn::Select":
                return self.value(declared[1])[int(declared[0])]
            case "Fn::Split":
                return str(self.value(declared[1])).split(declared[0])
            case "Fn::GetAtt":
                return self._arn(declared[0] if isinstance(declared, list) else declared.partition(".")[0])
        raise ValueError(f"{function} in a policy of the template")

    def _ref(self, name: str) -> Any:
        if name in self._pseudo:
            return self._pseudo[name]
        if name in self._parameters:
            return self._parameters[name]
        return self._arn(name) if self._template["Resources"][name]["Type"] == "AWS::SNS::Topic" else self._name(name)

    def _name(self, name: str) -> str:
        resource = self._template["Resources"][name]
        given = self.value(resource["Properties"].get(_ARNS[resource["Type"]][0], {"Ref": "AWS::NoValue"}))
        return stack_pattern(self._place.stack, name) if given is _GONE else str(given)

    def _arn(self, name: str) -> str:
        _, service, rest = _ARNS[self._template["Resources"][name]["Type"]]
        region = "" if service == "iam" else self._place.region
        whole = rest.format(self._name(name), path=self._parameters["RolePath"])
        return f"arn:{self._place.partition}:{service}:{region}:{self._place.account}:{whole}"


def _with_wildcards(document: dict[str, Any]) -> dict[str, Any]:
    """StringEquals becomes StringLike or ArnLike for keys whose value has a wildcard."""
    return document | {"Statement": [_statement(statement) for statement in document["Statement"]]}


def _statement(statement: dict[str, Any]) -> dict[str, Any]:
    conditions: dict[str, dict[str, Any]] = {}
    for operator, pairs in statement.get("Condition", {}).items():
        for key, value in pairs.items():
            like = "ArnLike" if key == "aws:SourceArn" else "StringLike"
            other = like if operator == "StringEquals" and "*" in "".join(value) else operator
            conditions.setdefault(other, {})[key] = value
    return statement | ({"Condition": conditions} if conditions else {})
