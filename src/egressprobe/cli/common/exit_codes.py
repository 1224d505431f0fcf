"""Exit codes of every command, and the one way to write a message.

0 pass, 1 our own error, 2 bad input, 3 at least one fail, 4 degraded or unknown only, 130 interrupted.
"""

import shutil
import sys
from typing import TYPE_CHECKING

from egressprobe.cli.output.terminal import paragraph
from egressprobe.model.target import Verdict

if TYPE_CHECKING:
    from egressprobe.audit.result import Audit
    from egressprobe.incidents.answer import OpenIncidents
    from egressprobe.model.joined_report import Joined
    from egressprobe.model.report import Report
    from egressprobe.observability.flows.result import Flows
    from egressprobe.observability.history.result import OutageHistory
    from egressprobe.readiness.result import Difference

    type AnyReport = Report | Joined | Audit | Difference | OpenIncidents | Flows | OutageHistory

OK, OUR_ERROR, BAD_INPUT, FAILED, NOT_SURE, INTERRUPTED = 0, 1, 2, 3, 4, 130
EXIT_CODES = {Verdict.PASS: OK, Verdict.FAIL: FAILED, Verdict.DEGRADED: NOT_SURE, Verdict.UNKNOWN: NOT_SURE}
# For --help.
TEXT = {
    OK: "every target passes; nothing found",
    OUR_ERROR: "an error of egressprobe or of AWS",
    BAD_INPUT: "bad input",
    FAILED: "at least one target fails",
    NOT_SURE: "none fails; some are degraded or unknown",
    INTERRUPTED: "interrupted; what was measured is printed",
}
FAIL_ON = ("fail", "blocks", "degraded")  # the first is the default


def exit_code(report: "AnyReport", fail_on: str = FAIL_ON[0]) -> int:
    """fail_on: what counts as a failure: `fail`, only one that `blocks` requests, or also what is `degraded`."""
    if fail_on == FAIL_ON[0]:
        return EXIT_CODES[report.verdict]
    from egressprobe.cli.output.documents.gate import fails
    from egressprobe.cli.output.formats import sheet_of

    if fails(sheet_of(report), fail_on):
        return FAILED
    return NOT_SURE if report.verdict is Verdict.FAIL else EXIT_CODES[report.verdict]


def message(text: str) -> None:
    """One line on stderr, folded to a terminal; other parties' text in it cannot control the terminal."""
    width = shutil.get_terminal_size().columns if sys.stderr.isatty() else None
    print("\n".join(paragraph(text, width)), file=sys.stderr)
