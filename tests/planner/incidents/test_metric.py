"""What the alarm `reported` of the stack reads."""

import json

from egressprobe.planner.incidents.metric import count_reported
from tests.support.aws.alarms import Store
from tests.support.aws.cloudformation import rendered


def test_the_alarm_looks_at_what_is_printed(capsys):
    count_reported("prod", 2)
    document = json.loads(capsys.readouterr().out)
    alarm = rendered(1).of("AWS::CloudWatch::Alarm")["Reported"]
    store = Store()
    store.add_document(document, 60)
    dimensions = frozenset((entry["Name"], entry["Value"]) for entry in alarm["Dimensions"])
    assert store.series(alarm["Namespace"], alarm["MetricName"]) == {dimensions: {1: [2.0]}}


def test_nothing_is_printed_of_none(capsys):
    count_reported("prod", 0)
    assert capsys.readouterr().out == ""
