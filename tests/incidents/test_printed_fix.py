"""The commands of a message do what it says: carried out on the VPC, what was closed is open."""

import pytest

from egressprobe.audit.paths.paths import Paths
from egressprobe.audit.vpc.snapshot import Route
from egressprobe.audit.vpc.topology import Topology
from egressprobe.incidents.messages.compose import compose
from egressprobe.incidents.messages.place import MessagePlace
from egressprobe.model.failure import Code
from tests.support.incident_story import IncidentStory
from tests.support.incidents import NOW, Probed, broken, pod
from tests.support.vpc.broken import BROKEN, ONE_NAT_EACH
from tests.support.vpc.execute import execute
from tests.support.vpc.snapshots import CORP, PEER, WEB6, A, B, routes

_GONE = Route("0.0.0.0/0", "nat", "nat-gone", active=False)
TARGETS = {
    "web": Probed("web.example"),
    "web6": Probed("web6.example", address=WEB6),
    "corp": Probed("corp.example", address=CORP),
    "peer": Probed("peer.example", address=PEER),
    "pod": pod("pods"),
}
CASES = {case.name: (case.snapshot, TARGETS[case.target], case.only) for case in BROKEN if case.target in TARGETS}
CASES |= {
    "a gateway in two route tables": (
        routes(routes(ONE_NAT_EACH, "rtb-a", _GONE), "rtb-b", _GONE),
        TARGETS["web"],
        (A, B),
    )
}


def told(snapshot, target, subnets):
    """The message about a target that is silent from these subnets."""
    story = IncidentStory([target])
    seen = {s: {target.name: target.result(Code.CONNECT_TIMEOUT if s in subnets else None)} for s in (A, B)}
    (due,) = story.look(NOW, broken(target.name), seen, snapshot)
    return compose(due, MessagePlace("prod", stack="egressprobe-prod"), NOW)


@pytest.mark.parametrize("name", CASES)
def test_the_printed_commands_open_the_path(name):
    """Each proven fix, from the text that people copy; the path was closed before."""
    snapshot, target, subnets = CASES[name]
    message = told(snapshot, target, subnets)
    steps = message.cause.remedy_steps
    if not steps or not steps.proven:
        assert "proven" not in message.text
        return
    commands = [text for text in message.text.split("\n") if text.startswith("aws ")]
    printed = tuple(commands) == steps.fix
    assert printed or f"{len(steps.fix)} commands, printed by:" in message.text
    fixed = execute(snapshot, list(steps.fix))
    for subnet in subnets:
        states = [Paths(Topology(vpc)).path(subnet, target.address, target.port).state for vpc in (snapshot, fixed)]
        assert states[0] in ("closed", "partial"), subnet
        assert states[1] in ("open", "unknown"), (subnet, message.text)


def test_most_causes_of_the_configuration_have_a_proven_fix_in_the_message():
    """So that the test above is about something."""
    proven = [name for name, case in CASES.items() if "Fix (proven)" in told(*case).headline]
    assert len(proven) >= 20
    assert "a gateway in two route tables" in proven
    assert told(*CASES["a gateway in two route tables"]).text.count("aws ec2 replace-route") == 2
