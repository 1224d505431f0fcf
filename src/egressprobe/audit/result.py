"""The nouns of the audit's answer; their JSON is `egressprobe/audit/v1`.

A `Row` is one target, its cells the subnets in order; the ways that the cells were made of are in `paths`.
"""

from egressprobe.audit.vpc.path import Path, State
from egressprobe.model.report import Finding
from egressprobe.model.struct import CompactStruct
from egressprobe.model.target import Verdict

AUDIT_SCHEMA = "egressprobe/audit/v1"


class Wanted(CompactStruct, frozen=True):
    """Something to reach. host: the name that is resolved, empty where addresses are given.

    assumed: the addresses stand for the internet, because the name was not resolved here.
    """

    name: str
    host: str
    port: int
    addresses: tuple[str, ...] = ()
    assumed: bool = False


class Cell(CompactStruct, frozen=True):
    """One target from one subnet. code: of what closes or narrows it."""

    subnet: str
    state: State
    code: str = ""


class Row(CompactStruct, frozen=True):
    target: Wanted
    cells: tuple[Cell, ...]


class Place(CompactStruct, frozen=True):
    """One of the cluster's subnets."""

    id: str
    zone: str


class Audit(CompactStruct, frozen=True):
    """rows: in the order of the targets; paths: of every subnet, address and port that was asked for."""

    schema_version: str
    taken_at: str
    region: str
    cluster_name: str
    vpc: str
    verdict: Verdict
    subnets: tuple[Place, ...]
    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]
    paths: tuple[Path, ...] = ()
    skipped: tuple[str, ...] = ()
    limits: str = ""
