"""Everything the stack may probe: a targets file of any size, checked, with each CA bundle once.

The file is read at deploy time and packaged in the Planner's artifact (`targets.json`). The Planner schedules these
targets and the discovered ones, and probes nothing else on demand.
"""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from egressprobe.golang.x509.ca_bundle import as_pem
from egressprobe.model.errors import InputError, short
from egressprobe.model.joined_report import RefusedTarget
from egressprobe.model.target import TARGETS_SCHEMA, Plan, Target
from egressprobe.net.guard import forbidden
from egressprobe.net.urls import shown_text
from egressprobe.targets.ca_bundle import read_anchors
from egressprobe.targets.plan import read_plan
from egressprobe.targets.spec import read_target

BUNDLED = Path(__file__).with_name("targets.json")
_ANY = 1 << 31
_LONGEST_GLOB = 256
# The fields of a plan beside its targets and bundles; every shard repeats them.
_COMMON = ("resolvers", "compareResolvers", "ipFamily", "sources", "kubeVersion")


class InventoryEntry(NamedTuple):
    """One target: as written, its CA bundle by hash, and as checked."""

    raw: dict[str, Any]
    target: Target


class Inventory(NamedTuple):
    """Targets by name, bundles by hash as PEM, and the plan fields that all of them share."""

    entries: dict[str, InventoryEntry]
    bundles: dict[str, str]
    common: dict[str, Any]


EMPTY = Inventory({}, {}, {})


def read_inventory(document: object) -> Inventory:
    """Checks it as a targets file, without the limit on their number. Raises InputError."""
    plan: Plan = read_plan(document, forbidden=forbidden, most=_ANY)
    assert isinstance(document, dict)  # noqa: S101 (read_plan has checked it)
    entries = {
        target.name: InventoryEntry(_canonical(raw, target), target)
        for raw, target in zip(document["targets"], plan.targets, strict=True)
    }
    return Inventory(
        entries=dict(sorted(entries.items())),
        bundles={name: as_pem(certificates) for name, certificates in sorted(plan.bundles.items())},
        common={key: document[key] for key in _COMMON if key in document},
    )


def with_discovered(
    inventory: Inventory, targets: Iterable[dict[str, Any]], bundles: Mapping[str, str]
) -> tuple[Inventory, dict[str, str]]:
    """The inventory with discovered targets added, and the invalid ones by name with the reason.

    An invalid target must not stop the whole plan. An owner or severity of the targets file counts, not that of an
    annotation: whoever deploys has written it for this stack.
    """
    shared: dict[str, tuple[bytes, ...]] = {}
    for name, pem in bundles.items():
        with suppress(InputError):  # reported for each target that uses the bundle
            shared[name] = read_anchors(pem, name)
    entries, used_bundles, invalid = dict(inventory.entries), dict(inventory.bundles), {}
    for raw in targets:
        try:
            target, trusted = read_target(raw, "", shared)
        except InputError as error:
            invalid[short(shown_text(str(raw.get("name"))))] = str(error).lstrip(".")
            continue
        written = inventory.entries.get(target.name)
        owner, severity = (written.target.owner, written.target.severity) if written else ("", None)
        target = replace(target, owner=owner or target.owner, severity=severity or target.severity)
        entries[target.name] = InventoryEntry(_canonical(raw, target), target)
        if trusted and target.bundle not in used_bundles:
            used_bundles[target.bundle] = as_pem(trusted)
    extended = inventory._replace(entries=dict(sorted(entries.items())), bundles=dict(sorted(used_bundles.items())))
    return extended, invalid


def bundled(path: Path = BUNDLED) -> Inventory:
    """The inventory in this artifact; empty where the stack was deployed without a targets file."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return EMPTY
    return read_inventory(json.loads(text))


def as_document(inventory: Inventory) -> dict[str, Any]:
    """A targets file that reads back as the same inventory; the same bytes for the same targets in any order."""
    targets = [entry.raw for entry in inventory.entries.values()]
    return {"schemaVersion": TARGETS_SCHEMA, **inventory.common, "bundles": inventory.bundles, "targets": targets}


def chosen(inventory: Inventory, requests: list[Any]) -> tuple[list[InventoryEntry], list[RefusedTarget]]:
    """The requested entries of the inventory, and the refused requests with the reason.

    A request is a name, a glob of names (* and ?, in any case), or a target as in a targets file. A target is accepted
    when the inventory has one that dials the same; then the inventory's own entry is probed. Invoking a probe equals
    network access, so nothing else is accepted.
    """
    accepted: dict[str, InventoryEntry] = {}
    refused: list[RefusedTarget] = []
    by_destination = {_destination(entry.raw): entry for entry in inventory.entries.values()}
    for i, request in enumerate(requests):
        name = request if isinstance(request, str) else request.get("name", "") if isinstance(request, dict) else ""
        if isinstance(request, dict):
            entry = by_destination.get(_destination(request))
            entries = [entry] if entry else []
        else:
            entries = _named(inventory, name)
        accepted |= {entry.target.name: entry for entry in entries}
        if not entries:
            refused.append(
                RefusedTarget(short(shown_text(str(name))) or f"targets[{i}]", _refusal(inventory, str(name)))
            )
    return list(accepted.values()), refused


def _named(inventory: Inventory, name: str) -> list[InventoryEntry]:
    entry = inventory.entries.get(name)
    if entry or not ({"*", "?"} & set(name)) or len(name) > _LONGEST_GLOB:
        return [entry] if entry else []
    return [known for text, known in inventory.entries.items() if fnmatchcase(text.lower(), name.lower())]


def _destination(raw: dict[str, Any]) -> tuple[str, ...]:
    """The fields that decide which packets leave; nothing else of a caller's target is used."""
    parts = (raw.get("kind"), raw.get("url"), raw.get("service"), raw.get("addresses"), raw.get("control"))
    return tuple(json.dumps(part, sort_keys=True, default=str) for part in parts)


def _refusal(inventory: Inventory, name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, inventory.entries, 1)
    hint = f'did you mean "{near[0]}"?' if near else "add it to the targets file and deploy"
    return f"is not in this stack's inventory of {len(inventory.entries)} targets; {hint}"


def _canonical(raw: dict[str, Any], target: Target) -> dict[str, Any]:
    fields = {key: value for key, value in sorted(raw.items()) if key not in ("caBundle", "caBundleRef")}
    return fields | ({"caBundleRef": target.bundle} if target.bundle else {})
