"""What several commands read first: a cluster's targets, its VPC, a plan of changes, the targets to probe."""
