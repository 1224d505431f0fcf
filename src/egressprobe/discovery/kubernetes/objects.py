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


class _Part(msgspec.Struct, rename="camel"):
    """Base of what is read; unknown fields are skipped."""


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
    api_versions: list[str] | None = None
    scope: str | None = None


class Expression(_Part):
    key: str = ""
    operator: str = ""
    values: list[str] | None = None


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
    match_policy: str | None = None


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


class ApiServiceCondition(_Part):
    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: str | None = None


class ApiServiceStatus(_Part):
    conditions: list[ApiServiceCondition] | None = None


class ApiService(_Part):
    metadata: Meta
    spec: ApiServiceSpec
    status: ApiServiceStatus | None = None


class ServicePort(_Part):
    port: int
    name: str | None = None


class ServiceSpec(_Part):
    type: str = "ClusterIP"
    ports: list[ServicePort] | None = None
    ip_families: list[str] | None = None
    selector: dict[str, str] | None = None


class Service(_Part):
    metadata: Meta
    spec: ServiceSpec


class Conditions(_Part):
    ready: bool | None = None


class SliceEndpoint(_Part):
    addresses: list[str] | None = None
    conditions: Conditions | None = None
    node_name: str | None = None
    zone: str | None = None


class SlicePort(_Part):
    name: str | None = None
    port: int | None = None


class EndpointSlice(_Part):
    metadata: Meta
    address_type: str = ""
    endpoints: list[SliceEndpoint] | None = None
    ports: list[SlicePort] | None = None


class NodeAddress(_Part):
    type: str
    address: str


class KubeletEndpoint(_Part):
    port: int = msgspec.field(name="Port", default=0)


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
    """One item as `wanted`; `number`: its index in the list, which names an object without a name."""
    try:
        return msgspec.json.decode(raw, type=wanted)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Malformed(f"{resource.kind}/{_name(raw, number)}", why(error))


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
