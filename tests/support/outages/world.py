"""Two control-plane subnets, some targets, and what breaks them: the alarms of the real template over the metrics that
the probes really publish, minute by minute on virtual time, and the Planner's evaluations between.
"""

import contextlib
import io
import json
import logging
import random
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, NamedTuple, Self
from unittest.mock import patch

import msgspec

from egressprobe.audit.vpc.snapshot import AclEntry, VpcSnapshot
from egressprobe.incidents.alarms import AlarmKind
from egressprobe.model.failure import Code
from egressprobe.model.report import REPORT_SCHEMA, Report, Vantage, count, worst
from egressprobe.planner import functions, scheduler_api, vpc_audit
from egressprobe.planner.incidents.background import OverdueError
from egressprobe.planner.incidents.edges import IncidentEdges
from egressprobe.planner.incidents.evaluate import Evaluator, NotReportedError, report_incidents
from egressprobe.planner.incidents.reads.events import reading_of
from egressprobe.planner.incidents.settings import IncidentSettings
from egressprobe.planner.incidents.store import ExecutionMemory
from egressprobe.planner.inventory import read_inventory
from egressprobe.planner.settings import Clients, Probe, Settings
from egressprobe.publish import emf
from tests.support.aws.alarms import CloudWatch
from tests.support.aws.cloudformation import rendered
from tests.support.incidents import Probed, pod
from tests.support.outages.services import (
    PREFIX,
    BusApi,
    CalledScheduler,
    Calls,
    CloudWatchApi,
    EksApi,
    IncidentAws,
    LambdaApi,
    SnsApi,
    TrailApi,
)
from tests.support.rollouts.clock import Clock
from tests.support.vpc.snapshots import A, B, acl, clean, gone, routes

MINUTE = 60
BEGAN = datetime(2026, 11, 26, 0, 0, tzinfo=UTC)
SUBNETS = (A, B)
PAGES, NOTICES = "arn:aws:sns:eu-west-1:123456789012:pages", "arn:aws:sns:eu-west-1:123456789012:notices"
PLANNER = "arn:aws:lambda:eu-west-1:123456789012:function:planner"
TARGETS = (
    Probed("policy.example.com"),
    Probed("login.example.com"),
    pod("cert-manager"),
    pod("kyverno"),
    pod("labels", impact=emf.Impact.BYPASSES),
)


class Breakage(NamedTuple):
    """What is broken. targets: by name, with the code; where: subnets. vpc: what the audit sees of it."""

    name: str
    targets: dict[str, Code]
    where: tuple[str, ...]
    vpc: Callable[[VpcSnapshot], VpcSnapshot] = lambda snapshot: snapshot


OUTSIDE = {"policy.example.com": Code.CONNECT_TIMEOUT, "login.example.com": Code.CONNECT_TIMEOUT}
INSIDE = {"cert-manager": Code.CONNECT_TIMEOUT, "kyverno": Code.CONNECT_TIMEOUT, "labels": Code.CONNECT_TIMEOUT}
DENY_PODS = AclEntry(1, True, False, 6, "10.0.3.0/24", (9443, 9443))
DENY_WEB = AclEntry(2, True, False, 6, "93.184.0.0/16", (443, 443))
BREAKAGES = (
    Breakage("no default route", OUTSIDE, (A, B), lambda s: routes(s, "rtb-private", gone("0.0.0.0/0"))),
    Breakage("an ACL closes the way to pods", INSIDE, (A,), lambda s: acl(s, A, DENY_PODS)),
    Breakage("an ACL closes a provider", OUTSIDE, (B,), lambda s: acl(s, B, DENY_WEB)),
    Breakage("a server is down", {"kyverno": Code.CONNECT_REFUSED}, (A, B)),
    Breakage("a certificate expired", {"policy.example.com": Code.TLS_CERT_EXPIRED}, (A, B)),
    Breakage("an unknown CA", {"cert-manager": Code.TLS_UNKNOWN_AUTHORITY}, (A, B)),
    Breakage("a name is gone", {"login.example.com": Code.DNS_NXDOMAIN}, (A, B)),
    Breakage("what fails open", {"labels": Code.CONNECT_REFUSED}, (A, B)),
)


class Published(NamedTuple):
    """A message that has arrived. run: the evaluation that sent it."""

    at: float
    id: str
    transition: str
    detail: dict[str, Any]
    run: "OneRun"


@dataclass
class OneRun:
    """An evaluation: when it began and ended, and how: ended, raised or killed. calls: how many it has made.

    blind: a call of EventBridge Scheduler met a fault: it may have had no memory, or no lock.
    """

    began: float
    ended: float = 0.0
    outcome: str = "raised"
    answer: Any = None
    calls: int = 0
    dies_at: int = 0
    blind: bool = False


class InlinePool:
    """A pool of threads without threads: calls in an order that a seed decides, on the world's clock."""

    def __init__(self, *_: Any) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def map(self, function: Callable[[Any], Any], items: Any) -> list[Any]:
        return [function(item) for item in items]


class VirtualBackground:
    """A call of the Planner, carried out at once; overdue where it took longer than it may, on the world's clock."""

    def __init__(self, world: "OutageWorld", call: Callable[[], Any]) -> None:
        before = world.clock.now
        self._error: Exception | None = None
        try:
            self._value = call()
        except Exception as error:
            self._error = error
        self._took = world.clock.now - before

    def result(self, seconds: float) -> Any:
        if self._took > max(seconds, 0) + 1e-6:
            raise OverdueError(f"took longer than {seconds:.0f} s")
        if self._error:
            raise self._error
        return self._value


class OutageWorld:
    """broken: what is, by name. toggles: (time, target, subnet) -> whether it fails since then."""

    def __init__(self, seed: int = 0, *, notices: str = NOTICES, detail: str = "target") -> None:
        self.dice = random.Random(seed)
        self.clock, self.calls = Clock(), Calls()
        self.broken: dict[str, Breakage] = {}
        self.history: list[tuple[float, frozenset[tuple[str, str]]]] = [(0.0, frozenset())]
        self.sns: list[dict[str, Any]] = []
        self.published: list[Published] = []
        self.events: list[tuple[float, dict[str, Any]]] = []
        self.on_event: Callable[[dict[str, Any]], None] = self._invoke_soon
        self.runs: list[OneRun] = []
        self.silent: tuple[str, ...] = ()  # subnets whose probe does not run
        self._watch = CloudWatch(rendered(2, Subnets=f"{A}/eu-west-1a,{B}/eu-west-1b", TargetNotifications="causes", MetricDetail=detail, NoticeTopicArn=NOTICES))  # fmt: skip
        self._detail = detail
        self.cloudwatch = CloudWatchApi(self.calls, self._minutes)
        self.scheduler = CalledScheduler(self.calls)
        self.trail = TrailApi(self.calls)
        self.bus = BusApi(self.calls, self._put)
        self.probes = tuple(
            Probe(slot, subnet, f"eu-west-1{subnet[-1]}", f"probe-{subnet}") for slot, subnet in enumerate(SUBNETS)
        )
        self.settings = Settings("prod", self.probes, "group", "role", region="eu-west-1")
        self.incidents = IncidentSettings(
            True, PAGES, notices, PREFIX, "egressprobe-prod", planner=PLANNER, planner_role="r"
        )
        self.inventory = read_inventory({"targets": [_raw(target) for target in TARGETS]})
        self.clients = Clients(
            EksApi(self.calls, list(SUBNETS)), None, self.scheduler, LambdaApi(self.calls, self._probe)
        )
        self.aws = IncidentAws(
            self.cloudwatch, self.scheduler, SnsApi(self.calls, self._to_people), self.bus, self.trail
        )
        self.cloudwatch.alarms = dict.fromkeys(self._watch.states(), ("OK", BEGAN))
        self._since: dict[Any, datetime] = {}
        self._states: dict[Any, str] = {}
        self._run = threading.local()

    # -- what is broken --------------------------------------------------------------------------------------------

    def breaks(self, breakage: Breakage) -> None:
        self.broken[breakage.name] = breakage
        self._remember()

    def heals(self, name: str) -> None:
        self.broken.pop(name)
        self._remember()

    def failing(self) -> frozenset[tuple[str, str]]:
        return frozenset((name, subnet) for one in self.broken.values() for name in one.targets for subnet in one.where)

    def failed_throughout(self, name: str, subnet: str, start: float, end: float) -> bool:
        """Whether it failed from `start` to `end` without a pause."""
        states = [pairs for at, pairs in self.history if at <= start][-1:] + [
            p for at, p in self.history if start < at <= end
        ]
        return all((name, subnet) in pairs for pairs in states)

    def _remember(self) -> None:
        self.history.append((self.clock.now, self.failing()))

    def snapshot(self) -> VpcSnapshot:
        seen = clean()
        for one in self.broken.values():
            seen = one.vpc(seen)
        return seen

    # -- probes, metrics, alarms -----------------------------------------------------------------------------------

    def report(self, subnet: str, names: Any = None) -> Report:
        codes = {
            name: code for one in self.broken.values() if subnet in one.where for name, code in one.targets.items()
        }
        results = tuple(
            target.result(codes.get(target.name)) for target in TARGETS if names is None or target.name in names
        )
        verdicts = [result.verdict for result in results]
        vantage = Vantage("prod", subnet, f"eu-west-1{subnet[-1]}", (), "", "")
        at = self.now().isoformat(timespec="milliseconds")
        return Report(REPORT_SCHEMA, "run", at, 10.0, vantage, worst(verdicts), count(verdicts), results, ())

    def _probe(self, function: str, plan: dict[str, Any]) -> bytes:
        names = {target["name"] for target in plan["targets"]}
        return msgspec.json.encode(self.report(function.removeprefix("probe-"), names))

    def _minute(self) -> None:
        """Every probe's run of this minute, and after it the alarms."""
        buffer = io.StringIO()
        with patch.object(sys, "stdout", buffer):
            for subnet in set(SUBNETS) - set(self.silent):
                emf.publish(self.report(subnet), emf.Series(self._detail))
        for line in buffer.getvalue().splitlines():
            document = json.loads(line)
            if "_aws" in document:
                self._watch.store.add_document(document, self.clock.now)
        self.clock.at(self.clock.now + 50, self._evaluate)

    def _evaluate(self) -> None:
        """At the end of the minute; what has changed is an event."""
        now = int(self.clock.now // MINUTE + 1) * MINUTE
        self._watch.evaluate(now)
        current: dict[Any, str] = {}
        for alarm in (*self._watch.metric.values(), *self._watch.composite.values()):
            current[alarm.name, None] = alarm.state
            for attributes in getattr(alarm, "contributors", ()):
                current[alarm.name, attributes] = "ALARM"
        before, self._states = self._states, current
        changed = []
        for key in {**before, **current}:
            state = current.get(key, "OK")
            if before.get(key, "OK") != state:
                self._since[key] = self.now()
                changed.append(_event(*key, state, self.now()))
        self.cloudwatch.alarms = {
            name: (state, self._since.get((name, None), BEGAN)) for (name, of), state in current.items() if of is None
        }
        self.cloudwatch.contributors = {}
        for name, attributes in current:
            if attributes is not None:
                entry = (dict(attributes), self._since[name, attributes])
                self.cloudwatch.contributors.setdefault(name, []).append(entry)
        for event in changed:
            self.on_event(event)

    def alarmed_at(self) -> float:
        """When the first alarm that incidents are about turned on."""
        kinds = {f"{PREFIX}{kind}" for kind in AlarmKind}
        return min(at for at, event in self.events if event["detail"]["alarmName"] in kinds and _turned_on(event))

    def on(self, alarm: str) -> list[dict[str, str]]:
        """Attributes of the contributors that are in ALARM."""
        return [attributes for attributes, _ in self.cloudwatch.contributors.get(PREFIX + alarm, [])]

    def _minutes(self, metric: str, dimensions: dict[str, str]) -> list[datetime]:
        values = self._watch.store.series("EgressProbe", metric).get(frozenset(dimensions.items()), {})
        return [BEGAN + timedelta(minutes=minute) for minute in values]

    # -- the Planner -----------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        return BEGAN + timedelta(seconds=self.clock.now)

    def evaluate(self, event: dict[str, Any] | None = None) -> Any:
        """One invocation of the Planner. Raises what it raises."""
        edges = IncidentEdges(
            self.now, lambda: self.clock.now, self.clock.sleep, lambda call: VirtualBackground(self, call)
        )
        reported = reading_of(event or {}, PREFIX)
        evaluator = Evaluator(
            self.settings,
            self.incidents,
            self.inventory,
            self.clients,
            self.aws,
            "run",
            reported,
            edges,
            self.memory(),
            by_alarm=bool(event),
        )
        run = self._run.now = OneRun(self.clock.now)
        self.runs.append(run)
        self._begins(run)
        try:
            run.answer = report_incidents(evaluator)
            run.outcome = "ended"
        finally:
            run.ended = self.clock.now
            self._run.now = None
        return run.answer

    def memory(self) -> ExecutionMemory:
        """Of the execution environment of the next run."""
        return ExecutionMemory()

    def _begins(self, run: "OneRun") -> None:
        """Before its first call."""

    @property
    def run(self) -> "OneRun | None":
        """The evaluation of this thread."""
        return getattr(self._run, "now", None)

    def _invoke_soon(self, event: dict[str, Any]) -> None:
        self.events.append((self.clock.now, event))
        self.clock.process(self.clock.now + self.dice.uniform(0.5, 3), lambda: self.evaluate(event))

    def _to_people(self, message: dict[str, Any]) -> None:
        self.sns.append(message)

    def _put(self, detail: dict[str, Any]) -> None:
        self.published.append(Published(self.clock.now, detail["id"], detail["transition"], detail, self.run))

    # -- time ------------------------------------------------------------------------------------------------------

    @contextmanager
    def running(self) -> Iterator["OutageWorld"]:
        """Twelve healthy minutes have passed; `pass_minutes` goes on. `log` has what the Planner logs."""
        self.log = io.StringIO()
        fake = SimpleNamespace(
            time=lambda: self.now().timestamp(), sleep=self.clock.sleep, monotonic=lambda: self.clock.now
        )
        streams = [
            handler for name in ("egressprobe", "egressprobe-planner") for handler in logging.getLogger(name).handlers
        ]
        before = [handler.setStream(self.log) for handler in streams]
        with contextlib.ExitStack() as stack:
            for module in (scheduler_api, functions):
                stack.enter_context(patch.object(module, "time", fake))
                stack.enter_context(patch.object(module, "ThreadPoolExecutor", InlinePool))
            stack.enter_context(
                patch.object(vpc_audit, "_snapshot", lambda *_: self.calls.call("Snapshot", self.snapshot))
            )
            stack.enter_context(patch.object(sys, "stdout", self.log))
            self.pass_minutes(12)
            yield self
        for handler, stream in zip(streams, before, strict=True):
            handler.setStream(stream or sys.stdout)

    def pass_minutes(self, minutes: int) -> None:
        """Minutes of probing with their events; the plan's run every 15, and one-time schedules when they are due."""
        for _ in range(minutes):
            start = self.clock.now // MINUTE * MINUTE
            self.clock.at(start + 5, self._minute)
            if int(start) % (15 * MINUTE) == 0:
                self.clock.process(start + 20, self._after_plan)
            self._fire(start)
            self.clock.run(start + MINUTE)

    def _after_plan(self) -> None:
        """As the handler: a failure is logged."""
        try:
            self.evaluate()
        except NotReportedError as error:
            print(f"evaluation failed: {error!r}", file=self.log)

    def _fire(self, start: float) -> None:
        """One-time schedules of this minute: each is deleted and invokes the Planner."""
        for name, one in list(self.scheduler.there.items()):
            expression = one.get("ScheduleExpression", "")
            if expression.startswith("at(") and one["State"] == "ENABLED":
                at = datetime.fromisoformat(expression[3:-1]).replace(tzinfo=UTC)
                if at <= self.now() + timedelta(seconds=MINUTE):
                    del self.scheduler.there[name]
                    self.clock.process(start + self.dice.uniform(0, 50), self._after_plan)


def _turned_on(event: dict[str, Any]) -> bool:
    return bool(event["detail"]["state"]["value"] == "ALARM")


def _raw(target: Probed) -> dict[str, Any]:
    raw = {"kind": "webhook", "name": target.name, "failurePolicy": str(target.view.failure_policy)}
    if target.outside:
        return raw | {"url": target.view.url}
    return raw | {
        "service": {"namespace": "hooks", "name": target.name},
        "addresses": [f"{target.address}:{target.port}"],
    }


def _event(name: str, attributes: Any, state: str, at: datetime) -> dict[str, Any]:
    detail = {"alarmName": name, "state": {"value": state, "timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")}}
    if attributes is not None:
        detail["alarmContributor"] = {"id": "c", "attributes": dict(attributes)}
    of = "CloudWatch Alarm State Change" if attributes is None else "CloudWatch Alarm Contributor State Change"
    return {"source": "aws.cloudwatch", "detail-type": of, "detail": detail}
