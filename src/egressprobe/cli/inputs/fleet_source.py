"""The clusters of an account in several regions, each with the stack that probes it."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from egressprobe.aws.fleet.read_rate import ReadRate, bounded_session
from egressprobe.aws.session import by_name, in_region
from egressprobe.cli.inputs.readiness_source import AccountSources
from egressprobe.model.errors import AwsError, InputError
from egressprobe.model.joined_report import Joined
from egressprobe.model.target import Plan
from egressprobe.readiness.fleet.run import FleetMember, MemberSources
from egressprobe.stack.aws_answers import failures_as_lines
from egressprobe.stack.of_cluster import ProbingStack, only_stack, stacks_by_cluster

type Stacks = dict[str, list[ProbingStack]]
NO_STACK = "no stack probes it: make deploy CLUSTER=NAME adds one"


class AuditedSources(AccountSources):
    """A cluster without probes: its configuration from all of its subnets, and no packets."""

    @property
    def probed_from(self) -> str:
        return "nothing"

    def probe(self, plan: Plan) -> Joined:
        raise InputError("--stack", f"nothing probes these {len(plan.targets)} targets")


class AccountFleet:
    """peer_profiles: as of `audit`. A session for each cluster: botocore's are not to be shared by threads.

    What sessions of one region share: the rate of their requests, and the list of stacks, which is read once.
    """

    def __init__(self, peer_profiles: Sequence[str] = (), rate: Callable[[], ReadRate] = ReadRate) -> None:
        from botocore.loaders import create_loader

        self._peers, self._rate, self._loader = list(peer_profiles), rate, create_loader()
        self._rates: dict[str, ReadRate] = {}
        self._stacks: dict[str, Stacks | str] = {}
        self._lock = threading.Lock()

    def names(self, region: str) -> Sequence[str]:
        """ListClusters, paged. Also looks up the region's stacks; where that fails, each cluster has the reason."""
        session = self._session(region)
        with failures_as_lines():
            pages = session.client("eks").get_paginator("list_clusters").paginate()
            names = [str(name) for page in pages for name in page.get("clusters") or ()]
        if names:
            self._stacks[region] = _stacks(session)
        return names

    def member(self, member: FleetMember) -> MemberSources:
        named = by_name(member.name, member.region, self._session(member.region))
        probing, why = self._stack_of(member)
        kind = AccountSources if probing else AuditedSources
        sources = kind(
            member.name,
            member.region,
            stack=None,
            local=True,
            peer_profiles=self._peers,
            named=named,
            probing=probing,
        )
        return MemberSources(sources, probing.name if probing else "", why)

    def _stack_of(self, member: FleetMember) -> tuple[ProbingStack | None, str]:
        stacks = self._stacks.get(member.region, {})
        if isinstance(stacks, str):
            return None, f"whether a stack probes it is not known: {stacks}"
        if member.name not in stacks:
            return None, NO_STACK
        try:
            return only_stack(stacks, member.name), ""
        except InputError as error:
            return None, str(error)

    def _session(self, region: str) -> Any:
        with self._lock, failures_as_lines():
            rate = self._rates.setdefault(region, self._rate())
            return bounded_session(region, rate, self._loader)


def _stacks(session: Any) -> Stacks | str:
    try:
        return stacks_by_cluster(session)
    except (AwsError, InputError) as error:
        return str(error)


def regions_of(given: Sequence[str]) -> tuple[str, ...]:
    """Each once, in the order given; none: the profile's. Raises InputError and AwsError."""
    return tuple(dict.fromkeys(given)) or (str(in_region(None).region_name),)
