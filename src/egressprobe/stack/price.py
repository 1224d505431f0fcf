"""What a stack costs a month, from a price table (prices.json): list prices, free tiers not counted.

`python -m egressprobe.stack price --subnets 3 --targets 20` prints it line by line. Only us-east-1 is in the table; for
other regions the same prices are used, and the output says so.
"""

import asyncio
import json
from pathlib import Path
from typing import Any, NamedTuple

from egressprobe.aws.cluster import look_around
from egressprobe.aws.eks import Cluster
from egressprobe.discovery.issuers import with_issuers
from egressprobe.discovery.kubelets import networks_of
from egressprobe.discovery.kubernetes.api_server import ApiServer, proxy_of_environment
from egressprobe.discovery.kubernetes.client import KubernetesSource
from egressprobe.discovery.kubernetes.eks_token import Credentials, tokens
from egressprobe.discovery.run import collect
from egressprobe.golang.x509.ca_bundle import cluster_anchors
from egressprobe.model.discovered import Discovered
from egressprobe.model.errors import AwsError
from egressprobe.net.guard import forbidden
from egressprobe.publish.emf import Detail, Series

TABLE = Path(__file__).with_name("prices.json")
_REGION = "us-east-1"
_HOURS = 730.5  # of a month, as AWS counts
_MINUTES = _HOURS * 60
# Seconds that a probe's run takes at 256 MB when nothing hangs. bench/coldstart.py: 20 targets need 85 to 110 ms of
# CPU, and 256 MB have 14.5% of one.
_RUN_SECONDS, _TARGET_SECONDS = 0.15, 0.03
_BENCHED_MB = 256
# A Planner's run: a few calls, mostly waiting.
_PLANNER_RUNS, _PLANNER_SECONDS, _PLANNER_GB = _HOURS * 4, 3.0, 0.5
# A Discover run, during which the Planner waits.
# bench/discovery.py: of 2,000 nodes and 5,000 slices it takes 5 s at 256 MB.
_DISCOVER_SECONDS, _DISCOVER_GB = 2.0, 0.25
# Bytes of a passing target's line, and of all other lines of a run with Lambda's three; 26 of each are CloudWatch's.
_LINE, _RUN_LINES = 450, 1400
# Share of the ingested bytes that is stored, compressed, with 30 days of retention.
_STORED = 0.15
_AGGREGATES = {"target": 2, "subnet": 7}  # publish/emf.py: of a subnet, in a healthy month
_OF_CLUSTER = 2  # plan age, certificates
# Counting targets: a private endpoint cannot be reached from most laptops, and then they are soon not counted. Seconds.
_COUNT_SECONDS = 15.0
_COMPOSITES = 5
_CLUSTER_ALARMS = 6  # the Planner's errors, throttles and reported incidents, plan age, audit findings, certificates
# Calls of CloudWatch's API in a run of the Planner while no alarm is on: DescribeAlarms and ListMetrics.
_PLANNER_CALLS = 2
# Per subnet: heartbeat, gap, errors, failing with two metrics; and of Metrics Insights alarms the measured share twice.
# Targets that fail, notices, egress and unsettled targets have no series in a healthy month.
_SUBNET_ALARMS = 7


class Line(NamedTuple):
    """`amount`: USD a month."""

    what: str
    how: str
    amount: float


class Size(NamedTuple):
    """What the price depends on."""

    subnets: int
    targets: int
    shards: int = 1
    detail: Detail = "target"
    architecture: str = "arm64"
    memory: int = 256
    discovers: bool = True


def prices(region: str) -> tuple[dict[str, Any], str]:
    """The table of a region, and a note on where it is from."""
    table = json.loads(TABLE.read_text())
    own = table["regions"].get(region)
    note = f"list prices of {region if own else _REGION}, {table['asOf']}; no free tiers"
    return own or table["regions"][_REGION], note if own else f"{note}\n{'':<29}(those of {region} are not known here)"


def run_seconds(size: Size) -> float:
    """Seconds that a Probe's run takes while nothing hangs."""
    return _RUN_SECONDS + _TARGET_SECONDS * (_BENCHED_MB / size.memory) * size.targets / size.shards


def lines(size: Size, table: dict[str, Any]) -> list[Line]:
    """Every item of a healthy month."""
    runs = _MINUTES * size.subnets * size.shards
    seconds = run_seconds(size)
    gb_seconds = runs * seconds * size.memory / 1024 + _PLANNER_RUNS * _PLANNER_SECONDS * _PLANNER_GB
    if size.discovers:
        gb_seconds += _PLANNER_RUNS * _DISCOVER_SECONDS * (_DISCOVER_GB + _PLANNER_GB)
    success = Series(size.detail).many(size.targets, size.subnets)
    aggregates = size.subnets * _AGGREGATES[size.detail]
    # Alarms are paid by the metric that they evaluate.
    watched = _SUBNET_ALARMS * size.subnets + _CLUSTER_ALARMS
    gigabytes = (runs * _RUN_LINES + _MINUTES * size.subnets * size.targets * _LINE) / 1e9
    per_gb_second = table["lambdaGbSecond"][size.architecture]
    scheduled = (runs + _PLANNER_RUNS) / 1e6
    calls = scheduled + (_PLANNER_RUNS / 1e6 if size.discovers else 0)
    reads = _PLANNER_RUNS * _PLANNER_CALLS / 1e6
    stored = _STORED * table["logsGbMonthStored"]
    how = f"{runs:,.0f} runs of {seconds:.2f} s at {size.memory} MB {size.architecture}, Planner too"
    series = f"{success} ProbeSuccess + {aggregates} of subnets + {_OF_CLUSTER}"
    return [
        Line("metrics", series, (success + aggregates + _OF_CLUSTER) * table["customMetric"]),
        Line("alarms", f"{watched} metrics watched", watched * table["alarmMetric"]),
        Line("composite alarms", f"{_COMPOSITES}", _COMPOSITES * table["compositeAlarm"]),
        Line("Lambda time", how, gb_seconds * per_gb_second),
        Line("Lambda requests", f"{calls:.3f} million", calls * table["lambdaMillionRequests"]),
        Line("CloudWatch API", f"{reads:.3f} million requests", reads * 1000 * table["cloudWatchThousandRequests"]),
        Line("Scheduler", f"{scheduled:.3f} million invocations", scheduled * table["schedulerMillionInvocations"]),
        Line("logs", f"{gigabytes:.2f} GB", gigabytes * (table["logsGbIngested"] + stored)),
    ]


def total(items: list[Line]) -> float:
    """USD a month."""
    return sum(item.amount for item in items)


def price_text(size: Size, region: str) -> str:
    """The bill, as text."""
    table, note = prices(region)
    items = lines(size, table)
    rows = [f"  {item.what:<17}{item.amount:>8.2f}  {item.how}" for item in items]
    head = f"{size.subnets} subnets, {size.targets} targets, {size.shards} shards, detail {size.detail}: USD a month"
    foot = [
        f"  {'':<17}{total(items):>8.2f}  {note}",
        f"  A dashboard beyond an account's first three is {table['dashboard']:.2f} more; queries are paid",
        "  by the GB.",
    ]
    return "\n".join([head, *rows, *foot])


class Counted(NamedTuple):
    """targets: None where discovery could not read a list. text: the same for a person."""

    targets: int | None
    subnets: int | None
    text: str


def discovered_targets(session: Any, cluster_name: str) -> Counted:
    """Reads the cluster's API with the caller's own access. Raises nothing that AWS or the cluster may answer."""
    around = look_around(session.client("eks"), session.client("ec2"), cluster_name)
    cluster = around.cluster
    if cluster is None or not cluster.endpoint:
        return Counted(None, None, "discovered targets: not counted, the cluster cannot be read")
    try:
        discovered = with_issuers(_discovered(session, cluster, around.networks), around)
    except (AwsError, ValueError) as error:
        return Counted(None, len(cluster.subnets), f"discovered targets: not counted: {error}")
    if discovered.unread:
        missing = ", ".join(sorted(discovered.unread))
        return Counted(None, len(cluster.subnets), f"discovered targets: not counted, cannot read {missing} from here")
    count = len(discovered.targets)
    return Counted(count, len(cluster.subnets), f"discovered targets of {cluster_name}: {count}")


def _discovered(session: Any, cluster: Cluster, networks: dict[str, list[str]]) -> Discovered:
    def credentials() -> Credentials:
        own = session.get_credentials()
        if own is None:
            raise AwsError("there are no AWS credentials")
        frozen = own.get_frozen_credentials()
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token)

    token = tokens(credentials, region=session.region_name, cluster=cluster.name)
    proxy = proxy_of_environment(cluster.endpoint)
    server = ApiServer(cluster.endpoint, cluster_anchors(cluster.authority), token, proxy=proxy)

    async def read() -> Discovered:
        source = KubernetesSource(server, seconds=_COUNT_SECONDS, guard=forbidden)
        return await collect(source, networks_of(networks, cluster.remote))

    return asyncio.run(read())
