"""Each kind of report as a `Sheet` (output/sheet.py): one module for each kind, and paths.py for the pictures."""
