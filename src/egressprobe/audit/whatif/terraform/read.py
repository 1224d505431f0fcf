"""A Terraform plan as a ChangePlan: a step for each resource that changes and can touch a path."""

import re
from collections.abc import Mapping
from typing import Any

from egressprobe.audit.whatif.plan import ChangePlan, PlannedStep
from egressprobe.audit.whatif.resources.calls import PlannedResource
from egressprobe.audit.whatif.resources.steps import ROWS, step_of, unmodelled_step
from egressprobe.audit.whatif.terraform.document import Document

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


def _step(resource: PlannedResource, document: Document) -> PlannedStep | None:
    """None for a resource that cannot touch a path."""
    if resource.type in ROWS:
        return step_of(resource, document)
    if not _NETWORKS.match(resource.type) or _HARMLESS.match(resource.type):
        return None
    return unmodelled_step(resource)
