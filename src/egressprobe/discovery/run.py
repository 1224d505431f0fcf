"""Lists into targets: reads what a source gives, page by page, and keeps only what leads to a call.

Who calls is read first, then of the Services and EndpointSlices only those that are called. A list that cannot be
read to its end costs what it would have contained, and a finding: what was read before it broke stays.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol

from egressprobe.catalog.findings_webhook import SERVICE_NOT_FOUND, SERVICE_WITHOUT_ENDPOINTS
from egressprobe.discovery import kubelets
from egressprobe.discovery.callers import (
    NO_OWNER,
    Call,
    Caller,
    NotProbed,
    api_service_call,
    conversion_call,
    read_owner,
    webhook_call,
)
from egressprobe.discovery.endpoints import ServiceEndpoints, available_condition, service_endpoints
from egressprobe.discovery.findings import MOST_EVIDENCE, findings_of
from egressprobe.discovery.kubernetes.objects import (
    ApiService,
    Definition,
    EndpointSlice,
    Malformed,
    Node,
    Service,
    read_object,
    read_webhooks,
)
from egressprobe.discovery.kubernetes.resources import (
    APISERVICES,
    CRDS,
    FIRST,
    MUTATING,
    NODES,
    SERVICES,
    SLICES,
    THEN,
    VALIDATING,
    ListPage,
    PageError,
    Resource,
)
from egressprobe.discovery.kubernetes.responses import ExpiredError, UnreadableError, unreadable
from egressprobe.discovery.reachability import kubelet_findings, outside_findings
from egressprobe.discovery.safety import AdmissionWebhook, Spread, safety_findings
from egressprobe.discovery.targets import make_targets
from egressprobe.model.discovered import Discovered, LeftOut
from egressprobe.model.errors import stack_of
from egressprobe.model.ownership import TargetOwner, owners_of, without_owner
from egressprobe.model.report import Finding
from egressprobe.model.target import CallRefusal, Kind, ServiceRef

logger = logging.getLogger("egressprobe")
_RESTARTS = 3
type _Key = tuple[str, str]


class KubernetesLists(Protocol):
    """Where pages come from: an API server, or a folder."""

    def pages(self, resource: Resource) -> AsyncIterator[ListPage]:
        """Raises UnreadableError, ExpiredError and PageError."""
        ...


class _ListContent:
    """What was read of one list; dropped when the list is read again from its start."""

    def __init__(self, resource: Resource, wanted: set[_Key]) -> None:
        self.resource, self._wanted = resource, wanted
        self.calls: list[Call] = []
        self.left: list[LeftOut] = []
        self.unusable: list[Malformed | NotProbed] = []
        self.more_unusable = 0
        self.bad_annotations: list[Malformed] = []
        self.services: dict[_Key, Service] = {}
        self.slices: dict[_Key, list[EndpointSlice]] = {}
        self.kubelets: list[kubelets.Kubelet] = []
        self.webhooks: list[AdmissionWebhook] = []
        self.trouble: Finding | None = None
        self._number = 0

    def add(self, page: ListPage) -> None:
        for raw in page.items:
            self._number += 1
            annotated = read_owner(raw, self.resource, self._number) if self.resource in _CALLERS else NO_OWNER
            self.bad_annotations += annotated.invalid
            if self.resource in (VALIDATING, MUTATING):
                for webhook in read_webhooks(raw, self.resource, self._number):
                    caller = webhook if isinstance(webhook, Malformed) else webhook_call(*webhook)
                    self._take(caller, annotated.owner)
                    if isinstance(caller, Call) and not isinstance(webhook, Malformed):
                        self.webhooks.append(AdmissionWebhook(*webhook))
            else:
                self._add(raw, annotated.owner)

    def _add(self, raw: Any, owner: TargetOwner) -> None:
        item: Any = read_object(raw, _TYPES[self.resource], self.resource, self._number)
        if isinstance(item, Malformed):
            self._take(item)
        elif isinstance(item, Definition):
            self._take(conversion_call(item), owner)
        elif isinstance(item, ApiService):
            self._take(api_service_call(item), owner)
        elif isinstance(item, Service):
            key = (item.metadata.namespace, item.metadata.name)
            if key in self._wanted:
                self.services[key] = item
        elif isinstance(item, EndpointSlice):
            key = (item.metadata.namespace, (item.metadata.labels or {}).get(_SERVICE_NAME, ""))
            if key in self._wanted:
                self.slices.setdefault(key, []).append(item)
        else:
            kubelet = kubelets.read_kubelet(item)
            if isinstance(kubelet, str):
                self._take(NotProbed(f"Node/{item.metadata.name}", kubelet))
            else:
                self.kubelets.append(kubelet)

    def _take(self, caller: Caller | None, owner: TargetOwner = NO_OWNER.owner) -> None:
        if isinstance(caller, Call):
            self.calls.append(caller._replace(owner=owner))
        elif isinstance(caller, LeftOut):
            self.left.append(caller)
        elif caller is not None:
            self.more_unusable += len(self.unusable) == MOST_EVIDENCE
            self.unusable += [caller] if len(self.unusable) < MOST_EVIDENCE else []


# https://kubernetes.io/docs/reference/labels-annotations-taints/#kubernetesioservice-name
_SERVICE_NAME = "kubernetes.io/service-name"
_CALLERS = (VALIDATING, MUTATING, CRDS, APISERVICES)
_TYPES: dict[Resource, type] = {
    CRDS: Definition,
    APISERVICES: ApiService,
    SERVICES: Service,
    SLICES: EndpointSlice,
    NODES: Node,
}


async def collect(
    source: KubernetesLists,
    networks: Sequence[kubelets.NodeNetwork] = (),
    pod_networks: Sequence[kubelets.NodeNetwork] | None = None,
) -> Discovered:
    """All that the lists contain, as targets. networks: the VPC's subnets and the remote networks, for the nodes.

    pod_networks: remote pod networks; with them `networks` is all that EKS dials. None: that is not known.
    """
    lists = dict(zip(FIRST, await asyncio.gather(*(_read(source, r, set()) for r in FIRST)), strict=True))
    calls = [call for content in lists.values() for call in content.calls]
    wanted = {(call.service.namespace, call.service.name) for call in calls if call.service}
    lists |= zip(THEN, await asyncio.gather(*(_read(source, r, wanted) for r in THEN)), strict=True)
    made = make_targets(calls, _Services(lists[SERVICES], lists[SLICES]).look_up)
    nodes = lists[NODES].kubelets
    zones = {node.zone for node in nodes if node.zone}
    dialled = [*networks, *pod_networks] if networks and pod_networks is not None else []
    review = [
        *outside_findings(made.targets, dialled),
        *kubelet_findings(made.targets, nodes),
        *safety_findings(
            (webhook for content in lists.values() for webhook in content.webhooks),
            lists[SERVICES].services,
            lists[SLICES].slices,
            Spread(len(nodes), len(zones)),
        ),
    ]
    kubelet_targets = kubelets.kubelet_targets(nodes, networks)
    left = sorted(entry for content in lists.values() for entry in content.left)
    targets = sorted((*made.targets, *kubelet_targets), key=lambda raw: str(raw["name"]))
    return Discovered(
        targets=tuple(map(without_owner, targets)),
        owners=owners_of(targets),
        bundles=dict(sorted(made.bundles.items())),
        findings=findings_of(
            review=review,
            troubles=[content.trouble for content in lists.values() if content.trouble],
            unusable=[entry for content in lists.values() for entry in content.unusable],
            more_unusable={r: content.more_unusable for r, content in lists.items() if content.more_unusable},
            made=made,
            left=left,
            bad_annotations=[entry for content in lists.values() for entry in content.bad_annotations],
        ),
        left=tuple(left),
        unread=tuple(sorted(resource.plural for resource, content in lists.items() if content.trouble)),
    )


async def _read(source: KubernetesLists, resource: Resource, wanted: set[_Key]) -> _ListContent:
    content = _ListContent(resource, wanted)
    for _ in range(_RESTARTS):
        content = _ListContent(resource, wanted)
        try:
            async for page in source.pages(resource):
                content.add(page)
        except ExpiredError:
            continue
        except UnreadableError as error:
            content.trouble = error.finding
        except PageError as error:
            content.trouble = unreadable(resource, str(error)).finding
        except Exception as error:  # ours: the other lists are not to blame
            # Not the text of the error: it may hold what was sent.
            logger.error("reading failed", extra={"list": resource.plural, "where": stack_of(error)})  # noqa: TRY400
            content.trouble = unreadable(resource, f"egressprobe itself failed: {type(error).__name__}").finding
        return content
    message = f"changed during {_RESTARTS} readings: each time the continue token had expired"
    content.trouble = unreadable(resource, message).finding
    return content


class _Services:
    """Services and slices as they were read, and what it means that one is missing."""

    def __init__(self, services: _ListContent, slices: _ListContent) -> None:
        self._services, self._slices = services, slices
        # By name: what cannot be read may be what is called. A slice does not say whose it is.
        self._malformed_services = {entry.object for entry in services.unusable}
        self._malformed_slices = {entry.object.rpartition("/")[0] for entry in slices.unusable}

    def look_up(self, kind: Kind, ref: ServiceRef) -> ServiceEndpoints | CallRefusal | str:
        key = (ref.namespace, ref.name)
        service, slices = self._services.services.get(key), self._slices.slices.get(key, ())
        endpoints = service_endpoints(ref, service, slices)
        if service is None and isinstance(endpoints, CallRefusal) and endpoints.finding == SERVICE_NOT_FOUND.code:
            if _possibly_malformed(f"Service/{ref.namespace}/{ref.name}", self._malformed_services):
                return "its Service is malformed"
            if self._services.trouble:
                return "the Services could not be read"
        if isinstance(endpoints, CallRefusal) and endpoints.finding == SERVICE_WITHOUT_ENDPOINTS.code:
            if self._slices.trouble:
                return "the EndpointSlices could not be read"
            if _possibly_malformed(f"EndpointSlice/{ref.namespace}", self._malformed_slices):
                return "an EndpointSlice of its namespace is malformed"
        if isinstance(endpoints, CallRefusal) and kind is Kind.AGGREGATED_API:
            return available_condition(ref, endpoints, service, slices=len(slices))
        return endpoints


def _possibly_malformed(name: str, malformed: set[str]) -> bool:
    """Whether `name` is among objects that could not be read, some of which have no name that can be read."""
    return name in malformed or any(other.count("/") < name.count("/") for other in malformed)
