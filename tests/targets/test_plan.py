"""Bad input: one line that names the place; and what good input becomes."""

import base64

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from egressprobe.golang.x509.ca_bundle import BundleError, anchors
from egressprobe.lab.certs import make_authority
from egressprobe.model.errors import InputError
from egressprobe.model.failure import Code
from egressprobe.model.target import Endpoint, Expect, Kind
from egressprobe.model.text import valid
from egressprobe.net.guard import forbidden
from egressprobe.targets.plan import read_plan, sampled, target_from_url

PEM = make_authority("ca").pem
HOOK = {"kind": "webhook", "name": "h", "url": "https://h.example/v"}
SERVICE = {"namespace": "ns", "name": "svc"}


def plan_of(**changes):
    return read_plan({"targets": [HOOK | changes]})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "ftp"}, 'targets[0].kind: "ftp" is not known; use one of oidc, webhook'),
        ({"kind": 7}, "targets[0].kind: expected a string, got a whole number"),
        ({"colour": "red"}, "targets[0].colour: is not known; known are addresses, advisory, affects, caBundle"),
        ({"advisory": True}, "targets[0].advisory: does not go with kind webhook"),
        ({"url": None, "service": SERVICE, "addresses": ["10.0.0.1:" + "9" * 5000]}, "is not IP:PORT"),
        ({"url": None, "service": SERVICE, "addresses": ["10.0.0.1:\u0664\u0664\u0663"]}, "is not IP:PORT"),
        ({"objects": ["a\nb"]}, "targets[0].objects[0]: needs printable characters"),
        ({"affects": "x" * 1001}, "targets[0].affects: needs printable characters, at most 1000"),
        ({"owner": "x" * 201}, "targets[0].owner: needs one line of printable characters, at most 200"),
        ({"owner": "a\nb"}, "targets[0].owner: needs one line of printable characters, at most 200"),
        (
            {"severity": "page"},
            'targets[0].severity: "page" is not known; use one of critical, error, warning, info',
        ),
        ({"objects": ["x"] * 1001}, "targets[0].objects: has 1001 entries; at most 1000"),
        (
            {"refusal": {"finding": "X", "error": "e"}},
            "targets[0].refusal.finding: must be one of ADDRESS_NOT_ALLOWED, CA_BUNDLE_UNUSABLE",
        ),
        ({"refusal": {"finding": "SERVICE_NOT_FOUND"}}, "targets[0].refusal.error: is missing"),
        ({"expect": "blocked"}, "targets[0].expect: does not go with kind webhook"),
        ({"url": "http://h.example/"}, 'targets[0].url: "http://h.example/" must begin with https://'),
        ({"url": "https://u:secret@h.example/"}, "must not carry user information"),
        ({"url": "https://h.example/?token=secret"}, 'targets[0].url: "https://h.example/" must not carry a query'),
        ({"url": "https://h.example/?"}, "must not carry a query"),
        ({"url": "https://h.example/#f"}, "must not carry a fragment"),
        ({"url": "https://h.example:99999/"}, "has a port that is not in 1..65535"),
        ({"url": "https://h.example:0/"}, "needs a port in 1..65535"),
        ({"url": "https://:443/"}, "names no host"),
        ({"url": "https://h example/"}, "contains white space"),
        ({"url": "https://[::1/"}, "is not a URL"),
        ({"url": None}, "targets[0].url: is missing; give a url or a service with addresses"),
        ({"url": 7}, "targets[0].url: expected a string, got a whole number"),
        ({"timeoutSeconds": 0}, "targets[0].timeoutSeconds: 0 is not in 1..30"),
        ({"timeoutSeconds": 31}, "targets[0].timeoutSeconds: 31 is not in 1..30"),
        (
            {"timeoutSeconds": "10"},
            "targets[0].timeoutSeconds: expected a whole number, got a string; write 10 without quotes",
        ),
        ({"timeoutSeconds": True}, "targets[0].timeoutSeconds: expected a whole number, got a boolean"),
        ({"failurePolicy": "fail"}, 'targets[0].failurePolicy: "fail" is not known; did you mean Fail?'),
        ({"name": ""}, "targets[0].name: needs 1 to 250 printable ASCII characters"),
        ({"name": "naïve"}, "targets[0].name: needs"),
        ({"name": "x" * 251}, "targets[0].name: needs"),
        ({"caBundle": "rubbish!"}, "targets[0].caBundle: is neither PEM nor base64 of PEM"),
        (
            {"caBundle": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"},
            "targets[0].caBundle: holds no certificate that kube-apiserver could use: unable to load root certificates: "
            "failed to parse certificate",
        ),
        ({"caBundle": PEM, "caBundleRef": "x"}, "targets[0].caBundleRef: and caBundle exclude each other"),
        ({"caBundleRef": "x"}, 'targets[0].caBundleRef: "x" is not among bundles'),
        ({"service": SERVICE}, "targets[0].url: and service exclude each other"),
        ({"url": None, "service": SERVICE}, "targets[0].addresses: is missing; give the service's ready endpoints"),
        ({"addresses": ["10.0.0.1:1"]}, "targets[0].addresses: go with a service"),
        (
            {"url": None, "service": SERVICE, "addresses": ["10.0.0.1"]},
            'targets[0].addresses[0]: "10.0.0.1" is not IP:PORT',
        ),
        (
            {"url": None, "service": SERVICE, "addresses": ["fd00::1:80"]},
            'targets[0].addresses[0]: "fd00::1:80" is not',
        ),
        (
            {"url": None, "service": SERVICE | {"port": 0}, "addresses": ["10.0.0.1:1"]},
            "targets[0].service.port: 0 is not in 1..65535",
        ),
        (
            {"url": None, "service": SERVICE | {"name": "A_b"}, "addresses": ["10.0.0.1:1"]},
            "targets[0].service.name: is not a DNS label",
        ),
        ({"url": None, "service": {"name": "x"}}, "targets[0].service.namespace: is missing"),
        ({"url": None, "service": SERVICE | {"x": 1}}, "targets[0].service.x: is not known"),
    ],
)
def test_bad_targets(changes, said):
    """Every mistake is one line with its place, and never shows user information."""
    with pytest.raises(InputError) as caught:
        plan_of(**changes)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], 'expected an object with "targets", got a list'),
        (None, 'expected an object with "targets", got nothing'),
        ({}, "targets: is missing"),
        ({"targets": []}, "targets: is empty"),
        ({"targets": {}}, "targets: expected a list, got an object"),
        ({"targets": ["x"]}, 'targets[0]: expected an object with "kind" and "name", got a string'),
        ({"targets": [HOOK], "schemaVersion": "v9"}, 'schemaVersion: "v9" is not known; use egressprobe/targets/v1'),
        ({"schemaVersion": "v9", "results": []}, 'schemaVersion: "v9" is not known; use egressprobe/targets/v1'),
        ({"targets": [HOOK], "target": 1}, "target: is not known"),
        ({"targets": [HOOK, HOOK]}, 'targets[1].name: "h" is the name of targets[0] already'),
        ({"targets": [HOOK] * 2001}, "targets: has 2001 entries; at most 2000 fit one run"),
        ({"targets": [HOOK], "resolvers": ["nope"]}, 'resolvers[0]: "nope" is not ADDR or ADDR:PORT'),
        ({"targets": [HOOK], "resolvers": ["10.0.0.1"] * 4}, "resolvers: has 4 entries; a resolver asks at most 3"),
        ({"targets": [HOOK], "bundles": {"a": "x"}}, "bundles.a: is neither PEM nor base64"),
        ({"targets": [HOOK], "ipFamily": "ipv5"}, 'ipFamily: "ipv5" is not known; did you mean ipv'),
        ({"targets": [HOOK], "sources": {"ipv4": "::1"}}, 'sources.ipv4: "::1" is not an ipv4 address'),
        ({"targets": [{"kind": "kubelet", "name": "n"}]}, "targets[0].addresses: is missing; give the nodes"),
        ({"targets": [{"kind": "aggregated-api", "name": "n"}]}, "targets[0].service: is missing"),
        (
            {"targets": [{"kind": "kubelet", "name": "n", "addresses": ["10.0.0.1:1"]}], "kubeVersion": "1.20"},
            'kubeVersion: "1.20" is not in 1.31..1.36',
        ),
        (
            {"targets": [{"kind": "kubelet", "name": "n", "addresses": ["10.0.0.1:1"]}], "kubeVersion": "new"},
            'kubeVersion: "new" is not a Kubernetes version',
        ),
        ({"targets": [{"kind": "endpoint", "name": "n", "url": "tcp://h"}]}, "needs a port in 1..65535"),
        (
            {"targets": [{"kind": "endpoint", "name": "n", "url": "tcp://h:1", "control": "tcp://c:1"}]},
            "targets[0].control: goes with expect: blocked only",
        ),
        (
            {"targets": [{"kind": "oidc", "name": "n", "url": "https://h/", "timeoutSeconds": 3}]},
            "does not go with kind",
        ),
    ],
)
def test_bad_documents(document, said):
    with pytest.raises(InputError) as caught:
        read_plan(document)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["targets", "kind", "name", "url", "service", "addresses", "x"]), inner, max_size=4
            )
        ),
    )
)
def test_any_json_is_a_plan_or_one_line(document):
    """Total over JSON."""
    try:
        read_plan(document)
    except InputError as error:
        assert "\n" not in str(error)


# Lone surrogates, line ends and control characters as well: Lambda decodes them from a JSON event.
_text = st.text(st.characters(exclude_categories=()), max_size=6)
_value = st.none() | st.booleans() | st.integers() | st.floats() | _text
_raw = st.fixed_dictionaries(
    {"kind": st.sampled_from(["webhook", "oidc", "endpoint", "kubelet", "aggregated-api"]), "name": st.just("n")},
    optional={
        "url": st.builds("https://h.example/{}".format, _text) | _text,
        "service": st.fixed_dictionaries({"namespace": st.just("a"), "name": st.just("b")}, optional={"path": _text}),
        "addresses": st.lists(_text | st.sampled_from(["10.0.0.1:1", "h.example:1", "[::1]:2"]), max_size=2),
        "caBundle": _text | st.just(PEM),
        "objects": st.lists(_text, max_size=2),
        "affects": _text,
        "refusal": st.fixed_dictionaries({"finding": st.just("SERVICE_NOT_FOUND"), "error": _text}),
        "condition": st.fixed_dictionaries({"status": st.just("False")}, optional={"message": _text}),
        "timeoutSeconds": _value,
        "control": _text,
    },
)


@example([{}], {"\ud800": None})
@given(
    st.lists(_raw | st.dictionaries(_text, _value, max_size=2), min_size=1, max_size=2),
    st.dictionaries(_text | st.sampled_from(["bundles", "resolvers", "kubeVersion", "sources", "misplaced"]), _value),
)
def test_any_text_in_an_event_is_a_plan_that_can_be_written_or_one_line(targets, more):
    """One lone surrogate would otherwise cost every result when the report is encoded."""
    try:
        plan = read_plan(more | {"targets": targets})
    except InputError as error:
        assert str(error).isprintable()
        str(error).encode()
    else:
        msgspec.json.encode(valid(msgspec.to_builtins(plan.targets)))


def test_an_event_may_not_choose_a_resolver_on_loopback():
    """But the VPC's own, and any other address; a command line may do as it likes."""
    document = {"targets": [HOOK], "resolvers": ["127.0.0.1"]}
    assert read_plan(document).resolvers == ("127.0.0.1",)
    with pytest.raises(InputError, match=r"resolvers\[0\]: 127.0.0.1 is a loopback address"):
        read_plan(document, forbidden=forbidden)
    document["resolvers"] = ["169.254.169.253", "10.0.0.2:5353"]
    assert read_plan(document, forbidden=forbidden).resolvers == ("169.254.169.253", "10.0.0.2:5353")


def test_what_targets_become():
    """Defaults, names to verify, addresses in canonical form."""
    plan = read_plan(
        {
            "targets": [
                HOOK | {"url": "https://Bücher.example:8443/a//b/", "timeoutSeconds": 3},
                {"kind": "aggregated-api", "name": "v1", "service": SERVICE, "addresses": ["[FD00::1]:443"]},
                {"kind": "kubelet", "name": "nodes", "addresses": ["10.0.0.1:10250", "10.0.0.1:10250"]},
                {"kind": "endpoint", "name": "e", "url": "tls://e.example:636", "expect": "blocked"},
            ]
        }
    )
    hook, api, nodes, endpoint = plan.targets
    assert (hook.host, hook.port, hook.timeout_seconds, hook.verify) == ("xn--bcher-kva.example", 8443, 3, True)
    assert (api.host, api.endpoints) == ("svc.ns.svc", (Endpoint("fd00::1", 443),))
    assert (nodes.verify, len(nodes.endpoints)) == (False, 1)
    assert (endpoint.kind, endpoint.scheme, endpoint.expect) == (Kind.ENDPOINT, "tls", Expect.BLOCKED)


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://Hook.Example/v", "Hook.Example", 443),  # Go keeps the case
        ("https://hook.example:8443", "hook.example", 8443),
        ("https://hook.example.:/", "hook.example.", 443),
        ("https://[FD00::1]:8443/", "fd00::1", 8443),
        ("https://[::ffff:10.0.0.1]/", "10.0.0.1", 443),
        ("https://b\u00fccher.example/", "xn--bcher-kva.example", 443),
    ],
)
def test_hosts_of_urls(url, host, port):
    [target] = plan_of(url=url).targets
    assert (target.host, target.port) == (host, port)


def test_bundles_are_shared_by_what_they_trust():
    """PEM, base64 of PEM and a reference to the same CA are one bundle; an empty one is the system's."""
    encoded = base64.b64encode(PEM.encode()).decode()
    targets = [
        HOOK | {"name": name, **bundle}
        for name, bundle in {
            "a": {"caBundle": PEM},
            "b": {"caBundle": encoded},
            "c": {"caBundleRef": "ours"},
            "d": {"caBundle": ""},
        }.items()
    ]
    plan = read_plan({"targets": targets, "bundles": {"ours": "noise\n" + PEM}})
    assert len(plan.bundles) == 1
    assert [target.bundle for target in plan.targets] == [*list(plan.bundles) * 3, ""]


@pytest.mark.parametrize(
    ("pem", "error"),
    [
        (b"", "unable to parse bytes as PEM block"),
        (b" -----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "unable to parse bytes as PEM block"),
        (b"-----BEGIN TRUSTED CERTIFICATE-----\nAAAA\n-----END TRUSTED CERTIFICATE-----\n", "no valid certificate"),
        (b"-----BEGIN CERTIFICATE-----\nA: b\n\nAAAA\n-----END CERTIFICATE-----\n", "no valid certificate"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "failed to parse certificate: x509"),
    ],
)
def test_useless_bundles_have_client_gos_text(pem, error):
    with pytest.raises(BundleError, match=error):
        anchors(pem)


@pytest.mark.parametrize(
    "text",
    [
        PEM.replace("\n", "\r\n"),
        PEM.replace("-----\n", "-----\n\n", 1),
        "text before\n" + PEM + "text after",
        "-----BEGIN CERTIFICATE-----\nAAA\n" + PEM,
        PEM.replace("\n", " \n"),
        "-----BEGIN X-----\n-----END X-----\n" + PEM,
    ],
)
def test_odd_bundles_that_go_takes(text):
    assert len(anchors(text.encode())) == 1


def test_scheduled_runs_sample_endpoints():
    """Three a minute, others the next minute, all within a few; names do not change."""
    target = {"kind": "webhook", "name": "s", "service": SERVICE, "addresses": [f"10.0.0.{i}:1" for i in range(7)]}
    plan = read_plan({"targets": [target]})
    seen = set()
    for minute in range(7):
        [one] = sampled(plan, minute).targets
        assert (one.name, len(one.endpoints)) == ("s", 3)
        seen |= set(one.endpoints)
    assert len(seen) == 7


def test_urls_of_the_command_line():
    entry = target_from_url("tcp://h.example:25", kind=None, place="URL 1", timeout=None, bundle=None)
    assert entry == {"kind": "endpoint", "name": "h.example:25", "url": "tcp://h.example:25"}
    entry = target_from_url("https://h.example/v", kind=None, place="URL 1", timeout=5, bundle="PEM")
    assert entry["kind"] == "webhook"
    assert entry["name"] == "h.example/v"
    entry = target_from_url("https://日本.example:8443/v", kind=None, place="URL 1", timeout=None, bundle=None)
    assert entry["name"] == "xn--wgv71a.example:8443/v"
    with pytest.raises(InputError, match='URL 2: "ftp://x" must begin with https://'):
        target_from_url("ftp://x", kind=None, place="URL 2", timeout=None, bundle=None)


def test_the_code_of_bad_input():
    """The handler's answer carries this code (see test_handler)."""
    assert Code.TARGET_INVALID == "target_invalid"


@pytest.mark.parametrize(
    ("written", "read"), [("1.31", "1.31"), ("v1.36.2", "1.36"), ("1.33-eks-1a2b", "1.33"), ("1.34+", "1.34")]
)
def test_kubernetes_versions_as_people_write_them(written, read):
    """As kubectl, EKS and humans print them; without one, 1.35."""
    targets = [{"kind": "kubelet", "name": "n", "addresses": ["10.0.0.1:10250"]}]
    assert read_plan({"targets": targets, "kubeVersion": written}).kube_version == read
    assert read_plan({"targets": targets}).kube_version == "1.35"
