"""The command line: output formats, exit codes, one-line messages."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import yaml

from egressprobe.cli import main as cli
from egressprobe.cli.commands.demo import surprises
from egressprobe.cli.output import explanation
from egressprobe.lab.dns import DnsServer, Reply
from egressprobe.lab.scenario import EXPECTED
from egressprobe.publish.response import from_json


def egressprobe(*args, stdin=""):
    """The command as a person runs it."""
    return subprocess.run(
        [sys.executable, "-m", "egressprobe", *args], input=stdin, capture_output=True, text=True, check=False
    )


def refused(capsys, *args):
    """The line on stderr of a command with exit code 2, in this process: a new one takes 0.2 s of CPU."""
    try:
        code = cli.main(list(args))
    except SystemExit as stopped:  # of argparse
        code = stopped.code
    out, error = capsys.readouterr()
    assert (code, out) == (2, "")
    assert error.count("\n") == 1
    return error


@pytest.fixture(scope="module")
def demo():
    return egressprobe("demo", "--metrics")


def test_the_demo_says_of_every_fault_what_the_lab_knows(demo):
    """The lab compares each target's verdict and code with what it set up; exit 0 means all agree."""
    assert demo.returncode == 0, demo.stderr
    assert f"{len(EXPECTED)} of {len(EXPECTED)} verdicts correct" in demo.stderr
    for line in (
        "is NOT blocked",
        "is blocked",
        "DEGRADED",
        "UNKNOWN",
    ):
        assert line in demo.stdout
    assert "\x1b[" not in demo.stdout
    documents = [json.loads(line) for line in demo.stdout.splitlines() if line.startswith('{"_aws"')]
    assert sum(1 for d in documents if "ProbeSuccess" in d) == 23
    assert demo.stdout.index("VERDICT") < demo.stdout.index('{"_aws"')


def test_the_demo_has_what_the_issue_asks_for():
    """Every kind, at least 16 targets, and each fault by name."""
    assert len(EXPECTED) >= 16


@pytest.mark.thorough
def test_two_demos_at_once():
    """The second finds the lab's port taken and takes another."""
    command = [sys.executable, "-m", "egressprobe", "demo", "-o", "json"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    urls = [json.loads(one.communicate(timeout=60)[0])["results"][0]["target"]["url"] for one in both]
    assert [one.returncode for one in both] == [0, 0]
    assert urls[0] != urls[1]


def test_the_demo_as_data():
    """The same run as JSON is a report that reads back, with nothing but data on stdout."""
    run = egressprobe("demo", "-o", "json")
    report = from_json(run.stdout)
    assert surprises(report) == []
    assert {one.target.kind for one in report.results} == {"oidc", "webhook", "aggregated-api", "kubelet", "endpoint"}


def test_the_emulated_version_is_in_the_report():
    """The command line's version wins, in the short form."""
    run = egressprobe("run", "--kube-version", "v1.36.1", "tcp://127.0.0.1:1", "-o", "json")
    assert from_json(run.stdout).vantage.kube_version == "1.36"


def test_a_lab_that_is_not_as_it_should_be_is_noticed():
    """The demo's own check can fail."""
    report = from_json(egressprobe("demo", "-o", "json").stdout)
    assert len(surprises(type(report)(*[*list(_fields(report))[:7], (), (), ""]))) == len(EXPECTED)


def _fields(report):
    return (getattr(report, name) for name in report.__struct_fields__)


TARGETS = textwrap.dedent("""
    schemaVersion: egressprobe/targets/v1
    targets:
      - kind: webhook
        name: loopback
        url: https://127.0.0.1:23443/mutate
      - kind: kubelet
        name: metadata
        addresses: ["169.254.169.254:10250"]
""")


@pytest.fixture
def targets(tmp_path):
    path = tmp_path / "targets.yaml"
    path.write_text(TARGETS)
    return str(path)


@pytest.mark.parametrize("form", ["table", "json", "yaml", "jsonl"])
def test_output_forms(targets, form):
    """Data on stdout alone; unknown only means exit 4."""
    run = egressprobe("run", "-f", targets, "-o", form)
    assert (run.returncode, run.stderr) == (4, "")
    if form == "json":
        assert from_json(run.stdout).summary.unknown == 2
    elif form == "yaml":
        assert yaml.safe_load(run.stdout)["summary"] == {"pass": 0, "degraded": 0, "fail": 0, "unknown": 2}
    elif form == "jsonl":
        lines = [json.loads(line) for line in run.stdout.splitlines()]
        assert [(line["target"]["name"], line["verdict"]) for line in lines] == [
            ("loopback", "unknown"),
            ("metadata", "unknown"),
        ]
    else:
        assert run.stdout.startswith("UNKNOWN: 0 fail, 2 unknown, 0 degraded, 0 pass in ")
        assert run.stdout.splitlines()[2].split() == [
            *["VERDICT", "KIND", "TARGET", "DNS", "CONNECT", "TLS", "HTTP", "PREDICTED", "API", "CALL"]
        ]


def test_standard_input():
    run = egressprobe("run", "-f", "-", "-o", "json", stdin=TARGETS)
    assert run.returncode == 4


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("targets: [", "line 2 column 1: "),
        ("targets:\n  - kind: webhook\n    kind: oidc\n", 'line 3 column 5: the key "kind" is twice in one mapping'),
        ('{"targets": [}', "line 1 column 14: expecting value"),
        ('{"targets": [], "targets": []}', 'the key "targets" is twice in one object'),
        ("just text", 'expected an object with "targets", got a string'),
        ("", 'expected an object with "targets", got nothing'),
        ("!!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
            f"{chr(98 + i)}: &{chr(98 + i)} [{','.join('*' + chr(97 + i) for _ in range(10))}]\n" for i in range(8)
        ), "stands for more than 524288 values"),
        ("targets:\n- {kind: webhook, name: a, url: 'http://x/'}", ':2: targets[0].url (a): "http://x/" must begin with https://'),
        ("x" * (9 << 20), "is larger than 8 MiB; split it"),
    ],
    ids=["yaml", "yaml-twice", "json", "json-twice", "text", "empty", "python", "aliases", "http", "large"],
)  # fmt: skip
def test_bad_files(tmp_path, capsys, content, said):
    """One line on stderr, nothing on stdout, exit 2."""
    path = tmp_path / "t"
    path.write_text(content)
    error = refused(capsys, "run", "-f", str(path))
    assert said in error
    assert error.startswith("egressprobe: ")
    assert str(path) in error or "targets[0]" in error


def test_a_mistake_is_one_line_of_the_real_command():
    """As a person sees it."""
    run = egressprobe("run", "https://x/", "--timeout", "0")
    assert (run.returncode, run.stdout) == (2, "")
    assert "--timeout: 0 is not in 0.1..900 seconds" in run.stderr
    assert run.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "see egressprobe --help"),
        (("run",), "nothing to probe: give URLs or -f FILE"),
        (("run", "ftp://x/"), 'URL 1: "ftp://x/" must begin with https://'),
        (("run", "tcp://x"), 'URL 1: "tcp://x" needs a port in 1..65535'),
        (("run", "-f", "/nowhere/t.yaml"), "/nowhere/t.yaml: cannot be read: no such file or directory"),
        (("run", "https://x/", "--kube-version", "1.20"), 'kubeVersion: "1.20" is not in 1.31..1.36'),
        (("run", "https://x/", "--resolver", "nope"), 'resolvers[0]: "nope" is not ADDR or ADDR:PORT'),
        (("run", "https://x/", "--timeout", "0"), "--timeout: 0 is not in 0.1..900 seconds"),
        (("run", "https://x/", "--timeout-seconds", "31"), "--timeout-seconds: 31 is not in 1..30"),
        (("run", "https://x/", "--concurrency", "0"), "--concurrency: 0 is not in 1..100"),
        (("run", "https://x/", "--ca-bundle", "/nowhere"), "--ca-bundle: /nowhere cannot be read"),
        (("run", "https://x/", "-o", "xml"), "invalid choice: 'xml'"),
        (("run", "https://x/", "-o", "jsn"), "; did you mean json? (see egressprobe run --help)"),
        (
            ("run", "https://x/", "--nmaes", "x"),
            "unrecognized arguments: --nmaes x; did you mean --names? (see egressprobe run --help)",
        ),
        (("rnu", "https://x/"), '"rnu" is not a command; did you mean run? (see egressprobe --help)'),
        (("-o", "json", "run"), '"-o" is not an option before the command: egressprobe COMMAND -o'),
        (("audit", "--cluster", "x", "--profile", "nowhere"), "`aws configure list-profiles` has the names"),
        (("verify", "--cluster", "x", "--baseline", "/nowhere"), "give what `egressprobe preflight` saved"),
        (("explain", "tls_cert_expire"), "did you mean tls_cert_expired?"),
        (("explain", "qqqqq"), "is not a code of egressprobe; egressprobe explain lists them all"),
    ],
)
def test_bad_arguments(capsys, args, said):
    assert said in refused(capsys, *args)


def test_explain():
    """A failure, a finding in any case, all of them, and as JSON."""
    run = egressprobe("explain", "address_dead")
    assert run.returncode == 0
    assert run.stdout.startswith("ADDRESS_DEAD: one of several addresses")
    assert all(f"\n{word} " in run.stdout for word in ("means", "confirm", "fix"))
    everything = egressprobe("explain").stdout.splitlines()
    assert len(everything) > 40
    assert everything[0] == "Failures: what one call met"
    assert "Findings: what a person should know" in everything
    assert json.loads(egressprobe("explain", "dns_nxdomain", "-o", "json").stdout)["code"] == "dns_nxdomain"
    entries = json.loads(egressprobe("explain", "-o", "json").stdout)["entries"]
    assert {"dns_nxdomain", "ADDRESS_DEAD"} <= {entry["code"] for entry in entries}


def test_explain_several_codes():
    """Each is explained, in the order given."""
    run = egressprobe("explain", "dns_timeout", "address_dead")
    heads = [line for line in run.stdout.splitlines() if line.startswith(("dns_timeout:", "ADDRESS_DEAD:"))]
    assert [head.partition(":")[0] for head in heads] == ["dns_timeout", "ADDRESS_DEAD"]
    entries = json.loads(egressprobe("explain", "dns_timeout", "address_dead", "-o", "json").stdout)["entries"]
    assert [entry["code"] for entry in entries] == ["dns_timeout", "ADDRESS_DEAD"]


@pytest.mark.parametrize("width", [60, 80, 100])
def test_the_list_of_codes_fits_the_terminal(width):
    """Further lines of a summary begin below its first."""
    lines = explanation.index(width).splitlines()
    assert max(map(len, lines)) <= max(width, 80)
    folded = [line for line in lines if line.startswith("    ")]
    assert folded
    assert len({len(line) - len(line.lstrip()) for line in folded}) == 1


def test_a_missing_extra_is_named(monkeypatch, capsys):
    """Installed without the extra `cli`: the line says what to install."""

    def needs_boto3(_options):
        raise ModuleNotFoundError("No module named 'boto3'", name="boto3")

    monkeypatch.setattr("egressprobe.cli.commands.audit.run", needs_boto3)
    assert cli.main(["audit", "--cluster", "prod"]) == 1
    assert capsys.readouterr().err == "egressprobe: this needs boto3: pip install 'egressprobe[cli]'\n"


def test_a_full_disk_is_one_line():
    """What cannot be written is not an internal error."""
    with Path("/dev/full").open("w") as full:
        run = subprocess.run(
            [sys.executable, "-m", "egressprobe", "explain"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert run.returncode == 1
    assert run.stderr == "egressprobe: the output cannot be written: no space left on device\n"


def test_an_ascii_terminal_gets_escapes(tmp_path):
    """A character that the encoding lacks is no error."""
    path = tmp_path / "t.json"
    path.write_text(json.dumps({"targets": [{"kind": "webhook", "name": "a", "url": "https://127.0.0.1/Büro"}]}))
    run = subprocess.run(
        [sys.executable, "-m", "egressprobe", "run", "-f", str(path), "-o", "json"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (4, "")


def test_our_own_error_is_exit_1(monkeypatch, capsys):
    """A bug of ours: one line, exit 1, never the exit code of a verdict."""
    monkeypatch.setattr("egressprobe.cli.commands.explain.run", lambda _: 1 / 0)
    monkeypatch.delenv("EGRESSPROBE_TRACEBACK", raising=False)
    assert cli.main(["explain"]) == 1
    assert "internal error: ZeroDivisionError" in capsys.readouterr().err


def test_colour_and_progress_only_on_a_terminal(tmp_path):
    """In a pseudo-terminal the verdict is painted, unless NO_COLOR is set."""
    path = tmp_path / "t.yaml"
    path.write_text(TARGETS)
    command = f"{sys.executable} -m egressprobe run -f {path}"
    for environment, painted in (("", True), ("NO_COLOR=1 ", False)):
        run = subprocess.run(
            ["script", "-qec", f"{environment}{command}", "/dev/null"], capture_output=True, text=True, check=False
        )
        assert ("\x1b[35mUNKNOWN" in run.stdout) is painted


def test_version():
    assert egressprobe("--version").stdout.startswith("egressprobe 0.")


def test_progress_on_a_terminal_for_runs_over_a_second(lab_loop):
    """A counter appears after a second and is wiped; piped, nothing of it is seen."""
    silent = lab_loop.start(DnsServer(lambda *_: Reply(None)))
    command = f"-m egressprobe run https://x.example/ --timeout-seconds 2 --resolver {silent.text}"
    run = subprocess.run(
        ["script", "-qec", f"{sys.executable} {command}", "/dev/null"], capture_output=True, text=True, check=False
    )
    assert "0 of 1 targets measured, 1 s" in run.stdout
    assert "\x1b[K" in run.stdout
    piped = egressprobe(*command.split()[2:])
    assert (piped.returncode, piped.stderr) == (3, "")
    assert "context deadline exceeded" in piped.stdout


def test_the_report_has_every_field_of_the_contract():
    """Written always, null or not: a reader in another language need not guess."""
    report = json.loads(egressprobe("demo", "-o", "json").stdout)
    assert report.keys() >= {"schemaVersion", "runId", "startedAt", "durationMs", "vantage", "verdict", "summary"}
    assert report["summary"].keys() == {"pass", "degraded", "fail", "unknown"}
    vantage = {"clusterName", "subnetId", "availabilityZone", "resolvers", "opensslVersion", "version"}
    assert report["vantage"].keys() >= vantage
    for one in report["results"]:
        fields = {"target", "verdict", "impact", "switchRelevant", "failure", "forecast", "resolutions", "attempts"}
        assert one.keys() == fields | {"http", "findings", "durationMs", "availability", "authentication"}
        assert one["target"].keys() >= {"kind", "name", "url"}
        if one["failure"]:
            assert one["failure"].keys() >= {"phase", "code", "message", "apiServerError"}
            assert one["verdict"] == "pass" or one["failure"]["remedy"]
            assert one["verdict"] == "pass" or one["failure"]["remedySteps"]["notes"]
        if one["forecast"]:
            assert one["forecast"].keys() >= {"outcome", "seconds", "error", "share"}
            assert "failure" not in one["forecast"]
        for attempt in one["attempts"]:
            assert attempt.keys() >= {"address", "port", "family", "connectMs", "tls", "failure"}
            tls = {"durationMs", "version", "cipher", "group", "alpn", "serverName", "chain"}
            assert attempt["tls"] is None or attempt["tls"].keys() >= tls
        for found in one["findings"]:
            assert found.keys() == {"code", "severity", "summary", "evidence", "remedy", "docs", "remedySteps"}
            steps = {"check", "fix", "undo", "touches", "placeholders", "notes", "proven", "provenBy"}
            assert found["remedySteps"].keys() == steps


@pytest.mark.parametrize(("code", "kept"), [("connect_timeout", True), ("http_status", False), ("ca_bundle_invalid", False)])  # fmt: skip
def test_an_explanation_says_what_kept_connections_hide(capsys, code, kept):
    """Of failures that only a new connection meets."""
    assert cli.main(["explain", code]) == 0
    assert ("after 85 s without a" in " ".join(capsys.readouterr().out.split())) is kept
