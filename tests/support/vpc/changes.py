"""Random AWS CLI commands that change a VPC, from what its snapshot has; and the same commands carried out by moto."""

import random
import re
import shlex
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError

from egressprobe.audit.vpc.snapshot import Permission, VpcSnapshot
from egressprobe.aws.commands.options import parse

_CIDRS = ("0.0.0.0/0", "::/0", "93.184.216.0/24", "198.41.0.0/16", "2606:2800::/32", "172.16.0.0/12")
_SPANS = ((443, 443), (9443, 9443), (1024, 65535), (1024, 40000), (0, 65535))


class Commands:
    """Commands one after the other; ids of what exists, `nat-NEW` and `rtb-NEW` of what they create."""

    def __init__(self, snapshot: VpcSnapshot, rng: random.Random) -> None:
        self.snapshot, self.rng = snapshot, rng
        self.nats = [one.id for one in snapshot.nats if one.state == "available"]
        self.tables = [one.id for one in snapshot.route_tables]
        self.gateways = {one.kind: one.id for one in snapshot.gateways}
        self.used: set[str] = set()  # moto fails on an association that has ended

    def some(self, many: int) -> list[str]:
        makers = [
            *([self.new_route] * 3),
            *([self.other_target] * 2),
            self.no_route,
            *([self.new_entry] * 3),
            *([self.no_entry] * 2),
            *([self.new_rule] * 2),
            *([self.no_rule] * 2),
            self.association,
            self.acl_association,
            self.new_table,
            self.no_nat,
            self.new_nat,
        ]
        return [line for _ in range(many) for line in self.rng.choice(makers)()]

    def _target(self, cidr: str) -> str:
        if ":" in cidr:
            return f"--egress-only-internet-gateway-id {self.gateways['egress-only']}"
        kinds = [f"--nat-gateway-id {name}" for name in self.nats] + [f"--gateway-id {self.gateways['internet']}"]
        return self.rng.choice(kinds)

    @staticmethod
    def _to(cidr: str) -> str:
        return f"--destination-{'ipv6-' if ':' in cidr else ''}cidr-block {cidr}"

    def new_route(self) -> list[str]:
        cidr = self.rng.choice(_CIDRS)
        table = self.rng.choice(self.tables)
        return [f"aws ec2 create-route --route-table-id {table} {self._to(cidr)} {self._target(cidr)}"]

    def _route(self) -> tuple[str, str] | None:
        routes = [
            (table.id, route.destination)
            for table in self.snapshot.route_tables
            for route in table.routes
            if route.gate != "local" and not route.destination.startswith("pl-")
        ]
        return self.rng.choice(routes) if routes else None

    def other_target(self) -> list[str]:
        found = self._route()
        if found is None:
            return []
        return [f"aws ec2 replace-route --route-table-id {found[0]} {self._to(found[1])} {self._target(found[1])}"]

    def no_route(self) -> list[str]:
        found = self._route()
        return [f"aws ec2 delete-route --route-table-id {found[0]} {self._to(found[1])}"] if found else []

    def new_entry(self) -> list[str]:
        cidr = self.rng.choice(("0.0.0.0/0", "0.0.0.0/0", "::/0", "93.184.0.0/16", *self.snapshot.vpc.blocks))
        low, high = self.rng.choice(_SPANS)
        return [
            f"aws ec2 create-network-acl-entry --network-acl-id {self.rng.choice(self.snapshot.acls).id} "
            f"--rule-number {self.rng.choice((1, 2, 3, 50, 100, 110, 30000))} "
            f"--{self.rng.choice(('egress', 'ingress'))} --rule-action {self.rng.choice(('allow', 'deny', 'deny'))} "
            f"--protocol {self.rng.choice(('tcp', 'tcp', '-1'))} --port-range From={low},To={high} "
            f"--{'ipv6-' if ':' in cidr else ''}cidr-block {cidr}"
        ]

    def no_entry(self) -> list[str]:
        entries = [(acl.id, entry) for acl in self.snapshot.acls for entry in acl.entries if entry.number < 32767]
        acl, entry = self.rng.choice(entries)
        way = "egress" if entry.egress else "ingress"
        return [f"aws ec2 delete-network-acl-entry --network-acl-id {acl} --rule-number {entry.number} --{way}"]

    def new_rule(self) -> list[str]:
        way, low = self.rng.choice(("egress", "ingress")), self.rng.choice((443, 9443))
        cidr = self.rng.choice(("0.0.0.0/0", "10.0.0.0/8", "93.184.216.0/24"))
        group = self.rng.choice([one for one in self.snapshot.groups if one.name != "default"]).id
        return [
            f"aws ec2 authorize-security-group-{way} --group-id {group} --protocol tcp --port {low}-{low} --cidr {cidr}"
            if self.rng.random() < 0.5
            else f"aws ec2 authorize-security-group-{way} --group-id {group} --ip-permissions "
            f"IpProtocol=tcp,FromPort={low},ToPort={low},IpRanges=[{{CidrIp={cidr}}}]"
        ]

    def no_rule(self) -> list[str]:
        rules = [
            (group.id, way, rule)
            for group in self.snapshot.groups
            for way, listed in (("ingress", group.ingress), ("egress", group.egress))
            for rule in listed
            if rule.blocks and group.name != "default"
        ]
        if not rules:
            return []
        group, way, rule = self.rng.choice(rules)
        cidr = self.rng.choice(rule.blocks)
        return [f"aws ec2 revoke-security-group-{way} --group-id {group} --ip-permissions '{_rule(rule, cidr)}'"]

    def association(self) -> list[str]:
        table = self.rng.choice(self.snapshot.route_tables)
        own = [key for key, member in table.associations.items() if member.startswith("subnet-")]
        if not own or own[0] in self.used:
            return []
        self.used |= set(own)
        if self.rng.random() < 0.4:
            return [f"aws ec2 disassociate-route-table --association-id {self.rng.choice(own)}"]
        other = self.rng.choice(self.tables)
        return [f"aws ec2 replace-route-table-association --association-id {own[0]} --route-table-id {other}"]

    def acl_association(self) -> list[str]:
        acl = self.rng.choice([one for one in self.snapshot.acls if one.associations])
        association = self.rng.choice(list(acl.associations))
        if association in self.used:
            return []
        self.used.add(association)
        other = self.rng.choice(self.snapshot.acls).id
        return [f"aws ec2 replace-network-acl-association --association-id {association} --network-acl-id {other}"]

    def new_table(self) -> list[str]:
        if "rtb-NEW" in self.tables:
            return []
        self.tables.append("rtb-NEW")
        lines = [f"aws ec2 create-route-table --vpc-id {self.snapshot.vpc.id}"]
        lines += [f"aws ec2 create-route --route-table-id rtb-NEW {self._to('0.0.0.0/0')} {self._target('0.0.0.0/0')}"]
        return lines

    def no_nat(self) -> list[str]:
        if not self.nats:
            return []
        nat = self.nats.pop(self.rng.randrange(len(self.nats)))
        return [f"aws ec2 delete-nat-gateway --nat-gateway-id {nat}"]

    def new_nat(self) -> list[str]:
        if "nat-NEW" in self.nats:
            return []
        self.nats.append("nat-NEW")
        subnet = self.rng.choice(self.snapshot.subnets).id
        table = self.rng.choice(self.tables)
        return [
            f"aws ec2 create-nat-gateway --subnet-id {subnet} --allocation-id eipalloc-OWN",
            f"aws ec2 replace-route --route-table-id {table} {self._to('0.0.0.0/0')} --nat-gateway-id nat-NEW",
        ]


def _rule(rule: Permission, cidr: str) -> str:
    ports = f",FromPort={rule.ports[0]},ToPort={rule.ports[1]}" if rule.ports else ""
    protocol = {6: "tcp", 17: "udp", -1: "-1"}.get(rule.protocol, rule.protocol)
    field = f"Ipv6Ranges=[{{CidrIpv6={cidr}}}]" if ":" in cidr else f"IpRanges=[{{CidrIp={cidr}}}]"
    return f"IpProtocol={protocol}{ports},{field}"


def carry_out_by_moto(ec2: Any, lines: list[str]) -> dict[int, str]:
    """The commands carried out; those that it refuses, by their places in the list, with the code of the error."""
    created: dict[str, str] = {"eipalloc-OWN": ec2.allocate_address(Domain="vpc")["AllocationId"]}
    refused = {}
    for place, line in enumerate(lines):
        words = [re.sub(r"[a-z]+-(NEW|OWN)", lambda m: created.get(m[0], m[0]), word) for word in shlex.split(line)]
        call = parse(words[1:])
        try:
            answer = getattr(ec2, xform_name(call.operation))(**call.parameters)
        except ClientError as error:
            refused[place] = error.response["Error"]["Code"]
            continue
        except StopIteration:  # moto's DeleteNetworkAclEntry where the ACL has no such entry
            refused[place] = "InvalidNetworkAclEntry.NotFound"
            continue
        if call.operation == "CreateNatGateway":
            created["nat-NEW"] = answer["NatGateway"]["NatGatewayId"]
        if call.operation == "CreateRouteTable":
            created["rtb-NEW"] = answer["RouteTable"]["RouteTableId"]
    return refused
