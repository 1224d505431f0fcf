"""--color, --quiet and --verbose, which every command has."""

import io
import logging
import subprocess
import sys

import boto3
import pytest
from moto import mock_aws

from egressprobe.cli import main as cli
from egressprobe.cli.common.log import log_as_messages
from egressprobe.cli.settings.output import has_colour, set_output
from tests.conftest import ROOT

SNAPSHOT = str(ROOT / "docs/examples/broken-vpc.json")
RED = "\x1b[31m"


class _Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    for name in ("NO_COLOR", "CLICOLOR_FORCE", "TERM"):
        monkeypatch.delenv(name, raising=False)
    yield
    set_output(colour="auto", quiet=False, verbose=False)
    log_as_messages(verbose=False)


@pytest.mark.parametrize(
    ("option", "environment", "terminal", "expected"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"TERM": "dumb"}, True, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),  # no-color.org: present and not an empty string
        ("auto", {"CLICOLOR_FORCE": "1"}, False, True),
        ("auto", {"CLICOLOR_FORCE": "0"}, False, False),
        ("auto", {"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, True, False),
        ("always", {"NO_COLOR": "1", "TERM": "dumb"}, False, True),
        ("never", {"CLICOLOR_FORCE": "1"}, True, False),
    ],
)
def test_where_colours_are(monkeypatch, option, environment, terminal, expected):
    """The option decides, then NO_COLOR, then CLICOLOR_FORCE, then the terminal."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    set_output(colour=option, quiet=False, verbose=False)
    assert has_colour(_Terminal() if terminal else io.StringIO()) is expected


def test_colours_by_option(capsys):
    """In a pipe only with --color always; the next command of the same process is plain again."""
    cli.main(["audit", "--snapshot", SNAPSHOT, "--color", "always"])
    painted = capsys.readouterr().out
    cli.main(["audit", "--snapshot", SNAPSHOT])
    again = capsys.readouterr().out
    assert RED in painted
    assert RED not in again


@pytest.mark.parametrize("form", ["json", "jsonl", "yaml", "markdown", "html", "junit", "prometheus"])
def test_quiet_leaves_data_whole(capsys, form):
    """It is about tables and progress."""
    outputs = []
    for more in ((), ("-q",)):
        assert cli.main(["audit", "--snapshot", SNAPSHOT, "-o", form, *more]) == 3
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]


def test_quiet_is_the_first_line_of_a_table(capsys):
    """The verdict, and the exit code."""
    assert cli.main(["audit", "--snapshot", SNAPSHOT, "--quiet"]) == 3
    assert capsys.readouterr().out == "prod: FAIL; 1 error, 0 warnings, 0 notes.\n"


def test_quiet_shows_no_progress():
    """On a terminal as well."""
    command = f"{sys.executable} -m egressprobe run -q https://x.example/ --timeout-seconds 2 --resolver 127.0.0.77"
    run = subprocess.run(["script", "-qec", command, "/dev/null"], capture_output=True, text=True, check=False)
    assert run.stdout.count("\n") == 1
    assert "measured" not in run.stdout


def test_verbose_logs_what_is_done(capsys, tmp_path):
    """On stderr; results on stdout are the same."""
    path = tmp_path / "t.json"
    path.write_text('{"targets": [{"kind": "endpoint", "name": "a", "url": "tcp://127.0.0.1:1"}]}')
    assert cli.main(["run", "-f", str(path), "-v"]) == 4
    written = capsys.readouterr()
    assert "egressprobe: measured a, 1 of 1\n" in written.err
    assert "verdict=unknown" in written.err
    assert written.out.startswith("UNKNOWN: ")
    assert cli.main(["run", "-f", str(path)]) == 4
    assert capsys.readouterr().err == ""


def test_verbose_names_aws_calls_and_nothing_that_is_secret(capsys, monkeypatch):
    """The service and the operation; the record of botocore also has headers and parameters."""
    for name, value in {"ACCESS_KEY_ID": "AKIA", "SECRET_ACCESS_KEY": "HIDDEN1", "SESSION_TOKEN": "HIDDEN2"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    loggers = [logging.getLogger(name) for name in ("egressprobe", "botocore.endpoint")]
    log_as_messages(verbose=False)
    before = [logger.level for logger in loggers]
    log_as_messages(verbose=True)
    with mock_aws():
        boto3.client("ssm", region_name="eu-west-1").put_parameter(Name="a", Value="HIDDEN3", Type="SecureString")
    written = capsys.readouterr().err
    assert "egressprobe: AWS ssm PutParameter\n" in written
    assert "HIDDEN" not in written
    assert all(logger.level == logging.DEBUG for logger in loggers)
    log_as_messages(verbose=False)
    assert [logger.level for logger in loggers] == before


def test_verbose_shows_where_an_error_of_ours_was_raised(capsys, monkeypatch):
    """Without its text, which may be secret."""

    def broken(_options):
        raise RuntimeError("HID" + "DEN")  # the traceback has this line

    monkeypatch.setattr("egressprobe.cli.commands.explain.run", broken)
    assert cli.main(["explain", "-v"]) == 1
    written = capsys.readouterr().err
    assert "Traceback" in written
    assert "HIDDEN" not in written
    assert cli.main(["explain"]) == 1
    assert capsys.readouterr().err == "egressprobe: internal error: RuntimeError (--verbose shows where)\n"
