"""deploy/fleet: which accounts may link to the monitoring account, and what a link shares."""

import re

import botocore.session
import pytest
from botocore.validate import ParamValidator
from samtranslator.yaml_helper import yaml_parse

from tests.conftest import ROOT
from tests.support.aws.cloudformation import ACCOUNT, Rendered
from tests.support.aws.iam_conditions import like

MONITORING = "999988887777"
SINK = f"arn:aws:oam:eu-west-1:{MONITORING}:sink/1a2b3c4d-0000-4000-8000-000000000000"
ORGANIZATION, OTHER = "o-a1b2c3d4e5", "o-z9y8x7w6v5"
UNIT = f"{ORGANIZATION}/r-f6g7/ou-f6g7-h8i9j0k1/*"
METRICS, LOGS, TRACES = "AWS::CloudWatch::Metric", "AWS::Logs::LogGroup", "AWS::XRay::Trace"
OAM = botocore.session.get_session().get_service_model("oam")


def made(name, **given):
    template = yaml_parse((ROOT / f"deploy/fleet/{name}.yaml").read_text())
    assert "Transform" not in template, "service-managed StackSets refuse macros"
    template.setdefault("Outputs", {})
    rules = template.pop("Rules", {})
    template["Conditions"] |= {name: rule["Assertions"][0]["Assert"] for name, rule in rules.items()}
    return Rendered(template, given)


def valid(operation, parameters):
    """By the API's own model."""
    report = ParamValidator().validate(parameters, OAM.operation_model(operation).input_shape)
    assert not report.has_errors(), report.generate_report()


def may_link(policy, types, account=ACCOUNT, organization=ORGANIZATION, path=f"{ORGANIZATION}/r-f6g7/"):
    """By https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-logic-multiple-context-keys-or-values.html."""
    [statement] = policy["Statement"]
    assert (statement["Effect"], statement["Resource"]) == ("Allow", "*")
    assert set(statement["Action"]) == {"oam:CreateLink", "oam:UpdateLink"}
    principal, conditions = statement["Principal"], dict(statement["Condition"])
    allowed = set(types) <= set(conditions.pop("ForAllValues:StringEquals")["oam:ResourceTypes"])
    if principal == "*":
        assert conditions, "anybody at all"
    else:
        allowed &= account in principal["AWS"]
    for operator, pairs in conditions.items():
        match operator, pairs:
            case "StringEquals", {"aws:PrincipalOrgID": wanted}:
                allowed &= organization == wanted
            case "ForAnyValue:StringLike", {"aws:PrincipalOrgPaths": patterns}:
                allowed &= any(like(path, pattern) for pattern in patterns)
            case _:
                raise AssertionError(operator)
    return allowed


def policy(**given):
    stack = made("monitoring-account", **given)
    assert stack.holds("OneScope")
    [sink] = stack.of("AWS::Oam::Sink").values()
    valid("CreateSink", {"Name": sink["Name"]})
    return sink["Policy"]


def test_an_organization_may_link_and_no_other():
    found = policy(OrganizationId=ORGANIZATION)
    assert may_link(found, [METRICS, LOGS])
    assert may_link(found, [METRICS], account="000000000001")
    assert not may_link(found, [METRICS], organization=OTHER)
    assert not may_link(found, [METRICS, TRACES])


def test_a_unit_may_link_with_those_below_it():
    found = policy(OrganizationPaths=UNIT)
    assert may_link(found, [METRICS], path=f"{ORGANIZATION}/r-f6g7/ou-f6g7-h8i9j0k1/")
    assert may_link(found, [METRICS], path=f"{ORGANIZATION}/r-f6g7/ou-f6g7-h8i9j0k1/ou-f6g7-below111/")
    assert not may_link(found, [METRICS], path=f"{ORGANIZATION}/r-f6g7/")


def test_listed_accounts_may_link():
    found = policy(AccountIds=f"{ACCOUNT},210987654321")
    assert may_link(found, [METRICS], organization="")
    assert not may_link(found, [METRICS], account="000000000001")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"OrganizationId": ORGANIZATION, "AccountIds": ACCOUNT},
        {"OrganizationId": ORGANIZATION, "OrganizationPaths": UNIT},
        {"OrganizationPaths": UNIT, "AccountIds": ACCOUNT},
        {"OrganizationId": ORGANIZATION, "OrganizationPaths": UNIT, "AccountIds": ACCOUNT},
    ],
)
def test_no_scope_and_two_scopes_are_refused(given):
    assert not made("monitoring-account", **given).holds("OneScope")


@pytest.mark.parametrize(
    ("name", "value"),
    [("OrganizationId", "*"), ("OrganizationPaths", "*"), ("OrganizationPaths", ORGANIZATION), ("AccountIds", "*")],
)
def test_a_scope_of_everybody_is_refused(name, value):
    with pytest.raises(AssertionError, match=name):
        made("monitoring-account", **{name: value})


def shared(filter_text, field, value):
    """Whether a link's filter includes the name: IN and LIKE of a prefix, as AWS documents them."""
    listed = re.fullmatch(rf"{field} IN \(('[^']+'(?:, '[^']+')*)\)", filter_text)
    prefix = re.fullmatch(rf"{field} LIKE '([^'%]+)%'", filter_text)
    assert listed or prefix, filter_text
    return f"'{value}'" in listed[1].split(", ") if listed else value.startswith(prefix[1])


@pytest.mark.parametrize(("logs", "types"), [("true", [METRICS, LOGS]), ("false", [METRICS])])
def test_a_link_shares_what_egressprobe_writes_and_no_more(logs, types):
    [link] = made("source-account", SinkArn=SINK, ShareLogs=logs).of("AWS::Oam::Link").values()
    valid("CreateLink", link)
    assert (link["SinkIdentifier"], link["ResourceTypes"], link["LabelTemplate"]) == (SINK, types, "$AccountName")
    filters = {key: one["Filter"] for key, one in link["LinkConfiguration"].items()}
    assert filters.keys() == {"MetricConfiguration"} | ({"LogGroupConfiguration"} if logs == "true" else set())
    for namespace in ("EgressProbe", "AWS/Lambda"):
        assert shared(filters["MetricConfiguration"], "Namespace", namespace)
    assert not shared(filters["MetricConfiguration"], "Namespace", "AWS/Billing")
    if logs == "true":
        assert shared(filters["LogGroupConfiguration"], "LogGroupName", "/egressprobe/prod/1a2b3c4d/probe")
        assert not shared(filters["LogGroupConfiguration"], "LogGroupName", "/aws/eks/prod/cluster")
    assert may_link(policy(OrganizationId=ORGANIZATION), link["ResourceTypes"]), "the sink's policy refuses the link"


def test_the_monitoring_account_is_not_linked_to_itself():
    own = SINK.replace(MONITORING, ACCOUNT)
    assert not made("source-account", SinkArn=own).of("AWS::Oam::Link")
