"""`preflight` of many clusters side by side. run.py is the story, side_by_side.py the threads.

A cluster or region that cannot be read costs its own line, never the others'.
"""
