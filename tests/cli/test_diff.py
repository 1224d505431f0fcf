"""`egressprobe diff`: which files it takes, what it refuses, and its exit codes."""

import io
import json

import msgspec
import pytest
from msgspec.structs import replace

from egressprobe.catalog.findings_cluster import STACK_DRIFTED
from egressprobe.cli.main import main
from egressprobe.model.joined_report import JOINED_SCHEMA, Cell, Joined, Row, View
from egressprobe.model.report import Summary
from egressprobe.model.target import Impact, Verdict
from egressprobe.readiness.baseline import save
from egressprobe.readiness.comparison.compare import compare
from tests.support.readiness.preflights import CLUSTER, cell, preflight, row

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN
BEFORE = preflight(row("policy.example.com", cell(), cell(family="ipv6")))


def worse(**changes):
    return preflight(row("policy.example.com", cell(), cell(FAIL, family="ipv6", code="connect_timeout")), **changes)


def joined(verdict, subnet="subnet-a", cluster="prod"):
    target = BEFORE.rows[0].target
    rows = (Row(target, verdict, Impact.BLOCKS, True, (Cell(subnet, verdict, None, 0.02),)),)
    views = (View(subnet, "eu-west-1a", verdict, Summary(), 20.0),)
    return Joined(JOINED_SCHEMA, "run", "2026-11-26T11:00:00Z", 20.0, cluster, verdict, Summary(), views, rows, ())


@pytest.fixture
def diff(tmp_path, capsys):
    """Runs it on reports, or on texts; (exit code, stdout, stderr)."""

    def run(before, after, *options):
        names = []
        for i, report in enumerate((before, after)):
            path = tmp_path / f"{i}.json"
            path.write_text(report if isinstance(report, str) else msgspec.json.encode(report).decode())
            names.append(str(path))
        code = main(["diff", *names, *options])
        return code, *capsys.readouterr()

    return run


def test_exit_codes(diff):
    """By the verdict."""
    assert diff(BEFORE, BEFORE)[0] == 0
    code, out, _ = diff(BEFORE, worse())
    assert code == 3
    assert out.startswith("FAIL: prod: 1 worse, 1 the same\n")
    assert diff(BEFORE, preflight(row("policy.example.com", cell(), cell(UNKNOWN, family="ipv6"))))[0] == 4


def test_a_baseline(tmp_path, capsys):
    """As preflight saves it; an edited one is one line."""
    path = tmp_path / "baseline.json"
    save(path, BEFORE)
    assert main(["diff", str(path), str(path), "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["same"] == 2
    path.write_text(path.read_text().replace("policy.example.com", "other.example.com"))
    assert main(["diff", str(path), str(path)]) == 2
    assert "was changed after it was saved" in capsys.readouterr().err


def test_a_baseline_on_standard_input(tmp_path, capsys, monkeypatch):
    """Its hash is of the bytes of a file; no file named `-` is looked for."""
    path = tmp_path / "before.json"
    save(path, preflight(row("one", cell())))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes())))
    assert main(["diff", str(path), "-"]) == 2
    assert "-: is a baseline on standard input; give its file" in capsys.readouterr().err
    assert main(["diff", "-", "-"]) == 2
    assert "only one can be standard input" in capsys.readouterr().err


def test_reports_without_a_cluster(diff):
    """Those of `run`: the first line has the counts alone."""
    unnamed = replace(joined(Verdict.PASS), cluster_name="")
    assert diff(unnamed, unnamed)[1].startswith("PASS: nothing is worse, ")


def test_reports_of_two_kinds(diff):
    """A joined report has no families: the worst of both is compared, and that is said."""
    code, out, _ = diff(BEFORE, joined(FAIL))
    assert code == 3
    assert "has no families" in out
    assert diff(worse(), joined(FAIL))[0] == 0
    assert diff(joined(PASS), joined(FAIL))[0] == 3


@pytest.mark.parametrize("drifted", ["before", "after"])
def test_a_report_of_a_stack_that_drifted_is_no_all_clear(diff, drifted):
    """Its probes are not where the API server's interfaces are; no cell shows that."""
    sound = joined(PASS)
    moved = replace(sound, findings=(STACK_DRIFTED.found("the stack has other groups", {}),))
    pair = (moved, sound) if drifted == "before" else (sound, moved)
    assert diff(sound, sound)[0] == 0
    assert diff(*pair)[0] == 4


def test_a_report_of_verify(diff):
    """Its own measurement is compared."""
    made = replace(compare(BEFORE, worse()), now=worse())
    assert diff(BEFORE, made)[0] == 3
    code, _, err = diff(BEFORE, compare(BEFORE, worse()))
    assert (code, "is a diff, without a measurement of its own" in err) == (2, True)


def test_two_clusters(diff):
    """Refused, unless --force."""
    other = worse(cluster=replace(CLUSTER, name="dev", arn="arn:aws:eks:eu-west-1:1:cluster/dev"))
    code, out, err = diff(BEFORE, other)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "--force" in err
    assert diff(BEFORE, other, "--force")[0] == 3
    assert diff(BEFORE, joined(PASS, cluster="dev"))[0] == 2


def test_no_subnet_in_common(diff):
    """Nothing could be compared."""
    code, _, err = diff(BEFORE, joined(PASS, subnet="subnet-z"))
    assert (code, "no subnet in common" in err) == (2, True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "is not a report"),
        ("{}", "is not a report"),
        ('{"schemaVersion": "egressprobe/audit/v1"}', "is an audit"),
        ('{"schemaVersion": "egressprobe/targets/v1"}', "is a targets file"),
        ('{"schemaVersion": "something/v9"}', '"something/v9" is not a report'),
        ('{"schemaVersion": ["x"]}', "is not a report"),
        ('{"schemaVersion": "egressprobe/preflight/v1"}', "not a report of this version"),
        ("{", "line 2"),
    ],
)
def test_other_files(diff, text, words):
    """One line, which names the file."""
    code, out, err = diff(text, BEFORE)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err
    assert "0.json" in err
