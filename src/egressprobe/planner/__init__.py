"""The control loop of a stack: reconcile the schedules, probe on demand from every subnet, join. Runs outside the VPC.

Two stories: reconcile.py (every 15 minutes) and on_demand.py. The schedules are the only store.

Public: reconcile.{make_plan, refresh}, on_demand.probe_now, functions.run_doctor, inventory, settings, shards.cut.
"""
