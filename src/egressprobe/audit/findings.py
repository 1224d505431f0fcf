"""Findings of paths: one for each cause, with all subnets, targets and addresses that it affects."""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec.structs import replace

from egressprobe.audit.fixes.problem import Problem
from egressprobe.audit.fixes.proposal import FixPart, Proposal, Proposals, with_proposal
from egressprobe.audit.paths.destination import TargetRow
from egressprobe.audit.paths.destinations import plain
from egressprobe.audit.paths.paths import Paths
from egressprobe.audit.paths.reachability import Path
from egressprobe.audit.vpc.blockers import Blame
from egressprobe.audit.vpc.snapshot import VpcSnapshot
from egressprobe.catalog.entry import filled, named
from egressprobe.catalog.findings_vpc_config import VPC_DNS_SUPPORT_OFF
from egressprobe.catalog.findings_vpc_path import BLOCKED_TARGET_OPEN, PATH_UNKNOWN, SUBNET_WITHOUT_IPV6
from egressprobe.catalog.registry import FINDINGS
from egressprobe.model.report import Finding
from egressprobe.model.target import Expect

MOST_SHOWN = 20
# Rules beside the paths report these, once for each subnet or VPC.
_BY_A_RULE = frozenset({SUBNET_WITHOUT_IPV6, VPC_DNS_SUPPORT_OFF})
# Address, port and server name (also empty, for any) -> the targets that have them.
type Names = dict[tuple[str, int, str], list[str]]


def problems(paths: Paths) -> list[Problem]:
    """What keeps paths from being open, by cause; paths that are expected to be blocked have no problem."""
    groups: dict[tuple[Any, ...], list[tuple[Path, Blame]]] = {}
    for key, path in paths.known.items():
        if Expect.REACHABLE not in paths.expected.get(key, {Expect.REACHABLE}):
            continue
        for blame in path.blames:
            if blame.finding not in _BY_A_RULE:
                groups.setdefault(blame.key, []).append((path, blame))
    return [Problem(tuple(pairs)) for pairs in groups.values()]


def path_findings(paths: Paths, rows: Sequence[TargetRow], proposals: Proposals) -> Iterator[Finding]:
    """Closed and partial paths, targets that should be blocked and are not, and what cannot be determined."""
    names: Names = {}
    for row in rows:
        for text in row.target.addresses:
            for server_name in dict.fromkeys(("", row.target.server_name)):
                names.setdefault((text, row.target.port, server_name), []).append(row.target.name)
    for parts in proposals.parts.values():
        for part in parts:
            yield _closing(part, names)
    for row in rows:
        if row.target.expect is Expect.BLOCKED:
            yield from _not_blocked(row, proposals)
    yield from _unknown(paths, rows, names)


def _closing(part: FixPart, names: Names) -> Finding:
    problem, proposal = part
    some = all(path.state != "closed" for path in problem.paths)
    message = plain(problem.blame.said) + ("; some calls fail" if some else "")
    return with_proposal(
        problem.blame.finding, message, problem.blame.evidence | _affected(problem.paths, names), proposal
    )


def with_names_of(finding: Finding, snapshot: VpcSnapshot) -> Finding:
    """The catalogue's commands in its remedy with cluster, region and VPC filled in; what is not known as <NAME>."""
    values = names_of(snapshot)
    entry = FINDINGS.get(finding.code)
    general = frozenset(entry.remedy.split("\n")) if entry else frozenset()
    lines = (filled(text, values) if text in general else text for text in finding.remedy.split("\n"))
    return replace(finding, remedy="\n".join(lines), remedy_steps=named(finding.remedy_steps, values))


def names_of(snapshot: VpcSnapshot) -> dict[str, str]:
    """The placeholders of the catalogue's commands that the snapshot has a value for, quoted for a shell."""
    names = {"CLUSTER": snapshot.cluster.name, "REGION": snapshot.region, "VPC": snapshot.vpc.id}
    return {placeholder: shlex.quote(name) for placeholder, name in names.items() if name}


def each_command_once(findings: Iterable[Finding]) -> list[Finding]:
    """The findings of one report without commands that an earlier one has."""
    printed: set[str] = set()
    remaining = []
    for finding in findings:
        lines = finding.remedy.split("\n")
        new = [line for line in lines if line not in printed or not line.startswith("aws ")]
        printed.update(lines)
        remaining.append(finding if new == lines else _without(finding, new))
    return remaining


def _without(finding: Finding, remaining: Sequence[str]) -> Finding:
    """The finding with these lines only: what an earlier one has is undone with that one, too."""
    steps = finding.remedy_steps
    if steps:
        fix = tuple(text for text in steps.fix if text in remaining)
        steps = replace(steps, fix=fix, undo=steps.undo if fix else ())
    return replace(finding, remedy="\n".join(remaining), remedy_steps=steps)


def _not_blocked(row: TargetRow, proposals: Proposals) -> Iterator[Finding]:
    subnets = [cell.subnet for cell in row.cells if cell.state in ("open", "partial")]
    if subnets:
        target = row.target
        where = "the internet" if target.assumed else ", ".join(target.addresses[:3])
        message = (
            f"{target.name} must be blocked, and calls to {where} port {target.port} pass from {', '.join(subnets)}"
        )
        evidence = {"port": target.port, "subnets": subnets, "targets": [target.name]}
        evidence |= {"addresses": list(target.addresses)[:MOST_SHOWN]}
        proposal = proposals.blocking.get((target.name, target.port), Proposal())
        yield with_proposal(BLOCKED_TARGET_OPEN, message, evidence, proposal)


def _unknown(paths: Paths, rows: Sequence[TargetRow], names: Names) -> Iterator[Finding]:
    for row in rows:
        if not row.target.addresses:
            message = f"unknown: {row.target.host} resolves only inside the VPC"
            yield PATH_UNKNOWN.found(message, {"why": message, "targets": [row.target.name]})
    unknown: dict[str, list[Path]] = {}
    for path in paths.known.values():
        for why in path.knowledge_ends:
            unknown.setdefault(why, []).append(path)
    for why, affected in unknown.items():
        yield PATH_UNKNOWN.found(f"unknown: {why}", {"why": why} | _affected(affected, names))


def _affected(paths: Iterable[Path], names: Names) -> dict[str, Any]:
    paths = tuple(paths)
    targets = dict.fromkeys(
        name for path in paths for name in names.get((path.address, path.port, path.server_name), [path.address])
    )
    return {
        "subnets": list(dict.fromkeys(path.subnet for path in paths)),
        "targets": list(targets)[:MOST_SHOWN],
        "addresses": list(dict.fromkeys(path.address for path in paths))[:MOST_SHOWN],
    }
