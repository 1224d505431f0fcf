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
from egressprobe.stack.deployment import Deployment, only_deployment, planners_by_cluster

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

    What sessions of one region share: the rate of their requests, and the list of Planners, which is read once.
    """

    def __init__(self, peer_profiles: Sequence[str] = (), rate: Callable[[], ReadRate] = ReadRate) -> None:
        from botocore.loaders import create_loader

        self._peers, self._rate, self._loader = list(peer_profiles), rate, create_loader()
        self._rates: dict[str, ReadRate] = {}
        self._planners: dict[str, dict[str, list[str]] | str] = {}
        self._lock = threading.Lock()

    def names(self, region: str) -> Sequence[str]:
        """ListClusters, paged. Also looks up the region's Planners; where that fails, each cluster has the reason."""
        session = self._session(region)
        with failures_as_lines():
            pages = session.client("eks").get_paginator("list_clusters").paginate()
            names = [str(name) for page in pages for name in page.get("clusters") or ()]
        if names:
            self._planners[region] = _planners(session)
        return names

    def member(self, member: FleetMember) -> MemberSources:
        session = self._session(member.region)
        named = by_name(member.name, member.region, session)
        deployment, why = self._deployment_of(session, member)
        kind = AccountSources if deployment else AuditedSources
        sources = kind(
            member.name,
            member.region,
            stack=None,
            local=True,
            peer_profiles=self._peers,
            named=named,
            deployment=deployment,
        )
        return MemberSources(sources, deployment.name if deployment else "", why)

    def _deployment_of(self, session: Any, member: FleetMember) -> tuple[Deployment | None, str]:
        planners = self._planners.get(member.region, {})
        if isinstance(planners, str):
            return None, f"whether a stack probes it is not known: {planners}"
        if member.name not in planners:
            return None, NO_STACK
        try:
            return only_deployment(session, member.name, planners[member.name]), ""
        except AwsError as error:
            return None, f"what probes it cannot be read: {error}"
        except InputError as error:
            return None, str(error)

    def _session(self, region: str) -> Any:
        with self._lock, failures_as_lines():
            rate = self._rates.setdefault(region, self._rate())
            return bounded_session(region, rate, self._loader)


def _planners(session: Any) -> dict[str, list[str]] | str:
    try:
        return planners_by_cluster(session)
    except (AwsError, InputError) as error:
        return str(error)


def regions_of(given: Sequence[str]) -> tuple[str, ...]:
    """Each once, in the order given; none: the profile's. Raises InputError and AwsError."""
    return tuple(dict.fromkeys(given)) or (str(in_region(None).region_name),)
