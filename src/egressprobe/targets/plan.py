"""From what a person or a schedule wrote to a Plan. Every mistake gets one line that names its place.

`InputError` is the only thing raised: `targets[3].url: must begin with https://`. Unknown keys are mistakes,
and a plan is either whole or refused. One target is checked in spec.py.
"""

import re
from ipaddress import ip_address
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from egressprobe.apiserver.kube_version import read_version
from egressprobe.golang.resolver import MAX_SERVERS, split_server
from egressprobe.model.errors import InputError, short
from egressprobe.model.target import DEFAULT_KUBE_VERSION, TARGETS_SCHEMA, Kind, Misplacement, Plan, Target
from egressprobe.net.guard import VPC_RESOLVERS, Guard
from egressprobe.net.urls import shown
from egressprobe.targets.decode import convert, kind_of
from egressprobe.targets.spec import MAX_NAME, checked_place, read_anchors, read_target

MAX_TARGETS = 2000
_SCHEDULED_ENDPOINTS = 3


class _PlanSpec(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Everything beside the targets: of a targets file, an on-demand event or a schedule's plan."""

    targets: list[Any]
    schema_version: str = TARGETS_SCHEMA
    bundles: dict[str, str] = {}
    resolvers: tuple[str, ...] = ()
    compare_resolvers: tuple[str, ...] = ()
    ip_family: Literal["ipv4", "ipv6"] | None = None
    sources: dict[str, str] = {}
    kube_version: str = DEFAULT_KUBE_VERSION
    one_series: bool = False
    misplaced: Misplacement | None = None
    retired: dict[str, str] = {}
    egress_mode: str = ""
    share: float = 1.0
    drill: bool = False
    looked_up_at: str = ""
    confirmed: dict[str, tuple[str, ...]] = {}


PLAN_KEYS = frozenset(field.encode_name for field in msgspec.structs.fields(_PlanSpec))


def read_plan(document: object, *, forbidden: Guard | None = None, most: int = MAX_TARGETS) -> Plan:
    """A Plan from decoded JSON or YAML. Raises InputError.

    forbidden: a guard for the name servers the document may choose; a person's own command line has none.
    most: how many targets there may be; the Planner, which cuts its plan into shards, has no bound.
    """
    if not isinstance(document, dict):
        raise InputError("", f'expected an object with "targets", got {kind_of(document)}')
    if "targets" not in document:
        raise InputError("targets", "is missing; give a list of targets")
    spec = convert(document, _PlanSpec, "")
    if spec.schema_version != TARGETS_SCHEMA:
        raise InputError("schemaVersion", f'"{short(spec.schema_version)}" is not known; use {TARGETS_SCHEMA}')
    if not spec.targets:
        raise InputError("targets", "is empty; give at least one target")
    if len(spec.targets) > most:
        raise InputError("targets", f"has {len(spec.targets)} entries; at most {most} fit one run")
    shared = {name: read_anchors(text, f"bundles.{name}") for name, text in spec.bundles.items()}
    bundles: dict[str, tuple[bytes, ...]] = {}
    targets: list[Target] = []
    names: dict[str, int] = {}
    for i, raw in enumerate(spec.targets):
        place = f"targets[{i}]"
        target, trusted = read_target(raw, place, shared)
        if target.name in names:
            raise InputError(f"{place}.name", f'"{target.name}" is the name of targets[{names[target.name]}] already')
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
        kube_version=_kube_version(spec.kube_version),
        one_series=spec.one_series,
        misplaced=_misplaced(spec.misplaced),
        retired=len(spec.retired),
        egress_mode=spec.egress_mode,
        share=_share(spec.share),
        drill=spec.drill,
        looked_up_at=spec.looked_up_at,
        confirmed=spec.confirmed,
    )


def target_from_url(
    url: str, *, kind: Kind | None, place: str, timeout: int | None, bundle: str | None
) -> dict[str, Any]:
    """The targets-file entry that a bare URL on the command line stands for."""
    scheme = url.partition("://")[0]
    if kind is None:
        kind = Kind.ENDPOINT if scheme in ("tcp", "tls") else Kind.WEBHOOK
    schemes = ("tcp", "tls") if kind is Kind.ENDPOINT else ("https",)
    parsed = checked_place(url, schemes, place)
    if "@" in parsed.path.replace("/@", ""):  # user information after a mistake such as https:/user:password@host
        message = "must not carry user information (user:password@); for a path with @ write a targets file"
        raise InputError(place, f'"{short(shown(url))}" {message}')
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


def _resolvers(texts: tuple[str, ...], place: str, forbidden: Guard | None) -> tuple[str, ...]:
    if len(texts) > MAX_SERVERS:
        raise InputError(place, f"has {len(texts)} entries; a resolver asks at most {MAX_SERVERS}")
    for i, text in enumerate(texts):
        try:
            address, _ = split_server(text)
        except ValueError as error:
            raise InputError(f"{place}[{i}]", f'"{short(text)}" is not ADDR or ADDR:PORT: {error}') from None
        reason = forbidden(address) if forbidden and address not in VPC_RESOLVERS else None
        if reason:
            raise InputError(f"{place}[{i}]", f"{reason}; a name server may not be there")
    return texts


def _kube_version(text: str) -> str:
    try:
        return read_version(text)
    except ValueError as error:
        raise InputError("kubeVersion", f'"{short(text)}" {error}') from None


def _misplaced(misplaced: Misplacement | None) -> Misplacement | None:
    known = ("STACK_DRIFTED", "CLUSTER_DELETING")
    if misplaced and misplaced.finding not in known:
        raise InputError("misplaced.finding", f'"{short(misplaced.finding)}" is not {" or ".join(known)}')
    return misplaced


def _share(share: float) -> float:
    if not 0 < share <= 1:
        raise InputError("share", f"{share} is not above 0 and at most 1")
    return share


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
            raise InputError(place, f'"{short(text)}" is not an {family} address')
    return sources
