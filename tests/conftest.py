"""What all tests share: a guard against the internet, and an honest count of what could not run."""

import gc
import os
import shutil
import signal
import socket
import subprocess
from collections import Counter
from collections.abc import Iterator
from functools import cache
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from egressprobe.lab.servers import Loop
from tests.support.browser import AXE, chromium
from tests.support.peers import vectors

ISOLATED = bool(os.environ.get("EGRESSPROBE_ISOLATED"))
REQUIRE_ALL = bool(os.environ.get("EGRESSPROBE_REQUIRE_ALL"))
ALLOW_SKIP = os.environ.get("ALLOW_SKIP") == "1"
ROOT = Path(__file__).parents[1]
_ENGINES = ROOT / ".tools/stack/governance"
# What was started in the background ignores Ctrl-C, and so would the commands that are interrupted in the tests.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def examples(many: int) -> int:
    """How many examples a property gets: all of them in `make check`, a third in `make test`."""
    return many if REQUIRE_ALL else many // 3


# The same examples in each run, and no bounds of time: neither is to fail a run of CI that changed nothing.
settings.register_profile(
    "repeatable",
    max_examples=examples(100),
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("repeatable")
# A worker keeps millions of objects, most of them AWS's models of its APIs. They are read once, not for each client, and
# the collector, which visits all of them, comes a tenth as often: it took a third of the CPU time of `make test`.
botocore.session.create_loader = cache(botocore.session.create_loader)
gc.set_threshold(50_000, 20, 10)
# No test starts an instance; moto makes its 1,296 images, each with a snapshot and a volume, for each test of EC2.
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
# What a test may reach: loopback, and the networks that tests make for themselves when isolated.
_OURS = [ip_network(n) for n in ("127.0.0.0/8", "::1/128", "10.99.0.0/16", "fd99::/16")]


def _why_not(item: pytest.Item, markers: set[str]) -> str | None:
    if "netns" in markers and not ISOLATED:
        return "network namespaces (scripts/isolated)"
    if "nftables" in markers and not shutil.which("nft"):
        return "nft (Debian: apt-get install nftables)"
    if "bridges" in markers and not _bridges():
        return "a kernel with bridges (modprobe bridge)"
    if "awscli" in markers and not (ROOT / ".tools/stack/awscli/bin/python").exists():
        return "the AWS CLI (make template sets it up)"
    engines = [mark.args[0] for mark in item.iter_markers("engine")] if "engine" in markers else []
    not_there = [name for name in engines if not any(_ENGINES.glob(f"lib/*/site-packages/{name}"))]
    if not_there:
        return f"{', '.join(not_there)} (make template sets it up, on Linux)"
    for shell in [mark.args[0] for mark in item.iter_markers("shell")] if "shell" in markers else []:
        if not shutil.which(shell):
            return f"{shell} (Debian: apt-get install {shell})"
    if "browser" in markers and not chromium():
        return "Chromium (Debian: apt-get install chromium)"
    if "axe" in markers and not AXE.exists():
        return "axe-core (make .tools/browser/.ready sets it up, with npm)"
    if "packaged" in markers and not (ROOT / "build/dist/.ready").exists():
        return "the packages (make dist)"
    if "artifact" in markers:
        missing = [p for p in (".tools/aws-lambda-rie", "build/probe/.ready") if not (ROOT / p).exists()]
        return f"the built artifact and the emulator ({', '.join(missing)} missing)" if missing else None
    return None


@cache
def _bridges() -> bool:
    """Whether this network may have a bridge; it has none afterwards."""
    made = subprocess.run(["ip", "link", "add", "trial", "type", "bridge"], check=False, capture_output=True)
    subprocess.run(["ip", "link", "delete", "trial"], check=False, capture_output=True)
    return made.returncode == 0


_NOT_RUN = "NOT RUN: needs "
_not_run: Counter[str] = Counter()
# Figures that a test wants seen, from whichever process it ran in.
_said: list[str] = []


def pytest_make_parametrize_id(val: object) -> str | None:
    """One name for all bytes: a time or a key in them would give each worker of pytest-xdist other tests."""
    return "bytes" if isinstance(val, bytes) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted, thorough = [], []
    for item in items:
        markers = {mark.name for mark in item.iter_markers()}
        (thorough if "thorough" in markers and not REQUIRE_ALL else wanted).append(item)
        why = _why_not(item, markers)
        if why:
            item.add_marker(pytest.mark.skip(reason=_NOT_RUN + why))
    config.hook.pytest_deselected(items=thorough)
    items[:] = wanted


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Counted from reports, which come from other processes too."""
    if report.skipped and isinstance(report.longrepr, tuple) and _NOT_RUN in report.longrepr[2]:
        _not_run[report.longrepr[2].partition(_NOT_RUN)[2]] += 1
    for name, value in report.user_properties if report.when == "call" else ():
        if name == "vector":
            vectors.tally[value[0]].update(value[1:])
        if name == "said":
            _said.append(value)


# They wait for timeouts of 10 s, or start many processes.
_LONGEST = (
    "network",
    "virtual",
    "tests/probe/test_hostile_peers.py",
    "tests/cli/test_cli.py",
    "tests/test_extending.py",
)


class Workers(LoadScopeScheduling):  # type: ignore[misc]
    """A file to a worker. They share one network: files that make namespaces in it go to the same one."""

    def _assign_work_unit(self, node: Any) -> None:
        """What waits longest comes first, so that no worker waits for it at the end."""
        for scope in _LONGEST:
            if scope in self.workqueue:
                self.workqueue.move_to_end(scope, last=False)
                break
        super()._assign_work_unit(node)

    def _split_scope(self, nodeid: str) -> str:
        return _scope(nodeid.partition("::")[0])


@cache
def _scope(file: str) -> str:
    """The virtual VPC makes its namespaces elsewhere, so it does not stand in the others' way."""
    text = (ROOT / file).read_text()
    if "tests.support.vpc.virtual" in text:
        return "virtual"
    return "network" if "pytest.mark.netns" in text else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Workers:
    return Workers(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in (*vectors.table(), *_said):
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
