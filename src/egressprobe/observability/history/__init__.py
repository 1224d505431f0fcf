"""Outages and availability from the records of the past: minutes that failed, passed or are unknown. Pure."""
