"""Where rounds come from: the engine, the Planner's answer, the probes' log as they write it."""

import contextlib
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest
from botocore.stub import Stubber

from egressprobe.cli.output.watch.cells import of_joined, of_report
from egressprobe.model.errors import AwsError
from egressprobe.model.target import Plan, Verdict
from egressprobe.publish.emf import publish
from egressprobe.publish.log_line import properties
from egressprobe.publish.response import from_json
from egressprobe.targets.plan import read_plan
from egressprobe.watching.local import LocalLook
from egressprobe.watching.log_lines import cells
from egressprobe.watching.stack_logs import MOST_PAGES, WINDOW, LogsLook
from tests.support.reports import joined

REPORT = from_json((Path(__file__).parents[1] / "data/report.json").read_text())
JOINED = joined()
MINUTE = datetime(2026, 11, 26, 14, 3, tzinfo=UTC)


def written():
    """What a probe prints for a report of the lab: EMF, and the warnings of its logger."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        publish(REPORT, minute=MINUTE)
    lines = [line for line in printed.getvalue().splitlines() if line]
    unknown = [result for result in REPORT.results if result.verdict is Verdict.UNKNOWN]
    stamp = {"level": "WARNING", "timestamp": MINUTE.isoformat()}
    return [*lines, *(json.dumps(stamp | properties(REPORT, result)) for result in unknown)]


def test_the_log_has_every_target_with_its_verdict_code_and_time():
    """The lines that publish/emf.py writes are read back: verdict, code, seconds, cause, fix."""
    read = {cell.target: cell for cell in cells((0.0, line) for line in written())}
    assert set(read) == {result.target.name for result in REPORT.results}
    for result in REPORT.results:
        cell = read[result.target.name]
        assert cell.verdict is result.verdict
        assert cell.at == MINUTE.timestamp()
        if result.verdict is not Verdict.PASS:
            assert cell.code == str(result.failure.code if result.failure else "")
        if result.verdict is Verdict.FAIL:
            labels = [label for label, _ in cell.details]
            assert {"cause", "fix"} <= set(labels)


@pytest.mark.parametrize(
    "line",
    [
        *("", "{", "START RequestId: x", "[" * 100_000, '{"Target": 5}', '{"Target": "a"}', "null", "{}"),
        *(
            '{"Target": "a", "verdict": "x"}',
            '{"Target": "", "ProbeSuccess": [1]}',
            '{"Target": "a", "ProbeSuccess": []}',
        ),
    ],
    ids=range(11),
)
def test_what_is_no_line_of_ours_is_left_out(line):
    assert cells([(1.0, line)]) == []


def test_strange_values_of_a_line_do_no_harm():
    """Types and lengths that we do not write."""
    line = {"Target": "a" * 9000, "verdict": "fail", "callSeconds": "x", "findings": "x", "cause": 5 * ["y"], "_aws": 5}
    (cell,) = cells([(1.0, json.dumps(line | {"timestamp": "yesterday", "code": {"a": 1}}))])
    assert (cell.verdict, cell.seconds, cell.at) == (Verdict.FAIL, None, 1.0)
    assert len(cell.target) == 300


def logs(*pages):
    """A client that answers with these pages, and the look."""
    client = boto3.client("logs", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    stub = Stubber(client)
    token = {}
    start = int((1000 - WINDOW) * 1e3)
    for page in pages:
        request = {"logGroupName": "/g", "startTime": start, "filterPattern": '"Target"'} | token
        if isinstance(page, str):
            stub.add_client_error("filter_log_events", page, "no", expected_params=request)
        else:
            stub.add_response("filter_log_events", page, request)
            token = {"nextToken": page["nextToken"]} if "nextToken" in page else {}
    stub.activate()
    return stub, LogsLook(client, "/g", wanted=lambda name: name != "silent", now=lambda: 1000.0)


def test_a_round_of_a_stack_reads_the_last_minutes_and_nothing_else():
    """All pages, also behind an empty one; only FilterLogEvents; targets of other names are left out."""
    events = [{"timestamp": 999_000, "message": line} for line in written()]
    stub, look = logs(
        {"events": events[:5], "nextToken": "a"}, {"events": [], "nextToken": "b"}, {"events": events[5:]}
    )
    one_round = look.look()
    stub.assert_no_pending_responses()
    assert len(one_round.cells) == len(REPORT.results) - 1
    assert not one_round.complete
    assert one_round.trouble == ""


def test_a_stack_without_lines_says_so():
    _, look = logs({"events": []})
    assert look.look().trouble == "no line of a target in /g in the last 4 minutes"


def test_pages_are_bounded():
    stub, look = logs(*({"events": [], "nextToken": f"t{i}"} for i in range(MOST_PAGES)))
    assert "the newest are missing" in look.look().trouble
    stub.assert_no_pending_responses()


def test_a_refusal_is_one_line():
    _, look = logs("AccessDeniedException")
    with pytest.raises(AwsError, match="AccessDeniedException"):
        look.look()


def test_a_joined_report_is_a_round_with_causes():
    """A cell for each target and subnet, its cause and fix first."""
    one_round = of_joined(JOINED)
    assert {(cell.target, cell.subnet) for cell in one_round.cells} == {
        (row.target.name, cell.subnet_id) for row in JOINED.rows for cell in row.cells
    }
    assert {cell.verdict for cell in one_round.cells} == {cell.verdict for row in JOINED.rows for cell in row.cells}


def test_a_report_is_a_round_of_one_column():
    one_round = of_report(REPORT, 5.0)
    assert [cell.verdict for cell in one_round.cells] == [result.verdict for result in REPORT.results]
    assert {cell.subnet for cell in one_round.cells} == {"here"}
    failing = next(cell for cell in one_round.cells if cell.verdict is Verdict.FAIL)
    assert failing.details[0][0] == "cause"


def plan():
    target = {"kind": "endpoint", "name": "t", "url": "tcp://192.0.2.1:9"}
    return read_plan({"schemaVersion": "egressprobe/targets/v1", "targets": [target]})


def test_the_engine_measures_a_round():
    """The one of `run`; what it measured comes back as a round."""
    assert isinstance(plan(), Plan)
    look = LocalLook(plan(), seconds=5.0, concurrency=1, round_of=of_report)
    (cell,) = look.look().cells
    assert cell.target == "t"
    assert cell.verdict in (Verdict.FAIL, Verdict.UNKNOWN)


def test_a_round_ends_where_it_was_canceled_before():
    """With whatever it has: every target is in it."""
    look = LocalLook(plan(), seconds=5.0, concurrency=1, round_of=of_report)
    look.cancel()
    (cell,) = look.look().cells
    assert cell.target == "t"
