"""The stack over virtual time: the real Planner, Probe, metrics and alarms; network, API server and AWS are models.

Where AWS documents no figure, times are drawn from generous ranges: a schedule fires anywhere in its minute (or always
at the same second of it), a log line needs seconds to reach the Planner, and each call takes its time.
"""

import asyncio
import base64
import gzip
import io
import json
import logging
import random
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from unittest.mock import patch

import msgspec

from egressprobe.discovery.run import collect
from egressprobe.handlers import planner as planner_handler
from egressprobe.handlers import probe as probe_handler
from egressprobe.model.discovered import Discovered
from egressprobe.model.failure import Code, Failure, Phase
from egressprobe.model.measurement import Attempt, Handshake, Hop, Measurement
from egressprobe.planner import scheduler_api, schedules
from egressprobe.planner.functions import EVERY_LIST
from egressprobe.planner.inventory import EMPTY
from egressprobe.planner.reconcile import make_plan, refresh
from egressprobe.planner.settings import Clients, Probe, Settings
from egressprobe.probe import run as probe_run
from tests.support.aws.alarms import CloudWatch
from tests.support.aws.cloudformation import SUBNETS, rendered
from tests.support.aws.scheduler_memory import Scheduler
from tests.support.kube_objects import Items
from tests.support.rollouts.clock import Clock
from tests.support.rollouts.cluster import Cluster

MINUTE = 60
# CloudWatch takes two weeks of the past. A multiple of many minutes, as endpoints are sampled by the minute's number.
_CYCLE = 2520 * MINUTE
BEGAN = datetime.fromtimestamp(time.time() // _CYCLE * _CYCLE, UTC)
PAGED = "arn:aws:sns:eu-west-1:123456789012:egressprobe-prod-Topic"
FAILING = ("targets", "not looked up", "path broken, target not named", "path broken")


class RolloutWorld:
    """planner: "alive", "dead" (no run any more), "forbidden" (the API server refuses every list)."""

    def __init__(self, seed: int, *, delay: float | None = None, slow: float = 1.0):
        self.dice = random.Random(seed)
        self.clock, self.cluster = Clock(), Cluster(self.dice)
        self.planner, self.slow = "alive", slow
        self.looks: list[float] = []
        self.states: list[tuple[float, str, str]] = []
        self._delay = self.dice.uniform(5, 45) if delay is None else delay
        # The alarms' own messages, which come in the minute in which the Planner would be woken.
        self._watch = CloudWatch(rendered(3, MetricDetail="target", TargetNotifications="true"))
        self._scheduler = Scheduler()
        self._scheduler.before = lambda *_: self.clock.sleep(self.dice.uniform(0.03, 0.2))
        self._runs = 0
        self._fires: dict[str, float] = {}
        self.probes = tuple(
            Probe(slot, *text.split("/"), f"arn:aws:lambda:eu-west-1:123456789012:function:probe-{slot}")
            for slot, text in enumerate(SUBNETS[:3])
        )
        self._settings = Settings("prod", self.probes, "group", "role", discover="discover")
        self._clients = Clients(_Eks(), None, self._scheduler, SimpleNamespace(invoke=self._discover))
        fixed = self.dice.random() < 0.5
        for probe in self.probes:
            self._fires[probe.prefix] = self.dice.uniform(0, MINUTE) if fixed else -1.0

    @contextmanager
    def running(self, minutes: int):
        """The plan exists at once; every minute fires, until `minutes` are over (`run`)."""
        self._buffer = io.StringIO()
        fake = SimpleNamespace(
            time=lambda: BEGAN.timestamp() + self.clock.now,
            sleep=self.clock.sleep,
            monotonic=lambda: self.clock.now,
            perf_counter=lambda: self.clock.now,
        )
        moment = SimpleNamespace(now=lambda _: self._now(), fromisoformat=datetime.fromisoformat)
        streams = [h for name in ("egressprobe", "egressprobe-planner") for h in logging.getLogger(name).handlers]
        before = [handler.setStream(self._buffer) for handler in streams]
        with (
            patch.object(sys, "stdout", self._buffer),
            patch.object(scheduler_api, "time", fake),
            patch.object(schedules, "time", fake),
            patch.object(probe_handler, "time", fake),
            patch.object(probe_handler, "datetime", moment),
            patch.object(probe_run, "datetime", moment),
            patch.object(probe_run, "_measure_all", self._measure_all),
        ):
            for minute in range(minutes):
                for probe in self.probes:
                    phase = self._fires[probe.prefix]
                    at = minute * MINUTE + (self.dice.uniform(0, MINUTE) if phase < 0 else phase + self.dice.random())
                    nominal = minute * MINUTE + max(phase, 0)
                    self.clock.at(at + 20, lambda probe=probe, nominal=nominal: self._probe(probe, nominal))
                if minute % 15 == 0:
                    self.clock.process(minute * MINUTE, lambda: self._plan(make_plan))
                self.clock.at((minute + 1) * MINUTE, self._evaluate)
            yield self
        for handler, stream in zip(streams, before, strict=True):
            handler.setStream(stream or sys.stdout)

    def notices(self) -> list[tuple[float, str, str]]:
        """(seconds, alarm, state) of all that went to the topic of pages."""
        return [
            (n.at, n.alarm.removeprefix("egressprobe prod "), n.state) for n in self._watch.notices if PAGED in n.topics
        ]

    def paged_at(self) -> float | None:
        """When somebody was first paged because a target fails."""
        return next((at for at, alarm, state in self.notices() if alarm in FAILING and state == "ALARM"), None)

    # -- the Planner -----------------------------------------------------------------------------------------------

    def _plan(self, run, **more) -> None:
        if self.planner == "dead":
            return
        self.clock.sleep(self.dice.uniform(0.5, 3) * self.slow)
        if run is make_plan:
            make_plan(self._settings, EMPTY, self._clients, self._now(), audited=False)
        else:
            refresh(self._settings, EMPTY, self._clients, self._now, pause=self.clock.sleep, **more)
        self._take(self.clock.now, self.clock.now)

    def _discover(self, **_):
        seconds = (self.dice.uniform(2, 8) if self.dice.random() < 0.95 else self.dice.uniform(8, 20)) * self.slow
        self.clock.sleep(seconds / 2)
        found = Discovered(unread=tuple(EVERY_LIST))
        if self.planner != "forbidden":
            found = asyncio.run(collect(Items(self.cluster.items(self.clock.now))))
            self.looks.append(self.clock.now)
        self.clock.sleep(seconds / 2)
        return {"Payload": io.BytesIO(msgspec.json.encode(found))}

    def _wake(self, lines: list[str]) -> None:
        """A subscription filter's event."""
        stamp = int((BEGAN.timestamp() + self.clock.now) * 1000)
        entries = [{"message": line, "timestamp": stamp} for line in lines]
        packed = base64.b64encode(gzip.compress(json.dumps({"logEvents": entries}).encode())).decode()
        event = {"awslogs": {"data": packed}}
        self._runs += 1
        run_id = f"run-{self._runs}"
        delay = self.dice.uniform(1, 8) if self.dice.random() < 0.95 else self.dice.uniform(8, 30)
        self.clock.process(
            self.clock.now + delay * self.slow,
            lambda: self._plan(refresh, run_id=run_id, reports=planner_handler._reports(event, self._now())),
        )

    # -- the probes ------------------------------------------------------------------------------------------------

    def _probe(self, probe: Probe, nominal: float) -> None:
        """nominal: the time for which EventBridge Scheduler has planned the run, which it fills in."""
        scheduled = (BEGAN + timedelta(seconds=nominal)).isoformat()
        for name, schedule in sorted(self._scheduler.there.items()):
            if name.startswith(probe.prefix):
                self._subnet = probe.subnet_id
                event = schedule["Target"]["Input"].replace("<aws.scheduler.scheduled-time>", scheduled)
                environment = {"EGRESSPROBE_CLUSTER_NAME": "prod", "EGRESSPROBE_SUBNET_ID": probe.subnet_id}
                with patch.dict("os.environ", environment):
                    probe_handler.handler(json.loads(event), _Context())
                lines = self._take(self.clock.now + self._delay, nominal)
                if lines:  # silence takes seconds to be one
                    self.clock.at(self.clock.now + self.dice.uniform(1, 6), lambda lines=lines: self._wake(lines))

    async def _measure_all(self, plan, *_):
        return {target.name: Measurement((self._hop(target),), 12.0) if not target.refusal else _refused(target) for target in plan.targets}  # fmt: skip

    def _hop(self, target) -> Hop:
        attempts = tuple(self._attempt(endpoint) for endpoint in target.endpoints)
        return Hop(role="call", url=target.url, host=target.host, port=target.port, attempts=attempts)

    def _attempt(self, endpoint) -> Attempt:
        if not self.cluster.answers(endpoint.address, self.clock.now, self._subnet):
            failure = Failure(Phase.CONNECT, Code.CONNECT_TIMEOUT, "no answer", "i/o timeout")
            return Attempt(endpoint.address, endpoint.port, endpoint.family, failure=failure, failure_ms=5000.0)
        shaken = Handshake(duration_ms=1.0, user_ms=1.0, version="TLSv1.3", days_remaining=80.0)
        return Attempt(endpoint.address, endpoint.port, endpoint.family, 1.0, 1.0, shaken, 1.0, 200)

    # -- CloudWatch ------------------------------------------------------------------------------------------------

    def _take(self, seen: float, at: float) -> list[str]:
        """What was printed: metrics of that time, seen later; the lines that the subscription filter takes."""
        lines = self._buffer.getvalue().splitlines()
        self._buffer.seek(0)
        self._buffer.truncate()
        failing = []
        for line in lines:
            document = json.loads(line)
            if document.get("verdict") == "fail" and document.get("discoveredAddresses") is True:
                failing.append(line)
            if "_aws" in document:
                if "ProbeSuccess" in document or "MeasuredShare" in document:
                    assert abs(document["_aws"]["Timestamp"] / 1000 - BEGAN.timestamp() - at) < 0.01
                self.clock.at(seen, lambda document=document: self._watch.store.add_document(document, at))
        return failing

    def _evaluate(self) -> None:
        self._watch.evaluate(int(self.clock.now))

    def _now(self) -> datetime:
        return BEGAN + timedelta(seconds=self.clock.now)


def _refused(target) -> Measurement:
    from egressprobe.apiserver.refusals import refused

    return Measurement((refused(target, target.refusal),), 0.0)


class _Context:
    aws_request_id = "run"

    def get_remaining_time_in_millis(self) -> int:
        return 50_000


class _Eks:
    """EKS describes a cluster without identity providers; its VPC is not read."""

    exceptions = SimpleNamespace(ResourceNotFoundException=LookupError)
    meta = SimpleNamespace(
        service_model=SimpleNamespace(shape_for=lambda _: SimpleNamespace(members=["controlPlaneEgressMode"]))
    )

    def describe_cluster(self, name):
        vpc = {"controlPlaneEgressMode": "CUSTOMER_ROUTED"}
        return {
            "cluster": {
                "name": name,
                "version": "1.33",
                "status": "ACTIVE",
                "endpoint": "https://api",
                "resourcesVpcConfig": vpc,
            }
        }

    def get_paginator(self, _):
        return SimpleNamespace(paginate=lambda **_: [{"identityProviderConfigs": []}])
