"""A Terraform plan as a ChangePlan: a step for each resource that changes and can touch a path."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from egressprobe.audit.whatif.carry_out import is_id
from egressprobe.audit.whatif.plan import EVERYTHING, ChangePlan, PlannedCall, PlannedStep, Unmodelled
from egressprobe.audit.whatif.terraform.calls import TypeRow
from egressprobe.audit.whatif.terraform.document import Document, TerraformResource
from egressprobe.audit.whatif.terraform.gateways import GATEWAY_TYPES
from egressprobe.audit.whatif.terraform.groups import GROUP_TYPES
from egressprobe.audit.whatif.terraform.network import NETWORK_TYPES
from egressprobe.audit.whatif.terraform.routes import ROUTE_TYPES

ROWS: dict[str, TypeRow] = ROUTE_TYPES | GROUP_TYPES | GATEWAY_TYPES | NETWORK_TYPES
# Types of networks that have no row. Everything else (IAM, storage, compute, other providers) touches no path.
_NETWORKS = re.compile(
    r"aws_(vpc|subnet|route(?!53)|network|nat_|internet_gateway|egress_only|ec2_(transit|managed_prefix|subnet|local_"
    r"gateway|carrier|tag_|network)|vpn|dx_|default_|security_group|main_route|eip_association|networkfirewall"
    r"|networkmanager|route53_resolver|eks_cluster$)|awscc_(ec2|eks_cluster$|networkfirewall|route53resolver)"
)
_HARMLESS = re.compile(
    r"aws_(vpc_ipam|vpc_endpoint_service|vpc_endpoint_connection|vpc_network_performance|network_interface_permission"
    r"|ec2_network_insights|ec2_tag|ec2_transit_gateway_multicast|ec2_subnet_cidr_reservation|subnet_cidr_reservation"
    r"|route53_resolver_query_log|vpn_connection_route$|security_group_vpc_association|default_vpc_dhcp_options"
    r"|vpc_security_group_vpc_association|network_acls|default_network_acls|networkmanager_(site|device|link))"
    r"|awscc_ec2_(instance|volume|key_pair|launch_template|placement|ipam|network_insights|flow_log|spot|eip$)"
)
_IGNORED = ("tags", "tags_all", "timeouts", "description", "id", "arn", "region", "owner_id")


def is_terraform(document: Mapping[str, Any]) -> bool:
    return "resource_changes" in document or ("format_version" in document and "terraform_version" in document)


def read_terraform(document: Mapping[str, Any]) -> ChangePlan:
    """Raises ValueError for what is not a plan: a state, a newer format, a wrong shape."""
    version = str(document.get("format_version") or "")
    if not version.startswith(("0.", "1.")):
        raise ValueError(f'format_version is "{version}", and this reads plans of the format 1')
    if "resource_changes" not in document and "planned_values" not in document:
        raise ValueError("is a state, not a plan: run terraform show -json PLANFILE")
    whole = Document(document)
    steps, ignored = [], 0
    for resource in whole.resources():
        step = _step(resource, whole)
        if step is None:
            ignored += 1
        else:
            steps.append(step)
    notes = []
    if document.get("errored"):
        notes.append("Terraform could not plan everything: the plan is marked as errored.")
    if document.get("deferred_changes"):
        notes.append("Terraform left changes for a later plan (deferred_changes): they are not in this one.")
    secrets = frozenset(text for text in whole.secrets() if len(text) > 2)
    return ChangePlan("Terraform plan", tuple(steps), ignored=ignored, secrets=secrets, notes=tuple(notes))


def _step(resource: TerraformResource, document: Document) -> PlannedStep | None:
    """None for a resource that cannot touch a path."""
    row = ROWS.get(resource.type)
    if row is None:
        unmodelled = _unmodelled(resource)
        return PlannedStep(resource.address, resource.action, (), (unmodelled,)) if unmodelled else None
    calls: list[PlannedCall] = []
    missing: list[Unmodelled] = []
    for effect in _effects(resource, row, document):
        if isinstance(effect, PlannedCall):
            calls.append(effect)
        else:
            missing.append(effect)
    if not calls and not missing:
        return None
    return PlannedStep(resource.address, resource.action, tuple(calls), tuple(missing))


def _effects(resource: TerraformResource, row: TypeRow, document: Document) -> Iterator[PlannedCall | Unmodelled]:
    before, after = resource.before or {}, resource.after or {}
    if resource.action in ("delete", "replace"):
        yield from row.delete(resource, before, document)
    if resource.action in ("create", "replace"):
        yield from row.create(resource, after, document)
    if resource.action == "update" and row.update is not None and resource.changed(*_IGNORED):
        yield from row.update(resource, before, after, document)


def _unmodelled(resource: TerraformResource) -> Unmodelled | None:
    """What may touch paths in a way that is not known: those that consult an id that it names."""
    if not _NETWORKS.match(resource.type) or _HARMLESS.match(resource.type):
        return None
    if resource.action == "update" and not resource.changed(*_IGNORED):
        return None
    ids = {text for values in (resource.before, resource.after) for text in _texts(values) if is_id(text)}
    return Unmodelled(f"{resource.type} is not modelled", frozenset(ids or {EVERYTHING}))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
