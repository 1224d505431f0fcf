"""StackSets as the fleet uses them: what is deployed, and the calls that change it.

Every cluster has overrides of its own, so that its creation, update or deletion is an operation of its own.
ManagedExecution lets the operations of one set run side by side where they do not conflict. Parameters that the
template does not have a default for need a value in the set, although each instance overrides them.

https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_UpdateStackInstances.html
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from egressprobe.model.errors import InputError
from egressprobe.stack.aws_answers import field
from egressprobe.stack.cloudformation import CAPABILITIES
from egressprobe.stack.fleet.file import SERVICE_MANAGED, StackSetSettings
from egressprobe.stack.fleet.plan import DeployedStack, PlannedStack, StackChange, numbered_name, set_number

_AT_ONCE = 8
_OURS = frozenset({"ClusterName", "Subnets", "PlannerArtifact"})
_DESCRIPTION = "egressprobe: the probes of EKS clusters, one of each account and region"
# Values of the set alone: each instance overrides them.
_PLACEHOLDERS = {"ClusterName": "none", "Subnets": "subnet-0/none", "SecurityGroupIds": "sg-0"}
_BUSY = ("RUNNING", "QUEUED", "STOPPING")
# An update of the set reaches a quarter of the accounts at a time; a stack that fails is rolled back and does not stop
# the others.
_PREFERENCES = {
    "RegionConcurrencyType": "PARALLEL",
    "MaxConcurrentPercentage": 25,
    "FailureTolerancePercentage": 100,
    "ConcurrencyMode": "SOFT_FAILURE_TOLERANCE",
}


class StackSetContent(NamedTuple):
    """What is the same for every instance of a set. url: of the template, where it was uploaded."""

    template: dict[str, Any]
    parameters: dict[str, str]
    tags: dict[str, str]
    url: str = ""


class DeployedSet(NamedTuple):
    """number: from 1 on. content: None where its template is not JSON."""

    number: int
    content: StackSetContent | None
    roles: tuple[str, str]
    stacks: tuple[DeployedStack, ...]


def set_parameters(template: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    """Every parameter of the template: given, by default, or a placeholder. So a set's parameters are all written, and
    a set is known by them, whether its template is JSON or YAML.
    """
    values = {name: str(rule["Default"]) for name, rule in template["Parameters"].items() if "Default" in rule}
    return {**_PLACEHOLDERS, **values, **given}


class StackSets:
    """The sets of a name in one account and region. Raises botocore's exceptions, InputError and AwsError."""

    def __init__(self, formation: Any, settings: StackSetSettings) -> None:
        self._formation, self._settings = formation, settings
        self._service_managed = settings.permissions == SERVICE_MANAGED
        self._caller = {"CallAs": settings.call_as} if self._service_managed else {}

    def name(self, number: int) -> str:
        return numbered_name(self._settings.name, number)

    def numbers(self) -> list[int]:
        """Of the sets that exist."""
        pages = self._formation.get_paginator("list_stack_sets").paginate(Status="ACTIVE", **self._caller)
        names = [str(summary.get("StackSetName", "")) for page in pages for summary in page.get("Summaries", [])]
        return sorted(filter(None, (set_number(self._settings.name, name) for name in names)))

    def running(self, number: int) -> list[str]:
        """The operations that are not over."""
        pages = self._formation.get_paginator("list_stack_set_operations").paginate(**self._set(number))
        summaries = (summary for page in pages for summary in page.get("Summaries", []))
        return [str(summary.get("OperationId")) for summary in summaries if summary.get("Status") in _BUSY]

    def read(self, number: int) -> DeployedSet:
        """The set with its instances. Raises InputError for one of something else, or with other permissions."""
        answer = self._formation.describe_stack_set(**self._set(number))
        described = field(answer, "DescribeStackSet", "StackSet")
        content = _content(described)
        names = _values(described.get("Parameters")) if content is None else content.template.get("Parameters", {})
        if not names.keys() >= _OURS:
            raise InputError("stackSets.name", f'"{self.name(number)}" is a StackSet of something else; choose another')
        if described.get("PermissionModel", "SELF_MANAGED") != self._model:
            raise InputError(
                "stackSets.permissions",
                f'"{self.name(number)}" was created as {described.get("PermissionModel")}; '
                "that cannot be changed while it has instances",
            )
        if (described.get("AutoDeployment") or {}).get("Enabled"):
            raise InputError(
                "stackSets.name",
                f'"{self.name(number)}" deploys to new accounts by itself, which would be stacks of no cluster; turn '
                "automatic deployment off in the console of StackSets",
            )
        roles = (described.get("AdministrationRoleARN", ""), described.get("ExecutionRoleName", ""))
        return DeployedSet(number, content, roles, tuple(self._instances(number)))

    def differs(self, existing: DeployedSet, wanted: StackSetContent) -> bool:
        """Whether the set has to be updated for what its instances have in common."""
        content = existing.content
        if content is None or content._replace(url=wanted.url) != wanted:
            return True
        roles = (self._settings.administration_role, self._settings.execution_role)
        return any(role and role != deployed for role, deployed in zip(roles, existing.roles, strict=True))

    def create_set(self, number: int, content: StackSetContent) -> None:
        """Automatic deployment is off: an instance without overrides would be of no cluster."""
        automatic = {"AutoDeployment": {"Enabled": False}} if self._service_managed else {}
        self._formation.create_stack_set(**self._set(number), **self._content(content), **automatic)

    def update_set(self, number: int, content: StackSetContent, operation: str) -> None:
        """The set and all its instances, which keep what they override: a new parameter can be overridden after that
        only.
        """
        self._formation.update_stack_set(
            **self._set(number), **self._content(content), OperationPreferences=_PREFERENCES, OperationId=operation
        )

    def change(self, stack: PlannedStack, operation: str) -> None:
        """Begins the creation, update or deletion of one instance."""
        request = {**self._set(stack.number), **self._targets(stack), "Regions": [stack.region]}
        request["OperationId"] = operation
        if stack.change is StackChange.DELETE:
            self._formation.delete_stack_instances(**request, RetainStacks=False)
            return
        request["ParameterOverrides"] = _pairs(stack.overrides)
        if stack.change is StackChange.CREATE:
            self._formation.create_stack_instances(**request)
        else:
            self._formation.update_stack_instances(**request)

    def status(self, number: int, operation: str) -> tuple[str, str]:
        """Of an operation, with AWS's reason."""
        answer = self._formation.describe_stack_set_operation(**self._set(number), OperationId=operation)
        described = field(answer, "DescribeStackSetOperation", "StackSetOperation")
        return str(field(described, "DescribeStackSetOperation", "Status")), _reason(described)

    def results(self, number: int, operation: str) -> dict[tuple[str, str], tuple[str, str]]:
        """(account, region) -> status and reason, of each instance that the operation was about."""
        paginator = self._formation.get_paginator("list_stack_set_operation_results")
        pages = paginator.paginate(**self._set(number), OperationId=operation)
        return {
            (str(result.get("Account")), str(result.get("Region"))): (
                str(result.get("Status", "")),
                _reason(result),
            )
            for page in pages
            for result in page.get("Summaries", [])
        }

    def has(self, stack: PlannedStack) -> bool:
        """Whether the set has an instance there."""
        try:
            self._formation.describe_stack_instance(
                **self._set(stack.number), StackInstanceAccount=stack.account, StackInstanceRegion=stack.region
            )
        except self._formation.exceptions.StackInstanceNotFoundException:
            return False
        return True

    @property
    def _model(self) -> str:
        return "SERVICE_MANAGED" if self._service_managed else "SELF_MANAGED"

    def _set(self, number: int) -> dict[str, Any]:
        return {"StackSetName": self.name(number), **self._caller}

    def _content(self, content: StackSetContent) -> dict[str, Any]:
        settings = self._settings
        roles = {"AdministrationRoleARN": settings.administration_role, "ExecutionRoleName": settings.execution_role}
        return {
            "Description": _DESCRIPTION,
            "TemplateURL": content.url,
            "Parameters": _pairs(content.parameters),
            "Tags": [{"Key": name, "Value": value} for name, value in sorted(content.tags.items())],
            "Capabilities": CAPABILITIES,
            "PermissionModel": self._model,
            "ManagedExecution": {"Active": True},
        } | {name: role for name, role in roles.items() if role}

    def _targets(self, stack: PlannedStack) -> dict[str, Any]:
        """An instance was deployed by a unit, which may no longer be in the file."""
        if not self._service_managed:
            return {"Accounts": [stack.account]}
        units = [stack.unit] if stack.unit else list(self._settings.organizational_units)
        return {
            "DeploymentTargets": {
                "OrganizationalUnitIds": units,
                "Accounts": [stack.account],
                "AccountFilterType": "INTERSECTION",
            }
        }

    def _instances(self, number: int) -> Iterator[DeployedStack]:
        pages = self._formation.get_paginator("list_stack_instances").paginate(**self._set(number))
        summaries: Sequence[dict[str, Any]] = [summary for page in pages for summary in page.get("Summaries", [])]

        def read(summary: Mapping[str, Any]) -> DeployedStack:
            account, region = (str(field(summary, "ListStackInstances", key)) for key in ("Account", "Region"))
            answer = self._formation.describe_stack_instance(
                **self._set(number), StackInstanceAccount=account, StackInstanceRegion=region
            )
            described = field(answer, "DescribeStackInstance", "StackInstance")
            return DeployedStack(
                number=number,
                account=account,
                region=region,
                overrides=_values(described.get("ParameterOverrides")),
                status=str(field(described, "DescribeStackInstance", "Status")),
                created=bool(described.get("StackId")),
                reason=_reason(described),
                unit=str(described.get("OrganizationalUnitId", "")),
            )

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            yield from pool.map(read, summaries)


def _content(described: Mapping[str, Any]) -> StackSetContent | None:
    try:
        template = json.loads(described.get("TemplateBody", ""))
    except ValueError:
        return None
    if not isinstance(template, dict):
        return None
    tags = {str(tag.get("Key")): str(tag.get("Value")) for tag in described.get("Tags") or []}
    return StackSetContent(template, _values(described.get("Parameters")), tags)


def _reason(answer: Mapping[str, Any]) -> str:
    """In one line, without control characters: a stack's reason may quote what a resource's handler has printed."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(answer.get("StatusReason", ""))).split())


def _pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"ParameterKey": name, "ParameterValue": value} for name, value in sorted(values.items())]


def _values(parameters: Sequence[Mapping[str, Any]] | None) -> dict[str, str]:
    return {str(entry.get("ParameterKey")): str(entry.get("ParameterValue", "")) for entry in parameters or []}
