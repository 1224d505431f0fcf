"""`make fleet FILE=clusters.yaml`: read the file, the StackSets and the clusters; show the plan; ask; do it.

There is no state file: what is deployed is read from the sets each time, so that a run that was stopped is resumed by
the next one. Before the confirmation nothing is changed, in AWS or here.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from egressprobe.planner.inventory import Inventory
from egressprobe.stack import artifacts as stored
from egressprobe.stack.access.bucket_policy import ArtifactReaders
from egressprobe.stack.deploy import confirmed, require_terminal
from egressprobe.stack.fleet.file import ClustersFile, read_clusters
from egressprobe.stack.fleet.operations import REAL, StoppedError, Waiting, do_plan, wait_for_running
from egressprobe.stack.fleet.plan import FleetPlan, StackChange, WantedStack, plan_fleet
from egressprobe.stack.fleet.planner_artifact import planner_with, read_inventories
from egressprobe.stack.fleet.show import outcome_lines, plan_text, quota_warnings, set_changes
from egressprobe.stack.fleet.stack_sets import DeployedSet, StackSetContent, StackSets, set_parameters
from egressprobe.stack.fleet.survey import AccountClients, survey_fleet
from egressprobe.stack.template import TEMPLATE, expanded
from egressprobe.targets.file import read_file

_UNFINISHED = frozenset({StackChange.UNREAD, StackChange.INOPERABLE})
_INTERRUPTED = 130
type _Built = dict[str, tuple[str, bytes]]


class Consent(NamedTuple):
    """yes: without a question. only_show: nothing is changed. prune: delete what is not in the file."""

    yes: bool = False
    only_show: bool = False
    prune: bool = False


class _Given(NamedTuple):
    """The file with everything it names, and what was built for it. planners: targets file -> key and zip."""

    file: ClustersFile
    template: dict[str, Any]
    inventories: dict[str, Inventory]
    built: _Built
    planners: dict[str, tuple[str, bytes]]
    prefix: str
    architecture: str


def fleet(
    open_session: Callable[[str], Any],
    name: str,
    *,
    architecture: str,
    consent: Consent,
    template: dict[str, Any] | None = None,
    waiting: Waiting = REAL,
) -> int:
    """open_session: boto3's session in a region. name: of the file. template: the expanded one by default.

    Returns the exit code: 0 everything is as in the file, 1 a cluster is not, 130 stopped by a person. Raises
    InputError, AwsError and botocore's exceptions.
    """
    if not consent.only_show:
        require_terminal(yes=consent.yes)
    template = template or expanded()
    file = read_clusters(name, template["Parameters"])
    region = file.stack_sets.region
    session = open_session(region)
    account = stored.account(session)
    given = _with_artifacts(file, template, architecture, file.prefix or f"egressprobe-{account}")
    _print(f"StackSets {file.stack_sets.name} in account {account}, {region}: {file.stack_sets.permissions}")
    sets = StackSets(session.client("cloudformation", region_name=region, config=_retries()), file.stack_sets)
    numbers = sets.numbers()
    if not consent.only_show:
        wait_for_running(sets, numbers, _print, waiting)
    existing = [sets.read(number) for number in numbers]
    clients = AccountClients(session, account, file.survey_role)
    deployed = [stack for stack_set in existing for stack in stack_set.stacks]
    keys = {targets: key for targets, (key, _) in given.planners.items()}
    surveyed = survey_fleet(clients, file, deployed, keys)
    content = _content(given)
    plan = _plan(sets, existing, content, surveyed.wanted, prune=consent.prune)
    differences = [
        line
        for stack_set in existing
        if stack_set.number in plan.changed_sets
        for line in set_changes(sets.name(stack_set.number), stack_set, content)
    ]
    _print(plan_text(plan, file.stack_sets.name, content.parameters, _inventories(given), differences))
    for warning in (*surveyed.warnings, *quota_warnings(plan, template)):
        _print(warning)
    if plan.is_empty or consent.only_show or not (consent.yes or confirmed()):
        _print("Nothing to change." if plan.is_empty else "Nothing was changed.")
        return 1 if any(stack.change in _UNFINISHED for stack in plan.stacks) else 0
    url = _upload(
        session, given, region, _readers(file, plan, account), {stack.region for stack in plan.stacks if stack.number}
    )
    try:
        outcomes = do_plan(sets, plan, content._replace(url=url), _print, waiting)
    except StoppedError as stopped:
        return _stopped(stopped)
    print("\n".join(outcome_lines(plan, outcomes)))
    failed = any(not outcome.done for outcome in outcomes)
    return 1 if failed or any(stack.change in _UNFINISHED for stack in plan.stacks) else 0


def _retries() -> Any:
    """Each stack is described by a call of its own; botocore slows down where AWS throttles them."""
    from botocore.config import Config

    return Config(retries={"mode": "adaptive", "total_max_attempts": 10})


def check_file(name: str) -> None:
    """The file and every targets file that it names, before anything is built. Raises InputError."""
    template: Any = read_file(str(TEMPLATE), functions=True)
    read_inventories(_targets_of(read_clusters(name, template["Parameters"])), Path(name).parent)


def _targets_of(file: ClustersFile) -> list[str]:
    return [cluster.targets for cluster in file.clusters if cluster.targets]


def _with_artifacts(file: ClustersFile, template: dict[str, Any], architecture: str, prefix: str) -> _Given:
    inventories = read_inventories(_targets_of(file), Path(file.name).parent)
    built = stored.artifacts()
    planners = {}
    for name, inventory in inventories.items():
        data = planner_with(built["PlannerArtifact"][1], inventory)
        planners[name] = (stored.artifact_key("planner", "zip", data), data)
    return _Given(file, template, inventories, built, planners, prefix, architecture)


def _content(given: _Given) -> StackSetContent:
    own = {"ArtifactBucketPrefix": given.prefix, "Architecture": given.architecture}
    own |= {name: key for name, (key, _) in given.built.items()}
    parameters = set_parameters(given.template, given.file.parameters | own)
    return StackSetContent(given.template, parameters, dict(given.file.tags))


def _plan(
    sets: StackSets,
    existing: list[DeployedSet],
    content: StackSetContent,
    wanted: tuple[WantedStack, ...],
    *,
    prune: bool,
) -> FleetPlan:
    return plan_fleet(
        wanted,
        [stack for stack_set in existing for stack in stack_set.stacks],
        sets=[stack_set.number for stack_set in existing],
        changed_sets=[stack_set.number for stack_set in existing if sets.differs(stack_set, content)],
        prune=prune,
    )


def _inventories(given: _Given) -> dict[tuple[str, str, str], Inventory]:
    return {
        (cluster.account, cluster.region, cluster.name): given.inventories[cluster.targets]
        for cluster in given.file.clusters
        if cluster.targets
    }


def _readers(file: ClustersFile, plan: FleetPlan, own_account: str) -> ArtifactReaders:
    """The organization, else every account with a stack: those that are not in the file keep theirs.

    An account without one may not exist, and S3 then refuses the whole policy.
    """
    if file.organization:
        return ArtifactReaders(organization=file.organization)
    return ArtifactReaders(
        accounts=tuple(sorted({stack.account for stack in plan.stacks if stack.number} - {own_account}))
    )


def _upload(session: Any, given: _Given, region: str, readers: ArtifactReaders, regions: set[str]) -> str:
    """Into a bucket of each region that has a stack; returns the URL of the template, in the region of the sets."""
    for place in sorted(regions | {region}):
        planners = {
            targets: given.planners[targets]
            for targets in {cluster.targets for cluster in given.file.clusters if cluster.region == place} - {""}
        }
        _print(f"Uploading to {given.prefix}-{place} ...")
        bucket = stored.upload(session, given.prefix, place, given.built | planners, readers=readers)
        if place == region:
            url = stored.upload_template(session, bucket, given.template)
    return url


def _stopped(stopped: StoppedError) -> int:
    """What is true after Ctrl-C, and how to go on."""
    for line in stopped.running:
        _print(f"  goes on in AWS  {line}")
    _print(
        f"Stopped. {len(stopped.running)} operations go on in AWS without this command, {stopped.waiting} stacks were "
        "not begun, and nothing is undone. The same command waits for what runs and does the rest."
    )
    return _INTERRUPTED


def _print(text: str) -> None:
    print(text, file=sys.stderr)
