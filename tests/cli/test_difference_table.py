"""The table of a difference: its first line, 80 columns, a pipe."""

import io

import pytest

from egressprobe.cli.output.difference_table import difference_table
from egressprobe.cli.output.formats import render
from egressprobe.model.joined_report import Cause
from egressprobe.model.target import Kind, Verdict
from egressprobe.readiness.comparison.compare import compare
from tests.support.readiness.preflights import cell, preflight, row

FAR = "subnet-0123456789abcdef0"


@pytest.fixture
def difference():
    causes = tuple(
        Cause(name, (FAR,), "connect_timeout", "no route", "aws ec2 create-route --x y")
        for name in ("policy.example.com", "issuer.example.com")
    )
    slow = (300.0,) * 5
    before = preflight(
        row("policy.example.com", cell(subnet=FAR)),
        row("slow.example.com", cell(times=(30.0,) * 5)),
        row("issuer.example.com", cell(), kind=Kind.OIDC),
    )
    after = preflight(
        row("policy.example.com", cell(Verdict.FAIL, subnet=FAR, code="connect_timeout")),
        row("slow.example.com", cell(times=slow)),
        row("issuer.example.com", cell(Verdict.UNKNOWN), kind=Kind.OIDC),
        causes=causes,
    )
    return compare(before, after, origins=("egressprobe-baseline-prod.json", "now"))


def test_the_first_line_says_it(difference):
    """And a pipe gets the same words, without colours."""
    text = render(difference, "table", io.StringIO())
    assert text.split("\n")[0] == "FAIL: prod: 1 worse, 1 unknown, 1 slower, 0 the same"
    assert "\x1b" not in text
    assert f"    {FAR}  ipv4  pass -> FAIL connect_timeout" in text
    assert "30ms -> 300ms" in text
    assert text.count("aws ec2 create-route --x y") == 1
    assert f"affects   policy.example.com, issuer.example.com from {FAR}" in text


def test_it_fits_80_columns(difference):
    """All but commands, which are there to be copied."""
    assert max(len(text) for text in difference_table(difference, width=80).split("\n") if "aws ec2" not in text) <= 80


def test_nothing_changed():
    """The first line says so."""
    report = preflight(row("a", cell()))
    assert difference_table(compare(report, report)).split("\n")[0] == "PASS: prod: nothing is worse, 1 the same"
