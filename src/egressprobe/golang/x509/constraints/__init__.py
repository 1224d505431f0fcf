"""Name constraints: what an authority may not sign for, as Go up to 1.25 (`compared`) and since 1.26 (`sorted_sets`).

Every alternative name of every certificate below an authority is checked, not only the host's. Both modules do work
linear or n log n in the bytes of the certificates, whatever a peer sends. Public: checks.authority_violation,
checks.chain_violation.
"""
