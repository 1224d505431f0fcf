"""What a webhook's rules match, in words: exact for groups, wildcards and subresources, by Kubernetes' own matcher."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from egressprobe.discovery.kubernetes.objects import AdmissionRule, Webhook
from egressprobe.discovery.scope import webhook_scope


def scope_of(*rules, **more):
    raw = {"name": "a.b", "clientConfig": {}, "rules": list(rules)} | more
    return webhook_scope(msgspec.convert(raw, Webhook))


def rule(groups, resources, operations=("CREATE", "UPDATE"), **more):
    return {"apiGroups": list(groups), "resources": list(resources), "operations": list(operations)} | more


@pytest.mark.parametrize(
    ("groups", "resources", "text"),
    [
        # Everything, and everything but subresources.
        (["*"], ["*/*"], "all CREATE/UPDATE"),
        (["*"], ["*"], "all resources (without subresources) CREATE/UPDATE"),
        (["*"], ["pods", "*/*"], "all CREATE/UPDATE"),
        (["*"], ["*/scale"], "all */scale CREATE/UPDATE"),
        # A named group limits `*`: ConfigMaps, Pods and Roles pass.
        (["apps"], ["*"], "all *.apps CREATE/UPDATE"),
        (["apps"], ["*/*"], "all *.apps (with subresources) CREATE/UPDATE"),
        (["apps", "batch"], ["*"], "all *.apps, *.batch CREATE/UPDATE"),
        (
            ["kyverno.io", "x.io"],
            ["*/*"],
            "all *.kyverno.io (with subresources), *.x.io (with subresources) CREATE/UPDATE",
        ),
        # The core group is one group.
        ([""], ["*"], "all core resources CREATE/UPDATE"),
        ([""], ["*/*"], "all core resources (with subresources) CREATE/UPDATE"),
        (["", "apps"], ["*"], "all core resources, *.apps CREATE/UPDATE"),
        ([""], ["*/status"], "all core */status CREATE/UPDATE"),
        # Built-in kinds are in one group each.
        ([""], ["pods"], "all Pod CREATE/UPDATE"),
        (["", "apps", "batch"], ["pods", "deployments", "jobs"], "all Pod, Deployment, Job CREATE/UPDATE"),
        (["", "apps", "x.io"], ["pods"], "all Pod, pods.x.io CREATE/UPDATE"),
        (["x.io"], ["pods"], "all pods.x.io CREATE/UPDATE"),
        (["x.io", "y.io"], ["things"], "all things.x.io, things.y.io CREATE/UPDATE"),
        (["*"], ["pods"], "all Pod CREATE/UPDATE"),
        # pods/* has pods too.
        ([""], ["pods/*"], "all Pod (with subresources) CREATE/UPDATE"),
        ([""], ["pods/exec", "pods"], "all Pod/exec, Pod CREATE/UPDATE"),
        # What another entry includes is not repeated.
        (["apps"], ["deployments", "*"], "all *.apps CREATE/UPDATE"),
        (["apps"], ["deployments/scale", "*"], "all Deployment/scale, *.apps CREATE/UPDATE"),
        # No webhook is called for the objects that configure admission.
        (["admissionregistration.k8s.io"], ["*"], ""),
        (["*"], ["validatingwebhookconfigurations"], ""),
        (["admissionregistration.k8s.io", "apps"], ["*"], "all *.apps CREATE/UPDATE"),
        (
            ["a.io", "b.io", "c.io", "d.io", "e.io"],
            ["*"],
            "all *.a.io, *.b.io, *.c.io, *.d.io and 1 more CREATE/UPDATE",
        ),
    ],
)
def test_what_a_rule_matches(groups, resources, text):
    assert scope_of(rule(groups, resources)) == text


def test_a_webhook_that_matches_nothing_is_never_called():
    """Its target has impact none."""
    assert scope_of() == ""
    assert scope_of(rule(["admissionregistration.k8s.io"], ["validatingwebhookconfigurations"])) == ""


def matches(read, group, resource, sub):
    """rules.go Matcher, without version, scope and operation."""
    if group == "admissionregistration.k8s.io":
        return False
    if not any(name in ("*", group) for name in read.api_groups):
        return False
    for name in read.resources:
        plural, _, wanted = name.partition("/")
        if plural in ("*", resource) and wanted in ("*", sub):
            return True
    return False


GROUPS = ["", "apps", "x.io", "admissionregistration.k8s.io"]
# Groups of the API server's own have only their own resources.
RESOURCES = {"": ["pods"], "apps": ["deployments"], "x.io": ["pods", "deployments", "things"], "other.io": ["others"]}
SUBRESOURCES = ["", "status", "scale"]


@given(
    st.lists(st.sampled_from([*GROUPS, "*"]), min_size=1, max_size=3, unique=True),
    st.lists(
        st.sampled_from(["*", "*/*", "*/status", "pods", "pods/*", "pods/status", "things"]), min_size=1, max_size=3
    ),
)
def test_the_words_are_as_wide_as_the_rule(groups, resources):
    """`all CREATE` is said only of a rule that matches every request; nothing is said only where nothing matches."""
    raw = rule(groups, resources, ["CREATE"])
    read = msgspec.convert(raw, AdmissionRule)
    text = scope_of(raw)
    requests = [(group, resource, sub) for group in RESOURCES for resource in RESOURCES[group] for sub in SUBRESOURCES]
    matched = [request for request in requests if matches(read, *request)]
    assert text or not matched
    assert (text == "all CREATE") == (len(matched) == len(requests))
    for group in ("apps", "x.io"):
        foreign = [request for request in matched if request[0] == group]
        named = group in text or (group == "apps" and "Deployment" in text) or "*" in groups
        assert named or not foreign or " more " in text
    subresources = [request for request in matched if request[2] == "scale"]
    wide = "with subresources" in text or text == "all CREATE" or " more " in text
    assert wide or not subresources
