"""The cause of a drill (`egressprobe drill`): its target fails on purpose, and its message must say so."""

from msgspec.structs import replace

from egressprobe.incidents.model import ObservedCause
from egressprobe.model.target import Impact

CODE = "drill"


def as_drill(cause: ObservedCause) -> ObservedCause:
    """Of the drill's target, as the alarm reports it; it is in no inventory, so nothing is probed again."""
    return replace(
        cause,
        key=f"{CODE}|{cause.targets[0].name}",
        code=CODE,
        what="this is a drill, started by a person: nothing is broken",
        targets=tuple(replace(target, impact=Impact.NONE) for target in cause.targets),
        unknown=(),
        remedy="",
    )
