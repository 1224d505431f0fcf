"""What all tests share: a guard against the internet, and an honest count of what could not run."""

import os
import shutil
import socket
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from egressprobe.lab.servers import Loop
from tests import vectors

ISOLATED = bool(os.environ.get("EGRESSPROBE_ISOLATED"))
REQUIRE_ALL = bool(os.environ.get("EGRESSPROBE_REQUIRE_ALL"))
ALLOW_SKIP = os.environ.get("ALLOW_SKIP") == "1"
ROOT = Path(__file__).parents[1]
# What a test may reach: loopback, and the networks that tests make for themselves when isolated.
_OURS = [ip_network(n) for n in ("127.0.0.0/8", "::1/128", "10.99.0.0/16", "fd99::/16")]


def _why_not(item: pytest.Item) -> str | None:
    if item.get_closest_marker("netns") and not ISOLATED:
        return "network namespaces (scripts/isolated)"
    if item.get_closest_marker("nftables") and not shutil.which("nft"):
        return "nft (Debian: apt-get install nftables)"
    if item.get_closest_marker("artifact"):
        missing = [p for p in (".tools/aws-lambda-rie", "build/probe/.ready") if not (ROOT / p).exists()]
        return f"the built artifact and the emulator ({', '.join(missing)} missing)" if missing else None
    return None


_not_run: dict[str, int] = {}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        why = _why_not(item)
        if why:
            _not_run[why] = _not_run.get(why, 0) + 1
            item.add_marker(pytest.mark.skip(reason=f"NOT RUN: needs {why}"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in vectors.table():
        terminalreporter.write_line(line)
    for why, count in _not_run.items():
        terminalreporter.write_line(f"NOT RUN: {count} tests need {why}", red=REQUIRE_ALL, yellow=not REQUIRE_ALL)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _not_run and REQUIRE_ALL and not ALLOW_SKIP and session.exitstatus == 0:
        session.exitstatus = 1


@pytest.fixture(autouse=True)
def no_internet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connecting anywhere but to ourselves fails the test. Isolated runs have no other network anyway."""
    real = socket.socket.connect

    def connect(self: socket.socket, address: object) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and self.type == socket.SOCK_STREAM:
            host = ip_address(address[0].partition("%")[0])
            if not any(host in net for net in _OURS if net.version == host.version):
                pytest.fail(f"a test reached for {host}")
        real(self, address)

    if not ISOLATED:
        monkeypatch.setattr(socket.socket, "connect", connect)


@pytest.fixture
def lab_loop() -> Iterator[Loop]:
    """A thread with an event loop for fault servers."""
    with Loop() as loop:
        yield loop
