"""The switch: is the baseline a GO for this cluster now, ask, request, follow, verify; and --resume.

- The request is noted on disk before it leaves (state.py), with its clientRequestToken and the updates that EKS lists.
- It is sent again only after a refusal that changed nothing, or by a person's --resume and confirmation, after EKS
  listed no update of it; then with the same token, so that EKS itself makes one update of both.
- Whatever ends this, the last line says what EKS reports then.
"""

import uuid
from contextlib import suppress
from datetime import datetime

from msgspec.structs import replace

from egressprobe.aws.updates.eks_updates import EGRESS_UPDATE, FINAL, ROUTED, SUCCESSFUL, EksCluster
from egressprobe.model.errors import AwsError, InputError
from egressprobe.readiness.switching.follow import ended_badly, follow, settle
from egressprobe.readiness.switching.gate import Ground, Refusal, changed_since, not_now, wrong_baseline
from egressprobe.readiness.switching.job import Ended, NotSeenError, OutputLostError, SwitchEnd, SwitchJob, say_truth
from egressprobe.readiness.switching.request import request
from egressprobe.readiness.switching.state import SwitchPhase, SwitchState
from egressprobe.readiness.switching.truth import NotedCalls, Truth

# The gravest first: it decides the exit code.
_ENDED = {
    Ground.NO_GO: Ended.NO_GO,
    Ground.INPUT: Ended.INPUT,
    Ground.UNSEEN: Ended.UNSEEN,
    Ground.BUSY: Ended.BUSY,
}


def switch(job: SwitchJob, *, resume: bool = False) -> SwitchEnd:
    """Every end, an interruption too, says the true state in its last line. Raises only what nothing here expects."""
    end = SwitchEnd(Ended.ERROR)
    calls = NotedCalls(job.calls)
    job = job._replace(calls=calls)
    try:
        end = _switch(job, resume=resume)
    except KeyboardInterrupt:
        end = SwitchEnd(Ended.INTERRUPTED)
    except OutputLostError:
        pass
    except (AwsError, InputError) as error:
        end = SwitchEnd(Ended.INPUT if isinstance(error, InputError) else Ended.ERROR)
        with suppress(OutputLostError, KeyboardInterrupt):
            job.say(f"egressprobe: {error}")
    finally:
        say_truth(job, sent=calls.sent)
    return end


def _switch(job: SwitchJob, *, resume: bool) -> SwitchEnd:
    state = job.store.load()
    attempt = state if state and state.phase.is_open else None
    truth = job.truth(attempt)
    cluster = _checked(job, truth, state)
    if attempt and not resume and not (truth.cluster and cluster.mode == ROUTED and not truth.in_progress):
        return _refuse(job, [Refusal(Ground.BUSY, f"an earlier switch is not finished: {job.again}")])
    if truth.in_progress:
        if not resume:
            why = f"a {EGRESS_UPDATE} of another caller is under way: {job.again} follows it"
            return _refuse(job, [Refusal(Ground.BUSY, why)])
        return _follow(job, _adopt(job, attempt, cluster, truth))
    if cluster.mode == ROUTED:
        if truth.egress and truth.egress.status == SUCCESSFUL:
            _check_order(job, truth.egress.created_at)
        job.say(f"{cluster.name} is {ROUTED} already; nothing is sent")
        settle(job)
        return _verify(job, attempt)
    if truth.egress and (attempt or resume):
        return _after(job, _adopt(job, attempt, cluster, truth), truth)
    if truth.listed is None:
        raise AwsError("; ".join(truth.unread) or "EKS does not say whether an update was started; nothing was sent")
    if resume and attempt is None:
        why = "no switch of it was begun, so there is nothing to resume"
        return _refuse(job, [Refusal(Ground.INPUT, why)])
    return _start(job, truth, cluster, attempt)


def _checked(job: SwitchJob, truth: Truth, state: SwitchState | None) -> EksCluster:
    """The cluster, if state and baseline are of it. Raises AwsError and InputError."""
    if truth.cluster is None:
        if truth.no_cluster:
            raise InputError("--cluster", f"{'; '.join(truth.unread)} (account and region are the profile's)")
        raise AwsError("; ".join(truth.unread))
    arn = truth.cluster.arn
    for place, other in (("the state beside the baseline", state and state.cluster_arn), ("the baseline", _arn(job))):
        if other and other != arn:
            raise InputError("--baseline", f"{place} is of {other}, not of {arn}")
    if state and state.update_id and state.phase.is_open:
        _check_order(job, state.requested_at)
    return truth.cluster


def _check_order(job: SwitchJob, requested_at: str) -> None:
    """A baseline from after the request would hide what the switch broke. Raises InputError."""
    made, requested = _time(job.baseline.started_at), _time(requested_at)
    if made and requested and made > requested:
        raise InputError("--baseline", f"was made after the update was requested ({requested_at}); give an older one")


def _arn(job: SwitchJob) -> str:
    return job.baseline.cluster.arn


def _refuse(job: SwitchJob, refusals: list[Refusal]) -> SwitchEnd:
    for refusal in refusals:
        job.say(f"refused: {refusal.why}")
    grounds = {refusal.ground for refusal in refusals}
    return SwitchEnd(next(ended for ground, ended in _ENDED.items() if ground in grounds))


def _adopt(job: SwitchJob, attempt: SwitchState | None, cluster: EksCluster, truth: Truth) -> SwitchState:
    """The state of an update that EKS lists: of this attempt, or of a caller elsewhere."""
    update = truth.egress
    assert update is not None  # noqa: S101
    requested_at = update.created_at or job.clock.now().isoformat()
    known = attempt or SwitchState(cluster.arn, "", SwitchPhase.STARTED, requested_at)
    _check_order(job, known.requested_at)
    if attempt is None or not attempt.update_id:
        job.say(f"{EGRESS_UPDATE} {update.id} was started {update.created_at or 'at an unknown time'}")
    state = replace(known, phase=SwitchPhase.STARTED, update_id=update.id)
    job.note(state)
    return state


def _start(job: SwitchJob, truth: Truth, cluster: EksCluster, attempt: SwitchState | None) -> SwitchEnd:
    refusals = _against(job, truth, cluster)
    if not refusals:
        try:
            refusals = changed_since(job.baseline, *job.probes.look())
        except NotSeenError as error:
            refusals = [Refusal(Ground.UNSEEN, str(error))]
    if refusals:
        return _refuse(job, refusals)
    job.calls.check_permissions()
    job.say(f"{cluster.name}: GO of {job.baseline.started_at}, unchanged since. The call:")
    token = attempt.token if attempt else str(uuid.uuid4())
    job.say(job.command(token))
    job.say(f"It cannot be undone: a cluster that is {ROUTED} stays so.")
    if job.confirm is None:
        job.say(job.unasked)
        return SwitchEnd(Ended.DRY_RUN)
    if not job.confirm():
        job.say("not confirmed: nothing is sent")
        return SwitchEnd(Ended.UNCONFIRMED)
    # Confirming may have taken long.
    again = job.truth_again(truth)
    if again.cluster is None or again.listed is None:
        raise AwsError(f"{'; '.join(again.unread)}; nothing was sent")
    refusals = _against(job, again, again.cluster)
    other = job.store.load()
    if other and other.phase.is_open and other.token != token:
        refusals.append(Refusal(Ground.BUSY, f"another command has begun the switch meanwhile: {job.again}"))
    if refusals:
        return _refuse(job, refusals)
    known = attempt.known_updates if attempt else again.listed
    state = SwitchState(cluster.arn, token, SwitchPhase.REQUESTED, job.clock.now().isoformat(), known)
    job.store.save(state)
    started = request(job, state)
    if started:
        return _follow(job, started)
    return _verify(job, state) if _is_routed(job) else SwitchEnd(Ended.NOT_SWITCHED)


def _is_routed(job: SwitchJob) -> bool:
    """Whether EKS reports the mode, although it lists no update."""
    try:
        return job.calls.cluster().mode == ROUTED
    except AwsError:
        return False


def _against(job: SwitchJob, truth: Truth, cluster: EksCluster) -> list[Refusal]:
    running = [*truth.others, *([truth.egress] if truth.egress and truth.in_progress else [])]
    busy = [f"{update.type} {update.id} is {update.status}; wait for its end" for update in running]
    if truth.egress and truth.egress.status == SUCCESSFUL:
        # Another caller's; it cannot be undone, and "this status transition is eventually consistent".
        busy.append(f"{EGRESS_UPDATE} {truth.egress.id} is {SUCCESSFUL}; wait until EKS reports {ROUTED}")
    refusals = wrong_baseline(job.baseline, cluster, job.clock.now(), job.most_age)
    return [*refusals, *not_now(cluster), *(Refusal(Ground.BUSY, why) for why in busy)]


def _follow(job: SwitchJob, state: SwitchState) -> SwitchEnd:
    truth = follow(job, state)
    if not truth.egress or truth.egress.status not in FINAL:
        minutes = round(job.wait.total_seconds() / 60)
        job.say(f"the update has not ended after {minutes} minutes; this command stops, the update goes on")
        return SwitchEnd(Ended.NOT_KNOWN)
    return _after(job, state, truth)


def _after(job: SwitchJob, state: SwitchState, truth: Truth) -> SwitchEnd:
    """After the update has ended."""
    assert truth.egress is not None  # noqa: S101
    if truth.egress.status != SUCCESSFUL:
        return _ended_badly(job, state, truth)
    if not settle(job):
        job.say(f"EKS reports the update {SUCCESSFUL}, and not {ROUTED}")
        return SwitchEnd(Ended.NOT_KNOWN)
    return _verify(job, state)


def _ended_badly(job: SwitchJob, state: SwitchState, truth: Truth) -> SwitchEnd:
    routed = ended_badly(job, truth)
    job.note(replace(state, phase=SwitchPhase.ENDED))
    return _verify(job, state) if routed else SwitchEnd(Ended.NOT_SWITCHED)


def _verify(job: SwitchJob, state: SwitchState | None) -> SwitchEnd:
    job.log("switched; verifying against the baseline")
    if state:
        job.note(replace(state, phase=SwitchPhase.ENDED))
    try:
        difference = job.probes.verify(job.baseline)
    except (AwsError, InputError) as error:
        job.say(f"switched, and not verified: {error}")
        job.say(f"to verify: {job.again}")
        return SwitchEnd(Ended.NOT_KNOWN)
    if state:
        job.note(replace(state, phase=SwitchPhase.VERIFIED))
    return SwitchEnd(Ended.VERIFIED, difference)


def _time(text: str) -> datetime | None:
    """None where it is not a time with a zone."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else None
