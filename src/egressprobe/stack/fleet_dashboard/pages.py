"""The dashboards of a file of clusters: rows and overviews on as many pages as CloudWatch's quotas need.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html: 500 widgets a dashboard, 500
metrics a widget, 2,500 metrics a dashboard, all of them with those "retrieved for use in metric math functions, even if
those metrics are not displayed". No quota of the body's size is documented.
"""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from egressprobe.stack.fleet.file import ClustersFile, ListedCluster
from egressprobe.stack.fleet.plan import numbered_name
from egressprobe.stack.fleet_dashboard.console import AccessPortal, dashboard_url
from egressprobe.stack.fleet_dashboard.overview import overview
from egressprobe.stack.fleet_dashboard.scope import ClusterScope
from egressprobe.stack.fleet_dashboard.widgets import ClusterRow, WidgetBlock, head_block, row_block
from egressprobe.stack.survey import MAX_SUBNETS

_MOST_METRICS = 2500
# More would be allowed, but a page loads each of its metrics, and people do not read so far down. With the overviews
# that the quota of metrics allows beside them they have fewer than 500 widgets.
_MOST_ROWS = 100


class FleetPages(NamedTuple):
    """How the pages are made.

    name: of the first dashboard; the next are NAME-2, NAME-3. account: that has the dashboards; region: of its links.
    monitoring: whether it is a monitoring account; None: where the file has a cluster of another account. subnets: the
    most that a cluster of the file has, where the file does not list them.
    """

    name: str
    account: str
    region: str
    monitoring: bool | None = None
    subnets: int = MAX_SUBNETS
    portal: AccessPortal = AccessPortal()


def fleet_dashboards(file: ClustersFile, pages: FleetPages) -> dict[str, str]:
    """Name of each dashboard -> its body, JSON. The rows are in the order of the file."""
    monitoring = pages.monitoring
    if monitoring is None:
        monitoring = any(cluster.account != pages.account for cluster in file.clusters)
    overviews = [overview(region, monitoring=monitoring) for region in sorted({c.region for c in file.clusters})]
    rows = [row_block(_row(file, cluster, pages, monitoring=monitoring)) for cluster in file.clusters]
    packed = _packed(overviews, rows)
    names = [numbered_name(pages.name, number) for number in range(1, len(packed) + 1)]
    links = [dashboard_url(name, pages.region) for name in names]
    bodies = {}
    for number, (name, blocks) in enumerate(zip(names, packed, strict=True)):
        title = f"EKS control-plane egress: {_count(file)}, page {number + 1} of {len(packed)}"
        top = head_block(title, [*links[:number], "", *links[number + 1 :]])
        bodies[name] = _body([top, *blocks])
    return bodies


def _row(file: ClustersFile, cluster: ListedCluster, pages: FleetPages, *, monitoring: bool) -> ClusterRow:
    elsewhere = cluster.account if cluster.account != pages.account else ""
    given = file.parameters_of(cluster)
    url = ""
    if given.get("CreateDashboard") != "false":
        # The dashboard's name does not follow NamePrefix.
        url = pages.portal.link(cluster.account, dashboard_url(f"egressprobe-{cluster.name}", cluster.region))
    return ClusterRow(
        ClusterScope(cluster.name, elsewhere, monitoring),
        cluster.account,
        cluster.region,
        len(cluster.subnets) or pages.subnets,
        bool(cluster.subnets),
        url,
    )


def _count(file: ClustersFile) -> str:
    clusters, accounts = len(file.clusters), len({cluster.account for cluster in file.clusters})
    return f"{clusters} cluster{'s' * (clusters != 1)} in {accounts} account{'s' * (accounts != 1)}"


def _packed(overviews: Iterable[WidgetBlock], rows: Iterable[WidgetBlock]) -> list[list[WidgetBlock]]:
    """Blocks of each page, in order, each page within the quotas."""
    packed: list[list[WidgetBlock]] = [[]]
    count = 0
    for block, is_row in [*((block, False) for block in overviews), *((block, True) for block in rows)]:
        page = packed[-1]
        metrics = sum(placed.metrics for placed in (*page, block))
        if page and (metrics > _MOST_METRICS or count + is_row > _MOST_ROWS):
            packed.append([])
            count = 0
        packed[-1].append(block)
        count += is_row
    return packed


def _body(blocks: Iterable[WidgetBlock]) -> str:
    widgets: list[dict[str, Any]] = []
    y = 0
    for block in blocks:
        widgets += [widget | {"y": y + widget["y"]} for widget in block.widgets]
        y += block.height
    document = {"start": "-PT3H", "periodOverride": "inherit", "widgets": widgets}
    return json.dumps(document, separators=(",", ":"))
