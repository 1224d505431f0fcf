"""Readers of records: Logs Insights, VPC Flow Logs (by Logs Insights, Athena, S3), metrics. None of them writes."""
