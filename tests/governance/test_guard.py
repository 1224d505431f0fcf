"""deploy/governance/eks-egress-mode.guard: which templates CloudFormation Guard passes with it."""

import functools
import json

import pytest

from tests.conftest import ROOT
from tests.support.policy_engines import guard

pytestmark = pytest.mark.engine("guardpycfn")
MODE, NESTED = "eks_control_plane_egress_customer_routed", "eks_clusters_are_not_in_nested_loops"
LOOPED = f"{MODE}_in_loops"


def template(*properties, **more):
    clusters = {f"Cluster{n}": {"Type": "AWS::EKS::Cluster"} | each for n, each in enumerate(properties)}
    return json.dumps({"Resources": clusters | more})


def cluster(mode):
    return {"Properties": {"ResourcesVpcConfig": {"SubnetIds": ["subnet-1"], "ControlPlaneEgressMode": mode}}}


ROUTED = cluster("CUSTOMER_ROUTED")
BUCKET = {"Type": "AWS::S3::Bucket"}


def loop(body):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-foreach.html"""
    return {"Fn::ForEach::Clusters": ["Name", ["a", "b"], {"Cluster${Name}": body}]}


IN_LOOP = {mode: loop({"Type": "AWS::EKS::Cluster"} | cluster(mode)) for mode in ("CUSTOMER_ROUTED", "AWS_MANAGED")}
# name -> template, status, rules that fail
CASES = {
    "customer routed": (template(ROUTED), "PASS", []),
    "two customer routed": (template(ROUTED, ROUTED, Bucket=BUCKET), "PASS", []),
    "in YAML": ("Resources: {C: {Type: 'AWS::EKS::Cluster', Properties: {ResourcesVpcConfig: "
                "{ControlPlaneEgressMode: CUSTOMER_ROUTED}}}}", "PASS", []),
    "no cluster": (template(Bucket=BUCKET), "SKIP", []),
    "AWS managed": (template(cluster("AWS_MANAGED")), "FAIL", [MODE]),
    "one of two": (template(ROUTED, cluster("AWS_MANAGED")), "FAIL", [MODE]),
    "a mode without documentation": (template(cluster("CUSTOMER_ISOLATED")), "FAIL", [MODE]),
    "lower case": (template(cluster("customer_routed")), "FAIL", [MODE]),
    "a parameter": (template(cluster({"Ref": "Mode"})), "FAIL", [MODE]),
    "a condition": (template(cluster({"Fn::If": ["Old", "AWS_MANAGED", "CUSTOMER_ROUTED"]})), "FAIL", [MODE]),
    "a list": (template(cluster(["CUSTOMER_ROUTED", "AWS_MANAGED"])), "FAIL", [MODE]),
    "empty": (template(cluster("")), "FAIL", [MODE]),
    "null": (template(cluster(None)), "FAIL", [MODE]),
    "not set": (template({"Properties": {"ResourcesVpcConfig": {"SubnetIds": ["subnet-1"]}}}), "FAIL", [MODE]),
    "no VPC configuration": (template({"Properties": {}}), "FAIL", [MODE]),
    "no properties": (template({}), "FAIL", [MODE]),
    "in a loop, customer routed": (template(**IN_LOOP["CUSTOMER_ROUTED"]), "PASS", []),
    "in a loop, AWS managed": (template(**IN_LOOP["AWS_MANAGED"]), "FAIL", [LOOPED]),
    "in a loop, not set": (template(**loop({"Type": "AWS::EKS::Cluster"})), "FAIL", [LOOPED]),
    "beside a loop": (template(ROUTED, **IN_LOOP["AWS_MANAGED"]), "FAIL", [LOOPED]),
    "in a loop of a loop": (template(**{"Fn::ForEach::Outer": ["X", ["a"], IN_LOOP["AWS_MANAGED"]]}), "FAIL", [NESTED]),
    "no cluster in a loop": (template(**loop(BUCKET)), "SKIP", []),
}  # fmt: skip


@functools.cache
def answers():
    return dict(zip(CASES, guard([case[0] for case in CASES.values()]), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_which_templates_pass(name):
    _, status, failed = CASES[name]
    assert (answers()[name]["status"], sorted(answers()[name]["failed"])) == (status, failed)


def test_the_messages_name_what_to_write():
    assert "add ControlPlaneEgressMode: CUSTOMER_ROUTED" in answers()["not set"]["failed"][MODE]
    assert "egressprobe preflight" in answers()["AWS managed"]["failed"][MODE]


def test_our_own_template_has_no_cluster():
    """A template with loops and intrinsic functions in YAML's short form."""
    [answer] = guard([(ROOT / "template.yaml").read_text()])
    assert answer == {"status": "SKIP", "failed": {}}
