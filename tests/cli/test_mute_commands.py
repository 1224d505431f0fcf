"""The mute rules of docs/alarms.md: read as the AWS CLI and CloudFormation read them, against the stack's alarms."""

import re
import shlex

import pytest
import yaml
from botocore.validate import ParamValidator

from egressprobe.aws.commands.options import _service, parse
from tests.conftest import ROOT
from tests.support.aws.cloudformation import rendered

PAGE = (ROOT / "docs" / "alarms.md").read_text().partition("### Mute\n")[2].partition("\n### ")[0]
COMMANDS = re.findall(r"^\$ (aws .*)$", PAGE, re.MULTILINE)
[RESOURCE] = yaml.safe_load(re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[1])["Resources"].values()
# A rule targets at most 100 alarms: AlarmNames of API_MuteTargets.
MOST_ALARMS = 100
_KINDS = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")


def call(command):
    made = parse(shlex.split(command)[1:])
    shape = _service(made.service).operation_model(made.operation).input_shape
    report = ParamValidator().validate(made.parameters, shape)
    assert not report.has_errors(), report.generate_report()
    return made


def resource_as_call():
    shape = _service("cloudwatch").operation_model("PutAlarmMuteRule").input_shape
    report = ParamValidator().validate(RESOURCE["Properties"], shape)
    assert not report.has_errors(), report.generate_report()
    return RESOURCE["Properties"]


@pytest.mark.parametrize("rule", ["command", "resource"])
def test_a_rule_mutes_what_sends_messages_about_paths(rule):
    """Every alarm of which the Planner or CloudWatch sends one, and none about the probes."""
    properties = call(COMMANDS[0]).parameters if rule == "command" else resource_as_call()
    muted = set(properties["MuteTargets"]["AlarmNames"])
    alarms = {
        alarm["AlarmName"]: alarm
        for given in ("causes", "notices")
        for kind in _KINDS
        for alarm in rendered(3, ClusterName="prod", TargetNotifications=given).of(kind).values()
    }
    assert muted <= set(alarms)
    about_probes = {"egressprobe prod probe broken", "egressprobe prod probe impaired"}
    about_more = {"egressprobe prod certificates", "egressprobe prod audit"}
    sending = {name for name, alarm in alarms.items() if any(alarm.get("AlarmActions") or ()) or alarm.get("OKActions")}
    assert sending - about_probes - about_more <= muted
    assert not muted & about_probes
    assert len(muted) <= MOST_ALARMS
    schedule = properties["Rule"]["Schedule"]
    assert re.fullmatch(r"at\(\d{4}-\d\d-\d\dT\d\d:\d\d\)|cron\(\S+ \S+ \S+ \S+ \S+\)", schedule["Expression"])
    assert re.fullmatch(r"PT\d+H", schedule["Duration"])


def test_the_rule_can_be_ended_by_its_name():
    put, delete = map(call, COMMANDS)
    assert (put.operation, delete.operation) == ("PutAlarmMuteRule", "DeleteAlarmMuteRule")
    assert delete.parameters == {"AlarmMuteRuleName": put.parameters["Name"]}
