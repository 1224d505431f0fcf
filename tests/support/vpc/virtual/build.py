"""From a snapshot to rules of the kernel: bridges, routing tables, nftables. It shares no rule with the audit.

Read here, beside the snapshot's nouns: what AWS says a VPC does (shared reading is what the worked examples are for).
"""

import ipaddress
import random

from egressprobe.audit.vpc.snapshot import Acl, Group, Interface, Nat, Permission, Route, VpcSnapshot
from tests.support.vpc.virtual.firewall import firewall_rules
from tests.support.vpc.virtual.wires import ACTORS, ELASTIC, GATES, SUBNETS, Namespace, far

_RANK = {"static": 10, "list": 20, "propagated": 30}


class Built:
    """The namespaces' parts in one VPC. actors: interface or NAT id -> namespace. ports: (NAT, source, client port)
    -> the NAT's port, where a pair was asked for.
    """

    def __init__(self, made: dict[str, Namespace], snapshot: VpcSnapshot, wanted: set[str]) -> None:
        """wanted: addresses that must exist beside those of interfaces (of delegated prefixes)."""
        self.made, self.snapshot = made, snapshot
        self.subnets = {one.id: k for k, one in enumerate(snapshot.subnets)}
        assert len(self.subnets) <= SUBNETS
        self.tables = {name: table for table in snapshot.route_tables for name in table.subnets}
        self.main = next(table for table in snapshot.route_tables if table.main)
        self.acls = {name: acl for acl in snapshot.acls for name in acl.subnets}
        self.groups = {one.id: one for one in snapshot.groups}
        self.lists = {one.id: one.blocks for one in snapshot.prefix_lists}
        self.actors: dict[str, Namespace] = {}
        self.ports: dict[tuple[str, str, int], int] = {}
        self._used: set[tuple[str, int]] = set()
        real = [one for one in snapshot.interfaces if one.kind != "nat_gateway"]
        nats = [one for one in snapshot.nats if one.state == "available" and one.addresses]
        # Encryption controls in enforce mode: what they do not exclude is as if it were not there.
        self.stopped = {
            kind
            for one in snapshot.encryption or ()
            if one.mode == "enforce"
            for kind in ("InternetGateway", "EgressOnlyInternetGateway", "NatGateway")
            if kind not in one.excluded
        }
        if "NatGateway" in self.stopped:
            nats = []
        # Endpoints of network firewalls: each an actor in its subnet, which forwards what its rules let through.
        firewalls = [(one, end) for one in snapshot.firewalls or () for end in one.endpoints]
        self.ends = {end.id: (end.subnet, str(self._blocks(end.subnet)[0][-3])) for _, end in firewalls}
        assert len(real) + len(nats) + len(firewalls) <= ACTORS
        names = [one.id for one in (*real, *nats)] + list(self.ends)
        for name, i in zip(names, range(ACTORS), strict=False):
            self.actors[name] = made[f"a{i}"]
        self._router()
        for one in real:
            self._interface(one, wanted)
        self.nats = nats
        for one in nats:
            self._actor(one.id, one.subnet, one.addresses)
        for one, end in firewalls:
            self._actor(end.id, end.subnet, (self.ends[end.id][1],))
            self.actors[end.id].rules(firewall_rules(one.policy))
        self._gates()

    # -- the router -------------------------------------------------------------------------------------------

    def _router(self) -> None:
        four, six = ["address flush dev lo scope global"], []
        for k in range(SUBNETS):
            four += [f"address flush dev s{k} scope global", f"neigh flush dev s{k}"]
        for i in range(ACTORS):
            four.append(f"link set v{i} nomaster")
        for k in (*range(100, 100 + SUBNETS), *range(200, 200 + len(GATES))):
            four.append(f"route flush table {k}")
            six.append(f"-6 route flush table {k}")
        self.made["vpc"].ip(four, force=True)
        _six(self.made["vpc"], six, force=True)
        lines, six = [], []
        for name, k in self.subnets.items():
            lines += [
                f"address add {held[1]}/{held.prefixlen} dev s{k}{' nodad' if held.version == 6 else ''}"
                for held in self._blocks(name)
            ]
        for held in map(ipaddress.ip_network, self.snapshot.vpc.blocks):
            if held.version == 4:
                lines.append(f"address add {held[2]}/32 dev lo")
        lines.append("address add 169.254.169.253/32 dev lo")
        for name, k in self.subnets.items():
            four, more = self._table(100 + k, self.tables.get(name, self.main).routes, name)
            lines += four
            six += more
        for number in range(len(GATES)):
            # What comes in by a gate goes to the VPC's own subnets only; a transit gateway's as its subnet says.
            four, more = self._table(200 + number, self._inwards(number), None)
            lines += four
            six += more
        self.made["vpc"].ip(lines)
        _six(self.made["vpc"], six)
        self.made["vpc"].rules(self._acl_rules())

    def _inwards(self, number: int) -> tuple[Route, ...]:
        if number == GATES["transit"][1] and self.snapshot.attachments:
            subnet = self.snapshot.attachments[0].subnets[0]
            return self.tables.get(subnet, self.main).routes
        return tuple(route for route in self.main.routes if route.gate == "local")

    def _blocks(self, subnet: str):
        held = next(one.blocks for one in self.snapshot.subnets if one.id == subnet)
        return [ipaddress.ip_network(one) for one in held]

    def _table(self, table: int, routes: tuple[Route, ...], subnet: str | None) -> tuple[list[str], list[str]]:
        lines = {4: [], 6: []}
        for version, everything in ((4, "0.0.0.0/0"), (6, "::/0")):
            lines[version].append(f"route add blackhole {everything} metric 9999 table {table}")
        for block in map(ipaddress.ip_network, self.snapshot.vpc.blocks):
            lines[block.version].append(f"route add blackhole {block} metric 9998 table {table}")
        for name, k in self.subnets.items():
            for block in self._blocks(name):
                lines[block.version].append(f"route add {block} dev s{k} metric 100 table {table}")
        for route in routes:
            if route.gate == "local":
                continue
            listed = route.destination.startswith("pl-")
            rank = _RANK["list" if listed else "propagated" if route.propagated else "static"]
            for text in self.lists[route.destination] if listed else (route.destination,):
                block = ipaddress.ip_network(text, strict=False)
                how = self._next(route, block, subnet)
                lines[block.version].append(f"route add {how.format(block)} metric {rank} table {table}")
        return lines[4], [f"-6 {line}" for line in lines[6]]

    def _next(self, route: Route, block, subnet: str | None) -> str:
        """Of `route add`, with the destination's place in braces."""
        gate = self._gate(route, block, subnet) if route.active else None
        if gate is not None:
            device, number = GATES[gate]
            return f"{{}} via {far(number)[block.version == 6]} dev {device}"
        if route.gate in ("nat", "interface") and route.active and route.to in self.actors:
            held = next(
                (one for one in (*self.snapshot.interfaces, *self.snapshot.nats) if one.id == route.to),
            )
            via = next((one for one in held.addresses if (":" in one) == (block.version == 6)), None)
            if via:
                return f"{{}} via {via} dev s{self.subnets[held.subnet]} onlink"
        if route.gate == "endpoint" and route.active and route.to in self.ends and block.version == 4:
            subnet, via = self.ends[route.to]
            return f"{{}} via {via} dev s{self.subnets[subnet]} onlink"
        return "blackhole {}"

    def _gate(self, route: Route, block, subnet: str | None) -> str | None:
        snapshot = self.snapshot
        attached = {one.id for one in snapshot.gateways if one.attached}
        if route.gate == "internet":
            return "edge" if route.to in attached and "InternetGateway" not in self.stopped else None
        if route.gate == "egress-only":
            there = route.to in attached and "EgressOnlyInternetGateway" not in self.stopped
            return "out6" if there and block.version == 6 else None
        if route.gate == "vpn":
            return "vpn" if route.to in attached else None
        if route.gate == "peering":
            return "peer" if any(one.id == route.to and one.state == "active" for one in snapshot.peerings) else None
        if route.gate == "transit":
            zones = {one.id: one.zone for one in snapshot.subnets}
            held = [one for one in snapshot.attachments if one.gateway == route.to and one.state == "available"]
            reached = {zones[name] for one in held for name in one.subnets}
            return "transit" if subnet is None or zones[subnet] in reached else None
        return None

    def _acl_rules(self) -> str:
        """The forward hook of the router, where no connection is tracked: the boundary of each subnet."""
        chains, out, into = [], [], []
        for name, k in self.subnets.items():
            acl = self.acls[name]
            chains += [acl_chain(f"out{k}", acl, egress=True), acl_chain(f"in{k}", acl, egress=False)]
            out.append(f'iifname "s{k}" jump out{k}')
            into.append(f'oifname "s{k}" jump in{k}')
        held = self.snapshot.attachments or ()
        transit = {name: self.subnets[name] for one in held for name in one.subnets}
        special = []
        for k in transit.values():
            # Traffic of a neighbour enters the attachment's subnet; its own is asked both ways and let in unasked.
            special += [f'oifname "tgw" jump in{k}', f'iifname "tgw" oifname "s{k}" accept']
            special += [f'iifname "tgw" oifname != "s{k}" jump out{k}']
        peers = [text for one in self.snapshot.peerings or () for text in one.blocks]
        return f"""table inet acl {{
{chr(10).join(chains)}
chain forward {{
  type filter hook forward priority 0; policy accept;
{_same_bridge(len(self.subnets))}
{_public_access(self.snapshot, self.subnets)}
{_only("pcx", peers)}
{chr(10).join(out)}
{chr(10).join(special)}
{chr(10).join(into)}
}}
}}"""

    # -- interfaces and gates ---------------------------------------------------------------------------------

    def _actor(self, name: str, subnet: str, addresses: tuple[str, ...]) -> None:
        actor, k = self.actors[name], self.subnets[subnet]
        actor.ip(
            ["address flush dev eth0 scope global", "neigh flush dev eth0", "address flush dev lo scope global"],
            force=True,
        )
        lines = ["link set eth0 up"]
        for block in self._blocks(subnet):
            mine = [text for text in addresses if (":" in text) == (block.version == 6)]
            lines += [
                f"address add {text}/{block.prefixlen} dev eth0{' nodad' if ':' in text else ''}" for text in mine
            ]
            if mine:
                lines.append(f"route replace {'::/0' if block.version == 6 else 'default'} via {block[1]} dev eth0")
        actor.ip(lines)
        index = int(actor.name[1:])
        self.made["vpc"].ip([f"link set v{index} master s{k}"])

    def _interface(self, one: Interface, wanted: set[str]) -> None:
        prefixes = [ipaddress.ip_network(text) for text in one.prefixes]
        more = [text for text in wanted if any(ipaddress.ip_address(text) in held for held in prefixes)]
        self._actor(one.id, one.subnet, (*one.addresses, *more))
        groups = [self.groups[name] for name in one.groups]
        forward = "" if one.checked else self._permissions(groups, egress=False)
        resolver = next(ipaddress.ip_network(text)[2] for text in self.snapshot.vpc.blocks if ":" not in text)
        self.actors[one.id].rules(f"""table inet groups {{
chain input {{ type filter hook input priority 0; policy drop;
  ct state established,related accept
  iifname "lo" accept
  icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} accept
{self._permissions(groups, egress=False)}
}}
chain output {{ type filter hook output priority 0; policy drop;
  ct state established,related accept
  oifname "lo" accept
  ip daddr {{ {resolver}, 169.254.169.253 }} accept
  icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} accept
{self._permissions(groups, egress=True)}
}}
chain forward {{ type filter hook forward priority 0; policy drop;
  ct state established,related accept
  {forward}
}}
}}""")

    def _permissions(self, groups: list[Group], *, egress: bool) -> str:
        lines = []
        for group in groups:
            for rule in group.egress if egress else group.ingress:
                lines += self._permission(rule, "daddr" if egress else "saddr")
        return "\n".join(lines)

    def _permission(self, rule: Permission, side: str) -> list[str]:
        blocks = [*rule.blocks, *(text for name in rule.prefix_lists for text in self.lists[name])]
        for one in self.snapshot.interfaces:
            if set(one.groups) & set(rule.groups):
                blocks += (*one.addresses, *one.prefixes)
        what = filter_of(rule.protocol, rule.ports)
        return [f"  {_family(text)} {side} {text} {what} accept" for text in blocks if what is not None]

    def _gates(self) -> None:
        blocks = [ipaddress.ip_network(text) for text in self.snapshot.vpc.blocks]
        for place, (_, number) in GATES.items():
            back = ["neigh flush dev vpc0"]
            self.made[place].ip(back, force=True)
            _six(self.made[place], ["-6 route flush dev vpc0 proto 99", "-4 route flush dev vpc0 proto 99"], force=True)
            from tests.support.vpc.virtual.wires import near

            lines = [f"route replace {one} via {near(number)[one.version == 6]} proto 99" for one in blocks]
            self.made[place].ip(lines)
        six = [one for one in blocks if one.version == 6]
        _six(self.made["net"], ["-6 route flush proto 99"], force=True)
        self.made["net"].ip([f"route replace {one} via fd00:18:9::2 proto 99" for one in six])
        pairs = {}
        for i, one in enumerate(self.snapshot.nats):
            if one.public and one.elastic and one.addresses:
                pairs[one.addresses[0]] = f"{ELASTIC}{i + 1}"
        rules = [f"ip saddr {a} ip saddr set {b} notrack accept" for a, b in pairs.items()]
        answers = [f"ip daddr {b} ip daddr set {a} notrack accept" for a, b in pairs.items()]
        self.made["edge"].rules(f"""table inet igw {{
chain raw {{ type filter hook prerouting priority -300; policy accept;
  iifname "vpc0" ip daddr {{ 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10 }} drop
  {chr(10).join('iifname "vpc0" ' + one for one in rules)}
  {chr(10).join('iifname "net0" ' + one for one in answers)}
  iifname {{ "vpc0", "net0" }} meta nfproto ipv4 drop
  iifname "vpc0" ip6 saddr fc00::/7 meta l4proto != ipv6-icmp drop
}}
}}""")
        self.made["out6"].rules("""table ip6 eigw {
chain forward { type filter hook forward priority 0; policy drop;
  ct state established,related accept
  iifname "vpc0" accept
}
chain out { type nat hook postrouting priority 100; oifname "net0" masquerade; }
}""")

    # -- NAT ports --------------------------------------------------------------------------------------------

    def pair(self, source: str, client: int, edges: list[int], rng: random.Random) -> None:
        """Give (source, client port) a port on every NAT gateway, and that one a port on the next."""
        for first in self.nats:
            port = self._port(first, source, client, edges, rng)
            for second in self.nats:
                if second is not first:
                    self._port(second, first.addresses[0], port, edges, rng)

    def _port(self, nat: Nat, source: str, client: int, edges: list[int], rng: random.Random) -> int:
        port = rng.choice(edges) if edges and rng.random() < 0.6 else rng.randint(1024, 65535)
        while (nat.id, port) in self._used:
            port = rng.randint(1024, 65535)
        self._used.add((nat.id, port))
        self.ports[(nat.id, source, client)] = port
        return port

    def nat_rules(self) -> None:
        """Once all pairs are there. What a NAT gateway sends on comes from its own address."""
        for nat in self.nats:
            own, actor = nat.addresses[0], self.actors[nat.id]
            held = {key: port for key, port in self.ports.items() if key[0] == nat.id}
            pairs = ", ".join(
                f"{source} . {client} : {port}" for (_, source, client), port in held.items() if ":" not in source
            )
            maps = chosen = ""
            if pairs:
                chosen = f"""map ports {{ type ipv4_addr . inet_service : inet_service; elements = {{ {pairs} }} }}"""
                maps = f"meta l4proto tcp snat ip to {own} : ip saddr . tcp sport map @ports"
            actor.rules(f"""table ip nat {{
{chosen}
chain out {{ type nat hook postrouting priority 100;
  {maps}
  ip saddr != {own} snat to {own}
}}
}}""")


def _same_bridge(many: int) -> str:
    return "\n".join(f'  iifname "s{k}" oifname "s{k}" accept' for k in range(many))


def acl_chain(name: str, acl: Acl, *, egress: bool) -> str:
    """Entries in their order; what none matches is dropped."""
    side = "daddr" if egress else "saddr"
    lines = []
    for entry in sorted((one for one in acl.entries if one.egress is egress), key=lambda one: one.number):
        what = filter_of(entry.protocol, entry.ports)
        if what is not None:
            lines.append(f"  {_family(entry.block)} {side} {entry.block} {what} {'return' if entry.allow else 'drop'}")
    return f"chain {name} {{\n" + "\n".join(lines) + "\n  drop\n}"


def filter_of(protocol: int, ports: tuple[int, int] | None) -> str | None:
    """What a rule matches, in the words of nft; None for a protocol that is not sent here."""
    if protocol == -1:
        return ""
    name = {6: "tcp", 17: "udp"}.get(protocol)
    if name is None:
        return None
    return f"{name} dport {ports[0]}-{ports[1]}" if ports else f"meta l4proto {name}"


def _family(text: str) -> str:
    return "ip6" if ":" in text else "ip"


def _public_access(snapshot: VpcSnapshot, subnets: dict[str, int]) -> str:
    said = snapshot.public_access
    if said is None or said.mode == "off":
        return ""
    # An exclusion for egress alone has an effect in bidirectional mode only (API_VpcBlockPublicAccessExclusion).
    lifted = {one.of for one in said.exclusions if said.mode == "block-bidirectional" or one.mode != "allow-egress"}
    lines = []
    for name, k in subnets.items():
        if lifted & {name, snapshot.vpc.id}:
            continue
        if said.mode == "block-bidirectional":
            lines += [f'iifname "s{k}" oifname {{ "igw", "eigw" }} drop']
        else:
            lines += [f'iifname "s{k}" oifname "igw" meta nfproto ipv6 drop']
    return "\n".join(lines)


def _only(device: str, blocks: list[str]) -> str:
    lines = []
    for family in ("ip", "ip6"):
        mine = ", ".join(text for text in blocks if _family(text) == family)
        name = "ipv4" if family == "ip" else "ipv6"
        lines.append(
            f'oifname "{device}" {family} daddr != {{ {mine} }} drop'
            if mine
            else f'oifname "{device}" meta nfproto {name} drop'
        )
    return "\n".join(lines)


def _six(namespace: Namespace, lines: list[str], *, force: bool = False) -> None:
    """`ip -batch` takes -6 of a line nowhere, so those lines go by themselves."""
    import subprocess

    for family in ("-6", "-4"):
        mine = [line.removeprefix(f"{family} ") for line in lines if line.startswith(family)]
        if mine:
            command = ["ip", family, "-n", namespace.name, *(["-force"] if force else []), "-batch", "-"]
            done = subprocess.run(command, input="\n".join(mine) + "\n", text=True, check=False, capture_output=True)
            assert force or done.returncode == 0, (namespace.name, done.stderr, mine)


__all__ = ["Built", "Nat", "acl_chain", "filter_of"]
