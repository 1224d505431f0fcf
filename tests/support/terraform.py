"""Terraform plans in the form of `terraform show -json` (format 1.2): written by resources, completed as Terraform does:
computed attributes are unknown in what is created, references are listed from the longest to the shortest.

https://developer.hashicorp.com/terraform/internals/json-format
"""

import json
import re
from typing import Any

# What the provider computes, and the plan does not know when the resource is created.
COMPUTED = {
    "aws_route": ("id", "instance_id", "instance_owner_id", "network_interface_id", "origin", "state"),
    "aws_route_table": ("arn", "id", "owner_id", "propagating_vgws", "route", "tags_all"),
    "aws_route_table_association": ("id",),
    "aws_main_route_table_association": ("id", "original_route_table_id"),
    "aws_network_acl": ("arn", "egress", "id", "ingress", "owner_id", "subnet_ids", "tags_all"),
    "aws_network_acl_rule": ("id",),
    "aws_network_acl_association": ("id",),
    "aws_security_group": ("arn", "egress", "id", "ingress", "name_prefix", "owner_id", "tags_all"),
    "aws_security_group_rule": ("id", "security_group_rule_id", "source_security_group_id"),
    "aws_vpc_security_group_egress_rule": ("arn", "id", "security_group_rule_id", "tags_all"),
    "aws_vpc_security_group_ingress_rule": ("arn", "id", "security_group_rule_id", "tags_all"),
    "aws_nat_gateway": ("association_id", "id", "network_interface_id", "private_ip", "public_ip", "tags_all"),
    "aws_internet_gateway": ("arn", "id", "owner_id", "tags_all"),
    "aws_egress_only_internet_gateway": ("id", "tags_all"),
    "aws_vpc_dhcp_options": ("arn", "id", "owner_id", "tags_all"),
    "aws_vpc_dhcp_options_association": ("id",),
    "aws_vpc_endpoint": ("arn", "cidr_blocks", "dns_entry", "id", "policy", "prefix_list_id", "route_table_ids",
                         "security_group_ids", "state", "subnet_ids", "tags_all"),
    "aws_ec2_managed_prefix_list": ("arn", "id", "owner_id", "tags_all", "version"),
    "aws_subnet": ("arn", "availability_zone_id", "id", "ipv6_cidr_block_association_id", "owner_id", "tags_all"),
}  # fmt: skip
_ADDRESS = re.compile(r"^((?:module\.[\w-]+(?:\[[^\]]+\])?\.)*)([a-z0-9_]+)\.([\w-]+)(?:\[(.+)\])?$")


def ref(*texts: str) -> dict[str, list[str]]:
    """An expression that refers to these: each with its beginnings, as Terraform lists them."""
    listed: list[str] = []
    for text in texts:
        parts = re.findall(r"[^.\[\]]+|\[[^\]]*\]", text)
        first = 3 if text.startswith("module.") else 2
        wholes = ["".join(part if part.startswith("[") else f".{part}" for part in parts[:n])[1:] for n in
                  range(len(parts), first - 1, -1)] if len(parts) > 2 else [text]  # fmt: skip
        listed += [whole for whole in wholes if whole not in listed]
    return {"references": listed}


def change(
    address: str,
    *actions: str,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    refs: dict[str, Any] | None = None,
    unknown: dict[str, Any] | None = None,
    for_each: Any = None,
    sensitive: Any = False,
) -> dict[str, Any]:
    """One resource. refs: expressions of what is known only after apply; unknown: of parts of lists."""
    modules, kind, name, index = _ADDRESS.match(address).groups()
    refs = refs or {}
    hidden: dict[str, Any] = dict.fromkeys(refs, True) | (unknown or {})
    created = "create" in actions
    values = dict(after) if after is not None else None
    if created and values is not None:
        for computed in COMPUTED.get(kind, ("id",)):
            if computed not in values and computed not in hidden:
                hidden[computed] = True
    constants = {key: {"constant_value": value} for key, value in (after or {}).items() if value is not None}
    made = {
        "address": address,
        "mode": "managed",
        "type": kind,
        "name": name,
        "provider_name": "registry.terraform.io/hashicorp/aws",
        "change": {
            "actions": list(actions),
            "before": before,
            "after": values,
            "after_unknown": hidden if values is not None else {},
            "before_sensitive": False if before is None else {},
            "after_sensitive": sensitive,
        },
        "_expressions": constants | refs,
        "_for_each": for_each,
    }
    if modules:
        made["module_address"] = modules[:-1]
    if index is not None:
        made["index"] = json.loads(index)
    return made


def plan(*changes: dict[str, Any], calls: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """calls: of modules by their path, as `{"net": {"expressions": {...}, "outputs": {...}}}`; nested: `net/inner`."""
    root: dict[str, Any] = {"resources": []}

    def module(path: list[str]) -> dict[str, Any]:
        at = root
        for name in path:
            call = at.setdefault("module_calls", {}).setdefault(name, {"source": f"./{name}", "module": {}})
            at = call["module"]
            at.setdefault("resources", [])
        return at

    for path, given in (calls or {}).items():
        names = path.split("/")
        module(names)["outputs"] = {
            name: {"expression": expression} for name, expression in given.get("outputs", {}).items()
        }
        parent = module(names[:-1]) if len(names) > 1 else root
        parent["module_calls"][names[-1]]["expressions"] = given.get("expressions", {})
    listed = []
    for made in changes:
        one = dict(made)
        expressions, for_each = one.pop("_expressions"), one.pop("_for_each")
        listed.append(one)
        if one["change"]["after"] is None:
            continue  # deleted: not in the configuration any more
        path = re.findall(r"module\.([\w-]+)", one.get("module_address", ""))
        block = {
            "address": f"{one['type']}.{one['name']}",
            "mode": "managed",
            "type": one["type"],
            "name": one["name"],
            "provider_config_key": "aws",
            "expressions": expressions,
            "schema_version": 0,
        }
        if for_each is not None:
            block["for_each_expression"] = for_each
        resources = module(path)["resources"]
        if all(other["address"] != block["address"] for other in resources):
            resources.append(block)
    return {
        "format_version": "1.2",
        "terraform_version": "1.13.4",
        "planned_values": {"root_module": {}},
        "resource_changes": listed,
        "prior_state": {"format_version": "1.0", "terraform_version": "1.13.4", "values": {"root_module": {}}},
        "configuration": {"provider_config": {"aws": {"name": "aws"}}, "root_module": root},
        "timestamp": "2026-11-26T08:00:00Z",
        "applyable": True,
        "complete": True,
        "errored": False,
    } | more
