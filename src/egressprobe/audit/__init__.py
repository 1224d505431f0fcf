"""The static check of a VPC: whether its configuration allows the control plane's calls. run.py is the story.

vpc/ is the VPC as data and the reachability of one address in it; fixes/ looks for changes (change.py) that open what
is closed, and proves them on the snapshot; remedies/ has what takes them back; rules.py evaluates the rules beside the
paths; root_cause.py joins a live failure with the configuration. Pure except for resolve_names.py.

Public: run.audit, root_cause.causes, resolve_names.with_names, result.Audit, vpc.snapshot, vpc.topology.Topology.
"""
