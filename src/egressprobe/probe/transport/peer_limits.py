"""What one peer may make the probe read and compute, so that no peer delays, bloats or hides another.

`Stream.receive` and `Session` charge every read here. A peer that exceeds a limit is not measured
(`probe_limitation`): Go would have read on, so what the API server would get is unknown.
"""

import time
from typing import NamedTuple


class Limits(NamedTuple):
    """Per connection. `data`: bytes read. `messages`: reads, TLS records, decrypted pieces. `cpu`: seconds of TLS."""

    data: int
    messages: int
    cpu: float


# An OIDC document of 1 MiB (http.py MAX_BODY) in TLS records of 256 bytes, and Go's largest certificate message of
# 256 KiB (crypto/tls/common.go maxHandshakeCertificateMsg), fit.
PROBE_LIMITS = Limits(data=4 << 20, messages=6_000, cpu=1.0)
# The Kubernetes API server: lists of thousands of objects over one connection.
API_SERVER_LIMITS = Limits(data=1 << 30, messages=1_000_000, cpu=120.0)


class PeerLimitError(OSError):
    """A peer sent or cost more than its limits."""


class PeerBudget:
    """What is left of one peer's limits. Methods raise PeerLimitError when a limit is exceeded."""

    def __init__(self, limits: Limits = PROBE_LIMITS) -> None:
        self.limits = limits
        self.data = self.messages = 0
        self.cpu = 0.0
        self._cpu_from = 0.0

    def charge(self, data: int, messages: int = 1) -> None:
        """Count `data` bytes in `messages` messages."""
        self.data += data
        self.messages += messages
        if self.data > self.limits.data:
            raise PeerLimitError(f"sends more than {self.limits.data} bytes")
        if self.messages > self.limits.messages:
            raise PeerLimitError(f"sends more than {self.limits.messages} messages")

    def __enter__(self) -> None:
        """Charge the CPU time of this block, which must not await."""
        self._cpu_from = time.thread_time()

    def __exit__(self, *_: object) -> None:
        self.cpu += time.thread_time() - self._cpu_from
        if self.cpu > self.limits.cpu:
            raise PeerLimitError(f"costs more than {self.limits.cpu:.1f} s of CPU time")
