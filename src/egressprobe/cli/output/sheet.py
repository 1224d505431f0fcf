"""Every kind of report in one shape, for the formats markdown, html, junit and prometheus.

A sheet is plain text and data: a format escapes it. Each kind of report has one function that makes its sheet.
"""

from typing import NamedTuple

from egressprobe.model.remedy import RemedySteps
from egressprobe.model.target import Verdict


class SheetHop(NamedTuple):
    """One element of a path as configured: `security group sg-1`, `network ACL acl-1`, `route table rtb-1`, `NAT ...`.

    state: open, partial (it passes some of the packets), blocked, unknown, or not reached (behind the element that
    blocks). note: why it is not open. returning: met by return traffic, behind the destination.
    """

    kind: str
    id: str
    state: str
    note: str = ""
    returning: bool = False


class PathPicture(NamedTuple):
    """The path of one connection, to be drawn: from a subnet to an address and port.

    hops: in the order of the packets, those of return traffic last. state: open, partial, closed or unknown.
    """

    subnet: str
    destination: str
    hops: tuple[SheetHop, ...]
    state: str


class SheetCell(NamedTuple):
    """One row in one column: text as the table has it; details: label and text, as the table explains it.

    column: the key of its column (`column_key`). subnet, family: where they are known (`ipv4`, `ipv6`). seconds: of
    the predicted call. phases: seconds by phase (resolve, connect, tls, http). expires: the earliest expiry of a
    certificate of the chain, Unix time in seconds.
    """

    column: str
    text: str
    verdict: Verdict
    code: str = ""
    seconds: float | None = None
    phases: tuple[tuple[str, float], ...] = ()
    expires: float | None = None
    details: tuple[tuple[str, str], ...] = ()
    paths: tuple[PathPicture, ...] = ()
    subnet: str = ""
    family: str = ""


class SheetRow(NamedTuple):
    """One target. group: rows are shown in groups of this title, in the order of their first row.

    cells: at most one for each column; a column without one is empty in this row. impact: empty where not known.
    counted: it has a part in the verdict of the sheet.
    """

    name: str
    kind: str
    url: str
    verdict: Verdict
    impact: str
    cells: tuple[SheetCell, ...]
    group: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    counted: bool = True


class SheetProblem(NamedTuple):
    """A cause, a failure or a finding with its fix. severity: error, warning or info. affects: targets, subnets.

    remedy: the fix as text where there are no steps. docs: anchor in docs/findings.md.
    """

    code: str
    severity: str
    summary: str
    affects: str = ""
    evidence: tuple[tuple[str, str], ...] = ()
    remedy: str = ""
    steps: RemedySteps | None = None
    docs: str = ""


class SheetCheck(NamedTuple):
    """A prerequisite or a step of the verification. state: met, not met, unknown."""

    title: str
    state: str
    summary: str


class Sheet(NamedTuple):
    """headline: the first line (GO, NO-GO, a verdict, what decides it). facts: label and value under it.

    columns: head and second line (zone, subnet id) of the matrix. notes: what was not covered, limits. probed: the
    cells were measured; else they are the configuration's, or compare. decision: of a preflight, GO, NO-GO or UNKNOWN.
    """

    title: str
    headline: str
    verdict: Verdict
    cluster: str
    made_at: str
    seconds: float
    facts: tuple[tuple[str, str], ...] = ()
    checks: tuple[SheetCheck, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()
    rows: tuple[SheetRow, ...] = ()
    problems: tuple[SheetProblem, ...] = ()
    notes: tuple[str, ...] = ()
    probed: bool = True
    decision: str = ""


def column_key(column: tuple[str, str]) -> str:
    """What the cells of a column name it by: its second line, or its head where there is none."""
    return column[1] or column[0]
