"""The parts of Kubernetes objects that discovery needs. Pure.

A list is read item by item, and a webhook configuration webhook by webhook: an object that is not as the API says is
`Malformed`, by name, and costs no other object. Unknown fields are skipped without being decoded, so that a page costs
its bytes and little more.
"""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from egressprobe.discovery.kubernetes.resources import Resource, why


class Malformed(NamedTuple):
    """An object, or a webhook of one, that is not as the API says."""

    object: str
    why: str


class _ObjectPart(msgspec.Struct, rename="camel"):
    """Base of what is read; unknown fields are skipped."""


class Meta(_ObjectPart):
    name: str
    namespace: str = ""
    labels: dict[str, str] | None = None
    deletion_timestamp: str | None = None


class _Named(_ObjectPart):
    metadata: Meta


class ServiceReference(_ObjectPart):
    namespace: str
    name: str
    path: str | None = None
    port: int | None = None


class ClientConfig(_ObjectPart):
    url: str | None = None
    service: ServiceReference | None = None
    ca_bundle: str | None = None


class AdmissionRule(_ObjectPart):
    operations: list[str] | None = None
    api_groups: list[str] | None = None
    resources: list[str] | None = None
    api_versions: list[str] | None = None
    scope: str | None = None


class Expression(_ObjectPart):
    key: str = ""
    operator: str = ""
    values: list[str] | None = None


class Selector(_ObjectPart):
    match_labels: dict[str, str] | None = None
    match_expressions: list[Expression] | None = None


class Webhook(_ObjectPart):
    name: str
    client_config: ClientConfig
    rules: list[AdmissionRule] | None = None
    failure_policy: str | None = None
    timeout_seconds: int | None = None
    namespace_selector: Selector | None = None
    object_selector: Selector | None = None
    match_conditions: list[msgspec.Raw] | None = None
    match_policy: str | None = None


class _Configuration(_ObjectPart):
    metadata: Meta
    webhooks: list[msgspec.Raw] | None = None


class _WebhookName(_ObjectPart):
    name: str | None = None


class Version(_ObjectPart):
    name: str
    served: bool = False
    storage: bool = False


class ObjectNames(_ObjectPart):
    plural: str
    kind: str


class Conversion(_ObjectPart):
    client_config: ClientConfig


class ConversionSpec(_ObjectPart):
    strategy: str = "None"
    webhook: Conversion | None = None


class DefinitionSpec(_ObjectPart):
    group: str
    names: ObjectNames
    versions: list[Version] | None = None
    conversion: ConversionSpec | None = None


class Definition(_ObjectPart):
    """A CustomResourceDefinition."""

    metadata: Meta
    spec: DefinitionSpec


class ApiServiceSpec(_ObjectPart):
    group: str = ""
    version: str = ""
    service: ServiceReference | None = None
    ca_bundle: str | None = None
    insecure_skip_tls_verify: bool = msgspec.field(name="insecureSkipTLSVerify", default=False)


class ApiServiceCondition(_ObjectPart):
    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: str | None = None


class ApiServiceStatus(_ObjectPart):
    conditions: list[ApiServiceCondition] | None = None


class ApiService(_ObjectPart):
    metadata: Meta
    spec: ApiServiceSpec
    status: ApiServiceStatus | None = None


class ServicePort(_ObjectPart):
    port: int
    name: str | None = None


class ServiceSpec(_ObjectPart):
    type: str = "ClusterIP"
    ports: list[ServicePort] | None = None
    ip_families: list[str] | None = None
    selector: dict[str, str] | None = None


class Service(_ObjectPart):
    metadata: Meta
    spec: ServiceSpec


class Conditions(_ObjectPart):
    ready: bool | None = None


class SliceEndpoint(_ObjectPart):
    addresses: list[str] | None = None
    conditions: Conditions | None = None
    node_name: str | None = None
    zone: str | None = None


class SlicePort(_ObjectPart):
    name: str | None = None
    port: int | None = None


class EndpointSlice(_ObjectPart):
    metadata: Meta
    address_type: str = ""
    endpoints: list[SliceEndpoint] | None = None
    ports: list[SlicePort] | None = None


class NodeAddress(_ObjectPart):
    type: str
    address: str


class KubeletEndpoint(_ObjectPart):
    port: int = msgspec.field(name="Port", default=0)


class DaemonEndpoints(_ObjectPart):
    kubelet_endpoint: KubeletEndpoint | None = None


class NodeCondition(_ObjectPart):
    type: str
    status: str = "Unknown"


class NodeStatus(_ObjectPart):
    addresses: list[NodeAddress] | None = None
    conditions: list[NodeCondition] | None = None
    daemon_endpoints: DaemonEndpoints | None = None


class Node(_ObjectPart):
    metadata: Meta
    status: NodeStatus


def read_object[T](raw: msgspec.Raw, wanted: type[T], resource: Resource, number: int) -> T | Malformed:
    """One item as `wanted`; `number`: its index in the list, which names an object without a name."""
    try:
        return msgspec.json.decode(raw, type=wanted)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Malformed(f"{resource.kind}/{object_name(raw, number)}", why(error))


def read_webhooks(raw: msgspec.Raw, resource: Resource, number: int) -> Iterator[tuple[str, Webhook] | Malformed]:
    """The webhooks of a configuration, each with the object it is: KIND/CONFIGURATION/WEBHOOK."""
    configuration = read_object(raw, _Configuration, resource, number)
    if isinstance(configuration, Malformed):
        yield configuration
        return
    for i, raw_webhook in enumerate(configuration.webhooks or []):
        place = f"{resource.kind}/{configuration.metadata.name}"
        try:
            webhook = msgspec.json.decode(raw_webhook, type=Webhook)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            yield Malformed(f"{place}/{_webhook_name(raw_webhook, i)}", why(error))
        else:
            yield f"{place}/{webhook.name}", webhook


def object_name(raw: msgspec.Raw, number: int) -> str:
    """NAMESPACE/NAME or NAME; `item NUMBER` where neither can be read."""
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
