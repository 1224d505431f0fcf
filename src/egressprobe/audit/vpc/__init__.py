"""A VPC as data (snapshot.py), with its indexes (topology.py), and one call through it (walk.py). Pure."""
