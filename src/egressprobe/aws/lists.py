"""The lists of a snapshot: which operation reads each part, several at a time, and what AWS refused."""

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace

from egressprobe.audit.vpc.snapshot import SNAPSHOT_SCHEMA, ClusterFacts, Group, RouteTable, Unread, Vpc, VpcSnapshot
from egressprobe.audit.vpc.topology import Topology
from egressprobe.aws import ec2 as ec2lists
from egressprobe.aws.paging import ReadRefused, every, not_as_documented
from egressprobe.aws.parse import ec2_filters
from egressprobe.aws.parse import ec2_parse as parse
from egressprobe.model.text import valid

# EC2 throttles by a bucket of tokens an account and region (EC2 Developer Guide, ec2-api-throttling).
AT_ONCE = 6
# Part of the snapshot, operation, field of the response, its parser, name of the filters' parameter.
_BY_VPC: tuple[tuple[str, str, str, Callable[[Any], Any], str], ...] = (
    ("subnets", "describe_subnets", "Subnets", parse.subnet, "Filters"),
    ("route_tables", "describe_route_tables", "RouteTables", parse.route_table, "Filters"),
    ("acls", "describe_network_acls", "NetworkAcls", ec2_filters.acl, "Filters"),
    ("groups", "describe_security_groups", "SecurityGroups", ec2_filters.group, "Filters"),
    ("interfaces", "describe_network_interfaces", "NetworkInterfaces", parse.interface, "Filters"),
    ("nats", "describe_nat_gateways", "NatGateways", parse.nat, "Filter"),
    (
        "attachments",
        "describe_transit_gateway_vpc_attachments",
        "TransitGatewayVpcAttachments",
        parse.attachment,
        "Filters",
    ),
    ("endpoints", "describe_vpc_endpoints", "VpcEndpoints", parse.endpoint, "Filters"),
)
# Where a page can have fewer than 1,000 items (EC2 API Reference, MaxResults of each).
_PAGES = {"describe_route_tables": 100}
_TYPES = {field.name: field.type for field in msgspec.structs.fields(VpcSnapshot)}
# The lists are converted in several threads: msgspec must have worked out their types before (planner/functions.py).
_WORKED_OUT = msgspec.json.Decoder(VpcSnapshot)
_EMPTY = VpcSnapshot(SNAPSHOT_SCHEMA, "", "", "", ClusterFacts(""), Vpc(""))
# Read when nothing of the kind exists in the region.
_ABSENT = {"public_access": ec2lists.NO_PUBLIC_ACCESS_BLOCK, "encryption": ()}


class ListReading:
    """Reads parts of a snapshot, and records those that AWS refuses.

    No further read begins after the seconds, or after a person's `stop`.
    """

    def __init__(self, seconds: float = math.inf, stop: threading.Event | None = None) -> None:
        self.unread: list[Unread] = []
        self._stop = stop
        self._seconds, self._deadline = seconds, time.monotonic() + seconds

    @contextmanager
    def limits(self, clients: Iterable[Any]) -> Iterator[None]:
        """Within, none of the boto3 clients begins a call after the seconds, whoever asks for it: a read may need many,
        for pages, load balancers or other VPCs. A call that runs then ends by its own time limits.
        """
        if self._seconds == math.inf and self._stop is None:
            yield
            return
        limited = list(clients)
        for client in limited:
            client.meta.events.register("before-call", self._in_time)
        try:
            yield
        finally:
            for client in limited:
                client.meta.events.unregister("before-call", self._in_time)

    def _in_time(self, **_event: Any) -> None:
        """Raises ReadRefused after the seconds, or after `stop`."""
        if self._stop is not None and self._stop.is_set():
            raise ReadRefused(Unread("", "", "not read: interrupted"))
        if time.monotonic() > self._deadline:
            raise ReadRefused(Unread("", "", f"not read: AWS took more than {self._seconds:.0f} s for other parts"))

    def read(self, part: str, read: Callable[[], Any]) -> Any:
        try:
            self._in_time()
            return _checked(part, read())
        except ReadRefused as refused:
            if refused.absent and part in _ABSENT:
                return _ABSENT[part]
            self.unread.append(replace(refused.unread, part=part))
        except Exception as error:  # whatever a parser does with another shape costs this list only
            self.unread.append(Unread(part, "", not_as_documented(error)))
        return None

    def all(self, reads: dict[str, Callable[[], Any]]) -> dict[str, Any]:
        with ThreadPoolExecutor(AT_ONCE, "snapshot") as pool:
            waiting = {part: pool.submit(self.read, part, read) for part, read in reads.items()}
            return {part: future.result() for part, future in waiting.items()}


def _checked(part: str, value: Any) -> Any:
    """A part of a snapshot, of the snapshot's own types and with CIDRs that a walk can parse. Raises ValueError."""
    if value is None or part not in _TYPES:
        return value
    checked = msgspec.convert(valid(msgspec.to_builtins(value)), _TYPES[part])
    Topology(replace(_EMPTY, **{part: checked}))
    return checked


def parsed_list(client: Any, operation: str, field: str, parser: Callable[[Any], Any], filters: Any) -> tuple[Any, ...]:
    """In the order of ids, so that two snapshots of one VPC are equal."""
    # Without a page size EC2 returns everything at once, and throttles such calls first in large accounts.
    pages = {"PageSize": _PAGES.get(operation, 1000)}
    parsed = [parser(item) for item in every(client, operation, field, PaginationConfig=pages, **filters)]
    return tuple(sorted(parsed, key=lambda item: str(item.id)))


def network_reads(ec2: Any, vpc_id: str) -> dict[str, Callable[[], Any]]:
    """What decides about packets in any VPC, the cluster's and those behind it: a read for each part."""
    of_vpc = [{"Name": "vpc-id", "Values": [vpc_id]}]
    reads: dict[str, Callable[[], Any]] = {
        part: partial(parsed_list, ec2, operation, field, parser, {filters: of_vpc})
        for part, operation, field, parser, filters in _BY_VPC
    }
    return reads | {
        "gateways": lambda: ec2lists.gateways(ec2, vpc_id),
        "peerings": lambda: ec2lists.peerings(ec2, vpc_id),
        "public_access": lambda: ec2lists.public_access(ec2),
        "encryption": lambda: ec2lists.encryption(ec2, vpc_id),
    }


def named_lists(tables: Iterable[RouteTable] | None, groups: Iterable[Group] | None) -> set[str]:
    """The prefix lists that a route or a rule names; a region has dozens of others."""
    named = {route.destination for table in tables or () for route in table.routes}
    rules = [rule for group in groups or () for rule in (*group.ingress, *group.egress)]
    return {name for name in named if name.startswith("pl-")} | {name for rule in rules for name in rule.prefix_lists}
