"""Dashboards of a fleet of clusters, in the account that shows it: one row a cluster, as many pages as are needed."""
