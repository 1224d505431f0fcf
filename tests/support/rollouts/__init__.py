"""A cluster whose pods move, its stack of probes, Planner and alarms, and a clock for all of it."""
