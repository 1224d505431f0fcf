"""What a shell can do to the command's streams, and what a person types first."""

import os
import pty
import signal
import subprocess
import sys

import pytest

from egressprobe.cli.main import main
from tests.conftest import ROOT

_COMMAND = f"{sys.executable} -m egressprobe"


def in_shell(line):
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False, env=environment)


@pytest.mark.parametrize(
    ("line", "code", "errors"),
    [
        ("explain dns_timeout >&-", 0, 0),
        ("explain dns_timeot 2>&-", 2, 0),
        ("explain - <&-", 2, 1),
        ("--help >&-", 0, 0),
    ],
)
def test_a_closed_stream_changes_no_exit_code(line, code, errors):
    """`>&-`: what is written there is lost, as if it was /dev/null."""
    run = in_shell(f"{_COMMAND} {line}")
    assert (run.returncode, run.stdout, run.stderr.count("\n")) == (code, "", errors), run.stderr
    assert "internal error" not in run.stderr


@pytest.mark.parametrize(("words", "shown"), [(["help"], "usage: egressprobe [-h]"), (["version"], "egressprobe 0.")])
def test_words_that_other_programs_have(words, shown, capsys):
    """`help` and `version` as `--help` and `--version`."""
    with pytest.raises(SystemExit, match="0"):
        main(words)
    assert capsys.readouterr().out.startswith(shown)


def test_help_of_a_command(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["help", "explain"])
    assert capsys.readouterr().out.startswith("usage: egressprobe explain ")


def test_a_person_who_types_no_command_gets_help(tmp_path):
    """On a terminal all of it; a script gets one line. Neither is a success."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "COLUMNS": "60"}
    with open(ours, "rb", buffering=0) as screen:  # noqa: PTH123 (a descriptor)
        process = subprocess.Popen(_COMMAND.split(), stderr=theirs, env=environment)
        os.close(theirs)
        shown = b""
        while part := _read(screen):
            shown += part
        assert process.wait(60) == 2
    lines = shown.decode().splitlines()
    assert lines[0].startswith("usage: egressprobe ")
    assert "exit codes:" in lines
    assert max(map(len, lines)) <= 60


def _read(screen):
    try:
        return screen.read(65536)
    except OSError:  # Linux's end of a terminal
        return b""


def test_ctrl_c_before_the_command_begins(tmp_path):
    """While Python imports it: ended by the signal, as a shell expects it, without a word of Python's."""
    (tmp_path / "msgspec.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}:{ROOT / 'src'}"}
    run = subprocess.run(_COMMAND.split(), capture_output=True, check=False, env=environment)
    assert (run.returncode, run.stderr) == (-signal.SIGINT, b"")


@pytest.mark.parametrize(("trap", "after"), [("", "default_int_handler"), ("trap '' INT; ", "SIG_IGN")])
def test_sigint_stays_ignored_where_it_was(tmp_path, trap, after):
    """As in a pipeline in the background, which Ctrl-C must not end."""
    script = tmp_path / "started.py"
    script.write_text(
        "import signal, sys\nfrom egressprobe.__main__ import start\n"
        "sys.argv[1:] = ['explain', 'dns_timeout']\nstart()\nprint(repr(signal.getsignal(signal.SIGINT)))\n"
    )
    assert after in in_shell(f"{trap}{sys.executable} {script}").stdout.splitlines()[-1]


def test_a_message_is_folded_to_the_terminal(monkeypatch, capsys):
    """At words; in a pipe it is one line."""
    monkeypatch.setenv("COLUMNS", "60")
    assert main(["explain", "no-such-code-as-this-one-here"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    main(["explain", "no-such-code-as-this-one-here"])
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) > 1
    assert max(map(len, lines)) <= 60
