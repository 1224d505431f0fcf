"""Prints the dashboards of a file, or writes them to CloudWatch."""

import argparse
import json
import re
import sys
import textwrap
from typing import Any

from egressprobe.model.errors import InputError
from egressprobe.stack.access.identifiers import ACCOUNT_ID
from egressprobe.stack.artifacts import account as account_of
from egressprobe.stack.deploy import confirmed, require_terminal
from egressprobe.stack.fleet.file import read_clusters
from egressprobe.stack.fleet_dashboard.console import AccessPortal, dashboard_url
from egressprobe.stack.fleet_dashboard.links import missing_links
from egressprobe.stack.fleet_dashboard.pages import FleetPages, fleet_dashboards
from egressprobe.stack.fleet_dashboard.put import page_changes, put_pages
from egressprobe.stack.survey import MAX_SUBNETS

# PutDashboard's; a number is added.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,240}")
# https://aws.amazon.com/cloudwatch/pricing/: above three of an account.
_DOLLARS_A_MONTH = 3
_WIDTH = 80


def fleet_dashboard(options: argparse.Namespace, session: Any) -> int:
    """session: boto3's; None: nothing is asked of AWS, so options has account, region and print.

    Raises InputError and botocore's exceptions.
    """
    _check(options)
    if not options.print:
        require_terminal(yes=options.yes)
        if options.file == "-" and not options.yes:
            raise InputError(
                "YES", "is not set, and standard input is the file, so there is no terminal to ask; set YES=1"
            )
    file = read_clusters(options.file)
    account = account_of(session) if session else options.account
    if options.account not in (None, account):
        raise InputError("--account", f"is {options.account}, and the credentials are of {account}")
    region = session.region_name if session else options.region
    pages = FleetPages(
        options.name,
        account,
        region,
        True if options.monitoring_account else None,
        options.subnets,
        AccessPortal(options.portal, options.role),
    )
    bodies = fleet_dashboards(file, pages)
    if options.print:
        print(json.dumps({name: json.loads(body) for name, body in bodies.items()}, indent=1))
        return 0
    print(f"Fleet dashboard of {len(file.clusters)} clusters, account {account}", file=sys.stderr)
    for line in missing_links(lambda place: session.client("oam", region_name=place), file.clusters, account):
        print(textwrap.fill(line, _WIDTH, initial_indent="  ", subsequent_indent="    "), file=sys.stderr)
    return _put(session, options, bodies, region)


def _put(session: Any, options: argparse.Namespace, bodies: dict[str, str], region: str) -> int:
    cloudwatch = session.client("cloudwatch")
    changes = page_changes(cloudwatch, options.name, bodies)
    for verb, names in (("add", changes.added), ("replace", changes.replaced), ("delete", changes.stale)):
        if names:
            print(f"  {verb} {_range(names)}", file=sys.stderr)
    price = f"${_DOLLARS_A_MONTH} a month for each dashboard above an account's first three"
    print(f"  {price}", file=sys.stderr)
    if not options.yes and not confirmed():
        print("Nothing was changed.", file=sys.stderr)
        return 1
    put_pages(cloudwatch, bodies, changes.stale)
    print(dashboard_url(options.name, region))
    return 0


def _range(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]} ({len(names)})"


def _check(options: argparse.Namespace) -> None:
    if not _NAME.fullmatch(options.name):
        raise InputError("NAME", "is not a dashboard's name: letters, digits, - and _, at most 240")
    if re.search("-[0-9]+$", options.name):
        raise InputError("NAME", "ends like a further page of another name; choose one without a number at its end")
    if options.account and not ACCOUNT_ID.fullmatch(options.account):
        raise InputError("--account", "is not an account of 12 digits")
    if not 1 <= options.subnets <= MAX_SUBNETS:
        raise InputError("SUBNETS", f"is not from 1 to {MAX_SUBNETS}")
    if options.portal and not options.portal.startswith("https://"):
        raise InputError("PORTAL", "is not the URL of an access portal, https://NAME.awsapps.com/start")
    if options.role and not options.portal:
        raise InputError("ROLE", "is of the links by an access portal; give PORTAL as well")
