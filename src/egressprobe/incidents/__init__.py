"""Incidents: causes that are open, what changes about them, and the messages that report it. Pure.

One message for each cause and transition. What is observed comes in as `ObservedCause`s, what was reported before as
`Incident`s; `IncidentMessage`s go out. Nothing here reads AWS, and nothing here decides whether a target fails.

The story of one evaluation: `causes.grouping.observed` makes causes of a joined report and the alarms (alarms.py);
`states.evidence.evidence_of` says what is known to work; `states.transitions.step` decides which messages are due, and
`states.transitions.committed` records that they were published; `messages.compose.compose` makes them.

Public: model, changes, alarms, causes, states, messages.
"""
