"""One connection as its packets: what the firewall's engines see of it, in order.

The connection of an API server is TCP, then TLS. Since Kubernetes 1.32 its ClientHello takes two TCP segments (a
post-quantum key share), so that a rule may see the first segment before the server name is known.
"""

from typing import Literal, NamedTuple

from egressprobe.audit.vpc.cidr import Address, Ports

# In place of a server name: not known; TLS without a server name (the target is an address); no TLS.
ANY_NAME, WITHOUT_NAME, NOT_TLS = "", "(none)", "(no TLS)"
NO_NAMES = (ANY_NAME, WITHOUT_NAME, NOT_TLS)
type Hello = Literal["", "part", "whole"]
type Phase = Literal["connect", "tls", "data"]


class Connection(NamedTuple):
    """protocol: IANA number. ports: of the client, those that may be used; port: of the server."""

    protocol: int
    client: Address
    ports: Ports
    server: Address
    port: int
    server_name: str = ANY_NAME


class FlowPacket(NamedTuple):
    """A packet as the stateful engine sees it. first: of its direction. hello: of a ClientHello the whole or the begin.

    application: the protocol that was detected, `?` where the packet has data of a protocol that is not known here.
    optional: it may not occur. phase: what is lost with it.
    """

    phase: Phase
    to_server: bool
    established: bool
    first: bool = False
    application: str = ""
    hello: Hello = ""
    optional: bool = False

    @property
    def has_data(self) -> bool:
        return self.application != ""


_HANDSHAKE = (
    FlowPacket("connect", to_server=True, established=False, first=True),
    FlowPacket("connect", to_server=False, established=False, first=True),
)
_TLS = (
    *_HANDSHAKE,
    FlowPacket("tls", to_server=True, established=True, application="tls", hello="part", optional=True),
    FlowPacket("tls", to_server=True, established=True, application="tls", hello="whole"),
    FlowPacket("tls", to_server=False, established=True, application="tls"),
    FlowPacket("data", to_server=True, established=True, application="tls"),
)
_PLAIN = (
    *_HANDSHAKE,
    FlowPacket("data", to_server=True, established=True, application="?"),
    FlowPacket("data", to_server=False, established=True, application="?"),
)
_DATAGRAMS = (
    FlowPacket("connect", to_server=True, established=False, first=True, application="?"),
    FlowPacket("connect", to_server=False, established=True, first=True, application="?"),
)


def packets(connection: Connection) -> tuple[FlowPacket, ...]:
    """In their order; all that have to arrive, and those that may occur."""
    if connection.protocol != 6:
        return _DATAGRAMS
    return _PLAIN if connection.server_name == NOT_TLS else _TLS
