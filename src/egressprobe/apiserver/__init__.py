"""kube-apiserver as a client: its rules for each kind of call, its ClientHello by version, its refusals, its log
messages, and the forecast of one call. Pure: recorded measurements are enough to test it.

Public: client_rules.RULES, kube_version, forecast, availability, log_messages.sentence, refusals.
"""
