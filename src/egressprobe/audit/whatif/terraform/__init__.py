"""A Terraform or OpenTofu plan (`terraform show -json`) as calls of the EC2 and EKS API.

document.py reads the resources, references.py finds what is known only after the change by the configuration, the
other modules have one row for each resource type.
"""
