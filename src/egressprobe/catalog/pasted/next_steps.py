"""What to run next for a recognised error, with the host, URL and names that the text has. Pure.

Nothing of a text is run: a person copies a command. So everything read from it is quoted for a shell.
"""

import shlex
from collections.abc import Sequence

from egressprobe.catalog.pasted.meanings import Meaning
from egressprobe.catalog.pasted.place import CallPlace, api_service, is_loopback, is_without_kubeconfig, place
from egressprobe.catalog.pasted.recognise import Recognised
from egressprobe.model.failure import Code
from egressprobe.model.target import Kind

_DISCOVER = "egressprobe discover --cluster <CLUSTER> > targets.yaml"
# A kubelet whose certificate is not approved yet answers each handshake with an alert:
# https://repost.aws/articles/ARv5gI9t1CSeqnp7oDcKV14A
_SERVING_CERTIFICATES = "kubectl get csr --field-selector spec.signerName=kubernetes.io/kubelet-serving"
# No packet was sent, or a condition has the error itself.
_ANSWERED_BY_KUBECTL = frozenset({Code.SERVICE_UNRESOLVED, Code.APISERVICE_UNAVAILABLE})
_ENDPOINT = "aws eks describe-cluster --name <CLUSTER> --query cluster.resourcesVpcConfig"


def next_steps(error: Recognised, ranked: Sequence[Meaning]) -> tuple[str, ...]:
    """Commands, in the order in which to run them; <NAME> is to be filled in."""
    at = place(error)
    if error.verdict is not None:
        return tuple(_filled(text, error.values) for text in error.verdict.check)
    if error.by_client:
        return _of_client(at)
    explain = [f"egressprobe explain {meaning.entry.code}" for meaning in ranked[:2]]
    measure, checks = _measure(error, at), _cluster_checks(error, at)
    if error.kind is Kind.KUBELET and any(meaning.entry.code == Code.TLS_ALERT for meaning in ranked):
        checks.append(_SERVING_CERTIFICATES)
    first = ranked[0].entry.code if ranked else ""
    return (*checks, *measure, *explain) if first in _ANSWERED_BY_KUBECTL else (*measure, *checks, *explain)


def _filled(text: str, values: dict[str, str]) -> str:
    return " ".join(
        shlex.quote(values[word[1:-1]])
        if word[:1] == "{" and values.get(word[1:-1])
        else f"<{word[1:-1].upper()}>"
        if word[:1] == "{"
        else word
        for word in text.split(" ")
    )


def _of_client(at: CallPlace) -> tuple[str, ...]:
    if is_without_kubeconfig(at):
        return ("kubectl config get-contexts", "aws eks update-kubeconfig --name <CLUSTER>")
    probes = _handshake(at) if at.host and not is_loopback(at) else ()
    return ("kubectl config view --minify", *probes, _ENDPOINT)


def _handshake(at: CallPlace) -> list[str]:
    host = f"[{at.host}]" if ":" in at.host else at.host
    return [f"egressprobe run {shlex.quote(f'tls://{host}:{at.port or 443}')}"]


def _measure(error: Recognised, at: CallPlace) -> list[str]:
    """Probe it: from every subnet with a stack, from this computer without one."""
    if error.kind is Kind.OIDC:
        url, document, _ = at.url.partition("/.well-known/")
        if not url:
            return ["egressprobe run --kind oidc <ISSUER>"]
        if error.fetching_keys or not document:
            return [*_handshake(at), "egressprobe run --kind oidc <ISSUER>"]
        invoke = f"egressprobe invoke --stack <STACK> -l {shlex.quote(f'oidc/{at.host}*')}"
        return [f"egressprobe run --kind oidc {shlex.quote(url)}", invoke]
    if error.kind is Kind.WEBHOOK and is_loopback(at):
        return []
    pattern = _names(error, at)
    if at.service or error.kind in (Kind.AGGREGATED_API, Kind.KUBELET) or (error.kind and not at.url):
        select = f" -l {pattern}" if pattern else ""
        return [_DISCOVER, f"egressprobe run -f targets.yaml{select}", f"egressprobe invoke --stack <STACK>{select}"]
    if at.url:
        invokes = [f"egressprobe invoke --stack <STACK> -l {pattern}"] if pattern else []
        return [f"egressprobe run {shlex.quote(at.url)}", *invokes]
    if at.host:
        return _handshake(at)
    return ["egressprobe run <URL>", "egressprobe invoke --stack <STACK>"]


def _names(error: Recognised, at: CallPlace) -> str:
    """The names of the targets, for -l, as discovery gives them: of an APIService its own; else host and port."""
    if error.kind is Kind.AGGREGATED_API:
        _, _, group = error.values.get("served", "").partition(".")
        name = api_service(error) or (f"v*.{group}" if group else "")
        return shlex.quote(name) if name else ""
    name = at.host if at.host and not _is_internal(error) else error.values.get("name", "") if not at.host else ""
    return shlex.quote(f"{name}*") if name else ""


def _is_internal(error: Recognised) -> bool:
    """The URL of a kubelet has an address, by which no target is named."""
    return error.kind is Kind.KUBELET


def _cluster_checks(error: Recognised, at: CallPlace) -> list[str]:
    checks = []
    if at.service and at.namespace:
        label = shlex.quote(f"kubernetes.io/service-name={at.service}")
        checks.append(f"kubectl -n {shlex.quote(at.namespace)} get endpointslices -l {label}")
    elif error.values.get("namespace") and error.values.get("name"):
        label = shlex.quote(f"kubernetes.io/service-name={error.values['name']}")
        checks.append(f"kubectl -n {shlex.quote(error.values['namespace'])} get endpointslices -l {label}")
    if error.kind is Kind.AGGREGATED_API:
        name = api_service(error)
        checks.append(f"kubectl get apiservice {shlex.quote(name)} -o yaml" if name else "kubectl get apiservices")
    return checks
