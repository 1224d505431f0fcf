"""Tables of what was recorded in the past: flow logs, outages."""
