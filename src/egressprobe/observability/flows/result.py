"""The types of the report of `egressprobe flows`. Frozen, no I/O; their JSON (camelCase) is the contract.

Times are RFC 3339 in UTC with seconds, empty where there is none.
"""

from enum import StrEnum

from egressprobe.model.struct import CompactStruct, Struct
from egressprobe.model.target import Impact, Verdict

FLOWS_SCHEMA = "egressprobe/flows/v1"
PROBE, CONTROL_PLANE = "probe", "control plane"


class FlowState(StrEnum):
    """What the records prove of a place, in the order of what matters most.

    rejected, return_rejected: the security groups of our interface, or the network ACL of its subnet, refuse requests
    or what returns; until now. no_return: requests left, nothing came back: not the interface's own rules. refused:
    only resets came back. was_rejected: it was refused, and was accepted later. unsettled: too new to tell, or records
    were lost. not_seen: no record.
    """

    REJECTED = "rejected"
    RETURN_REJECTED = "return_rejected"
    NO_RETURN = "no_return"
    REFUSED = "refused"
    UNSETTLED = "unsettled"
    NOT_SEEN = "not_seen"
    WAS_REJECTED = "was_rejected"
    ANSWERED = "answered"


class FlowTally(CompactStruct, frozen=True):
    """Records of one direction and action at one place. tcp_flags: names, where the format has them."""

    direction: str
    action: str
    records: int
    packets: int
    bytes: int
    first: str
    last: str
    tcp_flags: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


class FlowPlace(Struct, frozen=True):
    """One address and port, from one interface. kind: probe or control plane. answered_until: of no_return."""

    address: str
    port: int
    interface_id: str
    kind: str
    subnet_id: str
    state: FlowState
    tallies: tuple[FlowTally, ...]
    answered_until: str = ""

    @property
    def where(self) -> str:
        """ADDRESS:PORT."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


class FlowCell(Struct, frozen=True):
    """A target from a subnet: the state of the place that decides, and all places."""

    subnet_id: str
    state: FlowState
    verdict: Verdict
    places: tuple[FlowPlace, ...] = ()


class FlowRow(Struct, frozen=True):
    """One target, from the interfaces of one kind. addresses_from: plan, log, probe, or empty where none is known."""

    target: str
    url: str
    kind: str
    verdict: Verdict
    impact: Impact | None
    expect: str
    addresses: tuple[str, ...]
    addresses_from: str
    cells: tuple[FlowCell, ...]


class FlowInterface(Struct, frozen=True):
    """One network interface. flow_logs: ids of those that were read for it. gaps: intervals by status."""

    id: str
    kind: str
    subnet_id: str
    addresses: tuple[str, ...]
    description: str = ""
    flow_logs: tuple[str, ...] = ()
    no_data: int = 0
    skipped: int = 0


class FlowSource(Struct, frozen=True):
    """One flow log, and what reading it took. problem: why it could not be read, or which part of it was not.

    note: what else its reader should know. traffic: ALL, ACCEPT or REJECT. method: Logs Insights, Athena, S3 objects,
    or empty. dollars: of the bytes scanned.
    """

    flow_log: str
    resource: str
    destination: str
    method: str
    traffic: str
    aggregation_seconds: int
    fields: tuple[str, ...]
    bytes_scanned: int = 0
    dollars: float = 0.0
    problem: str = ""
    note: str = ""


class ObservedSubnet(Struct, frozen=True):
    """A subnet with a probe."""

    id: str
    zone: str


class Flows(Struct, frozen=True):
    """What flow logs recorded from `since` to `until`. others: places that are of no known target.

    more_others: how many of them were left out. create: the command that creates a flow log, where one is missing.
    """

    schema_version: str
    started_at: str
    duration_ms: float
    stack: str
    cluster_name: str
    since: str
    until: str
    verdict: Verdict
    subnets: tuple[ObservedSubnet, ...]
    interfaces: tuple[FlowInterface, ...]
    sources: tuple[FlowSource, ...]
    rows: tuple[FlowRow, ...]
    others: tuple[FlowPlace, ...] = ()
    more_others: int = 0
    notes: tuple[str, ...] = ()
    create: tuple[str, ...] = ()
