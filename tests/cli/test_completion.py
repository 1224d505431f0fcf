"""`egressprobe completion`: the scripts in real shells, and the words that they are made of."""

import argparse
import os
import pty
import select
import subprocess
import sys
import time

import pytest

from egressprobe.cli import main as cli
from egressprobe.cli.common.parser import parser
from egressprobe.cli.shells.words import Value, commands_of

NAMES = {command.__name__.rpartition(".")[2] for command in cli.COMMANDS}
_BASH = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_egressprobe
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def script(capsys, tmp_path):
    def made(shell):
        assert cli.main(["completion", shell]) == 0
        path = tmp_path / f"completion.{shell}"
        path.write_text(capsys.readouterr().out)
        return path

    return made


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home with profiles, contexts and files; kubectl is a program that prints two names."""
    (tmp_path / "config").write_text("[default]\n[profile night shift]\n[sso-session x]\n[profile prod]\n")
    (tmp_path / "bin").mkdir()
    kubectl = tmp_path / "bin" / "kubectl"
    kubectl.write_text("#!/bin/sh\nprintf 'blue\\ngreen\\n'\n")
    kubectl.chmod(0o755)
    (tmp_path / "work" / "folder").mkdir(parents=True)
    (tmp_path / "work" / "targets one.yaml").touch()
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def in_bash(path, *words):
    run = subprocess.run(
        ["bash", "--norc", "-c", _BASH, "bash", str(path), *words], capture_output=True, text=True, check=True
    )
    assert run.stderr == ""
    return run.stdout.split("\n")[:-1] if run.stdout != "\n" else []


def in_fish(path, line):
    command = ["fish", "--no-config", "-c", f"source {path}; complete -C '{line}'"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stderr == ""
    return [answer.partition("\t")[0] for answer in run.stdout.splitlines()]


CASES = [
    (("",), NAMES),
    (("dis",), {"discover"}),
    (("run", "-o", "j"), {"json", "jsonl", "junit"}),
    (("run", "--fail-on", ""), {"fail", "blocks", "degraded"}),
    (("demo", "--color", "n"), {"never"}),
    (("run", "--qui"), {"--quiet"}),
    (("--ver",), {"--version"}),
    (("explain", "dns_n"), {"dns_no_addresses", "dns_nxdomain"}),
    (("explain", "ADDRESS_D"), {"ADDRESS_DEAD"}),
    (("audit", "--skip", "ROUTE_B"), {"ROUTE_BLACKHOLE"}),
    (("audit", "--profile", ""), {"default", "night shift", "prod"}),
    (("discover", "--context", "g"), {"green"}),
    (("discover", "--from", ""), {"folder"}),
    (("completion", ""), {"bash", "zsh", "fish"}),
]


@pytest.mark.parametrize(
    ("words", "expected"), CASES, ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_bash_completes(script, home, words, expected):
    """By bash alone: commands, options, choices, codes, profiles, contexts, directories."""
    assert set(in_bash(script("bash"), "egressprobe", *words)) == expected


def test_bash_completes_files_and_values_after_an_equals_sign(script, home):
    """A name with a blank is one word; `--output=j` comes as three words."""
    path = script("bash")
    assert set(in_bash(path, "egressprobe", "run", "-f", "")) == {"folder", "targets one.yaml"}
    assert set(in_bash(path, "egressprobe", "run", "--output", "=", "j")) == {"json", "jsonl", "junit"}
    assert "table" in in_bash(path, "egressprobe", "run", "--output", "=")
    assert in_bash(path, "egressprobe", "run", "--timeout", "") == []


@pytest.mark.shell("fish")
def test_fish_completes(script, home):
    """The same words, by fish's own `complete -C`; and files."""
    path = script("fish")
    for words, expected in CASES:
        assert {name.rstrip("/") for name in in_fish(path, " ".join(("egressprobe", *words)))} == expected, words
    assert in_fish(path, "egressprobe run -f targets") == ["targets one.yaml"]


def typed(command, pairs):
    """What an interactive shell shows of a line after a TAB. pairs: what is typed, and the text to wait for."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "dumb"
        os.execvp(command[0], command)  # noqa: S606 (the shell is what is tested)
    try:
        for keys, expected in pairs:
            os.write(terminal, keys.encode())
            shown, ends = "", time.monotonic() + 20
            while expected not in shown and time.monotonic() < ends:
                if select.select([terminal], [], [], 0.2)[0]:
                    shown += os.read(terminal, 65536).decode("utf-8", "replace")
            assert expected in shown, (keys, shown)
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(terminal)


@pytest.mark.thorough
def test_a_tab_in_an_interactive_bash(script, home):
    """As a person types it: the words are inserted."""
    path = script("bash")
    pairs = [
        (f"PS1=; set +o history; source {path}; echo rea''dy\n", "ready\r\n"),
        ("egressprobe disc\t", "egressprobe discover "),
        ("--cont\t", "--context "),
        ("gr\t", "green "),
    ]
    typed(["bash", "--norc", "--noprofile", "-i"], pairs)


@pytest.mark.thorough
@pytest.mark.shell("zsh")
def test_a_tab_in_an_interactive_zsh(script, home):
    """Commands, options, a choice, a code, a profile, a file."""
    path = script("zsh")
    clear = "\x15"
    pairs = [
        (f"PS1=; autoload -U compinit; compinit -u -D; source {path}; echo rea''dy\n", "ready\r\n"),
        ("egressprobe disc\t", "over "),
        ("--cont\t", "ext "),
        ("gr\t", "een "),
        (f"{clear}egressprobe run --fail-on deg\t", "raded "),
        (f"{clear}egressprobe run -o jun\t", "it "),
        (f"{clear}egressprobe explain dns_nx\t", "domain "),
        (f"{clear}egressprobe audit --profile pr\t", "od "),
        (f"{clear}egressprobe run -f tar\t", "gets\\ one.yaml"),
        (f"{clear}egressprobe comp\t", "letion "),
        ("fi\t", "sh "),
    ]
    typed(["zsh", "-f", "-i"], pairs)


def test_every_command_and_option_is_in_each_script(script):
    """A new command or option needs no change of a script."""
    top = parser(cli.COMMANDS)
    texts = {shell: script(shell).read_text() for shell in ("bash", "zsh", "fish")}
    for command in commands_of(top, {}):
        for shell, text in texts.items():
            assert command.name in text, shell
        for option in command.options:
            for flag in option.flags:
                assert flag in texts["bash"]
                assert flag in texts["zsh"]
                assert f"-l {flag[2:]}" in texts["fish"] or f"-s {flag[1:]}" in texts["fish"]


def test_what_a_value_is():
    """By its choices, by the option, by its metavar; else a word."""
    top = parser(cli.COMMANDS)
    values = {
        (command.name, option.flags[-1]): option.value for command in commands_of(top, {}) for option in command.options
    }
    assert values["run", "--file"] is Value.FILE
    assert values["run", "--output"] is Value.CHOICE
    assert values["run", "--timeout"] is Value.WORD
    assert values["run", "--quiet"] is None
    assert values["discover", "--from"] is Value.DIRECTORY
    assert values["whatif", "--plan"] is Value.FILE
    assert {option.dest for option in top._actions if isinstance(option, argparse._SubParsersAction)}


def test_the_script_of_the_installed_command_is_the_same(script):
    """Nothing of this process is in it."""
    run = subprocess.run(
        [sys.executable, "-m", "egressprobe", "completion", "bash"], capture_output=True, text=True, check=True
    )
    assert run.stdout == script("bash").read_text()
