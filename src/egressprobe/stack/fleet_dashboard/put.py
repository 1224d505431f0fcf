"""Writes the pages to CloudWatch, and removes those that the fleet no longer needs.

PutDashboard replaces a dashboard of the same name silently, so only one that this command wrote is replaced or deleted.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html
"""

import re
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from egressprobe.model.errors import InputError
from egressprobe.stack.fleet_dashboard.widgets import WRITTEN_BY


class PageChanges(NamedTuple):
    """Names of dashboards. replaced: they exist and are ours; stale: pages of ours that are not needed any more."""

    added: tuple[str, ...]
    replaced: tuple[str, ...]
    stale: tuple[str, ...]


def page_changes(cloudwatch: Any, name: str, bodies: Mapping[str, str]) -> PageChanges:
    """What writing `bodies` would change. name: of the first page.

    Raises InputError where a dashboard of one of the names was not written by this command; botocore's exceptions.
    """
    listed = _listed(cloudwatch, name)
    for taken in sorted(bodies.keys() & listed):
        if not _is_ours(cloudwatch, taken):
            text = f'the dashboard "{taken}" exists and was not written by this command; give another name'
            raise InputError("NAME", text)
    further = [page for page in listed - bodies.keys() if re.fullmatch(rf"{re.escape(name)}-[0-9]+", page)]
    return PageChanges(
        tuple(page for page in bodies if page not in listed),
        tuple(page for page in bodies if page in listed),
        tuple(page for page in sorted(further) if _is_ours(cloudwatch, page)),
    )


def put_pages(cloudwatch: Any, bodies: Mapping[str, str], stale: tuple[str, ...]) -> None:
    """Raises botocore's exceptions; what AWS remarks about a body is printed."""
    for name, body in bodies.items():
        answer = cloudwatch.put_dashboard(DashboardName=name, DashboardBody=body)
        for remark in answer.get("DashboardValidationMessages") or ():
            print(f"{name}: {remark.get('DataPath', '')}: {remark.get('Message', '')}", file=sys.stderr)
    if stale:
        cloudwatch.delete_dashboards(DashboardNames=list(stale))


def _listed(cloudwatch: Any, prefix: str) -> set[str]:
    pages = cloudwatch.get_paginator("list_dashboards").paginate(DashboardNamePrefix=prefix)
    return {entry["DashboardName"] for page in pages for entry in page.get("DashboardEntries") or ()}


def _is_ours(cloudwatch: Any, name: str) -> bool:
    return WRITTEN_BY in cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"]
