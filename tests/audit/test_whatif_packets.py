"""What a trial of a plan says, against real packets: the VPC that the plan makes, written by hand or made by EC2's
emulator, is built from network namespaces.

EGRESSPROBE_VPCS: how many random VPCs (2; `make check` 40). EGRESSPROBE_VPC_SEED: of a run to repeat.
"""

import os

import pytest

from tests.audit.test_differential import laboratory
from tests.audit.test_whatif import states_of, tried
from tests.support.vpc.plans import PLANS
from tests.support.vpc.snapshots import CORP, PEER, POD, WEB, WEB6
from tests.support.vpc.virtual.build import Built
from tests.support.vpc.virtual.packets import Call, connect

pytestmark = [pytest.mark.netns, pytest.mark.nftables, pytest.mark.bridges]

ADDRESSES = {"web": (WEB, 443), "web6": (WEB6, 443), "pod": (POD, 9443), "corp": (CORP, 443), "peer": (PEER, 443)}
BUILT = [case for case in PLANS if case.after is not None and case.effects]
EVERY = bool(os.environ.get("EGRESSPROBE_REQUIRE_ALL"))
_CLIENTS = (1111, 40_000, 65_001)


@pytest.fixture(scope="module")
def wired():
    with laboratory() as pair:
        yield pair


@pytest.mark.parametrize("case", BUILT if EVERY else BUILT[::5], ids=lambda case: case.name.replace(" ", "-"))
def test_packets_agree_with_the_trial(case, wired):
    """Open must pass and closed must not, from both control-plane interfaces; unknown says nothing."""
    made, servers = wired
    states = states_of(case.before) | {(path.target, path.subnet): path.after for path in tried(case).paths}
    built = Built(made, case.after, set())
    built.nat_rules()
    calls = {}
    for (target, subnet), state in states.items():
        eks = [one for one in case.after.interfaces if one.subnet == subnet and one.description == "Amazon EKS prod"]
        if target not in ADDRESSES or state not in ("open", "closed") or not eks:
            continue
        to, port = ADDRESSES[target]
        source = next(text for text in eks[0].addresses if (":" in text) == (":" in to))
        for client in _CLIENTS:
            calls[Call(eks[0].id, source, client, to, port)] = (target, subnet, state)
    servers.drain()
    passed = connect(built, list(calls), 0.3)
    servers.drain()
    wrong = [(said, call) for call, said in calls.items() if call in passed and passed[call] != (said[2] == "open")]
    wrong = [(said, call) for said, call in wrong if connect(built, [call], 1.5)[call] != (said[2] == "open")]
    assert not wrong
    assert passed
