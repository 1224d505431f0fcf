"""From recorded objects to targets: a golden plan with a reason for each line, and what may never happen."""

import asyncio
import random
from collections import Counter

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from egressprobe.cli.output.targets_yaml import document, to_json, to_yaml
from egressprobe.discovery.kubelets import network
from egressprobe.discovery.kubernetes.recorded import RecordedSource
from egressprobe.discovery.kubernetes.resources import RESOURCES
from egressprobe.discovery.run import collect
from egressprobe.discovery.target_names import LONGEST, bounded, free_name, target_name
from egressprobe.model.target import Kind
from egressprobe.net.guard import forbidden
from egressprobe.targets.plan import read_plan
from tests.conftest import examples
from tests.support.kube_objects import (
    CA,
    GOLDEN,
    NETWORKS,
    OTHER_CA,
    by_name,
    called,
    codes,
    configuration,
    discover,
    node,
    service,
    slice_of,
    webhook,
)
from tests.support.peers.kubeapi import RECORDED, recorded

# -- the golden plan ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def golden():
    return asyncio.run(collect(RecordedSource(RECORDED), NETWORKS))


def test_the_golden_plan(golden):
    """Every target of the recorded cluster, and no other."""
    assert list(by_name(golden)) == sorted(GOLDEN)
    for name, expected in GOLDEN.items():
        raw = by_name(golden)[name]
        assert {key: raw.get(key) for key in expected} == expected, name
        assert ("caBundleRef" in raw) is (name not in NO_BUNDLE and not name.startswith("kubelet/")), name
    plan = read_plan(document(golden, {}), forbidden=forbidden)
    assert [target.name for target in plan.targets] == sorted(GOLDEN)


# System roots, an unusable bundle, no verification.
NO_BUNDLE = {"audit.corp.example.com:8443", "broken.example.com", "v1beta1.metrics.k8s.io"}


def test_the_golden_findings(golden):
    """Four that fail before they dial, replicas in one place, and what EKS runs itself."""
    assert [(one.code, one.evidence.get("target")) for one in golden.findings] == [
        ("CA_BUNDLE_UNUSABLE", "broken.example.com"),
        ("SERVICE_WITHOUT_ENDPOINTS", "gatekeeper-webhook-service.gatekeeper-system.svc"),
        ("SERVICE_NOT_FOUND", "gone.nowhere.svc:8443"),
        ("SERVICE_TYPE_UNSUPPORTED", "legacy-ext.default.svc"),
        ("WEBHOOK_NOT_REDUNDANT", None),
        ("EKS_MANAGED", None),
    ]
    assert list(golden.findings[-1].evidence["objects"]) == [
        "APIService/v1.metrics.eks.amazonaws.com",
        "MutatingWebhookConfiguration/pod-identity-webhook/iam-for-pods.amazonaws.com",
        "MutatingWebhookConfiguration/vpc-resource-mutating-webhook/mpod.vpc.k8s.aws",
    ]
    whys = Counter(one.why for one in golden.left)
    assert whys == {
        "the API server serves it itself": 27,
        "EKS runs it on the control plane itself: never on your path": 3,
    }
    assert golden.unread == ()


def test_as_yaml_and_json_it_is_a_targets_file(golden, tmp_path):
    """`discover > targets.yaml; run -f targets.yaml` reads the same plan, whatever names the cluster holds."""
    from egressprobe.targets.file import read_file

    for name, text in (("t.yaml", to_yaml(golden, {"ipFamily": "ipv4"}, "x\ny")), ("t.json", to_json(golden, {}))):
        (tmp_path / name).write_text(text)
        plan = read_plan(read_file(str(tmp_path / name)))
        assert [target.name for target in plan.targets] == sorted(GOLDEN)
    text = to_yaml(golden, {}, "here")
    assert text.startswith(
        "# Found by egressprobe discover in here: 17 targets (3 aggregated-api, 3 kubelet, 11 webhook).\n"
    )
    assert text.index("\nbundles:") > text.index("# Not probed"), "targets first"
    assert "# From ValidatingWebhookConfiguration/corp-policy/policy.corp.example.com: some Secret CREATE" in text
    assert '# Fails before anything is dialled: service "gone" not found' in text
    assert "# SERVICE_NOT_FOUND: " in text
    assert text.index("# Not probed, EKS runs it") > text.index("- kind")


def test_the_same_objects_in_any_order_give_the_same_bytes():
    """Lists, and lists within: webhooks, slices, endpoints, ports, nodes."""
    items = recorded()
    first = msgspec.json.encode(discover(items, NETWORKS))
    mixed = random.Random(7)
    for _ in range(20):
        shuffled = {plural: mixed.sample(listed, len(listed)) for plural, listed in items.items()}
        for one in shuffled["endpointslices"]:
            if one["endpoints"]:
                one["endpoints"] = mixed.sample(one["endpoints"], len(one["endpoints"]))
            one["ports"] = mixed.sample(one["ports"], len(one["ports"]))
        for plural in ("validatingwebhookconfigurations", "mutatingwebhookconfigurations"):
            for one in shuffled[plural]:
                one["webhooks"] = mixed.sample(one["webhooks"], len(one["webhooks"]))
        assert msgspec.json.encode(discover(shuffled, mixed.sample(NETWORKS, 3))) == first


# -- Services ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("services", "slices", "expected"),
    [
        # The slice's port is found by the Service port's name; its number is the pod's.
        ([service()], [slice_of(("10.0.0.1", True))], ["10.0.0.1:9443"]),
        # A Service port without a name goes with a slice port whose name is empty.
        ([service(ports=(("", 443),))], [slice_of(("10.0.0.1", True), ports=(("", 8443),))], ["10.0.0.1:8443"]),
        # `ready` unset counts as ready.
        ([service()], [slice_of(("10.0.0.1", None), ("10.0.0.2", False))], ["10.0.0.1:9443"]),
        # Slices that do not have the port are passed over.
        (
            [service()],
            [slice_of(("10.0.0.1", True), ports=(("http", 80),)), slice_of(("10.0.0.2", True), number=1)],
            ["10.0.0.2:9443"],
        ),
        # Another target port in another slice: pods of two generations.
        (
            [service()],
            [slice_of(("10.0.0.1", True)), slice_of(("10.0.0.2", True), ports=(("https", 8443),), number=1)],
            ["10.0.0.1:9443", "10.0.0.2:8443"],
        ),
        # Dual-stack: the Service's first family.
        (
            [service(families=("IPv6", "IPv4"))],
            [slice_of(("10.0.0.1", True)), slice_of(("2600::1", True), family="IPv6", number=1)],
            ["[2600::1]:9443"],
        ),
        # The other family only where the first has nothing ready.
        (
            [service(families=("IPv6", "IPv4"))],
            [slice_of(("10.0.0.1", True)), slice_of(("2600::1", False), family="IPv6", number=1)],
            ["10.0.0.1:9443"],
        ),
        # Headless, LoadBalancer and NodePort are dialled the same way.
        ([service(clusterIP="None")], [slice_of(("10.0.0.1", True))], ["10.0.0.1:9443"]),
        ([service(type="LoadBalancer")], [slice_of(("10.0.0.1", True))], ["10.0.0.1:9443"]),
        ([service(type="NodePort")], [slice_of(("10.0.0.1", True))], ["10.0.0.1:9443"]),
        # Another namespace's slice of the same name is not ours.
        (
            [service()],
            [slice_of(("10.0.0.9", True), namespace="other"), slice_of(("10.0.0.1", True))],
            ["10.0.0.1:9443"],
        ),
    ],
    ids=[
        "name",
        "unnamed",
        "unset",
        "port",
        "two-ports",
        "ipv6",
        "fallback",
        "headless",
        "lb",
        "nodeport",
        "namespace",
    ],
)
def test_a_service_becomes_the_addresses_that_are_dialled(services, slices, expected):
    raw, found = called(services=services, slices=slices)
    assert (raw["addresses"], codes(found)) == (expected, [])


@pytest.mark.parametrize(
    ("services", "slices", "code", "text", "of_api"),
    [
        ([], [], "SERVICE_NOT_FOUND", 'service "svc" not found', 'service/svc in "ns" is not present'),
        (
            [service(type="ExternalName")],
            [],
            "SERVICE_TYPE_UNSUPPORTED",
            'unsupported service type "ExternalName"',
            'unsupported service type "ExternalName"',
        ),
        (
            [service(ports=(("https", 8443),))],
            [slice_of(("10.0.0.1", True))],
            "SERVICE_PORT_NOT_FOUND",
            'no service port 443 found for service "svc"',
            'service/svc in "ns" is not listening on port 443',
        ),
        (
            [service()],
            [slice_of(("10.0.0.1", False))],
            "SERVICE_WITHOUT_ENDPOINTS",
            'no endpoints available for service "svc"',
            'endpointslices for service/svc in "ns" have no addresses with port name "https"',
        ),
        (
            [service()],
            [],
            "SERVICE_WITHOUT_ENDPOINTS",
            'no endpoints available for service "svc"',
            'cannot find endpointslices for service/svc in "ns"',
        ),
        (
            [service(type="NodePort")],
            [],
            "SERVICE_WITHOUT_ENDPOINTS",
            'no endpoints available for service "svc"',
            'no endpoints available for service "svc"',
        ),
    ],
)
def test_a_service_that_leads_nowhere_is_a_target_that_fails(services, slices, code, text, of_api):
    """With the API server's own words; it must not vanish from the alarms because its last pod died."""
    raw, found = called(services=services, slices=slices)
    assert (raw["refusal"], codes(found)) == ({"finding": code, "error": text}, [code])
    assert "addresses" not in raw
    api = {"metadata": {"name": "v1.x.y"}, "spec": {"group": "x.y", "version": "v1", "service": HOOK_SERVICE}}
    found = discover({"apiservices": [api], "services": services, "endpointslices": slices})
    assert found.targets[0]["refusal"] == {"finding": code, "error": of_api}


HOOK_SERVICE = {"namespace": "ns", "name": "svc"}


@pytest.mark.parametrize("address", ["169.254.169.254", "127.0.0.1", "", "-.example", "10.0.0.300", "a" * 254])
def test_endpoints_that_may_not_be_dialled_are_reported(address):
    """Of a slice that was written by hand."""
    raw, found = called(services=[service(families=())], slices=[slice_of((address, True), family="FQDN")])
    assert raw is None
    assert found.findings[0].evidence["objects"] == {
        "ValidatingWebhookConfiguration/cfg/a.b": f"its endpoints cannot be dialled: {address}:9443"
    }
    raw, _ = called(services=[service()], slices=[slice_of((address, True), ("10.0.0.1", True))])
    assert raw["addresses"] == ["10.0.0.1:9443"]


def test_a_slice_of_host_names_is_dialled_by_name():
    """AddressType FQDN: no family of the Service, so it comes after those; the first address is used, whatever it is."""
    names = slice_of(("pod.example", True), family="FQDN")
    for services in ([service()], [service(families=())]):
        raw, found = called(services=services, slices=[names])
        assert (raw["addresses"], codes(found)) == (["pod.example:9443"], [])
        [target] = read_plan({"targets": [raw | {"caBundleRef": None, "caBundle": CA}]}).targets
        assert [str(endpoint) for endpoint in target.endpoints] == ["pod.example:9443"]
    raw, _ = called(services=[service()], slices=[names, slice_of(("10.0.0.1", True), number=1)])
    assert raw["addresses"] == ["10.0.0.1:9443"]


@pytest.mark.parametrize("slices", [[], [slice_of(("10.0.0.1", True), name="kubernetes", namespace="default")]])
def test_the_api_servers_own_service_is_not_dialled(slices):
    """kube-aggregator's loopbackResolver: default/kubernetes port 443 is the API server itself, whatever the slices."""
    ref = {"namespace": "default", "name": "kubernetes"}
    for services in ([], [service(name="kubernetes", namespace="default")]):
        raw, found = called(services=services, slices=slices, hook=webhook("a.b", service=ref))
        expected = {
            "finding": "SERVICE_IS_THE_API_SERVER",
            "error": "the server could not find the requested resource",
        }
        assert (raw["refusal"], codes(found)) == (expected, ["SERVICE_IS_THE_API_SERVER"])
        assert "addresses" not in raw
    raw, _ = called(slices=slices, hook=webhook("a.b", service=ref | {"port": 8443}))
    assert raw["refusal"]["finding"] == "SERVICE_NOT_FOUND", "another port is looked up as any Service"


@pytest.mark.parametrize(
    ("url", "name", "error"),
    [
        ("https://h.example:99999/v", "h.example:99999", "dial tcp: address 99999: invalid port"),
        ("https://h.example:65536/", "h.example:65536", "dial tcp: address 65536: invalid port"),
        ("https://10.0.0.1:0/", "10.0.0.1:0", "dial tcp 10.0.0.1:0: connect: connection refused"),
        ("https://[2600::1]:0/", "[2600::1]:0", "dial tcp [2600::1]:0: connect: connection refused"),
    ],
)
def test_a_url_whose_port_cannot_be_dialled_is_a_target_that_fails(url, name, error):
    """The API server stores it, and every call fails: a fail-closed webhook must not be lost from the plan."""
    raw, found = called(hook=webhook("a.b", url=url, failurePolicy="Fail"))
    assert (raw["name"], raw["refusal"]) == (name, {"finding": "URL_PORT_INVALID", "error": error})
    assert codes(found) == ["URL_PORT_INVALID"]
    plan = read_plan(document(found, {}), forbidden=forbidden)
    assert plan.targets[0].refusal.error == error


@pytest.mark.parametrize("url", ["https://h.example:443/", "https://h.example:00443/", "https://h.example:/"])
def test_other_ways_to_write_a_port_are_dialled(url):
    raw, _ = called(hook=webhook("a.b", url=url))
    assert (raw["name"], raw.get("refusal")) == ("h.example", None)


# -- who shares, who outranks --------------------------------------------------------------------------------

TO_URL = "https://hook.example/"


def merged(*hooks):
    found = discover({"validatingwebhookconfigurations": [configuration("cfg", *hooks)]})
    return found.targets


def test_what_dials_the_same_and_trusts_the_same_is_one_target():
    """Whatever the path and the case of the host; another CA, port or name is another target."""
    found = merged(
        webhook("a.x", url="https://hook.example/a", failurePolicy="Ignore", timeoutSeconds=20),
        webhook("b.x", url="https://HOOK.example/b?", failurePolicy="Fail")
        | {"clientConfig": {"url": "https://HOOK.example/b", "caBundle": CA}},
        webhook("c.x", url="https://hook.example/c", failurePolicy="Fail", timeoutSeconds=3),
        webhook("d.x", url="https://hook.example:8443/"),
        webhook("e.x", url="https://other.example/"),
    )
    assert [raw["name"] for raw in found] == ["hook.example", "hook.example:8443", "other.example"]
    shared = found[0]
    assert [one.rpartition("/")[2] for one in shared["objects"]] == ["b.x", "c.x", "a.x"]
    assert (shared["failurePolicy"], shared["timeoutSeconds"]) == ("Fail", 3)
    assert shared["url"] == "https://HOOK.example/b", "of the one that matters most"


def test_two_cas_at_one_endpoint_are_two_targets_and_the_first_keeps_its_name():
    """While a CA rotates the names of others do not change."""
    one, two = webhook("a.x", url=TO_URL), webhook("b.x", url=TO_URL, ca=OTHER_CA)
    [alone] = merged(one)
    first, second = merged(two, one)
    assert first == alone
    assert second["name"].startswith("hook.example~")
    assert second["name"] == merged(one, two)[1]["name"]
    assert second["caBundleRef"] != first["caBundleRef"]


def test_one_name_twice_is_no_mystery():
    """An API server would refuse it; a recorded file may have it. The same in any order."""
    twice = [webhook("a.x", url=TO_URL), webhook("a.x", url="https://10.0.0.1/"), webhook("a.x", service=HOOK_SERVICE)]
    twice += [webhook("a.x", url=TO_URL, ca=OTHER_CA)]
    found = merged(*twice)
    assert len(found) == 4
    assert merged(*twice[::-1]) == found


@pytest.mark.parametrize(
    ("changes", "impact", "affects"),
    [
        ({}, None, "all Pod CREATE"),
        ({"namespaceSelector": {}, "objectSelector": {}}, None, "all Pod CREATE"),
        (
            {"namespaceSelector": {"matchExpressions": [{"key": "k", "operator": "NotIn", "values": ["kube-system"]}]}},
            None,
            "most Pod CREATE",
        ),
        ({"objectSelector": {"matchLabels": {"a": "b"}}}, None, "some Pod CREATE"),
        ({"namespaceSelector": {"matchExpressions": [{"key": "k", "operator": "Exists"}]}}, None, "some Pod CREATE"),
        ({"matchConditions": [{"name": "n", "expression": "true"}]}, None, "some Pod CREATE"),
        ({"rules": []}, "none", ""),
        ({"rules": None}, "none", ""),
        (
            {"rules": [{"operations": ["UPDATE", "CREATE"], "apiGroups": ["apps"], "resources": ["deployments", "x"]}]},
            None,
            "all Deployment, x.apps CREATE/UPDATE",
        ),
        ({"rules": [{"operations": ["*"], "apiGroups": ["*"], "resources": ["*/*"]}]}, None, "all requests"),
        (
            {"rules": [{"operations": ["DELETE"], "apiGroups": ["*"], "resources": ["*"], "scope": "Namespaced"}]},
            None,
            "all namespaced resources (without subresources) DELETE",
        ),
        (
            {"rules": [{"operations": ["CONNECT"], "apiGroups": [""], "resources": ["pods/exec"]}]},
            None,
            "all Pod/exec CONNECT",
        ),
        ({"rules": [{"operations": ["CREATE"], "apiGroups": ["a.b"], "resources": ["*"]}]}, None, "all *.a.b CREATE"),
    ],
)
def test_what_hangs_on_it(changes, impact, affects):
    [raw] = merged(webhook("a.x", url=TO_URL, **changes))
    assert (raw.get("impact"), raw["affects"]) == (impact, affects)


def test_defaults_are_those_of_the_api():
    """FailurePolicy Fail, 10 seconds, port 443 (k8s.io/api/admissionregistration/v1)."""
    [raw] = merged({"name": "a.x", "clientConfig": {"url": TO_URL}, "rules": None})
    assert (raw["failurePolicy"], raw["timeoutSeconds"]) == ("Fail", 10)
    assert "caBundleRef" not in raw


def test_a_conversion_of_one_version_is_never_called():
    crd = {
        "metadata": {"name": "xs.g.io"},
        "spec": {
            "group": "g.io",
            "names": {"plural": "xs", "kind": "X"},
            "versions": [{"name": "v1", "served": True, "storage": True}],
            "conversion": {"strategy": "Webhook", "webhook": {"clientConfig": {"url": TO_URL, "caBundle": "IA=="}}},
        },
    }
    [raw] = discover({"customresourcedefinitions": [crd]}).targets
    assert raw["impact"] == "none"
    assert "refusal" not in raw, "a blank caBundle of a conversion counts as none"


# -- names ---------------------------------------------------------------------------------------------------


@given(st.text(max_size=400), st.integers(1, 65535), st.text(max_size=400))
def test_names_are_bounded_in_length_and_alphabet(host, port, path):
    for kind in (Kind.WEBHOOK, Kind.OIDC):
        name = target_name(kind, host, port, path)
        assert len(name) <= LONGEST
        assert set(name) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:/@~[]-")
    assert bounded(bounded(host)) == bounded(host) or len(host) > LONGEST


def test_a_taken_name_is_marked_and_the_mark_stays():
    taken = {"a"}
    first = free_name("a", "ValidatingWebhookConfiguration/x/y", taken)
    assert first != "a"
    assert first == free_name("a", "ValidatingWebhookConfiguration/x/y", taken)
    assert free_name("a", "ValidatingWebhookConfiguration/x/y", taken | {first}) not in taken | {first}


# -- nodes ---------------------------------------------------------------------------------------------------


def test_a_sample_of_each_subnet_that_hardly_moves():
    """One node more or less changes at most one of the three; nodes that are not Ready come last."""
    nodes = [node(f"n{i}", f"10.0.1.{i}") for i in range(1, 60)]
    here = [network("subnet-1", ["10.0.0.0/16"]), network("subnet-2", ["10.0.1.0/24"])]
    [raw] = discover({"nodes": nodes}, here).targets
    assert raw["name"] == "kubelet/subnet-2", "the longest prefix"
    assert len(raw["addresses"]) == 3
    for i in range(len(nodes)):
        [less] = discover({"nodes": nodes[:i] + nodes[i + 1 :]}, here).targets
        assert len(set(raw["addresses"]) & set(less["addresses"])) >= 2
    chosen = {one.partition("/")[2] for one in raw["objects"]}
    for one in nodes:
        if one["metadata"]["name"] in chosen:
            one["status"]["conditions"][0]["status"] = "Unknown"
    [others] = discover({"nodes": nodes}, here).targets
    assert not set(raw["addresses"]) & set(others["addresses"])


def port_of(address, port):
    status = node("n", address)["status"]
    return status | {"daemonEndpoints": {"kubeletEndpoint": {"Port": port}}}


def test_nodes_without_subnets_go_by_zone_and_those_without_address_are_named():
    found = discover(
        {
            "nodes": [
                node("a", "10.0.1.1"),
                node("b", "100.64.0.1", zone=""),
                node("c", "169.254.1.1"),
                node("d", "nonsense"),
                {"metadata": {"name": "e"}, "status": {"addresses": None}},
                node("g", "10.0.1.7") | {"status": port_of("10.0.1.7", 2**70)},
                node("f", "2600::5", zone="z2"),
            ]
        }
    )
    assert {name: raw["addresses"] for name, raw in by_name(found).items()} == {
        "kubelet/elsewhere": ["100.64.0.1:10250"],
        "kubelet/z1": ["10.0.1.1:10250"],
        "kubelet/z2": ["[2600::5]:10250"],
    }
    [said] = found.findings
    assert (said.code, sorted(said.evidence["objects"])) == (
        "OBJECT_NOT_PROBED",
        ["Node/c", "Node/d", "Node/e", "Node/g"],
    )


# -- nothing vanishes ----------------------------------------------------------------------------------------

_junk = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 70000) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
_name = st.sampled_from(["a", "b.c", "x-1"])
_hosts = st.sampled_from(
    ["https://h.example/", "https://h.example:8443/x", "https://127.0.0.1:1/", "https://[::1]/", "http://h.example/",
     "https://169.254.169.254/", "https://u:p@h.example/", "https://h.example/?q", "", "https://10.0.0.1/"]
)  # fmt: skip
_service = st.fixed_dictionaries(
    {"namespace": st.sampled_from(["ns", "kube-system", "NS"]), "name": st.sampled_from(["svc", "gone", "eks-extension-metrics-api"])},
    optional={"port": st.sampled_from([443, 8443, 0, None, "443", -1]), "path": st.sampled_from(["/x", None, ""])},
)  # fmt: skip
_bundle = st.sampled_from([CA, OTHER_CA, "", None, "bm90IGEgY2VydGlmaWNhdGU=", "IA==", "%%%"])
_config = st.fixed_dictionaries(
    {}, optional={"url": _hosts | _junk, "service": _service | _junk, "caBundle": _bundle | _junk}
)
_hook = st.fixed_dictionaries(
    {"name": _name, "clientConfig": _config | _junk},
    optional={
        "failurePolicy": st.sampled_from(["Fail", "Ignore", "fail", None]) | _junk,
        "timeoutSeconds": st.sampled_from([1, 30, 0, 31, "10", None]) | _junk,
        "rules": st.none() | _junk,
    },
)
_configuration = st.fixed_dictionaries(
    {"metadata": st.fixed_dictionaries({"name": _name})},
    optional={"webhooks": st.lists(_hook | _junk, max_size=4) | st.none()},
)
_api = st.fixed_dictionaries(
    {"metadata": st.fixed_dictionaries({"name": st.sampled_from(["v1.g.io", "v1beta1.h.io"])}), "spec": st.fixed_dictionaries(
        {"group": st.just("g.io"), "version": st.just("v1")}, optional={"service": _service | _junk, "caBundle": _bundle}) | _junk},
)  # fmt: skip
_crd = st.fixed_dictionaries(
    {"metadata": st.fixed_dictionaries({"name": st.sampled_from(["xs.g.io", "ys.g.io"])}),
     "spec": st.fixed_dictionaries({"group": st.just("g.io"), "names": st.just({"plural": "xs", "kind": "X"})},
        optional={"versions": st.just([{"name": "v1", "storage": True}]) | st.none(),
                  "conversion": st.fixed_dictionaries({"strategy": st.sampled_from(["Webhook", "None"])},
                       optional={"webhook": st.fixed_dictionaries({"clientConfig": _config}) | _junk})})},
)  # fmt: skip


@settings(max_examples=examples(400), deadline=None)
@given(
    st.fixed_dictionaries(
        {
            "validatingwebhookconfigurations": st.lists(_configuration | _junk, max_size=3),
            "mutatingwebhookconfigurations": st.lists(_configuration, max_size=3),
            "apiservices": st.lists(_api | _junk, max_size=3),
            "customresourcedefinitions": st.lists(_crd | _junk, max_size=3),
            "services": st.just([service()]) | st.lists(_junk, max_size=2),
            "endpointslices": st.just([slice_of(("10.0.0.1", True))]) | st.lists(_junk, max_size=2),
            "nodes": st.lists(_junk, max_size=2),
        }
    )
)
def test_no_caller_ever_vanishes(items):
    """Each webhook, conversion webhook and APIService becomes a target, shares one, is left out with a word, or is
    named in a finding; and whatever the objects, the targets are a plan that the probe takes.
    """
    found = discover(items)
    known = {one for raw in found.targets for one in raw["objects"]}
    known |= {one.object for one in found.left}
    known |= {name for one in found.findings for name in one.evidence.get("objects", ())}
    for plural, listed in items.items():
        kind = next(one.kind for one in RESOURCES if one.plural == plural)
        for i, one in enumerate(listed):
            for name in _callers(kind, one, i + 1):
                assert any(has == name or has.startswith(f"{name}/") for has in known), (name, known)
    if found.targets:
        plan = read_plan(document(found, {}), forbidden=forbidden)
        assert len(plan.targets) == len(found.targets)


def _callers(kind, one, number):
    """What an object must be found by."""
    if kind in ("Service", "EndpointSlice", "Node"):
        return
    name = one["metadata"]["name"] if isinstance(one, dict) and "metadata" in one else f"item {number}"
    if not isinstance(one, dict) or "metadata" not in one:
        yield f"{kind}/{name}"
    elif kind.endswith("WebhookConfiguration"):
        for j, hook in enumerate(one.get("webhooks") or []):
            named = isinstance(hook, dict) and isinstance(hook.get("name"), str) and hook["name"]
            yield f"{kind}/{name}/{hook['name'] if named else f'webhook {j}'}"
    elif (
        kind == "CustomResourceDefinition" and (one["spec"].get("conversion") or {}).get("strategy") == "Webhook"
    ) or kind == "APIService":
        yield f"{kind}/{name}"


def test_our_own_mistakes_cost_one_list(monkeypatch, caplog):
    """Unexpected failure inside us is told, and takes nothing else down."""

    def breaks(*_):
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("egressprobe.discovery.kubelets.read_kubelet", breaks)
    found = discover(recorded(), NETWORKS)
    assert found.unread == ("nodes",)
    [said] = [one.summary for one in found.findings if one.code == "LIST_UNREADABLE"]
    assert said == "nodes: egressprobe itself failed: ZeroDivisionError", "its text may hold a secret"
    assert set(by_name(found)) == {name for name in GOLDEN if not name.startswith("kubelet/")}
    [record] = caplog.records
    assert "in breaks" in record.where
    assert "ours" not in caplog.text + record.where.replace('ZeroDivisionError("ours")', "")


def test_any_number_of_malformed_objects_is_bounded_and_counted():
    found = discover({"apiservices": [None] * 5000})
    said = {one.code: one for one in found.findings}
    assert said["OBJECT_MALFORMED"].evidence["count"] == 1000
    assert said["LIST_UNREADABLE"].summary == "apiservices: 4000 more objects cannot be read or probed"


def test_what_is_malformed_says_where_and_takes_nothing_down():
    items = recorded()
    items["validatingwebhookconfigurations"] += [
        None,
        [],
        {"metadata": None},
        configuration(
            "odd", webhook("ok.x", url="https://ok.example/"), webhook("t.x", url=TO_URL, timeoutSeconds="10"), None
        ),
    ]
    items["services"].append(
        {"metadata": {"name": "kyverno-svc", "namespace": "kyverno"}, "spec": {"ports": [{"port": "443"}]}}
    )
    items["services"] = [
        one
        for one in items["services"]
        if one["metadata"]["name"] != "kyverno-svc" or one["spec"]["ports"][0]["port"] == "443"
    ]
    found = discover(items, NETWORKS)
    assert set(by_name(found)) == set(GOLDEN) - {"kyverno-svc.kyverno.svc"} | {"ok.example"}
    said = {one.code: one.evidence["objects"] for one in found.findings if one.code.startswith("OBJECT")}
    assert said["OBJECT_MALFORMED"]["ValidatingWebhookConfiguration/odd/t.x"] == (
        "Expected int | null, got str - at $.timeoutSeconds"
    )
    assert {"ValidatingWebhookConfiguration/odd/webhook 2", "Service/kyverno/kyverno-svc"} <= set(
        said["OBJECT_MALFORMED"]
    )
    assert len(said["OBJECT_MALFORMED"]) == 6
    assert set(said["OBJECT_NOT_PROBED"].values()) == {"its Service is malformed"}
    assert len(said["OBJECT_NOT_PROBED"]) == 4, "not: service not found"


def api_service(conditions):
    spec = {"group": "m.io", "version": "v1", "service": {"namespace": "ns", "name": "svc"}, "caBundle": CA}
    return {"metadata": {"name": "v1.m.io"}, "spec": spec, "status": {"conditions": conditions}}


@pytest.mark.parametrize("status", ["True", "False", "Unknown"])
def test_what_the_api_server_says_of_an_apiservice_travels_with_the_target(status):
    """Status, reason, message and time of its condition Available, bounded and printable."""
    available = {"type": "Available", "status": status, "reason": "R", "message": "a\nb" + "x" * 2000}
    since = {"lastTransitionTime": "2026-11-21T19:39:47Z"}
    lists = {"services": [service()], "endpointslices": [slice_of(("10.0.0.1", True))]}
    [raw] = discover(lists | {"apiservices": [api_service([{"type": "Other"}, available | since])]}).targets
    expected = {
        "status": status,
        "reason": "R",
        "message": ("a?b" + "x" * 2000)[:1000],
        "since": since["lastTransitionTime"],
    }
    assert raw["condition"] == expected
    [target] = read_plan({"targets": [raw | {"caBundleRef": None, "caBundle": CA}]}).targets
    assert msgspec.to_builtins(target.condition) == expected


@pytest.mark.parametrize(
    "conditions", [None, [], [{"type": "Other", "status": "True"}], [{"type": "Available", "status": "x"}]]
)
def test_without_a_condition_nothing_is_said_of_it(conditions):
    [raw] = discover({"apiservices": [api_service(conditions)]}).targets
    assert "condition" not in raw
