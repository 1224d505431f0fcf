"""From calls to targets: calls that dial the same and trust the same are one target with many objects. Pure.

The same calls in any order give the same targets, byte for byte. No call is lost: it becomes a target, shares one, or
is reported as not probed, with the reason.
"""

from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

from egressprobe.apiserver.refusals import NO_CLIENT, NO_CONVERTER
from egressprobe.catalog.findings_webhook import CA_BUNDLE_UNUSABLE
from egressprobe.discovery.callers import Call, NotProbed
from egressprobe.discovery.endpoints import ServiceEndpoints
from egressprobe.discovery.target_names import bounded, free_name, target_name
from egressprobe.golang.x509.ca_bundle import as_pem
from egressprobe.model.errors import InputError
from egressprobe.model.ownership import joined_owners, with_owner
from egressprobe.model.target import CallRefusal, FailurePolicy, Kind, ServiceRef
from egressprobe.model.text import with_ellipsis
from egressprobe.targets.spec import MAX_ADDRESSES, MAX_OBJECTS, MAX_WORDS, read_target

_MOST_AFFECTS = 200  # characters
# What a Service leads to; a string says why that is not known.
type ServiceLookup = Callable[[Kind, ServiceRef], ServiceEndpoints | CallRefusal | str]


class TargetSet(NamedTuple):
    """targets: sorted by name. refused: those of which every call fails before it dials."""

    targets: list[dict[str, Any]]
    bundles: dict[str, str]
    not_probed: list[NotProbed]

    @property
    def refused(self) -> list[dict[str, Any]]:
        return [raw for raw in self.targets if "refusal" in raw]


def make_targets(calls: Iterable[Call], look_up: ServiceLookup) -> TargetSet:
    """Group, resolve, name: by their least objects, so that names do not depend on the order of `calls`."""
    groups: dict[tuple[str, ...], list[Call]] = {}
    for call in calls:
        groups.setdefault(_key(call), []).append(call)
    made = TargetSet([], {}, [])
    names: set[str] = set()
    for first, key in sorted((min(call.object for call in group), key) for key, group in groups.items()):
        group = sorted(groups[key], key=_rank)
        raw = _target(group, look_up)
        reason = raw if isinstance(raw, str) else _rejected(raw, group[0])
        if isinstance(raw, str) or reason:
            made.not_probed.extend(NotProbed(call.object, str(reason)) for call in group)
            continue
        raw["name"] = free_name(raw["name"], first, names)
        names.add(raw["name"])
        made.targets.append(raw)
        if "caBundleRef" in raw and raw["caBundleRef"] not in made.bundles:
            made.bundles[raw["caBundleRef"]] = as_pem(group[0].bundle.anchors)
    made.targets.sort(key=lambda raw: str(raw["name"]))
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
    # A recorded file may hold one object twice.
    same = (call.object, call.url, call.timeout, call.affects, f"{call.condition}{call.owner}")
    return (not call.affects, call.policy is FailurePolicy.IGNORE, _is_conversion(call), *same)


def _is_conversion(call: Call) -> bool:
    return call.object.startswith("CustomResourceDefinition/")


def _target(group: list[Call], look_up: ServiceLookup) -> dict[str, Any] | str:
    """The target of a group, the call that matters most first; a string says why there is none."""
    lead = group[0]
    raw: dict[str, Any] = {"kind": str(lead.kind)}
    refusal = lead.refusal
    if lead.service is not None:
        service = {"namespace": lead.service.namespace, "name": lead.service.name, "port": lead.service.port}
        raw |= {"name": _service_name(lead, lead.service), "service": service}
        if lead.service.path:
            service["path"] = lead.service.path
        endpoints = look_up(lead.kind, lead.service)
        if isinstance(endpoints, str):
            return endpoints
        if isinstance(endpoints, CallRefusal):
            refusal = endpoints
        elif not endpoints.endpoints:
            return f"its endpoints cannot be dialled: {', '.join(endpoints.undialled[:3])}"
        else:
            raw["addresses"] = _bounded_addresses([str(endpoint) for endpoint in endpoints.endpoints])
    elif lead.place is not None:
        raw |= {"name": target_name(lead.kind, lead.place.host, lead.place.port), "url": lead.url}
    if lead.bundle.error:
        refusal = CallRefusal(CA_BUNDLE_UNUSABLE.code, _bundle_error(lead)[:MAX_WORDS])
        raw.pop("addresses", None)
    elif lead.bundle.id and lead.verify:
        raw["caBundleRef"] = lead.bundle.id
    if refusal:
        raw["refusal"] = {"finding": refusal.finding, "error": refusal.error}
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
    return with_owner(raw, joined_owners(call.owner for call in group))


def _bundle_error(lead: Call) -> str:
    if _is_conversion(lead):
        return NO_CONVERTER
    return lead.bundle.error if lead.kind is Kind.AGGREGATED_API else NO_CLIENT + lead.bundle.error


def _service_name(call: Call, service: ServiceRef) -> str:
    if call.kind is Kind.AGGREGATED_API:  # the path of its availability check follows from it
        return bounded(call.object.partition("/")[2])
    return target_name(call.kind, service.server_name, service.port)


def _objects(group: list[Call]) -> list[str]:
    names = [call.object[:MAX_WORDS] for call in group]
    more = len(names) - MAX_OBJECTS
    return names if more <= 0 else [*names[: MAX_OBJECTS - 1], f"and {more + 1} more"]


def _affects(group: list[Call]) -> str:
    """The requests behind the policy that the target has."""
    lead = group[0]
    text = "; ".join(dict.fromkeys(call.affects for call in group if call.affects and call.policy is lead.policy))
    return with_ellipsis(text, _MOST_AFFECTS)


def _bounded_addresses(addresses: list[str]) -> list[str]:
    """All of them, or of too many always the same."""
    if len(addresses) > MAX_ADDRESSES:
        addresses = sorted(addresses, key=lambda address: sha256(address.encode()).digest())[:MAX_ADDRESSES]
    return sorted(addresses)


def _rejected(raw: dict[str, Any], lead: Call) -> str:
    """Why a targets file with it would be refused: one target that is not well formed must not cost the whole plan."""
    try:
        read_target(raw, "", {lead.bundle.id: lead.bundle.anchors})
    except InputError as error:
        return str(error).lstrip(".")
    return ""
