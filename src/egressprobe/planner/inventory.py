"""Everything the stack may probe: a targets file of any size, checked, with each CA bundle once.

The file is read at deploy time and carried in the Planner's artifact (`targets.json`); what the Planner schedules,
and what it lets people ask for, is this and nothing else.
"""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from egressprobe.golang.x509.ca_bundle import as_pem
from egressprobe.model.errors import InputError, short
from egressprobe.model.joined_report import RefusedTarget
from egressprobe.model.target import TARGETS_SCHEMA, Plan, Target
from egressprobe.net.guard import forbidden
from egressprobe.targets.plan import read_plan
from egressprobe.targets.spec import read_anchors, read_target

BUNDLED = Path(__file__).with_name("targets.json")
_ANY = 1 << 31
# What a plan says beside its targets and bundles, and every shard of it repeats.
_COMMON = ("resolvers", "compareResolvers", "ipFamily", "sources", "kubeVersion")


class Entry(NamedTuple):
    """One target: as written, its CA bundle by hash, and as checked."""

    raw: dict[str, Any]
    target: Target


class Inventory(NamedTuple):
    """Targets by name, bundles by hash as PEM, and what all of them have in common."""

    entries: dict[str, Entry]
    bundles: dict[str, str]
    common: dict[str, Any]


EMPTY = Inventory({}, {}, {})


def read_inventory(document: object) -> Inventory:
    """Checked as a targets file is, without its bound. Raises InputError."""
    plan: Plan = read_plan(document, forbidden=forbidden, most=_ANY)
    assert isinstance(document, dict)  # noqa: S101 (read_plan has seen to it)
    entries = {
        target.name: Entry(_canonical(raw, target), target)
        for raw, target in zip(document["targets"], plan.targets, strict=True)
    }
    return Inventory(
        entries=dict(sorted(entries.items())),
        bundles={name: as_pem(certificates) for name, certificates in sorted(plan.bundles.items())},
        common={key: document[key] for key in _COMMON if key in document},
    )


def extended(
    inventory: Inventory, targets: Iterable[dict[str, Any]], bundles: Mapping[str, str]
) -> tuple[Inventory, dict[str, str]]:
    """The inventory with targets that were discovered, and those that a targets file would refuse, with the reason.

    One that is not well formed must not take the plan down.
    """
    shared: dict[str, tuple[bytes, ...]] = {}
    for name, pem in bundles.items():
        with suppress(InputError):  # said of each target that trusts it
            shared[name] = read_anchors(pem, name)
    entries, kept, odd = dict(inventory.entries), dict(inventory.bundles), {}
    for raw in targets:
        try:
            target, trusted = read_target(raw, "", shared)
        except InputError as error:
            odd[short(str(raw.get("name")))] = str(error).lstrip(".")
            continue
        entries[target.name] = Entry(_canonical(raw, target), target)
        if trusted and target.bundle not in kept:
            kept[target.bundle] = as_pem(trusted)
    return inventory._replace(entries=dict(sorted(entries.items())), bundles=dict(sorted(kept.items()))), odd


def bundled(path: Path = BUNDLED) -> Inventory:
    """What was deployed; without a targets file the stack has what it discovers."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return EMPTY
    return read_inventory(json.loads(text))


def as_document(inventory: Inventory) -> dict[str, Any]:
    """A targets file that reads back as the same inventory, the same bytes for the same targets in any order."""
    targets = [entry.raw for entry in inventory.entries.values()]
    return {"schemaVersion": TARGETS_SCHEMA, **inventory.common, "bundles": inventory.bundles, "targets": targets}


def chosen(inventory: Inventory, wanted: list[Any]) -> tuple[list[Entry], list[RefusedTarget]]:
    """Those of the inventory that were asked for, and what was refused with the reason.

    Asked for by name, or by a target as in a targets file: it is taken when the inventory has one that dials the
    same, and then the inventory's is probed. Invoking a probe equals network access, so nothing else is let in.
    """
    found: dict[str, Entry] = {}
    refused: list[RefusedTarget] = []
    by_place = {_place(entry.raw): entry for entry in inventory.entries.values()}
    for i, one in enumerate(wanted):
        name = one if isinstance(one, str) else one.get("name", "") if isinstance(one, dict) else ""
        entry = by_place.get(_place(one)) if isinstance(one, dict) else inventory.entries.get(name)
        if entry:
            found[entry.target.name] = entry
        else:
            refused.append(RefusedTarget(short(str(name)) or f"targets[{i}]", _hint(inventory, str(name))))
    return list(found.values()), refused


def _place(raw: dict[str, Any]) -> tuple[str, ...]:
    """What decides which packets leave: nothing of a caller's beyond it is used."""
    parts = (raw.get("kind"), raw.get("url"), raw.get("service"), raw.get("addresses"), raw.get("control"))
    return tuple(json.dumps(part, sort_keys=True, default=str) for part in parts)


def _hint(inventory: Inventory, name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, inventory.entries, 1)
    way_out = f"did you mean «{near[0]}»?" if near else "add it to the targets file and deploy"
    return f"is not in this stack's inventory of {len(inventory.entries)} targets; {way_out}"


def _canonical(raw: dict[str, Any], target: Target) -> dict[str, Any]:
    kept = {key: value for key, value in sorted(raw.items()) if key not in ("caBundle", "caBundleRef")}
    return kept | ({"caBundleRef": target.bundle} if target.bundle else {})
