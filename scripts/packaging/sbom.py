"""A software bill of materials in CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/) of an installed folder.

Name, version, licence and dependencies come from the packages' own metadata, the hash from the wheel that was
installed, which the lock has pinned. It has no time and a serial number of its content: the same input, the same bytes.
"""

import json
import re
import uuid
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from packaging.markers import default_environment
from packaging.requirements import Requirement

_OURS = "egressprobe"
_LICENSE = "License :: "
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://cyclonedx.org/schema/bom-1.6.schema.json")
_SPDX = re.compile(r"[A-Za-z0-9.+-]+( (AND|OR|WITH) [A-Za-z0-9.+-]+)*")


def canonical(name: str) -> str:
    """PyPA, name normalization."""
    return re.sub(r"[-_.]+", "-", name).lower()


def sbom(site: Path, hashes: dict[str, str], extra: str) -> str:
    """The document. hashes: SHA-256 of each wheel by canonical name. extra: which of our extras is installed."""
    known = {canonical(found.metadata["Name"]): found for found in distributions(path=[str(site)])}
    ours = known[_OURS]
    components = [_component(name, found, hashes) for name, found in sorted(known.items()) if name != _OURS]
    main = _component(_OURS, ours, hashes) | {"type": "application"}
    graph = [
        {"ref": _purl(name, found), "dependsOn": [_purl(other, known[other]) for other in _needs(found, known, extra)]}
        for name, found in sorted(known.items())
    ]
    body: dict[str, Any] = {"metadata": {"component": main}, "components": components, "dependencies": graph}
    serial = uuid.uuid5(_NAMESPACE, json.dumps(body, sort_keys=True))
    head = {"bomFormat": "CycloneDX", "specVersion": "1.6", "serialNumber": serial.urn, "version": 1}
    return json.dumps(head | body, indent=2) + "\n"


def _component(name: str, found: Distribution, hashes: dict[str, str]) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": _purl(name, found),
        "name": name,
        "version": found.version,
        "purl": _purl(name, found),
        "hashes": [{"alg": "SHA-256", "content": hashes[name]}],
    }
    expression = found.metadata.get("License-Expression", "")
    text = found.metadata.get("License", "")
    if _SPDX.fullmatch(expression):
        component["licenses"] = [{"expression": expression}]
    elif text and "\n" not in text:
        component["licenses"] = [{"license": {"name": text}}]
    elif names := [line.rpartition(" :: ")[2] for line in found.metadata.get_all("Classifier", []) if _LICENSE in line]:
        component["licenses"] = [{"license": {"name": name}} for name in names]
    return component


def _needs(found: Distribution, known: dict[str, Distribution], extra: str) -> list[str]:
    """The installed packages that a package requires: by its own metadata, or for an extra that we ask for."""
    extras = ("", *({_OURS: (extra,)} | _EXTRAS).get(canonical(found.metadata["Name"]), ()))
    names = set()
    for requirement in map(Requirement, found.requires or ()):
        environments = [default_environment() | {"extra": name} for name in extras]
        if requirement.marker is None or any(map(requirement.marker.evaluate, environments)):
            names.add(canonical(requirement.name))
    return sorted(names & known.keys())


# pyproject.toml: httpx[http2].
_EXTRAS = {"httpx": ("http2",)}


def _purl(name: str, found: Distribution) -> str:
    return f"pkg:pypi/{name}@{found.version}"
