"""The Planner of a cluster with targets of its own: the built one, and the targets file in it.

The same bytes for the same content: the key follows from them, so that a file that did not change changes no stack.
"""

import io
import json
import zipfile
from collections.abc import Iterable
from pathlib import Path

from egressprobe.model.errors import InputError, input_error
from egressprobe.planner.inventory import Inventory, as_document, read_inventory
from egressprobe.targets.file import ARTIFACT_BYTES
from egressprobe.targets.lines import read_targets

_PLACE = "egressprobe/planner/targets.json"
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
_READABLE = 0o644 << 16


def read_inventories(names: Iterable[str], folder: Path) -> dict[str, Inventory]:
    """Targets files, relative to `folder`. Raises InputError with every mistake in any of them."""
    inventories: dict[str, Inventory] = {}
    mistakes: list[InputError] = []
    for name in dict.fromkeys(names):
        try:
            inventories[name] = read_targets(str(folder / name), most=ARTIFACT_BYTES).read(read_inventory)
        except InputError as error:
            mistakes += error.mistakes
    if mistakes:
        raise input_error(mistakes)
    return inventories


def planner_with(planner: bytes, inventory: Inventory) -> bytes:
    """The zip of a Planner that carries these targets. Raises InputError for one that carries some already."""
    packed = io.BytesIO(planner)
    with zipfile.ZipFile(packed, "a", zipfile.ZIP_DEFLATED) as archive:
        if _PLACE in archive.namelist():
            raise InputError(
                "TARGETS", "is in build/planner.zip; name targets in the file of clusters, and build again"
            )
        entry = zipfile.ZipInfo(_PLACE, _LONG_AGO)
        entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, _READABLE
        archive.writestr(entry, json.dumps(as_document(inventory), indent=1))
    return packed.getvalue()
