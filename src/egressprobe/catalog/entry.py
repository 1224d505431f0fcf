"""What the catalogue is made of: rows of text. The rows are in failures.py, failures_connect.py and findings_*.py."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from egressprobe.model.report import Finding

DOCS = "docs/findings.md"


class Entry(msgspec.Struct, frozen=True):
    """What a code means, how to confirm it, how to fix it."""

    code: str
    summary: str
    means: str
    confirm: str
    remedy: str


class FindingEntry(Entry, frozen=True, kw_only=True):
    """A finding: `degrades` a verdict that would pass, or only informs.

    hides: findings, and codes of failures or findings, that follow from this one. People are shown the cause alone;
    JSON has everything (registry.visible).
    """

    severity: Literal["error", "warning", "info"]
    degrades: bool
    hides: tuple["str | FindingEntry", ...] = ()

    @property
    def hidden_codes(self) -> frozenset[str]:
        """The codes of what this finding hides."""
        return frozenset(hidden if isinstance(hidden, str) else hidden.code for hidden in self.hides)

    def found(self, summary: str, evidence: Mapping[str, Any], commands: Sequence[str] = ()) -> Finding:
        """One case of it: the exact commands that fix it, a line each, come before the catalogue's remedy."""
        return Finding(
            code=self.code,
            severity=self.severity,
            summary=summary,
            evidence=dict(evidence),
            remedy="\n".join((*commands, self.remedy)),
            docs=f"{DOCS}#{self.code.lower()}",
        )
