"""Webhooks that make an outage worse: findings on what a fail-closed webhook intercepts without exempting it. Pure.

- Its own pods and configuration: once it is down it cannot be brought back.
- kube-system, leases and nodes: what nodes and the cluster's own controllers need to work.
- Timeouts that together are longer than the API server gives a request.
- All replicas on one node or in one zone.
https://kubernetes.io/docs/concepts/cluster-administration/admission-webhooks-good-practices/
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from egressprobe.apiserver.client_rules import DEFAULT_WEBHOOK_TIMEOUT
from egressprobe.catalog.findings_webhook import (
    WEBHOOK_BLOCKS_CLUSTER,
    WEBHOOK_BLOCKS_ITSELF,
    WEBHOOK_NOT_REDUNDANT,
    WEBHOOK_TIMEOUTS_EXCEED_REQUEST,
)
from egressprobe.discovery.findings import Concern, about_objects
from egressprobe.discovery.interception import InterceptedRequest, intercepts, matches_rules
from egressprobe.discovery.kubernetes.objects import EndpointSlice, Service, Webhook
from egressprobe.discovery.kubernetes.resources import MUTATING
from egressprobe.discovery.scope import picks
from egressprobe.model.report import Finding

# Seconds for a create, update, patch or delete: k8s.io/apiserver/pkg/endpoints/handlers/rest.go
# requestTimeoutUpperBound.
REQUEST_LIMIT = 34
_MOST_NAMED = 20  # webhooks in one finding's evidence
_LEASES = ("Lease", "coordination.k8s.io", "v1", "leases")
# What a webhook's own installation consists of, beside its pods.
_OWN = (
    ("Secret", "", "v1", "secrets"),
    ("ConfigMap", "", "v1", "configmaps"),
    ("Service", "", "v1", "services"),
    ("ServiceAccount", "", "v1", "serviceaccounts"),
    ("Deployment", "apps", "v1", "deployments"),
    ("ReplicaSet", "apps", "v1", "replicasets"),
    ("StatefulSet", "apps", "v1", "statefulsets"),
    ("DaemonSet", "apps", "v1", "daemonsets"),
    ("EndpointSlice", "discovery.k8s.io", "v1", "endpointslices"),
)
_CLUSTER = (
    InterceptedRequest("Pod", "", "v1", "pods", "CREATE", "kube-system"),
    InterceptedRequest("Lease", *_LEASES[1:], "CREATE", "kube-node-lease"),
    InterceptedRequest("Lease", *_LEASES[1:], "UPDATE", "kube-node-lease"),
    InterceptedRequest("Lease", *_LEASES[1:], "UPDATE", "kube-system"),
    InterceptedRequest("Node", "", "v1", "nodes", "CREATE"),
    InterceptedRequest("Node", "", "v1", "nodes", "UPDATE"),
    InterceptedRequest("Node/status", "", "v1", "nodes", "UPDATE", "", "status"),
)
# Whose webhooks are added up; the kinds that clusters change most.
_COMMON = tuple(
    InterceptedRequest(kind, group, version, resource, operation, "default")
    for kind, group, version, resource in (("Pod", "", "v1", "pods"), *_OWN)
    for operation in ("CREATE", "UPDATE")
)
type Key = tuple[str, str]


class AdmissionWebhook(NamedTuple):
    """object: KIND/CONFIGURATION/WEBHOOK."""

    object: str
    webhook: Webhook

    @property
    def mutating(self) -> bool:
        return self.object.startswith(f"{MUTATING.kind}/")

    @property
    def fail_closed(self) -> bool:
        return (self.webhook.failure_policy or "Fail") == "Fail"

    @property
    def timeout(self) -> int:
        given = self.webhook.timeout_seconds
        return DEFAULT_WEBHOOK_TIMEOUT if given is None else given

    @property
    def service(self) -> Key | None:
        ref = self.webhook.client_config.service
        return (ref.namespace, ref.name) if ref else None


class Spread(NamedTuple):
    """How many nodes, and in how many zones, the cluster has; 0: not known."""

    nodes: int
    zones: int


def safety_findings(
    webhooks: Iterable[AdmissionWebhook],
    services: Mapping[Key, Service],
    slices: Mapping[Key, Sequence[EndpointSlice]],
    cluster: Spread,
) -> list[Finding]:
    """webhooks: those that the API server calls over the network."""
    webhooks = sorted(webhooks, key=lambda hook: hook.object)
    closed = [hook for hook in webhooks if hook.fail_closed]
    return [
        *about_objects(WEBHOOK_BLOCKS_ITSELF, _concerns(closed, lambda hook: _blocks_itself(hook, services))),
        *about_objects(WEBHOOK_BLOCKS_CLUSTER, _concerns(closed, _blocks_cluster)),
        *_timeouts(webhooks),
        *about_objects(WEBHOOK_NOT_REDUNDANT, _concerns(closed, lambda hook: _not_redundant(hook, slices, cluster))),
    ]


def _concerns(webhooks: Iterable[AdmissionWebhook], judge: Callable[[AdmissionWebhook], str]) -> list[Concern]:
    reasons = ((hook.object, judge(hook)) for hook in webhooks)
    return [Concern(name, reason) for name, reason in reasons if reason]


def _blocks_itself(hook: AdmissionWebhook, services: Mapping[Key, Service]) -> str:
    if hook.service is None:
        return ""
    namespace = hook.service[0]
    service = services.get(hook.service)
    labels = (service.spec.selector or {}) if service else {}
    pods = [
        request
        for request in (
            InterceptedRequest("Pod", "", "v1", "pods", "CREATE", namespace),
            InterceptedRequest("Pod/status", "", "v1", "pods", "UPDATE", namespace, "status"),
            InterceptedRequest("Pod/binding", "", "v1", "pods", "CREATE", namespace, "binding"),
        )
        if intercepts(hook.webhook, request, labels)
    ]
    own = [
        request
        for kind in _OWN
        for operation in ("CREATE", "UPDATE")
        if intercepts(hook.webhook, request := InterceptedRequest(*kind, operation, namespace))
    ]
    parts = [f"its own pods ({_listed(pods)})"] if pods else []
    parts += [f"its own configuration ({_listed(own)})"] if own else []
    if not parts:
        return ""
    return f"fails closed and intercepts {' and '.join(parts)} in its own namespace {namespace}: it can block itself"


def _blocks_cluster(hook: AdmissionWebhook) -> str:
    by_place: dict[str, list[InterceptedRequest]] = {}
    for request in _CLUSTER:
        if intercepts(hook.webhook, request):
            by_place.setdefault(request.namespace, []).append(request)
    parts = [
        f"{_listed(requests)}{f' in {namespace}' if namespace else ''}" for namespace, requests in by_place.items()
    ]
    return f"fails closed and intercepts {', '.join(parts)}" if parts else ""


def _listed(requests: Sequence[InterceptedRequest]) -> str:
    """`Pod CREATE, Secret CREATE/UPDATE`, at most four kinds."""
    operations: dict[str, list[str]] = {}
    for request in requests:
        operations.setdefault(request.kind, []).append(request.operation)
    texts = [f"{kind} {'/'.join(names)}" for kind, names in operations.items()]
    return ", ".join(texts[:4]) + (f" and {len(texts) - 4} more" if len(texts) > 4 else "")


def _timeouts(webhooks: Sequence[AdmissionWebhook]) -> list[Finding]:
    """Mutating webhooks are called one after the other, validating ones at once after them.

    Counted are those that selectors only exclude from; two that pick objects by their labels may never meet.
    """
    general = [hook for hook in webhooks if not picks(hook.webhook)]
    worst: tuple[int, InterceptedRequest, list[AdmissionWebhook]] | None = None
    for request in _COMMON:
        called = [hook for hook in general if matches_rules(hook.webhook, request)]
        serial = [hook for hook in called if hook.mutating]
        parallel = [hook.timeout for hook in called if not hook.mutating]
        seconds = sum(hook.timeout for hook in serial) + max(parallel, default=0)
        if seconds > REQUEST_LIMIT and (worst is None or seconds > worst[0]):
            worst = (seconds, request, called)
    if worst is None:
        return []
    seconds, request, called = worst
    mutating = sum(hook.mutating for hook in called)
    summary = (
        f"{request}: {mutating} mutating webhooks one after the other and {len(called) - mutating} validating ones may "
        f"take {seconds} s; the API server gives a request {REQUEST_LIMIT} s"
    )
    evidence = {"objects": {hook.object: f"timeoutSeconds {hook.timeout}" for hook in called[:_MOST_NAMED]}}
    return [WEBHOOK_TIMEOUTS_EXCEED_REQUEST.found(summary, evidence | {"seconds": seconds, "count": len(called)})]


def _not_redundant(hook: AdmissionWebhook, slices: Mapping[Key, Sequence[EndpointSlice]], cluster: Spread) -> str:
    own = slices.get(hook.service, ()) if hook.service else ()
    ready = [e for s in own for e in s.endpoints or [] if e.conditions is None or e.conditions.ready is not False]
    if not ready or cluster.nodes == 1:
        return ""
    addresses = {endpoint.addresses[0] for endpoint in ready if endpoint.addresses}
    if len(addresses) == 1:
        return "fails closed and has one ready replica"
    names = {endpoint.node_name for endpoint in ready}
    zones = {endpoint.zone for endpoint in ready}
    if len(names) == 1 and None not in names:
        return f"fails closed and has all {len(addresses)} replicas on one node, {next(iter(names))}"
    if len(zones) == 1 and None not in zones and cluster.zones != 1:
        return f"fails closed and has all {len(addresses)} replicas in one zone, {next(iter(zones))}"
    return ""
