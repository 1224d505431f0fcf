"""One report of each kind, with something wrong in it: for the tests of the output formats."""

import json
from functools import cache

from msgspec.structs import replace

from egressprobe.audit.result import Audit, SubnetColumn
from egressprobe.audit.whatif.result import WhatIf
from egressprobe.cli.inputs.audit_source import read_audit, read_source
from egressprobe.cli.inputs.plan_source import read_plan_file, try_plan
from egressprobe.incidents.answer import OPEN_INCIDENTS_SCHEMA, OpenIncidents
from egressprobe.incidents.model import Acknowledgement, Incident, Tier, Transition
from egressprobe.model.failure import Code
from egressprobe.model.joined_report import Cause, Joined
from egressprobe.model.remedy import RemedySteps, Touched
from egressprobe.model.report import Report
from egressprobe.model.target import Impact, Verdict
from egressprobe.observability.flows.result import Flows
from egressprobe.observability.history.result import OutageHistory
from egressprobe.planner.join import Heard, join
from egressprobe.publish.response import from_json
from egressprobe.readiness.fleet.result import FLEET_SCHEMA, Fleet, FleetCluster, FleetEvidence, FleetRegion
from egressprobe.readiness.result import (
    DIFF_SCHEMA,
    PREFLIGHT_SCHEMA,
    CellDifference,
    CheckState,
    ClusterState,
    Decision,
    DecisionReason,
    Difference,
    MatrixCell,
    MatrixRow,
    Preflight,
    Relation,
    ReportSide,
    SwitchCheck,
    Trend,
)
from tests.conftest import ROOT
from tests.support.flows import example_flows
from tests.support.history import example_history

EXAMPLES = ROOT / "docs" / "examples"
_PICKED = ("policy.healthy", "one-of-two-dead", "expired", "expires-soon", "loopback-alias")
_AT = "2026-11-22T03:00:00.000+00:00"
_FIX = RemedySteps(
    check=("aws ec2 describe-route-tables --route-table-ids rtb-1",),
    fix=("aws ec2 create-route --route-table-id rtb-1 --destination-cidr-block 0.0.0.0/0 --nat-gateway-id <NAT>",),
    undo=("aws ec2 delete-route --route-table-id rtb-1 --destination-cidr-block 0.0.0.0/0",),
    touches=(Touched("rtb-1", ("subnet-0a",)),),
    placeholders=("<NAT>",),
    notes=("The NAT gateway must be in the same zone.",),
    proven=True,
    proven_by="applied to a snapshot",
)


@cache
def report() -> Report:
    return from_json((ROOT / "tests/data/report.json").read_text())


@cache
def joined() -> Joined:
    """Two subnets that differ in one target, and one that did not respond."""
    lab = report()
    results = tuple(result for result in lab.results if result.target.name in _PICKED)
    healthy = next(result for result in results if result.target.name == "policy.healthy")
    better = tuple(
        replace(healthy, target=result.target) if result.target.name == "one-of-two-dead" else result
        for result in results
    )
    heard = [
        Heard(subnet, zone, (replace(lab, results=of, vantage=replace(lab.vantage, subnet_id=subnet)),))
        for subnet, zone, of in (("subnet-0a", "eu-west-1a", results), ("subnet-0b", "eu-west-1b", better))
    ]
    heard.append(Heard("subnet-0c", "eu-west-1c", (), "the function was throttled"))
    whole = join(
        heard,
        [result.target for result in results],
        run_id="run-1",
        started_at=_AT,
        duration_ms=5200.0,
        cluster_name="prod",
    )
    cause = Cause(
        "one-of-two-dead",
        ("subnet-0a",),
        "ROUTE_NO_EGRESS",
        "rtb-1 has no route to 203.0.113.1",
        "\n".join((*_FIX.fix, *_FIX.notes)),
        {"routeTable": "rtb-1"},
        remedy_steps=_FIX,
    )
    return replace(whole, causes=(cause,))


@cache
def audit() -> Audit:
    return read_audit(
        cluster=None,
        region=None,
        peer_profiles=[],
        snapshot=str(EXAMPLES / "broken-vpc.json"),
        save=None,
        targets=str(EXAMPLES / "broken-vpc-targets.yaml"),
        skip=[],
    )


@cache
def whatif() -> WhatIf:
    source = read_source(
        cluster=None,
        region=None,
        peer_profiles=[],
        snapshot=str(EXAMPLES / "broken-vpc.json"),
        targets=str(EXAMPLES / "broken-vpc-targets.yaml"),
    )
    return try_plan(source, read_plan_file(str(EXAMPLES / "change.sh"), None), [], "change.sh")


_FAIL, _PASS, _SLOW, _UNKNOWN = Verdict.FAIL, Verdict.PASS, Verdict.DEGRADED, Verdict.UNKNOWN


def _cell(subnet: str, family: str, *rounds: Verdict, code: Code | None = None) -> MatrixCell:
    worst = next(verdict for verdict in (_FAIL, _UNKNOWN, _SLOW, _PASS) if verdict in rounds)
    times = tuple(12.0 + i for i, _ in enumerate(rounds))
    return MatrixCell(subnet, family, worst, code, times[len(times) // 2], rounds, times, "open")


@cache
def preflight() -> Preflight:
    """NO-GO: one target would break by the switch, one is broken today; two families."""
    targets = {result.target.name: result.target for result in report().results}
    both = tuple((subnet, family) for subnet in ("subnet-0a", "subnet-0b") for family in ("ipv4", "ipv6"))
    refused = Code.CONNECT_REFUSED
    rows = (
        MatrixRow(
            targets["expired"],
            _FAIL,
            Impact.BLOCKS,
            True,
            Relation.BY_SWITCH,
            tuple(_cell(*at, _FAIL, _FAIL, _PASS, code=Code.TLS_CERT_EXPIRED) for at in both),
        ),
        MatrixRow(
            targets["vpod.pods.svc"],
            _FAIL,
            Impact.BYPASSES,
            False,
            Relation.TODAY,
            (_cell("subnet-0a", "ipv4", _FAIL, code=refused), _cell("subnet-0b", "ipv4", _UNKNOWN)),
        ),
        MatrixRow(
            targets["policy.healthy"],
            _PASS,
            Impact.BLOCKS,
            True,
            Relation.NONE,
            tuple(_cell(*at, _PASS, _PASS, _PASS) for at in both),
        ),
    )
    check = SwitchCheck("status-active", "the cluster is ACTIVE", CheckState.MET, "status is ACTIVE")
    return Preflight(
        schema_version=PREFLIGHT_SCHEMA,
        run_id="run-2",
        started_at=_AT,
        duration_ms=120_000.0,
        version="0.1.0",
        decision=Decision.NO_GO,
        reasons=(DecisionReason(Decision.NO_GO, "expired", "would break by the switch", "tls_cert_expired"),),
        cluster=_cluster("AWS_MANAGED"),
        probed_from="stack egressprobe-prod",
        rounds=3,
        seconds=120.0,
        checks=(
            check,
            replace(
                check,
                id="webhook-safe",
                title="a webhook can be bypassed",
                state=CheckState.NOT_MET,
                summary="policy blocks itself",
                remedy_steps=_FIX,
            ),
            replace(check, id="node", title="a node can join", state=CheckState.UNKNOWN, summary="not seen"),
        ),
        subnets=(SubnetColumn("subnet-0a", "eu-west-1a"), SubnetColumn("subnet-0b", "eu-west-1b")),
        rows=rows,
        causes=joined().causes,
        safety=(),
        not_covered=("subnet-0c has no probe",),
        audit=audit(),
        joined=joined(),
        limits="Predicts one fresh call.",
    )


def _cluster(mode: str) -> ClusterState:
    arn = "arn:aws:eks:eu-west-1:123456789012:cluster/prod"
    subnets = ("subnet-0a", "subnet-0b")
    return ClusterState(
        "prod", "eu-west-1", "123456789012", arn, "ACTIVE", mode, "1.35", "vpc-1", subnets, ("sg-1",), "ipv4"
    )


@cache
def difference() -> Difference:
    """One cell of each trend."""
    before, after = _cell("subnet-0a", "ipv4", _PASS), _cell("subnet-0a", "ipv4", _FAIL, code=Code.CONNECT_TIMEOUT)
    pairs = {
        Trend.WORSE: (before, after),
        Trend.BETTER: (after, before),
        Trend.SLOWER: (before, replace(before, median_ms=900.0)),
        Trend.FASTER: (replace(before, median_ms=900.0), before),
        Trend.NEW: (None, before),
        Trend.GONE: (before, None),
        Trend.UNKNOWN: (before, replace(before, verdict=_UNKNOWN)),
    }
    return Difference(
        schema_version=DIFF_SCHEMA,
        cluster_name="prod",
        verdict=_FAIL,
        before=ReportSide("before.json", _AT, "AWS_MANAGED", 5, _PASS),
        after=ReportSide("now", _AT, "CUSTOMER_ROUTED", 5, _FAIL),
        differences=tuple(
            CellDifference(f"is-{trend}", "subnet-0a", "ipv4", trend, Impact.BLOCKS, *cells, summary="measured")
            for trend, cells in pairs.items()
        ),
        same=7,
        cluster_changes=("mode: AWS_MANAGED -> CUSTOMER_ROUTED",),
        checks=preflight().checks,
    )


@cache
def fleet() -> Fleet:
    """A cluster of each decision, and a region that could not be listed."""
    clusters = (
        FleetCluster(
            "prod", "eu-west-1", Decision.NO_GO, FleetEvidence.PROBED, "policy fails", "1.35", code="connect_timeout"
        ),
        FleetCluster("lab", "eu-west-1", Decision.UNKNOWN, FleetEvidence.AUDIT_ONLY, "no stack probes it"),
        FleetCluster("test", "eu-west-1", Decision.GO, FleetEvidence.PROBED, "4 paths pass"),
    )
    regions = (FleetRegion("eu-west-1", 3), FleetRegion("us-east-1", error="AccessDeniedException"))
    return Fleet(FLEET_SCHEMA, "run-3", _AT, 1000.0, "0.1.0", Decision.NO_GO, clusters, regions, 5, 120.0)


def incidents() -> OpenIncidents:
    """A page of two targets, a notice that was not sent, a recovery that waits for `path broken`."""
    page = Incident(
        id="20261126T021100Z-1a2b3c4d",
        key="ROUTE_BLACKHOLE|rtb-1",
        code="ROUTE_BLACKHOLE",
        tier=Tier.PAGE,
        what="the default route of rtb-1 is a black hole",
        opened_at="2026-11-26T02:14:00+00:00",
        since="2026-11-26T02:11:00+00:00",
        failing={"policy.example.com": ("subnet-0b",), "idp": ("subnet-0b",)},
        sent=(Transition.BROKEN, Transition.CHANGED),
    )
    notice = Incident(
        id="20261125T100000Z-5e6f7a8b",
        key="CERTIFICATE|audit.example.com",
        code="tls_cert_expired",
        tier=Tier.NOTICE,
        what="the certificate of audit.example.com expired",
        opened_at="2026-11-25T10:00:00+00:00",
        failing={"audit.example.com": ("subnet-0a", "subnet-0b")},
        silent="every target is acknowledged",
        impact=Impact.BYPASSES,
        severity="warning",
        owner="Team A",
        affected="all Pod CREATE",
        more=2,
        ended_at="2026-11-26T03:00:00+00:00",
        superseded_by="20261125T110000Z-11112222",
    )
    over = replace(page, id="20261126T010000Z-9c0d1e2f", sent=(Transition.BROKEN, Transition.RECOVERED))
    known = Acknowledgement("audit.example.com", "2026-11-27T10:00:00+00:00", "Admin/alice", "INC-42")
    return OpenIncidents(
        OPEN_INCIDENTS_SCHEMA, "prod", "2026-11-26T03:04:00+00:00", (over, notice, page), (known,), notes=("a note",)
    )


@cache
def flows() -> Flows:
    """Rejected from one subnet and answered from the other, no return from both, and one of the control plane."""
    return example_flows()


@cache
def history() -> OutageHistory:
    """A target that missed its objective, one with an outage that goes on, and one that was up."""
    return example_history()


SAMPLES = {
    Fleet: fleet,
    Report: report,
    Joined: joined,
    Audit: audit,
    WhatIf: whatif,
    Preflight: preflight,
    Difference: difference,
    OpenIncidents: incidents,
    Flows: flows,
    OutageHistory: history,
}


def as_data(struct: object) -> object:
    """A report as plain data, to be changed by a test."""
    import msgspec

    return json.loads(msgspec.json.encode(struct))
