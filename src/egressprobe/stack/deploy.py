"""`make deploy CLUSTER=name`: survey the cluster, show the changes and their price, ask, deploy, wait.

A change set of the expanded template: the changes that were shown are the ones that are made. Before the confirmation
only the bucket of artifacts changes. Afterwards the Planner is invoked once, so that the first minute is measured.
"""

import json
import sys
from collections.abc import Sequence
from typing import Any

from egressprobe.model.errors import InputError
from egressprobe.planner.inventory import EMPTY, Inventory, read_inventory
from egressprobe.planner.shards import cut
from egressprobe.stack.access.parameters import check_parameters, combination_mistake
from egressprobe.stack.artifacts import artifacts, upload, upload_template
from egressprobe.stack.cloudformation import (
    Existing,
    change_set,
    changes,
    outputs,
    read_stack,
    refuse_another_cluster,
    undo,
    wait,
)
from egressprobe.stack.planner_client import call_planner
from egressprobe.stack.price import Size, price_text
from egressprobe.stack.subscribers import after_deployment, before_deployment
from egressprobe.stack.survey import Survey, check_survey, read_survey, slots
from egressprobe.stack.template import expanded

# Parameters of template.yaml that decide the price or who is notified.
_DEFAULTS = {
    "MetricDetail": "target",
    "Architecture": "arm64",
    "ProbeMemory": "256",
    "Discovery": "true",
    "AlarmTopicArn": "",
    "AlarmEmail": "",
    "NoticeTopicArn": "",
    "TargetNotifications": "causes",
}


def deploy(
    session: Any,
    *,
    cluster: str,
    targets: object | None,
    stack: str,
    given: dict[str, str],
    tags: dict[str, str],
    prefix: str,
    yes: bool,
    bucket: str | None = None,
    discovered: int | None = None,
) -> int:
    """targets: the content of a targets file; None: discovery alone. discovered: how many targets discovery would add.

    Returns the exit code. Raises InputError, AwsError and botocore's exceptions.
    """
    require_terminal(yes=yes)
    survey, formation = check_before_build(session, cluster, stack)
    existing = read_stack(formation, stack)
    before = existing.parameters.get("Subnets", "")
    own_groups = survey.groups
    if "SecurityGroupIds" in given:
        survey = survey._replace(groups=tuple(given["SecurityGroupIds"].split(",")))
    check_survey(survey, [text.partition("/")[0] for text in before.split(",")])
    wanted = {
        "ClusterName": cluster,
        "IpFamily": survey.ip_family,
        "SecurityGroupIds": ",".join(survey.groups),
        "ClusterSecurityGroupIds": ",".join(own_groups),
        "Subnets": slots(before, survey.subnets),
        "AccessEntry": "false" if survey.authentication == "CONFIG_MAP" else "true",
    } | given
    inventory = EMPTY if targets is None else read_inventory(targets)
    if targets is None and wanted.get("Discovery") == "false":
        raise InputError("TARGETS", "is missing, and Discovery=false: there would be nothing to probe")
    template = expanded()
    _check_parameters(template, wanted, existing.parameters | wanted)
    _print(introduction(survey, wanted, existing, inventory, session.region_name, discovered))
    built = artifacts()
    place = upload(session, prefix, session.region_name, built, bucket=bucket)
    url = upload_template(session, place, template)
    code = {"ArtifactBucketPrefix": prefix, "ArtifactBucket": bucket or ""}
    code |= {name: key for name, (key, _) in built.items()}
    change = change_set(
        formation, stack, existing, url, wanted | code, template["Parameters"].keys() & existing.parameters, tags
    )
    if change is None:
        _print("Nothing to change. What was deleted by hand is not seen by CloudFormation: make destroy, then deploy")
    else:
        _print(changes(formation, change))
        if not (yes or confirmed()):
            undo(formation, stack, change, existing)
            _print("Nothing was changed.")
            return 0
        formation.execute_change_set(ChangeSetName=change)
        _print("Working; a function's first interface in a subnet takes a few minutes ...")
        wait(formation, stack, existing)
    return first_plan(session, stack)


def check_before_build(session: Any, cluster: str, stack: str) -> tuple[Survey, Any]:
    """What can be refused before anything is built or uploaded: credentials, the cluster, another cluster's stack.

    Raises InputError, AwsError and botocore's exceptions.
    """
    survey = read_survey(session.client("eks"), session.client("ec2"), cluster)
    formation = session.client("cloudformation")
    refuse_another_cluster(read_stack(formation, stack), stack, cluster)
    return survey, formation


def introduction(
    survey: Survey,
    wanted: dict[str, str],
    existing: Existing,
    inventory: Inventory,
    region: str,
    discovered: int | None = None,
) -> str:
    """The cluster, the changes to its probes, and the price."""
    numbers = {text.partition("/")[0]: i for i, text in enumerate(wanted["Subnets"].split(","))}
    deployed = {text.partition("/")[0] for text in existing.parameters.get("Subnets", "").split(",")}
    changes_of = {s.id: "keeps its probe" if s.id in deployed else "gets a probe" for s in survey.subnets}
    rows = [
        f"  slot {numbers.get(s.id, '-'):<3}{s.id:<26}{s.zone:<16}{s.free:>6} free   {changes_of[s.id]}"
        for s in survey.subnets
    ]
    removed = [f"  {text:<34}loses its probe" for text in sorted(deployed - set(numbers) - {"", "-"})]
    pieces = cut(inventory)
    chosen = _DEFAULTS | existing.parameters | wanted
    discovers = chosen["Discovery"] == "true"
    size = Size(
        subnets=len(survey.subnets),
        targets=len(inventory.entries) + (discovered or 0),
        shards=max(len(pieces.shards), 1),
        detail="subnet" if chosen["MetricDetail"] == "subnet" else "target",
        architecture=chosen["Architecture"],
        memory=int(chosen["ProbeMemory"]),
        discovers=discovers,
    )
    lines = [
        f"{survey.cluster}: Kubernetes {survey.version}, {survey.ip_family}, egress {survey.mode}, {survey.vpc}",
        *rows,
        *removed,
        f"  security groups {', '.join(wanted['SecurityGroupIds'].split(','))}",
        *_about_discovery(survey, chosen["AccessEntry"], discovers=discovers),
        *survey.warnings,
        *before_deployment(chosen),
        "",
        price_text(size, region),
    ]
    if discovers and discovered is None:
        lines.append("  Discovered targets are not counted; each costs as much as one above.")
        lines.append("  make price CLUSTER=... counts them.")
    if pieces.too_large:
        lines.append(f"  Too large for a schedule, not probed every minute: {', '.join(pieces.too_large)}")
    return "\n".join(lines)


def _about_discovery(survey: Survey, entry: str, *, discovers: bool) -> list[str]:
    """What has to be done in the cluster by hand."""
    if not discovers:
        return ["  discovery is off: only the targets file is probed"]
    lines = ["  discovery: kubectl apply -k deploy/rbac lets it read webhooks, APIServices, Services and nodes"]
    if entry != "true":
        lines.append(
            f"  no access entry is created (authentication mode {survey.authentication or 'unknown'}): map the output "
            "DiscoverRoleArn, without a path, to the group egressprobe in the ConfigMap aws-auth, or change the mode "
            f"to API_AND_CONFIG_MAP: aws eks update-cluster-config --name {survey.cluster} --access-config "
            "authenticationMode=API_AND_CONFIG_MAP"
        )
    return lines


def _check_parameters(template: dict[str, Any], wanted: dict[str, str], chosen: dict[str, str]) -> None:
    """chosen: those that the stack will have, deployed ones too. Raises InputError."""
    check_parameters(template, wanted)
    if wrong := combination_mistake(chosen):
        raise InputError("PARAMETERS", wrong)


def require_terminal(*, yes: bool) -> None:
    """Refuses, before anything is made, to ask where there is no terminal. Raises InputError."""
    if not yes and not sys.stdin.isatty():
        raise InputError("YES", "is not set and there is no terminal to ask for confirmation; set YES=1")


def confirmed() -> bool:
    print("Do it? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def first_plan(session: Any, stack: str) -> int:
    """Schedules now rather than within a quarter of an hour, and a warning where a page would reach no person."""
    values = outputs(session.client("cloudformation"), stack)
    plan = call_planner(session, values["PlannerFunction"], {"action": "plan"})
    print(json.dumps({"stack": stack, "plan": plan, "outputs": values}, indent=2))
    for line in after_deployment(session, values.get("PageTopic", "")):
        _print(line)
    _print(f"egressprobe drill --stack {stack} proves that a page arrives; it takes 15 minutes")
    return 0


def parse_pairs(pairs: Sequence[str], option: str) -> dict[str, str]:
    values = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise InputError(option, f'"{pair}" is not NAME=VALUE')
        values[name] = value
    return values


def _print(text: str) -> None:
    print(text, file=sys.stderr)
