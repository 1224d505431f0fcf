"""A drill: one target that fails, for some minutes, to see the pages come. No target of the cluster is in it.

Public: schedule.start, schedule.stop, schedule.remove_expired.
"""
