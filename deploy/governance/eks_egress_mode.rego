# METADATA
# title: Egress mode of EKS clusters in a Terraform plan
# description: |
#   For OPA and Conftest, on a plan as JSON:
#     terraform show -json plan.tfplan > plan.json
#     conftest test --policy deploy/governance plan.json
#   Whatever creates a cluster, or changes the mode of one, must set CUSTOMER_ROUTED, known at plan time. Other changes of
#   a cluster pass, whatever its mode. A switch is a warning: it is one-way.
package main

import rego.v1

required := "CUSTOMER_ROUTED"

# aws_eks_cluster: hashicorp/aws 6.52 and later. awscc_eks_cluster: the Cloud Control provider.
mode("aws_eks_cluster", attributes) := attributes.vpc_config[0].control_plane_egress_mode

mode("awscc_eks_cluster", attributes) := attributes.resources_vpc_config.control_plane_egress_mode

clusters contains resource if {
	some resource in input.resource_changes
	resource.type in {"aws_eks_cluster", "awscc_eks_cluster"}
	object.get(resource, "mode", "managed") == "managed"
}

mode_before(resource) := value if {
	value := mode(resource.type, resource.change.before)
	is_string(value)
}

# Undefined where the configuration does not set it, or the plan does not know it.
mode_after(resource) := value if {
	value := mode(resource.type, resource.change.after)
	is_string(value)
}

creates(resource) if "create" in resource.change.actions

deletes(resource) if "delete" in resource.change.actions

updates(resource) if "update" in resource.change.actions

# The mode is the same in both, unknown in neither.
keeps_mode(resource) if mode_before(resource) == mode_after(resource)

# A provider before 6.52 knows no mode: it can neither see nor change it.
keeps_mode(resource) if {
	not mode_is_in(resource, "before")
	not mode_is_in(resource, "after")
	not mode_is_in(resource, "after_unknown")
}

mode_is_in(resource, side) if {
	value := mode(resource.type, resource.change[side])
	not value in {null, false, ""}
}

shown(resource) := value if value := mode_after(resource)

shown(resource) := "not set to a value that the plan knows" if not mode_after(resource)

deny contains message if {
	some resource in clusters
	creates(resource)
	not mode_after(resource) == required
	message := sprintf(
		"%s: the new cluster's control_plane_egress_mode is %s; set it to %s",
		[resource.address, shown(resource), required],
	)
}

deny contains message if {
	some resource in clusters
	updates(resource)
	not keeps_mode(resource)
	not mode_after(resource) == required
	message := sprintf(
		"%s: the plan changes control_plane_egress_mode, and it is %s afterwards; set it to %s",
		[resource.address, shown(resource), required],
	)
}

# hashicorp/aws replaces a cluster whose configuration goes back to AWS_MANAGED: all of it is deleted.
deny contains message if {
	some resource in clusters
	creates(resource)
	deletes(resource)
	mode_before(resource) == required
	not mode_after(resource) == required
	message := sprintf(
		"%s: the plan deletes the cluster, because there is no return from %s; set control_plane_egress_mode to %s",
		[resource.address, required, required],
	)
}

warn contains message if {
	some resource in clusters
	updates(resource)
	not keeps_mode(resource)
	mode_after(resource) == required
	message := sprintf(
		"%s: the plan switches the cluster to %s, and there is no return; apply it only after egressprobe preflight says GO",
		[resource.address, required],
	)
}
