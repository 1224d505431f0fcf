"""The plan and its outcome, for a person: a table of what changes, its price, and a line for each cluster."""

import re
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from egressprobe.planner.inventory import EMPTY, Inventory
from egressprobe.planner.shards import cut
from egressprobe.stack.fleet.operations import StackOutcome
from egressprobe.stack.fleet.plan import FleetPlan, PlannedStack, StackChange, numbered_name
from egressprobe.stack.fleet.stack_sets import DeployedSet, StackSetContent
from egressprobe.stack.price import Size, lines, prices, total

_WIDTH = 76  # beside the indentation, in 80 columns
_OF_THE_SET = "as the set"
# Alarms on Metrics Insights queries in an account and region; the page says that it is not adjustable.
# https://docs.aws.amazon.com/general/latest/gr/cw_region.html
_MOST_QUERY_ALARMS = 200
# docs/deploy.md, "Names and roles of your own"
_NAMES = ("NamePrefix", "RolePath")
_REPLACED = [
    "WARNING: another prefix replaces functions, logs, schedules,",
    "with incidents and acknowledgements; another path the roles",
]
_TITLES = ("CHANGE", "CLUSTER", "ACCOUNT", "REGION", "STACK SET", "USD/MONTH")
_WORDS = {
    StackChange.NOT_IN_FILE: "deployed, not in the file: kept. PRUNE=1 deletes it",
    StackChange.INOPERABLE: "a deletion failed: delete its stack in that account, then "
    "aws cloudformation delete-stack-instances --retain-stacks",
}


def plan_text(
    plan: FleetPlan,
    name: str,
    common: Mapping[str, str],
    inventories: Mapping[tuple[str, str, str], Inventory],
    changes_of_sets: Sequence[str] = (),
) -> str:
    """name: of the first set. common: parameters of the sets. inventories: (account, region, cluster) -> targets.

    changes_of_sets: as of `set_changes`.
    """
    monthly = {id(stack): _price(stack, common, inventories) for stack in plan.stacks}
    changing = [stack for stack in plan.stacks if stack.change is not StackChange.UNCHANGED]
    rows = [
        (
            str(stack.change),
            stack.cluster or "-",
            stack.account,
            stack.region,
            numbered_name(name, stack.number) if stack.number else "-",
            f"{monthly[id(stack)]:.2f}" if stack.overrides else "-",
        )
        for stack in changing
    ]
    widths = [max(map(len, column)) for column in zip(_TITLES, *rows, strict=True)]
    text = ["  ".join(value.ljust(width) for value, width in zip(_TITLES, widths, strict=True)).rstrip()]
    for stack, row in zip(changing, rows, strict=True):
        cells = [value.ljust(width) for value, width in zip(row[:-1], widths, strict=False)]
        text.append("  ".join([*cells, row[-1].rjust(widths[-1])]))
        text += [f"    {detail}" for detail in (*_details(stack), *_perhaps_meant(stack, plan))]
    kept = [stack for stack in plan.stacks if stack.number and stack.change is not StackChange.DELETE]
    counts = Counter(str(stack.change) for stack in plan.stacks)
    before = sum(monthly[id(stack)] for stack in plan.stacks if stack.before)
    after = sum(monthly[id(stack)] for stack in kept)
    sets = [f"{numbered_name(name, number)} (new)" for number in plan.new_sets]
    sets += [f"{numbered_name(name, number)} (changed for all of its stacks)" for number in plan.changed_sets]
    foot = ["; ".join(f"{counts[change]} {change}" for change in StackChange if counts[change])]
    foot.append(f"Stacks: {len(kept)}, about {after:,.2f} USD a month; before this {before:,.2f}")
    foot += textwrap.wrap(f"StackSets: {', '.join(sets)}", _WIDTH, subsequent_indent="    ") if sets else []
    foot += list(changes_of_sets)
    foot.append("Discovered targets are not priced; make price CLUSTER=... counts those of one")
    return "\n".join([*(text if changing else []), *foot])


def set_changes(name: str, deployed: DeployedSet, wanted: StackSetContent) -> list[str]:
    """What an update of a set changes in each of its stacks, but for what a stack has of its own. name: of the set."""
    before = deployed.content
    if before is None:
        return [f"    {name}: another template"]
    lines = ["another template"] if before.template != wanted.template else []
    rules = wanted.template["Parameters"]
    # A set that is older than a parameter has its default.
    defaults = {key: str(rules[key]["Default"]) for key in wanted.parameters if "Default" in rules[key]}
    parameters = defaults | before.parameters
    for kind, old, new in (("", parameters, wanted.parameters), ("tag ", before.tags, wanted.tags)):
        lines += [
            line
            for key in sorted(old.keys() | new.keys())
            if old.get(key) != new.get(key)
            for line in _lines_of(kind + key, new.get(key), old.get(key), _WIDTH - len(f"{name}: "))
        ]
    if any(parameters.get(key) != wanted.parameters.get(key) for key in _NAMES):
        lines += _REPLACED
    return [f"    {name}: {line}" for line in lines]


def quota_warnings(plan: FleetPlan, template: Mapping[str, Any]) -> list[str]:
    """A line for each account and region in which the stacks have more alarms on queries than AWS allows."""
    each = query_alarms(template)
    kept = [stack for stack in plan.stacks if stack.number and stack.change is not StackChange.DELETE]
    places = Counter((stack.account, stack.region) for stack in kept)
    return [
        f"{account}, {region}: {stacks} stacks have {stacks * each} alarms on Metrics Insights queries, and AWS allows "
        f"{_MOST_QUERY_ALARMS}: {_MOST_QUERY_ALARMS // each} stacks. Put the others into another account or region, or "
        "ask AWS Support first (docs/scale.md)"
        for (account, region), stacks in sorted(places.items())
        if stacks * each > _MOST_QUERY_ALARMS
    ]


def query_alarms(template: Mapping[str, Any]) -> int:
    """Alarms on Metrics Insights queries that every stack of the expanded template has."""
    return sum(
        "Condition" not in resource
        and any("SELECT " in str(metric.get("Expression", "")) for metric in resource["Properties"].get("Metrics", ()))
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    )


def outcome_lines(plan: FleetPlan, outcomes: Sequence[StackOutcome]) -> list[str]:
    """A line for each cluster: what became of it."""
    of_stack = {id(outcome.stack): outcome for outcome in outcomes}
    return [_outcome_line(stack, of_stack.get(id(stack))) for stack in plan.stacks]


def _outcome_line(stack: PlannedStack, outcome: StackOutcome | None) -> str:
    if outcome is not None and not outcome.done:
        return f"failed      {stack}: {stack.change}: {outcome.reason}"
    if outcome is not None:
        return f"{_DONE[stack.change]:<11} {stack}"
    reason = _WORDS.get(stack.change) or stack.reason
    return f"{stack.change:<11} {stack}" + (f": {reason}" if reason else "")


_DONE = {
    StackChange.CREATE: "created",
    StackChange.UPDATE: "updated",
    StackChange.TEMPLATE: "upgraded",
    StackChange.DELETE: "deleted",
}


def _details(stack: PlannedStack) -> list[str]:
    """What an update changes, or why nothing is done."""
    if stack.change in _WORDS:
        return [_WORDS[stack.change]]
    if stack.change in (StackChange.UNREAD, StackChange.INOPERABLE):
        kept = "; its stack keeps its parameters" if stack.number else ""
        return [f"{stack.reason}{kept}"]
    if stack.change is StackChange.CREATE:
        return _lines_of("Subnets", stack.overrides.get("Subnets", ""))
    changed = [
        line
        for name in sorted(stack.overrides.keys() | stack.before.keys())
        if stack.change is StackChange.UPDATE and stack.overrides.get(name) != stack.before.get(name)
        for line in _lines_of(name, stack.overrides.get(name, _OF_THE_SET), stack.before.get(name, _OF_THE_SET))
    ]
    if any(stack.before.get(name) != stack.overrides.get(name) for name in _NAMES):
        changed += _REPLACED if stack.change is StackChange.UPDATE else []
    return changed or ([f"again, it failed before: {stack.reason}"] if stack.reason else [])


def _perhaps_meant(stack: PlannedStack, plan: FleetPlan) -> list[str]:
    """A wrong account or region in the file looks like a new cluster, and the deployed one like a removed one."""
    if stack.change is not StackChange.DELETE:
        return []
    new = (other for other in plan.stacks if not other.before and other.cluster == stack.cluster)
    return [f"the file has {other}: is that a typing error?" for other in new]


def _lines_of(name: str, value: str | None, before: str | None = None, width: int = _WIDTH) -> list[str]:
    """A parameter in lines of so many columns, cut after commas only: what differs may be the end of a list.

    value: None where it is removed. before: None where it is new.
    """
    now = f"{name} is removed" if value is None else f"{name}={value or '""'}"
    if before is None:
        return _cut(now, width)
    was = f"(was {before or '""'})"
    line = f"{now} {was}"
    return [line] if len(line) <= width else [*_cut(now, width), *_cut(was, width)]


def _cut(text: str, width: int) -> list[str]:
    lines: list[str] = []
    for piece in re.findall(r"[^,]*,|[^,]+$", text):
        if lines and len(lines[-1] + piece) <= width:
            lines[-1] += piece
        else:
            lines.append(f"{'  ' if lines else ''}{piece}")
    return lines


def _price(
    stack: PlannedStack, common: Mapping[str, str], inventories: Mapping[tuple[str, str, str], Inventory]
) -> float:
    """USD a month; 0 where there is no stack."""
    if not stack.overrides:
        return 0.0
    chosen = {**common, **stack.overrides}
    inventory = inventories.get((stack.account, stack.region, stack.cluster), EMPTY)
    memory = chosen.get("ProbeMemory", "256")
    subnets = [text for text in chosen.get("Subnets", "").split(",") if text not in ("", "-")]
    size = Size(
        subnets=len(subnets),
        targets=len(inventory.entries),
        shards=max(len(cut(inventory).shards), 1),
        detail="subnet" if chosen.get("MetricDetail") == "subnet" else "target",
        architecture=chosen.get("Architecture", "arm64"),
        memory=int(memory) if memory.isdecimal() else 256,  # by hand, CloudFormation takes 512.0 as well
        discovers=chosen.get("Discovery", "true") == "true",
    )
    return total(lines(size, prices(stack.region)[0]))
