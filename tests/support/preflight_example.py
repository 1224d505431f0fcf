"""A preflight as a team would meet it: NO-GO with two causes, three subnets, twelve targets, both families.

What decides is a real audit of a snapshot: cells fail where it finds the path closed, and the causes with their fixes
are its findings. Times are a formula of row, column and round.
"""

import msgspec
from msgspec.structs import replace

from egressprobe.audit.result import Audit
from egressprobe.audit.run import audit
from egressprobe.audit.vpc.snapshot import AclEntry, Attachment, Nat, Route, RouteTable, Subnet, VpcSnapshot
from egressprobe.model.failure import Code
from egressprobe.model.joined_report import Cause
from egressprobe.model.report import view, worst
from egressprobe.model.target import Impact, Kind, Target, Verdict
from egressprobe.readiness.result import (
    PREFLIGHT_SCHEMA,
    CheckState,
    ClusterState,
    Decision,
    DecisionReason,
    MatrixCell,
    MatrixRow,
    Preflight,
    Relation,
    SwitchCheck,
)
from egressprobe.targets.plan import read_plan
from tests.support.vpc.snapshots import LOCAL, NAT, OUT, POD, PODS, PUBLIC, WEB, WEB6, A, B, acl, clean, six

_C = "subnet-c"
_ISSUER = "oidc.eks.eu-west-1.amazonaws.com"
_PAGE = "https://docs.aws.amazon.com/eks/latest/userguide/control-plane-egress.html"
_PODS = {"addresses": [f"{POD}:9443", f"[{six(3, '10')}]:9443"]}
# Ids of the length that AWS gives them.
_IDS = {
    A: "subnet-0a41c9d2e7b35f810",
    B: "subnet-0b93e5f1a6c84d207",
    _C: "subnet-0c58d7a3f2e96b114",
    PODS: "subnet-0d27b6e8c1f94a350",
    PUBLIC: "subnet-0e6f3a9b5d7c18424",
    "sg-cluster": "sg-0f12d4c6a8b97e531",
    "sg-pods": "sg-0a7c5e3f19b8d2640",
    "rtb-a": "rtb-0b1d9f7e5c3a28641",
    "rtb-b": "rtb-0c8e6a4f2d7b91350",
    "rtb-public": "rtb-0e4f2a8c6b9d17035",
    "nat-1": "nat-0d3b5f7a9c1e82460",
    "nat-2": "nat-0a9e1c7d5b3f64280",
    "igw-1": "igw-0f6a8d2c4e7b93150",
    "eigw-1": "eigw-0c2e4f6a8b1d97530",
}


def broken_snapshot() -> VpcSnapshot:
    """The NAT gateway of the second zone failed; the ACL of the third subnet denies the pods' replies."""
    base = clean()
    third = Subnet(_C, "eu-west-1c", "123456789012", ("10.0.4.0/24", six(4, "/64")), 200)
    table_b = RouteTable("rtb-b", subnets=(B,), routes=(*LOCAL, Route("0.0.0.0/0", "nat", "nat-2"), *OUT[1:]))
    table_a = RouteTable("rtb-a", subnets=(A, _C, PODS), routes=(*LOCAL, *OUT))
    whole = replace(
        base,
        cluster=replace(base.cluster, subnets=(A, B, _C), mode="AWS_MANAGED"),
        subnets=(*base.subnets, third),
        route_tables=(*(table for table in base.route_tables if table.id != "rtb-private"), table_a, table_b),
        acls=(*base.acls, replace(base.acls[0], id=f"acl-{_C}", subnets=(_C,))),
        nats=(*base.nats, Nat("nat-2", "failed", PUBLIC, addresses=("10.0.9.201",), elastic=("203.0.113.2",))),
        attachments=(Attachment("tgw-attach-1", "tgw-1", subnets=(A, B, _C)),),
        names={
            "opa.security.example.com": (WEB, WEB6),
            "login.example.com": (WEB, "93.184.216.35", WEB6),
            _ISSUER: ("52.94.1.1",),
        },
    )
    denied = acl(whole, _C, AclEntry(90, False, False, 6, "10.0.3.0/24", (1024, 65535)))
    return msgspec.json.decode(_renamed(msgspec.json.encode(denied)), type=VpcSnapshot)


def _renamed(text: bytes) -> bytes:
    for name, real in _IDS.items():
        text = text.replace(f'"{name}"'.encode(), f'"{real}"'.encode())
        text = text.replace(f'"acl-{name}"'.encode(), f'"acl-{real.partition("-")[2]}"'.encode())
    return text.replace(NAT.encode(), b"10.0.9.200")


def targets() -> tuple[Target, ...]:
    """Two issuers, eight webhooks, two aggregated APIs."""
    webhooks = ("ingress-nginx-admission", "cert-manager-webhook", "kyverno-svc", "vpa-webhook", "istiod", "keda-admission", "linkerd-sp-validator")  # fmt: skip
    raw = [
        {"kind": "oidc", "name": "eks-issuer", "url": f"https://{_ISSUER}/id/EXAMPLE"},
        {"kind": "oidc", "name": "company-login", "url": "https://login.example.com/"},
        {"kind": "webhook", "name": "opa-external", "url": "https://opa.security.example.com/v1/admit"},
        *(
            {"kind": "webhook", "name": name, "service": {"namespace": "platform", "name": name}} | _PODS
            for name in webhooks
        ),
        {"kind": "aggregated-api", "name": "v1beta1.metrics.k8s.io", "service": {"namespace": "kube-system", "name": "metrics-server"}} | _PODS,
        {"kind": "aggregated-api", "name": "v1beta1.external.metrics.k8s.io", "service": {"namespace": "keda", "name": "keda-metrics"}} | _PODS,
    ]  # fmt: skip
    return read_plan({"targets": raw}).targets


def example_audit() -> Audit:
    return audit(broken_snapshot(), targets())


def example_preflight() -> Preflight:
    """NO-GO: what the audit found, measured five times."""
    audited = example_audit()
    rows = tuple(_row(audited, target, number) for number, target in enumerate(targets()))
    causes = tuple(_causes(audited))
    return Preflight(
        schema_version=PREFLIGHT_SCHEMA,
        run_id="7d0c4f0e-3b1a-4f5c-9d2e-6a8b1c3e5f70",
        started_at="2026-11-26T10:15:00Z",
        duration_ms=124_300.0,
        version="0.1.0",
        decision=Decision.NO_GO,
        reasons=tuple(
            DecisionReason(
                Decision.NO_GO, cause.target, f"{cause.summary}, from {', '.join(cause.subnets)}", cause.code
            )
            for cause in causes
        ),
        cluster=ClusterState(
            *("prod", "eu-west-1", "123456789012", "arn:aws:eks:eu-west-1:123456789012:cluster/prod"),
            *("ACTIVE", "AWS_MANAGED", "1.35", "vpc-1", (_IDS[A], _IDS[B], _IDS[_C]), (_IDS["sg-cluster"],), "ipv6"),
        ),
        probed_from="stack egressprobe-prod",
        rounds=5,
        seconds=120.0,
        checks=_checks(),
        subnets=audited.subnets,
        rows=rows,
        causes=causes,
        safety=(),
        not_covered=("The kubelets of 2 nodes were not probed: they have no address in the VPC.",),
        audit=audited,
        joined=None,
        limits="The API server may use other addresses of a name later than those that were measured.",
    )


def _row(audited: Audit, target: Target, number: int) -> MatrixRow:
    [row] = [row for row in audited.rows if row.target.name == target.name]
    cells = []
    for place, subnet in enumerate(audited.subnets):
        for family in ("ipv4", "ipv6"):
            addresses = [text for text in row.target.addresses if (":" in text) == (family == "ipv6")]
            states = {
                path.state
                for path in audited.paths
                if (path.subnet, path.port) == (subnet.id, row.target.port) and path.address in addresses
            }
            if states:
                cells.append(_cell(subnet.id, family, states, 6.0 + 3.7 * number + 1.3 * place))
    verdict = worst(cell.verdict for cell in cells)
    fails = verdict is Verdict.FAIL
    relevant = target.kind is Kind.OIDC or not target.endpoints
    relation = (Relation.BY_SWITCH if relevant else Relation.TODAY) if fails else Relation.NONE
    impact = Impact.NONE if target.kind is Kind.OIDC else Impact.BLOCKS
    return MatrixRow(view(target), verdict, impact, relevant, relation, tuple(cells))


def _cell(subnet: str, family: str, states: set[str], milliseconds: float) -> MatrixCell:
    [state] = states
    if state != "open":
        return MatrixCell(subnet, family, Verdict.FAIL, Code.CONNECT_TIMEOUT, None, (Verdict.FAIL,) * 5, (), state)
    times = tuple(milliseconds + 0.4 * i for i in range(5))
    return MatrixCell(subnet, family, Verdict.PASS, None, times[2], (Verdict.PASS,) * 5, times, state)


def _causes(audited: Audit):
    for finding in audited.findings:
        if finding.severity == "error":
            yield Cause(
                target=", ".join(finding.evidence["targets"][:3]),
                subnets=tuple(finding.evidence["subnets"]),
                code=finding.code,
                summary=finding.summary,
                remedy=finding.remedy,
                evidence=finding.evidence,
                consequences=("connect_timeout",),
                remedy_steps=finding.remedy_steps,
            )


def _checks():
    met, source = CheckState.MET, f"{_PAGE}#control-plane-egress-prerequisites"
    return (
        SwitchCheck("cluster-active", "The cluster is ACTIVE", met, "status ACTIVE, no update in progress", source=_PAGE),
        SwitchCheck(
            *("default-route", "A default route in every subnet", CheckState.NOT_MET),
            f"{_IDS['rtb-b']} sends 0.0.0.0/0 to a NAT gateway that failed",
            *("NAT_NOT_AVAILABLE", source),
        ),
        SwitchCheck("dns", "The VPC uses AmazonProvidedDNS", met, "dopt-1 lists AmazonProvidedDNS", source=source),
        SwitchCheck(
            *("return-traffic", "Network ACLs allow return traffic", CheckState.NOT_MET),
            "rule 90 denies the pods' replies to ports 1024-65535",
            *("NACL_EPHEMERAL_DENIED", source),
        ),
        SwitchCheck(
            *("webhook", "A webhook answers", CheckState.UNKNOWN, "no dry-run request was sent", "", source),
        ),
    )  # fmt: skip
