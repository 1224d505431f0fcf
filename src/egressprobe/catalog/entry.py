"""What the catalogue is made of: rows of text. The rows are in failures_connect.py, failures.py,
findings_probe.py and findings_cluster.py.
"""

from typing import Literal

import msgspec


class Entry(msgspec.Struct, frozen=True):
    """What a code means, how to confirm it, how to mend it."""

    code: str
    summary: str
    means: str
    confirm: str
    mend: str


class FindingEntry(Entry, frozen=True, kw_only=True):
    """A finding: `degrades` a verdict that would pass, or only tells."""

    severity: Literal["error", "warning", "info"]
    degrades: bool
