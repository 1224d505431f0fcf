"""The result of discovery: targets, CA bundles, findings. Frozen, JSON both ways."""

from typing import Annotated, Any

import msgspec

from egressprobe.model.ownership import Owners
from egressprobe.model.report import Finding
from egressprobe.model.struct import Struct

DISCOVERED_SCHEMA = "egressprobe/discovered/v1"


class LeftOut(msgspec.Struct, frozen=True, order=True):
    """An object that is not probed on purpose."""

    object: str
    why: str


class TargetKeys(msgspec.Struct, rename="camel"):
    """What planning reads of a discovered target; the target as a whole is checked where it is used (targets/spec.py).

    objects: the objects that it was made of, at least one.
    """

    name: str
    objects: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    ca_bundle_ref: str = ""


class Discovered(Struct, frozen=True):
    """targets, bundles: as in a targets file, the same bytes for the same objects in any order.

    owners: by target; with them as its keys a target is as in a targets file (model/ownership.py).
    unread: plural names of the lists that were not read completely: what else they contain is unknown.
    """

    targets: tuple[dict[str, Any], ...] = ()
    bundles: dict[str, str] = {}
    findings: tuple[Finding, ...] = ()
    left: tuple[LeftOut, ...] = ()
    unread: tuple[str, ...] = ()
    owners: Owners = {}
    schema_version: str = DISCOVERED_SCHEMA
