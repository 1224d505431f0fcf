"""Targets as destinations, and the path from each of the cluster's subnets to each of their addresses. Pure."""
