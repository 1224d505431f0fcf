"""Changes of a VPC as data: their AWS CLI commands, and what each makes of a snapshot by EC2's rules. Pure."""
