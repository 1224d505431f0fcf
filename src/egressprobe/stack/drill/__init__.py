"""`egressprobe drill`: a failing target for some minutes, and a look at every message that must come of it.

Public: run.drill, run.DrillResult, run.DrillStep.
"""
