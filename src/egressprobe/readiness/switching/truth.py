"""What EKS reports of the cluster and of its updates, and the sentence that says it."""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import NamedTuple, Protocol

from egressprobe.aws.updates.eks_updates import EGRESS_UPDATE, FINAL, NOT_FOUND, CallRefusedError, EksCluster, EksUpdate
from egressprobe.model.errors import AwsError


class EksCalls(Protocol):
    """EKS, for one cluster (aws/updates/eks_updates.py). All raise AwsError.

    start: CallRefusedError where nothing was changed, NoAnswerError where the request may have been carried out.
    """

    def cluster(self) -> EksCluster: ...

    def update_ids(self) -> tuple[str, ...]: ...

    def update(self, update_id: str, /) -> EksUpdate: ...

    def check_permissions(self) -> None: ...

    def start(self, token: str, /) -> EksUpdate: ...


class NotedCalls:
    """EksCalls that know whether the request was sent, whatever happens to the state on the disk."""

    def __init__(self, calls: EksCalls) -> None:
        self._calls = calls
        self.sent = False

    def cluster(self) -> EksCluster:
        return self._calls.cluster()

    def update_ids(self) -> tuple[str, ...]:
        return self._calls.update_ids()

    def update(self, update_id: str, /) -> EksUpdate:
        return self._calls.update(update_id)

    def check_permissions(self) -> None:
        self._calls.check_permissions()

    def start(self, token: str, /) -> EksUpdate:
        self.sent = True
        return self._calls.start(token)


class Truth(NamedTuple):
    """at: when it was read. cluster: None where it could not be read.

    egress: the ControlPlaneEgressUpdate that matters: the one asked for, else one in progress, else the newest. others:
    other updates in progress. listed: ids of all updates, None where they could not be read. unread: why not.
    no_cluster: EKS has none of this name.
    """

    at: datetime
    cluster: EksCluster | None
    egress: EksUpdate | None
    others: tuple[EksUpdate, ...] = ()
    listed: tuple[str, ...] | None = None
    unread: tuple[str, ...] = ()
    no_cluster: bool = False

    @property
    def in_progress(self) -> bool:
        """Whether the egress update has not ended; a status that is not known counts as in progress."""
        return self.egress is not None and self.egress.status not in FINAL


def read_truth(calls: EksCalls, now: datetime, *, update_id: str = "", known: Collection[str] | None = ()) -> Truth:
    """One look. Never raises AwsError: what could not be read is in `unread`.

    update_id: then only this update is read. known: ids of updates that were there before the request, which are not
    read again; None: the cluster alone is read.
    """
    unread: list[str] = []
    egress: EksUpdate | None = None
    others: tuple[EksUpdate, ...] = ()
    listed: tuple[str, ...] | None = None
    try:
        if update_id:
            egress = calls.update(update_id)
        elif known is not None:
            listed = calls.update_ids()
            # ListUpdates has no order and no types: each has to be read.
            updates = list(_updates(calls, [update for update in listed if update not in known]))
            egress, others = _decisive(updates), tuple(update for update in updates if _is_other(update))
    except AwsError as error:
        listed = None
        unread.append(str(error))
    # After the update, so that an update that has ended is not shown with the cluster from before its end.
    cluster: EksCluster | None = None
    no_cluster = False
    try:
        cluster = calls.cluster()
    except AwsError as error:
        no_cluster = isinstance(error, CallRefusedError) and error.code == NOT_FOUND
        unread = [str(error)] if no_cluster else [*unread, str(error)]
    return Truth(now, cluster, egress, others, listed, tuple(unread), no_cluster)


def _updates(calls: EksCalls, names: Iterable[str]) -> Iterator[EksUpdate]:
    """Without those that EKS lists and does not find: https://github.com/aws/aws-cli/issues/10252."""
    for name in names:
        try:
            yield calls.update(name)
        except CallRefusedError as error:
            if error.code != NOT_FOUND:
                raise


def _is_other(update: EksUpdate) -> bool:
    return update.type != EGRESS_UPDATE and update.status not in FINAL


def _decisive(updates: list[EksUpdate]) -> EksUpdate | None:
    egress = [update for update in updates if update.type == EGRESS_UPDATE]
    running = [update for update in egress if update.status not in FINAL]
    return max(running or egress, key=lambda update: update.created_at, default=None)


def sentence(truth: Truth) -> str:
    """`prod is ACTIVE, controlPlaneEgressMode AWS_MANAGED, update U is InProgress (read from EKS at 10:02:11 UTC)`."""
    if truth.cluster is None:
        return f"unknown: EKS could not be read at {truth.at:%H:%M:%S} UTC ({'; '.join(truth.unread)})"
    parts = [f"{truth.cluster.name} is {truth.cluster.status}, controlPlaneEgressMode {truth.cluster.mode}"]
    if truth.egress:
        parts.append(f"{EGRESS_UPDATE} {truth.egress.id} is {truth.egress.status}")
    elif truth.listed is not None:
        parts.append(f"no {EGRESS_UPDATE}")
    parts += [f"{update.type} {update.id} is {update.status}" for update in truth.others]
    parts += [f"not read: {reason}" for reason in truth.unread]
    return f"{', '.join(parts)} (read from EKS at {truth.at:%H:%M:%S} UTC)"
