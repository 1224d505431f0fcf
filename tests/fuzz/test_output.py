"""Reports whose every text is hostile, in every format: nothing controls the terminal, data stays data."""

import io
import json
import unicodedata
from random import Random

import msgspec
import pytest
import yaml

from egressprobe.cli.output.formats import FORMATS, render
from egressprobe.model.report import Report
from egressprobe.model.target import Verdict
from egressprobe.publish.response import from_json
from egressprobe.readiness.fleet.result import Fleet
from tests.conftest import ROOT
from tests.support.documents import junit_tests, markdown_text, prometheus_samples
from tests.support.pages import check_page
from tests.support.reports import SAMPLES, as_data

REPORT = json.loads((ROOT / "tests/data/report.json").read_text())
_PIECES = (
    "\x1b[2J",
    "\x1b]0;t\x07",
    "\u009b31m",
    "\r",
    "\n",
    "\u202e",
    "\u2028",
    "\x00",
    "\x7f",
    "\ufeff",
    "pass",
    "%s",
    "{}",
    "é",
    "'",
    '"',
    "\\",
    "`",
    "$(x)",
    "]]>",
    "<!--",
    "</details><script>",
    "&amp;",
    "|",
    "\n```\n",
    "@admin ",
    "#1 ",
    "GH-7",
    "https://u.example/x",
    "www.x.example",
    "[x](y)",
    "![x](y)",
    "**x** _y_ ~~z~~",
    "$x$",
    "a@b.example",
    "\ufffe",
    "\n# HELP x y",
    "}",
)
# Fields with a closed list of values, and what is a number, an address or a time.
_KEPT = {"kind", "verdict", "impact", "phase", "code", "outcome", "severity", "family", "origin", "transport", "type", "expect", "failurePolicy", "address", "schemaVersion", "url", "startedAt", "ladder"}  # fmt: skip
_KEPT_OF_KINDS = _KEPT | {"subnet", "subnets", "subnetId", "state", "effect", "before", "after", "status", "decision", "relation", "trend", "rounds", "configured", "exchange", "family", "targets", "tier", "sent", "sending"}  # fmt: skip


def _hostile(node, random):
    """The same report with texts replaced at random; a verdict stays a verdict."""
    if isinstance(node, dict):
        return {key: value if key in _KEPT else _hostile(value, random) for key, value in node.items()}
    if isinstance(node, list):
        return [_hostile(item, random) for item in node]
    if isinstance(node, str) and random.random() < 0.2:
        return "".join(random.choice(_PIECES) for _ in range(random.randrange(random.choice((8, 8, 8, 3000)))))
    return node


def _checked(form, text, report):
    """Read by readers of our own: refused is what the format forbids, and what is markup or a link."""
    if form == "junit":
        tests = junit_tests(text)
        assert len(tests) >= len(report.results)
        failing = sum(result.verdict is Verdict.FAIL for result in report.results)
        assert sum(test.outcome == "failure" for test in tests if test.suite != "findings") >= failing
    elif form == "prometheus":
        prometheus_samples(text)
    elif form == "markdown":
        # A command in a fence may have any text.
        assert text.count("\n<details>") == text.split("\n").count("</details>")
        markdown_text(text)
    elif form == "html":
        check_page(text)


def test_hostile_texts_in_every_format(fuzz):
    """The table has as many lines as without them; JSON, JSON lines and YAML read back as they were."""

    def check(random):
        few = REPORT | {"results": random.sample(REPORT["results"], 3)}
        report = from_json(json.dumps(_hostile(few, random)))
        # PyYAML takes longer than all others together.
        forms = [form for form in FORMATS[Report] if form != "yaml" or random.random() < 0.1]
        for form in forms:
            text = render(report, form, io.StringIO())
            odd = {c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp"}} - {"\n"}
            assert not odd, (form, odd)
            _checked(form, text, report)
        assert from_json(render(report, "json", io.StringIO())) == report
        assert len(render(report, "jsonl", io.StringIO()).split("\n")) == 3
        if "yaml" in forms:
            assert from_json(json.dumps(yaml.safe_load(render(report, "yaml", io.StringIO())))) == report

    fuzz(check, inputs=20)


@pytest.mark.parametrize("name", ["x" * 1_000_000, "a\ud800b", "\ufffe\uffff", "]]>" * 20_000, "`" * 5000, "|" * 5000])
@pytest.mark.parametrize("form", FORMATS[Report])
def test_a_name_that_no_format_takes(form, name):
    """A megabyte, a lone surrogate, characters that XML forbids: no exception, bounded, and valid."""
    name = name[:100_000] if form == "yaml" else name  # PyYAML needs seconds for a megabyte
    result = from_json(json.dumps(REPORT)).results[9]
    report = from_json(json.dumps(REPORT))
    named = msgspec.structs.replace(result, target=msgspec.structs.replace(result.target, name=name, url=name))
    report = msgspec.structs.replace(report, results=(named,))
    text = render(report, form, io.StringIO())
    text.encode()
    _checked(form, text, report)
    if form not in ("json", "jsonl", "yaml"):
        assert len(text) < 100_000


@pytest.mark.parametrize("kind", SAMPLES, ids=lambda kind: kind.__name__)
def test_hostile_texts_in_every_kind(kind):
    """Every text of every kind of report, in each format that is made of a sheet."""
    random = Random(0)
    kept = _KEPT_OF_KINDS | ({"evidence"} if kind is Fleet else set())

    def hostile(node):
        if isinstance(node, dict):
            return {key: value if key in kept else hostile(value) for key, value in node.items()}
        if isinstance(node, list):
            return [hostile(item) for item in node]
        return "".join(random.choices(_PIECES, k=4)) if isinstance(node, str) and random.random() < 0.5 else node

    for _ in range(2):
        report = msgspec.convert(hostile(as_data(SAMPLES[kind]())), kind)
        for form in FORMATS[kind]:
            text = render(report, form, io.StringIO())
            odd = {c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp"}} - {"\n"}
            assert not odd, (form, odd)
            if form == "html":
                check_page(text)
            elif form == "junit":
                junit_tests(text)
            elif form == "prometheus":
                prometheus_samples(text)
            elif form == "markdown":
                markdown_text(text)
