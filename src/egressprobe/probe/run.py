"""One run: plan -> measure -> forecast -> diagnose -> report.

One deadline a run. Whenever it expires a complete report is returned: targets that were not finished are
`unknown`, with what was measured of them so far.
"""

import asyncio
import logging
import ssl
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from msgspec import UNSET

from egressprobe import __version__
from egressprobe.catalog.advice import RUN_AGAIN, with_advice
from egressprobe.catalog.registry import FINDINGS
from egressprobe.golang.resolver import ResolverConfig
from egressprobe.model.failure import Code, Failure, Phase
from egressprobe.model.measurement import Measurement
from egressprobe.model.report import REPORT_SCHEMA, Finding, Report, Result, Vantage, count, worst
from egressprobe.model.target import DEFAULT_KUBE_VERSION, Kind, Plan, Target
from egressprobe.probe.concurrency import Slots
from egressprobe.probe.diagnosis.verdict import judge
from egressprobe.probe.edges import NO_LOCATION, REAL_WORLD, Edges, Location
from egressprobe.probe.hop import Prober
from egressprobe.probe.measure import measure, prepare
from egressprobe.probe.transport.resolve import override_servers, system_config
from egressprobe.probe.transport.tls_context import trust_store

logger = logging.getLogger("egressprobe")
DEFAULT_CONCURRENCY = 10
# A phase ends itself at the deadline; what has not returned this much later is cancelled. Seconds.
_GRACE = 0.15
_KEPT_CONNECTIONS = (
    "Calls on connections opened before the break can still pass: until 90 s after the last call, without end if "
    "called more often. "
    "Success at the API server does not prove that the path works."
)
_HEAD_ONLY = (
    "Webhooks are sent HEAD /: what they would answer to an admission review at their own path is not checked "
    "(`exchange: review` checks it)."
)
LIMITS = (
    "Predicts one API call on a new connection from this host; does not see the API server's own interfaces, idle "
    "connections, DNS cache or system roots. In AWS_MANAGED mode today's calls take another path: there a pass means "
    '"would work after the switch".'
)


async def run(
    plan: Plan,
    *,
    run_id: str,
    seconds: float,
    concurrency: int = DEFAULT_CONCURRENCY,
    location: Location = NO_LOCATION,
    edges: Edges = REAL_WORLD,
    on_measured: Callable[[Target], None] = lambda _: None,
    stop: asyncio.Event | None = None,
) -> Report:
    """Probe every target of `plan` and report, within `seconds`. Raises ValueError for a bad resolver only.

    stop: set by another task to end the run early; what is not finished then is unknown.
    """
    started_at, started = datetime.now(UTC), time.perf_counter()
    config = edges.config or system_config()
    if plan.resolvers:
        config = override_servers(config, plan.resolvers)
    measured = await _measure_all(plan, config, edges, seconds, concurrency, on_measured, stop)
    judged = judge(plan, measured)
    results = tuple(with_advice(result, own_resolvers=bool(plan.resolvers)) for result in judged)
    findings: tuple[Finding, ...] = ()
    if plan.misplaced is not None:
        evidence = {"subnetId": location.subnet_id}
        findings = (FINDINGS[plan.misplaced.finding].found(plan.misplaced.said, evidence),)
    verdicts = [result.verdict for result in results]
    report = Report(
        schema_version=REPORT_SCHEMA,
        run_id=run_id,
        started_at=started_at.isoformat(timespec="milliseconds"),
        duration_ms=round((time.perf_counter() - started) * 1e3, 3),
        vantage=vantage(location, config.servers, plan.kube_version),
        verdict=worst(verdicts),
        summary=count(verdicts),
        results=results,
        findings=findings,
        limits=limits(results),
    )
    logger.info(one_line(report))
    return report


def limits(results: Sequence[Result]) -> str:
    """What the report cannot know, with what matters only where something fails or where there are webhooks."""
    cut = any(result.forecast is not None and result.forecast.share < 1 for result in results)
    webhooks = any(result.target.kind is Kind.WEBHOOK and result.target.exchange == "head" for result in results)
    return " ".join((LIMITS, *([_HEAD_ONLY] if webhooks else ()), *([_KEPT_CONNECTIONS] if cut else ())))


def vantage(location: Location, resolvers: tuple[str, ...] = (), kube_version: str = DEFAULT_KUBE_VERSION) -> Vantage:
    """Where a report was made, and with which versions."""
    return Vantage(
        cluster_name=location.cluster_name,
        subnet_id=location.subnet_id,
        availability_zone=location.availability_zone,
        resolvers=resolvers,
        openssl_version=ssl.OPENSSL_VERSION,
        version=__version__,
        trust_store=trust_store(),
        kube_version=kube_version,
    )


async def _measure_all(
    plan: Plan,
    config: ResolverConfig,
    edges: Edges,
    seconds: float,
    concurrency: int,
    on_measured: Callable[[Target], None],
    stop: asyncio.Event | None,
) -> dict[str, Measurement]:
    loop = asyncio.get_running_loop()
    prober = Prober(plan, config, edges.guard, loop.time() + seconds, edges.dial)
    prepare(prober)
    slots = Slots(concurrency)

    async def bounded(target: Target) -> Measurement:
        async with slots.take():
            measurement = await measure(prober, target)
        on_measured(target)
        return measurement

    tasks = {target.name: asyncio.create_task(bounded(target)) for target in plan.targets}
    stopper = asyncio.create_task(_cancel_on(stop, list(tasks.values()))) if stop else None
    _, late = await asyncio.wait(tasks.values(), timeout=prober.run_ends - loop.time() + _GRACE)
    if stopper:
        stopper.cancel()
    for task in late:
        task.cancel()
    if late:
        await asyncio.wait(late, timeout=_GRACE)
    unfinished = _unfinished(seconds, stopped=stop is not None and stop.is_set())
    return {name: _outcome(task, seconds, unfinished) for name, task in tasks.items()}


def _unfinished(seconds: float, *, stopped: bool) -> Failure:
    """Of a target that was not measured by the end of the run."""
    ended = "the run was stopped" if stopped else f"the run's {seconds:.1f} s ended"
    message = f"{ended} before this target was measured"
    return Failure(Phase.RESOLVE, Code.DEADLINE_EXCEEDED, message, remedy=RUN_AGAIN if stopped else UNSET)


async def _cancel_on(stop: asyncio.Event, tasks: list[asyncio.Task[Measurement]]) -> None:
    await stop.wait()
    for task in tasks:
        task.cancel()


def _outcome(task: asyncio.Task[Measurement], seconds: float, unfinished: Failure) -> Measurement:
    """A task's result; for an unfinished or failed one a measurement without hops."""
    if not task.done() or task.cancelled():
        return Measurement((), round(seconds * 1e3, 3), failure=unfinished)
    error = task.exception()
    if error is not None:
        failure = Failure(Phase.RESOLVE, Code.INTERNAL_ERROR, f"egressprobe itself failed: {error!r}")
        return Measurement((), 0.0, failure=failure)
    return task.result()


def one_line(report: Report) -> str:
    """The log line of a run, for grep."""
    s = report.summary
    return (
        f"egressprobe run={report.run_id} verdict={report.verdict} pass={s.passed} degraded={s.degraded} "
        f"fail={s.fail} unknown={s.unknown} ms={report.duration_ms:.0f}"
    )
