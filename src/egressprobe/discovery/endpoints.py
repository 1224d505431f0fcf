"""From a Service's name and port to the addresses that the API server dials, or its own error where there are none.

As k8s.io/apiserver/pkg/util/proxy/proxy.go ResolveEndpoint does, which EKS uses (`--enable-aggregator-routing`): a
random ready endpoint of the slices that have the Service's port *by name*; slices of the Service's primary IP family
come first, the others only where those have nothing ready. A condition `ready` that is not set counts as ready, and
only the first address of an endpoint is used, whatever it is: one of a slice of addressType FQDN is a host name, which
is looked up and dialled.

The messages on APIServices are kube-aggregator's (pkg/controllers/status/remote/remote_available_controller.go). Pure.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from egressprobe.apiserver.refusals import NOT_FOUND
from egressprobe.catalog.findings_webhook import (
    SERVICE_IS_THE_API_SERVER,
    SERVICE_NOT_FOUND,
    SERVICE_PORT_NOT_FOUND,
    SERVICE_TYPE_UNSUPPORTED,
    SERVICE_WITHOUT_ENDPOINTS,
)
from egressprobe.discovery.kubernetes.objects import EndpointSlice, Service, ServicePort
from egressprobe.error_texts.services import (
    NO_ADDRESSES,
    NO_ENDPOINTS,
    NO_PORT,
    NO_SERVICE,
    NO_SLICES,
    NOT_LISTENING,
    NOT_PRESENT,
    TYPE_UNSUPPORTED,
)
from egressprobe.model.target import CallRefusal, Endpoint, ServiceRef
from egressprobe.net.addresses import canonical, is_address
from egressprobe.net.guard import forbidden

_DIALLED_TYPES = {"ClusterIP", "LoadBalancer", "NodePort"}
# k8s.io/kube-aggregator/pkg/apiserver/resolvers.go loopbackResolver: the API server calls itself, by its own address.
_API_SERVER = ("default", "kubernetes", 443)
# RFC 1123 host names, as the API server validates the addresses of a slice of addressType FQDN.
_HOST = re.compile(r"(?=[^:]*[a-z])(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\.?")


class ServiceEndpoints(NamedTuple):
    """Where a call may go. undialled: endpoints that may never be dialled from here, or are no addresses."""

    endpoints: tuple[Endpoint, ...]
    undialled: tuple[str, ...] = ()


def service_endpoints(
    ref: ServiceRef, service: Service | None, slices: Sequence[EndpointSlice]
) -> ServiceEndpoints | CallRefusal:
    """The endpoints of a call to `ref`, or why it fails before it dials. service: None where there is none."""
    if (ref.namespace, ref.name, ref.port) == _API_SERVER:
        return CallRefusal(SERVICE_IS_THE_API_SERVER.code, NOT_FOUND)
    if service is None:
        return CallRefusal(SERVICE_NOT_FOUND.code, NO_SERVICE.of(name=ref.name))
    if service.spec.type not in _DIALLED_TYPES:
        return CallRefusal(SERVICE_TYPE_UNSUPPORTED.code, TYPE_UNSUPPORTED.of(type=service.spec.type))
    port = _port(service, ref.port)
    if port is None:
        return CallRefusal(SERVICE_PORT_NOT_FOUND.code, NO_PORT.of(port=ref.port, name=ref.name))
    families = service.spec.ip_families or []
    preferred = [s for s in slices if not families or s.address_type == families[0]]
    others = [s for s in slices if families and s.address_type != families[0]]
    for candidates in (preferred, others):
        ready = [pair for candidate in candidates for pair in _ready(candidate, port.name or "")]
        if ready:
            return _checked(ready)
    return CallRefusal(SERVICE_WITHOUT_ENDPOINTS.code, NO_ENDPOINTS.of(name=ref.name))


def available_condition(ref: ServiceRef, refusal: CallRefusal, service: Service | None, *, slices: int) -> CallRefusal:
    """The same for an APIService: the message of its condition Available. slices: how many the Service has."""
    if service is not None and service.spec.type != "ClusterIP":  # the controller looks only into services of this type
        return refusal
    port = _port(service, ref.port) if service else None
    at = {"name": ref.name, "namespace": ref.namespace}
    port_name = (port.name if port else None) or ""
    without = NO_SLICES["endpointslices"].of(**at)
    if slices:
        without = NO_ADDRESSES["endpointslices"].of(**at, port=f'"{port_name}"')
    messages = {
        SERVICE_NOT_FOUND.code: NOT_PRESENT.of(**at),
        SERVICE_PORT_NOT_FOUND.code: NOT_LISTENING.of(**at, port=ref.port),
        SERVICE_WITHOUT_ENDPOINTS.code: without,
    }
    return CallRefusal(refusal.finding, messages.get(refusal.finding, refusal.error))


def _port(service: Service, number: int) -> ServicePort | None:
    return next((port for port in service.spec.ports or [] if port.port == number), None)


def _ready(candidate: EndpointSlice, port_name: str) -> list[tuple[str, int]]:
    """Addresses and ports of a slice that a call may pick."""
    port = next((p.port for p in candidate.ports or [] if p.name == port_name and p.port is not None), None)
    if port is None:
        return []
    ready = (e for e in candidate.endpoints or [] if e.conditions is None or e.conditions.ready is not False)
    return [(e.addresses[0], port) for e in ready if e.addresses]


def _checked(ready: list[tuple[str, int]]) -> ServiceEndpoints:
    endpoints, undialled = set(), set()
    for address, port in ready:
        host = _host(address)
        if host and 1 <= port <= 65535:
            endpoints.add(Endpoint(host, port))
        else:
            undialled.add(f"{address}:{port}")
    return ServiceEndpoints(tuple(sorted(endpoints, key=str)), tuple(sorted(undialled)))


def _host(address: str) -> str | None:
    """The canonical form of what may be dialled; a name is checked again when it has been looked up."""
    if is_address(address):
        return None if forbidden(address) else canonical(address)
    return address if _HOST.fullmatch(address) else None
