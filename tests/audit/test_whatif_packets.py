"""What a trial of a plan says, against real packets: the VPC that the plan makes, written by hand or made by EC2's
emulator, is built from network namespaces.

EGRESSPROBE_VPCS: how many random VPCs (1; `make check` 40). EGRESSPROBE_VPC_SEED: as in test_differential.
"""

import os
import random
from collections import Counter

import pytest

from egressprobe.audit.whatif.compare import whatif
from egressprobe.aws.commands.script import read_script
from egressprobe.aws.vpc_snapshot import readers
from tests.audit.test_differential import _compare, _seed, _targets, laboratory
from tests.audit.test_whatif import states_of, tried
from tests.support.vpc.changes import Commands, carry_out_by_moto
from tests.support.vpc.plans import PLANS
from tests.support.vpc.snapshots import CORP, PEER, POD, WEB, WEB6
from tests.support.vpc.virtual.build import Built
from tests.support.vpc.virtual.packets import Call, connect
from tests.support.vpc.vpcs import moto_session, read_again, unchanged

pytestmark = [pytest.mark.netns, pytest.mark.nftables, pytest.mark.bridges]

ADDRESSES = {"web": (WEB, 443), "web6": (WEB6, 443), "pod": (POD, 9443), "corp": (CORP, 443), "peer": (PEER, 443)}
BUILT = [case for case in PLANS if case.after is not None and case.effects]
EVERY = bool(os.environ.get("EGRESSPROBE_REQUIRE_ALL"))
_CLIENTS = (1111, 40_000, 65_001)


@pytest.fixture(scope="module")
def wired():
    with laboratory() as pair:
        yield pair


@pytest.mark.parametrize("case", BUILT if EVERY else BUILT[::10], ids=lambda case: case.name.replace(" ", "-"))
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
    wrong = [(said, call) for said, call in wrong if connect(built, [call], 10.0)[call] != (said[2] == "open")]
    assert not wrong
    assert passed


MANY = int(os.environ.get("EGRESSPROBE_VPCS") or (40 if EVERY else 1))


@pytest.mark.timeout(3600)
def test_random_commands_do_what_the_trial_says(wired, monkeypatch, record_property):
    """Random commands on random VPCs: tried, then carried out by an emulated EC2, read back by the real reader, audited,
    built, and crossed by packets. What AWS would refuse the emulator refuses too.
    """
    seed = _seed(monkeypatch)
    made, servers = wired
    clients, effects, calls = readers(moto_session()), Counter(), 0
    for i in range(MANY):
        rng, place = random.Random(f"{seed}/whatif/{i}"), f"EGRESSPROBE_VPC_SEED={seed}, VPC {i}"
        vpc = unchanged(clients, rng)
        lines = Commands(vpc.snapshot, rng).some(rng.randint(1, 5))
        targets = _targets(vpc)
        result = whatif(vpc.snapshot, read_script("\n".join(lines), "random"), targets)
        refused = {int(step.name.split()[1][:-1]) - 1 for step in result.steps if step.status == "refused"}
        if not _carried_out(clients, lines, refused, place):
            continue
        after = read_again(clients, vpc.snapshot)
        predicted = states_of(vpc.snapshot, targets) | {(path.target, path.subnet): path.after for path in result.paths}
        audited = states_of(after, targets)
        wrong = {key: (predicted[key], state) for key, state in audited.items() if predicted[key] != state}
        assert not wrong, (place, wrong, lines)
        effects.update(path.effect for path in result.paths)
        _, tried_calls, disagreements = _compare(made, servers, vpc._replace(snapshot=after), rng)
        assert not disagreements, (place, disagreements[:3], lines)
        calls += tried_calls
    record_property("said", f"whatif: {MANY} random VPCs (seed {seed}), {calls} connections after it: {dict(effects)}")


def _carried_out(clients, lines, refused, place):
    """Moto does not refuse a second IPv6 route, so what the trial refuses is tried only where it would be refused."""
    left = [i for i, line in enumerate(lines) if i not in refused or "ipv6" not in line]
    by_moto = {left[i] for i in carry_out_by_moto(clients.ec2, [lines[i] for i in left])}
    not_found = {i for i in by_moto - refused if "revoke-security-group" in lines[i]}
    assert by_moto - not_found == refused & {*left}, (place, lines)
    return not not_found
