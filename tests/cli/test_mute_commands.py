"""The commands of docs/incidents.md that mute the stack's alarms: read as the AWS CLI reads them, with the stack's alarms."""

import json
import re
import shlex

import jmespath
import pytest
from botocore.validate import ParamValidator

from egressprobe.aws.commands.options import _service, parse
from tests.conftest import ROOT
from tests.support.aws.cloudformation import rendered

PAGE = (ROOT / "docs" / "incidents.md").read_text()
COMMANDS = re.findall(r"^\$ (aws .*)$", PAGE, re.MULTILINE)
# A rule targets at most 100 alarms: AlarmNames of API_MuteTargets.
MOST_ALARMS = 100


@pytest.fixture(scope="module")
def alarms():
    """Of a stack with the most subnets, as DescribeAlarms has them."""
    stack = rendered(16, ClusterName="prod")
    kinds = {"MetricAlarms": "AWS::CloudWatch::Alarm", "CompositeAlarms": "AWS::CloudWatch::CompositeAlarm"}
    return {
        key: [{"AlarmName": alarm["AlarmName"]} for alarm in stack.of(kind).values()] for key, kind in kinds.items()
    }


def call(words):
    made = parse(words)
    shape = _service(made.service).operation_model(made.operation).input_shape
    report = ParamValidator().validate(made.parameters, shape)
    assert not report.has_errors(), report.generate_report()
    return made


def test_the_commands_mute_every_alarm_of_the_stack(alarms):
    """The file that the first one writes is what the second one reads; the third one ends the same rule."""
    listing, muting, ending = (shlex.split(command.replace("CLUSTER", "prod")) for command in COMMANDS)
    query, file = listing[listing.index("--query") + 1], listing[-1]
    prefix = call(listing[1:-2]).parameters["AlarmNamePrefix"]
    written = jmespath.search(query, alarms)
    names = [alarm["AlarmName"] for kind in alarms.values() for alarm in kind]
    assert sorted(written["AlarmNames"]) == sorted(names)
    assert all(name.startswith(prefix) for name in names)
    assert len(names) <= MOST_ALARMS
    assert muting[-1] == f"file://{file}"
    made = call([*muting[1:-1], json.dumps(written)])
    assert made.operation == "PutAlarmMuteRule"
    assert made.parameters["MuteTargets"] == written
    assert re.fullmatch(r"at\(\d{4}-\d\d-\d\dT\d\d:\d\d\)", made.parameters["Rule"]["Schedule"]["Expression"])
    assert call(ending[1:]).parameters == {"AlarmMuteRuleName": made.parameters["Name"]}
