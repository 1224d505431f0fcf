"""Operator's tools: expand the template, deploy, destroy, package, price. They run on a person's machine or in CI.

Public: planner_client.invoke.
"""
