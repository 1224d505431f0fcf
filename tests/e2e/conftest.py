"""One emulated account, its VPC, its cluster and its stack for all scenarios: a deployment takes half a minute.

Collected by `make e2e` alone; it takes minutes.
"""

import os
from collections.abc import Iterator

import pytest

from tests.e2e import network
from tests.e2e.inbox import inbox
from tests.e2e.stack import Stack, emulator, say
from tests.e2e.world import CA, World, world

collect_ignore_glob = [] if os.environ.get("EGRESSPROBE_E2E") == "1" else ["test_*.py"]


@pytest.fixture(scope="session")
def cluster() -> Iterator[World]:
    """The cluster and all that its API server calls."""
    with network.vpc(), world() as made:
        yield made


@pytest.fixture(scope="session")
def account(cluster: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The account with the cluster; no stack yet. The emulator's log is shown when a test failed."""
    folder = tmp_path_factory.mktemp("e2e")
    with inbox() as people, emulator(folder, CA.pem) as log:
        stack = Stack(people, folder)
        stack.make_cluster(cluster.cluster)
        say(f"the emulator's log is {log}")
        yield stack


@pytest.fixture(scope="session")
def stack(account: Stack) -> Stack:
    """Deployed, and its pages are read."""
    account.deploy()
    account.subscribe(account.outputs["PageTopic"])
    return account
