"""The drill: start, wait for the page, stop, wait for the all-clear; each with its time and what was promised.

The target is in a schedule of its own (planner/drill), so none of the cluster's is touched. A real failure meanwhile
has its own message; it is named here, because then the all-clear does not come. However the command ends, it stops the
drill; if it is killed, the drill ends by itself within 20 minutes, and the next one removes what is left.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from egressprobe.model.errors import AwsError, InputError
from egressprobe.model.target import DRILL_TARGET
from egressprobe.stack.aws_answers import aws_errors, error_line, failures_as_lines
from egressprobe.stack.deployment import Deployment, deployment_of, session_for
from egressprobe.stack.drill.memory import PlannerMemory
from egressprobe.stack.drill.watch import INCIDENT, NO_PROBE, TARGETS, Alarms, Message
from egressprobe.stack.planner_client import call_planner

# docs/alarms.md: a page four to six minutes after the first failing one, which is the first of the schedule.
PAGE_WITHIN = timedelta(minutes=7)
# The failing minutes have left the alarm's window.
CLEAR_WITHIN = timedelta(minutes=8)
# Waiting goes on after the promised time, to tell a late message from none.
_PATIENCE = 2
_EVERY = 10.0
_SETTLE = 5.0


class DrillStep(NamedTuple):
    """took: from the step before it, None where it did not come. problem: why it is not as promised."""

    what: str
    took: timedelta | None
    promised: timedelta
    problem: str | None = None


class DrillResult(NamedTuple):
    """topic: where the page was sent. others: targets of the cluster that broke meanwhile."""

    steps: tuple[DrillStep, ...]
    topic: str
    others: tuple[str, ...] = ()

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        return all(step.problem is None for step in self.steps)

    def __str__(self) -> str:
        rows = ["MESSAGE     TOOK          PROMISED      RESULT"]
        for step in self.steps:
            took = "-" if step.took is None else _minutes(step.took)
            rows.append(f"{step.what:<12}{took:<14}{_minutes(step.promised):<14}{step.problem or 'as promised'}")
        if self.others:
            rows.append(f"Not the drill: {', '.join(self.others)} failed meanwhile; see its own message")
        return "\n".join([*rows, f"Sent to {self.topic}"])

    def document(self) -> dict[str, Any]:
        """As JSON; times in seconds."""
        steps = [
            {
                "message": step.what,
                "seconds": None if step.took is None else step.took.total_seconds(),
                "promisedSeconds": step.promised.total_seconds(),
                "problem": step.problem,
            }
            for step in self.steps
        ]
        return {"kept": self.kept, "messages": steps, "topic": self.topic, "otherTargets": list(self.others)}


class _Drill(NamedTuple):
    """One run of the command: what it asks, and how it waits. say: progress for a person.

    memory: of the Planner, where it sends the messages; None: the alarms send them, by_target: of each target.
    """

    session: Any
    planner: str
    alarms: Alarms
    memory: PlannerMemory | None
    by_target: bool
    say: Callable[[str], None]
    pause: Callable[[float], None]
    now: Callable[[], datetime]

    def wait(
        self, what: str, look: Callable[[], Message | None], promised: timedelta
    ) -> tuple[DrillStep, Message | None]:
        """Until `look` finds a message. Raises botocore's exceptions."""
        began = self.now()
        while (waited := self.now() - began) <= promised * _PATIENCE:
            message = look()
            if message is not None:
                took = max(message.at - began, timedelta(0))
                late = f"came after {_minutes(took)}" if took > promised else None
                problem = f"was not sent: {message.error}" if message.error else late
                self.say(f"{what}: {problem or _minutes(took)}")
                return DrillStep(what, took, promised, problem), message
            self.pause(_EVERY)
        self.say(f"{what}: did not come in {_minutes(waited)}")
        return DrillStep(what, None, promised, f"did not come in {_minutes(waited)}"), None


def run_drill(stack: str, region: str | None, *, may_page: bool, say: Callable[[str], None]) -> DrillResult:
    """`drill` in the account of the environment. Raises InputError, and AwsError for everything else."""
    session = session_for(stack, region)
    deployment = deployment_of(session, stack)
    with failures_as_lines():
        return drill(session, deployment, may_page=may_page, say=say)


def drill(
    session: Any,
    deployment: Deployment,
    *,
    may_page: bool = False,
    say: Callable[[str], None],
    pause: Callable[[float], None] = time.sleep,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> DrillResult:
    """may_page: also where the page does not name its target, so that it looks like a real one.

    Raises InputError where a drill cannot run now, AwsError and botocore's exceptions.
    """
    messages, planner = deployment.messages, deployment.planner
    alarms = Alarms(session.client("cloudwatch"), messages.alarm_prefix)
    by_planner = messages.on
    by_target = not by_planner and alarms.notifies(TARGETS, messages.page_topic)
    if not (by_planner or by_target or may_page):
        raise InputError(
            "stack",
            "its page does not name the target (TargetNotifications), so a drill looks like a real incident; "
            "warn whoever is on call and use --page",
        )
    memory = PlannerMemory(lambda event: call_planner(session, planner, event), now) if by_planner else None
    run = _Drill(session, planner, alarms, memory, by_target, say, pause, now)
    _clear_away(run)
    steps: list[DrillStep] = []
    with _failing_target(run):
        began = run.now()
        page, message = run.wait("page", lambda: _page(run, began), PAGE_WITHIN)
        steps.append(page)
    if message is None:
        return DrillResult(tuple(steps), messages.page_topic, _others(run))
    all_clear, _ = run.wait("all-clear", lambda: _all_clear(run, message), CLEAR_WITHIN)
    steps.append(all_clear)
    return DrillResult(tuple(steps), messages.page_topic, _others(run))


def _clear_away(run: _Drill) -> None:
    """Ends what an earlier drill left, and refuses to begin beside a real incident."""
    removed = _ask(run, "stop")["removed"]
    if removed:
        run.say("an earlier drill was left behind; it is removed, waiting for its all-clear")
    began = run.now()
    while True:
        states = run.alarms.states()
        if states[NO_PROBE] == "ALARM":
            raise InputError("stack", "no probe reports (probe broken), so no page would come; see the runbook")
        if states[INCIDENT] != "ALARM":
            return
        others = _others(run)
        if others or not removed or run.now() - began > CLEAR_WITHIN * _PATIENCE:
            names = f": {', '.join(others)}" if others else ""
            raise InputError("stack", f'"path broken" is on{names}; a drill would be part of that incident')
        run.pause(_EVERY)


@contextmanager
def _failing_target(run: _Drill) -> Iterator[None]:
    """The drill's target is probed inside; afterwards it is not, whatever happened."""
    started: dict[str, Any] = {}
    try:
        started = _ask(run, "start")
        run.say(f"{DRILL_TARGET} fails each minute from {started['subnet']}, at the latest until {started['until']}")
        yield
    finally:
        _end(run, started)


def _end(run: _Drill, started: dict[str, Any]) -> None:
    """Stops the drill, twice where its start was interrupted and may still be under way."""
    try:
        _ask(run, "stop")
        if not started:
            run.pause(_SETTLE)
            _ask(run, "stop")
    except Exception as error:
        if not isinstance(error, (AwsError, *aws_errors())):
            raise
        until = started.get("until", "20 minutes from now")
        run.say(f"the drill could not be stopped: {error_line(error)}; it ends by itself, at the latest {until}")
    else:
        run.say(f"{DRILL_TARGET} is removed")


def _ask(run: _Drill, state: str) -> dict[str, Any]:
    answer = call_planner(run.session, run.planner, {"action": "drill", "state": state})
    if "error" in answer or "removed" not in answer:
        reason = answer.get("error", answer)
        words = reason.get("message") if isinstance(reason, dict) else None
        raise AwsError(f"the Planner does not know drills: {words or reason}; deploy the stack again")
    return answer


def _page(run: _Drill, began: datetime) -> Message | None:
    """The message that a person gets."""
    if run.memory is not None:
        return run.memory.page()
    alarm = TARGETS if run.by_target else INCIDENT
    messages = run.alarms.messages(alarm, began, of_contributors=run.by_target)
    wanted = [message for message in messages if not run.by_target or message.contributor.get("Target") == DRILL_TARGET]
    return wanted[0] if wanted else None


def _all_clear(run: _Drill, page: Message) -> Message | None:
    """The incident's next message after the page."""
    if run.memory is not None:
        return run.memory.all_clear(still=run.alarms.states()[INCIDENT] == "ALARM")
    return next((message for message in run.alarms.messages(INCIDENT, page.at) if message.at > page.at), None)


def _others(run: _Drill) -> tuple[str, ...]:
    return tuple(sorted(run.alarms.broken_targets() - {DRILL_TARGET}))


def _minutes(span: timedelta) -> str:
    seconds = round(span.total_seconds())
    return f"{seconds // 60} min {seconds % 60:02d} s"
