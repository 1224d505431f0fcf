"""The update from its start to its end, with a probe each minute; and the wait for the mode that follows."""

from datetime import datetime, timedelta

from egressprobe.aws.updates.eks_updates import FINAL, ROUTED
from egressprobe.model.errors import AwsError, InputError
from egressprobe.readiness.switching.job import SwitchJob
from egressprobe.readiness.switching.state import SwitchState
from egressprobe.readiness.switching.truth import Truth
from egressprobe.readiness.switching.watch import Watch

_EVERY = 10.0  # seconds between two looks at the update
_PROBE_EVERY = timedelta(minutes=1)
# A network that is lost may come back; credentials that ended do not by themselves.
_PATIENCE = timedelta(minutes=5)
# "This status transition is eventually consistent": UpdateClusterConfig.
_SETTLES_WITHIN = timedelta(minutes=5)


def follow(job: SwitchJob, state: SwitchState) -> Truth:
    """The truth when the update has ended, or when the wait is over. Raises AwsError where EKS cannot be read."""
    watch = Watch(job.baseline)
    began = next_probe = job.clock.now()
    last_answer, shown, trouble = began, "", ""
    while True:
        truth = job.truth(state)
        now = job.clock.now()
        if truth.egress:
            last_answer, trouble = now, ""
            if truth.egress.status != shown:
                shown = truth.egress.status
                job.log(f"{truth.egress.type} {truth.egress.id}: {shown}")
            if shown in FINAL:
                return truth
        else:
            trouble = _unread(job, truth, trouble)
            if now - last_answer > _PATIENCE:
                raise AwsError(f"EKS could not be read for {now - last_answer}: {trouble}")
        if now - began >= job.wait:
            return truth
        if now >= next_probe:
            next_probe = now + _PROBE_EVERY
            _probe(job, watch)
        job.clock.sleep(_EVERY)


def _unread(job: SwitchJob, truth: Truth, before: str) -> str:
    """Said once for each trouble."""
    trouble = "; ".join(truth.unread)
    if trouble != before:
        job.log(f"the update cannot be read now, and goes on: {trouble}")
    return trouble


def _probe(job: SwitchJob, watch: Watch) -> None:
    try:
        joined = job.probes.probe()
    except (AwsError, InputError) as error:
        job.log(f"not probed: {error}")
        return
    for change in watch.changes(joined):
        job.log(change)


def settle(job: SwitchJob) -> bool:
    """Waits until the cluster is CUSTOMER_ROUTED and ACTIVE; whether it is CUSTOMER_ROUTED."""
    began: datetime = job.clock.now()
    while True:
        cluster = None
        try:
            cluster = job.calls.cluster()
        except AwsError as error:
            job.log(f"the cluster cannot be read now: {error}")
        if cluster and cluster.mode == ROUTED and cluster.status == "ACTIVE":
            return True
        if job.clock.now() - began >= _SETTLES_WITHIN:
            return cluster is not None and cluster.mode == ROUTED
        job.clock.sleep(_EVERY)


def ended_badly(job: SwitchJob, truth: Truth) -> bool:
    """Says how an update ended that was not successful; whether the cluster is CUSTOMER_ROUTED all the same."""
    update = truth.egress
    assert update is not None  # noqa: S101
    job.log(f"the update is {update.status}: {'; '.join(update.errors) or 'EKS reports no reason'}")
    cluster = truth.cluster or job.calls.cluster()
    if cluster.mode == ROUTED:
        job.log(f"all the same, EKS reports {ROUTED}")
        return True
    job.log(f"the mode is {cluster.mode}; correct the cause, run preflight again, then switch")
    return False
