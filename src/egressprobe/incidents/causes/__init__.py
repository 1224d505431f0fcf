"""Causes from one look: what fails, joined with the alarms (grouping.py). Pure.

Public: grouping.observed.
"""
