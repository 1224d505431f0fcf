"""Each kind of report as a `Sheet` (output/sheet.py), in the words of its table: one module for each kind, and paths.py
for the pictures.
"""
