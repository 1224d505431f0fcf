"""The clusters of the file, read in their accounts: subnets and security groups, as `make deploy` reads them.

A role of the account is assumed to read EKS and EC2 (deploy/fleet/survey-role.yaml). The caller's own account is read
with the caller's identity, and a cluster whose subnets and groups are in the file is not read at all. What goes wrong
with one cluster is its `problem`, and the others go on.
"""

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from egressprobe.model.errors import AwsError, InputError
from egressprobe.stack.aws_answers import aws_errors, error_line, field, is_foreign_answer
from egressprobe.stack.fleet.file import ClustersFile, ListedCluster
from egressprobe.stack.fleet.plan import DeployedStack, WantedStack
from egressprobe.stack.survey import ClusterSubnet, Survey, check_survey, read_survey, slots

_AT_ONCE = 8
_SESSION_NAME = "egressprobe-fleet"
# Parameters that follow from what was read; a value in the file is used in their place.
_SURVEYED = ("IpFamily", "SecurityGroupIds", "ClusterSecurityGroupIds", "AccessEntry")


class AccountClients:
    """boto3's clients in the accounts of the file. A role is assumed once.

    Sessions are not to be shared by threads, so that clients are made one at a time. What botocore has read of the
    services' descriptions is shared: reading that of EC2 takes longer than a call.
    """

    def __init__(self, session: Any, own_account: str, role: str) -> None:
        from botocore.loaders import create_loader

        self._session, self._role, self._loader = session, role, create_loader()
        self._sessions: dict[str, Any] = {own_account: session}
        self._refused: dict[str, Exception] = {}
        self._lock = threading.Lock()

    def client(self, service: str, account: str, region: str) -> Any:
        """Raises InputError where no role is named, and botocore's exceptions where it cannot be assumed."""
        with self._lock:
            return self._session_of(account).client(service, region_name=region)

    def _session_of(self, account: str) -> Any:
        if account in self._refused:
            raise self._refused[account]
        if account not in self._sessions:
            try:
                self._sessions[account] = self._assumed(account)
            except Exception as error:
                self._refused[account] = error
                raise
        return self._sessions[account]

    def _assumed(self, account: str) -> Any:
        from boto3.session import Session
        from botocore.session import Session as Core

        if not self._role:
            raise InputError("", "surveyRole is not in the file; name the role, or give subnets and securityGroups")
        sts = self._session.client("sts")
        arn = f"arn:{sts.meta.partition}:iam::{account}:role/{self._role}"
        answer = sts.assume_role(RoleArn=arn, RoleSessionName=_SESSION_NAME)
        keys = field(answer, "AssumeRole", "Credentials")
        core = Core()
        core.register_component("data_loader", self._loader)
        return Session(
            field(keys, "AssumeRole", "AccessKeyId"),
            field(keys, "AssumeRole", "SecretAccessKey"),
            field(keys, "AssumeRole", "SessionToken"),
            botocore_session=core,
        )


class Surveyed(NamedTuple):
    """wanted: in the file's order. warnings: of a cluster, what deploys, but not as wished."""

    wanted: tuple[WantedStack, ...]
    warnings: tuple[str, ...]


def survey_fleet(
    clients: AccountClients,
    file: ClustersFile,
    deployed: Sequence[DeployedStack],
    planners: Mapping[str, str],
) -> Surveyed:
    """What each cluster's stack needs. planners: targets file -> key of the Planner that carries it."""
    before: dict[tuple[str, str, str], str] = {}
    for stack in sorted(deployed, key=lambda stack: stack.number):
        before.setdefault((stack.account, stack.region, stack.cluster), stack.overrides.get("Subnets", ""))

    def read(cluster: ListedCluster) -> tuple[WantedStack, list[str]]:
        deployed_subnets = before.get((cluster.account, cluster.region, cluster.name), "")
        overrides: dict[str, str] = {}
        problem = ""
        warnings: list[str] = []
        try:
            overrides, warnings = _overrides(clients, file, cluster, deployed_subnets)
            if cluster.targets:
                overrides["PlannerArtifact"] = planners[cluster.targets]
        except Exception as error:
            problem = _problem(error)
        return WantedStack(cluster.name, cluster.account, cluster.region, overrides, problem), warnings

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        read_clusters = list(pool.map(read, file.clusters))
    return Surveyed(
        tuple(stack for stack, _ in read_clusters),
        tuple(f"{stack.cluster}: {text.strip()}" for stack, warnings in read_clusters for text in warnings),
    )


def _overrides(
    clients: AccountClients, file: ClustersFile, cluster: ListedCluster, before: str
) -> tuple[dict[str, str], list[str]]:
    given = file.parameters_of(cluster)
    warnings: list[str] = []
    if cluster.subnets:
        subnets = [ClusterSubnet(*_parts(text), free=0, dual=True) for text in cluster.subnets]
        groups = ",".join(cluster.security_groups)
        surveyed = {"SecurityGroupIds": groups, "ClusterSecurityGroupIds": groups}
    else:
        survey = read_survey(
            clients.client("eks", cluster.account, cluster.region),
            clients.client("ec2", cluster.account, cluster.region),
            cluster.name,
        )
        subnets, surveyed, warnings = list(survey.subnets), _surveyed(survey), survey.warnings
        if "SecurityGroupIds" in given:
            survey = survey._replace(groups=tuple(given["SecurityGroupIds"].split(",")))
        check_survey(survey, [text.partition("/")[0] for text in before.split(",")])
    surveyed |= {name: given[name] for name in _SURVEYED if name in given}
    own = {"ClusterName": cluster.name, "Subnets": slots(before, sorted(subnets))}
    return surveyed | {name: str(value) for name, value in cluster.parameters.items()} | own, warnings


def _parts(text: str) -> tuple[str, str]:
    """Of SUBNET/ZONE."""
    subnet, _, zone = text.partition("/")
    return subnet, zone


def _surveyed(survey: Survey) -> dict[str, str]:
    groups = ",".join(survey.groups)
    return {
        "IpFamily": survey.ip_family,
        "SecurityGroupIds": groups,
        "ClusterSecurityGroupIds": groups,
        "AccessEntry": "false" if survey.authentication == "CONFIG_MAP" else "true",
    }


def _problem(error: Exception) -> str:
    """In one line. Raises what is not about the input, the account or AWS."""
    if isinstance(error, InputError):
        return f"{error.place} {error.message}" if error.place not in ("", "CLUSTER") else error.message
    if isinstance(error, AwsError):
        return str(error)
    if not isinstance(error, aws_errors()) and not is_foreign_answer(error):
        raise error
    return error_line(error)
