"""What the real API server does, beside what the probes predict: facts.py holds what was read, log_lines.py reads its
log, compare.py judges. Pure.
"""
