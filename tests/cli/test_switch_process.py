"""`egressprobe switch` as a process, with botocore and a real terminal: signals, a closed terminal, a broken pipe.

EKS is a server on loopback; it outlives the process, as the file beside the baseline does.
"""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from egressprobe.readiness.baseline import save
from egressprobe.readiness.run import preflight
from tests.conftest import ROOT
from tests.support.preflights import FakeClock, ScriptedSources
from tests.support.readiness.eks_server import serve_eks
from tests.support.readiness.fake_eks import live_eks

pytestmark = pytest.mark.thorough
SWITCH = ("switch", "--cluster", "prod", "--region", "eu-west-1")
YES = ("--yes-this-is-irreversible", "prod")
_SECONDS = 60


@pytest.fixture
def start(tmp_path):
    """Starts the command against `eks`; processes that are left are killed."""
    made = preflight(ScriptedSources(), clock=FakeClock())
    save(tmp_path / "egressprobe-baseline-prod.json", replace(made, started_at=datetime.now(UTC).isoformat()))
    started, servers = [], []

    def command(eks, *args, **more):
        server = serve_eks(eks)
        url = server.__enter__()
        servers.append(server)
        environment = {
            **os.environ,
            "AWS_ENDPOINT_URL_EKS": url,
            "AWS_ACCESS_KEY_ID": "id",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}",
            "no_proxy": "127.0.0.1",
            "COLUMNS": "400",  # messages are folded to the terminal
        }
        words = [sys.executable, "-m", "tests.support.readiness.switch_process", *SWITCH, *args]
        process = subprocess.Popen(words, cwd=tmp_path, env=environment, **more)
        started.append(process)
        return process

    yield command
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
    for server in servers:
        server.__exit__(None, None, None)


def finished(process):
    """(exit code, stdout, lines of stderr)."""
    out, err = process.communicate(timeout=_SECONDS)
    return process.returncode, out.decode(), err.decode().splitlines()


PIPES = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


def until(condition):
    """Waits for the process to come so far."""
    deadline = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_pipeline(start):
    """Confirmed by the option; the report on stdout."""
    eks = live_eks()
    code, out, err = finished(start(eks, *YES, **PIPES))
    assert (code, len(eks.tokens)) == (0, 1), err
    assert out.startswith("PASS: prod")
    assert err[-1].startswith("true state: prod is ACTIVE, controlPlaneEgressMode CUSTOMER_ROUTED")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda s: s.name)
def test_a_signal_while_the_update_is_followed(start, number):
    """The true state is the last line, but for SIGKILL; --resume ends it, and the request was made once."""
    eks = live_eks(script=["InProgress"])
    process = start(eks, *YES, **PIPES)
    until(lambda: eks.tokens and "started" in _state(process))
    process.send_signal(number)
    code, _, err = finished(process)
    if number is signal.SIGKILL:
        assert code == -signal.SIGKILL
    else:
        assert code == 130
        assert err[-1].startswith("true state: prod is UPDATING, controlPlaneEgressMode AWS_MANAGED")
        assert "update-1 is InProgress" in err[-1]
        assert err[-2] == "to go on: egressprobe switch --cluster prod --region eu-west-1 --resume"
    eks.script = ["Successful"]
    code, _, err = finished(start(eks, "--resume", **PIPES))
    assert code == 0, err
    assert len(eks.tokens) == 1


def _state(process):
    path = f"/proc/{process.pid}/cwd/egressprobe-baseline-prod.switch.json"
    try:
        with open(path) as stream:  # noqa: PTH123 (a link of /proc)
            return stream.read()
    except OSError:
        return ""


def test_a_lost_answer(start):
    """The connection closes after EKS has begun: the list of updates decides, nothing is sent twice."""
    eks = live_eks(answers=["lost"])
    code, _, err = finished(start(eks, *YES, **PIPES))
    assert (code, len(eks.tokens)) == (0, 1), err


def test_an_unknown_cluster(start):
    """Bad input in one line, which EKS's answer decides, and the true state."""
    eks = live_eks()
    code, out, err = finished(start(eks, "--cluster", "dev", "--baseline", "egressprobe-baseline-prod.json", **PIPES))
    assert (code, out, len(err)) == (2, "", 2)
    assert err[0].startswith("egressprobe: --cluster: ")
    assert "No cluster found for name: dev" in err[0]
    assert err[1].startswith("true state: unknown")


class Terminal:
    """A pseudo terminal as stdin and stderr of a process."""

    def __init__(self, start, eks, *args):
        self.master, slave = pty.openpty()
        self.process = start(
            eks,
            *args,
            stdin=slave,
            stdout=subprocess.PIPE,
            stderr=slave,
            start_new_session=True,
            preexec_fn=_controlling,
        )
        os.close(slave)
        self.text = ""

    def read_until(self, words):
        deadline = time.monotonic() + _SECONDS
        while words not in self.text:
            assert time.monotonic() < deadline, self.text
            self._read()

    def _read(self):
        if select.select([self.master], [], [], 0.1)[0]:
            try:
                self.text += os.read(self.master, 4096).decode()
            except OSError:  # the other end is closed
                return False
        return True

    def type(self, text):
        os.write(self.master, text.encode())

    def end(self):
        """(exit code, stdout, lines)."""
        deadline = time.monotonic() + _SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            self._read()
        while select.select([self.master], [], [], 0.1)[0] and self._read():
            pass
        out, _ = self.process.communicate(timeout=5)
        os.close(self.master)
        return self.process.returncode, out.decode(), self.text.replace("\r", "").rstrip("\n").split("\n")


def _controlling():
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_the_name_is_typed_on_a_terminal(start):
    """After the call was shown."""
    eks = live_eks()
    terminal = Terminal(start, eks)
    terminal.read_until("Type the cluster's name to switch it: ")
    assert "aws eks update-cluster-config --name prod" in terminal.text
    assert eks.tokens == []
    terminal.type("prod\n")
    code, out, lines = terminal.end()
    assert (code, len(eks.tokens)) == (0, 1), lines
    assert out.startswith("PASS: prod")
    assert lines[-1].startswith("true state: prod is ACTIVE, controlPlaneEgressMode CUSTOMER_ROUTED")


def test_ctrl_c_at_the_question(start):
    """Nothing was sent."""
    eks = live_eks()
    terminal = Terminal(start, eks)
    terminal.read_until("switch it: ")
    terminal.type("\x03")
    code, _, lines = terminal.end()
    assert (code, eks.tokens) == (130, [])
    assert lines[-1].startswith("true state: prod is ACTIVE, controlPlaneEgressMode AWS_MANAGED")
    assert lines[-1].endswith("this command sent nothing")


def test_a_terminal_that_is_closed(start):
    """The process ends, what it knew is in the file, and --resume goes on."""
    eks = live_eks(script=["InProgress"])
    terminal = Terminal(start, eks, *YES)
    terminal.read_until("InProgress")
    os.close(terminal.master)
    terminal.process.communicate(timeout=_SECONDS)
    assert terminal.process.returncode in (1, 130)
    eks.script = ["Successful"]
    code, _, err = finished(start(eks, "--resume", **PIPES))
    assert code == 0, err
    assert len(eks.tokens) == 1


def test_a_pipe_that_is_broken(start):
    """Of the messages, before the request: nothing is sent. The report's: the true state was said before."""
    eks = live_eks()
    reader, writer = os.pipe()
    os.close(reader)
    process = start(eks, *YES, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=writer)
    os.close(writer)
    process.communicate(timeout=_SECONDS)
    assert (process.returncode, eks.tokens) == (1, [])
    reader, writer = os.pipe()
    os.close(reader)
    process = start(eks, *YES, stdin=subprocess.DEVNULL, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    _, err = process.communicate(timeout=_SECONDS)
    assert process.returncode == 1
    assert (
        err.decode().splitlines()[-1].startswith("true state: prod is ACTIVE, controlPlaneEgressMode CUSTOMER_ROUTED")
    )
