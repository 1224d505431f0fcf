"""Reports whose every text is hostile, in every format: nothing controls the terminal, data stays data."""

import io
import json
import unicodedata

import yaml

from egressprobe.cli.output.formats import FORMATS, render
from egressprobe.model.report import Report
from egressprobe.publish.response import from_json
from tests.conftest import ROOT

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
)
# Fields with a closed list of values, and what is a number, an address or a time.
_KEPT = {"kind", "verdict", "impact", "phase", "code", "outcome", "severity", "family", "origin", "transport", "type", "expect", "failurePolicy", "address", "schemaVersion", "url", "startedAt", "ladder"}  # fmt: skip


def _hostile(node, random):
    """The same report with texts replaced at random; a verdict stays a verdict."""
    if isinstance(node, dict):
        return {key: value if key in _KEPT else _hostile(value, random) for key, value in node.items()}
    if isinstance(node, list):
        return [_hostile(item, random) for item in node]
    if isinstance(node, str) and random.random() < 0.2:
        return "".join(random.choice(_PIECES) for _ in range(random.randrange(random.choice((8, 8, 8, 3000)))))
    return node


def test_hostile_texts_in_every_format(fuzz):
    """The table has as many lines as without them, and JSON, JSON lines and YAML read back as they were."""

    def check(random):
        few = REPORT | {"results": random.sample(REPORT["results"], 3)}
        report = from_json(json.dumps(_hostile(few, random)))
        for form in FORMATS[Report]:
            text = render(report, form, io.StringIO())
            odd = {c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp"}} - {"\n"}
            assert not odd, (form, odd)
        assert from_json(render(report, "json", io.StringIO())) == report
        assert len(render(report, "jsonl", io.StringIO()).split("\n")) == 3
        assert from_json(json.dumps(yaml.safe_load(render(report, "yaml", io.StringIO())))) == report

    fuzz(check)
