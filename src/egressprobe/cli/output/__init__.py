"""Reports, audits and discovered targets as text: tables, JSON, JSON lines, YAML. Nothing is decided here.

Public: formats.FORMATS, formats.render.
"""
