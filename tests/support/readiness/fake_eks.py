"""EKS and everything else that a switch touches, scripted: any call can fail, and any can be interrupted.

`World` is the cluster and what outlives a run of the command: EKS, the disk, the clock. `World.run` is one run. Each
call into the world is a boundary: before it and after it, a run can be interrupted or killed.
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from egressprobe.aws.updates.eks_updates import (
    EGRESS_UPDATE,
    FINAL,
    CallRefusedError,
    EksCluster,
    EksUpdate,
    NoAnswerError,
)
from egressprobe.model.errors import AwsError
from egressprobe.model.report import view
from egressprobe.model.target import Kind, Target
from egressprobe.readiness.comparison.verify import verified
from egressprobe.readiness.result import CheckState, SwitchCheck
from egressprobe.readiness.switching.job import SwitchJob
from egressprobe.readiness.switching.run import switch
from egressprobe.readiness.switching.state import SwitchState
from tests.support.readiness.preflights import ARN, CLUSTER, cell, preflight, row

BEGAN = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)
COMMAND = "aws eks update-cluster-config --name prod"
AGAIN = "egressprobe switch --resume"


class Killed(BaseException):
    """kill -9: nothing of the run happens after it."""


@dataclass
class Eks:
    """The service. script: statuses that DescribeUpdate reports, one a look, the last for ever.

    answers: of `start`, one a call: an error to raise, before (`refused`) or after it was carried out (`lost`).
    """

    mode: str = "AWS_MANAGED"
    status: str = "ACTIVE"
    script: list = field(default_factory=lambda: ["InProgress", "InProgress", "Successful"])
    answers: list = field(default_factory=list)
    updates: dict = field(default_factory=dict)
    tokens: list = field(default_factory=list)  # of every request that arrived
    by_token: dict = field(default_factory=dict)
    failing: dict = field(default_factory=dict)  # call -> error, while it is there
    errors: tuple = ()
    ends_routed: bool = True
    listed_after: int = 0  # looks until a new update is listed
    born: datetime = BEGAN  # when updates are created, a minute apart

    def fail(self, name):
        if name in self.failing:
            raise self.failing[name]

    def cluster(self):
        self.fail("cluster")
        return EksCluster("prod", ARN, self.status, self.mode)

    def update_ids(self):
        self.fail("update_ids")
        self.listed_after -= 1
        hidden = set(self.by_token.values()) if self.listed_after >= 0 else set()
        return tuple(name for name in self.updates if name not in hidden)

    def update(self, name):
        self.fail("update")
        if name not in self.updates:
            raise CallRefusedError("No update found for ID", "ResourceNotFoundException")
        update = self.updates[name]
        if name in self.by_token.values() and update.status not in FINAL and self.script:
            update = self.updates[name] = update._replace(status=self.script[0], errors=self.errors)
            self.script = self.script[1:] or self.script
            if update.status == "Successful":
                self.mode, self.status = "CUSTOMER_ROUTED" if self.ends_routed else self.mode, "ACTIVE"
            elif update.status in ("Failed", "Cancelled"):
                self.status = "ACTIVE"
        return update

    def check_permissions(self):
        self.fail("update")

    def start(self, token):
        self.fail("start")
        self.tokens.append(token)
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, CallRefusedError):
            raise answer
        if answer != "lost, not carried out":
            self.apply(token)
        if answer is not None:
            raise NoAnswerError("Connection was closed before we received a valid response")
        return self.updates[self.by_token[token]]

    def apply(self, token):
        if token not in self.by_token:
            running = [update for update in self.updates.values() if update.status == "InProgress"]
            if running or self.mode != "AWS_MANAGED":
                raise CallRefusedError("an update is in progress", "ResourceInUseException")
            name = f"update-{len(self.updates) + 1}"
            self.by_token[token] = name
            created_at = (self.born + timedelta(minutes=len(self.updates))).isoformat()
            self.updates[name] = EksUpdate(name, EGRESS_UPDATE, "InProgress", created_at)
            self.status = "UPDATING"


def live_eks(**more):
    """Of tests whose clock is the real one."""
    return Eks(born=datetime.now(UTC), **more)


class _Boundary:
    """An object whose every method is a boundary of the run."""

    def __init__(self, run, of):
        self._run, self._of = run, of

    def __getattr__(self, name):
        inner = getattr(self._of, name)

        def call(*args, **more):
            self._run.boundary()
            answer = inner(*args, **more)
            self._run.boundary()
            return answer

        return call


@dataclass
class World:
    """disk: the state beside the baseline, as JSON; None: there is none (or this is another computer)."""

    eks: Eks = field(default_factory=Eks)
    now: datetime = BEGAN
    disk: dict | None = None
    baseline: object = None
    after: object = None  # what a preflight measures after the switch
    targets: tuple = ()
    cluster: object = CLUSTER
    probe_error: Exception | None = None
    look_error: Exception | None = None
    joined: list = field(default_factory=list)

    def __post_init__(self):
        rows = (row("policy.example.com", cell(), cell(subnet="subnet-b")),)
        self.baseline = self.baseline or preflight(*rows, started_at=(BEGAN - timedelta(minutes=5)).isoformat())
        self.after = self.after or self.baseline
        self.targets = self.targets or tuple(r.target for r in self.baseline.rows)

    def run(self, *, resume=False, confirm=True, stop_at=None, by=KeyboardInterrupt, **more):
        return Run(self, stop_at, by).go(resume=resume, confirm=confirm, **more)


class Run:
    """One run of the command: what it said, how it ended."""

    def __init__(self, world, stop_at, by):
        self.world, self.stop_at, self.by = world, stop_at, by
        self.count, self.said, self.end, self.confirmed = 0, [], None, 0

    def boundary(self):
        """Raises at the chosen one; a killed run does nothing any more."""
        self.count += 1
        if self.stop_at is not None and (
            self.count == self.stop_at or (self.by is Killed and self.count > self.stop_at)
        ):
            raise self.by

    def go(self, *, resume, confirm, **more):
        job = SwitchJob(
            baseline=self.world.baseline,
            calls=_Boundary(self, self.world.eks),
            probes=_Boundary(self, self),
            store=_Boundary(self, _Disk(self.world)),
            clock=_Boundary(self, self),
            say=_Boundary(self, self).say,
            confirm=None if confirm is None else _Boundary(self, _Person(self, confirm)).confirm,
            command=lambda token: f"{COMMAND} --client-request-token {token}",
            again=AGAIN,
            **more,
        )
        try:
            self.end = switch(job, resume=resume)
        except Killed:
            self.end = None
        return self

    @property
    def ended(self):
        return self.end.ended if self.end else None

    @property
    def last(self):
        return self.said[-1]

    # -- what the job touches --------------------------------------------------------------------------------------

    def say(self, text):
        self.said.append(text)

    def sleep(self, seconds):
        self.world.now += timedelta(seconds=seconds)

    # `now` is called by the clock's boundary, which reads an attribute that is callable.
    def now(self):
        return self.world.now

    def look(self):
        if self.world.look_error:
            raise self.world.look_error
        return self.world.cluster, self.world.targets

    def probe(self):
        if self.world.probe_error:
            raise self.world.probe_error
        if not self.world.joined:
            raise AwsError("no probe responds")
        return self.world.joined.pop(0) if len(self.world.joined) > 1 else self.world.joined[0]

    def verify(self, baseline):
        eks = self.world.eks
        state = CheckState.MET if eks.mode == "CUSTOMER_ROUTED" and eks.status == "ACTIVE" else CheckState.NOT_MET
        step = SwitchCheck("verify-mode", "mode", state, eks.mode, part="verification")
        return verified(baseline, self.world.after, [step], origin="baseline.json")


class _Person:
    def __init__(self, run, answer):
        self.run, self.answer = run, answer

    def confirm(self):
        self.run.confirmed += 1
        return self.answer


class _Disk:
    def __init__(self, world):
        self.world = world

    def load(self):
        import msgspec

        return None if self.world.disk is None else msgspec.convert(self.world.disk, SwitchState)

    def save(self, state):
        import msgspec

        self.world.disk = json.loads(msgspec.json.encode(state))


def target(name, **more):
    return view(Target(kind=Kind.WEBHOOK, name=name, url=f"https://{name}/validate", host=name, port=443, **more))
