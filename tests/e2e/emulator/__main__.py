"""ministack on the emulation's clock, and the emulation's own interface on CONTROL_PORT. Started by tests/e2e/stack.py.

POST /minute: the next minute, from its schedules to its pages and to what alarms have started; the answer is what changed.
POST /cluster: what DescribeCluster says. POST /networks: subnet -> network namespace. POST /pass: so many seconds. POST
/update: how the next update of the cluster ends. POST /trail: seconds until CloudTrail lists a call; /trail/forget: none
was made. GET /updates, /states,
/series?NAMESPACE/METRIC, /now, /published: how many messages topics have passed on.
"""

import json
import os
import random
import sys
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

from tests.e2e.emulator.clock import Clock

_MINUTE = 60
# A schedule fires anywhere within its minute. Seconds; the rest is for what it starts.
# https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#rate-based
_SPREAD = 30


class Emulation:
    """minute: the current one, in minutes since the epoch."""

    def __init__(self, clock: Clock) -> None:
        from ministack.core import responses

        from tests.e2e.emulator import alarm_events, alarm_reads, formation, functions, services, trail
        from tests.e2e.emulator.cluster_updates import ClusterUpdates
        from tests.e2e.emulator.monitor import Monitor

        self.clock, self.monitor = clock, Monitor(clock)
        self.functions, self.services, self._responses = functions, services, responses
        formation.install(self.monitor)
        services.install(self.monitor)
        self.updates = ClusterUpdates(services.cluster)
        self.updates.install()
        functions.install(self.monitor, os.environ["CLOCK_FILE"])
        alarm_reads.install(self.monitor)
        self.alarm_events, self.trail = alarm_events, trail
        trail.install()
        # Whole quarters of an hour, so that each run has the same minutes.
        clock.halt((clock.now() // 900 + 1) * 900)
        self._minute = int(clock.now()) // _MINUTE
        self._random = random.Random(1)
        self._one_at_a_time = Lock()

    def scope(self) -> None:
        """State is kept by account and region of the request."""
        self._responses.set_request_account_id(os.environ["MINISTACK_ACCOUNT_ID"])
        self._responses.set_request_region(os.environ["MINISTACK_REGION"])

    def minute(self) -> dict[str, Any]:
        with self._one_at_a_time:
            self._minute += 1
            self.clock.run(self._minute * _MINUTE + self._random.random() * _SPREAD)
            self.functions.fire(self._minute * _MINUTE)
            self.functions.settle()
            end = (self._minute + 1) * _MINUTE
            self.clock.halt(end)
            changes = self.monitor.evaluate(end)
            if changes.transitions or changes.contributors:
                self.clock.run(end)
                self.alarm_events.send(self.monitor, changes)
                self.functions.settle()
                self.clock.halt(end)
            return {
                "now": end,
                "transitions": [transition._asdict() for transition in changes.transitions],
                "contributors": [one._asdict() | {"attributes": dict(one.attributes)} for one in changes.contributors],
                "notices": [notice._asdict() | {"contributor": dict(notice.contributor)} for notice in changes.notices],
                "published": self.services.published(),
            }

    def answer(self, path: str, body: Any) -> Any:
        self.scope()
        match path.partition("?")[0]:
            case "/minute":
                return self.minute()
            case "/cluster":
                self.services.cluster.clear()
                self.services.cluster.update(body)
            case "/update":
                self.updates.outcome, self.updates.polls = body["outcome"], body["polls"]
            case "/updates":
                return self.updates.made
            case "/networks":
                self.functions.networks.update(body)
            case "/states":
                return self.monitor.states()
            case "/series":
                return self.monitor.series(*path.partition("?")[2].rsplit("/", 1))
            case "/now":
                return self.clock.now()
            case "/published":
                return self.services.published()
            case "/trail/forget":
                self.trail.forget()
            case "/trail":
                self.trail.lag = float(body)
            case "/pass":
                self.clock.halt(self.clock.now() + body)
            case _:
                raise LookupError(path)
        return {}


class _Handler(BaseHTTPRequestHandler):
    emulation: Emulation

    def _reply(self, body: Any = None) -> None:
        try:
            status, answer = 200, self.emulation.answer(self.path, body)
        except Exception:
            status, answer = 500, traceback.format_exc()
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        self._reply()

    def do_POST(self) -> None:
        self._reply(json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"null"))

    def log_message(self, *_: Any) -> None:
        """Silent."""


def main() -> None:
    clock = Clock(os.environ["CLOCK_FILE"])
    clock.install()
    import ministack.app

    handler = type("Handler", (_Handler,), {"emulation": Emulation(clock)})
    control = ThreadingHTTPServer(("127.0.0.1", int(os.environ["CONTROL_PORT"])), handler)
    Thread(target=control.serve_forever, daemon=True).start()
    sys.argv = ["ministack"]
    ministack.app.main()


if __name__ == "__main__":
    main()
