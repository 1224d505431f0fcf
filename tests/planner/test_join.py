"""The joined response fits its limit and ends, whatever part of it is large."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from egressprobe.model.failure import Code
from egressprobe.model.joined_report import JOINED_SCHEMA, Cause, Cell, Joined, RefusedTarget, Row, View
from egressprobe.model.report import Finding, Report, Result, Summary, TargetView, Vantage, count
from egressprobe.model.target import Impact, Kind, Verdict
from egressprobe.planner.join import joined_response

LIMIT = 60_000
# Characters that JSON writes as 1, 2, 4 and 6 bytes.
TEXTS = st.builds(lambda c, n: c * n, st.sampled_from(["x", "é", "\U0001f600", '"', "\x01"]), st.integers(0, 40_000))


def joined(views, rows, refused, findings, causes, limits, verdicts=Verdict.FAIL):
    """With so many of each; the texts are as long as given."""
    cells = tuple(Cell(f"subnet-{i}", verdicts, Code.CONNECT_TIMEOUT) for i in range(len(views)))
    return Joined(
        JOINED_SCHEMA, "run", "2026-11-26T00:00:00.000+00:00", 1.0, "prod", verdicts, count([verdicts] * len(rows)),
        tuple(View(f"subnet-{i}", "eu-west-1a", verdicts, Summary(), 1.0, text) for i, text in enumerate(views)),
        tuple(
            Row(TargetView(Kind.WEBHOOK, f"t{i}", "https://t.example/", affects=text), verdicts, Impact.BLOCKS, True, cells)
            for i, text in enumerate(rows)
        ),
        (),
        tuple(RefusedTarget(text, text) for text in refused),
        tuple(Finding("STACK_DRIFTED", "warning", text, {"x": text}) for text in findings),
        limits,
        tuple(Cause("t0", ("subnet-0",), "X", text, text, {"e": text}, (text,), (text,)) for text in causes),
    )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    st.lists(TEXTS, min_size=1, max_size=16),
    st.lists(TEXTS, max_size=30),
    st.lists(TEXTS, max_size=30),
    st.lists(TEXTS, max_size=30),
    st.lists(TEXTS, max_size=30),
    TEXTS,
)
def test_any_joined_report_fits(views, rows, refused, findings, causes, limits):
    """Long texts anywhere; the summary counts every row, and the reduction is reported."""
    whole = joined(views, rows, refused, findings, causes, limits)
    response = joined_response(whole, LIMIT * 4)
    assert len(json.dumps(response, ensure_ascii=False, separators=(",", ":")).encode()) < LIMIT * 4
    assert response["summary"]["fail"] == len(rows)
    if len(response["rows"]) < len(rows):
        assert any(finding["code"] == "REPORT_REDUCED" for finding in response["findings"])


@pytest.mark.parametrize("large", ["refused", "findings", "causes", "rows", "views", "limits"])
def test_each_list_alone_may_be_huge(large):
    """Tens of thousands of entries, or one entry of many megabytes."""
    short = {"views": [""], "rows": [""], "refused": [], "findings": [], "causes": [], "limits": ""}
    many = {"views": ["x" * 100_000] * 16, "limits": "x" * 9_000_000}.get(large, ["x" * 300] * 30_000)
    for verdict in (Verdict.FAIL, Verdict.PASS):
        response = joined_response(joined(**(short | {large: many}), verdicts=verdict))
        assert len(json.dumps(response)) < 4_000_000
        assert response["summary"][str(verdict)] == len((short | {large: many})["rows"])
    if large == "refused":
        assert response["refused"][-1]["name"] == "29900 more"


def test_a_small_report_is_left_as_it_is():
    whole = joined(["x"], ["y"], ["z"], ["f"], ["c"], "l")
    response = joined_response(whole)
    assert (response["limits"], response["refused"]) == ("l", [{"name": "z", "why": "z"}])
    assert [finding["code"] for finding in response["findings"]] == ["STACK_DRIFTED"]


def result(name, objects):
    target = TargetView(Kind.WEBHOOK, name, "https://t.example/", objects=tuple(map(str, range(objects))))
    return Result(target, Verdict.PASS, Impact.NONE, True, None, None, (), (), (), (), 1.0)


def test_a_large_result_costs_no_other_result_its_details():
    """One server's certificates must not take those of the other targets out of the response."""
    small, large = result("small", 3), result("large", 30_000)
    place = Vantage("c", "s", "a", (), "", "")
    report = Report("egressprobe/report/v1", "r", "", 1.0, place, Verdict.PASS, Summary(), (small, large), ())
    response = joined_response(replace(joined(["x"], [], [], [], [], ""), reports=(report, report)), LIMIT)
    assert len(json.dumps(response)) < LIMIT
    for answered in response["reports"]:
        entries = {entry["target"]["name"]: entry for entry in answered["results"]}
        assert entries["small"] == json.loads(msgspec.json.encode(small))
        assert (entries["large"]["verdict"], entries["large"]["target"]["objects"]) == ("pass", [])
