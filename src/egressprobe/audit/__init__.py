"""The static check of a VPC: what its configuration says of the control plane's egress paths. run.py is the story.

vpc/ is the VPC as data and the reachability of one address in it; here are the rules, the commands that fix what they
find, and root_cause.py, which joins a live failure with the configuration. Pure but for resolve_names.py.

Public: run.audit, root_cause.causes, resolve_names.with_names, result.Audit, vpc.snapshot.
"""
