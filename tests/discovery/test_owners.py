"""Whom a target belongs to and how much it matters: annotations of what calls it."""

import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from egressprobe.cli.output.targets_yaml import document, to_yaml
from egressprobe.model.ownership import (
    OWNER_ANNOTATION,
    SEVERITY_ANNOTATION,
    TargetOwner,
    joined_owners,
    with_owners,
)
from egressprobe.model.target import TargetSeverity
from egressprobe.targets.bounded_yaml import load
from egressprobe.targets.plan import read_plan
from tests.support.kube_objects import CA, by_name, configuration, discover, webhook

URL = "https://policy.example/"


def annotated(raw, owner=None, severity=None, **more):
    given = {OWNER_ANNOTATION: owner, SEVERITY_ANNOTATION: severity} | more
    annotations = {key: value for key, value in given.items() if value is not None}
    return raw | {"metadata": raw["metadata"] | {"annotations": annotations}}


def policy(name, **keys):
    return annotated(configuration(name, webhook("a.x", url=URL)), **keys)


def crd(**keys):
    service = {"namespace": "ns", "name": "svc"}
    conversion = {"strategy": "Webhook", "webhook": {"clientConfig": {"service": service, "caBundle": CA}}}
    versions = [{"name": "v1", "served": True, "storage": True}, {"name": "v2", "served": True}]
    names = {"plural": "widgets", "kind": "Widget"}
    spec = {"group": "x.io", "names": names, "versions": versions, "conversion": conversion}
    return annotated({"metadata": {"name": "widgets.x.io"}, "spec": spec}, **keys)


def api_service(**keys):
    spec = {"group": "m.io", "version": "v1", "service": {"namespace": "ns", "name": "api"}, "caBundle": CA}
    return annotated({"metadata": {"name": "v1.m.io"}, "spec": spec}, **keys)


def ignored(found):
    return {
        name: why
        for finding in found.findings
        if finding.code == "ANNOTATION_IGNORED"
        for name, why in finding.evidence["objects"].items()
    }


@pytest.mark.parametrize("key", [OWNER_ANNOTATION, SEVERITY_ANNOTATION])
def test_the_api_server_accepts_the_keys(key):
    """k8s.io/apimachinery/pkg/util/validation/validation.go IsQualifiedName: PREFIX/NAME, the prefix a DNS subdomain."""
    prefix, _, name = key.partition("/")
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", prefix)
    assert len(prefix) <= 253
    assert re.fullmatch(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]", name)
    assert len(name) <= 63


def test_each_kind_of_object_that_calls_may_have_both():
    found = discover(
        {
            "validatingwebhookconfigurations": [policy("v", owner="Team A", severity="critical")],
            "mutatingwebhookconfigurations": [
                annotated(configuration("m", webhook("b.x", url="https://other.example/")), owner=" Team Müller ")
            ],
            "customresourcedefinitions": [crd(owner="Team C", severity="info")],
            "apiservices": [api_service(severity="warning")],
        }
    )
    assert found.owners == {
        "policy.example": TargetOwner("Team A", TargetSeverity.CRITICAL),
        "other.example": TargetOwner("Team Müller"),
        "svc.ns.svc": TargetOwner("Team C", TargetSeverity.INFO),
        "v1.m.io": TargetOwner("", TargetSeverity.WARNING),
    }
    assert ignored(found) == {}
    assert not any({"owner", "severity"} & set(raw) for raw in found.targets), "an older Planner refuses such targets"


def test_of_several_objects_of_one_target_every_owner_and_the_most_severe():
    policies = [
        policy("a", owner="Team A", severity="warning"),
        policy("b", owner="Team B"),
        policy("c", owner="Team A", severity="error"),
        configuration("d", webhook("a.x", url=URL)),
    ]
    for order in (policies, policies[::-1]):
        found = discover({"validatingwebhookconfigurations": order})
        assert found.owners == {"policy.example": TargetOwner("Team A; Team B", TargetSeverity.ERROR)}


def test_more_owners_than_a_targets_file_takes_are_counted():
    owners = joined_owners(TargetOwner(f"team-{number:03}") for number in range(100))
    assert len(owners.owner) <= 200
    assert owners.owner.startswith("team-000; team-001; ")
    named = owners.owner.count("team-")
    assert owners.owner.endswith(f"; and {100 - named} more")
    assert joined_owners([TargetOwner("x" * 200), TargetOwner("y" * 200)]).owner == "x" * 200


@pytest.mark.parametrize(
    ("owner", "severity", "wrong"),
    [
        ("two\nlines", None, OWNER_ANNOTATION),
        ("x" * 201, None, OWNER_ANNOTATION),
        ("\x1b[2J", None, OWNER_ANNOTATION),
        (7, None, OWNER_ANNOTATION),
        (None, "Critical", SEVERITY_ANNOTATION),
        (None, "page", SEVERITY_ANNOTATION),
        (None, ["info"], SEVERITY_ANNOTATION),
    ],
)
def test_what_is_not_valid_is_a_finding_that_names_the_object_and_costs_no_target(owner, severity, wrong):
    """Nor does it cost the other annotation."""
    good = {"severity": "info"} if wrong == OWNER_ANNOTATION else {"owner": "Team A"}
    bad = {"owner": owner} if wrong == OWNER_ANNOTATION else {"severity": severity}
    found = discover({"validatingwebhookconfigurations": [policy("v", **good, **bad)]})
    assert set(by_name(found)) == {"policy.example"}
    assert set(ignored(found)) == {f"ValidatingWebhookConfiguration/v {wrong}"}
    assert found.owners == {"policy.example": msgspec.convert(good, TargetOwner)}


@pytest.mark.parametrize("annotations", [None, [], "egressprobe/owner", {"egressprobe/owners": "x"}, {"a": 1}])
def test_annotations_of_others_cost_nothing(annotations):
    raw = policy("v")
    raw["metadata"]["annotations"] = annotations
    found = discover({"validatingwebhookconfigurations": [raw]})
    assert set(by_name(found)) == {"policy.example"}
    assert (found.owners, ignored(found)) == ({}, {})


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=250) | st.sampled_from(list(TargetSeverity)),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
_KEYS = st.sampled_from([OWNER_ANNOTATION, SEVERITY_ANNOTATION, "egressprobe/other"])


@settings(max_examples=60)
@given(annotations=st.dictionaries(_KEYS, _VALUES, max_size=3) | _VALUES)
def test_no_annotation_costs_a_target_or_a_plan(annotations):
    """Whatever it is: the target is there, its file reads back, and what is kept is valid."""
    raw = policy("v")
    raw["metadata"]["annotations"] = annotations
    found = discover({"validatingwebhookconfigurations": [raw]})
    assert set(by_name(found)) == {"policy.example"}
    [target] = read_plan(document(found, {})).targets
    assert found.owners.get("policy.example", TargetOwner()) == TargetOwner(target.owner, target.severity)


def test_the_targets_file_that_discover_writes_has_both_and_reads_back():
    found = discover({"validatingwebhookconfigurations": [policy("v", owner="Team: A", severity="error")]})
    written = load(to_yaml(found, {}, "x"), "t", nodes=10_000, depth=20, repeated_keys=False, functions=False)
    for raw in (document(found, {}), written):
        [target] = read_plan(raw).targets
        assert (target.owner, target.severity) == ("Team: A", "error")
    assert with_owners(found.targets, found.owners) == tuple(document(found, {})["targets"])
