"""What reporting incidents needs: settings from the function's environment, and clients with short timeouts."""

import os
from collections.abc import Callable, Mapping
from functools import cache, cached_property
from typing import Any, NamedTuple

from egressprobe.aws.incidents.trail import TrailClients, trail_clients


class IncidentSettings(NamedTuple):
    """on: the stack has TargetNotifications=causes. Topics: ARNs, empty for none. alarm_prefix: `egressprobe CLUSTER `.

    egress_pages: whether an egress path that is down is a page. planner: ARN of this function, for schedules that
    invoke it once; empty: there are none. planner_role: with which they do; it must trust the schedule group.
    """

    on: bool = False
    page_topic: str = ""
    notice_topic: str = ""
    alarm_prefix: str = ""
    stack: str = ""
    dashboard_url: str = ""
    runbook_url: str = ""
    probe_logs: str = ""
    egress_pages: bool = True
    planner: str = ""
    planner_role: str = ""

    @property
    def account(self) -> str:
        """Of the Planner's ARN; empty where that is not known."""
        parts = self.planner.split(":")
        return parts[4] if len(parts) > 4 else ""


class IncidentClients:
    """Clients, each made when it is needed first: most runs need two. make: by boto3's name of the service."""

    def __init__(self, make: Callable[[str], Any], make_trail: Callable[[], TrailClients]) -> None:
        self._make, self._make_trail = make, make_trail

    @cached_property
    def cloudwatch(self) -> Any:
        return self._make("cloudwatch")

    @cached_property
    def scheduler(self) -> Any:
        return self._make("scheduler")

    @cached_property
    def sns(self) -> Any:
        return self._make("sns")

    @cached_property
    def events(self) -> Any:
        return self._make("events")

    @cached_property
    def logs(self) -> Any:
        return self._make("logs")

    @cached_property
    def trail(self) -> TrailClients:
        return self._make_trail()


def read_incident_settings(environment: Mapping[str, str] = os.environ) -> IncidentSettings:
    """Of the function's environment; without EGRESSPROBE_MESSAGES nothing is reported."""

    def read(name: str) -> str:
        return environment.get(f"EGRESSPROBE_{name}", "")

    return IncidentSettings(
        on=read("MESSAGES") == "true",
        page_topic=read("PAGE_TOPIC"),
        notice_topic=read("NOTICE_TOPIC"),
        alarm_prefix=read("ALARM_PREFIX") or f"egressprobe {read('CLUSTER_NAME')} ",
        stack=read("STACK"),
        dashboard_url=read("DASHBOARD_URL"),
        runbook_url=read("RUNBOOK_URL"),
        probe_logs=read("PROBE_LOGS"),
        egress_pages=read("EGRESS_PAGES") != "false",
        planner=read("PLANNER"),
        planner_role=read("PLANNER_SCHEDULE_ROLE") or read("SCHEDULE_ROLE"),
    )


@cache
def incident_clients() -> IncidentClients:
    """One set per execution environment. One request ends within 25 s: two attempts of 12 s each."""
    import boto3
    from botocore.config import Config

    config = Config(connect_timeout=3, read_timeout=9, retries={"mode": "standard", "total_max_attempts": 2})
    region = os.environ.get("AWS_REGION", "")
    return IncidentClients(lambda name: boto3.client(name, config=config), lambda: trail_clients(region))
