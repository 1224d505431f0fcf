"""Everything egressprobe can say, in one ordered catalogue: `explain`, docs/findings.md and the README read it.

An entry says what a code means, how to confirm it by hand and how to mend it. Failures (lower case) say what
one call met; findings (upper case) say what is worth a person's time beside the verdict.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from egressprobe.catalog.entry import Entry, FindingEntry
from egressprobe.catalog.failures import FAILURES
from egressprobe.catalog.findings_cluster import OF_THE_CLUSTER
from egressprobe.catalog.findings_probe import ON_THE_PATH
from egressprobe.catalog.findings_vpc_config import AROUND_THE_VPC
from egressprobe.catalog.findings_vpc_path import ON_THE_WAY
from egressprobe.model.report import Finding

DOCS = "docs/findings.md"
FINDINGS: dict[str, FindingEntry] = {
    entry.code: entry
    for entry in sorted((*ON_THE_PATH, *OF_THE_CLUSTER, *ON_THE_WAY, *AROUND_THE_VPC), key=lambda entry: entry.code)
}


def finding(code: str, summary: str, evidence: dict[str, Any], commands: Sequence[str] = ()) -> Finding:
    """A finding with its catalogue text, behind the exact commands that mend it, a line each.

    Raises KeyError for a code that is not in the catalogue.
    """
    entry = FINDINGS[code]
    return Finding(
        code=code,
        severity=entry.severity,
        summary=summary,
        evidence=evidence,
        remedy="\n".join((*commands, entry.mend)),
        docs=f"{DOCS}#{code.lower()}",
    )


def lookup(code: str) -> Entry | None:
    """The entry for a failure or finding code, in any case."""
    return FINDINGS.get(code.upper()) or FAILURES.get(code.lower())


def all_entries() -> tuple[Entry, ...]:
    return (*FAILURES.values(), *FINDINGS.values())


def struct_dict(entry: Entry) -> dict[str, Any]:
    """An entry as plain data, for JSON output."""
    return {"schemaVersion": "egressprobe/explain/v1", **msgspec.to_builtins(entry)}
