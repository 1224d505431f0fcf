"""Values that Terraform knows only after the change, found by what the configuration refers to.

A new NAT gateway has no id in the plan, but the route to it refers to `aws_nat_gateway.this[0].id`. In a snapshot it is
then named by its address. A reference is followed through variables of modules and outputs of modules; where several
instances come into question, the one with the same index or key is taken if the expression uses `count.index` or
`each`, and otherwise it is unknown which. Locals are not in a plan's JSON.

Source: Terraform documentation, "JSON Output Format": Expression and Configuration Representation.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from egressprobe.audit.whatif.plan import KnownAfterApply

type Expressions = Mapping[str, Any]
_MOST_STEPS = 30
_PART = re.compile(r'\.?([A-Za-z_][\w-]*)|\[(?:"((?:[^"\\]|\\.)*)"|(\d+))\]')
# The types that an attribute can name; conditions of the expression refer to others.
TYPES: dict[str, tuple[str, ...]] = {
    "nat_gateway_id": ("aws_nat_gateway",),
    "gateway_id": ("aws_internet_gateway", "aws_vpn_gateway", "aws_vpc_endpoint"),
    "internet_gateway_id": ("aws_internet_gateway",),
    "vpn_gateway_id": ("aws_vpn_gateway",),
    "egress_only_gateway_id": ("aws_egress_only_internet_gateway",),
    "transit_gateway_id": ("aws_ec2_transit_gateway",),
    "transit_gateway_route_table_id": ("aws_ec2_transit_gateway_route_table",),
    "transit_gateway_attachment_id": ("aws_ec2_transit_gateway_vpc_attachment",),
    "vpc_peering_connection_id": ("aws_vpc_peering_connection",),
    "network_interface_id": ("aws_network_interface", "aws_instance"),
    "vpc_endpoint_id": ("aws_vpc_endpoint",),
    "route_table_id": ("aws_route_table", "aws_default_route_table"),
    "route_table_ids": ("aws_route_table", "aws_default_route_table"),
    "subnet_id": ("aws_subnet", "aws_default_subnet"),
    "subnet_ids": ("aws_subnet", "aws_default_subnet"),
    **dict.fromkeys(
        (
            *("security_group_id", "source_security_group_id", "referenced_security_group_id", "security_groups"),
            *("security_group_ids", "vpc_security_group_ids"),
        ),
        ("aws_security_group", "aws_default_security_group"),
    ),
    "network_acl_id": ("aws_network_acl", "aws_default_network_acl"),
    "vpc_id": ("aws_vpc", "aws_default_vpc"),
    "peer_vpc_id": ("aws_vpc", "aws_default_vpc"),
    "dhcp_options_id": ("aws_vpc_dhcp_options",),
    "allocation_id": ("aws_eip",),
    "prefix_list_id": ("aws_ec2_managed_prefix_list",),
    "prefix_list_ids": ("aws_ec2_managed_prefix_list",),
    "destination_prefix_list_id": ("aws_ec2_managed_prefix_list",),
}


class ExpressionPlace(NamedTuple):
    """Where an expression is written. module: names of the modules, without keys; keys: those of the instance.

    for_each: the expression that `each` is from.
    """

    module: tuple[str, ...]
    keys: tuple[str | int | None, ...] = ()
    key: str | int | None = None
    for_each: Any = None


class Instance(NamedTuple):
    """A resource instance. id: as the snapshot knows it, empty where the plan does not have it."""

    module: tuple[str, ...]
    keys: tuple[str | int | None, ...]
    type: str
    name: str
    key: str | int | None
    id: str


class _Reference(NamedTuple):
    """names: `aws_x`, `name`, attributes; key: of the resource or module, if written."""

    names: tuple[str, ...]
    key: str | int | None = None


class PlanConfiguration:
    """The configuration of a plan, and the instances that it makes."""

    def __init__(self, document: Mapping[str, Any], instances: Iterable[Instance]) -> None:
        self._root: Mapping[str, Any] = (document.get("configuration") or {}).get("root_module") or {}
        self._instances: dict[tuple[tuple[str, ...], str, str], list[Instance]] = {}
        for instance in instances:
            self._instances.setdefault((instance.module, instance.type, instance.name), []).append(instance)

    def _module(self, path: tuple[str, ...]) -> Mapping[str, Any]:
        module = self._root
        for name in path:
            module = ((module.get("module_calls") or {}).get(name) or {}).get("module") or {}
        return module

    def resource(self, module: tuple[str, ...], kind: str, name: str) -> Mapping[str, Any] | None:
        """Its block of the configuration; None where it is not there, as for what is deleted."""
        for resource in self._module(module).get("resources") or ():
            if (resource.get("type"), resource.get("name"), resource.get("mode")) == (kind, name, "managed"):
                block: Mapping[str, Any] = resource
                return block
        return None

    def find(self, attribute: str, expression: Any, place: ExpressionPlace, *, many: bool = False) -> list[str] | None:
        """Ids that an expression refers to: one, or with `many` all of them; None where that is not known."""
        types = TYPES.get(attribute)
        if types is None:
            return None
        if any(reference.names[:2] == ("each", "value") for reference in _references(expression)):
            expression = [expression, place.for_each]
        candidates = list(dict.fromkeys(self._candidates(expression, place, _MOST_STEPS)))
        fitting = [(instance, exact) for instance, exact in candidates if instance.type in types]
        exact = [instance for instance, is_exact in fitting if is_exact]
        instances = exact or [instance for instance, _ in fitting]
        if any(not instance.id for instance in instances) or not instances:
            return None
        if not many and len(instances) > 1:
            instances = [instance for instance in instances if instance.key == place.key is not None]
            if len(instances) != 1 or not self._by_index(expression):
                return None
        return [instance.id for instance in instances]

    def _by_index(self, expression: Any) -> bool:
        names = {reference.names[0] for reference in _references(expression)}
        return bool(names & {"count", "each"})

    def _candidates(self, expression: Any, place: ExpressionPlace, steps: int) -> Iterator[tuple[Instance, bool]]:
        """Instances that are referred to, and whether by an index that is written."""
        if steps <= 0:
            return
        for reference in _references(expression):
            names = reference.names
            if names[0] == "var" and len(names) > 1 and place.module:
                yield from self._of_variable(names[1], place, steps)
            elif names[0] == "module" and len(names) > 2:
                outputs = self._module((*place.module, names[1])).get("outputs") or {}
                output = (outputs.get(names[2]) or {}).get("expression")
                inner = ExpressionPlace((*place.module, names[1]), (*place.keys, reference.key), place.key)
                yield from self._candidates(output, inner, steps - 1)
            elif names[0].startswith("aws_") and len(names) > 1:
                for instance in self._instances.get((place.module, names[0], names[1]), ()):
                    if not _same(instance.keys, place.keys) or (
                        reference.key is not None and instance.key != reference.key
                    ):
                        continue
                    yield instance, reference.key is not None

    def _of_variable(self, name: str, place: ExpressionPlace, steps: int) -> Iterator[tuple[Instance, bool]]:
        """What the call of the module gives it."""
        outer = ExpressionPlace(place.module[:-1], place.keys[:-1], place.key)
        calls = self._module(outer.module).get("module_calls") or {}
        given = ((calls.get(place.module[-1]) or {}).get("expressions") or {}).get(name)
        yield from self._candidates(given, outer, steps - 1)


def _same(keys: tuple[str | int | None, ...], wanted: tuple[str | int | None, ...]) -> bool:
    """Whether an instance's modules have the keys; None for any."""
    return all(key == other or other is None for key, other in zip(keys, wanted, strict=False))


def _references(expression: Any) -> list[_Reference]:
    """The references of an expression, without those that are the beginning of another."""
    if isinstance(expression, list):
        return [reference for part in expression for reference in _references(part)]
    if not isinstance(expression, Mapping):
        return []
    texts = expression.get("references")
    if texts is None:  # a nested block
        return [reference for part in expression.values() for reference in _references(part)]
    whole = [
        text
        for text in texts
        if not any(other != text and other.startswith((f"{text}.", f"{text}[")) for other in texts)
    ]
    return [reference for reference in map(_reference, whole) if reference.names]


def _reference(text: str) -> _Reference:
    names: list[str] = []
    index: str | int | None = None
    for match in _PART.finditer(text):
        if match[1] is not None:
            names.append(match[1])
        elif len(names) == 2 and index is None:
            index = match[2] if match[2] is not None else int(match[3])
    return _Reference(tuple(names), index)


def unknown(attribute: str) -> KnownAfterApply:
    return KnownAfterApply(f"Terraform does not know {attribute} before")
