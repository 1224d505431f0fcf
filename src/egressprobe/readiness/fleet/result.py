"""The readiness of a fleet; its JSON is `egressprobe/fleet/v1`."""

from enum import StrEnum

from egressprobe.model.struct import CompactStruct
from egressprobe.readiness.result import Decision

FLEET_SCHEMA = "egressprobe/fleet/v1"


class FleetEvidence(StrEnum):
    """What a line is based on. AUDIT_ONLY: no stack probes the cluster, so it cannot be GO. NONE: it was not read."""

    PROBED = "probed"
    AUDIT_ONLY = "audit only"
    NONE = "not read"


class FleetCluster(CompactStruct, frozen=True):
    """One cluster. decides: the most important reason, in words; more: how many further reasons there are.

    version, mode and status are empty where the cluster could not be read. stack: whose probes measured.
    """

    name: str
    region: str
    decision: Decision
    evidence: FleetEvidence
    decides: str
    version: str = ""
    mode: str = ""
    status: str = ""
    code: str = ""
    more: int = 0
    stack: str = ""


class FleetRegion(CompactStruct, frozen=True):
    """error: why its clusters could not be listed; clusters: how many were."""

    name: str
    clusters: int = 0
    error: str = ""


class Fleet(CompactStruct, frozen=True):
    """clusters: the worst first, then by region and name. rounds, seconds: of each cluster that has probes.

    decision: the worst of the clusters; UNKNOWN where a region could not be listed, and where there is no cluster.
    interrupted: a person ended it; what had not been read by then is UNKNOWN.
    """

    schema_version: str
    run_id: str
    started_at: str
    duration_ms: float
    version: str
    decision: Decision
    clusters: tuple[FleetCluster, ...]
    regions: tuple[FleetRegion, ...]
    rounds: int
    seconds: float
    interrupted: bool = False
