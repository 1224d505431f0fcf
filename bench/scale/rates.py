"""When a fleet calls AWS, and what AWS's rates refuse: one account and region, or an account where the rate is its.

Three patterns. `spread`: Planners run every 15 minutes, each from the time at which its schedule was created, and
anywhere within its minute (https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html: 60 seconds).
`together`: all in the same second. `outage`: what breaks every path at once changes the alarms of all clusters within a
minute, and each Planner looks for the cause while its 15-minute runs go on.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

from bench.scale.bucket import Call, Outcome, carried_out
from bench.scale.fleet import Cluster
from bench.scale.quotas import Quota
from bench.scale.usage import SILENT_SECONDS, Stack

from egressprobe.aws.load_balancers import MOST_READ
from egressprobe.aws.vpc_snapshot import BALANCER_READS_PER_SECOND

type Pattern = Literal["spread", "together", "outage"]
PATTERNS: tuple[Pattern, ...] = ("spread", "together", "outage")
_PERIOD, _MINUTE = 900.0, 60.0
_ROUNDS = 4  # of 15 minutes, an hour
# A call takes so long, and so many are made at once (aws/lists.py).
_CALL_SECONDS, _AT_ONCE = 0.1, 6
# Attempts of botocore by the prefix of the action; tests compare them with the product's clients.
ATTEMPTS = {"scheduler": 4, "eks": 4, "cloudwatch": 2, "events": 2, "sns": 2}
_OTHER_ATTEMPTS = 3


class Demand(NamedTuple):
    """The calls of a run of the Planner and of an outage, by cluster. counts: as counts.json has it."""

    counts: dict[str, Any]

    def plan(self, cluster: Cluster) -> Counter[str]:
        """Of a run every 15 minutes."""
        plan, read = self.counts["plan"], min(cluster.balancers, MOST_READ)
        runs = Stack(self.counts).runs(cluster)
        calls = Counter(plan["run"])
        for part, times in (("subnet", cluster.subnets), ("schedule", runs), ("balancer", read)):
            for action, count in plan[part].items():
                calls[action] += count * times
        if read:
            calls["elasticloadbalancing:DescribeLoadBalancers"] += 1
        return calls

    def outage(self, cluster: Cluster) -> Iterator[tuple[float, str, int]]:
        """(second, action, how often). A reading of the configuration is that of the plan."""
        audit = {
            action: count
            for action, count in self.plan(cluster).items()
            if not action.startswith(("scheduler:", "cloudwatch:", "eks:", "lambda:"))
        }
        for second, action, count in self.counts["outage"]["calls"]:
            if action == "snapshot":
                yield from ((second, read, times * count) for read, times in audit.items())
            elif action != "probe":
                yield second, action, count


def outcomes(
    quota: Quota, fleet: list[Cluster], counts: dict[str, Any], pattern: Pattern, seed: int = 0
) -> dict[str, Outcome]:
    """By bucket. fleet: the clusters that share the rate."""
    calls = {"fires": _fires, "logStreams": _cold_starts, "logEvents": _fires}.get(quota.id, _calls)
    buckets: dict[str, list[Call]] = {}
    for at, action in calls(quota, fleet, counts, pattern, random.Random(f"{seed} {quota.id}")):
        bucket = quota.bucket_of(action)
        if bucket:
            attempts = ATTEMPTS.get(action.partition(":")[0], _OTHER_ATTEMPTS)
            buckets.setdefault(bucket, []).append(Call(at, attempts))
    return {name: carried_out(made, quota.value, quota.burst, seed) for name, made in buckets.items()}


def _calls(
    quota: Quota, fleet: list[Cluster], counts: dict[str, Any], pattern: Pattern, dice: random.Random
) -> Iterator[tuple[float, str]]:
    demand = Demand(counts)
    for cluster in fleet:
        plan = {action: n for action, n in demand.plan(cluster).items() if quota.bucket_of(action)}
        for start in _starts(pattern, dice):
            yield from _paced(start, plan)
        if pattern == "outage":
            began = dice.random() * _MINUTE
            together: dict[float, Counter[str]] = {}
            for second, action, count in demand.outage(cluster):
                if quota.bucket_of(action):
                    together.setdefault(second, Counter())[action] += count
            for second, made in together.items():
                yield from _paced(began + second, made)


def _starts(pattern: Pattern, dice: random.Random) -> Iterator[float]:
    if pattern == "together":
        yield 0.0
        return
    minute = dice.randrange(int(_PERIOD // _MINUTE))
    for number in range(_ROUNDS):
        yield number * _PERIOD + (minute + dice.random()) * _MINUTE


def _paced(start: float, calls: dict[str, int]) -> Iterator[tuple[float, str]]:
    """As many at once as the product makes; those of load balancers one after the other, at its pace."""
    for number, action in enumerate(action for action, count in calls.items() for _ in range(count)):
        if action.startswith("elasticloadbalancing:"):
            yield start + number / BALANCER_READS_PER_SECOND, action
        else:
            yield start + _CALL_SECONDS * (number // _AT_ONCE), action


def _fires(
    quota: Quota, fleet: list[Cluster], counts: dict[str, Any], pattern: Pattern, dice: random.Random
) -> Iterator[tuple[float, str]]:
    """The schedules of one minute; each run writes its log at its end."""
    for cluster in fleet:
        for _ in range(Stack(counts).runs(cluster)):
            yield (0.0 if pattern == "together" else dice.random() * _MINUTE), quota.actions[0]


def _cold_starts(
    quota: Quota, fleet: list[Cluster], counts: dict[str, Any], pattern: Pattern, dice: random.Random
) -> Iterator[tuple[float, str]]:
    """After an update of all stacks: each function makes a stream in its first run. Else environments stay warm."""
    for cluster in fleet:
        for _ in range(Stack(counts).resources("AWS::Lambda::Function", cluster)):
            yield (0.0 if pattern == "together" else dice.random() * _MINUTE), quota.actions[0]


def executions(fleet: list[Cluster], counts: dict[str, Any], pattern: Pattern, seed: int = 0) -> int:
    """Most executions of Lambda at once, in one minute of one account and region."""
    dice, stack = random.Random(f"{seed} executions"), Stack(counts)
    changes: list[tuple[float, int]] = []
    for cluster in fleet:
        seconds = stack.run_seconds(cluster) + (SILENT_SECONDS if pattern == "outage" else 0.0)
        for _ in range(stack.runs(cluster)):
            at = 0.0 if pattern == "together" else dice.random() * _MINUTE
            changes += [(at, 1), (at + seconds, -1)]
        if pattern == "outage":
            # The Planner looks for the cause, and has every subnet probed meanwhile.
            at = dice.random() * _MINUTE
            changes += [(at, 1 + cluster.subnets), (at + 2 * SILENT_SECONDS, -1 - cluster.subnets)]
    now = most = 0
    for _, change in sorted(changes):
        now += change
        most = max(most, now)
    return most


def largest(fits: Callable[[int], bool], most: int = 2000) -> int:
    """The largest number up to `most` that fits, where all smaller ones do."""
    low, high = 0, most + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
