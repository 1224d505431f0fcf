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


# What the commands before it have created.
_NEW = {
    "<NEW_NAT>": "nat-NEW",
    "<NEW_INTERNET_GATEWAY>": "igw-NEW",
    "<NEW_EGRESS_ONLY_GATEWAY>": "eigw-NEW",
    "<NEW_ATTACHMENT>": "tgw-attach-NEW",
    "<NEW_ROUTE_TABLE>": "rtb-NEW",
}


class _Options:
    def __init__(self, words):
        self.values, self.flags = {}, set()
        for i, word in enumerate(words):
            if word.startswith("--"):
                if i + 1 < len(words) and not words[i + 1].startswith("--"):
                    self.values[word] = words[i + 1]
                else:
                    self.flags.add(word)

        assert not any(name.endswith("-NEW") for name in self.values.values()), "a placeholder is marked as one"
        for name, word in self.values.items():
            self.values[name] = _NEW.get(word, word)

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
    "--network-interface-id": "interface",
    "--vpc-endpoint-id": "endpoint",
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
    kept = [route for route in table["routes"] if route["destination"] != to or route.get("propagated")]
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
    entry = {
        "number": number,
        "egress": egress,
        "allow": options["--rule-action"] == "allow",
        "protocol": {"tcp": 6, "udp": 17, "-1": -1}[options["--protocol"]],
        "block": options.get("--cidr-block", "--ipv6-cidr-block"),
    }
    if "--port-range" in options.values:
        entry["ports"] = [int(part.split("=")[1]) for part in options["--port-range"].split(",")]
    assert (":" in entry["block"]) == ("--ipv6-cidr-block" in options.values)
    entries = [one for one in acl["entries"] if one not in same] + [entry]
    acl["entries"] = sorted(entries, key=lambda one: (one["egress"], one["number"]))


def _create_table(raw, _):
    local = [{"destination": text, "gate": "local", "to": "local"} for text in raw["vpc"]["blocks"]]
    raw["routeTables"].append({"id": "rtb-NEW", "routes": local})


def _delete_table(raw, options):
    if _one(raw, "routeTables", options["--route-table-id"]).get("subnets"):
        raise Refused("it is associated")
    raw["routeTables"] = [one for one in raw["routeTables"] if one["id"] != options["--route-table-id"]]


def _associate(raw, options, *, to=None):
    """The association by its id, or by a placeholder that names the subnet; or the subnet, which must have none."""
    of = options.get("--association-id")
    known = {key: name for table in raw["routeTables"] for key, name in table.get("associations", {}).items()}
    for one in raw["subnets"]:
        for mark in ("ROUTE_TABLE_ASSOCIATION", "NEW_ASSOCIATION"):
            known[f"<{mark}_OF_{one['id'].upper().replace('-', '_')}>"] = one["id"]
    name = options["--subnet-id"] if of is None else known[of]
    having = [table for table in raw["routeTables"] if name in table.get("subnets", [])]
    if bool(having) is (of is None):
        raise Refused(f"{name} has {len(having)} associations")
    for table in having:
        table["subnets"].remove(name)
    if to:
        _one(raw, "routeTables", to).setdefault("subnets", []).append(name)


def _delete_acl_entry(raw, options):
    acl = _one(raw, "acls", options["--network-acl-id"])
    number, egress = int(options["--rule-number"]), "--egress" in options.flags
    kept = [entry for entry in acl["entries"] if (entry["number"], entry["egress"]) != (number, egress)]
    if len(kept) == len(acl["entries"]):
        raise Refused(f"{acl['id']}: no rule {number}")
    acl["entries"] = kept


def _group_rule(raw, options, *, egress, revoke=False):
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
    rule = {name: value for name, value in rule.items() if value}
    if (rule in rules) is not revoke:
        raise Refused(f"{rule} {'is missing' if revoke else 'exists'}")
    if revoke:
        rules.remove(rule)
    else:
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


def _delete(raw, kind, name):
    _one(raw, kind, name)
    raw[kind] = [item for item in raw[kind] if item["id"] != name]
    for table in raw["routeTables"]:
        for route in table["routes"]:
            if route.get("to") == name:
                route["active"] = False


def _delete_nat(raw, options):
    table = _one(raw, "nats", options["--nat-gateway-id"]).get("routeTable")
    _delete(raw, "nats", options["--nat-gateway-id"])
    raw["routeTables"] = [listed for listed in raw["routeTables"] if listed["id"] != table]


def _delete_gateway(raw, options):
    if any(gateway["id"] == options["--internet-gateway-id"] for gateway in raw["gateways"]):
        raise Refused("it is attached")


def _accept_peering(raw, options):
    peering = _one(raw, "peerings", options["--vpc-peering-connection-id"])
    if peering["state"] != "pending-acceptance":
        raise Refused(f"it is {peering['state']}")
    peering["state"] = "active"


def _attachment(raw, options):
    attachment = _one(raw, "attachments", options["--transit-gateway-attachment-id"])
    subnets = {*attachment.get("subnets", [])}
    if (added := options.get("--add-subnet-ids")) is not None:
        subnets.add(added)
    if (removed := options.get("--remove-subnet-ids")) is not None:
        subnets.remove(removed)
    attachment["subnets"] = sorted(subnets)


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
    for name in options.values:
        if name in _RESOURCES:
            change = {"enable": list.append, "disable": list.remove}[options[name]]
            change(control.setdefault("excluded", []), _RESOURCES[name])


def _subnet_cidr(raw, options):
    _one(raw, "subnets", options["--subnet-id"])["blocks"].append(options["--ipv6-cidr-block"])


def _unassociate(raw, options):
    """Its id is known to AWS only; the placeholder names the subnet."""
    [subnet] = [one for one in raw["subnets"] if _placeholder("ASSOCIATION", one["id"]) == options["--association-id"]]
    subnet["blocks"].pop()


def _include(raw, options):
    kept = [
        one
        for one in raw["publicAccess"]["exclusions"]
        if _placeholder("EXCLUSION", one["of"]) != options["--exclusion-id"]
    ]
    assert len(kept) == len(raw["publicAccess"]["exclusions"]) - 1
    raw["publicAccess"]["exclusions"] = kept


def _placeholder(kind, name):
    return f"<NEW_{kind}_OF_{name.upper().replace('-', '_')}>"


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
    "revoke-security-group-egress": lambda raw, options: _group_rule(raw, options, egress=True, revoke=True),
    "revoke-security-group-ingress": lambda raw, options: _group_rule(raw, options, egress=False, revoke=True),
    "delete-network-acl-entry": _delete_acl_entry,
    "delete-nat-gateway": _delete_nat,
    "delete-internet-gateway": _delete_gateway,
    "detach-internet-gateway": lambda raw, options: _delete(raw, "gateways", options["--internet-gateway-id"]),
    "delete-egress-only-internet-gateway": lambda raw, options: _delete(
        raw, "gateways", options["--egress-only-internet-gateway-id"]
    ),
    "delete-vpc-block-public-access-exclusion": _include,
    "disassociate-subnet-cidr-block": _unassociate,
    "create-route-table": _create_table,
    "delete-route-table": _delete_table,
    "associate-route-table": lambda raw, options: _associate(raw, options, to=options["--route-table-id"]),
    "replace-route-table-association": lambda raw, options: _associate(raw, options, to=options["--route-table-id"]),
    "disassociate-route-table": _associate,
    "create-nat-gateway": _create_nat,
    "create-internet-gateway": lambda *_: None,
    "attach-internet-gateway": _attach_gateway,
    "create-egress-only-internet-gateway": lambda raw, _: raw["gateways"].append(
        {"id": "eigw-NEW", "kind": "egress-only"}
    ),
    "accept-vpc-peering-connection": _accept_peering,
    "modify-transit-gateway-vpc-attachment": _attachment,
    "create-transit-gateway-vpc-attachment": lambda raw, options: raw["attachments"].append(
        {
            "id": "tgw-attach-NEW",
            "gateway": options["--transit-gateway-id"],
            "state": "available",
            "subnets": [options["--subnet-ids"]],
        }
    ),
    "delete-transit-gateway-vpc-attachment": lambda raw, options: raw["attachments"].remove(
        _one(raw, "attachments", options["--transit-gateway-attachment-id"])
    ),
    "modify-network-interface-attribute": lambda raw, options: _one(
        raw, "interfaces", options["--network-interface-id"]
    ).update(checked="--source-dest-check" in options.flags),
    "create-vpc-block-public-access-exclusion": _exclude,
    "modify-vpc-encryption-control": _encryption,
    "associate-subnet-cidr-block": _subnet_cidr,
    "update-cluster-config": _cluster,
    "modify-vpc-attribute": lambda *_: None,
    "create-dhcp-options": lambda *_: None,
    "associate-dhcp-options": lambda *_: None,
    "attach-role-policy": lambda *_: None,
    "modify-vpc-endpoint": lambda raw, options: _one(raw, "endpoints", options["--vpc-endpoint-id"]).update(
        privateDns="--private-dns-enabled" in options.flags
    ),
    "delete-dhcp-options": lambda *_: None,
    "delete-resolver-rule": lambda *_: None,
    "detach-role-policy": lambda *_: None,
    "create-resolver-rule": lambda *_: None,
    "associate-resolver-rule": lambda *_: None,
    "disassociate-resolver-rule": lambda *_: None,
    "update-firewall-domains": lambda *_: None,
}
