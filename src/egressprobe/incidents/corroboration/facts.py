"""What was read of the real API server and of the probes' own metrics, for the same minutes. Frozen, no I/O.

The API server's counters are those of the whole cluster: CloudWatch has them by kind of webhook, never by webhook, and
those of webhooks that EKS runs itself are among them. So they can contradict a prediction, and seldom prove one.
https://docs.aws.amazon.com/eks/latest/userguide/cloudwatch.html (Basic metrics in Amazon CloudWatch)
"""

from typing import Literal, NamedTuple

from egressprobe.model.report import Finding
from egressprobe.model.struct import CompactStruct

# How long the API server and the probes must disagree; also the period of the plan.
WINDOW_MINUTES = 15
# A probe's schedule fires anywhere within its minute: one minute may be empty, and the next have two runs.
ENOUGH_MINUTES = 13


class FailingMinutes(NamedTuple):
    """A target that was not well in the window. minutes: with a failure that counts, 0 to 15; with 0 it was degraded,
    or failed at addresses that are looked up again: it neither fails nor passes. codes, subnets: of the failures.
    """

    target: str
    minutes: int
    codes: tuple[str, ...] = ()
    subnets: tuple[str, ...] = ()


class WebhookCalls(NamedTuple):
    """The API server's calls of one kind of admission webhook in the window, all webhooks together.

    calls, refused: their number, None where CloudWatch has none. refused: by a webhook, or because a fail-closed one
    could not be called; a fail-open one that could not be called is not among them. refused_before: in the 15 minutes
    before. minutes: with a count of calls. slow_minutes: in which one call in a hundred took more than 10 s; the
    histogram's buckets end at 2.5, 10 and 25 s (apiserver/pkg/admission/metrics/metrics.go).
    """

    kind: Literal["validating", "mutating"]
    calls: float | None = None
    refused: float | None = None
    refused_before: float | None = None
    minutes: int = 0
    slow_minutes: int = 0


class LoggedFailure(NamedTuple):
    """Failed calls of one webhook in the control plane's log. closed: the requests were refused.

    calls: how many, at least 1. first, last: RFC 3339, UTC. error: the API server's own text, cut; it may be empty.
    """

    webhook: str
    closed: bool
    calls: int
    first: str
    last: str
    error: str


class ApiServerFacts(NamedTuple):
    """One reading. since, until: the window, RFC 3339 in UTC. failing: None where the probes' metrics were not read.

    measured_minutes: in which every subnet measured every target. logged: None where the log is off, or not read.
    log_complete: whether all of the window's lines were read. unread: what could not be read and why.
    """

    since: str
    until: str
    failing: tuple[FailingMinutes, ...] | None = None
    measured_minutes: int = 0
    webhooks: tuple[WebhookCalls, ...] = ()
    logged: tuple[LoggedFailure, ...] | None = None
    log_complete: bool = False
    unread: tuple[str, ...] = ()


class Corroboration(CompactStruct, frozen=True):
    """findings: API_SERVER_DISAGREES and API_SERVER_AGREES. evidence: by target, sentences for a message about it.

    unknown: what could not be compared, and why, in sentences. since, until: the window.
    """

    since: str = ""
    until: str = ""
    findings: tuple[Finding, ...] = ()
    evidence: dict[str, tuple[str, ...]] = {}
    unknown: tuple[str, ...] = ()
