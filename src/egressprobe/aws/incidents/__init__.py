"""What AWS knows about an incident: alarms and their times, and who changed the network (trail.py)."""
