"""From what a person or a schedule wrote to a Plan. Every mistake gets one line that names its place.

`InputError` is the only thing raised, with all mistakes: `targets[3].url: must begin with https://`. Unknown keys are
mistakes, and a plan is either whole or refused. One target is checked in spec.py.
"""

import re
from collections.abc import Callable
from functools import partial
from ipaddress import ip_address
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from egressprobe.apiserver.kube_version import read_version
from egressprobe.golang.resolver import MAX_SERVERS, split_server
from egressprobe.model.errors import InputError, input_error, short
from egressprobe.model.target import DEFAULT_KUBE_VERSION, TARGETS_SCHEMA, Kind, Misplacement, Plan, Target
from egressprobe.net.guard import VPC_RESOLVERS, Guard
from egressprobe.net.urls import shown
from egressprobe.targets.ca_bundle import read_anchors
from egressprobe.targets.decode import MOST_MISTAKES, all_mistakes, convert, kind_of
from egressprobe.targets.spec import MAX_NAME, checked_place, read_target

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
    version = document.get("schemaVersion", TARGETS_SCHEMA)
    if isinstance(version, str) and version != TARGETS_SCHEMA:  # a report, say: its other keys would be mistakes, too
        raise InputError("schemaVersion", f'"{short(version)}" is not known; use {TARGETS_SCHEMA}')
    try:
        spec = convert(document, _PlanSpec, "")
    except InputError as error:
        raise input_error([*error.mistakes, *_mistakes_of_targets(document, most)][:MOST_MISTAKES]) from None
    if not spec.targets:
        raise InputError("targets", "is empty; give at least one target")
    if len(spec.targets) > most:
        raise InputError("targets", f"has {len(spec.targets)} entries; at most {most} fit one run")
    mistakes: list[InputError] = []
    shared = _shared(spec.bundles, mistakes)
    targets, bundles = _targets(spec.targets, shared, mistakes)
    mistakes += all_mistakes(_checks(spec, forbidden))
    if mistakes:
        raise input_error(mistakes[:MOST_MISTAKES])
    return Plan(
        targets=targets,
        bundles=bundles,
        resolvers=spec.resolvers,
        compare_resolvers=spec.compare_resolvers,
        ip_family=spec.ip_family,
        sources=spec.sources,
        kube_version=_kube_version(spec.kube_version),
        one_series=spec.one_series,
        misplaced=spec.misplaced,
        retired=len(spec.retired),
        egress_mode=spec.egress_mode,
        share=spec.share,
        drill=spec.drill,
        looked_up_at=spec.looked_up_at,
        confirmed=spec.confirmed,
    )


def _shared(bundles: dict[str, str], mistakes: list[InputError]) -> dict[str, tuple[bytes, ...]]:
    """The bundles that a caBundleRef may name; one with a mistake is there, so that only the mistake is reported."""
    shared: dict[str, tuple[bytes, ...]] = {}
    for name, text in bundles.items():
        try:
            shared[name] = read_anchors(text, f"bundles.{name}")
        except InputError as error:
            mistakes.append(error)
            shared[name] = ()
    return shared


def _targets(
    raws: list[Any], shared: dict[str, tuple[bytes, ...]], mistakes: list[InputError]
) -> tuple[tuple[Target, ...], dict[str, tuple[bytes, ...]]]:
    """The targets without a mistake, and the bundles that they use by hash."""
    targets: list[Target] = []
    bundles: dict[str, tuple[bytes, ...]] = {}
    names: dict[str, int] = {}
    for i, raw in enumerate(raws):
        place = f"targets[{i}]"
        try:
            target, trusted = read_target(raw, place, shared)
        except InputError as error:
            mistakes.extend(error.mistakes)
            if len(mistakes) >= MOST_MISTAKES:
                break
            continue
        if target.name in names:
            first = f'"{target.name}" is the name of targets[{names[target.name]}] already'
            mistakes.append(InputError(f"{place}.name", first))
        names.setdefault(target.name, i)
        if trusted:
            bundles[target.bundle] = trusted
        targets.append(target)
    return tuple(targets), bundles


def _mistakes_of_targets(document: dict[str, Any], most: int) -> list[InputError]:
    """Of the targets, where the document beside them has a mistake already."""
    raws, bundles = document.get("targets"), document.get("bundles")
    mistakes: list[InputError] = []
    if isinstance(raws, list) and len(raws) <= most:
        texts = bundles.items() if isinstance(bundles, dict) else ()
        _targets(raws, _shared({name: text for name, text in texts if isinstance(text, str)}, []), mistakes)
    return mistakes


def _checks(spec: _PlanSpec, forbidden: Guard | None) -> list[Callable[[], object]]:
    """What is checked of the fields beside the targets."""
    return [
        partial(_resolvers, spec.resolvers, "resolvers", forbidden),
        partial(_resolvers, spec.compare_resolvers, "compareResolvers", forbidden),
        partial(_sources, spec.sources),
        partial(_kube_version, spec.kube_version),
        partial(_misplaced, spec.misplaced),
        partial(_share, spec.share),
    ]


def target_from_url(
    url: str, *, kind: Kind | None, place: str, timeout: int | None, bundle: str | None
) -> dict[str, Any]:
    """The targets-file entry that a bare URL on the command line stands for."""
    scheme = url.partition("://")[0]
    if kind is None:
        if scheme not in ("https", "tls", "tcp"):
            message = "must begin with https://, tls:// or tcp://, or be HOST[:PORT]"
            raise InputError(place, f'"{short(shown(url))}" {message}')
        kind = Kind.ENDPOINT if scheme in ("tcp", "tls") else Kind.WEBHOOK
    schemes = ("tcp", "tls") if kind is Kind.ENDPOINT else ("https",)
    parsed = checked_place(url, schemes, place)
    if "@" in parsed.path.replace("/@", ""):  # user information after a mistake such as https:/user:password@host
        message = "must not carry user information (user:password@); for a path with @ write a targets file"
        raise InputError(place, f'"{short(shown(url))}" {message}')
    name = f"{parsed.host}:{parsed.port}" if kind is Kind.ENDPOINT else _without_scheme(url, parsed.host)
    name = re.sub(r"[^\x21-\x7e]", "", name)
    entry: dict[str, Any] = {"kind": str(kind), "name": name[:MAX_NAME].rstrip("/"), "url": url}
    if timeout is not None and kind is not Kind.OIDC:
        entry["timeoutSeconds"] = timeout
    if bundle is not None:
        entry["caBundle"] = bundle
    return entry


def _without_scheme(url: str, host: str) -> str:
    """host: as DNS is asked for it, which a name written in another script is not."""
    rest = url.partition("://")[2]
    written = rest.partition("/")[0]
    if written.isascii():
        return rest
    _, colon, port = written.partition(":")
    return f"{host}{colon}{port}{rest[len(written) :]}"


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


def _resolvers(texts: tuple[str, ...], place: str, forbidden: Guard | None) -> None:
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


def _kube_version(text: str) -> str:
    try:
        return read_version(text)
    except ValueError as error:
        raise InputError("kubeVersion", f'"{short(text)}" {error}') from None


def _misplaced(misplaced: Misplacement | None) -> None:
    known = ("STACK_DRIFTED", "CLUSTER_DELETING")
    if misplaced and misplaced.finding not in known:
        raise InputError("misplaced.finding", f'"{short(misplaced.finding)}" is not {" or ".join(known)}')


def _share(share: float) -> None:
    if not 0 < share <= 1:
        raise InputError("share", f"{share} is not above 0 and at most 1")


def _sources(sources: dict[str, str]) -> None:
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
