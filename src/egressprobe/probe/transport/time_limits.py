"""Time limits, each with its reason. All in seconds.

One deadline per run; within it each target's call has its own. A phase that is cut short by the run's deadline was
not measured (`deadline_exceeded`); one that reaches its own limit found a silent peer.
"""

from typing import NamedTuple

# An address that has not answered three SYNs is silent: Linux sends them at 0, 1 and 3 s (RFC 6298,
# TCP_TIMEOUT_INIT), and EHOSTUNREACH of an address without ARP reply comes after 3.1 s. kube-apiserver would wait
# min(30 s / n, timeoutSeconds); the forecast computes that, so we need not wait for it.
CONNECT_LIMIT = 5.0
# http.Transport.TLSHandshakeTimeout as kube-apiserver sets it (k8s.io/apimachinery/pkg/util/net/http.go).
TLS_LIMIT = 10.0
# The default limit of an admission call; bounds the cost of a hanging server each minute.
HTTP_LIMIT = 10.0
# The API server allows an OIDC fetch 30 s; a server that has not answered in 10 is taken to stay silent.
OIDC_LIMIT = 10.0
# After a slow lookup the addresses are still measured, to show whether DNS is the only problem.
LEAST_AFTER_DNS = 3.0
# A call is observed a little past its end, so that an answer at the deadline is seen as such.
SLACK = 0.2
# The retry ladder starts beside a handshake that has waited this long: longer than a slow intercontinental
# handshake, and than the first retransmission of a lost segment (RFC 6298 section 2.1: 1 s).
CLIMB_AFTER = 1.5
# One rung of the retry ladder. A working server answers in less, even after one lost segment.
RUNG_LIMIT = 3.5
# A second resolver is queried for comparison only: it must not delay the verdict.
COMPARE_LIMIT = 1.0


class Budget(NamedTuple):
    """The deadlines of the run and of the target's call, in event loop time."""

    run_ends: float
    call_ends: float

    def until(self, now: float, limit: float) -> float:
        return min(now + limit, self.call_ends, self.run_ends)

    def ran_out(self, now: float) -> bool:
        """Whether a wait was ended by the run's deadline."""
        return now >= self.run_ends - 0.005

    def after_dns(self, now: float) -> "Budget":
        return self._replace(call_ends=max(self.call_ends, now + LEAST_AFTER_DNS))
