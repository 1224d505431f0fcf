"""The table, to the byte: a golden file from a frozen report.

Regenerate it with UPDATE_GOLDEN=1 make test ARGS=tests/cli/test_table.py
"""

import os
from pathlib import Path

from egressprobe.cli.output.table import to_table
from egressprobe.publish.response import from_json

DATA = Path(__file__).parents[1] / "data"


def test_golden():
    """One line a target, causes under what does not pass, what needs a person last."""
    report = from_json((DATA / "report.json").read_text())
    table = to_table(report) + "\n"
    golden = DATA / "report.table.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(table)
    assert table == golden.read_text()


def test_colour_changes_no_letter():
    import re

    report = from_json((DATA / "report.json").read_text())
    assert re.sub(r"\x1b\[\d+m", "", to_table(report, colour=True)) == to_table(report)


def test_a_terminals_width_folds_words_but_never_the_log_line():
    """What people paste into a search box stays in one piece."""
    report = from_json((DATA / "report.json").read_text())
    lines = to_table(report, width=110).splitlines()
    explained = [line for line in lines if line.startswith("    ") and not line.strip().startswith("apiserver")]
    assert max(map(len, explained)) <= 110
    assert to_table(report, width=110).count("failed calling webhook") == to_table(report).count(
        "failed calling webhook"
    )
    assert any(len(line) > 100 for line in lines if line.strip().startswith("apiserver"))
