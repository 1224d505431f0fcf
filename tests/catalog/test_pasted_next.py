"""What follows from a pasted error: which commands come first, and whose call it is said to be."""

import pytest

from egressprobe.catalog.pasted.meanings import meanings
from egressprobe.catalog.pasted.next_steps import next_steps
from egressprobe.catalog.pasted.place import whose_call
from egressprobe.catalog.pasted.recognise import recognise
from egressprobe.cli.output.pasted_errors import described, to_text
from tests.support.cpu_time import assert_linear

ROW = "v1beta1.metrics.k8s.io                 kube-system/metrics-server   False (FailedDiscoveryCheck)   41d"
CALL = 'failed calling webhook "policy.example.com": failed to call webhook: Post '
PATCH = """\
Error from server (InternalError): error when applying patch:
{"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\\"data\\":\\"PASTED\\"}\\n"}}}
to:
Resource: "/v1, Resource=configmaps", GroupVersionKind: "/v1, Kind=ConfigMap"
Name: "c", Namespace: "default"
for: "c.yaml": error when patching "c.yaml": Internal error occurred: """


def steps(text):
    (error,) = recognise(text)
    return next_steps(error, meanings(error))


@pytest.mark.parametrize(
    ("text", "first"),
    [
        (
            CALL + '"https://hook.acme.svc:443/v?timeout=10s": no endpoints available for service "hook"',
            "kubectl -n acme get endpointslices -l kubernetes.io/service-name=hook",
        ),
        (ROW, "kubectl -n kube-system get endpointslices -l kubernetes.io/service-name=metrics-server"),
        ("the server is currently unable to handle the request (get pods.metrics.k8s.io)", "kubectl get apiservices"),
        (
            CALL + '"https://hook.acme.svc:443/v?timeout=10s": context deadline exceeded',
            "egressprobe discover --cluster <CLUSTER> > targets.yaml",
        ),
    ],
)
def test_kubectl_comes_first_where_it_has_the_answer(text, first):
    """No packet was sent, or a condition has the error: nothing is to be measured before that is read."""
    assert steps(text)[0] == first


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (ROW, "v1beta1.metrics.k8s.io"),
        ("the server is currently unable to handle the request (get pods.metrics.k8s.io)", "'v*.metrics.k8s.io'"),
        (
            "failing or missing response from https://10.0.1.7:8443/apis/metrics.k8s.io/v1beta1: bad status from "
            "https://10.0.1.7:8443/apis/metrics.k8s.io/v1beta1: 403",
            "v1beta1.metrics.k8s.io",
        ),
    ],
)
def test_an_apiservice_is_chosen_by_its_own_name(text, names):
    """Discovery names the target so, and not by its Service."""
    assert f"egressprobe run -f targets.yaml -l {names}" in steps(text)


def test_a_served_resource_is_of_an_aggregated_api():
    """`kubectl top` has nothing to do with a conversion webhook."""
    (error,) = recognise("the server is currently unable to handle the request (get pods.metrics.k8s.io)")
    assert whose_call(error) == "the API server's call of the aggregated API that serves pods.metrics.k8s.io"


def test_each_row_of_a_table_is_an_error_of_its_own():
    rows = f"NAME   SERVICE   AVAILABLE   AGE\n{ROW}\nv1.apps   Local   True   1d\n" + ROW.replace("metrics.k8s", "k8s")
    assert [error.values["api"] for error in recognise(rows)] == ["v1beta1.metrics.k8s.io", "v1beta1.k8s.io"]


EVENTS = """\
LAST SEEN   TYPE      REASON         OBJECT                      MESSAGE
2m14s       Warning   FailedCreate   replicaset/web-5d9c7b8f6d   Error creating: Internal error occurred: CALL
2m10s       Normal    Killing        pod/web-1                   Stopping container web
1m2s        Warning   Unhealthy      pod/web-2                   Readiness probe failed: Get "http://10.0.3.3:8080/": dial tcp 10.0.3.3:8080: connect: connection refused
"""
DESCRIBED = """\
  Warning  FailedCreate  3s (x13 over 23s)  replicaset-controller  Error creating: Internal error occurred: CALL
  Warning  Unhealthy     2s (x9 over 60s)   kubelet  Readiness probe failed: dial tcp 10.0.3.3:8080: connect: connection refused
"""


@pytest.mark.parametrize("events", [EVENTS, DESCRIBED, EVENTS.replace("\n", "\nacme   ")])
def test_each_event_is_an_error_of_its_own(events):
    """The refused connection of a health check is not the webhook's."""
    call, other = recognise(events.replace("CALL", CALL + '"https://hook.acme.svc:443/v?timeout=10s": EOF'))
    assert [meaning.entry.code for meaning in meanings(call) if meaning.rank == 1] == ["tls_eof", "http_reset"]
    assert other.verdict is not None
    assert other.verdict.other


@pytest.mark.parametrize("size", [1, 5000])
def test_the_patch_of_kubectl_apply_is_left_out(size):
    """It hides the error, and has the whole object."""
    (error,) = recognise(PATCH.replace("PASTED", "PASTED " * size) + CALL + '"https://policy.example.com/v": EOF')
    assert "PASTED" not in error.text
    assert error.values["url"] == "https://policy.example.com/v"
    assert to_text([error]).startswith('Error from server (InternalError): error when applying patch: for: "c.yaml"')


def test_an_error_behind_a_patch_that_was_cut_off_is_found():
    errors = recognise(PATCH.partition("to:")[0] + f"Error from server: {CALL}" + '"https://policy.example.com/v": EOF')
    assert [error.values["url"] for error in errors] == ["https://policy.example.com/v"]


def test_patches_take_linear_time():
    assert_linear(lambda size: recognise(PATCH * size), 20, 320)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_a_webhook_on_the_api_server_itself_is_not_probed(host):
    """Such a target is never connected to: no command would work."""
    (error,) = recognise(f'{CALL}"https://{host}:23443/mutate?timeout=10s": EOF')
    assert not any(command.startswith(("egressprobe run", "egressprobe invoke")) for command in described(error).next)
    assert any("AWS Support" in note for note in described(error).notes)


@pytest.mark.parametrize(
    "text",
    [
        "The connection to the server localhost:8080 was refused - did you specify the right host or port?",
        'error: failed to create configmap: Post "http://localhost:8080/api/v1/namespaces/default/configmaps?dryRun=All": '
        "dial tcp 127.0.0.1:8080: connect: connection refused",
    ],
)
def test_kubectl_without_a_kubeconfig(text):
    """localhost:8080 is no cluster's endpoint."""
    (error,) = recognise(text)
    assert described(error).next == ("kubectl config get-contexts", "aws eks update-kubeconfig --name <CLUSTER>")
    assert "without a kubeconfig" in described(error).notes[0]


def test_a_local_tunnel_to_the_api_server_is_not_probed():
    commands = steps("Unable to connect to the server: dial tcp 127.0.0.1:6443: connect: connection refused")
    assert not any(command.startswith("egressprobe run") for command in commands)


def test_a_key_set_is_not_taken_for_an_issuer():
    commands = steps('oidc: verify token: fetching keys oidc: get keys failed Get "https://idp.example/keys": EOF')
    assert commands[:2] == ("egressprobe run tls://idp.example:443", "egressprobe run --kind oidc <ISSUER>")


def test_a_kubelet_without_a_certificate():
    get = 'Error from server: Get "https://10.0.2.8:10250/containerLogs/a/b/c": '
    command = "kubectl get csr --field-selector spec.signerName=kubernetes.io/kubelet-serving"
    assert command in steps(get + "remote error: tls: internal error")
    assert command not in steps(get + "dial tcp 10.0.2.8:10250: i/o timeout")


def test_no_empty_lines_without_facts():
    (error,) = recognise("error: You must be logged in to the server (Unauthorized)")
    assert "\n\n\n" not in to_text([error])
