"""Incidents: causes that are open, what changes about them, and the messages that report it. Pure.

One message for each cause and transition. What is observed comes in as `ObservedCause`s, what was reported before as
`Incident`s; `IncidentMessage`s go out. Nothing here reads AWS, and nothing here decides whether a target fails.

Public: changes, model.
"""
