"""The cold path: keeps the schedules as the plan says, and probes on demand from every subnet. Never in the VPC."""
