"""A template rendered as CloudFormation would: conditions decided, functions resolved, names given.

Enough of the template language for ours, and nothing silently passed over: what is not known raises.
"""

import copy
import functools
import re
from typing import Any

from egressprobe.stack.template import expanded

ACCOUNT, REGION, STACK_ID = "123456789012", "eu-west-1", "1a2b3c4d-0000-4000-8000-000000000000"
_GONE = object()

# type -> (Ref, GetAtt Arn), from the logical id and the resolved properties
_ARN = "arn:{partition}:{service}:{region}:{account}:{rest}"
_NAMES = {
    "AWS::Lambda::Function": ("FunctionName", "lambda", "function:{}"),
    "AWS::IAM::Role": ("RoleName", "iam", "role{path}{}"),
    "AWS::Logs::LogGroup": ("LogGroupName", "logs", "log-group:{}:*"),
    "AWS::Scheduler::ScheduleGroup": ("Name", "scheduler", "schedule-group/{}"),
    "AWS::CloudWatch::Alarm": ("AlarmName", "cloudwatch", "alarm:{}"),
    "AWS::CloudWatch::CompositeAlarm": ("AlarmName", "cloudwatch", "alarm:{}"),
    "AWS::SNS::Topic": ("TopicName", "sns", "{}"),
    "AWS::Events::Rule": ("Name", "events", "rule/{}"),
    "AWS::Oam::Sink": ("Name", "oam", "sink/{}"),
}


class Rendered:
    """`resources`: logical id -> {Type, Properties}, of those whose condition holds; `outputs` by name."""

    def __init__(
        self, template: dict[str, Any], given: dict[str, str], *, region: str = REGION, partition: str = "aws"
    ):
        self._template, self._region, self._partition = template, region, partition
        defaults = {name: said["Default"] for name, said in template["Parameters"].items() if "Default" in said}
        self.parameters = {name: str(value) for name, value in (defaults | given).items()}
        missing = template["Parameters"].keys() - self.parameters.keys()
        assert not missing, missing
        assert not given.keys() - template["Parameters"].keys()
        for name, said in template["Parameters"].items():
            value = self.parameters[name]
            assert re.search(said.get("AllowedPattern", ""), value), f"{name}={value} is refused by its pattern"
            assert value in map(str, said.get("AllowedValues", [value])), f"{name}={value}"
            assert float(said.get("MinValue", "-inf")) <= float(value if said["Type"] == "Number" else 0), name
            assert said["Type"] != "Number" or float(value) <= float(said.get("MaxValue", "inf")), name
        self.resources = {
            name: {"Type": said["Type"], "Properties": self.value(said.get("Properties", {}))}
            for name, said in template["Resources"].items()
            if self.holds(said.get("Condition"))
        }
        self.outputs = {
            name: self.value(said["Value"])
            for name, said in template["Outputs"].items()
            if self.holds(said.get("Condition"))
        }

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        """Properties of every resource of a type, by logical id."""
        return {name: one["Properties"] for name, one in self.resources.items() if one["Type"] == kind}

    def holds(self, condition: str | None) -> bool:
        return condition is None or self._decide(self._template["Conditions"][condition])

    def _decide(self, said: dict[str, Any]) -> bool:
        [(function, value)] = said.items()
        match function:
            case "Fn::Equals":
                left, right = map(self.value, value)
                return str(left) == str(right)
            case "Fn::Not":
                return not self._decide(value[0])
            case "Fn::And":
                return all(map(self._decide, value))
            case "Fn::Or":
                return any(map(self._decide, value))
            case "Condition":
                return self.holds(value)
        raise AssertionError(function)

    def value(self, node: Any) -> Any:
        """Literals only; what became AWS::NoValue is gone."""
        if isinstance(node, list):
            return [item for item in map(self.value, node) if item is not _GONE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            [(function, said)] = node.items()
            if function == "Ref":
                return self._ref(said)
            if function.startswith("Fn::"):
                return self._function(function, said)
        found = {key: self.value(item) for key, item in node.items()}
        return {key: item for key, item in found.items() if item is not _GONE}

    def _function(self, function: str, said: Any) -> Any:
        match function:
            case "Fn::If":
                return self.value(said[1] if self.holds(said[0]) else said[2])
            case "Fn::Sub":
                text, own = (said, {}) if isinstance(said, str) else said
                return re.sub(r"\$\{([^}!]+)\}", lambda m: str(self._substitute(m[1], own)), text)
            case "Fn::Join":
                return said[0].join(map(str, self.value(said[1])))
            case "Fn::Split":
                return str(self.value(said[1])).split(said[0])
            case "Fn::Select":
                return self.value(said[1])[int(said[0])]
            case "Fn::FindInMap":
                name, first, second = map(self.value, said)
                return self._template["Mappings"][name][first][second]
            case "Fn::GetAtt":
                return self._attribute(*(said if isinstance(said, list) else said.split(".", 1)))
        raise AssertionError(function)

    def _substitute(self, name: str, own: dict[str, Any]) -> Any:
        if name in own:
            return self.value(own[name])
        return self._attribute(*name.split(".", 1)) if "." in name else self._ref(name)

    def _ref(self, name: str) -> Any:
        known = {
            "AWS::NoValue": _GONE,
            "AWS::Region": self._region,
            "AWS::Partition": self._partition,
            "AWS::AccountId": ACCOUNT,
            "AWS::URLSuffix": "amazonaws.com.cn" if self._partition == "aws-cn" else "amazonaws.com",
            "AWS::StackName": "egressprobe-prod",
            "AWS::StackId": f"arn:{self._partition}:cloudformation:{self._region}:{ACCOUNT}:stack/egressprobe-prod/{STACK_ID}",
        }
        if name in known:
            return known[name]
        if name in self.parameters:
            return self.parameters[name]
        kind = self._existing(name)["Type"]
        return self._arn(name) if kind == "AWS::SNS::Topic" else self._name(name)

    def _existing(self, name: str) -> dict[str, Any]:
        said = self._template["Resources"][name]
        assert self.holds(said.get("Condition")), f"{name} does not exist under these parameters"
        return said

    def _name(self, name: str) -> str:
        """Without one in the template, CloudFormation makes one of the stack's name and the logical id."""
        said = self._existing(name)
        key = _NAMES.get(said["Type"], ("",))[0]
        given = self.value(said["Properties"].get(key, _GONE))
        return f"egressprobe-prod-{name}" if given is _GONE else str(given)

    def _attribute(self, name: str, attribute: str) -> str:
        assert attribute == "Arn", attribute
        return self._arn(name)

    def _arn(self, name: str) -> str:
        _, service, rest = _NAMES[self._existing(name)["Type"]]
        region = "" if service == "iam" else self._region
        path = self.value(self._existing(name).get("Properties", {}).get("Path", "/"))
        rest = rest.format(self._name(name), path="/" if path is _GONE else path)
        return _ARN.format(partition=self._partition, service=service, region=region, account=ACCOUNT, rest=rest)


SUBNETS = tuple(f"subnet-{i:08x}/eu-west-1{'abc'[i % 3]}" for i in range(16))


@functools.cache
def _template() -> dict[str, Any]:
    return expanded()


def template() -> dict[str, Any]:
    return copy.deepcopy(_template())


def rendered(subnets: int = 3, *, region: str = REGION, partition: str = "aws", **given: str) -> Rendered:
    """Our stack with so many subnets."""
    required = {
        "ClusterName": "prod",
        "SecurityGroupIds": "sg-0a,sg-0b",
        "Subnets": ",".join(SUBNETS[:subnets]),
        "ArtifactBucketPrefix": "artifacts",
        "ProbeArtifact": "probe.zip",
        "PlannerArtifact": "planner.zip",
    }
    return Rendered(_template(), required | given, region=region, partition=partition)
