"""What the audit says of one way: from one subnet to one address, port and protocol."""

from typing import Any, Literal

from egressprobe.model.struct import CompactStruct

type State = Literal["open", "partial", "closed", "unknown"]


class Blame(CompactStruct, frozen=True):
    """The element that closes a path. code: the catalogue's; element: its id; evidence: ids and rule numbers."""

    code: str
    element: str
    said: str
    evidence: dict[str, Any] = {}


class Path(CompactStruct, frozen=True):
    """open: packets pass both ways on every client port 1024-65535; partial: on some of them; closed: on none.

    unknown: nothing that we know closes it, and `knowledge_ends` says where we know no more.
    client_ports, nat_ports: those that pass, where not all do; a connection needs one of each.
    elements: what is passed, in order: groups, ACLs, tables, gates.
    """

    subnet: str
    address: str
    port: int
    protocol: Literal["tcp", "udp"]
    state: State
    blame: Blame | None = None
    narrowed: tuple[Blame, ...] = ()
    knowledge_ends: tuple[str, ...] = ()
    client_ports: str = ""
    nat_ports: tuple[str, ...] = ()
    elements: tuple[str, ...] = ()
