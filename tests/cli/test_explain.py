"""`egressprobe explain` with pasted errors: what a person and a program get, and the exit codes."""

import io
import json

import pytest

from egressprobe.cli import main as cli

CALL = (
    'Internal error occurred: failed calling webhook "vpod.kyverno.svc": failed to call webhook: Post '
    '"https://kyverno-svc.kyverno.svc:443/validate?timeout=10s": context deadline exceeded'
)
DENIED = 'Error from server: admission webhook "a.b" denied the request: no'


@pytest.fixture
def explain(monkeypatch, capsys):
    """The command: its exit code, what it prints, and its messages."""

    def run(*args, stdin=b""):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = cli.main(["explain", *args])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def test_a_copied_error_for_a_person(explain):
    """Ranked codes with their reason, what was read out of the text, and the next commands."""
    code, text, _ = explain(CALL)
    assert code == 0
    for phase in ("connect_timeout", "tls_timeout", "dns_timeout", "http_timeout"):
        assert f"  1  {phase} " in text
    assert "because: the limit of the whole call ended it" in text
    for fact in (
        "webhook  vpod.kyverno.svc",
        "service  kyverno/kyverno-svc",
        "limit    10 s",
        "phase    not in the text",
    ):
        assert f"\n{fact}\n" in text
    assert "egressprobe run -f targets.yaml -l 'kyverno-svc.kyverno.svc*'" in text
    assert max(map(len, text.splitlines())) <= 96


def test_a_copied_error_as_data(explain):
    """All errors, and the first at the top, also where the shell made words of it."""
    data = json.loads(explain(*CALL.split(), "-o", "json")[1])
    assert data["schemaVersion"] == "egressprobe/explain/v1"
    assert data["entries"][0]["code"] == "connect_timeout"
    (error,) = data["errors"]
    assert (error["about"], error["kind"], error["pathProblem"]) == ("call", "webhook", True)
    assert error["facts"]["url"] == "https://kyverno-svc.kyverno.svc:443/validate"
    assert [meaning["rank"] for meaning in error["meanings"]][:4] == [1, 1, 1, 1]
    assert data["next"] == error["next"]


def test_errors_from_standard_input(explain):
    """`kubectl ... 2>&1 | egressprobe explain -`: several errors, the last one a decision."""
    code, text, _ = explain("-", stdin=f"{CALL}\n{CALL}\n{DENIED}\n".encode())
    assert code == 0
    assert " (2 times)" in " ".join(text.split())
    assert "This is not a path problem: the webhook was reached, and it denied the request" in " ".join(text.split())
    data = json.loads(explain("-", "-o", "json", stdin=f"{CALL}\n{DENIED}".encode())[1])
    assert [error["pathProblem"] for error in data["errors"]] == [True, False]


def test_a_decision_alone_is_explained(explain):
    """No code, exit 0: there is nothing to fix in the network."""
    code, text, _ = explain(DENIED)
    assert code == 0
    assert "This may mean" not in text
    assert "kubectl get validatingwebhookconfigurations" in text


def test_a_client_s_own_connection_is_kept_apart(explain):
    """The client did not reach the API server: nothing that egressprobe probes."""
    code, text, _ = explain("Unable to connect to the server: dial tcp 10.0.7.1:443: i/o timeout")
    assert code == 0
    assert "call     a client's own connection to the API server" in text
    assert "not a call of the API server" in " ".join(text.split())


@pytest.mark.parametrize(
    ("args", "stdin", "message"),
    [
        (("the moon is full",), b"", "no error of kube-apiserver or kubectl is known in this text"),
        (("-",), b"", "standard input is empty"),
        (("-",), b"\xff\xfe\x00 nothing", "no error of kube-apiserver or kubectl is known in this text"),
    ],
)
def test_what_is_not_known_is_exit_2(explain, args, stdin, message):
    code, text, errors = explain(*args, stdin=stdin)
    assert (code, text) == (2, "")
    assert message in errors
    assert errors.count("\n") == 1


def test_standard_input_is_bounded(explain):
    """1 MiB is read, and a line says that there was more."""
    code, text, errors = explain("-", stdin=f"{CALL}\n".encode() + b"x" * (2 << 20))
    assert code == 0
    assert "connect_timeout" in text
    assert errors == "egressprobe: only the first 1 MiB of standard input was read\n"


def test_a_text_of_others_is_harmless(explain):
    """Escape sequences, bidirectional overrides and secrets of a URL do not reach the terminal."""
    hostile = 'Post "https://user:secret@h.example/v?token=secret": \x1b]0;title\x07\u202eEOF'
    for output in ("text", "json"):
        _, text, _ = explain("-", "-o", output, stdin=hostile.encode())
        assert "tls_eof" in text
        assert not {"\x1b", "\u202e", "\x07"} & set(text)
        assert "secret" not in text
