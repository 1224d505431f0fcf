"""What to run next for a recognised error, with the host, URL and names that the text has. Pure.

Nothing of a text is run: a person copies a command. So everything read from it is quoted for a shell.
"""

import shlex
from collections.abc import Sequence

from egressprobe.catalog.pasted.meanings import Meaning
from egressprobe.catalog.pasted.place import CallPlace, api_service, place
from egressprobe.catalog.pasted.recognise import Recognised
from egressprobe.model.target import Kind

_DISCOVER = "egressprobe discover --cluster <CLUSTER> > targets.yaml"
_ENDPOINT = "aws eks describe-cluster --name <CLUSTER> --query cluster.resourcesVpcConfig"


def next_steps(error: Recognised, ranked: Sequence[Meaning]) -> tuple[str, ...]:
    """Commands, in the order in which to run them; <NAME> is to be filled in."""
    at = place(error)
    if error.verdict is not None:
        return tuple(_filled(text, error.values) for text in error.verdict.check)
    if error.by_client:
        return _of_client(at)
    explain = [f"egressprobe explain {meaning.entry.code}" for meaning in ranked[:2]]
    return (*_measure(error, at), *_cluster_checks(error, at), *explain)


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
    return ("kubectl config view --minify", *(_handshake(at) if at.host else ()), _ENDPOINT)


def _handshake(at: CallPlace) -> list[str]:
    host = f"[{at.host}]" if ":" in at.host else at.host
    return [f"egressprobe run {shlex.quote(f'tls://{host}:{at.port or 443}')}"]


def _measure(error: Recognised, at: CallPlace) -> list[str]:
    """Probe it: from every subnet with a stack, from this computer without one."""
    if error.kind is Kind.OIDC:
        url = at.url.partition("/.well-known/")[0]
        if not url:
            return ["egressprobe run --kind oidc <ISSUER>"]
        if error.fetching_keys:
            return [*_handshake(at), "egressprobe run --kind oidc <ISSUER>"]
        invoke = f"egressprobe invoke --stack <STACK> -l {shlex.quote(f'oidc/{at.host}*')}"
        return [f"egressprobe run --kind oidc {shlex.quote(url)}", invoke]
    name = at.host if at.host and not _is_internal(error) else error.values.get("name", "") if not at.host else ""
    pattern = shlex.quote(f"{name}*") if name else ""
    if at.service or error.kind in (Kind.AGGREGATED_API, Kind.KUBELET) or (error.kind and not at.url):
        select = f" -l {pattern}" if pattern else ""
        return [_DISCOVER, f"egressprobe run -f targets.yaml{select}", f"egressprobe invoke --stack <STACK>{select}"]
    if at.url:
        invokes = [f"egressprobe invoke --stack <STACK> -l {pattern}"] if pattern else []
        return [f"egressprobe run {shlex.quote(at.url)}", *invokes]
    if at.host:
        return _handshake(at)
    return ["egressprobe run <URL>", "egressprobe invoke --stack <STACK>"]


def _is_internal(error: Recognised) -> bool:
    """The URL of an APIService's check and of a kubelet has an address, by which no target is named."""
    return error.kind in (Kind.AGGREGATED_API, Kind.KUBELET)


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
