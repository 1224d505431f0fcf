"""Time limits, each with its reason. All in seconds.

One deadline a run; inside it each target's call has an end of its own. A phase that is cut short by the
run's deadline was *not measured* (`deadline_exceeded`); one cut by its own limit met silence.
"""

from typing import NamedTuple

# A silent address is known by its third SYN: Linux sends them at 0, 1 and 3 s (RFC 6298, TCP_TIMEOUT_INIT),
# and EHOSTUNREACH of an address nobody answers ARP for comes after 3.1 s. kube-apiserver would wait
# min(30 s / n, timeoutSeconds); the forecast works that out, we need not sit through it.
CONNECT_LIMIT = 5.0
# http.Transport.TLSHandshakeTimeout as kube-apiserver sets it (k8s.io/apimachinery/pkg/util/net/http.go).
TLS_LIMIT = 10.0
# Longer than any admission call may take by default; bounds what a hanging server costs us each minute.
HTTP_LIMIT = 10.0
# The API server gives an OIDC fetch 30 s; what has not answered in 10 is taken to stay silent.
OIDC_LIMIT = 10.0
# After a slow lookup the addresses are still worth a look, to say whether DNS is the only trouble.
LEAST_AFTER_DNS = 3.0
# A call is watched a little past its end, so that "at the deadline" is seen as such.
SLACK = 0.2
# A server that has said nothing for this long is worth asking in other ways meanwhile: longer than a slow
# handshake across the world, and than the first retransmission of a lost segment (RFC 6298 section 2.1: 1 s).
CLIMB_AFTER = 1.5
# One rung of the retry ladder. What works at all answers in less, even after one lost segment.
RUNG_LIMIT = 3.5
# A second resolver is asked for comparison only: it may not hold up the verdict.
COMPARE_LIMIT = 1.0


class Budget(NamedTuple):
    """Ends in the event loop's clock."""

    run_ends: float
    call_ends: float

    def until(self, now: float, limit: float) -> float:
        return min(now + limit, self.call_ends, self.run_ends)

    def ran_out(self, now: float) -> bool:
        """Whether it is the run's deadline that ended a wait."""
        return now >= self.run_ends - 0.005

    def after_dns(self, now: float) -> "Budget":
        return self._replace(call_ends=max(self.call_ends, now + LEAST_AFTER_DNS))
