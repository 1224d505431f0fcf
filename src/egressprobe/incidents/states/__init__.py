"""What is remembered of causes, and which messages are due: transitions.py has the rules. Pure.

Public: transitions, evidence.evidence_of.
"""
