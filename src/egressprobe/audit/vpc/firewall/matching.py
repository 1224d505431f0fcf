"""Whether a stateful rule matches a packet of a connection: yes, no, or not to be judged (None).

Network Firewall Developer Guide, suricata-limitations-caveats: a rule of a layer 3 or 4 protocol without flow state is
judged for the first packet of each direction only. Suricata User Guide, rules/rule-types: such rules, and rules on the
server name, act on the whole flow.
"""

from egressprobe.audit.vpc.cidr import one_port
from egressprobe.audit.vpc.firewall.connection import ANY_NAME, NOT_TLS, WITHOUT_NAME, Connection, FlowPacket
from egressprobe.audit.vpc.firewall.sets import Variables, all_of, any_of, contains, matches_ports
from egressprobe.audit.vpc.firewall.suricata import SniContent, SuricataRule

_TCP, _UDP = 6, 17
_TLS = ("tls", "ssl")
# Rule protocols that the packets of a TLS connection never have (Suricata User Guide, rules/intro, "Protocol").
_OTHERS = frozenset(
    {
        *("http", "http1", "http2", "quic", "ftp", "ftp-data", "smb", "dns", "doh2", "mdns", "dcerpc", "ldap", "dhcp"),
        *("ssh", "smtp", "imap", "pop3", "modbus", "dnp3", "enip", "nfs", "ike", "ikev2", "krb5", "bittorrent-dht"),
        *("mqtt", "ntp", "rfb", "rdp", "snmp", "tftp", "sip", "telnet", "websocket", "pgsql", "msn"),
    }
)


def matches(rule: SuricataRule, names: Variables, connection: Connection, packet: FlowPacket) -> bool | None:
    """Whether the rule matches this packet."""
    if rule.needs_data and not packet.has_data:
        return False
    answer: bool | None = None if rule.unjudged else True
    for judge in _JUDGES:  # the cheap ones first: a list of domains has thousands of rules
        part = judge(rule, connection, packet)
        if part is False:
            return False
        answer = answer and part
    header = _header(rule, names, connection, packet)
    if header is False:
        return False
    # It was decided by the first packet, unless another rule passed that one alone.
    decided = rule.is_ip_only and not packet.first and "!" not in rule.source + rule.destination
    return None if decided else answer and header


def concerns(rule: SuricataRule, names: Variables, connection: Connection) -> bool:
    """Whether a rule can match any packet of a connection to this server and server name, whoever calls."""
    if connection.server_name != NOT_TLS and rule.protocol in _OTHERS:
        return False
    if server_name_matches(rule, connection.server_name) is False:
        return False
    port = one_port(connection.port)
    ends = ((rule.destination, rule.destination_ports), (rule.source, rule.source_ports))
    return any(
        matches_ports(ports, port, names) is not False and contains(text, connection.server, names) is not False
        for text, ports in ends
    )


def _protocol(rule: SuricataRule, connection: Connection, packet: FlowPacket) -> bool | None:
    protocol, number, version = rule.protocol, connection.protocol, connection.server.version
    layers = {"ip": True, "ipv4": version == 4, "ip4": version == 4, "ipv6": version == 6, "ip6": version == 6}
    layers |= {"tcp": number == _TCP, "tcp-pkt": number == _TCP, "udp": number == _UDP}
    layers |= dict.fromkeys(("icmp", "icmpv4", "icmpv6", "sctp", "arp", "ether", "pkthdr"), False)
    if protocol in layers:
        return layers[protocol]
    if protocol == "tcp-stream":  # content in the reassembled stream
        return None if number == _TCP and packet.has_data else False
    if protocol in _TLS:
        if number != _TCP or not packet.has_data:
            return False
        return True if packet.application == "tls" and packet.hello != "part" else None
    if protocol in _OTHERS:
        return None if packet.application == "?" else False
    return None


def _header(rule: SuricataRule, names: Variables, connection: Connection, packet: FlowPacket) -> bool | None:
    source, destination = (rule.source, rule.source_ports), (rule.destination, rule.destination_ports)
    ahead = _one_way(source, destination, names, connection, packet)
    if not rule.both_ways:
        return ahead
    return any_of((ahead, _one_way(destination, source, names, connection, packet)))


def _one_way(
    source: tuple[str, str], destination: tuple[str, str], names: Variables, connection: Connection, packet: FlowPacket
) -> bool | None:
    """source, destination: addresses and ports of the rule."""
    client, server = (connection.client, connection.ports), (connection.server, one_port(connection.port))
    (sender, from_ports), (receiver, to_ports) = (client, server) if packet.to_server else (server, client)
    return all_of(
        (
            contains(source[0], sender, names),
            contains(destination[0], receiver, names),
            matches_ports(source[1], from_ports, names),
            matches_ports(destination[1], to_ports, names),
        )
    )


def _flow(rule: SuricataRule, _: Connection, packet: FlowPacket) -> bool:
    wanted = {
        "to_server": packet.to_server,
        "to_client": not packet.to_server,
        "established": packet.established,
        "not_established": not packet.established,
    }
    return all(wanted.get(word, True) for word in rule.flow)


def _ip_protocols(rule: SuricataRule, connection: Connection, _: FlowPacket) -> bool:
    return all((number == connection.protocol) is not negated for number, negated in rule.protocols)


def _application(rule: SuricataRule, _: Connection, packet: FlowPacket) -> bool | None:
    """app-layer-protocol: with or without `!` it matches nothing before the protocol is detected."""
    answers: list[bool | None] = []
    for name, negated in rule.applications:
        if not packet.has_data:
            answers.append(False)
        elif packet.application == "?":
            answers.append(None)
        elif packet.hello == "part":  # detected as TLS, or not yet
            answers.append(False if negated == (name in _TLS) else None)
        else:
            answers.append((name in _TLS) is not negated)
    return all_of(answers)


def _hello(rule: SuricataRule, _: Connection, packet: FlowPacket) -> bool | None:
    """ssl_state:client_hello, which needs the whole ClientHello."""
    if not rule.hello:
        return True
    if packet.hello == "whole":
        return True
    return None if packet.application == "?" or (packet.has_data and packet.hello != "part") else False


def _server_name(rule: SuricataRule, connection: Connection, packet: FlowPacket) -> bool | None:
    """Only the client sends one: the header is that of a packet to the server (Suricata, src/detect-tls-sni.c)."""
    if not rule.by_name:
        return True
    if not packet.has_data or packet.hello == "part" or not packet.to_server:
        return False
    return None if packet.application == "?" else server_name_matches(rule, connection.server_name)


def server_name_matches(rule: SuricataRule, name: str) -> bool | None:
    """What the rule looks for in the server name; True where it does not look at it."""
    if not rule.by_name:
        return True
    if name in (ANY_NAME, NOT_TLS) or not rule.sni:
        return None
    if name == WITHOUT_NAME:  # without the extension there is no buffer to look into
        return None if all(wanted.negated for wanted in rule.sni) else False
    return all_of([_content(wanted, f".{name}" if rule.dotted else name) for wanted in rule.sni])


def _content(wanted: SniContent, name: str) -> bool | None:
    same_case = _within(wanted.text, name, wanted)
    any_case = _within(wanted.text.lower(), name.lower(), wanted)
    if same_case != any_case and not wanted.nocase:
        return None  # the case in which the name is sent
    return any_case is not wanted.negated


def _within(text: str, name: str, wanted: SniContent) -> bool:
    if wanted.startswith and wanted.endswith:
        return text == name
    if wanted.startswith:
        return name.startswith(text)
    return name.endswith(text) if wanted.endswith else text in name


_JUDGES = (_protocol, _flow, _ip_protocols, _application, _hello, _server_name)
