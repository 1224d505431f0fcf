"""A plan cut into pieces that fit one schedule's Input and one invocation's time. Pure.

A shard is a bucket of a binary trie over the SHA-256 of the targets' names: one bucket holds all; a bucket that is
too large is split by the next bit. So

- the same targets in any order give the same shards, byte for byte;
- adding or removing a target changes its own bucket only, or splits or merges it;
- a target never moves between two buckets that both stay. A writer that writes new buckets before it deletes old ones
  therefore has every target in some bucket at every moment, whenever it is interrupted.
"""

import hashlib
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from egressprobe.model.ownership import without_owner
from egressprobe.planner.inventory import Inventory, InventoryEntry

# EventBridge Scheduler takes 256 KB; AWS does not document whether that is 256,000 or 262,144 bytes.
# https://docs.aws.amazon.com/scheduler/latest/UserGuide/scheduler-quotas.html
MAX_INPUT = 256_000
# About 4 ms of CPU each; at 256 MB a function has a seventh of one: 100 are done in 3 s when nothing hangs.
MAX_TARGETS = 100
_BITS = 256


class Shard(NamedTuple):
    """`bits`: the bucket, `all` for the only one. `plan`: the plan that the Probe reads.

    share: of the whole plan, from 0 to 1; those of a cut's shards add up to 1 exactly.
    """

    bits: str
    names: tuple[str, ...]
    plan: dict[str, Any]
    share: float = 1.0


class Cut(NamedTuple):
    """The shards, and the names of targets that are too large for any."""

    shards: tuple[Shard, ...]
    too_large: tuple[str, ...]

    @property
    def targets(self) -> int:
        """The number of targets in all shards."""
        return sum(len(shard.names) for shard in self.shards)


def cut(inventory: Inventory, *, max_bytes: int = MAX_INPUT, max_targets: int = MAX_TARGETS) -> Cut:
    """Shards of at most `max_targets` targets whose Input has at most `max_bytes` bytes."""
    shards: list[Shard] = []
    too_large: list[str] = []
    ordered = sorted(inventory.entries.values(), key=lambda entry: entry.target.name)
    paths = {entry.target.name: _path(entry.target.name) for entry in ordered}
    waiting = [("", ordered)] if ordered else []
    while waiting:
        bits, bucket = waiting.pop()
        plan = _plan(bucket, inventory.bundles, inventory.common)
        if len(bucket) <= max_targets and len(as_input(plan)) <= max_bytes:
            shards.append(Shard(bits or "all", tuple(entry.target.name for entry in bucket), plan))
        elif len(bucket) == 1:
            too_large.append(bucket[0].target.name)
        else:
            waiting += [(bits + bit, half) for bit, half in _halves(bucket, paths, len(bits))]
    parts = dict(_shares("", [shard.bits for shard in shards], 1.0))
    return Cut(tuple(sorted(shard._replace(share=parts[shard.bits]) for shard in shards)), tuple(sorted(too_large)))


def as_input(plan: dict[str, Any]) -> str:
    """The event of a schedule; ASCII, so that characters are bytes. EventBridge Scheduler fills in the minute.

    https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
    """
    event = {"source": "schedule", "plan": plan, "scheduledAt": "<aws.scheduler.scheduled-time>"}
    return json.dumps(event, separators=(",", ":"), sort_keys=True)


def _shares(prefix: str, buckets: list[str], share: float) -> Iterator[tuple[str, float]]:
    """Each bucket's share: halved where the trie branches, so a shard's changes only when one beside it does.

    Powers of two: in any order the sum is exact.
    """
    if len(buckets) == 1:
        yield buckets[0], share
    elif buckets:
        halves = [[bits for bits in buckets if bits.startswith(prefix + bit)] for bit in "01"]
        part = share / 2 if all(halves) else share
        for bit, half in zip("01", halves, strict=True):
            yield from _shares(prefix + bit, half, part)


def _plan(bucket: list[InventoryEntry], bundles: dict[str, str], common: dict[str, Any]) -> dict[str, Any]:
    used = sorted({entry.target.bundle for entry in bucket if entry.target.bundle})
    plan: dict[str, Any] = dict(common)
    confirmed = common.get("confirmed", {})  # of many targets; each shard has its own
    if confirmed:
        names = confirmed.keys() & {entry.target.name for entry in bucket}
        plan["confirmed"] = {name: confirmed[name] for name in sorted(names)}
    if used:
        plan["bundles"] = {name: bundles[name] for name in used}
    plan["targets"] = [without_owner(entry.raw) for entry in bucket]  # no Probe needs it, and older ones refuse it
    return plan


def _halves(
    bucket: list[InventoryEntry], paths: dict[str, str], depth: int
) -> Iterator[tuple[str, list[InventoryEntry]]]:
    for bit in "01":
        half = [entry for entry in bucket if paths[entry.target.name][depth] == bit]
        if half:
            yield bit, half


def _path(name: str) -> str:
    return format(int.from_bytes(hashlib.sha256(name.encode()).digest()), f"0{_BITS}b")
