"""Decisions of the API server, or of what it asked: no path is broken where one of these comes.

Sources: k8s.io/apimachinery/pkg/api/errors/errors.go; k8s.io/apiserver/pkg/admission/plugin/webhook/errors,
pkg/authentication, pkg/quota/v1, pkg/admission/plugin/policy (Kubernetes 1.35); etcd api/v3rpc/rpctypes/error.go.
"""

from typing import NamedTuple

from egressprobe.error_texts.template import ErrorText


class VerdictText(NamedTuple):
    """A row. what: what was decided, by whom. check: commands that lead on; NAME in them is a value of the row.

    other: nothing was decided; the call is one of a node or of another client, and may have a problem of its own path.
    """

    row: ErrorText
    what: str
    check: tuple[str, ...] = ()
    other: bool = False


_DENIED = "the webhook was reached, and it denied the request: its policy decides, not the network"
_WEBHOOKS = "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations"
_ACCESS = ("aws sts get-caller-identity", "kubectl auth whoami", "aws eks list-access-entries --cluster-name <CLUSTER>")


def _row(text: str, what: str, *check: str, root: bool = True) -> VerdictText:
    return VerdictText(ErrorText(text, root=root), what, check)


def _other(text: str, what: str, *check: str) -> VerdictText:
    return VerdictText(ErrorText(text, root=True), what, check, other=True)


_HEALTH = "a kubelet checks a container's health, from its own node"
_PULL = "a node's container runtime pulls an image, by the path of the node's subnet"
_AWS = "a pod or a tool calls AWS's API, by its own path, DNS and credentials"
_SCAN = (
    "the log of a server, about a client that ended before or in the handshake: a health check, a port scan, or a "
    "client that speaks another protocol"
)
_POD = "kubectl describe pod <POD>"
OTHERS = (
    *(_other(f"{kind} probe failed: {{problem}}", _HEALTH, _POD) for kind in ("Liveness", "Readiness", "Startup")),
    *(
        _other(text, _PULL, _POD)
        for text in ("Failed to pull image", "failed to pull and unpack image", "ErrImagePull:")
    ),
    _other('Get "https://{registry}/v2/', _PULL, _POD),
    *(_other(text, _AWS) for text in ("https response error StatusCode: 0", "RequestError: send request failed")),
    *(
        _other(f"http: TLS handshake error from {{peer}}: {text}", _SCAN)
        for text in ("EOF", "read tcp", "write tcp", "tls: {problem}")
    ),
)
VERDICTS = (
    _row('admission webhook "{webhook}" denied the request', _DENIED, _WEBHOOKS),
    _row(
        'admission webhook "{webhook}" does not support dry run',
        "the webhook has side effects, so no dry run calls it: only a request without --dry-run shows whether it works",
        _WEBHOOKS,
    ),
    _row('rejected by webhook "{webhook}"', _DENIED, _WEBHOOKS),
    _row(
        "ValidatingAdmissionPolicy '{policy}' with binding '{binding}' denied request",
        "a ValidatingAdmissionPolicy denied the request",
        "kubectl get validatingadmissionpolicy {policy} -o yaml",
    ),
    _row("violates PodSecurity", "Pod Security Admission denied the pod", "kubectl get namespaces --show-labels"),
    _row("exceeded quota: {quota}", "a ResourceQuota is used up", "kubectl describe resourcequota -A"),
    _row(
        'is forbidden: User "{user}" cannot {verb} resource',
        "RBAC does not allow it",
        "kubectl auth can-i {verb} '*' --as {user}",
    ),
    _row("(Forbidden): {problem}", "the API server does not allow the request", "kubectl auth can-i --list"),
    _row("is forbidden: {problem}", "the API server does not allow the request", "kubectl auth can-i --list"),
    _row("(Invalid): {problem}", "the object does not pass validation", "kubectl explain <KIND>"),
    _row("is invalid: {problem}", "the object does not pass validation", "kubectl explain <KIND>"),
    _row("error validating data: {problem}", "the object does not pass validation", "kubectl explain <KIND>"),
    _row("strict decoding error: {problem}", "the object has fields that do not exist", "kubectl explain <KIND>"),
    _row(
        "the object has been modified; please apply your changes to the latest version",
        "another client changed the object at the same time: read it again and repeat",
    ),
    _row("(Conflict): {problem}", "another client changed the object at the same time: read it again and repeat"),
    _row("(AlreadyExists): {problem}", "the object exists already"),
    *(
        _row(
            f"(NotFound): {before}the server could not find the requested resource",
            "the API server does not serve this kind or version: its CRD is missing, or an APIService is not Available",
            "kubectl get apiservices",
            "kubectl get crds",
        )
        for before in ("", "{problem}")
    ),
    _row("(NotFound): {problem}", "the object does not exist"),
    _row(
        "no matches for kind {problem}",
        "the API server does not serve this kind: its CRD is missing, or an APIService is not Available",
        "kubectl get apiservices",
        "kubectl get crds",
    ),
    _row(
        "the server doesn't have a resource type {problem}",
        "the API server does not serve this resource: its CRD is missing, or an APIService is not Available",
        "kubectl get apiservices",
        "kubectl get crds",
    ),
    _row(
        "You must be logged in to the server",
        "the API server does not take the caller's credentials: expired, or without an access entry. Where only users "
        "of an OIDC provider get this, its key set may not be reachable: `egressprobe run --kind oidc ISSUER`",
        *_ACCESS,
    ),
    _row(
        "the server has asked for the client to provide credentials",
        "the API server does not take the caller's credentials: expired, or without an access entry",
        *_ACCESS,
        root=False,
    ),
    _row(
        "service account token has expired",
        "the token is too old: the client must read the file of the token again",
        root=False,
    ),
    _row("service account token is not valid yet", "a clock is wrong, here or there", "date -u", root=False),
    _row("Token has been invalidated", "the service account or its pod was deleted", root=False),
    _row("oidc: token is expired {problem}", "the user's token is too old: log in again", root=False),
    _row("oidc: expected audience {problem}", "the token is for another client id than the cluster's", root=False),
    _row(
        "verifying certificate SN={serial}, SKID={subject}, AKID={authority} failed: {problem}",
        "the API server refuses the client's certificate, which is not one of a webhook or a provider",
    ),
    _row("etcdserver: {problem}", "etcd, behind the API server, refused or did not answer in time: no path of yours"),
    _row("Error from server (TooManyRequests)", "API Priority and Fairness limits this client"),
    _row(
        "Cannot evict pod as it would violate the pod's disruption budget",
        "a PodDisruptionBudget does not allow the eviction now",
        "kubectl get poddisruptionbudgets -A",
    ),
    _row("Too many requests, please try again later", "API Priority and Fairness limits this client"),
    _row(
        "the server has received too many requests and has asked us to try again later",
        "API Priority and Fairness limits this client",
        root=False,
    ),
    _row(
        "request did not complete within requested timeout",
        "the whole request took longer than the API server allows: slow webhooks add up, so look at the time of each",
        "egressprobe invoke --stack <STACK>",
    ),
    _row(
        "request did not complete within the allotted timeout",
        "the whole request took longer than the API server allows: slow webhooks add up, so look at the time of each",
        "egressprobe invoke --stack <STACK>",
    ),
    _row("invalid bearer token", "the API server does not take the token", *_ACCESS, root=False),
    *OTHERS,
)
