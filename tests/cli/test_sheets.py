"""Every kind of report as a sheet: nothing of the table is lost, and what needs a person comes first."""

import pytest
from msgspec.structs import replace

from egressprobe.cli.output.observed.history_sheet import history_sheet
from egressprobe.cli.output.observed.incidents_sheet import incidents_sheet
from egressprobe.cli.output.sheet import column_key
from egressprobe.cli.output.sheets.audit import audit_sheet
from egressprobe.cli.output.sheets.difference import difference_sheet
from egressprobe.cli.output.sheets.fleet import fleet_sheet
from egressprobe.cli.output.sheets.flows import flows_sheet
from egressprobe.cli.output.sheets.joined import joined_sheet
from egressprobe.cli.output.sheets.preflight import preflight_sheet
from egressprobe.cli.output.sheets.report import report_sheet
from egressprobe.cli.output.sheets.whatif import whatif_sheet
from egressprobe.cli.output.subnet_table import subnet_table
from egressprobe.cli.output.table import details, to_table
from egressprobe.cli.output.whatif_table import whatif_table
from egressprobe.model.report import Report
from egressprobe.model.target import Expect, Impact, Verdict
from egressprobe.readiness.fleet.result import Fleet
from egressprobe.readiness.result import CellDifference, Preflight, Trend
from tests.support.preflight_example import example_preflight
from tests.support.reports import SAMPLES, audit, difference, joined, preflight, report, whatif

MAKE = {
    "Fleet": fleet_sheet,
    "Report": report_sheet,
    "Joined": joined_sheet,
    "Audit": audit_sheet,
    "WhatIf": whatif_sheet,
    "Preflight": preflight_sheet,
    "Difference": difference_sheet,
    "OpenIncidents": incidents_sheet,
    "Flows": flows_sheet,
    "OutageHistory": history_sheet,
}


def test_every_sheet_holds_together():
    """Cells have columns, at most one each; the worst comes first in each group; a failing row has a failing cell."""
    for kind, sample in SAMPLES.items():
        sheet = MAKE[kind.__name__](sample())
        keys = [column_key(column) for column in sheet.columns]
        assert len(set(keys)) == len(keys), kind
        assert sheet.rows, kind
        for row in sheet.rows:
            assert {cell.column for cell in row.cells} <= set(keys), kind
            assert len({cell.column for cell in row.cells}) == len(row.cells), kind
            assert any(cell.verdict is row.verdict for cell in row.cells), kind
        order = [(row.group, ("fail", "unknown", "degraded", "pass").index(row.verdict)) for row in sheet.rows]
        assert order == sorted(order, key=lambda pair: ([p[0] for p in order].index(pair[0]), pair[1])), kind
        assert sheet.headline, kind
        assert sheet.made_at, kind
        assert kind is Fleet or sheet.problems[0].severity == "error", kind


def test_a_cell_of_a_preflight_has_what_its_run_found():
    """Where it does not pass: cause, the API server's message and the fix, as the table of that subnet has them."""
    sheet = preflight_sheet(preflight())
    [expired] = [row for row in sheet.rows if row.name == "expired"]
    explained = [dict(cell.details) for cell in expired.cells if cell.subnet == "subnet-0a"]
    assert [("cause" in one, "apiserver" in one, "rounds" in one) for one in explained] == [(True, True, True)] * 2
    alone = preflight_sheet(replace(preflight(), joined=None))
    assert not [cell for row in alone.rows for cell in row.cells if "cause" in dict(cell.details)]
    assert not [
        cell
        for row in sheet.rows
        for cell in row.cells
        if cell.verdict is Verdict.PASS and "cause" in dict(cell.details)
    ]


def test_a_report_is_said_in_the_words_of_its_table():
    """Headline, call, explanation and footer."""
    sheet, table = report_sheet(report()), to_table(report())
    assert table.startswith(sheet.headline + "\n")
    results = {result.target.name: result for result in report().results}
    for row in sheet.rows:
        [cell] = row.cells
        assert cell.text in table
        assert cell.details == tuple(details(results[row.name]))
    assert all(note in table for note in sheet.notes)


def test_every_failing_target_is_a_problem():
    """With a fix each, and whom it affects."""
    sheet = report_sheet(report())
    affected = ", ".join(problem.affects for problem in sheet.problems)
    failing = [result for result in report().results if result.verdict is not Verdict.PASS]
    assert all(result.target.name in affected for result in failing)
    assert all(problem.remedy for problem in sheet.problems if problem.severity == "error")


def test_phases_and_expiry_of_a_healthy_target():
    """Seconds by phase; the date of the certificate itself, not one that days with two digits make."""
    cells = {row.name: row.cells[0] for row in report_sheet(report()).rows}
    healthy = cells["policy.healthy"]
    assert [phase for phase, _ in healthy.phases] == ["resolve", "connect", "tls", "http"]
    assert all(0 <= seconds < 1 for _, seconds in healthy.phases)
    assert healthy.expires == 1802224789.0  # 2027-02-10T01:59:49Z
    assert cells["nxdomain"].expires is None
    assert [phase for phase, _ in cells["nxdomain"].phases] == ["resolve"]


def test_an_expiry_of_a_certificate_that_was_not_presented():
    """A root that ends first: from the days that are left."""
    healthy = next(result for result in report().results if result.target.name == "policy.healthy")
    [attempt] = healthy.attempts
    soon = replace(attempt, tls=replace(attempt.tls, days_remaining=1.0))
    sheet = report_sheet(replace(report(), results=(replace(healthy, attempts=(soon,)),)))
    assert sheet.rows[0].cells[0].expires == 1795312789.266 + 86400


def test_a_subnet_without_an_answer_is_unknown_in_every_row():
    """And the reason is there."""
    sheet = joined_sheet(joined())
    assert [column[1] for column in sheet.columns] == ["subnet-0a", "subnet-0b", "subnet-0c"]
    for row in sheet.rows:
        assert row.cells[2].verdict is Verdict.UNKNOWN
        assert row.cells[2].seconds is None
    assert ("subnet-0c", "the function was throttled") in sheet.facts
    assert all(note in subnet_table(joined()) for note in sheet.notes)


def test_a_cause_replaces_the_failure_that_it_explains():
    """The failing subnet of a diagnosed target is not a problem twice."""
    problems = joined_sheet(joined()).problems
    assert [problem.affects for problem in problems if "one-of-two-dead" in problem.affects] == [
        "one-of-two-dead from subnet-0a"
    ]
    assert problems[0].steps.proven


def test_the_states_of_paths():
    """Closed fails, partial is degraded; of a target that must be blocked the other way round; nothing was measured."""
    sheet = audit_sheet(audit())
    assert not sheet.probed
    cells = {(row.name, cell.column): cell for row in sheet.rows for cell in row.cells}
    assert cells["policy.example.com", "subnet-a"].verdict is Verdict.DEGRADED
    assert cells["pods.hooks.svc", "subnet-a"].verdict is Verdict.FAIL
    assert cells["pods.hooks.svc", "subnet-b"].verdict is Verdict.PASS
    assert cells["pods.hooks.svc", "subnet-a"].paths
    rows = tuple(replace(row, target=replace(row.target, expect=Expect.BLOCKED)) for row in audit().rows)
    turned = {
        (row.name, cell.column): (cell.verdict, cell.text)
        for row in audit_sheet(replace(audit(), rows=rows)).rows
        for cell in row.cells
    }
    assert turned["pods.hooks.svc", "subnet-a"] == (Verdict.PASS, "blocked")
    assert turned["pods.hooks.svc", "subnet-b"] == (Verdict.FAIL, "NOT BLOCKED")
    assert turned["policy.example.com", "subnet-a"] == (Verdict.FAIL, "NOT BLOCKED")


def test_what_a_plan_changes():
    """Before and after, by subnet; a subnet where nothing changes has no cell."""
    sheet = whatif_sheet(whatif())
    cells = {(row.name, cell.column): (cell.verdict, cell.text) for row in sheet.rows for cell in row.cells}
    assert cells["pods.hooks.svc:9443", "subnet-b"] == (Verdict.FAIL, "open -> CLOSED NACL_INGRESS_DENIED")
    assert cells["pods.hooks.svc:9443", "subnet-a"] == (Verdict.PASS, "CLOSED -> open")
    assert ("policy.example.com:443", "subnet-b") not in cells


@pytest.mark.parametrize(
    ("effect", "after", "verdict", "severities"),
    [
        ("closes", "closed", Verdict.PASS, []),
        ("closes", "partial", Verdict.FAIL, ["error"]),
        ("opens", "open", Verdict.FAIL, ["error"]),
        ("unknown", "unknown", Verdict.UNKNOWN, ["warning"]),
    ],
)
def test_a_plan_that_blocks_what_must_be_blocked_passes(effect, after, verdict, severities):
    """In every format as in the verdict: a closed path is what the target expects."""
    path = replace(whatif().paths[0], effect=effect, after=after, expect=Expect.BLOCKED)
    result = replace(whatif(), paths=(path,), findings=(), resolved=(), verdict=verdict)
    sheet = whatif_sheet(result)
    assert [cell.verdict for row in sheet.rows for cell in row.cells] == [verdict]
    assert [problem.severity for problem in sheet.problems] == severities
    assert ("CLOSES" in whatif_table(result)) == (after == "partial")


def test_a_preflight_shows_what_the_switch_breaks_first():
    """Families have columns of their own; rounds that differ are counted."""
    sheet = preflight_sheet(preflight())
    assert sheet.headline.startswith("NO-GO  expired")
    assert (sheet.verdict, sheet.decision) == (Verdict.FAIL, "NO-GO")
    assert [row.group for row in sheet.rows] == [
        "Would break by the switch",
        "Broken today, not by the switch",
        "Passing",
    ]
    assert [column[1] for column in sheet.columns] == [
        "subnet-0a IPv4",
        "subnet-0a IPv6",
        "subnet-0b IPv4",
        "subnet-0b IPv6",
    ]
    assert sheet.rows[0].cells[0].text == "FAIL tls_cert_expired 2/3"
    assert [check.state for check in sheet.checks] == ["met", "not met", "unknown"]
    assert any("subnet-0c has no probe" in note for note in sheet.notes)
    assert preflight_sheet(replace(preflight(), decision="UNKNOWN")).verdict is Verdict.UNKNOWN


def test_trends():
    """Worse fails, what cannot be compared is unknown, slower is degraded; better, faster and gone pass."""
    sheet = difference_sheet(difference())
    verdicts = {row.name: row.verdict for row in sheet.rows}
    assert verdicts == {
        "is-worse": Verdict.FAIL,
        "is-unknown": Verdict.UNKNOWN,
        "is-slower": Verdict.DEGRADED,
        **dict.fromkeys(("is-better", "is-faster", "is-new", "is-gone"), Verdict.PASS),
    }
    assert sheet.headline.startswith("FAIL: prod: 1 of 3 checks not met")
    [gone] = [row for row in sheet.rows if row.name == "is-gone"]
    assert gone.cells[0].text == "gone: pass -> -"


def test_where_there_is_no_subnet_is_this_computer():
    """Two reports of `run`: their cells have no subnet."""
    cells = tuple(replace(cell, subnet_id="", family="") for cell in difference().differences[:1])
    sheet = difference_sheet(replace(difference(), cluster_name="", differences=cells))
    assert sheet.columns == (("this computer", "this computer"),)
    assert sheet.rows[0].cells[0].column == "this computer"
    assert sheet.rows[0].cells[0].subnet == ""
    assert sheet.title == "Reports before and after"


def test_the_samples_are_of_every_kind():
    """A new kind of report comes with a sample."""
    from egressprobe.cli.output.formats import FORMATS

    assert set(SAMPLES) == set(FORMATS)
    assert {Report, Preflight} <= set(FORMATS)


def test_what_is_worse_after_the_switch_has_its_path():
    """As the audit of the preflight after it found it; what is better has none."""
    now = replace(example_preflight(), joined=None)
    failing = next(row for row in now.rows if row.verdict is Verdict.FAIL)
    [cell] = [cell for cell in failing.cells if cell.verdict is Verdict.FAIL]
    at = (failing.target.name, cell.subnet_id, cell.family)
    cells = tuple(CellDifference(*at, trend, Impact.BLOCKS, None, cell) for trend in (Trend.WORSE, Trend.BETTER))
    [row] = difference_sheet(replace(difference(), differences=cells, now=now)).rows
    worse, better = row.cells
    assert [hop.state for path in worse.paths for hop in path.hops].count("blocked") == 1
    assert better.paths == ()
    assert not [cell for row in difference_sheet(difference()).rows for cell in row.cells if cell.paths]
