"""From what a person or a schedule wrote to a Plan. Every mistake gets one line that names its place.

`InputError` is the only thing raised: `targets[3].url: must begin with https://`. Nothing is repaired
silently, unknown keys are mistakes, and a plan is either whole or refused.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from egressprobe.guard import VPC_RESOLVERS, Guard
from egressprobe.lookup import split_server
from egressprobe.model import (
    TARGETS_SCHEMA,
    Endpoint,
    Expect,
    FailurePolicy,
    Impact,
    Kind,
    Plan,
    ServiceRef,
    Target,
)
from egressprobe.pem import BundleError, anchors
from egressprobe.rules import DEFAULT_WEBHOOK_TIMEOUT
from egressprobe.trust import bundle_id
from egressprobe.urls import Place, parse_url

MAX_TARGETS = 2000
MAX_ADDRESSES = 1000  # of one target
MAX_NAME = 250  # a CloudWatch dimension value may have 1024, an EMF dimension set and people want less
_MAX_SHOWN = 60
_SCHEDULED_ENDPOINTS = 3
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Dimension.html: ASCII, not only blanks
_NAME = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
_PATH = re.compile(r" - at `\$\.?([^`]*)`$")
_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `([^`]*)`")


class InputError(ValueError):
    """One line: the place, what is wrong, the way out."""

    def __init__(self, place: str, said: str) -> None:
        super().__init__(f"{place}: {said}" if place else said)


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
    insecure_skip_tls_verify: bool = msgspec.field(name="insecureSkipTLSVerify", default=False)


class _PlanSpec(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What surrounds the targets: a targets file, an on-demand event or a schedule's plan."""

    targets: list[Any]
    schema_version: str = TARGETS_SCHEMA
    bundles: dict[str, str] = {}
    resolvers: tuple[str, ...] = ()
    compare_resolvers: tuple[str, ...] = ()
    ip_family: Literal["ipv4", "ipv6"] | None = None
    sources: dict[str, str] = {}


_COMMON = {"kind", "name", "impact"}
_BUNDLE = {"caBundle", "caBundleRef"}
# kind -> the keys it may have beside the common ones
_KEYS: dict[Kind, set[str]] = {
    Kind.OIDC: {"url"} | _BUNDLE,
    Kind.WEBHOOK: {"url", "service", "addresses", "timeoutSeconds", "failurePolicy"} | _BUNDLE,
    Kind.AGGREGATED_API: {"service", "addresses", "insecureSkipTLSVerify"} | _BUNDLE,
    Kind.KUBELET: {"addresses"},
    Kind.ENDPOINT: {"url", "expect", "control", "timeoutSeconds"} | _BUNDLE,
}


def read_plan(document: object, *, forbidden: Guard | None = None) -> Plan:
    """A Plan out of decoded JSON or YAML. Raises InputError.

    forbidden: a guard for the name servers the document may choose; a person's own command line has none.
    """
    if not isinstance(document, dict):
        raise InputError("", f"expected an object with «targets», got {_kind(document)}")
    if "targets" not in document:
        raise InputError("targets", "is missing; give a list of targets")
    spec = _convert(document, _PlanSpec, "")
    if spec.schema_version != TARGETS_SCHEMA:
        raise InputError("schemaVersion", f"«{_short(spec.schema_version)}» is not known; use {TARGETS_SCHEMA}")
    if not spec.targets:
        raise InputError("targets", "is empty; give at least one target")
    if len(spec.targets) > MAX_TARGETS:
        raise InputError("targets", f"has {len(spec.targets)} entries; at most {MAX_TARGETS} fit one run")
    shared = {name: _anchors(text, f"bundles.{name}") for name, text in spec.bundles.items()}
    bundles: dict[str, tuple[bytes, ...]] = {}
    targets: list[Target] = []
    names: dict[str, int] = {}
    for i, raw in enumerate(spec.targets):
        place = f"targets[{i}]"
        target, trusted = _target(_spec(raw, place), place, shared)
        if target.name in names:
            raise InputError(f"{place}.name", f"«{target.name}» is the name of targets[{names[target.name]}] already")
        names[target.name] = i
        if trusted:
            bundles[target.bundle] = trusted
        targets.append(target)
    return Plan(
        targets=tuple(targets),
        bundles=bundles,
        resolvers=_resolvers(spec.resolvers, "resolvers", forbidden),
        compare_resolvers=_resolvers(spec.compare_resolvers, "compareResolvers", forbidden),
        ip_family=spec.ip_family,
        sources=_sources(spec.sources),
    )


def target_from_url(
    url: str, *, kind: Kind | None, place: str, timeout: int | None, bundle: str | None
) -> dict[str, Any]:
    """The targets-file entry that a bare URL on the command line stands for."""
    scheme = url.partition("://")[0]
    if kind is None:
        kind = Kind.ENDPOINT if scheme in ("tcp", "tls") else Kind.WEBHOOK
    schemes = ("tcp", "tls") if kind is Kind.ENDPOINT else ("https",)
    parsed = _place(url, schemes, place)
    name = re.sub(
        r"[^\x21-\x7e]", "", f"{parsed.host}:{parsed.port}" if kind is Kind.ENDPOINT else url.partition("://")[2]
    )
    entry: dict[str, Any] = {"kind": str(kind), "name": name[:MAX_NAME].rstrip("/"), "url": url}
    if timeout is not None and kind is not Kind.OIDC:
        entry["timeoutSeconds"] = timeout
    if bundle is not None:
        entry["caBundle"] = bundle
    return entry


def sampled(plan: Plan, minute: int) -> Plan:
    """The plan for one scheduled minute: a few endpoints of each service, others each minute.

    Bare handshakes make webhook servers log; a person's on-demand run dials every endpoint.
    """
    return replace(plan, targets=tuple(_sampled(target, minute) for target in plan.targets))


def _sampled(target: Target, minute: int) -> Target:
    many = len(target.endpoints)
    if many <= _SCHEDULED_ENDPOINTS:
        return target
    start = minute * _SCHEDULED_ENDPOINTS
    chosen = tuple(target.endpoints[(start + i) % many] for i in range(_SCHEDULED_ENDPOINTS))
    return replace(target, endpoints=chosen)


# -- one target ---------------------------------------------------------------------------------------------


def _spec(raw: object, place: str) -> _Spec:
    if not isinstance(raw, dict):
        raise InputError(place, f"expected an object with «kind» and «name», got {_kind(raw)}")
    spec = _convert(raw, _Spec, place)
    for key in raw:
        if key not in _KEYS[spec.kind] | _COMMON:
            raise InputError(
                f"{place}.{key}", f"does not go with kind {spec.kind}; it takes {_listed(_KEYS[spec.kind])}"
            )
    return spec


def _target(spec: _Spec, place: str, shared: Mapping[str, tuple[bytes, ...]]) -> tuple[Target, tuple[bytes, ...]]:
    if not _NAME.fullmatch(spec.name) or len(spec.name) > MAX_NAME:
        raise InputError(f"{place}.name", f"needs 1 to {MAX_NAME} printable ASCII characters, no blank at either end")
    trusted = _bundle(spec, place, shared)
    where = _where(spec, place)
    if spec.control is not None:
        _place(spec.control, ("tcp", "tls", "https"), f"{place}.control")
        if spec.expect is not Expect.BLOCKED:
            raise InputError(f"{place}.control", "goes with expect: blocked only")
    target = Target(
        kind=spec.kind,
        name=spec.name,
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
        control=spec.control,
        impact=spec.impact,
    )
    return target, trusted


_SCHEMES: dict[str, Literal["https", "tls", "tcp"]] = {"https": "https", "tls": "tls", "tcp": "tcp"}


def _where(spec: _Spec, place: str) -> Place:
    """What is dialled or verified, by kind."""
    if spec.kind is Kind.KUBELET:
        if not spec.addresses:
            raise InputError(f"{place}.addresses", "is missing; give the nodes as IP:PORT")
        first = _endpoint(spec.addresses[0], f"{place}.addresses[0]")
        return Place("https", first.address, first.port, "/")
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
    return _place(spec.url, schemes, f"{place}.url")


def _service(spec: _Spec, service: ServiceRef, place: str) -> Place:
    if spec.url is not None:
        raise InputError(f"{place}.url", "and service exclude each other; keep one")
    if not 1 <= service.port <= 65535:
        raise InputError(f"{place}.service.port", f"{service.port} is not in 1..65535")
    for key in ("namespace", "name"):
        if not re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", getattr(service, key)):
            raise InputError(f"{place}.service.{key}", "is no DNS label (RFC 1123)")
    if not spec.addresses:
        said = "is missing; give the service's ready endpoints as IP:PORT (kubectl get endpointslices)"
        raise InputError(f"{place}.addresses", said)
    return Place("https", service.server_name, service.port, service.path or "/")


def _service_url(spec: _Spec, where: Place) -> str:
    return f"https://{where.authority}{where.path}" if spec.service else ""


def _place(url: str, schemes: tuple[str, ...], place: str) -> Place:
    try:
        return parse_url(url, schemes)
    except ValueError as error:
        public = re.split(r"[?#]", url.rpartition("@")[2])[0]  # no user information, no query in a message
        raise InputError(place, f"«{_short(public)}» {error}") from error


def _endpoints(spec: _Spec, place: str) -> tuple[Endpoint, ...]:
    if len(spec.addresses) > MAX_ADDRESSES:
        raise InputError(f"{place}.addresses", f"has {len(spec.addresses)} entries; at most {MAX_ADDRESSES}")
    found = [_endpoint(text, f"{place}.addresses[{i}]") for i, text in enumerate(spec.addresses)]
    return tuple(dict.fromkeys(found))


def _endpoint(text: str, place: str) -> Endpoint:
    host, _, port = text.rpartition(":")
    try:
        address = ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        raise InputError(place, f"«{_short(text)}» is not IP:PORT ([IP]:PORT for IPv6)") from None
    if (":" in host) != host.startswith("[") or not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise InputError(place, f"«{_short(text)}» is not IP:PORT ([IP]:PORT for IPv6) with a port in 1..65535")
    return Endpoint(str(getattr(address, "ipv4_mapped", None) or address), int(port))


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
            raise InputError(f"{place}.caBundleRef", f"«{_short(spec.ca_bundle_ref)}» is not among bundles")
        return shared[spec.ca_bundle_ref]
    # An empty caBundle means the system roots (k8s.io/apiserver/pkg/util/webhook/client.go).
    return _anchors(spec.ca_bundle, f"{place}.caBundle") if spec.ca_bundle else ()


def _anchors(text: str, place: str) -> tuple[bytes, ...]:
    """PEM, or base64 of PEM as a webhook configuration holds it."""
    pem = text.encode("utf-8", "surrogateescape")
    if b"-----BEGIN" not in pem:
        try:
            pem = base64.b64decode(b"".join(pem.split()), validate=True)
        except binascii.Error:
            raise InputError(place, "is neither PEM nor base64 of PEM") from None
    try:
        return anchors(pem)
    except BundleError as error:
        raise InputError(place, f"holds no certificate that kube-apiserver could use: {error}") from None


# -- the rest -----------------------------------------------------------------------------------------------


def _resolvers(texts: tuple[str, ...], place: str, forbidden: Guard | None) -> tuple[str, ...]:
    for i, text in enumerate(texts):
        try:
            address, _ = split_server(text)
        except ValueError as error:
            raise InputError(f"{place}[{i}]", f"«{_short(text)}» is not ADDR or ADDR:PORT: {error}") from None
        reason = forbidden(address) if forbidden and address not in VPC_RESOLVERS else None
        if reason:
            raise InputError(f"{place}[{i}]", f"{reason}; a name server may not be there")
    return texts


def _sources(sources: dict[str, str]) -> dict[str, str]:
    for family, text in sources.items():
        place = f"sources.{family}"
        if family not in ("ipv4", "ipv6"):
            raise InputError(place, "is not ipv4 or ipv6")
        try:
            good = f"ipv{ip_address(text).version}" == family
        except ValueError:
            good = False
        if not good:
            raise InputError(place, f"«{_short(text)}» is no {family} address")
    return sources


def _convert[T](raw: object, wanted: type[T], place: str) -> T:
    """Typed by msgspec, its complaint turned into a place and a sentence."""
    try:
        return msgspec.convert(raw, wanted)
    except msgspec.ValidationError as error:
        text = str(error)
        found = _PATH.search(text)
        inner = found[1] if found else ""
        said = _PATH.sub("", text)
        at = place + ("." if place and inner and not inner.startswith("[") else "") + inner
        unknown = _UNKNOWN_FIELD.match(said)
        if unknown:
            known = _listed({f.encode_name for f in msgspec.structs.fields(wanted)})  # type: ignore[arg-type]
            raise InputError(f"{at}.{unknown[1]}".lstrip("."), f"is not known; known are {known}") from None
        if said.startswith("Invalid enum value"):
            said += f"; use one of {_allowed(at)}"
        raise InputError(at, said[0].lower() + said[1:].replace("`", "")) from None


_ENUMS = {"kind": Kind, "failurePolicy": FailurePolicy, "expect": Expect, "impact": Impact}


def _allowed(at: str) -> str:
    values = _ENUMS.get(at.rpartition(".")[2])
    return ", ".join(values) if values else "the documented values"


def _listed(keys: set[str]) -> str:
    return ", ".join(sorted(keys))


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "nothing"}
    return names.get(type(value), "a number")


def _short(text: str) -> str:
    clean = "".join(c if c.isprintable() else "?" for c in text)
    return clean if len(clean) <= _MAX_SHOWN else clean[: _MAX_SHOWN - 1] + "…"
