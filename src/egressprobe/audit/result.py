"""The audit's result; its JSON is `egressprobe/audit/v1`.

A `TargetRow` is one target, its cells the subnets in order; `paths` has every path that the cells were made of.
"""

from typing import Any

from egressprobe.audit.paths.destination import NotAudited, TargetRow
from egressprobe.audit.paths.reachability import Path, State
from egressprobe.audit.vpc.blockers import Blame
from egressprobe.audit.vpc.firewall.connection import NO_NAMES
from egressprobe.model.report import Finding
from egressprobe.model.struct import CompactStruct
from egressprobe.model.target import Verdict

AUDIT_SCHEMA = "egressprobe/audit/v1"


class SubnetColumn(CompactStruct, frozen=True):
    """One of the cluster's subnets, and its availability zone."""

    id: str
    zone: str


class PathBlame(CompactStruct, frozen=True):
    """What blocks a path. element: its id; evidence: ids, addresses, ports and rule numbers.

    return_traffic: it drops the replies; the call itself passes it.
    """

    code: str
    element: str
    said: str
    evidence: dict[str, Any] = {}
    return_traffic: bool = False


class PathReport(CompactStruct, frozen=True):
    """A path (paths/reachability.py has the fields); also: what blocks it besides `blame`.

    server_name: where a firewall on the path may look at it.
    """

    subnet: str
    address: str
    port: int
    protocol: str
    state: State
    blame: PathBlame | None = None
    narrowed: tuple[PathBlame, ...] = ()
    knowledge_ends: tuple[str, ...] = ()
    client_ports: str = ""
    nat_ports: tuple[str, ...] = ()
    elements: tuple[str, ...] = ()
    also: tuple[PathBlame, ...] = ()
    return_elements: tuple[str, ...] = ()
    server_name: str = ""


class Audit(CompactStruct, frozen=True):
    """rows: in the order of the targets; paths: of every subnet, address and port that was evaluated.

    suppressed: number of findings left out because their codes are in `skipped`.
    """

    schema_version: str
    taken_at: str
    region: str
    cluster_name: str
    vpc: str
    verdict: Verdict
    subnets: tuple[SubnetColumn, ...]
    rows: tuple[TargetRow, ...]
    findings: tuple[Finding, ...]
    paths: tuple[PathReport, ...] = ()
    skipped: tuple[str, ...] = ()
    limits: str = ""
    not_audited: tuple[NotAudited, ...] = ()
    suppressed: int = 0


def path_report(path: Path) -> PathReport:
    """A path as it is written out."""
    return PathReport(
        subnet=path.subnet,
        address=path.address,
        port=path.port,
        protocol=path.protocol,
        state=path.state,
        blame=_blame(path.blame) if path.blame else None,
        narrowed=tuple(map(_blame, path.narrowed)),
        knowledge_ends=path.knowledge_ends,
        client_ports=path.client_ports,
        nat_ports=path.nat_ports,
        elements=path.elements,
        also=tuple(map(_blame, path.also)),
        return_elements=path.return_elements,
        server_name="" if path.server_name in NO_NAMES else path.server_name,
    )


def _blame(blame: Blame) -> PathBlame:
    return PathBlame(blame.code, blame.element, blame.said, blame.evidence, blame.return_traffic)
