"""`kubectl egressprobe`: the same command line by another name, and its completion below kubectl."""

import os
import subprocess
import sys

import pytest

from egressprobe.cli import main as cli
from egressprobe.cli.common.parser import parser
from egressprobe.cli.shells.kubectl import completions
from tests.conftest import ROOT

_SCRIPT = f"#!{sys.executable}\nimport sys\nfrom egressprobe.__main__ import start\nsys.exit(start())\n"


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """A PATH with both executables, as pip writes them."""
    for name in ("kubectl-egressprobe", "kubectl_complete-egressprobe"):
        (tmp_path / name).write_text(_SCRIPT)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    monkeypatch.setenv("HOME", str(tmp_path))


def started(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


@pytest.fixture
def started_as(monkeypatch):
    return lambda name: monkeypatch.setattr(sys, "argv", [f"/usr/local/bin/{name}"])


def completed(*words):
    *lines, directive = completions(parser(cli.COMMANDS), words).split("\n")
    return {line.partition("\t")[0] for line in lines}, directive


def test_help_has_the_name_that_a_person_typed(plugin):
    """In the usage, the examples and the line of a mistake; the exit codes are the same."""
    help_text = started("kubectl-egressprobe", "run", "--help").stdout
    assert help_text.startswith("usage: kubectl egressprobe run ")
    assert "\n  kubectl egressprobe run -f targets.yaml " in help_text
    assert "  egressprobe" not in help_text
    mistake = started("kubectl-egressprobe", "run")
    assert mistake.returncode == 2
    assert mistake.stderr.endswith("(see kubectl egressprobe run --help)\n")


@pytest.mark.parametrize(
    ("name", "usage"),
    [
        ("egressprobe", "usage: egressprobe "),
        ("kubectl-egressprobe", "usage: kubectl egressprobe "),
        ("kubectl-egressprobe.exe", "usage: kubectl egressprobe "),
        ("egressprobe-0.1.0-linux-x86_64.pyz", "usage: egressprobe "),
        ("pytest", "usage: egressprobe "),
    ],
)
def test_the_name_of_the_file_decides(started_as, name, usage):
    """A renamed single file is the plugin; any other name is the command."""
    started_as(name)
    assert parser(cli.COMMANDS).format_usage().startswith(usage)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("dis",), ({"discover"}, ":4")),
        (("--ver",), ({"--version"}, ":4")),
        (("run", "--qui"), ({"--quiet"}, ":4")),
        (("run", "-o", "j"), ({"json", "jsonl", "junit"}, ":4")),
        (("run", "--output=j"), ({"--output=json", "--output=jsonl", "--output=junit"}, ":4")),
        (("run", "--timeout", ""), (set(), ":4")),
        (("run", "-f", ""), (set(), ":0")),
        (("discover", "--from", ""), (set(), ":16")),
        (("explain", "dns_n"), ({"dns_no_addresses", "dns_nxdomain"}, ":4")),
        (("audit", "--skip", "ROUTE_B"), ({"ROUTE_BLACKHOLE"}, ":4")),
        (("demo", ""), (set(), ":4")),
        (("nosuch", ""), (set(), ":4")),
    ],
)
def test_completions(words, expected):
    """Commands, options, choices, codes; kubectl's shell completes files (0) and directories (16) itself."""
    assert completed(*words) == expected


def test_completion_of_names_that_other_programs_know(tmp_path, monkeypatch):
    """AWS profiles, and the contexts of the kubeconfig by kubectl; none where there is no kubectl."""
    (tmp_path / "config").write_text("[default]\n[profile night shift]\n[profile prod]\n")
    (tmp_path / "kubectl").write_text("#!/bin/sh\nprintf 'blue\\ngreen\\n'\n")
    (tmp_path / "kubectl").chmod(0o755)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert completed("audit", "--profile", "") == ({"default", "night shift", "prod"}, ":4")
    assert completed("discover", "--context", "g") == ({"green"}, ":4")
    (tmp_path / "kubectl").write_text("#!/bin/sh\nexit 1\n")
    assert completed("discover", "--context", "g") == (set(), ":4")


def test_every_command_is_completed():
    """A new command needs no change here."""
    names, _ = completed("")
    assert names == {command.__name__.rpartition(".")[2] for command in cli.COMMANDS}


@pytest.mark.thorough
@pytest.mark.shell("kubectl")
def test_below_kubectl(plugin):
    """The real kubectl finds both executables, and reads the completions."""
    assert started("kubectl", "egressprobe", "run", "--help").stdout.startswith("usage: kubectl egressprobe run ")
    answer = started("kubectl", "__complete", "egressprobe", "run", "--fail-on", "")
    assert answer.stdout.splitlines() == ["fail", "blocks", "degraded", ":4"]
    assert "kubectl-egressprobe" in started("kubectl", "plugin", "list").stdout
