"""The nouns that travel: Target, Plan, Measurement, Report, JoinedReport, Discovered, Failure, and the two errors.

Frozen data without I/O. Everything is public.
"""
