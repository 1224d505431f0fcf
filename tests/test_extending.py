"""docs/develop.md, carried out: what can be added through the public tables works without another change."""

import argparse
import json
import re
import types

import msgspec
import pytest

from egressprobe.apiserver.client_rules import RULES
from egressprobe.catalog import registry
from egressprobe.catalog.entry import Entry, FindingEntry
from egressprobe.cli import main as cli
from egressprobe.cli.output.formats import FORMATS
from egressprobe.model.report import Report
from egressprobe.model.target import Kind
from egressprobe.probe import measure
from tests.conftest import ROOT

TARGET = "tcp://127.0.0.1:1"


def _diffs():
    """(file, context and removed lines, added lines) of every file in the diffs of the page."""
    for block in re.findall(r"```diff\n(.*?)```", (ROOT / "docs/develop.md").read_text(), re.DOTALL):
        for part in re.split(r"(?m)^--- ", block)[1:]:
            old, new, *lines = part.splitlines()
            path = new.removeprefix("+++ b/")
            yield (
                old,
                path,
                [line[1:] for line in lines if line[:1] in " -"],
                [line[1:] for line in lines if line[:1] == "+"],
            )


@pytest.mark.parametrize(("old", "path", "context", "added"), list(_diffs()), ids=lambda value: str(value)[:60])
def test_diffs_of_the_page_fit_the_code(old, path, context, added):
    """Context and removed lines are in the file, in this order; what is added is not there yet."""
    if old == "/dev/null":
        assert not (ROOT / path).exists()
        return
    lines = (ROOT / path).read_text().splitlines()
    at = 0
    for line in context:
        at = lines.index(line, at) + 1
    assert added
    assert not {line for line in added if line.strip().startswith(("Code.", "Kind.", "def "))} & set(lines)


def test_an_output_format(monkeypatch, capsys):
    """A row of FORMATS is offered by every command that prints a report."""
    monkeypatch.setitem(
        FORMATS[Report], "csv", lambda report, _: "\n".join(f"{r.target.name},{r.verdict}" for r in report.results)
    )
    cli.main(["run", TARGET, "-o", "csv"])
    assert capsys.readouterr().out == "127.0.0.1:1,unknown\n"


def test_a_command(monkeypatch, capsys):
    """A module with add_parser and run, in COMMANDS."""
    command = types.ModuleType("greet")

    def add_parser(commands):
        parser: argparse.ArgumentParser = commands.add_parser("greet", help="say hello")
        parser.add_argument("name")
        return parser

    command.add_parser, command.run = add_parser, lambda options: print(f"hello {options.name}") or 0
    monkeypatch.setattr(cli, "COMMANDS", (*cli.COMMANDS, command))
    assert cli.main(["greet", "you"]) == 0
    assert capsys.readouterr().out == "hello you\n"


def test_a_finding(monkeypatch, capsys):
    """A row of the catalogue is explained, and makes findings that carry its text."""
    entry = FindingEntry(
        "MOON_FULL", "the moon is full", "It is.", "look up", "Wait.", severity="warning", degrades=False
    )
    monkeypatch.setitem(registry.FINDINGS, "MOON_FULL", entry)
    assert cli.main(["explain", "moon_full"]) == 0
    assert capsys.readouterr().out.startswith("MOON_FULL: the moon is full")
    finding = entry.found("full since 20:00", {"since": "20:00"}, ("aws moon set",))
    assert (finding.code, finding.severity, finding.remedy) == ("MOON_FULL", "warning", "aws moon set\nWait.")


def test_a_failure_code(monkeypatch, capsys):
    """An entry of FAILURES is explained; that each code has one, and a row of facts, the catalogue's tests check."""
    entry = Entry("moon_refused", "the moon refused", "It did.", "look up", "Wait for the sun.")
    monkeypatch.setitem(registry.FAILURES, "moon_refused", entry)
    assert cli.main(["explain", "MOON_REFUSED", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["summary"] == "the moon refused"


def test_a_probe_kind_with_hops_of_its_own(monkeypatch, capsys):
    """A row of ENGINES decides which module follows the first hop of a kind."""
    followed = []

    async def follow(_prober, target, hop, _budget):
        followed.append(target.name)
        return (hop,)

    module = types.ModuleType("engine_of_the_test")
    module.follow = follow
    monkeypatch.setitem(__import__("sys").modules, "engine_of_the_test", module)
    monkeypatch.setitem(
        measure.ENGINES, Kind.ENDPOINT, type(measure.ENGINES[Kind.OIDC])("engine_of_the_test", follow="follow")
    )
    cli.main(["run", TARGET, "-o", "json"])
    report = msgspec.json.decode(capsys.readouterr().out)
    assert followed == [report["results"][0]["target"]["name"]]


def test_every_kind_has_its_rules():
    """A kind without a row of client rules would fail when it is read, not when it is measured."""
    assert set(RULES) == set(Kind)
