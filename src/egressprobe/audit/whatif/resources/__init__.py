"""Resources of a plan as calls of the EC2 and EKS API: one row for each type.

Types and attributes have Terraform's names; CloudFormation's get these names in cloudformation/types.py.
"""
