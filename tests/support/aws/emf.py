"""Embedded metric format documents out of what a function printed, each valid against AWS's schema."""

import json
from pathlib import Path
from typing import Any

import jsonschema

_SCHEMA = json.loads((Path(__file__).parents[2] / "data" / "emf.schema.json").read_text())


def documents(printed: str) -> list[dict[str, Any]]:
    """Every EMF document; raises jsonschema.ValidationError, AssertionError for what the schema cannot say."""
    found = []
    for line in printed.splitlines():
        if '"_aws"' not in line:
            continue
        document = json.loads(line)
        jsonschema.validate(document, _SCHEMA)
        assert len(line) < 1_000_000
        for directive in document["_aws"]["CloudWatchMetrics"]:
            for metric in directive["Metrics"]:
                values = document[metric["Name"]]
                assert all(isinstance(v, int | float) for v in (values if isinstance(values, list) else [values]))
            for names in directive["Dimensions"]:
                assert all(isinstance(document[name], str) and document[name].strip() for name in names)
        found.append(document)
    return found


def metrics(document: dict[str, Any]) -> dict[str, float]:
    [directive] = document["_aws"]["CloudWatchMetrics"]
    values = {m["Name"]: document[m["Name"]] for m in directive["Metrics"]}
    return {name: value[0] if isinstance(value, list) else value for name, value in values.items()}
