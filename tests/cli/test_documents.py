"""Markdown, JUnit, Prometheus and JSON lines of every kind of report, read by readers that share no code with them."""

import io
import json
import re
import subprocess
import sys

import pytest
from msgspec.structs import replace

from egressprobe.catalog.entry import is_command
from egressprobe.cli.common.exit_codes import exit_code
from egressprobe.cli.output.documents.markdown import to_markdown
from egressprobe.cli.output.formats import _KINDS, FORMATS, _function, render, sheet_of
from egressprobe.cli.output.sheet import Sheet, SheetProblem, SheetRow
from egressprobe.model.report import Report
from egressprobe.model.target import Impact, Verdict
from egressprobe.readiness.fleet.result import Fleet
from egressprobe.readiness.result import Difference, Preflight, Trend
from tests.support.documents import junit_tests, markdown_text, prometheus_samples
from tests.support.reports import SAMPLES, audit, difference, joined, preflight, report, whatif

KINDS = pytest.mark.parametrize("kind", SAMPLES, ids=lambda kind: kind.__name__)
OUTCOMES = {"fail": "failure", "unknown": "error", "degraded": "system-out", "pass": "passed"}


def rendered(sample, form, fail_on="fail"):
    return render(sample, form, io.StringIO(), fail_on)


def outcomes(sample, fail_on="fail"):
    return {(test.suite, test.name): test.outcome for test in junit_tests(rendered(sample, "junit", fail_on))}


@KINDS
def test_every_kind_has_every_format(kind):
    """Tables of preflight and diff have modules of their own."""
    forms = ["json", "jsonl", "yaml", "markdown", "junit", "prometheus"]
    assert [form for form in FORMATS[kind] if form in forms] == forms
    assert all(rendered(SAMPLES[kind](), form) for form in FORMATS[kind])


@KINDS
def test_a_table_at_80_columns(kind):
    """The first line has the verdict or decision; nothing but what is there to be copied is wider than the terminal."""
    sample = SAMPLES[kind]()
    table = _function(_KINDS[kind].table)
    text = table(sample, width=80)
    assert re.search(r"\b(FAIL|NO-GO)\b", text.splitlines()[0])
    for shown in text.splitlines():
        copied = is_command(shown[14:]) or shown.strip().startswith("apiserver") or "egressprobe preflight" in shown
        assert len(shown) <= 80 or copied, shown
    coloured = table(sample, width=80, colour=True)
    assert re.sub(r"\x1b\[\d+m", "", coloured) == text


# -- junit --


@KINDS
def test_junit_has_a_test_for_each_cell(kind):
    """With its verdict as an outcome; what has no part in the decision is skipped."""
    sheet = sheet_of(SAMPLES[kind]())
    tests = junit_tests(rendered(SAMPLES[kind](), "junit"))
    expected = [
        (row.name, OUTCOMES[cell.verdict] if row.counted or cell.verdict is Verdict.PASS else "skipped")
        for row in sheet.rows
        for cell in row.cells
    ]
    suites = {key for zone, name in sheet.columns for key in (zone, name, f"{name} ({zone})")}
    assert sorted((test.name, test.outcome) for test in tests if test.suite in suites) == sorted(expected)


@pytest.mark.parametrize("verdict", Verdict)
def test_junit_is_never_green_where_the_report_is_not(verdict):
    """A report that fails for a reason that no target shows: the suite of the whole report has it."""
    for sample in (audit(), joined(), whatif()):
        empty = replace(sample, verdict=verdict, **({"rows": ()} if sample is not whatif() else {"paths": ()}))
        [test] = [test for test in junit_tests(rendered(empty, "junit")) if test.suite == "report"]
        assert test.outcome == OUTCOMES[verdict]


def test_junit_follows_fail_on():
    """As the exit code does."""
    by_name = {result.target.name: result for result in report().results}
    refused, slow = replace(by_name["refused"], impact=Impact.BLOCKS), by_name["expires-soon"]
    ignored = replace(refused, impact=Impact.BYPASSES, target=replace(refused.target, name="ignored"))
    only_ignored = replace(report(), results=(ignored,))
    both = replace(report(), results=(ignored, refused, slow))
    assert outcomes(both) == {
        ("report", "Egress"): "failure",
        ("from here", "ignored"): "failure",
        ("from here", "refused"): "failure",
        ("from here", "expires-soon"): "system-out",
    }
    assert outcomes(both, "blocks")["from here", "ignored"] == "skipped"
    assert outcomes(both, "blocks")["report", "Egress"] == "failure"
    assert set(outcomes(only_ignored, "blocks").values()) == {"skipped"}
    assert outcomes(both, "degraded")["from here", "expires-soon"] == "failure"


def test_junit_says_the_cause_and_the_fix():
    """For whoever sees only the CI's page."""
    tests = {(test.suite, test.name): test for test in junit_tests(rendered(joined(), "junit"))}
    dead = tests["subnet-0a (eu-west-1a)", "one-of-two-dead"]
    assert dead.message == "rtb-1 has no route to 203.0.113.1 (ROUTE_NO_EGRESS)"
    assert "fix       aws ec2 create-route --route-table-id rtb-1" in dead.text
    assert "undo      aws ec2 delete-route" in dead.text
    closed = next(test for test in junit_tests(rendered(audit(), "junit")) if test.name == "pods.hooks.svc")
    assert "fix       aws ec2 create-network-acl-entry" in closed.text


def test_junit_of_a_preflight_follows_its_decision():
    """GO with a target that is broken today: nothing fails."""
    go = replace(preflight(), decision="GO", rows=preflight().rows[1:], checks=preflight().checks[:1])
    assert set(outcomes(go).values()) == {"passed", "skipped"}
    unknown = replace(go, decision="UNKNOWN")
    assert outcomes(unknown)["report", "Preflight of prod"] == "error"
    checks = {name: outcome for (suite, name), outcome in outcomes(preflight()).items() if suite == "checks"}
    assert list(checks.values()) == ["passed", "failure", "error"]


BETTER, WORSE = difference().differences[0].before, difference().differences[0].after


@pytest.mark.parametrize(
    ("pair", "verdict", "codes"),
    [
        ({"trend": Trend.WORSE}, Verdict.FAIL, (3, 3, 3)),
        ({"trend": Trend.WORSE, "impact": Impact.BYPASSES}, Verdict.FAIL, (3, 4, 3)),
        ({"trend": Trend.WORSE, "impact": Impact.NONE}, Verdict.DEGRADED, (4, 4, 3)),
        ({"trend": Trend.UNKNOWN}, Verdict.FAIL, (3, 3, 3)),
        ({"trend": Trend.UNKNOWN, "after": replace(WORSE, verdict=Verdict.UNKNOWN)}, Verdict.UNKNOWN, (4, 4, 4)),
        ({"trend": Trend.SLOWER, "after": BETTER}, Verdict.DEGRADED, (4, 4, 3)),
        ({"trend": Trend.BETTER, "after": BETTER}, Verdict.PASS, (0, 0, 0)),
    ],
    ids=["worse", "worse, ignored", "worse, no effect", "unknown before", "unknown now", "slower", "better"],
)
def test_junit_and_exit_code_of_a_comparison_agree(pair, verdict, codes):
    """By each --fail-on."""
    changed = replace(difference().differences[0], **pair)
    whole = replace(difference(), differences=(changed,), verdict=verdict, checks=(), causes=())
    for word, code in zip(("fail", "blocks", "degraded"), codes, strict=True):
        assert exit_code(whole, word) == code
        tests = junit_tests(rendered(whole, "junit", word))
        assert any(test.outcome == "failure" for test in tests) == (code == 3)


@pytest.mark.parametrize(("verdict", "outcome"), [(Verdict.FAIL, "failure"), (Verdict.DEGRADED, "system-out")])
def test_a_step_that_was_not_met_before_either_does_not_decide(verdict, outcome):
    """`verify` says so by its verdict."""
    whole = replace(difference(), differences=(), verdict=verdict, checks=preflight().checks[1:2], causes=())
    [test] = [test for test in junit_tests(rendered(whole, "junit")) if test.suite == "checks"]
    assert test.outcome == outcome


# -- prometheus --


@KINDS
def test_prometheus_has_one_verdict_for_each_cell(kind):
    """Exactly one of the four is 1."""
    sheet = sheet_of(SAMPLES[kind]())
    samples = prometheus_samples(rendered(SAMPLES[kind](), "prometheus"))
    ones = [dict(labels) for (name, labels), value in samples.items() if name == "egressprobe_verdict" and value == 1]
    written = sorted((one["target"], one.get("subnet", ""), one.get("family", ""), one["verdict"]) for one in ones)
    cells = sorted((r.name, c.subnet, c.family, str(c.verdict)) for r in sheet.rows for c in r.cells)
    assert written == cells
    report_verdict = {
        dict(labels)["verdict"] for (n, labels), v in samples.items() if n == "egressprobe_report_verdict" and v
    }
    assert report_verdict == {str(sheet.verdict)}


def _values(samples, metric, label="target"):
    return {dict(labels)[label]: value for (name, labels), value in samples.items() if name == metric}


def test_what_is_unknown_has_no_probe_success():
    """Neither 0 nor 1; degraded passes."""
    samples = prometheus_samples(rendered(report(), "prometheus"))
    success = _values(samples, "probe_success")
    expected = {
        result.target.name: float(result.verdict is not Verdict.FAIL)
        for result in report().results
        if result.verdict is not Verdict.UNKNOWN
    }
    assert success == expected
    assert "loopback-alias" not in success
    assert success["expires-soon"] == 1


def test_phases_and_expiry_have_blackbox_exporters_names():
    """Seconds, and Unix time."""
    samples = prometheus_samples(rendered(report(), "prometheus"))
    phases = {
        dict(labels)["phase"]: value
        for (name, labels), value in samples.items()
        if name == "probe_duration_seconds" and dict(labels)["target"] == "policy.healthy"
    }
    assert sorted(phases) == ["connect", "http", "resolve", "tls"]
    assert all(0 < value < 1 for value in phases.values())
    assert _values(samples, "probe_ssl_earliest_cert_expiry")["policy.healthy"] == 1802224789


@pytest.mark.parametrize("sample", [audit, whatif, difference], ids=lambda sample: sample.__name__)
def test_what_was_not_measured_is_no_probe(sample):
    """A configuration is no measurement."""
    names = {name for name, _ in prometheus_samples(rendered(sample(), "prometheus"))}
    assert not {name for name in names if name.startswith("probe_")}
    assert "egressprobe_predicted_call_seconds" not in names


def test_the_decision_is_a_metric():
    samples = prometheus_samples(rendered(preflight(), "prometheus"))
    assert _values(samples, "egressprobe_decision", "decision") == {"GO": 0, "NO-GO": 1, "UNKNOWN": 0}


def test_of_two_cells_with_the_same_labels_the_worse_is_written():
    """A failure is never hidden by a pass."""
    [passing, failing] = [
        replace(result, target=replace(result.target, name="twice"))
        for result in report().results
        if result.target.name in ("policy.healthy", "refused")
    ]
    for results in ((passing, failing), (failing, passing)):
        samples = prometheus_samples(rendered(replace(report(), results=results), "prometheus"))
        assert _values(samples, "probe_success") == {"twice": 0}
    unknown = replace(failing, verdict=Verdict.UNKNOWN, failure=None)
    for results in ((passing, unknown), (unknown, passing)):
        samples = prometheus_samples(rendered(replace(report(), results=results), "prometheus"))
        assert not {name for name, _ in samples if name.startswith("probe_success")}


# -- markdown --


@pytest.mark.parametrize("kind", [kind for kind in SAMPLES if kind is not Fleet], ids=lambda kind: kind.__name__)
def test_markdown_has_the_headline_and_every_row(kind):
    """And nothing of it is markup that we did not write."""
    sample = SAMPLES[kind]()
    text = rendered(sample, "markdown")
    shown = markdown_text(text)
    sheet = sheet_of(sample)
    assert shown.splitlines()[0] == sheet.headline
    for row in sheet.rows:
        assert row.name in shown
        assert all(cell.text in shown for cell in row.cells)
    assert text.count("<details>") == text.count("</details>") == len(sheet.problems)


def test_commands_stay_whole_in_markdown():
    """As they are in the table, in a fence."""
    text = rendered(audit(), "markdown")
    for finding in audit().findings:
        assert all(f"\n{command}\n" in text for command in finding.remedy_steps.fix)


def test_a_fence_cannot_be_broken():
    problem = SheetProblem("X", "error", "x", remedy="aws x ``` ````\n</details> <b>")
    text = to_markdown(_sheet(problems=(problem,)))
    assert "\n`````sh\naws x ``` ````\n`````\n" in text
    assert "</details> <b>" not in text
    markdown_text(text)


def _sheet(**more):
    row = SheetRow("target", "webhook", "https://x/", Verdict.FAIL, "blocks", ())
    return Sheet(
        "title", "FAIL: x", Verdict.FAIL, "prod", "2026-11-22T03:00:00+00:00", 1.0, **({"rows": (row,)} | more)
    )


def test_markdown_fits_a_comment_of_a_pull_request():
    """What does not fit is counted; the decision and the worst rows stay."""
    row = _sheet().rows[0]
    rows = tuple(row._replace(name=f"target-{i}") for i in range(5000))
    problem = SheetProblem("X", "error", "é" * 900, affects="y" * 900, remedy="aws " + "z" * 1900)
    text = to_markdown(_sheet(rows=rows, problems=(problem,) * 100, notes=("limit",)))
    assert len(text.encode()) <= 65_536
    assert "target-0 " in text
    assert "Too long for one comment" in text
    assert "- limit" in text
    hidden = 5000 - text.count("| FAIL |")
    assert f"{hidden} rows and" in text
    assert text.count("<details>") == text.count("</details>") > 5


# -- json lines --


@KINDS
def test_json_lines_name_their_run(kind):
    """One for each cell, each by itself."""
    lines = [json.loads(line) for line in rendered(SAMPLES[kind](), "jsonl").splitlines()]
    sheet = sheet_of(SAMPLES[kind]())
    assert len(lines) == sum(len(row.cells) for row in sheet.rows)
    for line in lines:
        assert any(line.get(key) for key in ("runId", "takenAt", "afterStartedAt", "startedAt"))
        target = line.get("target", line.get("name"))
        name = target["name"] if isinstance(target, dict) else target
        assert any(name in row.name for row in sheet.rows)
    if kind in (Preflight, Difference, Report):
        assert {"impact"} <= set(lines[0])


def test_what_prints_documents_is_imported_when_it_prints():
    """A command pays for the format that it prints, and for no other."""
    code = "import sys, egressprobe.cli.main; print([m for m in sys.modules if '.sheets' in m or '.documents' in m or '.html' in m])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_json_lines_of_nothing_are_nothing(capsys):
    """Not an empty line, which is not JSON."""
    from egressprobe.cli.output.formats import show

    stream = io.StringIO()
    show(replace(whatif(), paths=()), "jsonl", stream)
    assert stream.getvalue() == ""
