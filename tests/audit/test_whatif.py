"""A plan tried on a snapshot: each plan beside the VPC that it makes, written by hand (support/vpc/plans.py). The trial
must agree with the audit of that VPC, and, where it can be built, with real packets in it.
"""

import json

import pytest

from egressprobe.audit.paths.paths import Paths
from egressprobe.audit.vpc.topology import Topology
from egressprobe.audit.whatif.compare import whatif
from egressprobe.audit.whatif.terraform.read import read_terraform
from egressprobe.cli.common.exit_codes import EXIT_CODES
from egressprobe.targets.plan import read_plan
from tests.support.vpc.plans import BASE, PLANS, TARGETS
from tests.support.vpc.snapshots import A, B

LISTED = read_plan({"targets": TARGETS}).targets


def tried(case):
    return whatif(case.before, read_terraform(json.loads(json.dumps(case.plan))), LISTED)


def expected(case):
    """(target, subnet) -> effect."""
    effects = {}
    for key, effect in case.effects.items():
        for pair in [key] if isinstance(key, tuple) else [(key, A), (key, B)]:
            effects[pair] = effect
    return effects


@pytest.mark.parametrize("case", PLANS, ids=lambda case: case.name.replace(" ", "-"))
def test_a_plan(case):
    """What it does to which paths, and the exit code; the paths afterwards are those of the VPC written by hand."""
    result = tried(case)
    assert {(path.target, path.subnet): path.effect for path in result.paths} == expected(case), result
    assert EXIT_CODES[result.verdict] == case.exit, result
    refused = [step for step in result.steps if step.status == "refused"]
    assert len(refused) == len(case.refused)
    for step, code in zip(refused, case.refused, strict=True):
        assert code in step.why[0]
    for path in result.paths:
        assert path.steps, path
    if case.after is not None:
        audited = states_of(case.after)
        for path in result.paths:
            if path.after:
                assert audited[path.target, path.subnet] == path.after, path


def states_of(snapshot, targets=LISTED):
    """(target, subnet) -> state, by the audit of a snapshot."""
    from egressprobe.audit.paths.destinations import calls_of

    paths = Paths(Topology(snapshot))
    calls, _ = calls_of(targets, snapshot)
    rows = [paths.row(destination, protocol) for destination, protocol in calls]
    return {(row.target.name, cell.subnet): cell.state for row in rows for cell in row.cells}


@pytest.mark.parametrize("case", [case for case in PLANS if case.after], ids=lambda case: case.name.replace(" ", "-"))
def test_all_other_paths_stay(case):
    """What the trial does not name has the same state in the VPC before and in the one written by hand."""
    named = {(path.target, path.subnet) for path in tried(case).paths}
    before, after = states_of(case.before), states_of(case.after)
    for pair in (before.keys() | after.keys()) - named:
        assert before.get(pair) == after.get(pair), pair


def test_there_are_enough_plans():
    assert len(PLANS) >= 25
    assert BASE.cluster.subnets == (A, B)
