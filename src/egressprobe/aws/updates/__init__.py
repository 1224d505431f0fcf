"""The updates of a cluster, and the one call that changes its egress mode."""
