"""The server name that a measured attempt sent: of its target, or of another host on the target's path."""

from urllib.parse import urlsplit

from egressprobe.audit.paths.destinations import server_name_of_host
from egressprobe.audit.vpc.firewall.connection import ANY_NAME, NOT_TLS, WITHOUT_NAME
from egressprobe.model.measurement import Attempt
from egressprobe.model.report import Result
from egressprobe.model.target import Kind


def dialled_name(result: Result, attempt: Attempt) -> str:
    """As in vpc/firewall/connection.py. An OIDC target's key set may be at another host than its issuer."""
    target = result.target
    if urlsplit(target.url).scheme in ("tcp", "http"):
        return NOT_TLS
    if attempt.tls is not None:
        return attempt.tls.server_name or WITHOUT_NAME
    if target.service is not None:
        return target.service.server_name
    if target.kind is Kind.KUBELET:
        return WITHOUT_NAME
    hosts = {resolution.host for resolution in result.resolutions if attempt.address in resolution.addresses}
    if len(hosts) > 1:
        return ANY_NAME
    return server_name_of_host(hosts.pop() if hosts else urlsplit(target.url).hostname or "")
