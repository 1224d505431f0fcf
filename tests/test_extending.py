"""docs/develop.md, carried out: what can be added through the public tables works without another change."""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import types

import msgspec
import pytest

import egressprobe
from egressprobe.apiserver.client_rules import RULES
from egressprobe.catalog import registry
from egressprobe.catalog.entry import Entry, FindingEntry
from egressprobe.cli import main as cli
from egressprobe.cli.output.formats import FORMATS
from egressprobe.model.report import Report
from egressprobe.model.target import Kind
from egressprobe.probe import measure
from tests.conftest import ROOT
from tests.test_architecture import MAX_FILES, MAX_LINES

TARGET = "tcp://127.0.0.1:1"


def _diffs():
    """(path, lines with their sign) of every file in the diffs of the page."""
    for block in re.findall(r"```diff\n(.*?)```", (ROOT / "docs/develop.md").read_text(), re.DOTALL):
        for part in re.split(r"(?m)^--- ", block)[1:]:
            _, new, *lines = part.splitlines()
            yield new.removeprefix("+++ b/"), lines


def _applied(path, lines, diff):
    """`lines` with the diff applied: context and removed lines are found in this order.

    What is added comes after the line before it, at the beginning of a diff before the line after it.
    """
    at, waiting = 0, []
    for number, line in enumerate(diff):
        sign, text = line[:1] or " ", line[1:]
        if sign == "+" and all(other.startswith("+") for other in diff[:number]):
            waiting.append(text)
            continue
        if sign == "+":
            lines.insert(at, text)
            at += 1
            continue
        if text not in lines[at:]:
            raise ValueError(f"docs/develop.md: this line is no longer in {path}: {text}; correct the diff")
        at = lines.index(text, at)
        lines[at:at] = waiting
        at += len(waiting)
        waiting = []
        if sign == "-":
            del lines[at]
        else:
            at += 1
    return lines + waiting


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    """A copy of the code with every diff of the page applied: a function that runs its command line."""
    root = tmp_path_factory.mktemp("extended")
    shutil.copytree(ROOT / "src", root / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for path, diff in _diffs():
        file = root / path
        file.write_text("\n".join(_applied(path, file.read_text().splitlines() if file.exists() else [], diff)) + "\n")

    def run(*arguments):
        return _run(root, "egressprobe", *arguments)

    run.root = root
    return run


def _run(root, module, *arguments):
    """A module's command, on the copy."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env={**os.environ, "PYTHONPATH": str(root / "src")},
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        (("explain", "tls_is_ssh"), "tls_is_ssh: the port speaks SSH"),
        (("explain", "subnet_small"), "SUBNET_SMALL: a subnet of the cluster is small"),
        (("run", "tcp://127.0.0.1:1", "-o", "csv"), "127.0.0.1:1,unknown"),
        (("audit", "--snapshot", "docs/examples/broken-vpc.json", "-o", "csv"), "internet,degraded"),
        (("release",), egressprobe.__version__),
    ],
    ids=["failure", "finding", "format", "format-audit", "command"],
)
def test_what_the_diffs_add_works(extended, arguments, output):
    """The failure, the finding, the format and the command are there."""
    run = extended(*arguments)
    assert run.stderr == ""
    assert run.stdout.startswith(output)


def test_what_the_diffs_add_passes_the_linter(extended):
    """With the project's own rules."""
    paths = dict.fromkeys(str(extended.root / path) for path, _ in _diffs())
    linted = _run(extended.root, "ruff", "check", "--no-cache", "--config", str(ROOT / "pyproject.toml"), *paths)
    assert linted.returncode == 0, linted.stdout + linted.stderr
    formatted = _run(extended.root, "ruff", "format", "--diff", "--config", str(ROOT / "pyproject.toml"), *paths)
    assert formatted.returncode == 0, formatted.stdout


def test_what_the_diffs_add_fits_the_limits(extended):
    """A file and a folder that are full already are not where the page sends its reader."""
    for path, _ in _diffs():
        file = extended.root / path
        assert file.read_text().count("\n") <= MAX_LINES, path
        assert len(list(file.parent.glob("[!_]*.py"))) <= MAX_FILES, path


def test_the_command_that_the_diff_adds_has_a_help(extended):
    """The test of every command's --help, with the copy's commands."""
    test = "tests/cli/test_run_options.py::test_every_help_has_examples_and_exit_codes"
    tested = _run(extended.root, "pytest", "-q", "-p", "no:cacheprovider", "-k", "release", test)
    assert tested.returncode == 0, tested.stdout
    assert "1 passed" in tested.stdout


def test_a_diff_that_is_out_of_date_is_named():
    """Whoever changed the line learns where it is shown."""
    with pytest.raises(
        ValueError, match=r"docs/develop\.md: this line is no longer in a\.py: gone = 1; correct the diff"
    ):
        _applied("a.py", ["x = 1"], [" x = 1", "-gone = 1"])


def test_the_rule_that_the_diff_adds_is_evaluated(extended, tmp_path):
    """A snapshot with a small subnet gets the finding, others do not."""
    snapshot = json.loads((ROOT / "docs/examples/broken-vpc.json").read_text())
    small = snapshot | {
        "subnets": [
            subnet | {"blocks": ["10.0.1.0/28"]} if subnet["id"] == "subnet-a" else subnet
            for subnet in snapshot["subnets"]
        ]
    }
    codes = []
    for number, document in enumerate((snapshot, small)):
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(document))
        report = json.loads(extended("audit", "--snapshot", str(path), "-o", "json").stdout)
        findings = [finding for finding in report["findings"] if finding["code"] == "SUBNET_SMALL"]
        codes.append(len(findings))
        assert all(f"--name {snapshot['cluster']['name']} " in finding["remedy"] for finding in findings)
    assert codes == [0, 1]


def test_the_error_text_that_the_diff_adds_is_explained(extended):
    """As a pod's events have it."""
    text = 'plugin type="aws-cni" failed (add): add cmd: failed to assign an IP address to container'
    assert "the VPC CNI has no free address for a pod" in " ".join(extended("explain", text).stdout.split())


def test_the_kind_that_the_diff_adds_is_probed(extended, tmp_path):
    """Read from a file, measured, forecast and judged."""
    path = tmp_path / "targets.json"
    path.write_text(json.dumps({"targets": [{"kind": "extender", "name": "x", "url": "https://203.0.113.1:1/"}]}))
    run = extended("run", "-f", str(path), "-o", "json", "--timeout", "1")
    [result] = json.loads(run.stdout)["results"]
    assert result["target"]["kind"] == "extender"
    assert result["verdict"] in ("fail", "unknown")


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
