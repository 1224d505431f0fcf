"""Lists into targets: reads what a source gives, page by page, and keeps only what leads somewhere.

Who calls is read first, then of the Services and EndpointSlices only those that are called. A list that cannot be
read to its end costs what it would have told, a finding, and nothing else: what was read before it broke stays.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol

from egressprobe.catalog.registry import FINDINGS
from egressprobe.discovery import kubelets as nodes
from egressprobe.discovery.callers import (
    EKS_MANAGED,
    Barred,
    Call,
    Read,
    of_api_service,
    of_definition,
    of_webhook_object,
)
from egressprobe.discovery.endpoints import Resolved, resolve, unavailable
from egressprobe.discovery.kubernetes.objects import (
    ApiService,
    Definition,
    Malformed,
    Node,
    Service,
    Slice,
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
    Page,
    PageError,
    Resource,
)
from egressprobe.discovery.kubernetes.responses import ExpiredError, UnreadableError, unreadable
from egressprobe.discovery.targets import Made, make_targets
from egressprobe.model.discovered import Discovered, LeftOut
from egressprobe.model.report import Finding
from egressprobe.model.target import CallRefusal, Kind, ServiceRef

logger = logging.getLogger("egressprobe")
_RESTARTS = 3
_MOST_EVIDENCE = 1000  # objects named in one finding
type _Key = tuple[str, str]


class Source(Protocol):
    """Where pages come from: an API server, or a folder."""

    def pages(self, resource: Resource) -> AsyncIterator[Page]:
        """Raises UnreadableError, ExpiredError and PageError."""
        ...


class _Part:
    """What was read of one list; thrown away when the list is begun anew."""

    def __init__(self, resource: Resource, wanted: set[_Key]) -> None:
        self.resource, self._wanted = resource, wanted
        self.calls: list[Call] = []
        self.left: list[LeftOut] = []
        self.odd: list[Malformed | Barred] = []
        self.more_odd = 0
        self.services: dict[_Key, Service] = {}
        self.slices: dict[_Key, list[Slice]] = {}
        self.kubelets: list[nodes.Kubelet] = []
        self.trouble: Finding | None = None
        self._number = 0

    def add(self, page: Page) -> None:
        for raw in page.items:
            self._number += 1
            if self.resource in (VALIDATING, MUTATING):
                for one in read_webhooks(raw, self.resource, self._number):
                    self._take(one if isinstance(one, Malformed) else of_webhook_object(*one))
            else:
                self._add(raw)

    def _add(self, raw: Any) -> None:
        found: Any = read_object(raw, _TYPES[self.resource], self.resource, self._number)
        if isinstance(found, Malformed):
            self._take(found)
        elif isinstance(found, Definition):
            self._take(of_definition(found))
        elif isinstance(found, ApiService):
            self._take(of_api_service(found))
        elif isinstance(found, Service):
            key = (found.metadata.namespace, found.metadata.name)
            if key in self._wanted:
                self.services[key] = found
        elif isinstance(found, Slice):
            key = (found.metadata.namespace, (found.metadata.labels or {}).get(_SERVICE_NAME, ""))
            if key in self._wanted:
                self.slices.setdefault(key, []).append(found)
        else:
            one = nodes.kubelet(found)
            if isinstance(one, str):
                self._take(Barred(f"Node/{found.metadata.name}", one))
            else:
                self.kubelets.append(one)

    def _take(self, one: Read | None) -> None:
        if isinstance(one, Call):
            self.calls.append(one)
        elif isinstance(one, LeftOut):
            self.left.append(one)
        elif one is not None:
            self.more_odd += len(self.odd) == _MOST_EVIDENCE
            self.odd += [one] if len(self.odd) < _MOST_EVIDENCE else []


# https://kubernetes.io/docs/reference/labels-annotations-taints/#kubernetesioservice-name
_SERVICE_NAME = "kubernetes.io/service-name"
_TYPES: dict[Resource, type] = {
    CRDS: Definition,
    APISERVICES: ApiService,
    SERVICES: Service,
    SLICES: Slice,
    NODES: Node,
}


async def collect(source: Source, networks: Sequence[nodes.Network] = ()) -> Discovered:
    """Everything the lists tell, as targets. networks: the VPC's subnets and the remote networks, for the nodes."""
    parts = dict(zip(FIRST, await asyncio.gather(*(_read(source, one, set()) for one in FIRST)), strict=True))
    calls = [call for part in parts.values() for call in part.calls]
    wanted = {(call.service.namespace, call.service.name) for call in calls if call.service}
    parts |= zip(THEN, await asyncio.gather(*(_read(source, one, wanted) for one in THEN)), strict=True)
    made = make_targets(calls, _Resolver(parts[SERVICES], parts[SLICES]).resolve)
    kubelets = nodes.targets(parts[NODES].kubelets, networks)
    left = sorted(one for part in parts.values() for one in part.left)
    return Discovered(
        targets=tuple(sorted((*made.targets, *kubelets), key=lambda one: str(one["name"]))),
        bundles=dict(sorted(made.bundles.items())),
        findings=_findings(parts, made, left),
        left=tuple(left),
        unread=tuple(sorted(one.plural for one, part in parts.items() if part.trouble)),
    )


async def _read(source: Source, resource: Resource, wanted: set[_Key]) -> _Part:
    part = _Part(resource, wanted)
    for _ in range(_RESTARTS):
        part = _Part(resource, wanted)
        try:
            async for page in source.pages(resource):
                part.add(page)
        except ExpiredError:
            continue
        except UnreadableError as error:
            part.trouble = error.finding
        except PageError as error:
            part.trouble = unreadable(resource, str(error)).finding
        except Exception as error:  # ours: the other lists are not to blame
            logger.exception("reading failed", extra={"list": resource.plural})
            part.trouble = unreadable(resource, f"egressprobe itself failed: {type(error).__name__}: {error}").finding
        return part
    said = f"changed under {_RESTARTS} readings: each time the server had forgotten the page"
    part.trouble = unreadable(resource, said).finding
    return part


class _Resolver:
    """Services and slices as they were read, and what their absence is worth."""

    def __init__(self, services: _Part, slices: _Part) -> None:
        self._services, self._slices = services, slices
        # By name: what cannot be read may be what somebody calls. A slice does not tell whose it is.
        self._odd_services = {one.object for one in services.odd}
        self._odd_slices = {one.object.rpartition("/")[0] for one in slices.odd}

    def resolve(self, kind: Kind, ref: ServiceRef) -> Resolved | CallRefusal | str:
        key = (ref.namespace, ref.name)
        service = self._services.services.get(key)
        if service is None and _may_be(f"Service/{ref.namespace}/{ref.name}", self._odd_services):
            return "its Service is malformed"
        if service is None and self._services.trouble:
            return "the Services could not be read"
        found = resolve(ref, service, self._slices.slices.get(key, ()))
        if isinstance(found, CallRefusal) and found.finding == "SERVICE_WITHOUT_ENDPOINTS":
            if self._slices.trouble:
                return "the EndpointSlices could not be read"
            if _may_be(f"EndpointSlice/{ref.namespace}", self._odd_slices):
                return "an EndpointSlice of its namespace is malformed"
        if isinstance(found, CallRefusal) and kind is Kind.AGGREGATED_API:
            return unavailable(ref, found, service)
        return found


def _may_be(wanted: str, odd: set[str]) -> bool:
    """Among objects that could not be read, some of which could not even say their names."""
    return wanted in odd or any(one.count("/") < wanted.count("/") for one in odd)


def _findings(parts: dict[Resource, _Part], made: Made, left: Sequence[LeftOut]) -> tuple[Finding, ...]:
    found = {(one.code, one.summary): one for part in parts.values() if (one := part.trouble)}
    said = sorted(found.values(), key=lambda one: (one.code, one.summary))
    odd = [one for part in parts.values() for one in part.odd]
    said += _of_objects("OBJECT_MALFORMED", [one for one in odd if isinstance(one, Malformed)])
    said += _of_objects("OBJECT_NOT_PROBED", [*(one for one in odd if isinstance(one, Barred)), *made.barred])
    for resource, part in parts.items():
        if part.more_odd:
            said.append(unreadable(resource, f"{part.more_odd} more objects cannot be read or probed").finding)
    for raw in made.refused:
        error = raw["refusal"]["error"]
        evidence = {"target": raw["name"], "error": error, "objects": raw["objects"][:_MOST_EVIDENCE]}
        said.append(FINDINGS[raw["refusal"]["finding"]].found(f"{raw['name']}: {error}", evidence))
    return (*said, *_of_objects("EKS_MANAGED", [one for one in left if one.why == EKS_MANAGED]))


def _of_objects(code: str, objects: Sequence[Malformed | Barred | LeftOut]) -> list[Finding]:
    """One finding for all of a kind; which and why is its evidence."""
    if not objects:
        return []
    why = dict(sorted((one.object, one.why) for one in objects))
    first, reason = next(iter(why.items()))
    more = f" and {len(why) - 1} more" if len(why) > 1 else ""
    evidence: dict[str, Any] = {"objects": dict(list(why.items())[:_MOST_EVIDENCE]), "count": len(why)}
    return [FINDINGS[code].found(f"{first}{more}: {reason}", evidence)]
