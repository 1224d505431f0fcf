"""One target, from as written to as checked: types, which keys go with which kind, URLs, addresses, bundles.

Raises InputError with the place; nothing is repaired silently.
"""

import re
from collections.abc import Mapping
from functools import partial
from typing import Literal

import msgspec

from egressprobe.apiserver.client_rules import DEFAULT_WEBHOOK_TIMEOUT
from egressprobe.apiserver.refusals import REFUSALS
from egressprobe.golang.x509.ca_bundle import bundle_id
from egressprobe.model.errors import InputError, input_error, short
from egressprobe.model.ownership import owner_name
from egressprobe.model.target import (
    AvailableCondition,
    CallRefusal,
    Endpoint,
    Expect,
    FailurePolicy,
    Impact,
    Kind,
    ServiceRef,
    Target,
    TargetSeverity,
)
from egressprobe.net.addresses import canonical
from egressprobe.net.urls import HostPort, parse_url, shown
from egressprobe.targets.ca_bundle import read_anchors
from egressprobe.targets.decode import all_mistakes, convert, kind_of, listed

MAX_ADDRESSES = 1000  # of one target
MAX_OBJECTS = 1000
MAX_WORDS = 1000  # characters
MAX_NAME = 250  # a CloudWatch dimension value may have 1024, an EMF dimension set and people want less
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Dimension.html: ASCII, not only blanks
_HOST = re.compile(r"(?=[^:]*[a-z])(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\.?")
_PORT = re.compile(r"[0-9]{1,9}")
_NAME = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")


class _Spec(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A target as written. Which keys go with which kind is checked after the types."""

    kind: Kind
    name: str
    url: str | None = None
    service: ServiceRef | None = None
    addresses: tuple[str, ...] = ()
    ca_bundle: str | None = None
    ca_bundle_ref: str | None = None
    timeout_seconds: int | None = None
    failure_policy: FailurePolicy | None = None
    expect: Expect = Expect.REACHABLE
    control: str | None = None
    impact: Impact | None = None
    objects: tuple[str, ...] = ()
    affects: str = ""
    advisory: bool = False
    refusal: CallRefusal | None = None
    condition: AvailableCondition | None = None
    exchange: Literal["head", "review"] = "head"
    insecure_skip_tls_verify: bool = msgspec.field(name="insecureSkipTLSVerify", default=False)
    owner: str = ""
    severity: TargetSeverity | None = None


_COMMON = {"kind", "name", "impact", "objects", "affects", "owner", "severity"}
_BUNDLE = {"caBundle", "caBundleRef"}
# kind -> the keys it may have beside the common ones
_KEYS: dict[Kind, set[str]] = {
    Kind.OIDC: {"url", "advisory"} | _BUNDLE,
    Kind.WEBHOOK: {"url", "service", "addresses", "timeoutSeconds", "failurePolicy", "refusal", "exchange"} | _BUNDLE,
    Kind.AGGREGATED_API: {"service", "addresses", "insecureSkipTLSVerify", "refusal", "condition"} | _BUNDLE,
    Kind.KUBELET: {"addresses"},
    Kind.ENDPOINT: {"url", "expect", "control", "timeoutSeconds"} | _BUNDLE,
}


def _spec(raw: object, place: str) -> _Spec:
    if not isinstance(raw, dict):
        raise InputError(place, f'expected an object with "kind" and "name", got {kind_of(raw)}')
    spec = convert(raw, _Spec, place)
    takes = _KEYS[spec.kind]
    message = f"does not go with kind {spec.kind}; it takes {listed(takes)}"
    misplaced = [InputError(f"{place}.{key}", message) for key in raw if key not in takes | _COMMON]
    if misplaced:
        raise input_error(misplaced)
    return spec


def read_target(raw: object, place: str, shared: Mapping[str, tuple[bytes, ...]]) -> tuple[Target, tuple[bytes, ...]]:
    """The target at `place` and what it trusts. `shared`: bundles that a caBundleRef may name.

    Raises InputError with every mistake of the target.
    """
    spec = _spec(raw, place)
    try:
        return _target(spec, place, shared)
    except InputError:
        checks = (_name, _where, _control, _endpoints, _timeout, _objects, _affects, _refusal, _condition, _owner)
        steps = [partial(_bundle, spec, place, shared), *(partial(check, spec, place) for check in checks)]
        by_text = {str(mistake): mistake for mistake in all_mistakes(steps)}  # two checks may meet the same address
        raise input_error(list(by_text.values())) from None


def _target(spec: _Spec, place: str, shared: Mapping[str, tuple[bytes, ...]]) -> tuple[Target, tuple[bytes, ...]]:
    trusted = _bundle(spec, place, shared)
    where = _where(spec, place)
    target = Target(
        kind=spec.kind,
        name=_name(spec, place),
        url=spec.url or _service_url(spec, where),
        host=where.host,
        port=where.port,
        scheme=_SCHEMES[where.scheme],
        path=where.path,
        service=spec.service,
        endpoints=_endpoints(spec, place),
        bundle=bundle_id(trusted) if trusted else "",
        verify=spec.kind is not Kind.KUBELET and not spec.insecure_skip_tls_verify,
        timeout_seconds=_timeout(spec, place),
        failure_policy=spec.failure_policy,
        expect=spec.expect,
        control=_control(spec, place),
        impact=spec.impact,
        objects=_objects(spec, place),
        affects=_affects(spec, place),
        advisory=spec.advisory,
        refusal=_refusal(spec, place),
        condition=_condition(spec, place),
        exchange=spec.exchange,
        owner=_owner(spec, place),
        severity=spec.severity,
    )
    return target, trusted


def _name(spec: _Spec, place: str) -> str:
    if not _NAME.fullmatch(spec.name) or len(spec.name) > MAX_NAME:
        raise InputError(f"{place}.name", f"needs 1 to {MAX_NAME} printable ASCII characters, no blank at either end")
    return spec.name


def _control(spec: _Spec, place: str) -> str | None:
    if spec.control is not None:
        checked_place(spec.control, ("tcp", "tls", "https"), f"{place}.control")
        if spec.expect is not Expect.BLOCKED:
            raise InputError(f"{place}.control", "goes with expect: blocked only")
    return spec.control


_SCHEMES: dict[str, Literal["https", "tls", "tcp"]] = {"https": "https", "tls": "tls", "tcp": "tcp"}


def _where(spec: _Spec, place: str) -> HostPort:
    """What is dialled or verified, by kind."""
    if spec.kind is Kind.KUBELET:
        if not spec.addresses:
            raise InputError(f"{place}.addresses", "is missing; give the nodes as IP:PORT")
        first = _endpoint(spec.addresses[0], f"{place}.addresses[0]", names=False)
        return HostPort("https", first.address, first.port, "/")
    if spec.service is not None:
        return _service(spec, spec.service, place)
    if spec.kind is Kind.AGGREGATED_API:
        raise InputError(f"{place}.service", "is missing; give {namespace, name, port} and addresses")
    if spec.url is None:
        other = " or a service with addresses" if spec.kind is Kind.WEBHOOK else ""
        raise InputError(f"{place}.url", f"is missing; give a url{other}")
    if spec.addresses:
        raise InputError(f"{place}.addresses", "go with a service; a url is resolved")
    schemes = ("tcp", "tls") if spec.kind is Kind.ENDPOINT else ("https",)
    any_port = spec.refusal is not None and spec.refusal.finding == "URL_PORT_INVALID"
    return checked_place(spec.url, schemes, f"{place}.url", any_port=any_port)


def _service(spec: _Spec, service: ServiceRef, place: str) -> HostPort:
    if spec.url is not None:
        raise InputError(f"{place}.url", "and service exclude each other; keep one")
    if not 1 <= service.port <= 65535:
        raise InputError(f"{place}.service.port", f"{service.port} is not in 1..65535")
    for key in ("namespace", "name"):
        if not re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", getattr(service, key)):
            raise InputError(f"{place}.service.{key}", "is not a DNS label (RFC 1123)")
    _words(service.path or "", f"{place}.service.path")
    if not spec.addresses and spec.refusal is None:
        message = "is missing; give the service's ready endpoints as IP:PORT (kubectl get endpointslices)"
        raise InputError(f"{place}.addresses", message)
    return HostPort("https", service.server_name, service.port, service.path or "/")


def _service_url(spec: _Spec, where: HostPort) -> str:
    return f"https://{where.authority}{where.path}" if spec.service else ""


def checked_place(url: str, schemes: tuple[str, ...], place: str, *, any_port: bool = False) -> HostPort:
    """`url` taken apart. Raises InputError, whose text shows neither user information nor a query."""
    try:
        return parse_url(url, schemes, any_port=any_port)
    except ValueError as error:
        raise InputError(place, f'"{short(shown(url))}" {error}') from None


def _endpoints(spec: _Spec, place: str) -> tuple[Endpoint, ...]:
    if len(spec.addresses) > MAX_ADDRESSES:
        raise InputError(f"{place}.addresses", f"has {len(spec.addresses)} entries; at most {MAX_ADDRESSES}")
    names = spec.service is not None  # an EndpointSlice of addressType FQDN has host names
    endpoints = [_endpoint(text, f"{place}.addresses[{i}]", names=names) for i, text in enumerate(spec.addresses)]
    return tuple(dict.fromkeys(endpoints))


def _endpoint(text: str, place: str, *, names: bool) -> Endpoint:
    host, _, port = text.rpartition(":")
    try:
        address = canonical(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        if not names or not _HOST.fullmatch(host):
            raise InputError(place, f'"{short(text)}" is not IP:PORT ([IP]:PORT for IPv6)') from None
        address = host
    if (":" in host) != host.startswith("[") or not _PORT.fullmatch(port) or not 1 <= int(port) <= 65535:
        raise InputError(place, f'"{short(text)}" is not IP:PORT ([IP]:PORT for IPv6) with a port in 1..65535')
    return Endpoint(address, int(port))


def _objects(spec: _Spec, place: str) -> tuple[str, ...]:
    if len(spec.objects) > MAX_OBJECTS:
        raise InputError(f"{place}.objects", f"has {len(spec.objects)} entries; at most {MAX_OBJECTS}")
    return tuple(_words(text, f"{place}.objects[{i}]") for i, text in enumerate(spec.objects))


def _affects(spec: _Spec, place: str) -> str:
    return _words(spec.affects, f"{place}.affects")


def _words(text: str, place: str) -> str:
    """Text that goes into reports and logs unchanged."""
    if len(text) > MAX_WORDS or not (text.isprintable() or not text):
        raise InputError(place, f"needs printable characters, at most {MAX_WORDS}")
    return text


def _owner(spec: _Spec, place: str) -> str:
    try:
        return owner_name(spec.owner)
    except ValueError as error:
        raise InputError(f"{place}.owner", str(error)) from None


def _refusal(spec: _Spec, place: str) -> CallRefusal | None:
    if spec.refusal and spec.refusal.finding not in REFUSALS:
        raise InputError(f"{place}.refusal.finding", f"must be one of {listed(set(REFUSALS))}")
    if spec.refusal:
        _words(spec.refusal.error, f"{place}.refusal.error")
    return spec.refusal


def _condition(spec: _Spec, place: str) -> AvailableCondition | None:
    for key in ("reason", "message", "since") if spec.condition else ():
        _words(getattr(spec.condition, key), f"{place}.condition.{key}")
    return spec.condition


def _timeout(spec: _Spec, place: str) -> int:
    """Seconds. k8s.io/api/admissionregistration/v1: 1 to 30, default 10."""
    if spec.timeout_seconds is None:
        return DEFAULT_WEBHOOK_TIMEOUT
    if not 1 <= spec.timeout_seconds <= 30:
        raise InputError(f"{place}.timeoutSeconds", f"{spec.timeout_seconds} is not in 1..30")
    return spec.timeout_seconds


def _bundle(spec: _Spec, place: str, shared: Mapping[str, tuple[bytes, ...]]) -> tuple[bytes, ...]:
    if spec.ca_bundle is not None and spec.ca_bundle_ref is not None:
        raise InputError(f"{place}.caBundleRef", "and caBundle exclude each other; keep one")
    if spec.ca_bundle_ref is not None:
        if spec.ca_bundle_ref not in shared:
            raise InputError(f"{place}.caBundleRef", f'"{short(spec.ca_bundle_ref)}" is not among bundles')
        return shared[spec.ca_bundle_ref]
    # An empty caBundle means the system roots (k8s.io/apiserver/pkg/util/webhook/client.go).
    return read_anchors(spec.ca_bundle, f"{place}.caBundle") if spec.ca_bundle else ()
