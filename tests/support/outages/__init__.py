"""A cluster whose paths break, its alarms, and the AWS that the Planner's incidents see, with faults of every part."""
