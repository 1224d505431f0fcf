"""CloudTrail: the calls that matter to the network (calls.py), and what one recorded call names (event.py). Pure."""
