"""What a walk knows so far: what blocks, what is unknown, what the packets passed, what return traffic will meet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from egressprobe.audit.vpc.blockers import Blame, Blocker, InOtherVpc
from egressprobe.audit.vpc.cidr import EPHEMERAL, Ports
from egressprobe.audit.vpc.flow import Place
from egressprobe.audit.vpc.topology import Topology
from egressprobe.catalog.entry import FindingEntry


class ReturnStep(NamedTuple):
    """A check of return traffic at the boundary of a subnet. client: index of its destination port in `Walk.left`.

    arrives: it comes from where the subnet's route led; False where it leaves the subnet for the caller's side.
    """

    subnet: str
    client: int
    check: Callable[[], None]
    arrives: bool
    place: Place


class _Results(NamedTuple):
    blames: list[Blame]
    narrowed: list[Blame]
    left: list[Ports]
    unknown: list[str]


class Closed(Exception):  # noqa: N818 (ends one direction of a walk, is no error)
    """There is nothing that the packet could go on to."""


class WalkState:
    """The records of one walk, and what adds to them: `ends`, `block`, `close`, `meets`, `back`, `either`."""

    def __init__(self, topology: Topology) -> None:
        self.place = Place(topology)
        self._vpcs = {topology.snapshot.vpc.id: topology} | topology.others
        self.left: list[Ports] = [EPHEMERAL]
        self.blames: list[Blame] = []
        self.narrowed: list[Blame] = []
        self.unknown: list[str] = []
        self.elements: list[str] = []
        self.passed: tuple[str, ...] | None = None  # elements until the first blocker
        self.met_by_call: int | None = None  # how many of the elements; None while the call is on its way
        self.consulted: set[str] = set()
        # Firewall endpoints that the call passed -> the checks of return traffic that were noted before.
        self.inspectors: dict[str, tuple[ReturnStep, ...]] = {}
        self.returning: list[ReturnStep] = []

    @property
    def topology(self) -> Topology:
        """Of the VPC that the walk is in."""
        return self.place.topology

    def vpc(self, name: str) -> Topology | None:
        """The cluster's own VPC, or one behind it that could be read."""
        return self._vpcs.get(name)

    def block(self, finding: FindingEntry, element: str, message: str, at: Blocker) -> None:
        """Records what blocks; the walk goes on behind it."""
        self.blames.append(self.blame(finding, element, message, at))
        if self.passed is None:
            self.passed = tuple(self.elements)

    def blame(self, finding: FindingEntry, element: str, message: str, at: Blocker) -> Blame:
        """What blocks, with the VPC that it is in where that is another one."""
        returning = self.met_by_call is not None
        if not self.place.entrance:
            return Blame(finding, element, message, at, returning)
        vpc = self.topology.snapshot.vpc.id
        return Blame(finding, element, f"in {vpc}: {message}", InOtherVpc(vpc, at), returning)

    def close(self, finding: FindingEntry, element: str, message: str, at: Blocker) -> None:
        """Records what blocks and ends this direction."""
        self.block(finding, element, message, at)
        raise Closed

    def ends(self, why: str) -> None:
        """Marks the path unknown; the return path is still evaluated."""
        where = f"in {self.topology.snapshot.vpc.id}: " if self.place.entrance else ""
        self.unknown.append(where + why)

    def meets(self, *ids: str) -> None:
        """Notes what the packet passes."""
        self.elements += [name for name in ids if name not in self.elements]
        self.consulted.update(ids)

    def visit(self, place: Place, step: Callable[[], None]) -> None:
        """One step in another VPC, or back in an earlier one."""
        before, self.place = self.place, place
        try:
            step()
        finally:
            self.place = before

    def run_return(self) -> None:
        """The return path, step by step, each in its VPC."""
        self.met_by_call = len(self.elements)
        while self.returning:
            step = self.returning.pop()
            self.run(lambda step=step: self.visit(step.place, step.check))  # type: ignore[misc]

    def run(self, step: Callable[[], None]) -> None:
        """One direction of the walk, or one step of the return path, until it is closed."""
        try:
            step()
        except Closed:
            return

    def back(self, subnet: str, client: int, check: Callable[[], None], *, arrives: bool) -> None:
        """A check of the return path, made after the call has arrived, the last one first."""
        self.returning.append(ReturnStep(subnet, client, check, arrives, self.place))

    def forget_arrivals(self, subnets: set[str], client: int) -> None:
        """Return traffic does not come over the boundary of these subnets."""
        self.returning = [
            step
            for step in self.returning
            if not (step.arrives and step.subnet in subnets and step.client == client and step.place == self.place)
        ]

    def around(self, endpoint: str, why: str) -> None:
        """Return traffic does not come back by a firewall endpoint that the call passed: what becomes of it is not
        known. AWS Network Firewall does not support asymmetric routing (troubleshooting-general-issues).
        """
        before = self.inspectors.pop(endpoint, None)
        if before is not None:
            self.returning = [step for step in before if step in self.returning]
            self.ends(f"{why}, not by the firewall endpoint {endpoint}, which the call passes")

    def either(self, checks: Sequence[Callable[[], None]], why: str) -> None:
        """One of these steps is made, and it is not known which: what they have in common counts."""
        before, outcomes = self._results(), []
        for check in checks:
            self._restore(before)
            self.run(check)
            outcomes.append(self._results())
        alike = len({(len(results.blames), str(results.left), len(results.unknown)) for results in outcomes}) == 1
        self._restore(outcomes[0] if alike else before)
        if not alike:
            self.ends(why)

    def _results(self) -> _Results:
        return _Results(self.blames, self.narrowed, self.left, self.unknown)

    def _restore(self, results: _Results) -> None:
        """Copies, which later steps change."""
        self.blames, self.narrowed = list(results.blames), list(results.narrowed)
        self.left, self.unknown = list(results.left), list(results.unknown)
