"""The share of injected faults that get a proven fix: random healthy VPCs with one to three faults each.

Every printed fix is carried out (tests/support/vpc/execute.py), and what a fault has closed must be open again; nothing
that was open may be closed; and with its undo the VPC is what it was. In the virtual VPC (tests.support.vpc.virtual)
packets must agree.

EGRESSPROBE_FAULTY_VPCS: how many (`make test` 24, `make check` 60; 1,000 on request), and as many with packets (3, 60).
"""

import os
import random
from collections import Counter

import pytest

from egressprobe.audit.run import audit
from egressprobe.targets.plan import read_plan
from tests.audit.test_differential import _compare, laboratory
from tests.audit.test_fixes import _RANK, others
from tests.audit.test_undo import normal
from tests.support.vpc.execute import execute
from tests.support.vpc.faults import BEYOND, FAULTS
from tests.support.vpc.healthy import Healthy, healthy

_ASKED = os.environ.get("EGRESSPROBE_FAULTY_VPCS")
_REQUIRED = bool(os.environ.get("EGRESSPROBE_REQUIRE_ALL"))
MANY = int(_ASKED or (60 if _REQUIRED else 24))
BUILT = int(_ASKED or (60 if _REQUIRED else 3))


def plan(targets):
    raw = []
    for to, port in targets:
        if to.startswith(("10.", "2001:db9:")):
            service = {"namespace": "x", "name": "y"}
            address = f"[{to}]:{port}" if ":" in to else f"{to}:{port}"
            raw.append({"kind": "webhook", "name": f"pod {to}", "service": service, "addresses": [address]})
        else:
            url = f"tcp://{f'[{to}]' if ':' in to else to}:{port}"
            raw.append({"kind": "endpoint", "name": to, "url": url})
    return read_plan({"targets": raw}).targets


def states(snapshot, targets):
    return {(path.subnet, path.address, path.port): path.state for path in audit(snapshot, targets).paths}


def proven_commands(found, field="fix"):
    """Of the last finding first for `undo`."""
    findings = found.findings if field == "fix" else reversed(found.findings)
    steps = [one.remedy_steps for one in findings if one.remedy_steps and one.remedy_steps.proven]
    return [line for one in steps for line in getattr(one, field)]


def faulty(seed, *, regional=True):
    """A healthy VPC, and the same with faults: name -> the paths that this fault alone closes."""
    rng = random.Random(f"faults {seed}")
    whole = healthy(rng, regional=regional)
    six = any(":" in text for text in whole.snapshot.vpc.blocks)
    names = [name for name in FAULTS if six or not ("IPv6" in name or "egress-only" in name)]
    targets = plan(whole.targets)
    closed, broken = {}, whole.snapshot
    for name in rng.sample(names, rng.choice((1, 1, 2, 3))):
        once = FAULTS[name](whole.snapshot, random.Random(f"{seed} {name}"))
        closed[name] = {key for key, state in states(once, targets).items() if state in ("closed", "partial")}
        broken = FAULTS[name](broken, random.Random(f"{seed} {name}"))
    return whole, broken, closed


def fixed_by(seed, *, regional=True):
    """The VPC after the printed commands, which are checked; the faults that are gone, and those that are not."""
    whole, broken, closed = faulty(seed, regional=regional)
    targets = plan(whole.targets)
    assert set(states(whole.snapshot, targets).values()) == {"open"}, seed
    found = audit(broken, targets)
    lines = proven_commands(found)
    fixed = execute(broken, lines)
    before, after = {(path.subnet, path.address, path.port): path.state for path in found.paths}, states(fixed, targets)
    assert not [key for key, state in before.items() if state == "open" and after.get(key, "open") != "open"], seed
    was, now = others(broken), others(fixed)
    assert not [key for key in was if _RANK[now[key]] < _RANK[was[key]]], (seed, lines)
    if "AWS would refuse to take" not in "".join(one.remedy for one in found.findings):
        words = any("Undo: " in one.remedy for one in found.findings)
        undone = execute(fixed, proven_commands(found, "undo"))
        assert normal(undone, blackholes=not words) == normal(broken, blackholes=not words), (seed, lines)
    gone = [name for name, keys in closed.items() if keys and all(after.get(key) == "open" for key in keys)]
    left = [name for name, keys in closed.items() if keys and name not in gone]
    return whole._replace(snapshot=fixed), lines, gone, left


@pytest.mark.timeout(3600)
def test_injected_faults_get_proven_fixes(record_property):
    gone, left = Counter(), Counter()
    for seed in range(MANY):
        _, _, fixed, not_fixed = fixed_by(seed)
        gone.update(fixed)
        left.update(not_fixed)
    faults = gone.total() + left.total()
    share = gone.total() / faults
    record_property(
        "said", f"{MANY} VPCs, {faults} faults of {len(gone | left)} kinds, {share:.1%} got a proven fix: {left}"
    )
    assert share >= 0.95
    assert faults > MANY


@pytest.mark.netns
@pytest.mark.nftables
@pytest.mark.bridges
@pytest.mark.timeout(3600)
def test_packets_pass_after_the_printed_fixes(record_property):
    built = commands = 0
    with laboratory() as (made, servers):
        for seed in range(BUILT):
            fixed, lines, _, _ = fixed_by(f"built {seed}", regional=False)
            if not lines or any("create-nat-gateway" in line for line in lines):
                continue  # the virtual VPC has no regional NAT gateways
            vpc = Healthy(fixed.snapshot, tuple(dict.fromkeys(to for to, _ in fixed.targets)))
            _, _, wrong = _compare(made, servers, vpc, random.Random(seed))
            assert not wrong, f"seed {seed}, {lines}:\n" + "\n".join(wrong[:5])
            built += 1
            commands += len(lines)
    record_property("said", f"{built} of {BUILT} VPCs built after their {commands} commands, packets agree")
    assert built > 0.3 * BUILT


@pytest.mark.parametrize("name", list(BEYOND))
def test_what_an_inspection_device_may_see_is_never_rerouted(name):
    for seed in range(5):
        rng = random.Random(seed)
        whole = healthy(rng)
        found = audit(BEYOND[name](whole.snapshot, rng), plan(whole.targets))
        assert any(path.state == "closed" for path in found.paths)
        assert proven_commands(found) == []
