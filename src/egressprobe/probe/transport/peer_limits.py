"""What one peer may make the probe read and compute, so that no peer delays, bloats or hides another.

`Stream.receive` and `Session` charge every read here. A peer that exceeds a limit is not measured
(`probe_limitation`): Go would have read on, so what the API server would get is unknown.
"""

import asyncio
import time
from typing import NamedTuple


class Limits(NamedTuple):
    """Per connection. `data`: bytes read. `messages`: reads, TLS records, decrypted pieces. `cpu`: seconds."""

    data: int
    messages: int
    cpu: float


# An OIDC document of 1 MiB (http.py MAX_BODY) in TLS records of 256 bytes, and Go's largest certificate message of
# 256 KiB (crypto/tls/common.go maxHandshakeCertificateMsg), fit.
PROBE_LIMITS = Limits(data=4 << 20, messages=6_000, cpu=0.5)
# The Kubernetes API server: lists of thousands of objects over one connection.
API_SERVER_LIMITS = Limits(data=1 << 30, messages=1_000_000, cpu=120.0)


# Messages of a peer before its CPU time is measured: an honest one sends fewer, and each measurement costs time itself.
_UNTIMED = 24


class PeerLimitError(OSError):
    """A peer sent or cost more than its limits."""


class PeerBudget:
    """What is left of one peer's limits. Methods raise PeerLimitError when a limit is exceeded."""

    def __init__(self, limits: Limits = PROBE_LIMITS) -> None:
        self.limits = limits
        self.data = self.messages = 0
        self.cpu = 0.0
        self._started: float | None = None
        self._timer: asyncio.Handle | None = None

    def charge(self, data: int, messages: int = 1) -> None:
        """Count `data` bytes in `messages` messages."""
        self.data += data
        self.messages += messages
        if self.data > self.limits.data:
            raise PeerLimitError(f"sends more than {self.limits.data} bytes")
        if self.messages > self.limits.messages:
            raise PeerLimitError(f"sends more than {self.limits.messages} messages")

    def start_cpu(self, loop: asyncio.AbstractEventLoop) -> None:
        """From here to `stop_cpu` the peer's data is processed: TLS, HTTP and what the caller does with it.

        If the caller waits for something else in between, other peers' time cannot be separated from this one's: then
        nothing is charged.
        """
        if self.messages <= _UNTIMED or self._started is not None:
            return
        self._started = time.thread_time()
        self._timer = loop.call_soon(self._interrupt)

    def stop_cpu(self) -> None:
        """Charge the CPU time since `start_cpu`."""
        if self._started is None or self._timer is None:
            return
        self._timer.cancel()
        self.cpu += time.thread_time() - self._started
        self._started = None
        if self.cpu > self.limits.cpu:
            raise PeerLimitError(f"costs more than {self.limits.cpu:.1f} s of CPU time")

    def _interrupt(self) -> None:
        self._started = None
