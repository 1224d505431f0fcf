"""From calls to targets: what dials the same and trusts the same is one target with many objects. Pure.

The same calls in any order give the same targets, byte for byte. Nothing vanishes: a call becomes a target, shares
one, or is said not to be probed, with the reason.
"""

from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

from egressprobe.apiserver.refusals import NO_CLIENT
from egressprobe.discovery.callers import Barred, Call
from egressprobe.discovery.endpoints import Resolved
from egressprobe.discovery.target_names import bounded, free_name, target_name
from egressprobe.golang.x509.ca_bundle import as_pem
from egressprobe.model.errors import InputError
from egressprobe.model.target import CallRefusal, FailurePolicy, Kind, ServiceRef
from egressprobe.targets.spec import MAX_ADDRESSES, MAX_OBJECTS, MAX_WORDS, read_target

_MOST_AFFECTS = 200  # characters
# What a Service leads to; a string says why that cannot be told.
type Resolver = Callable[[Kind, ServiceRef], Resolved | CallRefusal | str]


class Made(NamedTuple):
    """targets: sorted by name. refused: those that the API server gives up before it dials."""

    targets: list[dict[str, Any]]
    bundles: dict[str, str]
    barred: list[Barred]

    @property
    def refused(self) -> list[dict[str, Any]]:
        return [one for one in self.targets if "refusal" in one]


def make_targets(calls: Iterable[Call], resolve: Resolver) -> Made:
    """Group, resolve, name: by their least objects, so that names do not depend on the order of `calls`."""
    groups: dict[tuple[str, ...], list[Call]] = {}
    for call in calls:
        groups.setdefault(_key(call), []).append(call)
    made = Made([], {}, [])
    names: set[str] = set()
    for first, key in sorted((min(call.object for call in group), key) for key, group in groups.items()):
        group = sorted(groups[key], key=_rank)
        raw = _target(group, resolve)
        why = raw if isinstance(raw, str) else _checked(raw, group[0])
        if isinstance(raw, str) or why:
            made.barred.extend(Barred(call.object, str(why)) for call in group)
            continue
        raw["name"] = free_name(raw["name"], first, names)
        names.add(raw["name"])
        made.targets.append(raw)
        if "caBundleRef" in raw and raw["caBundleRef"] not in made.bundles:
            made.bundles[raw["caBundleRef"]] = as_pem(group[0].bundle.anchors)
    made.targets.sort(key=lambda one: str(one["name"]))
    return made


def _key(call: Call) -> tuple[str, ...]:
    """Calls with one key are one target. An APIService is one of its own: its availability path is its name's."""
    trusted = call.bundle.id + call.bundle.error
    if call.kind is Kind.AGGREGATED_API:
        return (call.object,)
    if call.service is not None:
        return ("service", call.service.namespace, call.service.name, str(call.service.port), trusted)
    assert call.place is not None  # noqa: S101 (callers.py: one of the two)
    return ("url", call.place.host.lower(), str(call.place.port), trusted)


def _rank(call: Call) -> tuple[bool, bool, bool, str, str, int, str, str]:
    """What matters most first: what is called before what never is, Fail before Ignore, admission before conversion."""
    conversion = call.object.startswith("CustomResourceDefinition/")
    same = (
        call.object,
        call.url,
        call.timeout,
        call.affects,
        str(call.condition),
    )  # a recorded file may hold one object twice
    return (not call.affects, call.policy is FailurePolicy.IGNORE, conversion, *same)


def _target(group: list[Call], resolve: Resolver) -> dict[str, Any] | str:
    """The target of a group, the one that matters most first; a string says why there is none."""
    lead = group[0]
    raw: dict[str, Any] = {"kind": str(lead.kind)}
    if lead.service is not None:
        service = {"namespace": lead.service.namespace, "name": lead.service.name, "port": lead.service.port}
        raw |= {"name": _service_name(lead, lead.service), "service": service}
        if lead.service.path:
            service["path"] = lead.service.path
        found = resolve(lead.kind, lead.service)
        if isinstance(found, str):
            return found
        if isinstance(found, CallRefusal):
            raw["refusal"] = {"finding": found.finding, "error": found.error}
        elif not found.endpoints:
            return f"its endpoints cannot be dialled: {', '.join(found.odd[:3])}"
        else:
            raw["addresses"] = _some_of([str(one) for one in found.endpoints])
    elif lead.place is not None:
        raw |= {"name": target_name(lead.kind, lead.place.host, lead.place.port), "url": lead.url}
    if lead.bundle.error:
        error = lead.bundle.error if lead.kind is Kind.AGGREGATED_API else NO_CLIENT + lead.bundle.error
        raw["refusal"] = {"finding": "CA_BUNDLE_UNUSABLE", "error": error[:MAX_WORDS]}
        raw.pop("addresses", None)
    elif lead.bundle.id and lead.verify:
        raw["caBundleRef"] = lead.bundle.id
    if not lead.verify:
        raw["insecureSkipTLSVerify"] = True
    if lead.kind is Kind.WEBHOOK:
        raw |= {"timeoutSeconds": min(call.timeout for call in group), "failurePolicy": str(lead.policy)}
    if lead.condition:
        raw["condition"] = msgspec.to_builtins(lead.condition)
    if not lead.affects:
        raw["impact"] = "none"
    raw["objects"] = _objects(group)
    raw["affects"] = _affects(group)
    return raw


def _service_name(call: Call, service: ServiceRef) -> str:
    if call.kind is Kind.AGGREGATED_API:  # the path of its availability check follows from it
        return bounded(call.object.partition("/")[2])
    return target_name(call.kind, service.server_name, service.port)


def _objects(group: list[Call]) -> list[str]:
    names = [call.object[:MAX_WORDS] for call in group]
    more = len(names) - MAX_OBJECTS
    return names if more <= 0 else [*names[: MAX_OBJECTS - 1], f"and {more + 1} more"]


def _affects(group: list[Call]) -> str:
    """What stands behind the policy that the target has."""
    lead = group[0]
    said = "; ".join(dict.fromkeys(call.affects for call in group if call.affects and call.policy is lead.policy))
    return said if len(said) <= _MOST_AFFECTS else said[: _MOST_AFFECTS - 1] + "…"


def _some_of(addresses: list[str]) -> list[str]:
    """All of them, or of too many always the same."""
    if len(addresses) > MAX_ADDRESSES:
        addresses = sorted(addresses, key=lambda one: sha256(one.encode()).digest())[:MAX_ADDRESSES]
    return sorted(addresses)


def _checked(raw: dict[str, Any], lead: Call) -> str:
    """What a targets file would refuse of it: one that is not well formed must not take the whole plan down."""
    try:
        read_target(raw, "", {lead.bundle.id: lead.bundle.anchors})
    except InputError as error:
        return str(error).lstrip(".")
    return ""
