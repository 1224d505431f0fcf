"""The Kubernetes lists that discovery reads, and the parts of their objects that it needs. Pure.

A page is taken apart item by item, and a webhook configuration webhook by webhook: one object that is not as the
API says is `Malformed`, by name, and takes no other down. Null lists are empty (Go's nil slices); unknown fields are
passed over without being built, so that a page costs its bytes and little more.

https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks
"""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec


class Resource(NamedTuple):
    """A list of the API: `limit` objects a page; what an object may weigh decides."""

    plural: str
    kind: str
    group: str
    path: str
    limit: int


def _resource(plural: str, kind: str, group: str, version: str, limit: int) -> Resource:
    root = f"/apis/{group}/{version}" if group else f"/api/{version}"
    return Resource(plural, kind, group, f"{root}/{plural}", limit)


_ADMISSION = "admissionregistration.k8s.io"
VALIDATING = _resource("validatingwebhookconfigurations", "ValidatingWebhookConfiguration", _ADMISSION, "v1", 100)
MUTATING = _resource("mutatingwebhookconfigurations", "MutatingWebhookConfiguration", _ADMISSION, "v1", 100)
# Some are a megabyte of schema each.
CRDS = _resource("customresourcedefinitions", "CustomResourceDefinition", "apiextensions.k8s.io", "v1", 25)
APISERVICES = _resource("apiservices", "APIService", "apiregistration.k8s.io", "v1", 250)
SERVICES = _resource("services", "Service", "", "v1", 500)
SLICES = _resource("endpointslices", "EndpointSlice", "discovery.k8s.io", "v1", 250)
# A node's status lists its images.
NODES = _resource("nodes", "Node", "", "v1", 250)
# Who calls, and what is to be found without knowing who calls what; then what the calls lead to.
FIRST = (VALIDATING, MUTATING, CRDS, APISERVICES, NODES)
THEN = (SERVICES, SLICES)
RESOURCES = (*FIRST, *THEN)


class PageError(ValueError):
    """The answer is no such list."""


class Malformed(NamedTuple):
    """An object, or a webhook of one, that is not as the API says."""

    object: str
    why: str


class _Part(msgspec.Struct, rename="camel"):
    """Base of what is read; unknown fields are skipped."""


class _ListMeta(_Part):
    next: str | None = msgspec.field(name="continue", default=None)


class _Page(_Part):
    kind: str | None = None
    metadata: _ListMeta | None = None
    items: list[msgspec.Raw] | None = None
    message: str | None = None


class Page(NamedTuple):
    """The items as they came, and where to go on; empty at the end."""

    items: list[msgspec.Raw]
    next: str


def read_page(body: bytes, resource: Resource) -> Page:
    """One page of a list. Raises PageError."""
    try:
        page = msgspec.json.decode(body, type=_Page)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PageError(f"is not a list of {resource.plural}: {_why(error)}") from None
    if page.kind not in (f"{resource.kind}List", "List"):
        said = f": {page.message}" if page.message else ""
        raise PageError(f"is a {page.kind or 'document of no kind'}, not a {resource.kind}List{said}")
    return Page(page.items or [], (page.metadata.next if page.metadata else None) or "")


# -- what is read of an object -----------------------------------------------------------------------------


class Meta(_Part):
    name: str
    namespace: str = ""
    labels: dict[str, str] | None = None
    deletion_timestamp: str | None = None


class _Named(_Part):
    metadata: Meta


class ServiceReference(_Part):
    namespace: str
    name: str
    path: str | None = None
    port: int | None = None


class ClientConfig(_Part):
    url: str | None = None
    service: ServiceReference | None = None
    ca_bundle: str | None = None


class Rule(_Part):
    operations: list[str] | None = None
    api_groups: list[str] | None = None
    resources: list[str] | None = None
    scope: str | None = None


class Expression(_Part):
    operator: str = ""


class Selector(_Part):
    match_labels: dict[str, str] | None = None
    match_expressions: list[Expression] | None = None


class Webhook(_Part):
    name: str
    client_config: ClientConfig
    rules: list[Rule] | None = None
    failure_policy: str | None = None
    timeout_seconds: int | None = None
    namespace_selector: Selector | None = None
    object_selector: Selector | None = None
    match_conditions: list[msgspec.Raw] | None = None


class _Configuration(_Part):
    metadata: Meta
    webhooks: list[msgspec.Raw] | None = None


class _WebhookName(_Part):
    name: str | None = None


class Version(_Part):
    name: str
    served: bool = False
    storage: bool = False


class Names(_Part):
    plural: str
    kind: str


class Conversion(_Part):
    client_config: ClientConfig


class ConversionSpec(_Part):
    strategy: str = "None"
    webhook: Conversion | None = None


class DefinitionSpec(_Part):
    group: str
    names: Names
    versions: list[Version] | None = None
    conversion: ConversionSpec | None = None


class Definition(_Part):
    """A CustomResourceDefinition."""

    metadata: Meta
    spec: DefinitionSpec


class ApiServiceSpec(_Part):
    group: str = ""
    version: str = ""
    service: ServiceReference | None = None
    ca_bundle: str | None = None
    insecure_skip_tls_verify: bool = msgspec.field(name="insecureSkipTLSVerify", default=False)


class ApiService(_Part):
    metadata: Meta
    spec: ApiServiceSpec


class ServicePort(_Part):
    port: int
    name: str | None = None


class ServiceSpec(_Part):
    type: str = "ClusterIP"
    ports: list[ServicePort] | None = None
    ip_families: list[str] | None = None


class Service(_Part):
    metadata: Meta
    spec: ServiceSpec


class Conditions(_Part):
    ready: bool | None = None


class Endpoint(_Part):
    addresses: list[str] | None = None
    conditions: Conditions | None = None


class SlicePort(_Part):
    name: str | None = None
    port: int | None = None


class Slice(_Part):
    """An EndpointSlice."""

    metadata: Meta
    address_type: str = ""
    endpoints: list[Endpoint] | None = None
    ports: list[SlicePort] | None = None


class NodeAddress(_Part):
    type: str
    address: str


class KubeletEndpoint(_Part):
    port: int = msgspec.field(name="Port", default=10250)


class DaemonEndpoints(_Part):
    kubelet_endpoint: KubeletEndpoint | None = None


class NodeCondition(_Part):
    type: str
    status: str = "Unknown"


class NodeStatus(_Part):
    addresses: list[NodeAddress] | None = None
    conditions: list[NodeCondition] | None = None
    daemon_endpoints: DaemonEndpoints | None = None


class Node(_Part):
    metadata: Meta
    status: NodeStatus


def read_object[T](raw: msgspec.Raw, wanted: type[T], resource: Resource, number: int) -> T | Malformed:
    """One item as `wanted`; `number`: which of its list, to name one that has no name."""
    try:
        return msgspec.json.decode(raw, type=wanted)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Malformed(f"{resource.kind}/{_name(raw, number)}", _why(error))


def read_webhooks(raw: msgspec.Raw, resource: Resource, number: int) -> Iterator[tuple[str, Webhook] | Malformed]:
    """The webhooks of a configuration, each with the object it is: KIND/CONFIGURATION/WEBHOOK."""
    found = read_object(raw, _Configuration, resource, number)
    if isinstance(found, Malformed):
        yield found
        return
    for i, one in enumerate(found.webhooks or []):
        place = f"{resource.kind}/{found.metadata.name}"
        try:
            webhook = msgspec.json.decode(one, type=Webhook)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            yield Malformed(f"{place}/{_webhook_name(one, i)}", _why(error))
        else:
            yield f"{place}/{webhook.name}", webhook


def _why(error: Exception) -> str:
    return str(error).replace("`", "")


def _name(raw: msgspec.Raw, number: int) -> str:
    try:
        meta = msgspec.json.decode(raw, type=_Named).metadata
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return f"item {number}"
    return f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name


def _webhook_name(raw: msgspec.Raw, number: int) -> str:
    try:
        name = msgspec.json.decode(raw, type=_WebhookName).name
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        name = None
    return name or f"webhook {number}"
