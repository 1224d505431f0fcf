"""`watch` on a pseudo-terminal: keys, resizing, and the terminal as it was before, however it ends."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time

import pytest

from tests.conftest import ROOT
from tests.support.small_screen import SmallScreen

LONG = 60  # seconds; only reached by a bug
CHILD = [sys.executable, "-m", "tests.support.watch_child"]


class Terminal:
    """A program on a pseudo-terminal, and what it shows."""

    def __init__(self, command, columns=80, rows=24):
        self.master, slave = pty.openpty()
        self._slave = slave  # kept open, so that its attributes can be read at the end
        self.screen = SmallScreen(columns, rows)
        self._size(columns, rows)
        self.before = termios.tcgetattr(slave)
        environment = os.environ | {"TERM": "xterm-256color", "LANG": "C.UTF-8", "PYTHONPATH": f"{ROOT}/src:{ROOT}"}
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env=environment,
            process_group=0,
        )

    def _size(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, columns, rows):
        self.screen.resize(columns, rows)
        self._size(columns, rows)
        self.process.send_signal(signal.SIGWINCH)

    def press(self, keys):
        os.write(self.master, keys.encode())

    def read(self, seconds=0.2):
        if select.select([self.master], [], [], seconds)[0]:
            with contextlib.suppress(OSError):
                self.screen.feed(os.read(self.master, 65536).decode("utf-8", "replace"))

    def until(self, is_there):
        """Read until `is_there(screen)`. Raises AssertionError with what is shown."""
        ends = time.monotonic() + LONG
        while not is_there(self.screen):
            assert time.monotonic() < ends, self.screen.text
            self.read()

    def end(self):
        """The exit code, when everything is read."""
        ends = time.monotonic() + LONG
        while self.process.poll() is None:
            assert time.monotonic() < ends, self.screen.text
            self.read()
        self.read(0)
        return self.process.returncode

    def is_as_before(self):
        return (
            termios.tcgetattr(self._slave) == self.before
            and not self.screen.alternate
            and self.screen.cursor
            and self.screen.text.strip() == ""
        )

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        os.close(self.master)
        os.close(self._slave)


@pytest.fixture
def terminal():
    opened = []

    def start(*arguments, **size):
        opened.append(Terminal([*CHILD, *arguments], **size))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def failing(screen):
    return any(line.startswith("FAIL: 1 fail, 0 unknown, 0 degraded, 1 pass") for line in screen.lines)


def test_keys_resizing_and_quitting(terminal):
    """J selects a target and its cause, ? helps, p pauses, a larger window shows more, q ends with 0."""
    run = terminal()
    run.until(failing)
    assert run.screen.alternate
    assert not run.screen.cursor
    run.until(lambda screen: "> second" in screen.text or "> first" in screen.text)
    run.press("g")
    run.until(lambda screen: "> second" in screen.text and "cause     no reply to the SYN" in screen.text)
    run.press("\x1b[B")
    run.until(lambda screen: "> first" in screen.text)
    run.press("?")
    run.until(lambda screen: "select a target: its cause and fix" in screen.text)
    run.press("x")
    run.until(lambda screen: "> first" in screen.text)
    run.press("p")
    run.until(lambda screen: "PAUSED" in screen.lines[0])
    run.press("p")
    run.until(lambda screen: "PAUSED" not in screen.lines[0])
    run.resize(140, 40)
    run.until(lambda screen: screen.lines[-1].startswith("q quit") and "FAIL connect_timeout" in screen.text)
    run.press("q")
    assert run.end() == 0
    assert run.is_as_before()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=["INT", "TERM", "HUP"]
)
def test_signals_restore_the_terminal(terminal, number, code):
    """Ctrl-C, kill, and a terminal that is closed."""
    run = terminal()
    run.until(failing)
    run.process.send_signal(number)
    assert run.end() == code
    assert run.is_as_before()


def test_a_crash_restores_the_terminal(terminal):
    """An error of ours in the middle of a frame."""
    run = terminal("crash")
    assert run.end() == 1
    assert run.is_as_before()
    assert b"ZeroDivisionError" in run.process.stderr.read()


def test_a_suspended_watch_gives_the_terminal_back(terminal):
    """Ctrl-Z, then fg."""
    run = terminal()
    run.until(failing)
    run.process.send_signal(signal.SIGTSTP)
    assert os.waitid(os.P_PID, run.process.pid, os.WSTOPPED | os.WNOWAIT) is not None
    run.until(lambda screen: not screen.alternate)
    assert termios.tcgetattr(run._slave) == run.before
    run.process.send_signal(signal.SIGCONT)
    run.until(lambda screen: screen.alternate and failing(screen))
    run.press("q")
    assert run.end() == 0
    assert run.is_as_before()


def test_the_command_on_a_terminal(tmp_path):
    """The real command with the real engine: one round, then the exit code of its verdicts."""
    run = Terminal(
        [sys.executable, "-m", "egressprobe", "watch", "tcp://192.0.2.1:9", "--interval", "5", "--rounds", "1"]
    )
    try:
        assert run.end() in (3, 4)
        assert run.is_as_before()
    finally:
        run.close()
