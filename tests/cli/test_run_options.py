"""`egressprobe run`: what is probed, what ends it early, and which exit code follows."""

import io
import signal
import socket
import subprocess
import sys
import time

import pytest
from msgspec.structs import replace

from egressprobe.cli import main as cli
from egressprobe.cli.common.exit_codes import FAILED, NOT_SURE, OK, TEXT, exit_code
from egressprobe.cli.common.no_network import without_network
from egressprobe.cli.common.parser import parser
from egressprobe.cli.inputs.run_plan import plan_of
from egressprobe.cli.output.formats import render
from egressprobe.model.errors import InputError
from egressprobe.model.failure import Code
from egressprobe.model.target import Impact, Verdict
from egressprobe.publish.response import from_json
from tests.conftest import ROOT
from tests.support.documents import junit_tests
from tests.support.reports import joined

REPORT = from_json((ROOT / "tests/data/report.json").read_text())


def plan(*args):
    return plan_of(parser(cli.COMMANDS).parse_args(["run", *args]))


def names(*args):
    return [target.name for target in plan(*args).targets]


@pytest.fixture
def files(tmp_path):
    def write(name, *targets, **more):
        import yaml

        entries = [{"kind": "endpoint", "name": target, "url": f"tcp://{target}.example:443"} for target in targets]
        path = tmp_path / name
        path.write_text(yaml.safe_dump({"targets": entries} | more))
        return str(path)

    return write


def test_several_files_are_merged(files):
    """All targets of all files, then those of the command line."""
    first, second = files("a", "one", "two"), files("b", "three", kubeVersion="1.31")
    merged = plan("-f", first, "-f", second, "tcp://four.example:1")
    assert [target.name for target in merged.targets] == ["one", "two", "three", "four.example:1"]
    assert merged.kube_version == "1.31"


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"targets": ("one",)}, 'targets[1].name: "one" is the name of targets[0] already'),
        ({"targets": ("two",), "kubeVersion": "1.32"}, "b: kubeVersion is not the same as in"),
        ({"targets": ("two",), "resolvers": ["x"]}, "b:2: resolvers[0]: "),
    ],
    ids=["name", "version", "mistake"],
)
def test_files_that_do_not_fit_are_refused(files, second, message):
    """Nothing of a file is ignored silently, and a mistake names its file."""
    first = files("a", "one", kubeVersion="1.31")
    targets = second.pop("targets")
    with pytest.raises(InputError) as caught:
        plan("-f", first, "-f", files("b", *targets, **second))
    assert message.replace('"', "") in str(caught.value).replace('"', "")


def test_targets_by_name(files):
    """-l takes globs, in any case; none that matches is a mistake."""
    file = files("a", "kyverno-a", "kyverno-b", "opa")
    assert names("-f", file, "-l", "KYVERNO*") == ["kyverno-a", "kyverno-b"]
    assert names("-f", file, "-l", "opa", "-l", "*-b") == ["kyverno-b", "opa"]
    with pytest.raises(InputError, match="no target is named x; there are: kyverno-a, kyverno-b, opa"):
        plan("-f", file, "-l", "x")


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("policy.example.com", "https://policy.example.com/"),
        ("policy.example.com:8443", "https://policy.example.com:8443/"),
        ("policy.example.com/validate", "https://policy.example.com/validate"),
        ("192.0.2.1", "https://192.0.2.1/"),
        ("192.0.2.1:8443/v", "https://192.0.2.1:8443/v"),
        ("[2001:db8::1]:443", "https://[2001:db8::1]:443/"),
        ("[2001:db8::1]", "https://[2001:db8::1]/"),
        ("2001:db8::1", "https://[2001:db8::1]/"),
        ("tcp://a.example:1", "tcp://a.example:1"),
    ],
)
def test_a_host_is_enough(written, url):
    """What the API server calls is https."""
    assert plan(written).targets[0].url == url


def test_an_empty_bundle_is_refused(tmp_path):
    """Not: the system roots instead, silently."""
    path = tmp_path / "ca.pem"
    path.write_text("\n")
    with pytest.raises(InputError, match="is empty"):
        plan("https://x.example/", "--ca-bundle", str(path))


def _with(*pairs):
    results = tuple(replace(REPORT.results[0], verdict=verdict, impact=impact) for verdict, impact in pairs)
    worst = next(v for v in (Verdict.FAIL, Verdict.UNKNOWN, Verdict.DEGRADED, Verdict.PASS) if v in dict(pairs))
    return replace(REPORT, results=results, verdict=worst)


FAIL_OPEN, FAIL_CLOSED = (Verdict.FAIL, Impact.BYPASSES), (Verdict.FAIL, Impact.BLOCKS)
SLOW, GOOD, UNKNOWN = (Verdict.DEGRADED, Impact.BLOCKS), (Verdict.PASS, Impact.BLOCKS), (Verdict.UNKNOWN, Impact.BLOCKS)


@pytest.mark.parametrize(
    ("results", "fail", "blocks", "degraded"),
    [
        ((GOOD,), OK, OK, OK),
        ((GOOD, SLOW), NOT_SURE, NOT_SURE, FAILED),
        ((GOOD, UNKNOWN), NOT_SURE, NOT_SURE, NOT_SURE),
        ((GOOD, FAIL_OPEN), FAILED, NOT_SURE, FAILED),
        ((FAIL_OPEN, FAIL_CLOSED), FAILED, FAILED, FAILED),
    ],
)
def test_what_fails_a_run(results, fail, blocks, degraded):
    """--fail-on decides for 3; what does not pass is never 0."""
    report = _with(*results)
    assert [exit_code(report, word) for word in ("fail", "blocks", "degraded")] == [fail, blocks, degraded]


@pytest.mark.parametrize(
    ("results", "fail", "blocks", "degraded"),
    [
        ((GOOD,), OK, OK, OK),
        ((SLOW,), NOT_SURE, NOT_SURE, FAILED),
        ((UNKNOWN,), NOT_SURE, NOT_SURE, NOT_SURE),
        ((GOOD, FAIL_OPEN), FAILED, NOT_SURE, FAILED),
        ((FAIL_OPEN, FAIL_CLOSED), FAILED, FAILED, FAILED),
    ],
)
def test_what_fails_a_joined_report(results, fail, blocks, degraded):
    """The same of every subnet together; JUnit has a failure exactly where the exit code is 3."""
    rows = tuple(
        replace(
            joined().rows[0],
            verdict=verdict,
            impact=impact,
            cells=(replace(joined().rows[0].cells[0], verdict=verdict),),
        )
        for verdict, impact in results
    )
    worst = next(v for v in (Verdict.FAIL, Verdict.UNKNOWN, Verdict.DEGRADED, Verdict.PASS) if v in dict(results))
    whole = replace(joined(), rows=rows, verdict=worst, causes=(), reports=(), findings=())
    for word, code in (("fail", fail), ("blocks", blocks), ("degraded", degraded)):
        assert exit_code(whole, word) == code
        tests = junit_tests(render(whole, "junit", io.StringIO(), word))
        assert any(test.outcome == "failure" for test in tests) == (code == FAILED)
        assert all(test.outcome == "passed" for test in tests) == (code == OK)


def test_without_a_network_nothing_is_known():
    """Failures of this computer are unknown, with no advice about AWS; all others stay."""
    unreachable = replace(REPORT.results[0].failure or _failure(), code=Code.NETWORK_UNREACHABLE)
    local = replace(REPORT.results[0], verdict=Verdict.FAIL, failure=unreachable)
    refused = next(
        result for result in REPORT.results if result.failure and result.failure.code == Code.CONNECT_REFUSED
    )
    report = without_network(replace(REPORT, results=(local, refused)))
    assert [result.verdict for result in report.results] == [Verdict.UNKNOWN, refused.verdict]
    assert [finding.code for finding in report.results[0].findings] == ["NO_NETWORK"]
    assert report.summary.unknown == 1
    assert without_network(REPORT) is REPORT


def _failure():
    return next(result.failure for result in REPORT.results if result.failure)


@pytest.mark.netns
def test_run_on_a_computer_without_a_network(capsys):
    """With loopback only: unknown, exit 4, not a word of AWS."""
    assert cli.main(["run", "https://198.51.100.7/", "policy.example", "--resolver", "203.0.113.53"]) == NOT_SURE
    table = capsys.readouterr().out
    assert table.startswith("UNKNOWN: 0 fail, 2 unknown")
    assert "no network" in table
    assert "aws " not in table


@pytest.mark.netns
@pytest.mark.parametrize(
    "command", [("audit", "--cluster", "prod"), ("invoke", "--stack", "prod")], ids=["audit", "invoke"]
)
def test_aws_without_a_network(command, capsys, monkeypatch):
    """One line says so: neither the cluster nor the permissions are to blame."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert cli.main([*command, "--region", "eu-west-1"]) == 1
    err = capsys.readouterr().err
    assert err.endswith("; this computer has no network: no route to any address\n")
    assert err.count("\n") == 1


def test_ctrl_c_prints_what_was_measured(files):
    """One target is measured, one is silent: the table has both, the exit code is 130."""
    with socket.socket() as silent, socket.socket() as closed:
        silent.bind(("127.0.0.9", 0))
        silent.listen()
        closed.bind(("127.0.0.9", 0))
        run = subprocess.Popen(
            [
                *(sys.executable, "-c", _UNGUARDED, "run", "-o", "json"),
                *(f"tcp://127.0.0.9:{closed.getsockname()[1]}", f"https://127.0.0.9:{silent.getsockname()[1]}/"),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        silent.accept()
        time.sleep(1)
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=20)
    assert run.returncode == 130
    assert err == "egressprobe: interrupted; what was not measured is unknown\n"
    measured = {result.target.url: result for result in from_json(out).results}
    verdicts = sorted((result.verdict, result.failure.code) for result in measured.values())
    assert verdicts == [(Verdict.FAIL, Code.CONNECT_REFUSED), (Verdict.UNKNOWN, Code.DEADLINE_EXCEEDED)]
    [unmeasured] = [result.failure for result in measured.values() if result.verdict is Verdict.UNKNOWN]
    assert (unmeasured.remedy, unmeasured.confirm) == ("Run it again, and let it end.", "")


# The guard of what may be dialled refuses loopback; no option can change that, so the test does.
_UNGUARDED = """
import sys
from egressprobe.probe import run
run.run.__kwdefaults__["edges"] = run.Edges(guard=lambda _: None)
from egressprobe.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def _help_of_all(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    return capsys.readouterr().out


def test_the_help_of_all_fits_80_columns(capsys, monkeypatch):
    """The first sentence too."""
    monkeypatch.setenv("COLUMNS", "80")
    assert [line for line in _help_of_all(capsys).splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("command", cli.COMMANDS, ids=lambda command: command.__name__.rpartition(".")[2])
def test_every_help_has_examples_and_exit_codes(command, capsys, monkeypatch):
    """It says what the command does. The examples are accepted by the parser. Nothing is wider than 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    name = command.__name__.rpartition(".")[2]
    with pytest.raises(SystemExit):
        cli.main([name, "--help"])
    text = capsys.readouterr().out
    assert [line for line in text.splitlines() if len(line) > 80] == []
    about = text.split("\n\n")[1]
    assert about[0].isupper(), about
    assert about.endswith("."), about
    assert " ".join(about[1:-1].split()) in " ".join(_help_of_all(capsys).split())
    assert command.EXAMPLES
    for example in command.EXAMPLES:
        import shlex

        piped = [part for part in example.partition(" > ")[0].split(" | ") if part.startswith("egressprobe ")]
        words = shlex.split(piped[-1])
        assert words[:2] == ["egressprobe", name]
        parser(cli.COMMANDS).parse_args(words[1:])
        assert f"  {example}\n" in text
    for code, meaning in getattr(command, "EXIT_TEXT", TEXT).items():
        assert f"  {code:<4} {meaning}" in text


def test_a_profile_is_for_every_aws_call(monkeypatch, tmp_path):
    """--profile is AWS_PROFILE."""
    import os

    (tmp_path / "config").write_text("[profile night]\nregion = eu-west-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "")
    profiles = []
    monkeypatch.setattr("egressprobe.cli.commands.audit.run", lambda _: profiles.append(os.environ["AWS_PROFILE"]) or 0)
    assert cli.main(["audit", "--cluster", "x", "--profile", "night"]) == 0
    assert profiles == ["night"]


def test_without_credentials(monkeypatch, capsys):
    """One line: which cluster, and how to get credentials."""
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert cli.main(["audit", "--cluster", "prod", "--region", "eu-west-1"]) == 1
    assert capsys.readouterr().err == (
        "egressprobe: the cluster prod cannot be read: Unable to locate credentials; log in, for example with "
        "`aws sso login`, or name a profile: --profile or AWS_PROFILE\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "https:/u:HIDDEN@h/",
        "https//u:HIDDEN@h",
        "tcp:/u:HIDDEN@h:1",
        "HTTPS:u:HIDDEN@h",
        "u:HIDDEN@h",
        "h/x@HIDDEN",
        "//u:HIDDEN@h/",
        "https:\\\\u:HIDDEN@h",
        "u:HIDDEN@h/",
        "[::1]@HIDDEN/",
    ],
)
def test_a_mistyped_url_is_refused_and_not_taken_for_a_host(text, capsys):
    """One line, exit 2, and what may be a password is not printed."""
    assert cli.main(["run", text, "--timeout", "1"]) == 2
    written = capsys.readouterr()
    assert "HIDDEN" not in written.out + written.err
    assert written.err.count("\n") == 1


@pytest.mark.parametrize(
    "command", [("egressprobe", "audit", "--cluster"), ("egressprobe.stack", "check")], ids=["cli", "make"]
)
def test_the_region_of_the_environment(command):
    """AWS_REGION, which the README names, is enough, and overrides AWS_DEFAULT_REGION as in the AWS CLI."""
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT / "src"), "HOME": "/nowhere"}
    environment |= {"AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "nowhere!"}
    run = subprocess.run(
        [sys.executable, "-m", *command, "prod"], env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert "credentials" in run.stderr
    assert "nowhere" not in run.stderr
