"""A report of `history`: one target missed its objective, one has an outage now, one was measured for an hour only."""

from egressprobe.model.report import worst
from egressprobe.model.target import Impact
from egressprobe.observability.flows.judge import as_time
from egressprobe.observability.flows.result import ObservedSubnet
from egressprobe.observability.history.minutes import BadMinute, MinuteRecords, SeenTarget, span
from egressprobe.observability.history.report import LogPart, NamedTarget, tables
from egressprobe.observability.history.result import HISTORY_SCHEMA, HistorySource, OutageHistory, ReportedIncident

_SINCE, _DAYS = 1_795_000_020 // 60 * 60, 3
_LENGTH = _DAYS * 1440
_A, _B = "subnet-0a", "subnet-0b"
_POLICY, _OIDC, _QUIET = "policy.example.com", "https://oidc.example.com", "metrics.kube-system.svc"


def example_history() -> OutageHistory:
    """Of three days, from two subnets."""
    down = [
        BadMinute(_POLICY, _B, minute, True, "connect_timeout", "dial tcp 10.0.3.7:8443: i/o timeout")
        for minute in range(700, 738)
    ]
    blip = [BadMinute(_POLICY, subnet, 2000, True, "dns_timeout", "no such host") for subnet in (_A, _B)]
    now = [
        BadMinute(_OIDC, _A, minute, True, "tls_cert_expired", "the certificate expired")
        for minute in (_LENGTH - 3, _LENGTH - 2)
    ]
    # From one subnet nothing was measured for three hours.
    covered = {_A: span(0, _LENGTH) & ~span(1000, 1180), _B: span(0, _LENGTH)}
    seen = [SeenTarget(name, subnet, 0, _LENGTH - 1) for name in (_POLICY, _OIDC, _QUIET) for subnet in (_A, _B)]
    records = MinuteRecords(_LENGTH, covered, tuple(seen), (*down, *blip, *now))
    incident = ReportedIncident(
        "20261118T224700Z-1a2b3c4d",
        "ROUTE_BLACKHOLE|rtb-0b",
        "the default route of rtb-0b is a black hole",
        as_time(_SINCE + 704 * 60),
        ("broken", "changed", "recovered"),
        (_POLICY,),
    )
    targets = [
        NamedTarget(_POLICY, "https://policy.example.com/validate", Impact.BLOCKS),
        NamedTarget(_OIDC, _OIDC, Impact.NONE),
        NamedTarget(_QUIET, "https://metrics.kube-system.svc:443", None),
    ]
    made = tables(targets, LogPart(_SINCE, records), None, (incident,), objective=99.9, gap=5)
    until = _SINCE + _LENGTH * 60
    return OutageHistory(
        schema_version=HISTORY_SCHEMA,
        started_at=as_time(until + 180),
        duration_ms=8400.0,
        stack="egressprobe-prod",
        cluster_name="prod",
        since=as_time(_SINCE),
        until=as_time(until),
        objective=99.9,
        gap_minutes=5,
        verdict=worst(row.verdict for row in made.rows),
        tally=made.tally,
        subnets=(ObservedSubnet(_A, "eu-west-1a"), ObservedSubnet(_B, "eu-west-1b")),
        subnet_tallies=made.subnet_tallies,
        rows=made.rows,
        outages=made.outages,
        incidents=(incident,),
        sources=(
            HistorySource("probe log", as_time(_SINCE), as_time(until), 60, 5, 52_000_000, 0.00026),
            HistorySource("Planner log", as_time(_SINCE), as_time(until), 60, 1, 900_000, 0.000005),
        ),
    )
