"""JSON Schemas (2020-12) of what other programs read, generated from the types."""

import json

import msgspec

from egressprobe.incidents.model import INCIDENT_SCHEMA, IncidentMessage

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def incident_schema() -> str:
    """The detail of the event `egressprobe incident`. Further properties may follow in the same version."""
    schema = msgspec.json.schema(IncidentMessage)
    definitions = schema["$defs"]
    definitions["IncidentMessage"]["properties"]["schemaVersion"]["const"] = INCIDENT_SCHEMA
    named = {"$schema": _DIALECT, "$id": INCIDENT_SCHEMA, "title": "egressprobe incident"}
    return json.dumps(named | schema, indent=2) + "\n"
