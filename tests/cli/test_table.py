"""The table, to the byte: a golden file from a frozen report.

Regenerate it with UPDATE_GOLDEN=1 make test ARGS=tests/cli/test_table.py
"""

import os
import re
from pathlib import Path

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from egressprobe.catalog.entry import is_command
from egressprobe.catalog.registry import FINDINGS
from egressprobe.cli.output.sheets.report import tags
from egressprobe.cli.output.table import details, to_table
from egressprobe.model.failure import Code
from egressprobe.model.target import FailurePolicy, Impact, TargetSeverity, Verdict
from egressprobe.publish.response import from_json

DATA = Path(__file__).parents[1] / "data"
REPORT = from_json((DATA / "report.json").read_text())


def test_golden():
    """The summary, one line for each target, causes under what does not pass, what needs a person first."""
    report = from_json((DATA / "report.json").read_text())
    table = to_table(report) + "\n"
    golden = DATA / "report.table.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(table)
    assert table == golden.read_text()


@pytest.mark.parametrize(
    ("owner", "severity", "text"),
    [
        ("Team A", UNSET, "Team A"),
        ("Team A", TargetSeverity.CRITICAL, "Team A (critical)"),
        (UNSET, TargetSeverity.INFO, "not known (info)"),
    ],
)
def test_a_target_that_does_not_pass_names_its_owner(owner, severity, text):
    """And one without an owner has no such line."""
    failing = next(result for result in REPORT.results if result.verdict is Verdict.FAIL)
    owned = replace(failing, target=replace(failing.target, owner=owner, severity=severity))
    assert ("owner", text) in list(details(owned))
    assert "owner" not in dict(details(failing))
    assert ("severity" in dict(tags(owned.target, switch_relevant=True))) == bool(severity)


def test_colour_changes_no_letter():
    report = from_json((DATA / "report.json").read_text())
    assert re.sub(r"\x1b\[\d+m", "", to_table(report, colour=True)) == to_table(report)


def test_a_terminals_width_folds_words_but_never_the_log_line():
    """What people paste into a search box stays in one piece."""
    report = from_json((DATA / "report.json").read_text())
    lines = to_table(report, width=110).splitlines()
    explained = [
        line
        for line in lines
        if line.startswith("    ") and not line.strip().startswith("apiserver") and not is_command(line[14:])
    ]
    assert max(map(len, explained)) <= 110
    assert to_table(report, width=110).count("failed calling webhook") == to_table(report).count(
        "failed calling webhook"
    )
    assert any(len(line) > 100 for line in lines if line.strip().startswith("apiserver"))


@pytest.mark.parametrize("width", [40, 60, 80, 100, 130])
def test_a_narrow_terminal_is_not_exceeded(width):
    """But for what is there to be copied: the API server's message, commands, and words longer than the line."""
    report = from_json((DATA / "report.json").read_text())
    for text in to_table(report, width=width).splitlines():
        copied = text.strip().startswith("apiserver") or is_command(text[14:])
        assert len(text) <= width or copied or len(max(text.split(), key=len)) + 14 > width, text


def test_a_long_name_is_cut_to_the_terminal():
    """A name as long as may be leaves the verdict and the kind in the line."""
    report = from_json((DATA / "report.json").read_text())
    result = report.results[0]
    named = replace(report, results=(replace(result, target=replace(result.target, name="n" * 250)),))
    for width in (60, 80, 200):
        first = next(text for text in to_table(named, width=width).splitlines() if "nnn" in text)
        assert len(first) <= width
        assert "..." in first


def test_the_footer_names_the_roots_that_were_used():
    """System roots are named where a target was verified with them."""
    assert "own caBundle for 21 of 24 targets, otherwise roots /etc/ssl/" in to_table(REPORT)
    own = tuple(result for result in REPORT.results if result.target.ca_bundle not in ("system", "not verified"))
    assert "; own caBundle for each target; " in to_table(replace(REPORT, results=own))


def test_the_summary_and_failures_come_first():
    """The first line decides; then the verdicts from worst to best."""
    report = from_json((DATA / "report.json").read_text())
    first, _, *rest = to_table(report).splitlines()
    assert first == "FAIL: 15 fail, 1 unknown, 2 degraded, 6 pass in 5.3 s"
    shown = [text.split()[0] for text in rest if re.match(r"(FAIL|UNKNOWN|DEGRADED|pass) ", text)]
    assert shown == ["FAIL"] * 15 + ["UNKNOWN"] + ["DEGRADED"] * 2 + ["pass"] * 6


def _first(condition):
    return next(result for result in REPORT.results if condition(result))


def test_a_slow_lookup_is_not_told_twice():
    """A lookup that timed out is the cause; that it also took long is left to JSON."""
    failing = _first(lambda result: result.failure and result.failure.code is Code.DNS_TIMEOUT)
    slow = FINDINGS["DNS_SLOW"].found("x", {})
    assert "DNS_SLOW" not in str(list(details(replace(failing, findings=(slow,)))))
    other = replace(failing, failure=replace(failing.failure, code=Code.CONNECT_TIMEOUT), findings=(slow,))
    assert "DNS_SLOW" in str(list(details(other)))


def test_the_impact_of_a_bare_url_is_conditional():
    """Nothing but the cluster's configuration says whether the webhook fails closed."""
    failing = _first(lambda result: result.verdict == "fail" and result.target.kind == "webhook")
    for policy, shown in ((None, "blocks, if its failurePolicy is Fail (not known for a URL): "), ("Fail", "blocks: ")):
        target = replace(failing.target, failure_policy=policy and FailurePolicy(policy), objects=())
        impact = dict(details(replace(failing, impact=Impact.BLOCKS, target=target)))["impact"]
        assert impact.startswith(shown)
