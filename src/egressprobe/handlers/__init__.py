"""The three Lambda entry points, and nothing else: probe, discover, planner."""
