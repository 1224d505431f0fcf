"""VPCs for tests: snapshots, broken and random ones, and a virtual VPC of network namespaces."""
