"""What everything meets and nothing in the configuration explains is one cause: a dead egress path or resolver. Pure.

Without an element to name (an appliance behind a transit gateway, a configuration that could not be read) each server
would be a cause of its own, and one dead path a message for each of them. Where no server outside the VPC accepts a
connection from a subnet, or no name resolves, and at least two fail alike, they are one. One server that fails while
another one passes is its own cause.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from egressprobe.catalog.findings_vpc_config import CONFIG_ALLOWS_BUT_NO_REPLY
from egressprobe.catalog.findings_vpc_path import PATH_UNKNOWN
from egressprobe.incidents.causes.members import FailingMember, connected, server_of
from egressprobe.incidents.causes.wording import unknown_element
from egressprobe.model.failure import NO_REPLY, Code, Phase
from egressprobe.model.joined_report import Joined
from egressprobe.model.report import Result
from egressprobe.model.target import Verdict

_FEWEST = 2
_RESOLVERS = {
    Code.DNS_TIMEOUT: "no name server answers",
    Code.DNS_UNREACHABLE: "the name servers cannot be reached",
    Code.DNS_SERVFAIL: "the name servers fail every lookup (SERVFAIL)",
    Code.DNS_REFUSED: "the name servers refuse every lookup",
}


class SharedCause(NamedTuple):
    """key: as of ObservedCause; a subnet more or less is another cause. what: its clause."""

    key: str
    what: str


class _DeadSubnets(NamedTuple):
    """no_egress, no_names: from which nothing outside the VPC accepts a connection, and no name resolves."""

    no_egress: frozenset[str]
    no_names: frozenset[str]


def shared_causes(joined: Joined, members: Sequence[FailingMember]) -> list[SharedCause | None]:
    """The cause that each member shares with others, in their order; None where it has one of its own."""
    subnets = _subnets(joined, members)
    return [_shared(member, subnets) for member in members]


def _shared(member: FailingMember, subnets: _DeadSubnets) -> SharedCause | None:
    code, where = member.cause.code, frozenset(member.cause.subnets)
    if member.cause.element or not where:
        return None
    places = ",".join(sorted(where))
    if _lookup_fails(member) and where <= subnets.no_names:
        return SharedCause(f"{code}|every name from {places}", _RESOLVERS[Code(member.code)])
    if _silent(member) and where <= subnets.no_egress:
        return SharedCause(f"{code}|everything outside the VPC from {places}", _egress_clause(member))
    return None


def _egress_clause(member: FailingMember) -> str:
    if member.cause.code == CONFIG_ALLOWS_BUT_NO_REPLY.code:
        return "nothing outside the VPC answers; the VPC's configuration allows the calls"
    if member.cause.code == PATH_UNKNOWN.code:
        element = unknown_element(member.cause.evidence) or "the VPC"
        return f"nothing outside the VPC answers; whether {element} lets the calls pass is unknown"
    return "nothing outside the VPC answers"


def _subnets(joined: Joined, members: Sequence[FailingMember]) -> _DeadSubnets:
    by_subnet: dict[str, list[Result]] = {}
    for report in joined.reports:
        measured = (result for result in report.results if result.verdict is not Verdict.UNKNOWN)
        by_subnet.setdefault(report.vantage.subnet_id or "", []).extend(measured)
    silent = _servers_by_subnet(member for member in members if _silent(member))
    unresolved = _servers_by_subnet(member for member in members if _lookup_fails(member))
    return _DeadSubnets(
        no_egress=frozenset(
            subnet
            for subnet, results in by_subnet.items()
            if len(silent.get(subnet, ())) >= _FEWEST and not any(r.switch_relevant and connected(r) for r in results)
        ),
        no_names=frozenset(
            subnet
            for subnet, results in by_subnet.items()
            if len(unresolved.get(subnet, ())) >= _FEWEST and not any(_resolved(result) for result in results)
        ),
    )


def _servers_by_subnet(members: Iterator[FailingMember]) -> Mapping[str, Collection[str]]:
    servers: dict[str, set[str]] = {}
    for member in members:
        for subnet in member.cause.subnets:
            servers.setdefault(subnet, set()).add(server_of(member.row.target, member.code))
    return servers


def _silent(member: FailingMember) -> bool:
    """Whether a server outside the VPC does not answer, and nothing that is known explains it."""
    codes = {result.failure.code for result in member.results.values() if result.failure}
    return not member.cause.element and member.unreached and bool(codes) and codes <= NO_REPLY


def _lookup_fails(member: FailingMember) -> bool:
    codes = {result.failure.code for result in member.results.values() if result.failure}
    return not member.cause.element and len(codes) == 1 and codes <= _RESOLVERS.keys()


def _resolved(result: Result) -> bool:
    """A name was looked up, and has an answer: also that it does not exist."""
    failure = result.failure
    answered = failure is None or failure.phase is not Phase.RESOLVE or failure.code not in _RESOLVERS
    return bool(result.resolutions) and answered
