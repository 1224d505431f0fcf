"""One outage changes a hundred contributors in one second: a hundred invocations of the Planner, of which one works.

An account with a concurrency of 10 has no more for its probes, and CloudWatch answers nine DescribeAlarms a second
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html).
"""

from collections import Counter
from datetime import timedelta

from egressprobe.planner.incidents.turn import WANTED
from egressprobe.planner.scheduler_api import Lock
from tests.planner.incidents.test_turn import INCIDENTS, NOW, turn
from tests.support.aws.scheduler_memory import Scheduler
from tests.support.outages.world import BREAKAGES, OutageWorld

DOWN = next(one for one in BREAKAGES if one.name == "a server is down")
EVENTS = 100


def test_of_a_hundred_events_at_once_one_is_evaluated_and_the_others_end_at_once():
    world, sent = OutageWorld(), []

    def storm(event):
        if event["detail"]["alarmName"] == "egressprobe prod targets" and not sent:
            for number in range(EVENTS):
                world.clock.process(world.clock.now + 1 + number / 100, lambda: world.evaluate(event))
            sent.append(len(world.runs))

    def before(name):
        if world.run:
            world.clock.sleep(8 if name.startswith("Invoke") else 0.1)

    world.on_event, world.calls.before = storm, before
    with world.running():
        world.breaks(DOWN)
        world.calls.made.clear()
        world.pass_minutes(8)
    runs = world.runs[sent[0] :]
    assert len(runs) >= EVENTS
    assert [message.transition for message in world.published] == ["broken"]
    made = Counter(world.calls.made)
    assert made["DescribeAlarms"] < 10
    assert len(world.calls.made) < 5 * EVENTS
    seconds = sorted(run.ended - run.began for run in runs)
    assert seconds[EVENTS // 2] < 0.2
    assert sum(seconds[:-1]) < 60


def test_only_a_mark_that_is_still_to_be_seen_covers_an_event():
    """One whose time has come may have been dropped, and one that never fires is seen by nobody."""
    scheduler = Scheduler()
    one = turn(scheduler)
    assert not one.is_covered(NOW)
    one.mark(Lock("lock", "other", frozenset(), own=False), NOW)
    assert one.is_covered(NOW)
    assert not one.is_covered(NOW + timedelta(minutes=5))
    scheduler.there[WANTED]["State"] = "DISABLED"
    assert not one.is_covered(NOW)
    scheduler.there[WANTED] = {"ScheduleExpression": "rate(1 minute)", "State": "ENABLED"}
    assert not one.is_covered(NOW)
    turn(scheduler, INCIDENTS._replace(planner="")).mark(Lock("lock", "other", frozenset(), own=False), NOW)
    assert not one.is_covered(NOW)
