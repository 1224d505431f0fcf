"""`egressprobe drill` on the deployed stack: the page and the all-clear, as a person gets them."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from egressprobe.model.target import DRILL_TARGET
from egressprobe.stack.deployment import deployment_of, deployment_of_cluster
from egressprobe.stack.drill.run import drill
from tests.e2e.account import CLUSTER, client
from tests.e2e.emulation import REGION, control
from tests.e2e.stack import NAME, PAGE, say

pytestmark = pytest.mark.netns


def drilled(stack):
    """The command's outcome, while the emulation's minutes pass."""
    waited = 0.0

    def pause(seconds):
        nonlocal waited
        waited += seconds
        while waited >= 60:
            stack.minutes(1)
            waited -= 60

    session = SimpleNamespace(client=lambda service, **_: client(service), region_name=REGION)
    deployment = deployment_of_cluster(session, CLUSTER, None)
    assert deployment == deployment_of(session, NAME) == deployment_of(session, deployment.planner)
    outcome = drill(
        session, deployment, say=say, pause=pause, now=lambda: datetime.fromtimestamp(control("/now") + waited, UTC)
    )
    say(str(outcome))
    return outcome


def test_a_drill(stack):
    """Page and all-clear come in the promised time, to the inbox too; no schedule of it stays."""
    before, first = stack.planned(), len(stack.pages)
    outcome = drilled(stack)
    assert outcome.kept, str(outcome)
    assert [step.what for step in outcome.steps] == ["page", "all-clear"]
    page, all_clear = stack.pages[first:]
    assert (page.tier, page.alarm, page.state, page.target) == (PAGE, "targets", "ALARM", DRILL_TARGET)
    assert (all_clear.alarm, all_clear.state) == ("path broken", "OK")
    assert stack.planned() == before
    assert stack.minutes(10) == []
