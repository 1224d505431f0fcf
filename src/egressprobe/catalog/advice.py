"""What to check and how to fix it, for one result: the catalogue's lines with the target's own values in them."""

import shlex
from ipaddress import ip_address
from typing import NamedTuple

from msgspec.structs import replace

from egressprobe.catalog.entry import filled, is_command, steps
from egressprobe.catalog.registry import lookup
from egressprobe.model.failure import CODES, Code, Ending, Phase
from egressprobe.model.measurement import Resolution
from egressprobe.model.report import Result
from egressprobe.model.target import Kind, Verdict
from egressprobe.net.addresses import is_address

_NAMES = "NAMESPACE"  # of a Service: to other targets such a command says nothing
_DEFAULT_ROUTE = "--destination-cidr-block 0.0.0.0/0 --nat-gateway-id <NAT>"
_IPV6_ROUTE = "--destination-ipv6-cidr-block ::/0 --egress-only-internet-gateway-id <EIGW>"
_NO_DNS_ANSWER = (
    "Allow UDP and TCP 53 to the name server (security group, network ACL, route), or name servers that answer in the "
    "DHCP options set."
)


# Observed beside kube-apiserver 1.35.3 with only new connections broken (docs/corroboration.md has each figure).
KEPT_CONNECTIONS = (
    "Calls on connections that were opened before the break still pass: for 90 s after the last call, and without end "
    "if calls come more often (measured: after 85 s without a call the next one passes, after 95 s it fails with its "
    "full timeout). Where every packet is dropped the next call fails; over HTTP/2 one that waits fails after 39.7 s. "
    "So success at the API server does not disprove a failure that the probes measure."
)
# Failures of new connections which one that is open already does not meet. Not those of a server that is gone or was
# replaced by another one: the kernel closes the connections of a process that ends.
HIDDEN_BY_KEPT_CONNECTIONS = frozenset(
    code
    for code, facts in CODES.items()
    if facts.phase in (Phase.RESOLVE, Phase.CONNECT, Phase.TLS) and facts.ending is not Ending.NOT_SENT
) - {Code.CONNECT_REFUSED, Code.TLS_NOT_TLS}
RUN_AGAIN = "Run it again, and let it end."  # of a target that Ctrl-C left unmeasured
# Of targets that are no issuer: there is no discovery document, but a request that the server must answer.
_REQUEST = "curl -skv --connect-to ::ADDRESS:PORT URL"
_NO_ISSUER = {
    Code.HTTP_STATUS: "Look at the server's log: it must answer this request with a status of success (2xx).",
    Code.HTTP_BODY_INVALID: "Look at the server's log: the API server cannot read its answer.",
}
_OWN_RESOLVER = "Correct --resolver (in a targets file: `resolvers`)."
_OF_THE_RESOLVER = frozenset({Code.DNS_TIMEOUT, Code.DNS_UNREACHABLE, Code.DNS_REFUSED})


class Advice(NamedTuple):
    """check: commands that only read. fix: sentences and commands, a line each."""

    check: tuple[str, ...] = ()
    fix: tuple[str, ...] = ()


def advice(result: Result) -> Advice:
    """How to confirm the failure of `result` and how to fix it: of the cause that was found, else of the failure."""
    if result.failure and result.failure.remedy == RUN_AGAIN:
        return Advice(fix=(RUN_AGAIN,))
    values = _values(result)
    entry = lookup(result.failure.code) if result.failure else None
    remedies = [finding.remedy for finding in result.findings if finding.severity == "error"]
    remedies += [entry.remedy] if entry else [finding.remedy for finding in result.findings]
    if remedies and entry and remedies[0] == entry.remedy and _unanswered(result):
        remedies[0] = _NO_DNS_ANSWER
    checks = [text for text in (entry.confirm if entry else "").split("\n") if is_command(text)]
    if entry and result.target.kind is not Kind.OIDC:
        checks = [_REQUEST if "ISSUER" in text else text for text in checks]
        if result.failure and remedies[0] == entry.remedy:
            remedies[0] = _NO_ISSUER.get(result.failure.code, remedies[0])
    if result.failure and result.failure.remedy == _OWN_RESOLVER:  # neither resolv.conf nor the VPC chose it
        remedies = [_OWN_RESOLVER]
        checks = [text for text in checks if text.startswith("dig @RESOLVER ")] or ["dig @RESOLVER NAME"]
    if is_address(values.get("HOST", "")):  # there is no name to look up
        checks = [text for text in checks if not text.startswith("dig ")]
    return Advice(
        tuple(_fitted(filled(text, values), result) for text in checks if result.target.service or _NAMES not in text),
        tuple(_fitted(filled(text, values), result) for text in "".join(remedies[:1]).split("\n") if text),
    )


def with_advice(result: Result, *, own_resolvers: bool = False) -> Result:
    """`result` whose failure says how to confirm and to fix it, as the table does.

    own_resolvers: the name servers were given with --resolver or in the targets file, not by the system.
    """
    failure = result.failure
    if failure is None or result.verdict is Verdict.PASS:
        return result
    dead = failure.code in _OF_THE_RESOLVER and (failure.code is not Code.DNS_TIMEOUT or _unanswered(result))
    if own_resolvers and dead:
        failure = replace(failure, remedy=_OWN_RESOLVER)
    check, fix = advice(replace(result, failure=failure))
    failure = replace(failure, confirm="\n".join(check), remedy="\n".join(fix), remedy_steps=steps(check, fix))
    return replace(result, failure=failure)


def _fitted(text: str, result: Result) -> str:
    """A command of EC2 for the kind of the address that it is about: IPv6, private or public."""
    attempt = next((attempt for attempt in result.attempts if attempt.failure), None)
    if attempt is None or not text.startswith("aws ec2 "):
        return text
    address = ip_address(attempt.address)
    if address.version == 6:
        text = text.replace(f"IpRanges='[{{CidrIp={address}/32}}]'", f"Ipv6Ranges='[{{CidrIpv6={address}/128}}]'")
        return text.replace(_DEFAULT_ROUTE, _IPV6_ROUTE)
    if not address.is_global:
        return text.replace(_DEFAULT_ROUTE, f"--destination-cidr-block {address}/32 --transit-gateway-id <TGW>")
    return text


def _unanswered(result: Result) -> bool:
    """Whether no query of the lookup was answered: then the name server is at fault, not one type of record."""
    if result.failure is None or result.failure.code is not Code.DNS_TIMEOUT:
        return False
    queries = [query for lookup in _own(result).lookups for query in lookup.queries]
    return bool(queries) and all(query.failure is not None for query in queries)


def _own(result: Result) -> Resolution:
    """The lookup of the target's host, or an empty one."""
    lookups = [resolution for resolution in result.resolutions if resolution.view == "system"]
    return lookups[-1] if lookups else Resolution("", "literal", 0.0)


def _values(result: Result) -> dict[str, str]:
    """The placeholders that this result has a value for."""
    target = result.target
    broken = next((attempt for attempt in result.attempts if attempt.failure), None)
    attempt = broken or next(iter(result.attempts), None)
    queries = [query for lookup in _own(result).lookups for query in lookup.queries]
    silent = next((query for query in queries if query.failure), None)
    host = target.service.server_name if target.service else _host(target.url)
    query = silent or next(iter(queries), None)
    path = result.availability.url if result.availability else ""  # of the check that an APIService's server fails
    url = f"https://{host}{path}" if path.startswith("/") else target.url
    values = {"HOST": host, "URL": url, "ISSUER": target.url.rstrip("/")}
    if attempt:
        values |= {"ADDRESS": attempt.address, "PORT": str(attempt.port)}
    if target.service:
        values |= {"NAMESPACE": target.service.namespace, "SERVICE": target.service.name}
    # Names come from the cluster: quoted, so that a command cannot be made to run another.
    quoted = {name: shlex.quote(value) for name, value in values.items() if value}
    return quoted | ({"RESOLVER": _resolver(query.server)} if query else {})


def _resolver(server: str) -> str:
    """`ADDR:PORT` as dig takes it behind its `@`."""
    address, _, port = server.rpartition(":")
    port_option = "" if port == "53" else f" -p {shlex.quote(port)}"
    return f"{shlex.quote(address.strip('[]'))}{port_option}"


def _host(url: str) -> str:
    authority = url.partition("://")[2].partition("/")[0]
    return authority[1:].partition("]")[0] if authority.startswith("[") else authority.partition(":")[0]
