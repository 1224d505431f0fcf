"""What the real API server does beside what the probes predict: read and compared with each plan (corroborate.py)."""
