"""A dead egress path or resolver that nothing in the configuration explains: one cause, as long as everything meets it."""

import pytest

from egressprobe.incidents.causes.grouping import observed
from egressprobe.model.failure import Code
from tests.support.incidents import Probed, broken, joined_of, pod
from tests.support.vpc.snapshots import CORP, A, B, clean

SILENT, UNRESOLVED = Code.CONNECT_TIMEOUT, Code.DNS_TIMEOUT
HOOKS = [Probed(f"hook-{number}.example") for number in range(4)]
NAMES = [hook.name for hook in HOOKS]
POD = pod("kyverno-svc")


def look(codes, targets=HOOKS, snapshot=None):
    """codes: by subnet and target's name; what is not in it passes."""
    seen = {
        subnet: {target.name: target.result(codes.get(subnet, {}).get(target.name)) for target in targets}
        for subnet in (A, B)
    }
    return observed(joined_of(seen, targets, snapshot), broken(*(target.name for target in targets)))


def alike(code, *subnets, names=NAMES):
    return {subnet: dict.fromkeys(names, code) for subnet in subnets}


def reproduced(causes):
    return [cause for cause in causes if cause.reproduced]


@pytest.mark.parametrize("snapshot", [clean(), None], ids=["audited", "not audited"])
@pytest.mark.parametrize("code", [SILENT, UNRESOLVED])
def test_everything_fails_alike(code, snapshot):
    """One cause with every target, wherever the configuration ends and whether it could be read."""
    (cause,) = reproduced(look(alike(code, A, B), snapshot=snapshot))
    assert [target.name for target in cause.targets] == NAMES
    assert cause.where == (A, B)
    assert cause.what.startswith("no name server answers" if code is UNRESOLVED else "nothing outside the VPC answers")


def test_what_does_not_go_through_it_has_a_cause_of_its_own():
    """A webhook in a pod that passes proves nothing of the egress path; one that fails too is not outside."""
    targets = [*HOOKS, POD]
    (cause,) = reproduced(look(alike(SILENT, A, B), targets, clean()))
    assert POD.name not in [target.name for target in cause.targets]
    causes = reproduced(look(alike(SILENT, A, B, names=[*NAMES, POD.name]), targets, clean()))
    assert sorted(len(cause.targets) for cause in causes) == [1, len(HOOKS)]


@pytest.mark.parametrize("code", [SILENT, UNRESOLVED])
def test_one_that_passes_shows_that_the_others_are_causes_of_their_own(code):
    """The path works: each silent server is its own."""
    causes = reproduced(look(alike(code, A, B, names=NAMES[1:]), snapshot=clean()))
    assert [len(cause.targets) for cause in causes] == [1, 1, 1]


def test_one_server_alone_is_its_own_cause():
    """Nothing else is outside the VPC: whether the path or the server is dead is not known."""
    (cause,) = reproduced(look(alike(SILENT, A, B, names=NAMES[:1]), HOOKS[:1], clean()))
    assert cause.key.endswith("|hook-0.example:443")


def test_a_refusal_shows_that_the_path_works():
    """Refused connections came over the network."""
    codes = {A: dict.fromkeys(NAMES[1:], SILENT) | {NAMES[0]: Code.TLS_EOF}}
    causes = reproduced(look(codes, snapshot=clean()))
    assert [len(cause.targets) for cause in causes] == [1, 1, 1, 1]


def test_another_subnet_is_another_cause():
    """That the path of one more subnet is dead is worth a message."""
    one, two = (reproduced(look(alike(SILENT, *subnets), snapshot=clean()))[0] for subnets in ((A,), (A, B)))
    assert one.key != two.key
    assert (one.where, two.where) == ((A,), (A, B))


def test_the_transit_gateway_is_named():
    """What is unknown of the path is the same for all: its owner is asked once."""
    branches = [hook._replace(address=CORP) for hook in HOOKS]
    (cause,) = reproduced(look(alike(SILENT, A, B), branches, clean()))
    assert cause.what == (
        "nothing outside the VPC answers; whether the transit gateway tgw-1 lets the calls pass is unknown"
    )
    assert cause.remedy.startswith("Ask the owner of the transit gateway tgw-1")


def test_names_that_do_not_exist_are_each_their_own():
    """The resolver answers."""
    causes = reproduced(look(alike(Code.DNS_NXDOMAIN, A, B), snapshot=clean()))
    assert len(causes) == len(HOOKS)
