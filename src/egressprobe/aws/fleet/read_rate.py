"""A bound on the requests to AWS in one region, for what reads many clusters side by side.

EC2 throttles each account and region by API: a bucket of 100 requests that is refilled with 20 each second for calls
that only read (https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html). With no more than that for all
calls together, none of them empties its bucket. What is throttled all the same is repeated by botocore.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

PER_SECOND = 20.0


class ReadRate:
    """At most `per_second` requests in a second, evenly spaced; several threads share it."""

    def __init__(
        self,
        per_second: float = PER_SECOND,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._gap, self._now, self._sleep = 1 / per_second, now, sleep
        self._lock = threading.Lock()
        self._next = 0.0

    def wait(self, **_: Any) -> None:
        """Returns when the next request may be sent. A handler of botocore's event `before-send`: once an attempt."""
        with self._lock:
            due = max(self._next, self._now())
            self._next = due + self._gap
        self._sleep(max(due - self._now(), 0.0))


def bounded_session(region: str | None, rate: ReadRate, loader: Any = None) -> Any:
    """boto3's session, whose clients send no faster than `rate` and repeat what is throttled.

    loader: botocore's, to share what it has read of the services' descriptions among sessions. Raises botocore's
    exceptions.
    """
    from boto3.session import Session
    from botocore.config import Config
    from botocore.session import Session as Core

    core = Core()
    if loader is not None:
        core.register_component("data_loader", loader)
    retries = {"mode": "standard", "total_max_attempts": 8}
    core.set_default_client_config(Config(connect_timeout=5, read_timeout=20, retries=retries))
    core.register("before-send", rate.wait)
    return Session(botocore_session=core, region_name=region)
