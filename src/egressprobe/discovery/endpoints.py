"""From a Service's name and port to the addresses that the API server dials, or its own words why there are none. Pure.

As k8s.io/apiserver/pkg/util/proxy/proxy.go ResolveEndpoint has it, which EKS uses (`--enable-aggregator-routing`): a
random ready endpoint of the slices that have the Service's port *by name*; slices of the Service's primary IP family
come first, those of the other family only where the first has nothing ready. A condition `ready` that is not set
counts as ready, and only the first address of an endpoint is used.

The messages on APIServices are kube-aggregator's (pkg/controllers/status/remote/remote_available_controller.go).
"""

from collections.abc import Sequence
from typing import NamedTuple

from egressprobe.discovery.kubernetes.objects import Service, ServicePort, Slice
from egressprobe.model.target import CallRefusal, Endpoint, ServiceRef
from egressprobe.net.addresses import canonical
from egressprobe.net.guard import forbidden

_DIALLED = {"ClusterIP", "LoadBalancer", "NodePort"}


class Resolved(NamedTuple):
    """Where a call may go; `odd`: endpoints that cannot be dialled, as a slice of addressType FQDN has them."""

    endpoints: tuple[Endpoint, ...]
    odd: tuple[str, ...] = ()


def resolve(ref: ServiceRef, service: Service | None, slices: Sequence[Slice]) -> Resolved | CallRefusal:
    """What a call to `ref` comes to. service: None where there is none."""
    if service is None:
        return CallRefusal("SERVICE_NOT_FOUND", f'service "{ref.name}" not found')
    if service.spec.type not in _DIALLED:
        return CallRefusal("SERVICE_TYPE_UNSUPPORTED", f'unsupported service type "{service.spec.type}"')
    port = _port(service, ref.port)
    if port is None:
        return CallRefusal("SERVICE_PORT_NOT_FOUND", f'no service port {ref.port} found for service "{ref.name}"')
    families = service.spec.ip_families or []
    first = [one for one in slices if not families or one.address_type == families[0]]
    other = [one for one in slices if families and one.address_type != families[0]]
    for candidates in (first, other):
        found = [address for one in candidates for address in _ready(one, port.name or "")]
        if found:
            return _resolved(found)
    return CallRefusal("SERVICE_WITHOUT_ENDPOINTS", f'no endpoints available for service "{ref.name}"')


def unavailable(ref: ServiceRef, refusal: CallRefusal, service: Service | None) -> CallRefusal:
    """The same for an APIService: the message of its condition Available."""
    port = _port(service, ref.port) if service else None
    said = {
        "SERVICE_NOT_FOUND": f'service/{ref.name} in "{ref.namespace}" is not present',
        "SERVICE_PORT_NOT_FOUND": f'service/{ref.name} in "{ref.namespace}" is not listening on port {ref.port}',
        "SERVICE_WITHOUT_ENDPOINTS": f'endpoints for service/{ref.name} in "{ref.namespace}" have no addresses with '
        f'port name "{(port.name if port else None) or ""}"',
    }
    return CallRefusal(refusal.finding, said.get(refusal.finding, refusal.error))


def _port(service: Service, number: int) -> ServicePort | None:
    return next((port for port in service.spec.ports or [] if port.port == number), None)


def _ready(one: Slice, name: str) -> list[tuple[str, int]]:
    """Addresses of a slice that a call may pick."""
    port = next((p.port for p in one.ports or [] if p.name == name and p.port is not None), None)
    if port is None:
        return []
    ready = (e for e in one.endpoints or [] if e.conditions is None or e.conditions.ready is not False)
    return [(e.addresses[0], port) for e in ready if e.addresses]


def _resolved(found: list[tuple[str, int]]) -> Resolved:
    endpoints, odd = set(), set()
    for address, port in found:
        try:
            good = not forbidden(address) and 1 <= port <= 65535
        except ValueError:
            good = False
        if good:
            endpoints.add(Endpoint(canonical(address), port))
        else:
            odd.add(f"{address}:{port}")
    return Resolved(tuple(sorted(endpoints, key=str)), tuple(sorted(odd)))
