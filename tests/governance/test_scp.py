"""deploy/governance/scp-customer-routed.json: which calls it denies, by IAM's rules, beside the published sample."""

import itertools
import json

import pytest
from botocore.loaders import Loader

from tests.conftest import ROOT
from tests.support.aws.iam import actions
from tests.support.aws.iam_conditions import holds, like

SCP = json.loads((ROOT / "deploy" / "governance" / "scp-customer-routed.json").read_text())
KEY = "eks:controlPlaneEgressMode"
# https://docs.aws.amazon.com/eks/latest/userguide/control-plane-egress.html, "IAM condition key"
PUBLISHED = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "RequireCustomerRoutedControlPlane",
            "Effect": "Deny",
            "Action": ["eks:CreateCluster", "eks:UpdateClusterConfig"],
            "Resource": "*",
            "Condition": {"StringNotEquals": {KEY: "CUSTOMER_ROUTED"}},
        }
    ],
}
# What @cloud-copilot/iam-simulate 0.1.173 answers: whether a Deny with this condition denies the request.
RECORDED = json.loads((ROOT / "tests" / "data" / "iam-conditions.json").read_text())
MODES = (None, "CUSTOMER_ROUTED", "AWS_MANAGED", "CUSTOMER_ISOLATED", "a mode of tomorrow", "customer_routed", "")
CREATE, UPDATE = "eks:CreateCluster", "eks:UpdateClusterConfig"


def denied(policy, action, mode):
    """Whether a call is denied that has this mode; None: the call does not name the mode."""
    context = {} if mode is None else {KEY: mode}
    return any(
        statement["Effect"] == "Deny"
        and any(like(action.lower(), pattern.lower()) for pattern in actions(statement))
        and holds(statement.get("Condition", {}), context)
        for statement in policy["Statement"]
    )


@pytest.mark.parametrize("mode", MODES)
def test_a_cluster_is_created_customer_routed_or_not_at_all(mode):
    assert denied(SCP, CREATE, mode) is (mode != "CUSTOMER_ROUTED")


@pytest.mark.parametrize("mode", MODES)
def test_an_update_that_names_a_mode_names_customer_routed(mode):
    """One that names none is an update of something else."""
    assert denied(SCP, UPDATE, mode) is (mode not in {None, "CUSTOMER_ROUTED"})


def test_the_published_sample_denies_updates_of_something_else():
    """The reason for a policy of our own; in everything else they agree."""
    differ = {
        (a, m) for a, m in itertools.product((CREATE, UPDATE), MODES) if denied(SCP, a, m) != denied(PUBLISHED, a, m)
    }
    assert differ == {(UPDATE, None)}
    assert denied(PUBLISHED, UPDATE, None)


def test_if_exists_would_not_have_helped():
    """A negated operator with IfExists is true as well for a key that is missing."""
    tempting = {
        "Statement": [PUBLISHED["Statement"][0] | {"Condition": {"StringNotEqualsIfExists": {KEY: "CUSTOMER_ROUTED"}}}]
    }
    assert denied(tempting, UPDATE, None)


def test_no_other_call_of_eks_is_denied():
    """By the operations that boto3 knows of EKS."""
    names = Loader().load_service_model("eks", "service-2")["operations"]
    assert len(names) > 50
    assert {f"eks:{name}" for name in names if any(denied(SCP, f"eks:{name}", mode) for mode in MODES)} == {
        CREATE,
        UPDATE,
    }


def test_it_is_an_scp():
    """Deny on *, no Principal, an alphanumeric Sid, and small: SCPs have a limit in characters.

    https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_syntax.html
    """
    for statement in SCP["Statement"]:
        assert set(statement) == {"Sid", "Effect", "Action", "Resource", "Condition"}
        assert (statement["Effect"], statement["Resource"]) == ("Deny", "*")
        assert statement["Sid"].isalnum()
    assert len(json.dumps(SCP)) < 5120


def test_the_evaluator_answers_as_another_one():
    """Operators, their IfExists, Null, several values, keys and operators, each with eight requests."""
    wrong = [row for row in RECORDED if holds(row["condition"], row["context"]) is not row["matches"]]
    assert not wrong
    assert len(RECORDED) > 500
    assert {True, False} == {row["matches"] for row in RECORDED}
