"""The one request, and what became of it: accepted, refused, or no answer; then EKS's list of updates decides."""

from msgspec.structs import replace

from egressprobe.aws.updates.eks_updates import EGRESS_UPDATE, ROUTED, CallRefusedError, NoAnswerError
from egressprobe.readiness.switching.job import SwitchJob
from egressprobe.readiness.switching.state import SwitchPhase, SwitchState
from egressprobe.readiness.switching.truth import Truth

# A throttled request changed nothing; the same one is sent again, seconds later.
_PAUSES = (2.0, 5.0, 15.0)
# UpdateClusterConfig: "this status transition is eventually consistent". Seconds until an update is listed.
_LISTED_WITHIN, _EVERY = 60.0, 5.0


def request(job: SwitchJob, state: SwitchState) -> SwitchState | None:
    """The state with the id of the update that was started; None: none was, as far as EKS reports, and it was said.

    `state` is on the disk already.
    """
    job.log("UpdateClusterConfig is sent")
    for pause in (*_PAUSES, None):
        try:
            update = job.calls.start(state.token)
        except CallRefusedError as error:
            if error.throttled and pause is not None:
                job.log(f"EKS refused for now: {error}; again in {pause:g} s")
                job.clock.sleep(pause)
                continue
            return _refused(job, state, error)
        except NoAnswerError as error:
            job.log(f"no answer: {error}; looking for the update in EKS's list")
            return _look_for_it(job, state)
        return _started(job, state, update.id)
    return None


def _started(job: SwitchJob, state: SwitchState, update_id: str) -> SwitchState:
    job.log(f"{EGRESS_UPDATE} {update_id} was started")
    state = replace(state, phase=SwitchPhase.STARTED, update_id=update_id)
    job.note(state)
    return state


def _refused(job: SwitchJob, state: SwitchState, error: CallRefusedError) -> SwitchState | None:
    job.log(f"EKS refused: {error}")
    truth = job.truth(state)
    if truth.egress:
        job.log(f"another request has started {EGRESS_UPDATE} {truth.egress.id}")
        return _started(job, state, truth.egress.id)
    if truth.listed is not None:
        job.note(replace(state, phase=SwitchPhase.REFUSED))
    return None


def _look_for_it(job: SwitchJob, state: SwitchState) -> SwitchState | None:
    began = job.clock.now()
    while True:
        truth = job.truth(state)
        if truth.egress:
            return _started(job, state, truth.egress.id)
        if (job.clock.now() - began).total_seconds() >= _LISTED_WITHIN:
            break
        job.clock.sleep(_EVERY)
    job.log(_no_sign(truth))
    return None


def _no_sign(truth: Truth) -> str:
    if truth.listed is None or truth.cluster is None:
        return "whether the request was carried out is not known: EKS's list of updates could not be read"
    routed = f", and the mode is {ROUTED}" if truth.cluster.mode == ROUTED else ""
    return f"EKS lists no update after {_LISTED_WITHIN:g} s{routed}; the request is not sent again by itself"
