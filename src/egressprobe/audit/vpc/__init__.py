"""A VPC as data (snapshot.py) and the reachability of one address in it (reachability.py). Pure."""
