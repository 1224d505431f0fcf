"""The plan done: sets first, then the instances, several at once; each operation followed to its end.

1. An operation's id is ours and is noted before the call, so that a call that was cut off is counted as begun. AWS
   does an operation of one id once.
2. A set that is busy, and throttling, cost time only. A cluster that fails costs its own line, and the others go on.
3. Nothing is undone when this is interrupted: AWS finishes what was begun, and the next run waits for it.
"""

import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

from egressprobe.model.errors import AwsError, InputError
from egressprobe.stack.aws_answers import aws_errors, error_line, is_foreign_answer, is_transient
from egressprobe.stack.fleet.plan import ON_INSTANCE, FleetPlan, PlannedStack, StackChange
from egressprobe.stack.fleet.stack_sets import StackSetContent, StackSets

# Operations under way at once, each on one instance. AWS bounds the instances of all operations in a region.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
AT_ONCE = 50
# Seconds between two looks. Creating the interfaces of functions takes minutes, deleting them up to 45.
_EVERY = 10.0
# A call that is refused because the set is busy is repeated for this long, in seconds.
_PATIENCE = 3 * 3600.0
_SET_BUSY = frozenset({"OperationInProgressException", "StaleRequestException"})
_ID_EXISTS = "OperationIdAlreadyExistsException"
_ENDED = frozenset({"SUCCEEDED", "FAILED", "STOPPED"})
_NOT_TARGETED = (
    "the operation reached no such account: it must be in the organizational units of the file, "
    "and must not be the organization's management account"
)


type _Key = tuple[int, str, str]  # set, account, region


class StackOutcome(NamedTuple):
    """done: whether the stack is as planned. reason: AWS's words where it is not."""

    stack: PlannedStack
    done: bool
    reason: str = ""


class StoppedError(Exception):
    """The run was stopped by a person. running: what AWS goes on with; waiting: how many stacks were not begun."""

    def __init__(self, running: Iterable[str], waiting: int) -> None:
        self.running, self.waiting = tuple(running), waiting
        super().__init__(f"{len(self.running)} running, {waiting} waiting")


class Waiting(NamedTuple):
    """Clock and pause: of an emulation in tests."""

    pause: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic


REAL = Waiting()


def wait_for_running(
    sets: StackSets, numbers: Iterable[int], say: Callable[[str], None], waiting: Waiting = REAL
) -> None:
    """Until no operation runs that another run began: what is deployed is known only then."""
    for number in numbers:
        operations = sets.running(number)
        if operations:
            plural = "s" * (len(operations) > 1)
            say(f"{sets.name(number)}: waiting for {len(operations)} operation{plural} of an earlier run ...")
        for operation in operations:
            _follow(sets, number, operation, waiting)


def do_plan(
    sets: StackSets,
    plan: FleetPlan,
    content: StackSetContent,
    say: Callable[[str], None],
    waiting: Waiting = REAL,
) -> list[StackOutcome]:
    """The outcome of every stack that the plan changes. Raises StoppedError; botocore's exceptions, InputError and
    AwsError where a set cannot be created or updated.
    """
    failed: dict[_Key, str] = {}
    updates: dict[int, str] = {}
    try:
        for number in plan.new_sets:
            say(f"{sets.name(number)}: creating the StackSet ...")
            _patiently(partial(sets.create_set, number, content), waiting)
        for number in plan.changed_sets:
            say(f"{sets.name(number)}: updating the StackSet and its stacks ...")
            updates[number] = str(uuid.uuid4())
            _patiently(partial(sets.update_set, number, content, updates[number]), waiting)
        for number, operation in updates.items():
            failed |= _failed_instances(sets, number, operation, waiting)
    except KeyboardInterrupt:
        waiting_stacks = sum(stack.change in ON_INSTANCE for stack in plan.stacks)
        raise StoppedError(_still_running(sets, updates), waiting_stacks) from None
    return _do_stacks(sets, plan, failed, say, waiting)


def _still_running(sets: StackSets, updates: Mapping[int, str]) -> list[str]:
    """Of the updates of sets, those that were begun and are not over; what AWS does not answer may be running."""
    lines = []
    for number, operation in updates.items():
        what = f"{sets.name(number)}: update of the StackSet and its stacks"
        try:
            if operation in sets.running(number):
                lines.append(what)
        except Exception as error:
            if not _is_refusal(error):
                raise
            lines.append(f"{what} (not known: {error_line(error)})")
    return lines


def _failed_instances(sets: StackSets, number: int, operation: str, waiting: Waiting) -> dict[_Key, str]:
    """Of an update of a set: the reason of each instance that is not updated."""
    status, reason = _follow(sets, number, operation, waiting)
    results = _patiently(partial(sets.results, number, operation), waiting) or {}
    failed = {
        (number, account, region): why or result
        for (account, region), (result, why) in results.items()
        if result != "SUCCEEDED"
    }
    if status != "SUCCEEDED" and not failed:
        raise AwsError(f'the update of "{sets.name(number)}" is {status}: {reason or "see its operations"}')
    return failed


def _do_stacks(
    sets: StackSets, plan: FleetPlan, failed: Mapping[_Key, str], say: Callable[[str], None], waiting: Waiting
) -> list[StackOutcome]:
    """By operations of their own, unless the update of the set failed for the stack or was all there was to do."""
    outcomes: list[StackOutcome] = []
    todo: deque[tuple[str, PlannedStack]] = deque()
    for stack in plan.stacks:
        reason = failed.get(_key(stack))
        if reason is not None and stack.change is not StackChange.DELETE:
            outcomes.append(_reported(StackOutcome(stack, done=False, reason=reason), say))
        elif stack.change is StackChange.TEMPLATE:
            outcomes.append(_reported(StackOutcome(stack, done=True), say))
        elif stack.change in ON_INSTANCE:
            todo.append((str(uuid.uuid4()), stack))
    running: dict[str, PlannedStack] = {}
    refused_at: dict[str, float] = {}
    try:
        while todo or running:
            outcomes += [_reported(outcome, say) for outcome in _begin(sets, todo, running, refused_at, waiting)]
            if running or todo:
                waiting.pause(_EVERY)
            outcomes += [_reported(outcome, say) for outcome in _ended(sets, running)]
    except KeyboardInterrupt:
        lines = [f"{sets.name(stack.number)}: {stack.change} of {stack}" for stack in running.values()]
        raise StoppedError(lines, len(todo)) from None
    return outcomes


def _begin(
    sets: StackSets,
    todo: deque[tuple[str, PlannedStack]],
    running: dict[str, PlannedStack],
    refused_at: dict[str, float],
    waiting: Waiting,
) -> list[StackOutcome]:
    """As many as may run at once. A set that is busy is asked again with the next look, its other stacks too.

    A call that was cut off may have been accepted: it is repeated with the same id, and AWS then says that the id
    exists.
    """
    outcomes = []
    busy: set[int] = set()
    for _ in range(len(todo)):
        if len(running) >= AT_ONCE:
            break
        operation, stack = todo.popleft()
        if stack.number in busy:
            todo.append((operation, stack))
            continue
        running[operation] = stack
        try:
            sets.change(stack, operation)
        except Exception as error:
            if not _is_refusal(error):
                raise
            if _code(error) == _ID_EXISTS:
                continue
            del running[operation]
            if _is_busy(error) and waiting.now() - refused_at.setdefault(operation, waiting.now()) < _PATIENCE:
                busy.add(stack.number)
                todo.append((operation, stack))
            else:
                outcomes.append(StackOutcome(stack, done=False, reason=error_line(error)))
    return outcomes


def _ended(sets: StackSets, running: dict[str, PlannedStack]) -> list[StackOutcome]:
    """Throttling and a lost connection say nothing about an operation: the next look decides."""
    outcomes = []
    for operation, stack in list(running.items()):
        try:
            status, reason = sets.status(stack.number, operation)
            if status not in _ENDED:
                continue
            result = sets.results(stack.number, operation).get((stack.account, stack.region))
            if result is None and stack.change is StackChange.DELETE and not sets.has(stack):
                result = ("SUCCEEDED", "")
        except Exception as error:
            if not _is_refusal(error):
                raise
            if is_transient(error):
                continue
            outcomes.append(StackOutcome(stack, done=False, reason=f"not known: {error_line(error)}"))
        else:
            outcomes.append(_outcome(stack, status, reason, result))
        del running[operation]
    return outcomes


def _outcome(stack: PlannedStack, status: str, reason: str, result: tuple[str, str] | None) -> StackOutcome:
    """An operation on an account that no target names succeeds, and does nothing."""
    if result is None and status == "SUCCEEDED":
        return StackOutcome(stack, done=False, reason=_NOT_TARGETED)
    of_instance, why = result or (status, reason)
    done = status == "SUCCEEDED" and of_instance == "SUCCEEDED"
    return StackOutcome(stack, done, "" if done else why or reason or of_instance)


def _follow(sets: StackSets, number: int, operation: str, waiting: Waiting) -> tuple[str, str]:
    """The status of an operation that is over."""
    while True:
        status, reason = _patiently(partial(sets.status, number, operation), waiting) or ("", "")
        if status in _ENDED:
            return status, reason
        waiting.pause(_EVERY)


def _patiently[T](call: Callable[[], T], waiting: Waiting) -> T | None:
    """The call's answer, once the set is free and AWS answers; None where it was accepted before. Raises what stays."""
    until = waiting.now() + _PATIENCE
    while True:
        try:
            return call()
        except Exception as error:
            if _code(error) == _ID_EXISTS:
                return None
            if not _is_busy(error) or waiting.now() >= until:
                raise
            waiting.pause(_EVERY)


def _is_refusal(error: Exception) -> bool:
    """Whether AWS refused, or was not reached; anything else is a defect of ours."""
    return isinstance(error, (AwsError, InputError, *aws_errors())) or is_foreign_answer(error)


def _is_busy(error: Exception) -> bool:
    """Whether the same call may be accepted later: another operation on the set, throttling, no connection."""
    return _code(error) in _SET_BUSY or is_transient(error)


def _code(error: Exception) -> str:
    response: Any = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def _key(stack: PlannedStack) -> _Key:
    return stack.number, stack.account, stack.region


def _reported(outcome: StackOutcome, say: Callable[[str], None]) -> StackOutcome:
    what = f"{outcome.stack.change} of {outcome.stack}"
    say(f"  done    {what}" if outcome.done else f"  failed  {what}: {outcome.reason}")
    return outcome
