"""The reader of the Kubernetes API against one that pages, refuses, breaks off and lies, over real TLS."""

import asyncio
import base64
import json
import logging
import socket
import subprocess
import sys
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from botocore.credentials import Credentials as BotoCredentials
from botocore.hooks import HierarchicalEmitter
from botocore.model import ServiceId
from botocore.signers import RequestSigner

from egressprobe.discovery.kubernetes import client as kubernetes
from egressprobe.discovery.kubernetes import connection
from egressprobe.discovery.kubernetes.api_server import ApiServer
from egressprobe.discovery.kubernetes.client import KubernetesSource
from egressprobe.discovery.kubernetes.eks_token import Credentials, make_token, sts_host, tokens
from egressprobe.discovery.kubernetes.resources import RESOURCES
from egressprobe.discovery.run import collect
from egressprobe.golang.x509.ca_bundle import anchors
from egressprobe.handlers.discover import handler
from egressprobe.lab.certs import make_authority
from egressprobe.model.discovered import Discovered
from egressprobe.model.errors import InputError
from egressprobe.net.guard import forbidden
from tests.conftest import ROOT
from tests.support.aws.fake_aws import ENVIRONMENT
from tests.support.kube_objects import (
    GOLDEN,
    NETWORKS,
    by_name,
    codes,
    configuration,
    discover,
    node,
    slice_of,
    webhook,
)
from tests.support.peers.kubeapi import CLUSTER_CA, TOKEN, kube_api, recorded


def read(server, *, seconds=20.0, guard=lambda _: None, networks=NETWORKS):
    async def work():
        return await collect(KubernetesSource(server, seconds=seconds, guard=guard), networks)

    return asyncio.run(work())


@pytest.fixture
def api():
    with kube_api() as found:
        yield found


@pytest.fixture
def small_pages(api):
    """Two objects a page at most, as in the recorded pages."""
    api.most = 2


def test_over_tls_it_is_the_same_plan(api):
    """What a real API server's answers give from a folder, they give over the wire."""
    found = read(api.server())
    assert set(by_name(found)) == set(GOLDEN)
    assert found == discover(recorded(), NETWORKS)
    assert {headers["Authorization"] for _, headers in api.requests} == {f"Bearer {TOKEN}"}
    assert {headers["User-Agent"].partition("/")[0] for _, headers in api.requests} == {"egressprobe"}


def test_lists_come_in_pages(api, small_pages):
    """With limit and continue, to the end, and nothing twice."""
    assert set(by_name(read(api.server()))) == set(GOLDEN)
    asked = api.asked("services")
    assert len(asked) == (len(api.items["services"]) + 1) // 2
    assert [one["limit"] for one in asked] == [["500"]] * len(asked)
    assert "continue" not in asked[0]
    assert len({one["continue"][0] for one in asked[1:]}) == len(asked) - 1


@pytest.mark.parametrize("times", [1, 2])
def test_a_list_that_expired_is_begun_anew(api, small_pages, times):
    """410 Gone in the middle: what was read before is thrown away, and nothing is lost or doubled."""
    api.expires["services"] = times
    found = read(api.server())
    assert found == discover(recorded(), NETWORKS)
    assert sum("continue" not in one for one in api.asked("services")) == times + 1


def test_a_list_that_expires_again_and_again_is_a_finding(api, small_pages):
    api.expires["services"] = 99
    found = read(api.server())
    assert found.unread == ("services",)
    assert "LIST_UNREADABLE" in codes(found)
    assert "kubelet/subnet-a" in by_name(found), "the rest goes on"


def test_a_refused_list_names_the_rule_that_is_missing(api):
    """403 for one list, and the rest is discovered; what hangs on it is not called broken."""
    api.refused |= {"endpointslices": 403, "customresourcedefinitions": 403}
    found = read(api.server())
    said = {one.evidence["rule"]["resources"][0]: one for one in found.findings if one.code == "DISCOVERY_FORBIDDEN"}
    assert said["endpointslices"].evidence["rule"] == {
        "apiGroups": ["discovery.k8s.io"],
        "resources": ["endpointslices"],
        "verbs": ["list"],
    }
    assert "customresourcedefinitions.apiextensions.k8s.io" in said["customresourcedefinitions"].summary
    assert 'cannot list resource "endpointslices"' in said["endpointslices"].summary
    assert found.unread == ("customresourcedefinitions", "endpointslices")
    [barred] = [one for one in found.findings if one.code == "OBJECT_NOT_PROBED"]
    assert set(barred.evidence["objects"].values()) == {"the EndpointSlices could not be read"}
    assert {"policy.corp.example.com", "gone.nowhere.svc:8443", "kubelet/subnet-a"} <= set(by_name(found))
    assert "kyverno-svc.kyverno.svc" not in by_name(found)


def test_without_services_nothing_is_said_to_be_missing(api):
    api.refused["services"] = 403
    found = read(api.server())
    assert "SERVICE_NOT_FOUND" not in codes(found)
    assert "gone.nowhere.svc:8443" not in by_name(found)


def test_a_refused_token_is_made_anew_once(api):
    """Then it is one finding for all lists, with no target and no crash."""
    made = []

    def token():
        made.append("old" if not made else TOKEN)
        return made[-1]

    found = read(api.server(token=token))
    assert set(by_name(found)) == set(GOLDEN)
    found = read(api.server(token=lambda: "wrong"))
    assert codes(found) == ["TOKEN_REFUSED"]
    assert found.findings[0].summary == "the API server refuses the token: Unauthorized"
    assert (found.targets, len(found.unread)) == ((), 7)


def test_a_slow_list_costs_itself_only(api, monkeypatch):
    monkeypatch.setattr(connection, "_SILENCE", 0.5)
    monkeypatch.setattr(kubernetes, "_RETRIES", (0.1,))
    api.silent["nodes"] = 3  # then it is answered: whoever waits for it has read it
    found = read(api.server())
    assert set(by_name(found)) == {name for name in GOLDEN if not name.startswith("kubelet/")}
    assert [one.summary for one in found.findings if one.code == "LIST_UNREADABLE"] == [
        "nodes: the server said nothing for 0 s"
    ]


def test_a_list_cut_off_in_the_middle_is_asked_again_and_then_told(api, monkeypatch):
    monkeypatch.setattr(kubernetes, "_RETRIES", (0.01, 0.01))
    api.cut.add("apiservices")
    found = read(api.server())
    assert found.unread == ("apiservices",)
    [said] = [one.summary for one in found.findings if one.code == "LIST_UNREADABLE"]
    assert said.startswith("apiservices: the connection broke: ")
    assert len(api.asked("apiservices")) == 3


def test_what_passes_is_tried_again(api, monkeypatch):
    monkeypatch.setattr(kubernetes, "_RETRIES", (0.01, 0.01))
    api.fails |= {"services": 2, "nodes": 1}
    assert codes(read(api.server())) == codes(discover(recorded(), NETWORKS))
    api.fails["nodes"] = 3
    [said] = [one.summary for one in read(api.server()).findings if one.code == "LIST_UNREADABLE"]
    assert said == "nodes: the API server answers 503: apiserver is shutting down"


def test_a_redirect_is_not_followed(api):
    """The token would go to whoever is named."""
    with kube_api() as other:
        api.elsewhere["nodes"] = f"{other.url}/api/v1/nodes?token=x"
        found = read(api.server())
        assert other.requests == []
        [said] = [one.summary for one in found.findings if one.code == "LIST_UNREADABLE"]
        assert said == f"nodes: redirects to {other.url}/api/v1/nodes; not followed, because the token would go there"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"kind": "NodeList", "items": [{"met', "is not a list of nodes: Input data was truncated"),
        (b"\xff\xfe", "is not a list of nodes: "),
        (b"[]", "is not a list of nodes: Expected object, got array"),
        (b'{"kind": "PodList", "items": []}', "is a PodList, not a NodeList"),
        (b'{"kind": "Status", "message": "no"}', "is a Status, not a NodeList: no"),
        (b'{"items": []}', "is a document of no kind, not a NodeList"),
        (b'{"kind": "NodeList", "items": 5}', "is not a list of nodes: Expected array | null, got int"),
        (b'{"kind": "NodeList", "items": ' + b"[" * 100_000, "is not a list of nodes: "),
    ],
)
def test_what_is_no_list_is_told(api, body, said):
    api.raw["nodes"] = body
    found = read(api.server())
    [summary] = [one.summary for one in found.findings if one.code == "LIST_UNREADABLE"]
    assert summary.startswith(f"nodes: {said}")
    assert {name for name in GOLDEN if not name.startswith("kubelet/")} == set(by_name(found))


@pytest.mark.parametrize(
    "body", [b'{"kind": "NodeList", "items": null}', b'{"kind": "NodeList", "metadata": null, "x": 1}']
)
def test_null_lists_are_empty(api, body):
    api.raw["nodes"] = body
    assert "LIST_UNREADABLE" not in codes(read(api.server()))


def test_pages_too_large_are_asked_in_smaller_ones(api, monkeypatch):
    monkeypatch.setattr(connection, "MAX_PAGE", 12 << 10)
    limits = [int(one["limit"][0]) for one in (read(api.server()), api.asked("validatingwebhookconfigurations"))[1]]
    assert limits[0] == 100
    assert min(limits) < 10
    assert set(by_name(read(api.server()))) <= set(GOLDEN)


@pytest.mark.parametrize("where", ["one page", "many pages"])
def test_a_list_of_200_mb_takes_bounded_memory(api, where):
    """In one page, which ignores the limit, it is a finding and the rest goes on; in pages it is read whole."""
    if where == "one page":
        api.raw["nodes"] = b'{"kind": "NodeList", "items": [' + b" " * (200 << 20) + b"]}"
    else:
        heavy = node("n", "10.0.11.7") | {"spec": {"note": "x" * 100_000}}
        api.items["nodes"] = [heavy | {"metadata": {"name": f"n{i}"}} for i in range(2000)]
    command = [sys.executable, "-m", "bench.discovery", "read", api.url, CLUSTER_CA.pem]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    said = json.loads(done.stdout)
    assert said["mb"] < 150
    assert ("LIST_UNREADABLE" in said["findings"]) is (where == "one page")
    assert said["targets"] == len([name for name in GOLDEN if not name.startswith("kubelet/")]) + (where != "one page")


def test_large_pages_come_packed(api):
    items = [webhook(f"h{i}.x", url=f"https://h{i}.example/", note="x" * 300) for i in range(200)]
    api.items["mutatingwebhookconfigurations"] = [configuration("many", *items)]
    found = read(api.server())
    assert api.packed
    assert sum(raw["name"].startswith("h") for raw in found.targets) == 200


def test_an_api_server_by_another_ca_is_not_talked_to(api):
    """The token goes to nobody who does not prove to be the cluster."""
    found = read(api.server(anchors=anchors(make_authority("kubernetes").pem.encode())))
    assert codes(found) == ["API_SERVER_UNREACHABLE"]
    assert found.findings[0].evidence["code"] == "tls_unknown_authority"
    assert api.requests == []
    assert len(found.unread) == len(RESOURCES)


def test_an_api_server_by_another_name_is_not_talked_to(api):
    found = read(api.server(name="kubernetes.default.svc"))
    assert found.findings[0].evidence["code"] == "tls_hostname_mismatch"


def test_an_api_server_that_does_not_answer_is_one_finding():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    found = read(ApiServer(f"https://127.0.0.1:{port}", (), lambda: "t"))
    assert codes(found) == ["API_SERVER_UNREACHABLE"]
    assert found.findings[0].evidence == {
        "endpoint": f"https://127.0.0.1:{port}",
        "code": "connect_refused",
        "phase": "connect",
    }


def test_a_loopback_endpoint_is_never_dialled_from_the_vpc(api):
    """The guard stands before every connection, the API server's too."""
    found = read(api.server(), guard=forbidden)
    assert found.findings[0].evidence["code"] == "target_forbidden"
    assert api.requests == []


def test_when_the_time_is_up_what_was_read_is_kept(api, monkeypatch):
    api.silent["endpointslices"] = 30
    found = read(api.server(), seconds=2.0)
    assert found.unread == ("endpointslices",)
    assert {"policy.corp.example.com", "kubelet/subnet-a"} <= set(by_name(found))


def test_slices_of_a_broken_list_are_kept_and_their_absence_is_not_believed(api, small_pages, monkeypatch):
    """A Service whose endpoints were on the pages that came is known; the others are not called empty."""
    monkeypatch.setattr(kubernetes, "_RETRIES", ())
    listed = [slice_of(("10.0.11.35", True), name="kyverno-svc", namespace="kyverno")]
    others = [one for one in api.items["endpointslices"] if one["metadata"]["namespace"] != "kyverno"]
    api.items["endpointslices"] = listed + others
    real, calls = api.answer, []

    def breaks(path, authorization):
        if "endpointslices" in path:
            calls.append(path)
            if len(calls) > 1:
                return 500, b"{}", {}
        return real(path, authorization)

    api.answer = breaks
    found = read(api.server())
    assert by_name(found)["kyverno-svc.kyverno.svc"]["addresses"] == ["10.0.11.35:9443"]
    assert "SERVICE_WITHOUT_ENDPOINTS" not in codes(found)


def test_the_token_is_in_no_log_no_repr_and_no_finding(api, caplog, capfd, monkeypatch):
    monkeypatch.setattr(kubernetes, "_RETRIES", ())
    caplog.set_level(logging.DEBUG)
    api.cut.add("nodes")
    api.refused["services"] = 403
    server = api.server()
    text = f"{read(server)!r} {server!r} {Credentials('AKID', 'the-secret', 'the-session')!r}"
    text += caplog.text + "".join(capfd.readouterr())
    for secret in (TOKEN, "the-secret", "the-session"):
        assert secret not in text


def test_headers_of_the_server_are_sent_with_each_request(api):
    """Impersonation and Basic authentication, in UTF-8; without compression where it is not wanted."""
    headers = (("Impersonate-User", "jane"), ("Impersonate-Group", "a"), ("Impersonate-Group", "zoë"))
    found = read(api.server(headers=headers, compress=False))
    assert set(by_name(found)) == set(GOLDEN)
    for _, received in api.requests:
        assert received["Impersonate-User"] == "jane"
        assert received["Authorization"] == f"Bearer {TOKEN}"
        assert "Accept-Encoding" not in received
    assert "zoë" not in repr(api.server(headers=headers))


def test_a_token_that_cannot_be_renewed_is_a_finding(api):
    """A plugin that worked once."""
    calls = []

    def token():
        calls.append(None)
        if len(calls) > 1:
            raise InputError("--kubeconfig", "the exec plugin failed")
        return "old"

    found = read(api.server(token=token))
    assert codes(found) == ["TOKEN_REFUSED"]
    assert found.findings[0].summary == "the token cannot be renewed: --kubeconfig: the exec plugin failed"


# -- the token -----------------------------------------------------------------------------------------------

NOW = datetime(2026, 11, 22, 6, 30, 5, tzinfo=UTC)
REGIONS = [
    "us-east-1", "eu-west-1", "cn-north-1", "us-gov-west-1", "us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1",
    "us-isof-south-1", "eusc-de-east-1", "mx-central-1",
]  # fmt: skip


def by_botocore(region, cluster, credentials, monkeypatch):
    """The form of aws-iam-authenticator and of `aws eks get-token`."""
    import botocore.auth

    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: NOW.replace(tzinfo=None))
    emitter = HierarchicalEmitter()
    signer = RequestSigner(ServiceId("sts"), region, "sts", "v4", BotoCredentials(*credentials), emitter)
    url = signer.generate_presigned_url(
        {
            "method": "GET",
            "url": f"https://{sts_host(region)}/?Action=GetCallerIdentity&Version=2011-06-15",
            "body": {},
            "headers": {"x-k8s-aws-id": cluster},
            "context": {},
        },
        region_name=region,
        expires_in=60,
        operation_name="",
    )
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def taken_apart(token):
    prefix, _, text = token.partition(".")
    url = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    parts = urlsplit(url)
    return prefix, parts.scheme, parts.netloc, parts.path, parse_qs(parts.query, strict_parsing=True)


@pytest.mark.parametrize("session", [None, "FwoGZXIvYXdzE+/=="])
@pytest.mark.parametrize("region", REGIONS)
def test_the_token_is_botocores(region, session, monkeypatch):
    """Every part of it, the signature included."""
    credentials = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", session)
    ours = make_token(credentials, region=region, cluster="prod-1_a", now=NOW)
    assert "=" not in ours
    assert taken_apart(ours) == taken_apart(by_botocore(region, "prod-1_a", credentials, monkeypatch))


@pytest.mark.parametrize("region", REGIONS)
def test_the_sts_endpoint_is_the_regions(region):
    from botocore.session import Session

    client = Session().create_client("sts", region, aws_access_key_id="a", aws_secret_access_key="b")
    assert urlsplit(client.meta.endpoint_url).netloc == sts_host(region)


def test_each_token_is_of_its_moment_and_of_the_credentials_of_that_moment():
    found = iter([Credentials("A", "s1"), Credentials("B", "s2")])
    clock = iter([NOW, NOW.replace(minute=40)])
    make = tokens(lambda: next(found), region="eu-west-1", cluster="prod", clock=lambda: next(clock))
    first, second = (taken_apart(make())[4] for _ in range(2))
    assert (first["X-Amz-Date"], second["X-Amz-Date"]) == (["20261122T063005Z"], ["20261122T064005Z"])
    assert first["X-Amz-Credential"] != second["X-Amz-Credential"]


def test_the_recorded_answers_of_a_real_server_are_what_the_fake_one_says(api):
    """So that the tests above are about real behaviour: status, reason and words."""
    from tests.support.peers.kubeapi import RECORDED

    unauthorized = json.loads((RECORDED / "unauthorized.json").read_text())
    code, body, _ = api.answer("/api/v1/nodes", "Bearer wrong")
    assert (code, json.loads(body)["reason"]) == (unauthorized["httpStatus"], unauthorized["body"]["reason"])
    bad = json.loads((RECORDED / "bad-continue.json").read_text())
    code, body, _ = api.answer("/api/v1/nodes?continue=e30", f"Bearer {TOKEN}")
    assert code == bad["httpStatus"]
    pages = [json.loads((RECORDED / f"services-page-{n}-of-limit-2.json").read_text()) for n in (1, 2)]
    code, body, _ = api.answer("/api/v1/services?limit=2", f"Bearer {TOKEN}")
    first = json.loads(body)
    assert first["metadata"].keys() == pages[0]["metadata"].keys()
    assert (
        first["items"]
        != json.loads(
            api.answer(f"/api/v1/services?limit=2&continue={first['metadata']['continue']}", f"Bearer {TOKEN}")[1]
        )["items"]
    )


# -- the function's door -------------------------------------------------------------------------------------


class Context:
    def get_remaining_time_in_millis(self):
        return 8_000


def event(api, **more):
    place = {
        "name": "prod",
        "endpoint": api.url,
        "certificateAuthority": base64.b64encode(CLUSTER_CA.pem.encode()).decode(),
    }
    return {"action": "discover", "cluster": place | more, "networks": {"subnet-a": ["10.0.11.0/24"]}}


@pytest.fixture
def function(monkeypatch):
    for name, value in (ENVIRONMENT | {"EGRESSPROBE_CLUSTER_NAME": "prod", "AWS_SESSION_TOKEN": "the-session"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("egressprobe.handlers.discover.forbidden", lambda _: None)


def test_the_function_reads_as_its_own_role(api, function):
    """The token is for the cluster that the stack names, by the credentials of its environment."""
    api.accepts = lambda token: taken_apart(token)[4]["X-Amz-Security-Token"] == ["the-session"]
    answer = handler(event(api), Context())
    assert {raw["name"] for raw in answer["targets"]} >= {"kubelet/subnet-a", "policy.corp.example.com"}
    assert msgspec.convert(answer, Discovered).unread == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "other"}, "must be discover, of the cluster prod"),
        ({"certificateAuthority": ""}, "certificateAuthority cannot be used"),
        ({"endpoint": "http://x"}, "must begin with https://"),
    ],
)
def test_an_event_that_is_not_the_planners_is_refused(api, function, changes, said):
    """Aloud: the Planner keeps what it has."""
    with pytest.raises(ValueError, match=said):
        handler(event(api, **changes), Context())
    assert api.requests == []
