"""AWS CLI commands carried out on a snapshot as JSON, one after the other, as EC2 would: written apart from the product's
own model of changes, so that neither proves itself.
"""

import json
import shlex

from egressprobe.audit.vpc.snapshot import VpcSnapshot, from_json, to_json


class Refused(Exception):  # noqa: N818 (an expected answer)
    """What EC2 answers with an error."""


def execute(snapshot: VpcSnapshot, commands: list[str]) -> VpcSnapshot:
    """The snapshot after the commands. Raises Refused, and KeyError for a command that is not known here."""
    raw = json.loads(to_json(snapshot))
    for command in commands:
        words = shlex.split(command)
        assert words[0] == "aws", command
        _COMMANDS[words[2]](raw, _Options(words[3:]))
    return from_json(json.dumps(raw).encode())


class _Options:
    def __init__(self, words):
        self.values, self.flags = {}, set()
        for i, word in enumerate(words):
            if word.startswith("--"):
                if i + 1 < len(words) and not words[i + 1].startswith("--"):
                    self.values[word] = words[i + 1]
                else:
                    self.flags.add(word)

    def __getitem__(self, name):
        return self.values[name]

    def get(self, *names):
        return next((self.values[name] for name in names if name in self.values), None)


def _one(raw, kind, name):
    found = [item for item in raw.get(kind, []) if item["id"] == name]
    if not found:
        raise Refused(f"{name} does not exist")
    return found[0]


_TARGETS = {
    "--nat-gateway-id": "nat",
    "--gateway-id": "internet",
    "--egress-only-internet-gateway-id": "egress-only",
    "--transit-gateway-id": "transit",
    "--vpc-peering-connection-id": "peering",
}


def _route(raw, options, *, replace):
    table = _one(raw, "routeTables", options["--route-table-id"])
    to = options.get("--destination-cidr-block", "--destination-ipv6-cidr-block", "--destination-prefix-list-id")
    existing = [route for route in table["routes"] if route["destination"] == to and not route.get("propagated")]
    if bool(existing) is not replace:
        raise Refused(f"{table['id']}: {to} {'is missing' if replace else 'exists'}")
    option = next(name for name in _TARGETS if name in options.values)
    kind, target = _TARGETS[option], options[option]
    lists = {"nat": "nats", "internet": "gateways", "egress-only": "gateways", "peering": "peerings"}
    if kind in lists:
        _one(raw, lists[kind], target)
    table["routes"] = [route for route in table["routes"] if route not in existing]
    table["routes"].append({"destination": to, "gate": kind, "to": target})


def _delete_route(raw, options):
    table = _one(raw, "routeTables", options["--route-table-id"])
    to = options.get("--destination-cidr-block", "--destination-ipv6-cidr-block", "--destination-prefix-list-id")
    kept = [route for route in table["routes"] if route["destination"] != to]
    if len(kept) == len(table["routes"]):
        raise Refused(f"no route {to}")
    table["routes"] = kept


def _acl_entry(raw, options, *, replace):
    acl = _one(raw, "acls", options["--network-acl-id"])
    number, egress = int(options["--rule-number"]), "--egress" in options.flags
    if not 1 <= number <= 32766:
        raise Refused(f"rule number {number}")
    same = [entry for entry in acl["entries"] if (entry["number"], entry["egress"]) == (number, egress)]
    if bool(same) is not replace:
        raise Refused(f"{acl['id']}: rule {number} {'is missing' if replace else 'exists'}")
    low, high = (int(part.split("=")[1]) for part in options["--port-range"].split(","))
    entry = {
        "number": number,
        "egress": egress,
        "allow": options["--rule-action"] == "allow",
        "protocol": {"tcp": 6, "udp": 17}[options["--protocol"]],
        "block": options.get("--cidr-block", "--ipv6-cidr-block"),
        "ports": [low, high],
    }
    assert (":" in entry["block"]) == ("--ipv6-cidr-block" in options.values)
    entries = [one for one in acl["entries"] if one not in same] + [entry]
    acl["entries"] = sorted(entries, key=lambda one: (one["egress"], one["number"]))


def _group_rule(raw, options, *, egress):
    group = _one(raw, "groups", options["--group-id"])
    text = options["--ip-permissions"]
    head, *lists = text.split(",IpRanges=[") if "IpRanges=[" in text else [text]
    fields = dict(part.split("=") for part in text.split(",")[:3])
    rule = {
        "protocol": {"tcp": 6, "udp": 17}[fields["IpProtocol"]],
        "ports": [int(fields["FromPort"]), int(fields["ToPort"])],
    }
    del head, lists
    rule["blocks"] = [part.split("}")[0] for name in ("{CidrIp=", "{CidrIpv6=") for part in text.split(name)[1:]]
    rule["groups"] = [part.split("}")[0] for part in text.split("{GroupId=")[1:]]
    assert all((":" in cidr) == (f"CidrIpv6={cidr}" in text) for cidr in rule["blocks"])
    rules = group.setdefault("egress" if egress else "ingress", [])
    if rule in rules:
        raise Refused("duplicate rule")
    rules.append(rule)


def _create_nat(raw, options):
    gateways = [gateway for gateway in raw["gateways"] if gateway["kind"] == "internet"]
    if not gateways:
        raise Refused("no internet gateway")
    local = [{"destination": text, "gate": "local", "to": "local"} for text in raw["vpc"]["blocks"]]
    out = {"destination": "0.0.0.0/0", "gate": "internet", "to": gateways[0]["id"]}
    raw["routeTables"].append({"id": "rtb-regional", "routes": [*local, out]})
    raw["nats"].append({"id": "nat-NEW", "state": "available", "regional": True, "routeTable": "rtb-regional"})


def _attach_gateway(raw, options):
    name = options["--internet-gateway-id"]
    raw["gateways"].append({"id": name, "kind": "internet"})
    for table in raw["routeTables"]:
        for route in table["routes"]:
            if route.get("to") == name:
                route["active"] = True


def _exclude(raw, options):
    of = options.get("--subnet-id", "--vpc-id")
    raw["publicAccess"].setdefault("exclusions", []).append({"of": of, "mode": "allow-egress"})


_RESOURCES = {
    "--internet-gateway-exclusion": "InternetGateway",
    "--egress-only-internet-gateway-exclusion": "EgressOnlyInternetGateway",
    "--nat-gateway-exclusion": "NatGateway",
    "--virtual-private-gateway-exclusion": "VirtualPrivateGateway",
    "--vpc-peering-exclusion": "VpcPeering",
}


def _encryption(raw, options):
    control = _one(raw, "encryption", options["--vpc-encryption-control-id"])
    control.setdefault("excluded", []).extend(_RESOURCES[name] for name in options.values if name in _RESOURCES)


def _subnet_cidr(raw, options):
    _one(raw, "subnets", options["--subnet-id"])["blocks"].append(options["--ipv6-cidr-block"])


def _cluster(raw, options):
    raw["cluster"]["subnets"] = options["--resources-vpc-config"].removeprefix("subnetIds=").split(",")


_COMMANDS = {
    "create-route": lambda raw, options: _route(raw, options, replace=False),
    "replace-route": lambda raw, options: _route(raw, options, replace=True),
    "delete-route": _delete_route,
    "create-network-acl-entry": lambda raw, options: _acl_entry(raw, options, replace=False),
    "replace-network-acl-entry": lambda raw, options: _acl_entry(raw, options, replace=True),
    "authorize-security-group-egress": lambda raw, options: _group_rule(raw, options, egress=True),
    "authorize-security-group-ingress": lambda raw, options: _group_rule(raw, options, egress=False),
    "create-nat-gateway": _create_nat,
    "create-internet-gateway": lambda *_: None,
    "attach-internet-gateway": _attach_gateway,
    "create-egress-only-internet-gateway": lambda raw, _: raw["gateways"].append(
        {"id": "eigw-NEW", "kind": "egress-only"}
    ),
    "create-vpc-block-public-access-exclusion": _exclude,
    "modify-vpc-encryption-control": _encryption,
    "associate-subnet-cidr-block": _subnet_cidr,
    "update-cluster-config": _cluster,
    "modify-vpc-attribute": lambda *_: None,
    "create-dhcp-options": lambda *_: None,
    "associate-dhcp-options": lambda *_: None,
    "attach-role-policy": lambda *_: None,
    "modify-vpc-endpoint": lambda *_: None,
    "create-resolver-rule": lambda *_: None,
    "associate-resolver-rule": lambda *_: None,
    "disassociate-resolver-rule": lambda *_: None,
    "update-firewall-domains": lambda *_: None,
}
