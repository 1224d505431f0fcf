"""Formats for other programs: Markdown, JUnit and Prometheus of a `Sheet`; JSON lines of each kind of report."""
