"""The clusters of a file, each with its stack, deployed by StackSets: `make fleet FILE=clusters.yaml`; see run.py."""
