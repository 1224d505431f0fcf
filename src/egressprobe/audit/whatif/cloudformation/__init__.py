"""A CloudFormation change set (`describe-change-set --include-property-values`) as calls of the EC2 and EKS API.

change_set.py reads it, with the template for what is known only after the change; types.py gives resources and their
properties the names that resources/ has rows for.
"""
