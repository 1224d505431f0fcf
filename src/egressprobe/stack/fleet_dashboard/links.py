"""Which accounts of the fleet do not share their metrics with the account of the dashboards: their rows have no data.

https://docs.aws.amazon.com/OAM/latest/APIReference/API_ListSinks.html and API_ListAttachedLinks.html, in each region.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from egressprobe.stack.aws_answers import aws_errors, error_line, is_foreign_answer
from egressprobe.stack.fleet.file import ListedCluster

_METRIC = "AWS::CloudWatch::Metric"
_MOST_NAMED = 20


def missing_links(client_of: Callable[[str], Any], clusters: Iterable[ListedCluster], account: str) -> Iterator[str]:
    """A line for each region in which something is missing, or could not be read.

    client_of: boto3's client of Observability Access Manager in a region. account: that has the dashboards.
    """
    needed: dict[str, set[str]] = {}
    for cluster in clusters:
        if cluster.account != account:
            needed.setdefault(cluster.region, set()).add(cluster.account)
    for region, accounts in sorted(needed.items()):
        try:
            yield from _missing(client_of(region), region, accounts)
        except Exception as error:
            if not isinstance(error, aws_errors()) and not is_foreign_answer(error):
                raise
            yield f"{region}: whether the accounts are linked could not be read: {error_line(error)}"


def _missing(oam: Any, region: str, accounts: set[str]) -> Iterator[str]:
    sinks = [sink["Arn"] for page in oam.get_paginator("list_sinks").paginate() for sink in page.get("Items") or ()]
    if not sinks:
        yield f"{region}: no sink, so other accounts' rows have no data; deploy/fleet/monitoring-account.yaml"
        return
    linked: set[str] = set()
    for sink in sinks:
        for page in oam.get_paginator("list_attached_links").paginate(SinkIdentifier=sink):
            links = (link for link in page.get("Items") or () if _METRIC in link.get("ResourceTypes") or ())
            linked |= {link["LinkArn"].split(":")[4] for link in links}
    unlinked = sorted(accounts - linked)
    if unlinked:
        more = f" and {len(unlinked) - _MOST_NAMED} more" if len(unlinked) > _MOST_NAMED else ""
        named = ", ".join(unlinked[:_MOST_NAMED])
        yield f"{region}: no link from {named}{more}, so no data; deploy/fleet/source-account.yaml"
