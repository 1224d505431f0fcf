"""deploy/governance/eks_egress_mode.rego: what it denies and warns of in a Terraform plan.

The members of a plan: https://developer.hashicorp.com/terraform/internals/json-format, "Change Representation". The
argument and the replacement: https://github.com/hashicorp/terraform-provider-aws/pull/48497
"""

import functools

import pytest

from tests.support.policy_engines import rego

pytestmark = pytest.mark.engine("regopy")
ROUTED, MANAGED, ISOLATED = "CUSTOMER_ROUTED", "AWS_MANAGED", "CUSTOMER_ISOLATED"
ADDRESS = "module.eks.aws_eks_cluster.this[0]"
UNKNOWN = object()
UNSET = object()


def attributes(mode, kind):
    """Of a cluster with this mode, before or after; None: there is none."""
    if mode is None:
        return None
    vpc = {"subnet_ids": ["subnet-1"]} | ({} if mode in {UNKNOWN, UNSET} else {"control_plane_egress_mode": mode})
    return {"vpc_config": [vpc]} if kind == "aws_eks_cluster" else {"resources_vpc_config": vpc}


def change(actions, before, after, kind="aws_eks_cluster", **more):
    unknown = attributes(True if after is UNKNOWN else UNSET, kind) if after is UNKNOWN else {}
    described = {"actions": actions.split(), "before": attributes(before, kind), "after": attributes(after, kind)}
    return {
        "address": ADDRESS,
        "mode": "managed",
        "type": kind,
        "change": described | {"after_unknown": unknown},
    } | more


def plan(*changes):
    return {"format_version": "1.2", "resource_changes": list(changes)}


AWSCC = "awscc_eks_cluster"
# name -> plan, the words of each deny, the words of each warning
CASES = {
    "a new cluster, customer routed": (plan(change("create", None, ROUTED)), [], []),
    "a new cluster, AWS managed": (plan(change("create", None, MANAGED)), ["new cluster's control_plane_egress_mode is AWS_MANAGED"], []),
    "a new cluster, isolated": (plan(change("create", None, ISOLATED)), ["is CUSTOMER_ISOLATED"], []),
    "a new cluster, not set": (plan(change("create", None, UNSET)), ["not set to a value that the plan knows"], []),
    "a new cluster, known after apply": (plan(change("create", None, UNKNOWN)), ["not set to a value that the plan knows"], []),
    "an unrelated update, AWS managed": (plan(change("update", MANAGED, MANAGED)), [], []),
    "an unrelated update, customer routed": (plan(change("update", ROUTED, ROUTED)), [], []),
    "an update by a provider that knows no mode": (plan(change("update", UNSET, UNSET)), [], []),
    "a switch": (plan(change("update", MANAGED, ROUTED)), [], ["egressprobe preflight"]),
    "a switch from what no provider has read": (plan(change("update", UNSET, ROUTED)), [], ["egressprobe preflight"]),
    "to a mode without documentation": (plan(change("update", MANAGED, ISOLATED)), ["CUSTOMER_ISOLATED afterwards"], []),
    "to a mode known after apply": (plan(change("update", MANAGED, UNKNOWN)), ["changes control_plane_egress_mode"], []),
    "from no mode to one known after apply": (plan(change("update", UNSET, UNKNOWN)), ["changes control_plane_egress_mode"], []),
    "back, which replaces it": (plan(change("delete create", ROUTED, MANAGED)), ["deletes the cluster", "new cluster's"], []),
    "back, created first": (plan(change("create delete", ROUTED, MANAGED)), ["deletes the cluster", "new cluster's"], []),
    "replaced for another reason": (plan(change("delete create", ROUTED, ROUTED)), [], []),
    "deleted": (plan(change("delete", MANAGED, None)), [], []),
    "unchanged": (plan(change("no-op", MANAGED, MANAGED)), [], []),
    "a data source": (plan(change("read", None, MANAGED) | {"mode": "data"}), [], []),
    "Cloud Control, customer routed": (plan(change("create", None, ROUTED, AWSCC)), [], []),
    "Cloud Control, AWS managed": (plan(change("create", None, MANAGED, AWSCC)), ["is AWS_MANAGED"], []),
    "Cloud Control, known after apply": (plan(change("create", None, UNKNOWN, AWSCC)), ["not set to a value"], []),
    "Cloud Control, a switch": (plan(change("update", MANAGED, ROUTED, AWSCC)), [], ["egressprobe preflight"]),
    "the second of two": (plan(change("create", None, ROUTED), change("create", None, MANAGED, address="second")), ["second: "], []),
    "another resource": (plan(change("create", None, MANAGED) | {"type": "aws_eks_node_group"}), [], []),
    "no changes": (plan(), [], []),
    "not a plan": ({}, [], []),
}  # fmt: skip


@functools.cache
def answers():
    return dict(zip(CASES, rego([case[0] for case in CASES.values()]), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_what_a_plan_is_refused_for(name):
    """As many messages as expected, each with the words and the address."""
    _, deny, warn = CASES[name]
    for messages, expected in ((answers()[name]["deny"], deny), (answers()[name]["warn"], warn)):
        assert len(messages) == len(expected), messages
        for words in expected:
            assert any(words in message for message in messages), messages
        assert all(message.startswith((ADDRESS, "second")) for message in messages)
