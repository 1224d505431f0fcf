"""Who calls what: every webhook, conversion webhook and APIService of the lists becomes a `Call`, is left out with a
word, or is said to be malformed. Pure.

EKS runs some webhooks and one APIService on the control plane itself; they are not on the customer's path.
"""

import base64
import binascii
from functools import lru_cache
from typing import NamedTuple

import msgspec

from egressprobe.apiserver.client_rules import DEFAULT_WEBHOOK_TIMEOUT
from egressprobe.discovery.kubernetes.objects import (
    ApiService,
    ClientConfig,
    Definition,
    Malformed,
    ServiceReference,
    Webhook,
)
from egressprobe.discovery.scope import of_conversion, of_webhook
from egressprobe.golang.x509.ca_bundle import BundleError, anchors, bundle_id
from egressprobe.model.discovered import LeftOut
from egressprobe.model.target import AvailableCondition, FailurePolicy, Kind, ServiceRef
from egressprobe.net.addresses import is_address
from egressprobe.net.guard import forbidden
from egressprobe.net.urls import HostPort, parse_url
from egressprobe.targets.spec import MAX_WORDS

# apiextensions-apiserver: restConfig's timeout (apiserver/pkg/util/webhook/authentication.go)
_CONVERSION_TIMEOUT = 30
_EKS_SERVICE = ("kube-system", "eks-extension-metrics-api")
EKS_MANAGED = "EKS runs it on the control plane itself: never on your path"
_LOCAL = "the API server serves it itself"


class Bundle(NamedTuple):
    """A caBundle as the API server reads it: its id (empty: system roots) and anchors, or client-go's complaint."""

    id: str = ""
    anchors: tuple[bytes, ...] = ()
    error: str = ""


SYSTEM_ROOTS = Bundle()


class Call(NamedTuple):
    """One object that makes the API server call something.

    object: KIND/NAME, or KIND/NAME/WEBHOOK. place: where a URL points; None for a Service.
    affects: what it stands before; empty where it is never called.
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


class Barred(NamedTuple):
    """An object that calls something, and that cannot be probed."""

    object: str
    why: str


type Read = Call | LeftOut | Barred | Malformed


def of_webhook_object(name: str, webhook: Webhook) -> Read:
    """A webhook of a validating or mutating configuration."""
    policy = webhook.failure_policy or "Fail"
    if policy not in FailurePolicy:
        return Malformed(name, f"failurePolicy «{policy}» is not Fail or Ignore")
    timeout = DEFAULT_WEBHOOK_TIMEOUT if webhook.timeout_seconds is None else webhook.timeout_seconds
    if not 1 <= timeout <= 30:
        return Malformed(name, f"timeoutSeconds {timeout} is not in 1..30")
    return _of_client(name, webhook.client_config, FailurePolicy(policy), timeout, of_webhook(webhook))


def of_definition(crd: Definition) -> Read | None:
    """The conversion webhook of a CRD; None where there is none."""
    conversion = crd.spec.conversion
    if conversion is None or conversion.strategy == "None":
        return None
    stored = next((one.name for one in crd.spec.versions or [] if one.storage), "")
    name = f"CustomResourceDefinition/{crd.metadata.name}/{stored}, Kind={crd.spec.names.kind}"
    if conversion.webhook is None:
        return Malformed(name, f"strategy is {conversion.strategy}, and there is no webhook")
    config = conversion.webhook.client_config
    return _of_client(name, config, FailurePolicy.FAIL, _CONVERSION_TIMEOUT, of_conversion(crd), blank_is_empty=True)


def of_api_service(api: ApiService) -> Read:
    name, spec = f"APIService/{api.metadata.name}", api.spec
    if spec.service is None:
        return LeftOut(name, _LOCAL)
    if (spec.service.namespace, spec.service.name) == _EKS_SERVICE:
        return LeftOut(name, EKS_MANAGED)
    bundle = _bundle(spec.ca_bundle)
    if isinstance(bundle, str):
        return Malformed(name, bundle)
    service = _service(spec.service)
    affects = f"all requests to {spec.group}/{spec.version}"
    verify = not spec.insecure_skip_tls_verify
    condition = _condition(api)
    return Call(name, Kind.AGGREGATED_API, bundle, service=service, verify=verify, affects=affects, condition=condition)


def _condition(api: ApiService) -> AvailableCondition | None:
    """What the API server says of it; the message is cut and made printable, for it goes into reports as it is."""
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


def _of_client(
    name: str, config: ClientConfig, policy: FailurePolicy, timeout: int, affects: str, *, blank_is_empty: bool = False
) -> Read:
    bundle = _bundle(config.ca_bundle, blank_is_empty=blank_is_empty)
    if isinstance(bundle, str):
        return Malformed(name, bundle)
    call = Call(name, Kind.WEBHOOK, bundle, policy=policy, timeout=timeout, affects=affects)
    if config.service is not None:
        if (config.service.namespace, config.service.name) == _EKS_SERVICE:
            return LeftOut(name, EKS_MANAGED)
        return call._replace(service=_service(config.service))
    if not config.url:
        return Malformed(name, "clientConfig has neither url nor service")
    try:
        place = parse_url(config.url, ("https",))
    except ValueError as error:
        return Barred(name, f"clientConfig.url {error}")
    if _is_loopback(place.host):
        return LeftOut(name, EKS_MANAGED)
    refused = forbidden(place.host) if is_address(place.host) else None
    if refused:
        return Barred(name, f"clientConfig.url may not be dialled: {refused}")
    return call._replace(url=config.url, place=place)


def _is_loopback(host: str) -> bool:
    """As apiserver/pkg/util/webhook/client.go isLocalHost."""
    if host.lower() == "localhost":
        return True
    from ipaddress import ip_address

    return is_address(host) and ip_address(host).is_loopback


def _service(ref: ServiceReference) -> ServiceRef:
    return ServiceRef(namespace=ref.namespace, name=ref.name, port=ref.port or 443, path=ref.path)


@lru_cache(maxsize=1024)  # hundreds of webhooks of one chart share one
def _bundle(text: str | None, *, blank_is_empty: bool = False) -> Bundle | str:
    """What is trusted; a string says why it cannot be what the API server holds."""
    if not text:
        return SYSTEM_ROOTS
    try:
        pem = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return "caBundle is not base64"
    if blank_is_empty and not pem.strip():  # webhook_converter.go webhookClientConfigForCRD
        return SYSTEM_ROOTS
    try:
        found = anchors(pem)
    except BundleError as error:
        return Bundle(id="unusable", error=str(error))
    return Bundle(bundle_id(found), found)
