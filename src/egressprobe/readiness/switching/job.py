"""What a switch works with, how it can end, and its last words: the true state."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, Protocol

from msgspec.structs import replace

from egressprobe.model.errors import AwsError, InputError
from egressprobe.model.joined_report import Joined
from egressprobe.model.report import TargetView
from egressprobe.readiness.result import ClusterState, Difference, Preflight
from egressprobe.readiness.switching.gate import DEFAULT_AGE
from egressprobe.readiness.switching.state import SwitchState
from egressprobe.readiness.switching.truth import EksCalls, Truth, read_truth, sentence

# "The update typically completes within 10 minutes": control plane egress, "Update an existing cluster".
DEFAULT_WAIT = timedelta(minutes=45)


class Ended(StrEnum):
    """NOT_SWITCHED: EKS refused, failed or cancelled it, or there is no sign of it. UNCONFIRMED: not confirmed by a
    person. NOT_KNOWN: it was asked for, and its end or its effect is not known.
    """

    VERIFIED = "verified"
    DRY_RUN = "dry run"
    UNCONFIRMED = "not confirmed"
    NO_GO = "refused: NO-GO"
    UNSEEN = "refused: not known"
    INPUT = "refused: the baseline"
    BUSY = "refused: not now"
    NOT_SWITCHED = "not switched"
    NOT_KNOWN = "not known"
    INTERRUPTED = "interrupted"
    ERROR = "error"


class SwitchEnd(NamedTuple):
    """difference: the report after the switch, where one was made."""

    ended: Ended
    difference: Difference | None = None


class NotSeenError(AwsError):
    """Something that decides could not be seen; nothing is sent."""


class OutputLostError(Exception):
    """Messages can no longer be written: the terminal was closed."""


class SwitchClock(Protocol):
    """The time, with its zone; and waiting, in seconds."""

    def now(self) -> datetime: ...

    def sleep(self, seconds: float, /) -> None: ...


class ReadinessProbes(Protocol):
    """What the switch reads beside EKS. All raise InputError and AwsError.

    look: the cluster and its targets now; raises NotSeenError where discovery was incomplete. probe: one round.
    verify: a preflight now, compared with the baseline.
    """

    def look(self) -> tuple[ClusterState, tuple[TargetView, ...]]: ...

    def probe(self) -> Joined: ...

    def verify(self, baseline: Preflight, /) -> Difference: ...


class StateStore(Protocol):
    """state.StateFile. Both raise InputError."""

    def load(self) -> SwitchState | None: ...

    def save(self, state: SwitchState, /) -> None: ...


class SwitchJob(NamedTuple):
    """confirm: asks a person, or has the answer; None: nothing is sent, and `unasked` says why. command: the exact
    call, with a clientRequestToken. again: how to resume.

    say: one line for a person; raises OutputLostError. most_age: of the baseline. wait: for the end of the update.
    """

    baseline: Preflight
    calls: EksCalls
    probes: ReadinessProbes
    store: StateStore
    clock: SwitchClock
    say: Callable[[str], None]
    confirm: Callable[[], bool] | None
    command: Callable[[str], str]
    again: str
    most_age: timedelta = DEFAULT_AGE
    wait: timedelta = DEFAULT_WAIT
    unasked: str = "dry run: nothing is sent"

    def truth(self, state: SwitchState | None) -> Truth:
        """As EKS reports it now, of this attempt."""
        update_id = state.update_id if state else ""
        return read_truth(self.calls, self.clock.now(), update_id=update_id, known=state.known_updates if state else ())

    def truth_again(self, before: Truth) -> Truth:
        """All updates once more, without those that had ended then."""
        running = {update.id for update in (*before.others, *([before.egress] if before.in_progress else ())) if update}
        ended = frozenset(before.listed or ()) - running
        return read_truth(self.calls, self.clock.now(), known=ended)

    def note(self, state: SwitchState) -> None:
        """Saves the state; after the request that is a convenience: what was written before it is enough to go on."""
        try:
            self.store.save(state)
        except InputError as error:
            self.log(f"the state was not saved, and --resume will read EKS alone: {error}")

    def log(self, text: str) -> None:
        """A line with the time, for what takes minutes."""
        self.say(f"{self.clock.now():%H:%M:%S} {text}")


def say_truth(job: SwitchJob, *, sent: bool) -> None:
    """The last line of every end: the true state, read now, and before it how to go on where there is something to do.

    sent: whether this command sent the request; the state that shows it may be lost or damaged.
    An interruption while it is read lets it be read once more; after a second one that is said. The state is also
    written beside the baseline, for the case that there is no terminal any more.
    """
    lines = ["true state: not read, because this was interrupted again"]
    for _ in range(2):
        try:
            lines = _last_lines(job, sent=sent)
            break
        except KeyboardInterrupt:
            continue
    for line in lines:
        with suppress(OutputLostError):
            try:
                job.say(line)
            except KeyboardInterrupt:
                job.say(line)


def _last_lines(job: SwitchJob, *, sent: bool) -> list[str]:
    state: SwitchState | None = None
    with suppress(InputError):
        state = job.store.load()
    is_open = state is not None and state.phase.is_open
    known = state.known_updates if state and is_open else () if sent and state is None else None
    truth = read_truth(job.calls, job.clock.now(), update_id=state.update_id if state else "", known=known)
    text = sentence(truth) + ("" if sent or state else "; this command sent nothing")
    if state is not None:
        with suppress(InputError):
            job.store.save(replace(state, last_seen=text))
    return [*([f"to go on: {job.again}"] if is_open or (sent and state is None) else []), f"true state: {text}"]
