"""A plan carried out on a snapshot: each call by EC2's rules, what is refused and what is not modelled noted.

A step that is refused, or that something refused is needed for, changes nothing; the others go on, as they do when a
plan is applied. So the state afterwards is that of everything that can be made.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from egressprobe.audit.changes.change import Change
from egressprobe.audit.changes.refusal import UNMODELLED, ChangeRefused, NotInSnapshot
from egressprobe.audit.vpc.snapshot import VpcSnapshot
from egressprobe.audit.whatif.operations.table import TABLE, OperationRow, is_harmless
from egressprobe.audit.whatif.operations.world import World
from egressprobe.audit.whatif.plan import (
    EVERYTHING,
    ChangePlan,
    KnownAfterApply,
    NotModelled,
    Parameters,
    PlannedCall,
    Unmodelled,
)

type Status = Literal["applied", "refused", "unmodelled", "elsewhere", "no effect"]
_WORST: tuple[Status, ...] = ("refused", "unmodelled", "applied", "elsewhere", "no effect")


class StepOutcome(NamedTuple):
    """What became of a step. touches: ids of what it changes, as `Path.consulted` names them; whys: why not."""

    name: str
    action: str
    status: Status
    whys: tuple[str, ...] = ()
    touches: frozenset[str] = frozenset()
    changes: tuple[Change, ...] = ()
    unmodelled: tuple[Unmodelled, ...] = ()


class CarriedOut(NamedTuple):
    """The VPC after the plan, and the outcome of each step."""

    after: VpcSnapshot
    steps: tuple[StepOutcome, ...]


class _StepRecord:
    """What happened to one step so far."""

    def __init__(self) -> None:
        self.states: list[Status] = []
        self.whys: list[str] = []
        self.changes: list[Change] = []
        self.unmodelled: list[Unmodelled] = []

    def note(self, status: Status, why: str) -> None:
        self.states.append(status)
        self.whys.append(why)

    def not_modelled(self, unmodelled: Unmodelled) -> None:
        self.unmodelled.append(unmodelled)
        self.note("unmodelled", unmodelled.why)


def carry_out(snapshot: VpcSnapshot, plan: ChangePlan) -> CarriedOut:
    """Never fails on a plan: what cannot be carried out is an outcome."""
    world, records = World(snapshot), [_StepRecord() for _ in plan.steps]
    missing: dict[str, str] = {}  # ids of what was not created, and why
    calls = [(i, call) for i, step in enumerate(plan.steps) for call in step.calls]
    if not plan.ordered:
        calls.sort(key=lambda pair: _order(pair[1]))
    for i, call in calls:
        _make(world, call, records[i], missing, certain=plan.ids_certain)
    for step, record in zip(plan.steps, records, strict=True):
        for unmodelled in step.unmodelled:
            record.not_modelled(unmodelled)
    outcomes = (_outcome(step.name, step.action, record) for step, record in zip(plan.steps, records, strict=True))
    return CarriedOut(world.snapshot, tuple(outcomes))


def _order(call: PlannedCall) -> int:
    row = TABLE.get(call.operation)
    return row.order if row else 0


def _outcome(name: str, action: str, record: _StepRecord) -> StepOutcome:
    states = list(record.states)
    if record.changes:
        states.append("applied")
    status: Status = min(states, key=_WORST.index, default="no effect")
    touches = frozenset[str]().union(*(change.touches for change in record.changes))
    whys = tuple(dict.fromkeys(record.whys))
    return StepOutcome(name, action, status, whys, touches, tuple(record.changes), tuple(record.unmodelled))


def _make(world: World, call: PlannedCall, record: _StepRecord, missing: dict[str, str], *, certain: bool) -> None:
    row = TABLE.get(call.operation)
    if row is None:
        if not is_harmless(call.operation):
            touched = frozenset(_ids(call.parameters)) or frozenset({EVERYTHING})
            record.not_modelled(Unmodelled(f"{call.operation} is not modelled", touched))
        return
    made_on = frozenset(_made_on(row, call.parameters))
    try:
        absent = next((text for text in _texts(call.parameters) if text in missing), None)
        if absent is not None:
            raise NotModelled(f"{absent} is not created: {missing[absent]}", made_on)
        for effect in row.function(world, Parameters(call.parameters), call.id):
            if isinstance(effect, Change):
                world.make(effect)
                record.changes.append(effect)
            else:
                record.not_modelled(effect)
        return
    except NotModelled as unmodelled:
        touches = made_on if unmodelled.touches is None else unmodelled.touches
        why = unmodelled.why
        record.not_modelled(Unmodelled(why, touches or frozenset({call.id or EVERYTHING}), row.only_opens))
    except NotInSnapshot as elsewhere:
        if certain:
            record.note("elsewhere", elsewhere.message)
            return
        why = f"{elsewhere.code}: {elsewhere.message}, or is in another VPC"
        record.note("refused", why)
    except ChangeRefused as refused:
        why = str(refused)
        if refused.code == UNMODELLED:
            record.not_modelled(Unmodelled(refused.message, made_on or frozenset({EVERYTHING}), row.only_opens))
        else:
            record.note("refused", why)
    except ValueError as error:
        why = f"InvalidParameterValue: {error}"
        record.note("refused", why)
    except Exception as error:  # of ours: this step is unknown, and no other
        why = f"egressprobe failed on {call.operation} ({type(error).__name__}: {error})"
        record.not_modelled(Unmodelled(why, made_on or frozenset({EVERYTHING})))
    if call.id:
        missing[call.id] = why


def _made_on(row: OperationRow, parameters: Mapping[str, Any]) -> Iterator[str]:
    """Ids of what the call changes; everything, where they are not known."""
    if not row.made_on:
        return
    values = [parameters[name] for name in row.made_on if parameters.get(name) is not None]
    texts = list(_texts({"": values}))
    if any(isinstance(value, KnownAfterApply) for value in values) or not texts:
        yield EVERYTHING
    yield from texts


def _texts(value: Any) -> Iterator[str]:
    """Every text in a structure."""
    if isinstance(value, KnownAfterApply):
        return
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)


def _ids(parameters: Mapping[str, Any]) -> Iterator[str]:
    return (text for text in _texts(parameters) if is_id(text))


_PREFIXES = (
    *("vpc-", "subnet-", "rtb-", "acl-", "sg-", "nat-", "igw-", "eigw-", "vgw-", "tgw-", "pcx-", "vpce-", "eni-"),
    *("i-", "pl-"),
)


def is_id(text: str) -> bool:
    """Whether a text looks like the id of something that a path may consult."""
    return text.startswith(_PREFIXES)
