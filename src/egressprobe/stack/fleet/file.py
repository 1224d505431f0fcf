"""clusters.yaml: which clusters get a stack, where, and with which parameters.

Written as a targets file is: camelCase keys, and every mistake at once with its line (targets/lines.py). What the file
says of all clusters, a cluster's own entry replaces by parameter.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace

from egressprobe.model.errors import InputError, input_error, short
from egressprobe.stack.access.identifiers import ACCOUNT_ID, ORGANIZATION_ID
from egressprobe.stack.fleet.parameters import check_parameters, check_together
from egressprobe.stack.fleet.plan import set_number
from egressprobe.stack.survey import MAX_GROUPS, MAX_SUBNETS
from egressprobe.targets.decode import MOST_MISTAKES, all_mistakes, close_word, convert, convert_rest, field_of, kind_of
from egressprobe.targets.lines import TargetsFile, read_targets

SERVICE_MANAGED, SELF_MANAGED = "service-managed", "self-managed"
_CALLERS = ("SELF", "DELEGATED_ADMIN")
# https://docs.aws.amazon.com/organizations/latest/APIReference/API_OrganizationalUnit.html
_UNIT = re.compile(r"ou-[0-9a-z]{4,32}-[a-z0-9]{8,32}|r-[0-9a-z]{4,32}")
_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-[0-9]+")
_CLUSTER = re.compile(r"[0-9A-Za-z][A-Za-z0-9_-]{0,99}")
# https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStackSet.html; a number is added.
_STACK_SET = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,119}")
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html; -REGION is added.
_PREFIX = re.compile(r"[a-z0-9][a-z0-9-]{1,43}")
_ROLE = re.compile(r"(?:[\w+=,.@-]+/)*[\w+=,.@-]{1,64}", re.ASCII)
_ROLE_ARN = re.compile(r"arn:[^:]+:iam::[0-9]{12}:role/.+")
# The region of whoever runs the command would do until another one runs it, and deploys every cluster again.
_NO_REGION = "is missing; name the region of the StackSets, the same for whoever runs this"
# PRUNE=1 with the name before the number would delete the stacks of this file.
_NUMBERED = "ends like the second set of another name; choose one without a number at its end"
# The beginnings of regions' names in every partition but `aws`: botocore's partitions.json.
_PARTITION = re.compile(r"(cn|us-gov|us-iso[a-z]*|eu-iso[a-z]*|eusc)-")
_ELSEWHERE = "is in another partition of AWS than stackSets.region; give it a file of its own"
_SUBNET = re.compile(r"subnet-[0-9a-f]+/[a-z0-9-]+")
_GROUP = re.compile(r"sg-[0-9a-f]+")


class StackSetSettings(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """name: of the first StackSet; the next are NAME-2, NAME-3. region: of the StackSets; a deployment needs it.

    The roles are those of self-managed permissions, empty: AWS's default names; the organizational units and call_as
    those of service-managed ones.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-concepts.html
    """

    name: str = "egressprobe"
    region: str = ""
    permissions: str = SELF_MANAGED
    call_as: str = "SELF"
    organizational_units: tuple[str, ...] = ()
    administration_role: str = ""
    execution_role: str = ""


class ListedCluster(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A cluster of the file. parameters: its own alone. targets: a targets file, relative to clusters.yaml.

    subnets, as SUBNET/ZONE, and security_groups: by hand, both or neither; without them the cluster is read.
    """

    name: str
    account: str
    region: str
    parameters: dict[str, str | bool | int] = {}
    targets: str = ""
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} ({self.account}, {self.region})"


class ClustersFile(msgspec.Struct, frozen=True):
    """prefix: of the artifact buckets, empty: egressprobe-ACCOUNT. organization: whose accounts may read them.

    survey_role: name of the role that is assumed in an account to read its clusters; empty: the caller's own identity.
    parameters, tags: of all clusters.
    """

    name: str
    clusters: tuple[ListedCluster, ...]
    stack_sets: StackSetSettings = StackSetSettings()
    prefix: str = ""
    organization: str = ""
    survey_role: str = ""
    parameters: dict[str, str] = {}
    tags: dict[str, str] = {}

    def parameters_of(self, cluster: ListedCluster) -> dict[str, str]:
        """Those of all clusters, and the cluster's own in their place."""
        return self.parameters | texts(cluster.parameters)


class _ClustersDocument(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    clusters: list[Any]
    stack_sets: StackSetSettings = StackSetSettings()
    prefix: str = ""
    organization: str = ""
    survey_role: str = ""
    parameters: dict[str, str | bool | int] = {}
    tags: dict[str, str] = {}


def read_clusters(name: str, template_parameters: Mapping[str, Any] | None = None) -> ClustersFile:
    """The file `name`, checked; `-` is standard input. Raises InputError with every mistake and its line.

    template_parameters: `Parameters` of the template, to check all that a deployment needs; None: for other readers of
    the file, to which parameters and the StackSets' region do not matter.
    """
    file: TargetsFile = read_targets(name)
    return file.read(lambda document: _clusters_file(name, document, template_parameters))


def texts(parameters: Mapping[str, str | bool | int]) -> dict[str, str]:
    """Values as CloudFormation takes them: YAML's `false` and `7` are "false" and "7"."""
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in parameters.items()}


def _clusters_file(name: str, document: object, template_parameters: Mapping[str, Any] | None) -> ClustersFile:
    if not isinstance(document, dict):
        raise InputError("", f'expected an object with "clusters", got {kind_of(document)}')
    mistakes: list[InputError] = []
    raws = document.get("clusters")
    entries = _entries(raws if isinstance(raws, list) else [], template_parameters, mistakes)
    whole, malformed = convert_rest(document, _ClustersDocument, {"clusters": []})
    mistakes = [*malformed, *mistakes]
    unusable = {field_of(mistake) for mistake in malformed}
    if not whole.clusters and "clusters" not in unusable:
        mistakes.append(InputError("clusters", "is empty; give at least one cluster"))
    of_file = all_mistakes(_steps_of_file(whole, template_parameters))
    mistakes += [mistake for mistake in of_file if field_of(mistake) not in unusable]
    common = texts(whole.parameters)
    home = _partition(whole.stack_sets.region)
    for place, entry in entries.items():
        if whole.stack_sets.region and _partition(entry.region) != home:
            mistakes.append(InputError(f"{place}.region", f'"{entry.region}" {_ELSEWHERE}'))
        own = common | texts(entry.parameters)
        if "parameters" not in unusable:
            mistakes += all_mistakes([partial(check_together, own, entry.account, entry.targets, place)])
    if mistakes:
        raise input_error(mistakes[:MOST_MISTAKES])
    return ClustersFile(
        name=name,
        clusters=tuple(entries.values()),
        stack_sets=whole.stack_sets,
        prefix=whole.prefix,
        organization=whole.organization,
        survey_role=whole.survey_role,
        parameters=common,
        tags=whole.tags,
    )


def _entries(
    raws: list[Any], template_parameters: Mapping[str, Any] | None, mistakes: list[InputError]
) -> dict[str, ListedCluster]:
    """The clusters without a mistake, by their place."""
    entries: dict[str, ListedCluster] = {}
    places: dict[tuple[str, str, str], str] = {}
    for i, raw in enumerate(raws):
        place = f"clusters[{i}]"
        try:
            if not isinstance(raw, dict):
                raise InputError(place, f"expected an object with name, account and region, got {kind_of(raw)}")
            entry = convert(raw, ListedCluster, place)
        except InputError as error:
            mistakes += error.mistakes
            continue
        wrong = list(all_mistakes(_steps_of_cluster(entry, place, template_parameters)))
        first = places.setdefault((entry.account, entry.region, entry.name), place)
        if first != place:
            wrong.append(InputError(place, f"is the same cluster as {first}; a cluster has one stack"))
        mistakes += wrong
        if not wrong:
            entries[place] = replace(entry, parameters=texts(entry.parameters))
    return entries


def _steps_of_cluster(
    entry: ListedCluster, place: str, template_parameters: Mapping[str, Any] | None
) -> Iterator[Callable[[], object]]:
    yield partial(_match, _CLUSTER, entry.name, f"{place}.name", "is not the name of an EKS cluster")
    yield partial(_match, ACCOUNT_ID, entry.account, f"{place}.account", "is not an account of 12 digits, in quotes")
    yield partial(_match, _REGION, entry.region, f"{place}.region", "is not a region such as eu-west-1")
    if template_parameters is not None:
        yield partial(check_parameters, texts(entry.parameters), template_parameters, f"{place}.parameters")
    for i, subnet in enumerate(entry.subnets):
        yield partial(
            _match, _SUBNET, subnet, f"{place}.subnets[{i}]", "is not SUBNET/ZONE, such as subnet-0a1b/eu-west-1a"
        )
    for i, group in enumerate(entry.security_groups):
        yield partial(_match, _GROUP, group, f"{place}.securityGroups[{i}]", "is not a security group, sg-...")
    if bool(entry.subnets) != bool(entry.security_groups):
        missing = "securityGroups" if entry.subnets else "subnets"
        yield partial(_refuse, f"{place}.{missing}", "is missing; give both by hand, or neither: then they are read")
    for name, values, most in (
        ("subnets", [subnet.partition("/")[0] for subnet in entry.subnets], MAX_SUBNETS),
        ("securityGroups", entry.security_groups, MAX_GROUPS),
    ):
        if len(values) > most:
            yield partial(_refuse, f"{place}.{name}", f"has {len(values)} entries, {most} are supported")
        if len(set(values)) < len(values):
            yield partial(_refuse, f"{place}.{name}", "names one of them twice")


def _steps_of_file(
    whole: _ClustersDocument, template_parameters: Mapping[str, Any] | None
) -> Iterator[Callable[[], object]]:
    if whole.prefix:
        yield partial(_match, _PREFIX, whole.prefix, "prefix", "cannot begin the name of a bucket")
    if whole.organization:
        yield partial(_match, ORGANIZATION_ID, whole.organization, "organization", "is not an organization, o-...")
    if whole.survey_role:
        yield partial(_match, _ROLE, whole.survey_role, "surveyRole", "is not the name of a role (with its path)")
    if template_parameters is not None:
        yield partial(check_parameters, texts(whole.parameters), template_parameters, "parameters")
        if not whole.stack_sets.region:
            yield partial(_refuse, "stackSets.region", _NO_REGION)
    yield from _steps_of_stack_sets(whole.stack_sets)


def _steps_of_stack_sets(settings: StackSetSettings) -> Iterator[Callable[[], object]]:
    at = "stackSets"
    yield partial(_match, _STACK_SET, settings.name, f"{at}.name", "is not a name of letters, digits and hyphens")
    if set_number(settings.name.rpartition("-")[0], settings.name):
        yield partial(_refuse, f"{at}.name", _NUMBERED)
    if settings.region:
        yield partial(_match, _REGION, settings.region, f"{at}.region", "is not a region such as eu-west-1")
    yield partial(_choice, settings.permissions, (SELF_MANAGED, SERVICE_MANAGED), f"{at}.permissions")
    yield partial(_choice, settings.call_as, _CALLERS, f"{at}.callAs")
    for i, unit in enumerate(settings.organizational_units):
        yield partial(
            _match,
            _UNIT,
            unit,
            f"{at}.organizationalUnits[{i}]",
            "is not an organizational unit or root, ou-... or r-...",
        )
    if settings.administration_role:
        yield partial(
            _match, _ROLE_ARN, settings.administration_role, f"{at}.administrationRole", "is not the ARN of a role"
        )
    if settings.execution_role:
        yield partial(_match, _ROLE, settings.execution_role, f"{at}.executionRole", "is not the name of a role")
    if settings.permissions == SERVICE_MANAGED:
        if not settings.organizational_units:
            yield partial(
                _refuse, f"{at}.organizationalUnits", "is missing; service-managed permissions reach accounts by them"
            )
        for name, value in (
            ("administrationRole", settings.administration_role),
            ("executionRole", settings.execution_role),
        ):
            if value:
                yield partial(_refuse, f"{at}.{name}", "is of self-managed permissions; remove it")
    elif settings.permissions == SELF_MANAGED:
        if settings.organizational_units:
            yield partial(_refuse, f"{at}.organizationalUnits", "needs permissions: service-managed")
        if settings.call_as == "DELEGATED_ADMIN":
            yield partial(_refuse, f"{at}.callAs", "needs permissions: service-managed")


def _partition(region: str) -> str:
    beginning = _PARTITION.match(region)
    return beginning[1] if beginning else ""


def _match(pattern: re.Pattern[str], value: str, place: str, wrong: str) -> None:
    if not pattern.fullmatch(value):
        raise InputError(place, f'"{short(value)}" {wrong}')


def _choice(value: str, choices: tuple[str, ...], place: str) -> None:
    if value not in choices:
        near = close_word(value, choices)
        hint = f"did you mean {near}?" if near else f"use one of {', '.join(choices)}"
        raise InputError(place, f'"{short(value)}" is not known; {hint}')


def _refuse(place: str, message: str) -> None:
    raise InputError(place, message)
