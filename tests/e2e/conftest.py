"""One emulated account, its VPC, its cluster and its stack for all scenarios: a deployment takes half a minute.

Collected by `make e2e` alone; it takes minutes.
"""

import os
import signal
from collections.abc import Iterator

import pytest

from tests.e2e import network
from tests.e2e.account import Account
from tests.e2e.emulation import emulator
from tests.e2e.faults import Faults, proxy
from tests.e2e.inbox import inbox
from tests.e2e.stack import NOTICE, PAGE, Stack, say
from tests.e2e.world import CA, World, world

WANTED = os.environ.get("EGRESSPROBE_E2E") == "1"
collect_ignore_glob = [] if WANTED else ["test_*.py"]
if WANTED:
    # The first process of a process namespace ignores signals that it does not handle (man 7 pid_namespaces).
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def cluster() -> Iterator[World]:
    """The cluster and all that its API server calls."""
    with network.vpc(), world() as made:
        yield made


@pytest.fixture(scope="session")
def faults() -> Iterator[Faults]:
    """Between the functions and AWS."""
    with proxy() as made:
        yield made


@pytest.fixture(scope="session")
def account(cluster: World, faults: Faults, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """The account with the cluster in two of three subnets; no stack yet."""
    with emulator(tmp_path_factory.mktemp("e2e"), CA.pem) as log:
        say(f"the emulator's log is {log}")
        yield Account(cluster.cluster, subnets=2)


@pytest.fixture(autouse=True)
def _well_again(request: pytest.FixtureRequest, cluster: World) -> Iterator[None]:
    """A scenario that fails is not the next one's fault."""
    failed = request.session.testsfailed
    say(f"\n{request.node.name}: {request.node.obj.__doc__}")
    yield
    if request.session.testsfailed > failed and "stack" in request.fixturenames:
        say("repairing what the scenario left")
        cluster.repair()
        request.getfixturevalue("account").repair()
        stack = request.getfixturevalue("stack")
        stack.plan()
        stack.settle()


@pytest.fixture(scope="session")
def stack(account: Account) -> Iterator[Stack]:
    """Deployed, its pages and notices are read, and its first quarter of an hour was quiet."""
    with inbox() as people:
        made = Stack(people)
        notices = made.notice_topic()
        made.deploy(NoticeTopicArn=notices, TargetNotifications="true")
        made.subscribe(made.outputs["PageTopic"], PAGE)
        made.subscribe(notices, NOTICE)
        assert made.minutes(12) == []
        yield made
