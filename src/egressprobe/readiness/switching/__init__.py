"""The switch of a cluster to CUSTOMER_ROUTED, and what is true of it at any moment. run.py is the story.

There is no way to undo it, so: nothing is assumed that EKS can be asked. What is written before the request
(state.py) only says what to look for; whether an update was started, and how it ended, is read from EKS (truth.py).

Public: run.switch, state.StateFile, truth.EksCalls.
"""
