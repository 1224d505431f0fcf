"""Arguments compared with the provider's schema (tests/data/terraform-aws.json, by scripts/provider_schema.py)."""

import json
from typing import Any

from tests.conftest import ROOT

SCHEMA = json.loads((ROOT / "tests" / "data" / "terraform-aws.json").read_text())
_META = ("count", "for_each", "depends_on", "lifecycle")


def errors(kind: str, arguments: dict[str, Any]) -> list[str]:
    """What the provider would refuse: names, nesting, what is required, types. Values are as planned, blocks as lists."""
    return _errors(kind, SCHEMA["resources"][kind]["arguments"], arguments)


def _errors(place: str, known: dict[str, Any], given: dict[str, Any]) -> list[str]:
    found = [f"{place}.{name} is not known" for name in given if name not in known and name not in _META]
    for name, said in known.items():
        value, where = given.get(name), f"{place}.{name}"
        if isinstance(said, list):
            kind, required = said
            if value is None:
                found += [f"{where} is required"] * required
            else:
                found += _of_type(where, kind, value)
            continue
        blocks = value or []
        if not isinstance(blocks, list) or not all(isinstance(one, dict) for one in blocks):
            found.append(f"{where} is a block")
            continue
        found += [f"{where} is required"] * (said["required"] and not blocks)
        found += [f"{where} may be there once"] * (len(blocks) > 1 and not said["many"])
        for one in blocks:
            found += _errors(where, said["block"], one)
    return found


def _of_type(where: str, kind: str, value: Any) -> list[str]:
    """Terraform converts a number and a boolean to a string, and back where the text is one."""
    if kind.startswith("list("):
        items = value if isinstance(value, list) else None
    elif kind.startswith("map("):
        items = list(value.values()) if isinstance(value, dict) else None
    else:
        return [] if _is(kind, value) else [f"{where} is a {kind}, not {value!r}"]
    if items is None:
        return [f"{where} is a {kind}, not {value!r}"]
    return [error for item in items for error in _of_type(where, kind[kind.index("(") + 1 : -1], item)]


def _is(kind: str, value: Any) -> bool:
    if isinstance(value, list | dict) or value is None:
        return False
    if kind == "number":
        return str(value).replace(".", "", 1).isdigit() and not isinstance(value, bool)
    return kind == "string" or str(value).lower() in ("true", "false")
