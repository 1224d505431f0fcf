"""Calls of the EC2 and EKS API as changes: one function for each operation, in the table of table.py."""
