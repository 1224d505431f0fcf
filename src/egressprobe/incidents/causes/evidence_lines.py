"""What speaks for a cause, a sentence each: who fails from where, who passes, the API server's text. Pure."""

from collections.abc import Iterator, Sequence

from egressprobe.catalog.advice import HIDDEN_BY_KEPT_CONNECTIONS
from egressprobe.catalog.findings_vpc_path import SG_EGRESS_DENIED, SG_INGRESS_DENIED
from egressprobe.incidents.causes.members import FailingMember
from egressprobe.incidents.causes.wording import counted, listed
from egressprobe.model.failure import Phase
from egressprobe.model.target import Kind

# Observed beside a real kube-apiserver 1.35: its HTTP client keeps a connection for 90 s after the last call.
KEPT_CONNECTIONS = "Calls on connections opened before can still pass until 90 s after the last one, longer under load."
FOLLOWS = "Follows from it:"
# A security group lets tracked connections go on when a rule is removed. Every other element of the configuration that
# closes a path drops the packets of all connections.
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html
_TRACKING = frozenset({SG_EGRESS_DENIED.code, SG_INGRESS_DENIED.code})
_KEEPS = frozenset({Kind.WEBHOOK, Kind.AGGREGATED_API})
_MOST_ERROR = 300
_WIDTH = 100


def evidence_lines(members: Sequence[FailingMember]) -> Iterator[str]:
    """The most useful first."""
    yield _who(members)
    error = next((text for member in members if (text := _error(member))), "")
    if error:
        yield f"kube-apiserver: {error[:_MOST_ERROR]}"
    codes = dict.fromkeys(code for member in members for code in member.cause.consequences)
    if codes:
        yield f"{FOLLOWS} {listed(list(codes), 5)}"
    differs = next((text for member in members for text in member.cause.differs), "")
    if differs:
        yield f"Compared: {differs}"
    if any(member.row.target.kind in _KEEPS and _new_connections(member) for member in members):
        yield KEPT_CONNECTIONS


def _who(members: Sequence[FailingMember]) -> str:
    names = list(dict.fromkeys(member.row.target.name for member in members))
    failing = list(dict.fromkeys(subnet for member in members for subnet in member.cause.subnets))
    passing = list(dict.fromkeys(s for member in members for s in member.passing if s not in failing))
    verb = "fails" if len(names) == 1 else "fail"
    passes = f"; from {listed(passing, 4)} {'it passes' if len(names) == 1 else 'they pass'}" if passing else ""
    degraded = all(member.degraded for member in members)
    verb = ("is degraded" if len(names) == 1 else "are degraded") if degraded else verb
    start = f"{counted(len(names), 'target')} {verb} from {listed(failing, 4)}{passes}: "
    return start + _fitting(names, _WIDTH - len(start))


def _fitting(names: Sequence[str], room: int) -> str:
    """As many of the names as there is room for, at least one."""
    for most in range(len(names), 1, -1):
        text = listed(names, most)
        if len(text) <= room:
            return text
    return listed(names, 1)


def _error(member: FailingMember) -> str:
    for result in member.results.values():
        if result.failure is not None and result.failure.api_server_error:
            return result.failure.api_server_error
    return ""


def _new_connections(member: FailingMember) -> bool:
    """Whether opening a connection is what fails: one that is open already may go on."""
    failures = [result.failure for result in member.results.values() if result.failure]
    silent = any(failure.phase is Phase.CONNECT for failure in failures)
    if silent and member.cause.element and not member.degraded and member.cause.code not in _TRACKING:
        return False
    codes = [failure.code for failure in failures]
    return bool(codes) and HIDDEN_BY_KEPT_CONNECTIONS.issuperset(codes)
