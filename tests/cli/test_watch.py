"""`egressprobe watch` without a terminal, and its options."""

import json
import subprocess
import sys
import time

import boto3
import pytest
from moto import mock_aws

from egressprobe.cli import main as cli
from tests.support.aws.deployments import environment, put_planner, put_stack

TARGETS = {
    "schemaVersion": "egressprobe/targets/v1",
    "targets": [{"kind": "endpoint", "name": "t", "url": "tcp://192.0.2.1:9"}],
}


def watch(*args, environment=None):
    return subprocess.run(
        [sys.executable, "-m", "egressprobe", "watch", *args],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )


def test_a_pipe_gets_a_line_for_each_change(tmp_path):
    """The real engine: one round, lines, and the exit code of the verdict."""
    path = tmp_path / "t.json"
    path.write_text(json.dumps(TARGETS))
    run = watch("-f", str(path), "--rounds", "1", "--interval", "5")
    assert run.returncode in (3, 4)
    (line,) = run.stdout.splitlines()
    assert line.split()[1:5] in (["FAIL", "t", "from", "here"], ["UNKNOWN", "t", "from", "here"])
    assert "1 target, 1 column;" in run.stderr
    assert "\x1b" not in run.stdout + run.stderr


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((), "nothing to watch: give URLs, -f FILE or --stack NAME"),
        (("--stack", "x", "https://h"), "watches the stack's inventory"),
        (("--invoke", "https://h"), "is of a stack: give --stack NAME"),
        (("https://h", "--interval", "4"), "4 is not in 5..3600 seconds"),
        (("https://h", "--interval", "nan"), "nan is not in 5..3600 seconds"),
        (("--stack", "x", "--invoke", "--interval", "10"), "10 is not in 60..3600 seconds"),
        (("https://h", "--rounds", "-1"), "-1 is not in 0..1000000"),
        (("https://h:99999",), "port"),
    ],
)
def test_bad_options(args, message, capsys):
    assert cli.main(["watch", *args]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in printed.err
    assert printed.err.count("\n") == 1


@mock_aws
def test_a_stack_is_watched_by_its_log(monkeypatch, capsys):
    """The Planner's configuration names the log group; its lines are the rounds; no function is invoked."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    group = "/egressprobe/prod/1/probe"
    put_stack("s", put_planner(variables=environment(stack="s", PROBE_LOGS=group)))
    logs = boto3.client("logs")
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="x")
    now = time.time() * 1e3
    lines = [
        {"Target": "good", "SubnetId": "subnet-a", "ProbeSuccess": [1.0], "callSeconds": 0.02},
        {"Target": "bad", "SubnetId": "subnet-a", "verdict": "fail", "code": "connect_timeout", "cause": "no reply"},
        {"Target": "other", "SubnetId": "subnet-a", "verdict": "fail", "code": "connect_timeout", "cause": "no reply"},
    ]
    events = [{"timestamp": int(now) - 1000, "message": json.dumps(line)} for line in lines]
    logs.put_log_events(logGroupName=group, logStreamName="x", logEvents=events)
    code = cli.main(["watch", "--stack", "s", "--rounds", "1", "-l", "good", "-l", "b*"])
    printed = capsys.readouterr()
    assert code == 3
    (line,) = printed.out.splitlines()
    assert line.endswith(" FAIL bad from subnet-a connect_timeout: no reply")
    assert "s: 2 targets, 1 column;" in printed.err


@mock_aws
def test_a_stack_that_does_not_exist_is_exit_2(monkeypatch, capsys):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert cli.main(["watch", "--stack", "nowhere"]) == 2
    assert "nowhere" in capsys.readouterr().err
