"""Every failure code and finding with its text, severity and remedy: the only place for what users are advised to do.

Public: registry.{finding, lookup, all_entries, FINDINGS}, entry.Entry.
"""
