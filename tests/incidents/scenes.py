"""What operators meet, each from a look at a (virtual) VPC to the last message: the golden files are their texts."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from msgspec.structs import replace

from egressprobe.audit.vpc.snapshot import AclEntry, Permission, Route
from egressprobe.catalog.findings_webhook import SERVICE_WITHOUT_ENDPOINTS
from egressprobe.incidents.alarms import AlarmKind, Contributor
from egressprobe.incidents.messages.compose import compose
from egressprobe.incidents.messages.place import MessagePlace
from egressprobe.incidents.model import IncidentMessage, NetworkChange
from egressprobe.model.failure import Code
from egressprobe.model.target import DRILL_TARGET, Impact, Kind, Verdict
from tests.support.incident_story import IncidentStory
from tests.support.incidents import Probed, broken, facts, on, pod
from tests.support.vpc.broken import ONE_NAT_EACH, firewall_before_nat
from tests.support.vpc.snapshots import ANY, CLUSTER_SG, CORP, POD_SG, A, B, acl, clean, group, routes, swap

PLACE = MessagePlace(
    "prod",
    "eu-west-1",
    "123456789012",
    "egressprobe-prod",
    "https://console.aws.amazon.com/cloudwatch/home?region=eu-west-1#dashboards/dashboard/egressprobe-prod",
    "https://github.com/example/egressprobe/blob/main/docs/runbook.md",
    "/aws/lambda/egressprobe-prod-probe",
)
NOW, LATER = "2026-11-26T02:20:00+00:00", "2026-11-26T02:43:00+00:00"
SINCE = "2026-11-26T02:11:00+00:00"
SILENT, REFUSED = Code.CONNECT_TIMEOUT, Code.CONNECT_REFUSED
POLICY = Probed("policy.example.com", affects="all Pod CREATE")
HOOKS = [
    POLICY,
    Probed("images.example.com", affects="all Pod CREATE, UPDATE"),
    Probed("audit.example.com", affects=""),
]
KYVERNO = pod("kyverno-svc", objects=tuple(f"ValidatingWebhookConfiguration/kyverno/hook-{n}" for n in range(7)))
GONE = Route("0.0.0.0/0", "nat", "nat-0b", active=False)
DENY = AclEntry(10, True, False, 6, "0.0.0.0/0", (443, 443))
DEPLOYER = NetworkChange("e1", "2026-11-26T02:10:00+00:00", "DeleteNatGateway", "role deployer", ("nat-0b",), True)


class Scene(NamedTuple):
    """make: its messages, of which the last one is in the golden file."""

    name: str
    make: Callable[[], list[IncidentMessage]]


def all_fail(targets, code, subnets=(A, B), **made):
    return {
        subnet: {target.name: target.result(code if subnet in subnets else None, **made) for target in targets}
        for subnet in (A, B)
    }


def told(story, *looks):
    """Each look is (now, alarms, seen, snapshot, options)."""
    messages = []
    for now, alarms, seen, snapshot, given in looks:
        options = dict(given)
        story.since = {target.name: SINCE for target in story.targets} | {A: SINCE, B: SINCE}
        story.changes = options.pop("changes", story.changes)
        messages += [compose(due, PLACE, now) for due in story.look(now, alarms, seen, snapshot, **options)]
    return messages


def simple(targets, code, snapshot, *, subnets=(A, B), alarms=None, **made):
    def make():
        story = IncidentStory(targets)
        alarm = alarms or broken(*(target.name for target in targets), code=code)
        return told(story, (NOW, alarm, all_fail(targets, code, subnets, **made), snapshot, {}))

    return make


def black_hole_then(*looks, changes=None):
    """The black hole, reported, and what comes after it."""

    def make():
        story = IncidentStory(HOOKS)
        first = (NOW, broken(*(h.name for h in HOOKS)), all_fail(HOOKS, SILENT), BLACK_HOLE, {"changes": changes or {}})
        return told(story, first, *looks)

    return make


BLACK_HOLE = routes(clean(), "rtb-private", GONE)
BLACK_HOLE_KEY = "ROUTE_BLACKHOLE|nat-0b"
GO = {"changes": {BLACK_HOLE_KEY: (DEPLOYER,)}}
CALM = facts()


def _drill():
    """Its target is in no inventory, and the alarm is all that is known of it."""
    story = IncidentStory([POLICY])
    alarms = broken(DRILL_TARGET, code=Code.SERVICE_UNRESOLVED)
    return told(story, (NOW, alarms, all_fail([POLICY], None), clean(), {}))


def _not_reproduced():
    story = IncidentStory([POLICY])
    return told(story, (NOW, broken(POLICY.name, code=REFUSED), all_fail([POLICY], None), clean(), {}))


def _probing_failed():
    story = IncidentStory([POLICY])
    return told(story, (NOW, broken(POLICY.name), None, None, {"why": "the probes were throttled"}))


def _silent_subnet():
    seen = all_fail([POLICY], REFUSED) | {B: "the function did not answer in 50 s"}
    return told(IncidentStory([POLICY]), (NOW, broken(POLICY.name, code=REFUSED), seen, clean(), {}))


def _egress_down():
    alarms = facts(on(AlarmKind.EGRESS_DOWN, Contributor(subnet_id=A, since=NOW)))
    seen = all_fail([POLICY, KYVERNO], SILENT, (A,))
    for results in seen.values():
        results[KYVERNO.name] = KYVERNO.result(None)
    return told(IncidentStory([POLICY, KYVERNO]), (NOW, alarms, seen, acl(clean(), A, DENY), {}))


def _egress_unseen():
    alarms = facts(on(AlarmKind.EGRESS_DOWN, Contributor(subnet_id=A, since=NOW)))
    return told(IncidentStory([POLICY]), (NOW, alarms, all_fail([POLICY], None), clean(), {}))


def _issuer(kind):
    """Nothing but the cluster's issuer is outside the VPC."""
    issuer = Probed("oidc.eks.eu-west-1.amazonaws.com", kind=Kind.OIDC, impact=Impact.NONE, affects="", objects=())
    alarms = facts(on(kind, Contributor(subnet_id=A, since=NOW)))
    seen = all_fail([issuer], SILENT, (A,))
    return lambda: told(IncidentStory([issuer]), (NOW, alarms, seen, acl(clean(), A, DENY), {}))


def _path_broken():
    return told(IncidentStory([POLICY]), (NOW, facts(on(AlarmKind.PATH_BROKEN)), all_fail([POLICY], None), clean(), {}))


def _degraded():
    alarms = facts(on(AlarmKind.NOTICES, Contributor(POLICY.name, str(SILENT), "degraded", since=NOW)))
    partial = acl(clean(), A, AclEntry(10, False, False, 6, "0.0.0.0/0", (50000, 65535)))
    seen = all_fail([POLICY], SILENT, (A,), verdict=Verdict.DEGRADED)
    seen[B] = {POLICY.name: POLICY.result(None)}
    return told(IncidentStory([POLICY]), (NOW, alarms, seen, partial, {}))


def _fails_open():
    soft = Probed("labels.example.com", impact=Impact.BYPASSES, affects="all Namespace CREATE")
    alarms = facts(on(AlarmKind.NOTICES, Contributor(soft.name, str(REFUSED), "bypasses", since=NOW)))
    return told(IncidentStory([soft]), (NOW, alarms, all_fail([soft], REFUSED), clean(), {}))


def _escalated():
    story = IncidentStory([POLICY])
    notices = facts(on(AlarmKind.NOTICES, Contributor(POLICY.name, str(REFUSED), "degraded", since=NOW)))
    seen = all_fail([POLICY], REFUSED)
    return told(
        story,
        (NOW, notices, all_fail([POLICY], REFUSED, verdict=Verdict.DEGRADED), clean(), {}),
        (LATER, broken(POLICY.name, code=REFUSED), seen, clean(), {}),
    )


def _superseded():
    story = IncidentStory([POLICY])
    return told(
        story,
        (NOW, broken(POLICY.name, code=REFUSED), all_fail([POLICY], REFUSED), clean(), {}),
        (LATER, broken(POLICY.name), all_fail([POLICY], SILENT), BLACK_HOLE, {}),
    )


def _after_a_mute():
    story = IncidentStory([POLICY])
    seen = all_fail([POLICY], REFUSED)
    muted = broken(POLICY.name, code=REFUSED, muted="deploy-window until 02:30 UTC")
    return told(story, (NOW, muted, seen, clean(), {}), (LATER, broken(POLICY.name, code=REFUSED), seen, clean(), {}))


def _crossing_midnight():
    story = IncidentStory([POLICY])
    on_hook = broken(POLICY.name, code=REFUSED)
    return told(
        story,
        ("2026-11-25T23:40:00+00:00", on_hook, all_fail([POLICY], REFUSED), clean(), {}),
        ("2026-11-27T01:00:00+00:00", CALM, all_fail([POLICY], None), clean(), {}),
    )


def scenes() -> Iterator[Scene]:
    """Every kind of message."""
    yield Scene("black-hole", black_hole_then(changes=GO["changes"]))
    yield Scene("black-hole-recovered", black_hole_then((LATER, CALM, all_fail(HOOKS, None), clean(), {})))
    yield Scene(
        "black-hole-changed",
        black_hole_then((LATER, broken(*(h.name for h in HOOKS)), all_fail(HOOKS, SILENT), BLACK_HOLE, GO)),
    )
    yield Scene("network-acl", simple([POLICY], SILENT, acl(clean(), A, DENY), subnets=(A,)))
    yield Scene(
        "security-group", simple(HOOKS, SILENT, group(clean(), CLUSTER_SG, egress=(Permission(6, (8443, 8443), ANY),)))
    )
    closed = group(clean(), POD_SG, ingress=(Permission(6, (443, 443), groups=(CLUSTER_SG,)),))
    yield Scene("security-group-of-the-target", simple([KYVERNO], SILENT, closed))
    failed = replace(ONE_NAT_EACH, nats=swap(ONE_NAT_EACH.nats, "nat-2", state="failed"))
    yield Scene("nat-gateway-failed", simple([POLICY], SILENT, failed, subnets=(B,)))
    yield Scene("no-route", simple([POLICY], SILENT, routes(clean(), "rtb-private", Route("0.0.0.0/0", "other"))))
    dropped = firewall_before_nat(deny=[POLICY.name])
    yield Scene("network-firewall", simple([POLICY], Code.TLS_TIMEOUT, dropped))
    yield Scene("name-does-not-exist", simple([POLICY], Code.DNS_NXDOMAIN, clean()))
    yield Scene("refused", simple([POLICY], REFUSED, clean()))
    corp = Probed("corp.example.com", address=CORP)
    yield Scene("path-unknown", simple([corp], SILENT, clean()))
    yield Scene("allowed-and-no-reply", simple([POLICY], SILENT, clean()))
    yield Scene("nothing-outside-answers", simple(HOOKS, SILENT, clean()))
    branches = [hook._replace(address=CORP) for hook in HOOKS]
    yield Scene("nothing-behind-the-transit-gateway", simple(branches, SILENT, clean()))
    yield Scene("resolver-silent", simple(HOOKS, Code.DNS_TIMEOUT, clean(), subnets=(A,)))
    yield Scene("nothing-outside-answers-without-the-audit", simple(HOOKS, SILENT, None))
    yield Scene("certificate-expired", simple([KYVERNO], Code.TLS_CERT_EXPIRED, clean()))
    yield Scene("unknown-ca", simple([KYVERNO], Code.TLS_UNKNOWN_AUTHORITY, clean()))
    yield Scene(
        "service-without-endpoints",
        simple(
            [KYVERNO],
            Code.SERVICE_UNRESOLVED,
            clean(),
            findings=[SERVICE_WITHOUT_ENDPOINTS.found("hooks/kyverno-svc has no ready endpoint", {})],
        ),
    )
    metrics = pod(
        "metrics-server", kind=Kind.AGGREGATED_API, objects=("APIService/v1beta1.metrics.k8s.io",), affects=""
    )
    yield Scene("aggregated-api", simple([metrics], REFUSED, clean()))
    yield Scene("egress-path-down", _egress_down)
    yield Scene("egress-path-down-not-reproduced", _egress_unseen)
    yield Scene("egress-path-down-issuer", _issuer(AlarmKind.EGRESS_DOWN))
    yield Scene("egress-path-would-be-down", _issuer(AlarmKind.EGRESS_WOULD_FAIL))
    yield Scene("target-not-named", _path_broken)
    yield Scene("degraded", _degraded)
    yield Scene("fails-open", _fails_open)
    yield Scene("not-reproduced", _not_reproduced)
    yield Scene("drill", _drill)
    yield Scene("probing-failed", _probing_failed)
    yield Scene("a-silent-subnet", _silent_subnet)
    yield Scene("without-the-audit", simple([POLICY], SILENT, None))
    yield Scene("escalated", _escalated)
    yield Scene("superseded", _superseded)
    yield Scene("after-a-mute", _after_a_mute)
    yield Scene("recovered-another-day", _crossing_midnight)


SCENES = {scene.name: scene for scene in scenes()}
