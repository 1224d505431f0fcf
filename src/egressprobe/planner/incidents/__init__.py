"""One message for each cause and transition: the Planner's part, which reads, decides with `incidents`, and publishes.

`evaluate.py` has the order. It is level-triggered: what an event reports is read again, so that lost, repeated and late
events change nothing. What is remembered is in the schedule group (store.py), and one run at a time decides (turn.py).

Public: evaluate, acknowledge, edges, settings, reads.events.
"""
