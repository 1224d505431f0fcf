"""A planned change, tried before it is made: which paths it opens and closes. Pure.

A plan (Terraform, CloudFormation, commands) is read into calls of the EC2 and EKS API; operations/ turns each call into
changes of changes/; carry_out.py applies them to the snapshot; compare.py audits both states. What is not modelled
makes the paths that it may touch unknown.
"""
