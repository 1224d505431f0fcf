"""Everything egressprobe can say, in one ordered catalogue: `explain`, docs/findings.md and the README read it.

An entry says what a code means, how to confirm it by hand and how to fix it. Failures (lower case) say what
one call met; findings (upper case) say what is worth a person's time beside the verdict.
"""

from collections.abc import Iterable
from typing import Any

from egressprobe.catalog import (
    findings_cluster,
    findings_probe,
    findings_tls,
    findings_vpc_config,
    findings_vpc_path,
    findings_webhook,
)
from egressprobe.catalog.entry import Entry, FindingEntry
from egressprobe.catalog.failures import FAILURES
from egressprobe.model.report import Finding

_MODULES = (
    findings_cluster,
    findings_probe,
    findings_tls,
    findings_vpc_config,
    findings_vpc_path,
    findings_webhook,
)
# By code, in alphabetical order. A finding is a constant of one of the modules; its name is its code.
FINDINGS: dict[str, FindingEntry] = {
    name: entry
    for name, entry in sorted((pair for module in _MODULES for pair in vars(module).items()), key=lambda pair: pair[0])
    if isinstance(entry, FindingEntry)
}


def lookup(code: str) -> Entry | None:
    """The entry for a failure or finding code, in any case."""
    return FINDINGS.get(code.upper()) or FAILURES.get(code.lower())


def visible(findings: Iterable[Finding], *, of: Iterable[str] = ()) -> tuple[Finding, ...]:
    """The findings that no other of them explains. of: codes of further findings that are known beside them."""
    findings = tuple(findings)
    known = {*(finding.code for finding in findings), *of}
    hidden = {code for entry in map(FINDINGS.get, known) if entry for code in entry.hidden_codes - {entry.code}}
    return tuple(finding for finding in findings if finding.code not in hidden)


def all_entries() -> tuple[Entry, ...]:
    return (*FAILURES.values(), *FINDINGS.values())


def struct_dict(entry: Entry) -> dict[str, Any]:
    """An entry as plain data, for JSON output; what a finding hides by its code."""
    fields = {name: getattr(entry, name) for name in entry.__struct_fields__}
    if isinstance(entry, FindingEntry):
        fields["hides"] = sorted(entry.hidden_codes)
    return {"schemaVersion": "egressprobe/explain/v1", **fields}
