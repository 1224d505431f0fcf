"""The plan and its outcome, for a person: a table of what changes, its price, and a line for each cluster."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from egressprobe.model.text import with_ellipsis
from egressprobe.planner.inventory import EMPTY, Inventory
from egressprobe.planner.shards import cut
from egressprobe.stack.fleet.operations import StackOutcome
from egressprobe.stack.fleet.plan import FleetPlan, PlannedStack, StackChange, set_name
from egressprobe.stack.price import Size, lines, prices, total

_LONGEST_VALUE = 60
# Alarms on Metrics Insights queries in an account and Region; the page says that it is not adjustable.
# https://docs.aws.amazon.com/general/latest/gr/cw_region.html
_MOST_QUERY_ALARMS = 200
_TITLES = ("CHANGE", "CLUSTER", "ACCOUNT", "REGION", "STACK SET", "USD/MONTH")
_WORDS = {
    StackChange.NOT_IN_FILE: "deployed, not in the file: kept. PRUNE=1 deletes it",
    StackChange.INOPERABLE: "a deletion failed: delete its stack in that account, then "
    "aws cloudformation delete-stack-instances --retain-stacks",
}


def plan_text(
    plan: FleetPlan, name: str, common: Mapping[str, str], inventories: Mapping[tuple[str, str, str], Inventory]
) -> str:
    """name: of the first set. common: parameters of the sets. inventories: (account, region, cluster) -> targets."""
    monthly = {id(stack): _price(stack, common, inventories) for stack in plan.stacks}
    changing = [stack for stack in plan.stacks if stack.change is not StackChange.UNCHANGED]
    rows = [
        (
            str(stack.change),
            stack.cluster or "-",
            stack.account,
            stack.region,
            set_name(name, stack.number) if stack.number else "-",
            f"{monthly[id(stack)]:.2f}" if stack.overrides else "-",
        )
        for stack in changing
    ]
    widths = [max(map(len, column)) for column in zip(_TITLES, *rows, strict=True)]
    text = ["  ".join(value.ljust(width) for value, width in zip(_TITLES, widths, strict=True)).rstrip()]
    for stack, row in zip(changing, rows, strict=True):
        cells = [value.ljust(width) for value, width in zip(row[:-1], widths, strict=False)]
        text.append("  ".join([*cells, row[-1].rjust(widths[-1])]))
        text += [f"    {detail}" for detail in _details(stack)]
    kept = [stack for stack in plan.stacks if stack.number and stack.change is not StackChange.DELETE]
    counts = Counter(str(stack.change) for stack in plan.stacks)
    before = sum(monthly[id(stack)] for stack in plan.stacks if stack.before)
    after = sum(monthly[id(stack)] for stack in kept)
    sets = [f"{set_name(name, number)} (new)" for number in plan.new_sets]
    sets += [f"{set_name(name, number)} (changed for all of its stacks)" for number in plan.changed_sets]
    foot = ["; ".join(f"{counts[change]} {change}" for change in StackChange if counts[change])]
    foot.append(f"Stacks: {len(kept)}, about {after:,.2f} USD a month; before this {before:,.2f}")
    foot += [f"StackSets: {', '.join(sets)}"] if sets else []
    foot.append("Discovered targets are not priced; make price CLUSTER=... counts those of one")
    return "\n".join([*(text if changing else []), *foot])


def quota_warnings(plan: FleetPlan, template: Mapping[str, Any]) -> list[str]:
    """A line for each account and Region in which the stacks have more alarms on queries than AWS allows."""
    each = query_alarms(template)
    kept = [stack for stack in plan.stacks if stack.number and stack.change is not StackChange.DELETE]
    places = Counter((stack.account, stack.region) for stack in kept)
    return [
        f"{account}, {region}: {stacks} stacks have {stacks * each} alarms on Metrics Insights queries, and AWS allows "
        f"{_MOST_QUERY_ALARMS}: {_MOST_QUERY_ALARMS // each} stacks. Put the others into another account or Region, or "
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
        return [_short("Subnets", stack.overrides.get("Subnets", ""))]
    changed = [
        f"{_short(name, stack.overrides.get(name, 'as the set'))} (was {_shown(stack.before.get(name, 'as the set'))})"
        for name in sorted(stack.overrides.keys() | stack.before.keys())
        if stack.change is StackChange.UPDATE and stack.overrides.get(name) != stack.before.get(name)
    ]
    return changed or ([f"again, it failed before: {stack.reason}"] if stack.reason else [])


def _short(name: str, value: str) -> str:
    return f"{name}={_shown(value)}"


def _shown(value: str) -> str:
    return with_ellipsis(value, _LONGEST_VALUE) or '""'


def _price(
    stack: PlannedStack, common: Mapping[str, str], inventories: Mapping[tuple[str, str, str], Inventory]
) -> float:
    """USD a month; 0 where there is no stack."""
    if not stack.overrides:
        return 0.0
    chosen = {**common, **stack.overrides}
    inventory = inventories.get((stack.account, stack.region, stack.cluster), EMPTY)
    subnets = [text for text in chosen.get("Subnets", "").split(",") if text not in ("", "-")]
    size = Size(
        subnets=len(subnets),
        targets=len(inventory.entries),
        shards=max(len(cut(inventory).shards), 1),
        detail="subnet" if chosen.get("MetricDetail") == "subnet" else "target",
        architecture=chosen.get("Architecture", "arm64"),
        memory=int(chosen.get("ProbeMemory", "256")),
        discovers=chosen.get("Discovery", "true") == "true",
    )
    return total(lines(size, prices(stack.region)[0]))
