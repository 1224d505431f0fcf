"""Webhooks that make an outage worse, and endpoints that are not what they seem: each concern, and what exempts from it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egressprobe.cli.output.targets_yaml import document
from egressprobe.discovery.kubelets import network
from egressprobe.discovery.safety import REQUEST_LIMIT
from egressprobe.net.guard import forbidden
from egressprobe.targets.plan import read_plan
from tests.discovery.test_scope import rule
from tests.support.kube_objects import (
    configuration,
    discover,
    node,
    service,
    slice_of,
    webhook,
)

REF = {"namespace": "policy", "name": "hook"}
PODS = rule([""], ["pods"], ["CREATE"], apiVersions=["v1"])
ALL = rule(["*"], ["*"], ["*"], apiVersions=["*"])
NAME = "kubernetes.io/metadata.name"


def spared(*namespaces):
    return {"matchExpressions": [{"key": NAME, "operator": "NotIn", "values": list(namespaces)}]}


def findings(
    *hooks, slices=None, selector=None, kind="validatingwebhookconfigurations", nodes=(), networks=(), pods=None
):
    """The findings on webhooks and endpoints, by code."""
    given_slices = [slice_of(("10.0.0.1", True), name="hook", namespace="policy")] if slices is None else slices
    lists = {
        kind: [configuration("cfg", *hooks)],
        "services": [service(name="hook", namespace="policy", selector=selector or {"app": "hook"})],
        "endpointslices": given_slices,
        "nodes": list(nodes),
    }
    found = discover(lists, networks, pod_networks=pods)
    return {finding.code: finding for finding in found.findings}, found


def hook(*rules, name="a.x", **more):
    return webhook(name, service=REF, rules=list(rules), failurePolicy="Fail") | more


# -- itself -------------------------------------------------------------------------------------------------------

OWN_PODS = "fails closed and intercepts its own pods (Pod CREATE) in its own namespace policy: it can block itself"


@pytest.mark.parametrize("ready", [True, False])
def test_a_webhook_that_intercepts_its_own_pods(ready):
    """Reported before the outage and in it: without ready pods it fails, and they cannot be created."""
    slices = [slice_of(("10.0.0.1", ready), name="hook", namespace="policy")]
    found, _ = findings(hook(PODS), slices=slices)
    name = "ValidatingWebhookConfiguration/cfg/a.x"
    assert found["WEBHOOK_BLOCKS_ITSELF"].summary == f"{name}: {OWN_PODS}"
    assert found["WEBHOOK_BLOCKS_ITSELF"].evidence["objects"] == {name: OWN_PODS}


@pytest.mark.parametrize(
    "changes",
    [
        {"failurePolicy": "Ignore"},
        {"namespaceSelector": spared("policy")},
        {"namespaceSelector": spared("kube-system", "policy")},
        {"namespaceSelector": {"matchLabels": {NAME: "other"}}},
        {"namespaceSelector": {"matchExpressions": [{"key": NAME, "operator": "In", "values": ["other"]}]}},
        # Labels that are not known may exempt it.
        {"namespaceSelector": {"matchExpressions": [{"key": "ignore", "operator": "DoesNotExist"}]}},
        {"namespaceSelector": {"matchLabels": {"inject": "yes"}}},
        {"matchConditions": [{"name": "n", "expression": "false"}]},
        # Its pods have the labels of its Service's selector.
        {"objectSelector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["hook"]}]}},
        {"objectSelector": {"matchLabels": {"app": "other"}}},
        {"objectSelector": {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}},
        {"objectSelector": {"matchLabels": {"unknown": "x"}}},
        {"rules": [rule([""], ["pods"], ["UPDATE", "DELETE"])]},
        {"rules": [rule([""], ["pods/exec"], ["CONNECT"])]},
        {"rules": [rule(["x.io"], ["*"], ["*"])]},
        {"rules": [PODS | {"scope": "Cluster"}]},
        {"rules": [PODS | {"apiVersions": ["v2"]}], "matchPolicy": "Exact"},
    ],
)
def test_what_exempts_its_own_pods(changes):
    found, _ = findings(hook(PODS) | changes)
    assert "WEBHOOK_BLOCKS_ITSELF" not in found


@pytest.mark.parametrize(
    "changes",
    [
        {"namespaceSelector": spared("kube-system")},
        {"namespaceSelector": {"matchLabels": {NAME: "policy"}}},
        {"namespaceSelector": {"matchExpressions": [{"key": NAME, "operator": "Exists"}]}},
        {"objectSelector": {}},
        {"objectSelector": {"matchLabels": {"app": "hook"}}},
        {"objectSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["hook", "x"]}]}},
        {"rules": [rule(["*"], ["pods"], ["*"])]},
        {"rules": [rule([""], ["*"], ["CREATE"], apiVersions=["v1beta1"])]},
        {"rules": [PODS | {"scope": "Namespaced"}]},
        {"failurePolicy": None},
    ],
)
def test_what_does_not_exempt_its_own_pods(changes):
    found, _ = findings(hook(PODS) | changes)
    assert "its own pods (Pod CREATE" in found["WEBHOOK_BLOCKS_ITSELF"].summary


def test_a_webhook_that_intercepts_its_own_configuration():
    """What is needed to repair it: an operator's Secret, its Deployment; and its pods' status, which makes them ready."""
    found, _ = findings(hook(rule(["", "apps"], ["secrets", "deployments"], ["UPDATE"])))
    assert "its own configuration (Secret UPDATE, Deployment UPDATE)" in found["WEBHOOK_BLOCKS_ITSELF"].summary
    found, _ = findings(hook(rule([""], ["pods/status"], ["UPDATE"])))
    assert "its own pods (Pod/status UPDATE)" in found["WEBHOOK_BLOCKS_ITSELF"].summary
    found, _ = findings(hook(rule(["admissionregistration.k8s.io"], ["*"], ["*"])))
    assert "WEBHOOK_BLOCKS_ITSELF" not in found, "no webhook is called for webhook configurations"


def test_a_webhook_by_url_has_no_pods_of_its_own():
    found, _ = findings(webhook("a.x", url="https://h.example/", rules=[PODS]))
    assert "WEBHOOK_BLOCKS_ITSELF" not in found
    assert "Pod CREATE in kube-system" in found["WEBHOOK_BLOCKS_CLUSTER"].summary


# -- the cluster --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "changes", "text"),
    [
        ([PODS], {}, "fails closed and intercepts Pod CREATE in kube-system"),
        ([PODS], {"namespaceSelector": spared("policy")}, "Pod CREATE in kube-system"),
        ([PODS], {"namespaceSelector": spared("kube-system")}, None),
        ([rule(["coordination.k8s.io"], ["leases"], ["UPDATE"])], {"namespaceSelector": spared("kube-system")},
         "Lease UPDATE in kube-node-lease"),
        ([rule(["*"], ["leases"], ["*"])], {},
         "Lease CREATE/UPDATE in kube-node-lease, Lease UPDATE in kube-system"),
        ([rule(["*"], ["leases"], ["*"])], {"namespaceSelector": spared("kube-system", "kube-node-lease")}, None),
        # A namespaceSelector never exempts cluster-scoped objects.
        ([rule([""], ["nodes"], ["UPDATE"])], {"namespaceSelector": spared("kube-system")}, "intercepts Node UPDATE"),
        ([rule([""], ["nodes/status"], ["*"])], {}, "Node/status UPDATE"),
        ([rule([""], ["nodes"], ["UPDATE"])], {"objectSelector": {"matchLabels": {"a": "b"}}}, None),
        ([ALL], {"namespaceSelector": spared("kube-system", "kube-node-lease")}, "intercepts Node CREATE/UPDATE"),
        ([rule(["apps"], ["*"], ["*"])], {}, None),
        ([ALL], {"failurePolicy": "Ignore"}, None),
    ],
)  # fmt: skip
def test_what_the_cluster_itself_needs(rules, changes, text):
    found, _ = findings(hook(*rules) | changes)
    if text is None:
        assert "WEBHOOK_BLOCKS_CLUSTER" not in found
    else:
        assert text in found["WEBHOOK_BLOCKS_CLUSTER"].summary


def test_webhooks_with_the_same_concern_are_one_finding():
    found, _ = findings(hook(PODS, name="b.x"), hook(PODS, name="a.x"))
    assert found["WEBHOOK_BLOCKS_ITSELF"].summary.startswith("ValidatingWebhookConfiguration/cfg/a.x and 1 more: ")
    assert len(found["WEBHOOK_BLOCKS_ITSELF"].evidence["objects"]) == 2


# -- timeouts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timeouts", "kind", "exceeds"),
    [
        ([10, 10, 14], "mutatingwebhookconfigurations", False),
        ([10, 10, 15], "mutatingwebhookconfigurations", True),
        ([None, None, None, None], "mutatingwebhookconfigurations", True),
        ([30, 30, 30], "validatingwebhookconfigurations", False),
    ],
)
def test_timeouts_that_together_are_longer_than_the_request(timeouts, kind, exceeds):
    """Mutating ones are called in turn, validating ones at once; the API server gives a request 34 s."""
    hooks = [hook(PODS, name=f"h{i}.x", timeoutSeconds=timeout) for i, timeout in enumerate(timeouts)]
    found, _ = findings(*hooks, kind=kind)
    assert ("WEBHOOK_TIMEOUTS_EXCEED_REQUEST" in found) is exceeds
    if exceeds:
        total = sum(10 if timeout is None else timeout for timeout in timeouts)
        finding = found["WEBHOOK_TIMEOUTS_EXCEED_REQUEST"]
        assert finding.summary.startswith(f"Pod CREATE: {len(timeouts)} mutating webhooks one after the other")
        assert (finding.evidence["seconds"], finding.evidence["count"]) == (total, len(timeouts))


def test_webhooks_that_pick_by_label_or_serve_other_kinds_are_not_added_up():
    picked = {"objectSelector": {"matchLabels": {"a": "b"}}}
    hooks = [hook(PODS, name=f"p{i}.x", timeoutSeconds=30, **picked) for i in range(3)]
    hooks += [hook(rule(["x.io"], ["*"], ["*"]), name=f"x{i}.x", timeoutSeconds=30) for i in range(3)]
    hooks += [
        hook(PODS, timeoutSeconds=30),
        hook(rule(["apps"], ["deployments"], ["*"]), name="d.x", timeoutSeconds=30),
    ]
    found, _ = findings(*hooks, kind="mutatingwebhookconfigurations")
    assert "WEBHOOK_TIMEOUTS_EXCEED_REQUEST" not in found


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 30)), max_size=6))
def test_the_sum_is_the_mutating_ones_and_the_longest_validating_one(hooks):
    lists = {"mutatingwebhookconfigurations": [], "validatingwebhookconfigurations": []}
    for i, (mutating, seconds) in enumerate(hooks):
        plural = f"{'mutating' if mutating else 'validating'}webhookconfigurations"
        lists[plural].append(configuration(f"c{i}", hook(PODS, name=f"h{i}.x", timeoutSeconds=seconds)))
    total = sum(s for mutating, s in hooks if mutating) + max((s for mutating, s in hooks if not mutating), default=0)
    codes = {finding.code for finding in discover(lists).findings}
    assert ("WEBHOOK_TIMEOUTS_EXCEED_REQUEST" in codes) == (total > REQUEST_LIMIT)


# -- redundancy ---------------------------------------------------------------------------------------------------


def placed(*places):
    """A slice with an endpoint for each (node, zone)."""
    found = slice_of(*((f"10.0.0.{i + 1}", True) for i in range(len(places))), name="hook", namespace="policy")
    for endpoint, (name, zone) in zip(found["endpoints"], places, strict=True):
        endpoint |= {"nodeName": name, "zone": zone}
    return [found]


NODES = [node("n1", "10.0.9.1", zone="z1"), node("n2", "10.0.9.2", zone="z2"), node("n3", "10.0.9.3", zone="z1")]


@pytest.mark.parametrize(
    ("places", "nodes", "text"),
    [
        ([("n1", "z1"), ("n2", "z2")], NODES, None),
        ([("n1", "z1")], NODES, "fails closed and has one ready replica"),
        ([("n1", "z1")] * 3, NODES, "fails closed and has all 3 replicas on one node, n1"),
        ([("n1", "z1"), ("n3", "z1")], NODES, "fails closed and has all 2 replicas in one zone, z1"),
        ([("n1", "z1"), ("n3", "z1")], NODES[::2], None),
        ([("n1", "z1")] * 2, NODES[:1], None),
        ([("n1", "z1")] * 2, [], "fails closed and has all 2 replicas on one node, n1"),
        ([(None, None)] * 2, NODES, None),
        ([], NODES, None),
    ],
    ids=["spread", "one", "node", "zone", "one-zone-cluster", "one-node-cluster", "nodes-unknown", "unplaced", "none"],
)
def test_all_replicas_in_one_place(places, nodes, text):
    """Only where the cluster has another place for them."""
    found, _ = findings(hook(PODS), slices=placed(*places), nodes=nodes)
    if text is None:
        assert "WEBHOOK_NOT_REDUNDANT" not in found
    else:
        assert found["WEBHOOK_NOT_REDUNDANT"].summary.endswith(f": {text}")
    found, _ = findings(hook(PODS, failurePolicy="Ignore"), slices=placed(*places), nodes=nodes)
    assert "WEBHOOK_NOT_REDUNDANT" not in found


# -- endpoints ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "port", "is_kubelet"),
    [("10.0.9.1", 10250, True), ("10.0.9.1", 9443, False), ("10.0.8.1", 10250, False)],
)
def test_the_kubelet_answers_at_an_endpoint(address, port, is_kubelet):
    """A pod on Fargate, or with hostNetwork, that wants port 10250."""
    slices = [slice_of((address, True), name="hook", namespace="policy", ports=(("https", port),))]
    found, _ = findings(hook(PODS), slices=slices, nodes=NODES)
    assert ("ENDPOINT_IS_A_KUBELET" in found) is is_kubelet
    if is_kubelet:
        summary = "hook.policy.svc: the kubelet of Node/n1 answers at its endpoint 10.0.9.1:10250"
        assert found["ENDPOINT_IS_A_KUBELET"].summary == summary


VPC = [network("subnet-a", ["10.0.0.0/16", "2600:1f18::/56"]), network("10.200.0.0/16", ["10.200.0.0/16"])]


@pytest.mark.parametrize(
    ("addresses", "pods", "outside"),
    [
        (["10.0.3.7"], [], []),
        (["192.168.57.4"], [], ["192.168.57.4:9443"]),
        (["10.0.3.7", "192.168.57.4"], [], ["192.168.57.4:9443"]),
        (["10.200.1.1"], [], []),
        (["192.168.57.4"], [network("192.168.0.0/16", ["192.168.0.0/16"])], []),
        (["192.168.57.4"], None, []),
        (["2600:1f18::7"], [], []),
        (["2601::7"], [], ["[2601::7]:9443"]),
        (["pod.example"], [], []),
    ],
)
def test_endpoints_that_eks_does_not_dial(addresses, pods, outside):
    """Outside of the VPC and the remote networks; a target without any other endpoint fails, whatever the network does."""
    family = "IPv6" if ":" in addresses[0] else "IPv4"
    pairs = [(address, True) for address in addresses]
    lists = {
        "validatingwebhookconfigurations": [configuration("cfg", hook(PODS))],
        "services": [service(name="hook", namespace="policy", families=(family,))],
        "endpointslices": [slice_of(*pairs, name="hook", namespace="policy", family=family)],
    }
    found = discover(lists, VPC, pod_networks=pods)
    reported = [f.evidence["endpoints"] for f in found.findings if f.code == "ADDRESS_NOT_ALLOWED"]
    assert reported == ([outside] if outside else [])
    [target] = read_plan(document(found, {}), forbidden=forbidden).targets
    if len(outside) == len(addresses):
        assert (target.refusal.error, target.endpoints) == ("Address is not allowed", ())
    else:
        assert target.refusal is None
        assert len(target.endpoints) == len(addresses)


def test_without_the_vpcs_networks_nothing_is_said_of_addresses():
    slices = [slice_of(("192.168.57.4", True), name="hook", namespace="policy")]
    found, _ = findings(hook(PODS), slices=slices, pods=[])
    assert "ADDRESS_NOT_ALLOWED" not in found
