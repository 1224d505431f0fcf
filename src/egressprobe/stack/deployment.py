"""A deployment of egressprobe, as the configuration of its Planner's function describes it.

`--stack` names it: a stack of CloudFormation by its name, any deployment by its Planner's function (name or ARN). A
stack is read only to find its Planner, so what Terraform has made goes the same way. By a cluster's name it is found by
the tags of its functions: tag:GetResources shows ARNs and tags alone, lambda:ListFunctions would show the environment
of every function of the account.
https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from egressprobe.aws.observability.calls import DeniedError, called, paged
from egressprobe.aws.session import in_region
from egressprobe.model.errors import AwsError, InputError, short
from egressprobe.observability.flows.result import ObservedSubnet
from egressprobe.planner.incidents.settings import IncidentSettings, read_incident_settings
from egressprobe.planner.settings import Settings, read_settings
from egressprobe.stack.aws_answers import failures_as_lines, field
from egressprobe.stack.cloudformation import outputs

CLUSTER_TAG, PART_TAG = "egressprobe:cluster", "egressprobe:part"
_ARN = re.compile(r"arn:[^:]+:lambda:(?P<region>[a-z0-9-]+):\d{12}:function:[^:]+(:[^:]+)?")
# Of a name that no function has, or can have.
_NO_FUNCTION = ("ResourceNotFoundException", "ValidationException")
_EITHER = "give --stack NAME, or --local to probe from this computer"
_PAGE = 100  # the most that GetResources returns at once


class Deployment(NamedTuple):
    """planner: ARN of the function. settings, messages: as the Planner reads them. planner_logs: name of a log group.

    detail: MetricDetail, `target` or `subnet`.
    """

    planner: str
    settings: Settings
    messages: IncidentSettings
    planner_logs: str
    detail: str

    @property
    def name(self) -> str:
        """What --stack takes: the stack's name, or the Planner's where Terraform has made it."""
        return self.messages.stack

    @property
    def cluster(self) -> str:
        return self.settings.cluster_name

    @property
    def probe_logs(self) -> str:
        """Name of the log group of all probes."""
        return self.messages.probe_logs

    @property
    def subnets(self) -> tuple[ObservedSubnet, ...]:
        """Those with a probe, slot by slot."""
        return tuple(ObservedSubnet(probe.subnet_id, probe.availability_zone) for probe in self.settings.probes)


def session_for(named: str, region: str | None) -> Any:
    """boto3's session; region: None for that of a Planner's ARN, else of the environment or profile.

    Raises InputError and AwsError.
    """
    arn = _ARN.fullmatch(named)
    with failures_as_lines():
        return in_region(region or (arn and arn["region"]))


def deployment_of(session: Any, named: str) -> Deployment:
    """named: as --stack takes it. Raises InputError for what is no deployment of egressprobe, and AwsError."""
    with failures_as_lines():
        return _read(session, _planner_of_stack(session, named) or named)


def planner_of(session: Any, named: str) -> str:
    """Name or ARN of the Planner's function. Raises as `deployment_of`.

    Of a stack it needs cloudformation:DescribeStacks alone; a function is not invoked before it is known as a Planner.
    """
    with failures_as_lines():
        return _planner_of_stack(session, named) or _read(session, named).planner


def deployment_of_cluster(session: Any, cluster: str, named: str | None) -> Deployment:
    """The one that was named, if it is of this cluster, or the only one that there is.

    Raises InputError for one of another cluster, none, or several; AwsError where AWS does not answer.
    """
    if named is not None:
        deployment = deployment_of(session, named)
        if deployment.cluster != cluster:
            message = (
                f'"{short(named)}" belongs to the cluster "{short(deployment.cluster)}", not to "{short(cluster)}"'
            )
            raise InputError("--stack", message)
        return deployment
    try:
        planners = planners_by_cluster(session, cluster).get(cluster, ())
    except AwsError as error:
        raise AwsError(f"what probes {cluster} cannot be looked up: {error}; {_EITHER}") from None
    return only_deployment(session, cluster, planners)


def only_deployment(session: Any, cluster: str, planners: Sequence[str]) -> Deployment:
    """planners: ARNs of the cluster's. Raises InputError where there is none, or several, and AwsError."""
    with failures_as_lines():
        # A function that was deleted keeps its tags for a while.
        configurations = filter(None, (_configuration(session, planner) for planner in planners))
        deployments = [_described(configuration) for configuration in configurations]
    if not deployments:
        name = short(cluster)
        none = f'no function has the tag {CLUSTER_TAG} of a Planner of the cluster "{name}"'
        raise InputError("--stack", f"{none}; deploy one (make deploy CLUSTER={name}, or Terraform), {_EITHER}")
    if len(deployments) > 1:
        names = ", ".join(deployment.name for deployment in deployments)
        raise InputError("--stack", f'the cluster "{short(cluster)}" has several: {names}; name one of them')
    return deployments[0]


def planners_by_cluster(session: Any, cluster: str = "") -> dict[str, list[str]]:
    """ARNs of the Planners in the session's region, by cluster; cluster: of this one alone. Raises AwsError."""
    tag = {"Key": CLUSTER_TAG} | ({"Values": [cluster]} if cluster else {})
    planners: dict[str, list[str]] = {}
    with failures_as_lines():
        client = session.client("resourcegroupstaggingapi")
        pages = paged(
            client, "get_resources", TagFilters=[tag], ResourceTypeFilters=["lambda:function"], ResourcesPerPage=_PAGE
        )
    for function in (function for page in pages for function in page.get("ResourceTagMappingList") or ()):
        tags = {entry["Key"]: entry["Value"] for entry in function.get("Tags") or ()}
        arn = str(function["ResourceARN"])
        # Before there was the tag, each Planner's name ended like this.
        if tags.get(PART_TAG, arn.rpartition("-")[2]) == "planner":
            planners.setdefault(tags[CLUSTER_TAG], []).append(arn)
    return planners


def probe_groups(session: Any, deployment: Deployment) -> tuple[str, ...]:
    """The security groups of the probes, which all have the same. Raises AwsError."""
    with failures_as_lines():
        configuration = _configuration(session, deployment.settings.probes[0].function) or {}
    return tuple((configuration.get("VpcConfig") or {}).get("SecurityGroupIds") or ())


def _planner_of_stack(session: Any, named: str) -> str:
    """Empty where there is no such stack. Who may not describe stacks may name the Planner."""
    if not named.strip():
        raise InputError("--stack", "is empty; give the name of a stack, or its Planner's function")
    if _ARN.fullmatch(named):
        return ""
    try:
        return outputs(session.client("cloudformation"), named).get("PlannerFunction", "")
    except DeniedError as refusal:
        try:
            return _read(session, named).planner
        except (AwsError, InputError):
            raise refusal from None


def _read(session: Any, function: str) -> Deployment:
    arn = _ARN.fullmatch(function)
    if arn and arn["region"] != session.region_name:
        raise InputError("--stack", f"{function} is in {arn['region']}, not in {session.region_name}")
    configuration = _configuration(session, function)
    if configuration is None:
        where = session.region_name
        raise InputError("--stack", f'"{short(function)}" is neither a stack nor a Planner\'s function in {where}')
    return _described(configuration)


def _configuration(session: Any, function: str) -> dict[str, Any] | None:
    """None where there is no such function."""
    try:
        answer: dict[str, Any] = called(session.client("lambda"), "get_function_configuration", FunctionName=function)
    except AwsError as error:
        if any(code in str(error) for code in _NO_FUNCTION):
            return None
        raise
    return answer


def _described(configuration: dict[str, Any]) -> Deployment:
    """Raises InputError for a function that is not a Planner of this version, AwsError for an encrypted environment."""
    # Of a version or an alias the ARN ends with it; logs and alarms are of the function.
    arn = ":".join(str(field(configuration, "GetFunctionConfiguration", "FunctionArn")).split(":")[:7])
    name = arn.rpartition(":")[2]
    environment = configuration.get("Environment") or {}
    if environment.get("Error"):
        message = environment["Error"].get("Message", environment["Error"].get("ErrorCode"))
        raise AwsError(f"the environment of {name} cannot be read: {message}")
    variables = environment.get("Variables") or {}
    try:
        settings, messages = read_settings(variables), read_incident_settings(variables)
    except KeyError:
        raise InputError("--stack", f'the function "{short(name)}" is not a Planner of egressprobe') from None
    if not settings.probes:
        raise InputError(
            "--stack", f'the Planner "{short(name)}" has no probes: its EGRESSPROBE_SUBNETS names no subnet'
        )
    if not messages.probe_logs:
        raise InputError("--stack", f'the Planner "{short(name)}" is older than this command; deploy it again')
    return Deployment(
        planner=arn,
        settings=settings,
        messages=messages._replace(stack=messages.stack or name),
        # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-loggroups.html: the default's name
        planner_logs=(configuration.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{name}",
        detail=variables.get("EGRESSPROBE_METRIC_DETAIL", "target"),
    )
