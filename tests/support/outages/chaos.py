"""The world of outages with faults of every dependency: by seed, and the same each time.

A fault is of one call: throttled, refused, not answered (until the client gives up), answered and the answer lost, or an
answer of another shape. A probe is silent: its failures leave the alarms, and it cannot be invoked. An event of an alarm is lost, comes twice, or late and out of order. A run is killed at a call,
also by the function's time limit, and Lambda repeats it as an asynchronous invocation.
"""

from functools import partial
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

from egressprobe.incidents.alarms import AlarmKind
from egressprobe.planner.incidents.evaluate import NotReportedError
from egressprobe.planner.incidents.store import ExecutionMemory
from tests.support.outages.services import PREFIX
from tests.support.outages.world import SUBNETS, OneRun, OutageWorld, Published

SERVICES = ("DescribeCluster", "Snapshot", "Invoke", "Describe", "ListAlarm", "GetMetricData", "LookupEvents",
            "Scheduler get", "Scheduler list", "Scheduler create", "Scheduler update", "Scheduler delete", "Scheduler",
            "Publish", "PutEvents")  # fmt: skip
MODES = ("throttled", "refused", "hangs", "lost", "garbled", "mixed")
TIME_LIMIT = 300.0
_KINDS = {f"{PREFIX}{kind}" for kind in AlarmKind}


class Killed(BaseException):
    """The function's process has ended: nothing of it is carried out any more."""


class ChaosWorld(OutageWorld):
    """faults: whether there are any now. hit: how many calls met one."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.faults, self.hit, self.delivered = False, 0, 0
        self._broken_services: dict[str, tuple[str, float]] = {}
        self._events = (0.0, 0.0, 0.0)
        self._kills = 0.0
        self._environments = [ExecutionMemory(), ExecutionMemory()]
        self._fault: str = ""
        self.false_recoveries: list[Any] = []
        self.of_blind_runs: set[str] = set()
        self.calls.before, self.calls.after, self.calls.garbled = self._before, self._after, self._garbled
        self.on_event = self._deliver

    # -- faults ----------------------------------------------------------------------------------------------------

    def trouble(self) -> None:
        """Some services fail, some of the time; some events are lost; some runs are killed."""
        self.faults = True
        dice = self.dice
        many = dice.choice((1, 1, 2, 3, 5))
        share = dice.choice((0.3, 0.6, 1.0))
        self._broken_services = {name: (dice.choice(MODES), share) for name in dice.sample(SERVICES, many)}
        self._events = dice.choice(((0, 0, 0), (1, 0, 0), (0.5, 0, 0.5), (0, 0.5, 1), (0.3, 0.3, 0.3)))
        self._kills = dice.choice((0.0, 0.0, 0.3, 0.7))
        self.silent = dice.choice(((), (), (), SUBNETS[:1], SUBNETS[1:], SUBNETS))

    def hang(self, service: str) -> None:
        """It never answers."""
        self.faults, self._broken_services = True, {service: ("hangs", 1.0)}

    def calm(self) -> None:
        self.silent = ()
        self.faults, self._broken_services, self._events, self._kills = False, {}, (0, 0, 0), 0.0

    def _before(self, name: str) -> None:
        run = self.run
        if run is None:
            return
        self.clock.sleep(self.dice.uniform(0.02, 0.3))
        run.calls += 1
        if run.outcome == "killed" or run.calls == run.dies_at or self.clock.now - run.began > TIME_LIMIT:
            run.outcome = "killed"
            raise Killed
        self._fault = self._mode(name)
        if self._fault == "throttled":
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, name)
        if self._fault == "refused":
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "by the test"}}, name)
        if self._fault == "hangs":
            # On this clock a call goes on after its deadline: what is called often must not take long.
            self.clock.sleep(65 if name.startswith("Invoke") else 4 if name.startswith("Scheduler") else 24)
            raise ReadTimeoutError(endpoint_url=f"https://{name}")

    def _mode(self, name: str) -> str:
        if name.removeprefix("Invoke probe-") in self.silent:
            return "refused"
        for service, (mode, share) in self._broken_services.items():
            if name.startswith(service) and self.dice.random() < share:
                self.hit += 1
                if self.run and name.startswith("Scheduler"):
                    self.run.blind = True
                return self.dice.choice(MODES[:-1]) if mode == "mixed" else mode
        return ""

    def _after(self, name: str) -> None:
        if self.run is not None and self._fault == "lost":
            raise ReadTimeoutError(endpoint_url=f"https://{name}")

    def _garbled(self, _: str) -> bool:
        return self.run is not None and self._fault == "garbled"

    # -- events and invocations ------------------------------------------------------------------------------------

    def _deliver(self, event: dict[str, Any]) -> None:
        """Only what the stack's rule passes on."""
        self.events.append((self.clock.now, event))
        if event["detail"]["alarmName"] not in _KINDS:
            return
        lost, twice, late = self._events
        if self.dice.random() < lost:
            return
        for _ in range(2 if self.dice.random() < twice else 1):
            delay = self.dice.uniform(0, 150) if self.dice.random() < late else self.dice.uniform(0.5, 3)
            self.clock.process(self.clock.now + delay, partial(self._invoked, event, 2))

    def _invoked(self, event: dict[str, Any] | None, retries: int) -> None:
        """An asynchronous invocation: Lambda repeats it after one minute, and after two more."""
        try:
            self.evaluate(event)
        except Killed:
            pass
        except NotReportedError as error:
            print(f"evaluation failed: {error!r}", file=self.log)
        else:
            return
        if retries:
            wait = 60 if retries == 2 else 120
            self.clock.process(self.clock.now + wait, partial(self._invoked, event, retries - 1))

    def _after_plan(self) -> None:
        self._invoked(None, 0)

    def memory(self) -> ExecutionMemory:
        """One of two environments; a run that is killed ends its own."""
        index = self.dice.randrange(2)
        if self.dice.random() < self._kills:
            self._environments[index] = ExecutionMemory()
        return self._environments[index]

    def _begins(self, run: OneRun) -> None:
        run.dies_at = self.dice.randint(1, 50) if self.dice.random() < self._kills else 0

    # -- what must hold --------------------------------------------------------------------------------------------

    def _put(self, detail: dict[str, Any]) -> None:
        super()._put(detail)
        message = self.published[-1]
        if message.transition == "recovered" and self._is_false(message):
            self.false_recoveries.append((message.id, detail["cause"], sorted(self.failing())))

    def _is_false(self, message: Published) -> bool:
        """Whether something that it was about has failed throughout the run that reported its end."""
        span = (message.run.began, message.at)
        targets = message.detail["cause"]["targets"]
        return any(
            self.failed_throughout(target["name"], subnet, *span)
            for target in targets
            for subnet in target.get("subnets") or ("subnet-a", "subnet-b")
        )

    def _to_people(self, message: dict[str, Any]) -> None:
        super()._to_people(message)
        if self.run.blind:
            self.of_blind_runs.add(message["MessageAttributes"]["messageId"]["StringValue"])

    def arrived(self) -> set[str]:
        """Ids of the messages that people got."""
        return {message["MessageAttributes"]["messageId"]["StringValue"] for message in self.sns}

    def named(self, transition: str) -> dict[str, set[str]]:
        """Target -> ids of the messages of that transition that people got and that name it."""
        arrived = self.arrived()
        names: dict[str, set[str]] = {}
        for message in self.published:
            if message.transition == transition and message.id in arrived:
                for target in message.detail["cause"]["targets"]:
                    names.setdefault(target["name"], set()).add(message.id)
        return names
