"""What records of the past say: VPC Flow Logs about the interfaces, the probes' log lines and metrics about outages.

Pure: records in, results out. What reads AWS is in aws/observability, what puts both together in stack/observing. What
was not recorded is unknown, neither good nor bad.
"""
