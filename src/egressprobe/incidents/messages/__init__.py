"""Messages: a due message made into text for people and fields for machines. Pure.

compose.py makes all of it; text.py is the page that people read. Whatever comes from a cluster, a server or CloudTrail
is made harmless in safe.py first.

Public: compose, payloads, place.
"""
