"""Before, during and after the one-way switch to CUSTOMER_ROUTED. run.py is the story of `preflight`.

Decides on what others have read and measured: discovery, the audit, and several rounds of probes from every subnet. Its
rule: GO only on evidence for every path that the switch moves. What was not seen is UNKNOWN, never GO.

Public: result (the types and their JSON), run (Sources, preflight), baseline (the file that switch and verify trust).
"""
