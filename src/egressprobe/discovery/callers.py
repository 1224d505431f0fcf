"""Which objects make the API server call something: each webhook, conversion webhook and APIService becomes a `Call`,
is left out with the reason, or is reported as malformed or not probed. Pure.

EKS runs some webhooks and one APIService on the control plane itself; they are not on the customer's path.
"""

import base64
import binascii
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple

import msgspec

from egressprobe.apiserver.client_rules import DEFAULT_WEBHOOK_TIMEOUT
from egressprobe.catalog.findings_webhook import URL_PORT_INVALID
from egressprobe.discovery.kubernetes.objects import (
    ApiService,
    ClientConfig,
    Definition,
    Malformed,
    ServiceReference,
    Webhook,
    object_name,
)
from egressprobe.discovery.kubernetes.resources import Resource, why
from egressprobe.discovery.scope import conversion_scope, webhook_scope
from egressprobe.error_texts.network import DIAL_ERROR, INVALID_PORT
from egressprobe.golang.x509.ca_bundle import BundleError, anchors, bundle_id
from egressprobe.model.discovered import LeftOut
from egressprobe.model.ownership import OWNER_ANNOTATION, SEVERITY_ANNOTATION, TargetOwner, owner_name, severity_name
from egressprobe.model.target import AvailableCondition, CallRefusal, FailurePolicy, Kind, ServiceRef
from egressprobe.net.addresses import is_address
from egressprobe.net.guard import forbidden
from egressprobe.net.urls import HostPort, parse_url
from egressprobe.targets.spec import MAX_WORDS

# apiextensions-apiserver: restConfig's timeout (apiserver/pkg/util/webhook/authentication.go)
_CONVERSION_TIMEOUT = 30
_EKS_SERVICE = ("kube-system", "eks-extension-metrics-api")
EKS_MANAGED_REASON = "EKS runs it on the control plane itself: never on your path"
_LOCAL_REASON = "the API server serves it itself"
_PORTS = range(1, 65536)
_ANNOTATION_PREFIX = b"egressprobe/"


class Bundle(NamedTuple):
    """A caBundle as the API server reads it: its id (empty: system roots) and anchors, or client-go's error."""

    id: str = ""
    anchors: tuple[bytes, ...] = ()
    error: str = ""


SYSTEM_ROOTS = Bundle()


class Call(NamedTuple):
    """One object that makes the API server call something.

    object: KIND/NAME, or KIND/NAME/WEBHOOK. place: where a URL points; None for a Service.
    affects: the requests that wait for it; empty where it is never called.
    refusal: the call fails before it dials, whatever the network does.
    owner: of the object's annotations.
    """

    object: str
    kind: Kind
    bundle: Bundle
    url: str = ""
    place: HostPort | None = None
    service: ServiceRef | None = None
    verify: bool = True
    policy: FailurePolicy | None = None
    timeout: int = DEFAULT_WEBHOOK_TIMEOUT
    affects: str = ""
    condition: AvailableCondition | None = None
    refusal: CallRefusal | None = None
    owner: TargetOwner = TargetOwner()


class NotProbed(NamedTuple):
    """An object that calls something and cannot be probed."""

    object: str
    why: str


type Caller = Call | LeftOut | NotProbed | Malformed


class _Annotations(msgspec.Struct):
    """Decoded one by one: neither other annotations nor a value that is not a string cost the object."""

    owner: msgspec.Raw | msgspec.UnsetType = msgspec.field(name=OWNER_ANNOTATION, default=msgspec.UNSET)
    severity: msgspec.Raw | msgspec.UnsetType = msgspec.field(name=SEVERITY_ANNOTATION, default=msgspec.UNSET)


class _OwnerMeta(msgspec.Struct):
    annotations: _Annotations | None = None


class _OwnedObject(msgspec.Struct):
    metadata: _OwnerMeta


class ObjectOwner(NamedTuple):
    """Whose an object's calls are, by its annotations, and the annotations that are not valid, with the reason."""

    owner: TargetOwner
    invalid: tuple[Malformed, ...] = ()


NO_OWNER = ObjectOwner(TargetOwner())


def read_owner(raw: msgspec.Raw, resource: Resource, number: int) -> ObjectOwner:
    """From one item of a list, read beside `read_object` and `read_webhooks`; `number` as there."""
    if _ANNOTATION_PREFIX not in bytes(raw):  # most have none, and CRDs are large
        return NO_OWNER
    try:
        annotations = msgspec.json.decode(raw, type=_OwnedObject).metadata.annotations or _Annotations()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return NO_OWNER  # a malformed object, which read_object reports, or annotations that are no object
    owner, severity, invalid = "", None, []
    name = f"{resource.kind}/{object_name(raw, number)}"
    for key, value in ((OWNER_ANNOTATION, annotations.owner), (SEVERITY_ANNOTATION, annotations.severity)):
        try:
            text = "" if value is msgspec.UNSET else msgspec.json.decode(value, type=str)
            if key == OWNER_ANNOTATION:
                owner = owner_name(text)
            elif text:
                severity = severity_name(text)
        except (ValueError, RecursionError) as error:  # msgspec's too
            invalid.append(Malformed(f"{name} {key}", why(error)))
    return ObjectOwner(TargetOwner(owner, severity), tuple(invalid))


def webhook_call(name: str, webhook: Webhook) -> Caller:
    """A webhook of a validating or mutating configuration."""
    policy = webhook.failure_policy or "Fail"
    if policy not in FailurePolicy:
        return Malformed(name, f'failurePolicy "{policy}" is not Fail or Ignore')
    timeout = DEFAULT_WEBHOOK_TIMEOUT if webhook.timeout_seconds is None else webhook.timeout_seconds
    if not 1 <= timeout <= 30:
        return Malformed(name, f"timeoutSeconds {timeout} is not in 1..30")
    bundle = _bundle(webhook.client_config.ca_bundle)
    if isinstance(bundle, str):
        return Malformed(name, bundle)
    call = Call(name, Kind.WEBHOOK, bundle, policy=FailurePolicy(policy), timeout=timeout)
    return _located(call._replace(affects=webhook_scope(webhook)), webhook.client_config)


def conversion_call(crd: Definition) -> Caller | None:
    """The conversion webhook of a CRD; None where there is none.

    With a caBundle that holds no certificate no converter can be made, and then the API server serves no request of
    the CRD at all (apiextensions-apiserver/pkg/apiserver/customresource_handler.go getOrCreateServingInfoFor).
    """
    conversion = crd.spec.conversion
    if conversion is None or conversion.strategy == "None":
        return None
    stored = next((version.name for version in crd.spec.versions or [] if version.storage), "")
    name = f"CustomResourceDefinition/{crd.metadata.name}/{stored}, Kind={crd.spec.names.kind}"
    if conversion.webhook is None:
        return Malformed(name, f"strategy is {conversion.strategy}, and there is no webhook")
    config = conversion.webhook.client_config
    bundle = _bundle(config.ca_bundle, blank_is_empty=True)
    if isinstance(bundle, str):
        return Malformed(name, bundle)
    affects = conversion_scope(crd, served=not bundle.error)
    call = Call(name, Kind.WEBHOOK, bundle, policy=FailurePolicy.FAIL, timeout=_CONVERSION_TIMEOUT, affects=affects)
    return _located(call, config)


def api_service_call(api: ApiService) -> Caller:
    """An APIService that another server serves; those that the API server serves itself are left out."""
    name, spec = f"APIService/{api.metadata.name}", api.spec
    if spec.service is None:
        return LeftOut(name, _LOCAL_REASON)
    if (spec.service.namespace, spec.service.name) == _EKS_SERVICE:
        return LeftOut(name, EKS_MANAGED_REASON)
    bundle = _bundle(spec.ca_bundle)
    if isinstance(bundle, str):
        return Malformed(name, bundle)
    return Call(
        name,
        Kind.AGGREGATED_API,
        bundle,
        service=_service(spec.service),
        verify=not spec.insecure_skip_tls_verify,
        affects=f"all requests to {spec.group}/{spec.version}",
        condition=_condition(api),
    )


def _condition(api: ApiService) -> AvailableCondition | None:
    """The API server's own condition, cut and made printable, for it goes into reports as it is."""
    conditions = (api.status.conditions if api.status else None) or []
    condition = next((c for c in conditions if c.type == "Available"), None)
    if condition is None or condition.status not in ("True", "False", "Unknown"):
        return None
    reason, message, since = (
        "".join(c if c.isprintable() else "?" for c in text)[:MAX_WORDS]
        for text in (condition.reason, condition.message, condition.last_transition_time or "")
    )
    return msgspec.convert(
        {"status": condition.status, "reason": reason, "message": message, "since": since}, AvailableCondition
    )


def _located(call: Call, config: ClientConfig) -> Caller:
    """The call with its Service or its URL, as webhookClientConfig names them."""
    if config.service is not None:
        if (config.service.namespace, config.service.name) == _EKS_SERVICE:
            return LeftOut(call.object, EKS_MANAGED_REASON)
        return call._replace(service=_service(config.service))
    if not config.url:
        return Malformed(call.object, "clientConfig has neither url nor service")
    try:
        place = parse_url(config.url, ("https",), any_port=True)
    except ValueError as error:
        return NotProbed(call.object, f"clientConfig.url {error}")
    if _is_loopback(place.host):
        return LeftOut(call.object, EKS_MANAGED_REASON)
    reason = forbidden(place.host) if is_address(place.host) else None
    if reason:
        return NotProbed(call.object, f"clientConfig.url may not be dialled: {reason}")
    refusal = None if place.port in _PORTS else CallRefusal(URL_PORT_INVALID.code, _port_error(place))
    return call._replace(url=config.url, place=place, refusal=refusal)


def _port_error(place: HostPort) -> str:
    """Go's words (net/ipsock.go internetAddrList). Port 0 is dialled, and the host's kernel answers with a reset."""
    if place.port == 0:
        host = f"[{place.host}]" if ":" in place.host else place.host
        return DIAL_ERROR.of(endpoint=f"{host}:0", error="connection refused")
    return INVALID_PORT.of(port=place.port)


def _is_loopback(host: str) -> bool:
    """As apiserver/pkg/util/webhook/client.go isLocalHost."""
    return host.lower() == "localhost" or (is_address(host) and ip_address(host).is_loopback)


def _service(ref: ServiceReference) -> ServiceRef:
    return ServiceRef(namespace=ref.namespace, name=ref.name, port=ref.port or 443, path=ref.path)


@lru_cache(maxsize=1024)  # hundreds of webhooks of one chart share one
def _bundle(text: str | None, *, blank_is_empty: bool = False) -> Bundle | str:
    """What is trusted; a string says why it cannot be what the API server stores."""
    if not text:
        return SYSTEM_ROOTS
    try:
        pem = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return "caBundle is not base64"
    if blank_is_empty and not pem.strip():  # webhook_converter.go webhookClientConfigForCRD
        return SYSTEM_ROOTS
    try:
        trusted = anchors(pem)
    except BundleError as error:
        return Bundle(id="unusable", error=str(error))
    return Bundle(bundle_id(trusted), trusted)
