"""The Planner's settings, from the function's environment, and its AWS clients."""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

# Functions invoked at the same time: 16 subnets, two parts of a large plan each.
MAX_AT_ONCE = 32


class Probe(NamedTuple):
    """One probe function and its subnet."""

    slot: int
    subnet_id: str
    availability_zone: str
    function: str

    @property
    def prefix(self) -> str:
        """The names of its schedules begin with this."""
        return f"s{self.slot:02d}-"


# A probe responds within a minute, and so does Discover.
_RESPONSE_SECONDS = 65


class Settings(NamedTuple):
    """groups: the control plane's security groups at deployment. discover: ARN, empty for no discovery.

    exclude: names of discovered targets that are not probed; * and ? as in a shell. audit_skip: codes of findings that
    the audit does not report. audits: whether the Planner may read the VPC's configuration. corroborate: what of the
    real API server is compared with the probes: `metrics`, `logs` (and metrics) or `false`.
    """

    cluster_name: str
    probes: tuple[Probe, ...]
    group: str
    role: str
    discover: str = ""
    groups: tuple[str, ...] = ()
    ip_family: str = ""
    exclude: tuple[str, ...] = ()
    audit_skip: tuple[str, ...] = ()
    audits: bool = True
    region: str = ""
    corroborate: str = "false"


class Clients(NamedTuple):
    eks: Any
    ec2: Any
    scheduler: Any
    functions: Any


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Of the function's environment. Raises KeyError for a variable that every deployment sets."""
    read = environment.__getitem__
    prefix = read("EGRESSPROBE_PROBES")
    probes = []
    for slot, text in enumerate(read("EGRESSPROBE_SUBNETS").split(",")):
        subnet, _, zone = text.partition("/")
        if subnet != "-":
            probes.append(Probe(slot, subnet, zone, f"{prefix}{slot}"))
    return Settings(
        cluster_name=read("EGRESSPROBE_CLUSTER_NAME"),
        probes=tuple(probes),
        group=read("EGRESSPROBE_SCHEDULE_GROUP"),
        role=read("EGRESSPROBE_SCHEDULE_ROLE"),
        discover=environment.get("EGRESSPROBE_DISCOVER", ""),
        groups=_listed(environment, "EGRESSPROBE_CLUSTER_GROUPS"),
        ip_family=environment.get("EGRESSPROBE_IP_FAMILY", ""),
        exclude=_listed(environment, "EGRESSPROBE_EXCLUDE"),
        audit_skip=_listed(environment, "EGRESSPROBE_AUDIT_SKIP"),
        audits=environment.get("EGRESSPROBE_AUDIT_PERMISSIONS", "true") != "false",
        region=environment.get("AWS_REGION", ""),
        corroborate=environment.get("EGRESSPROBE_CORROBORATE", "false"),
    )


def _listed(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(word for word in environment.get(name, "").split(",") if word)


@cache
def clients() -> Clients:
    """Created once per execution environment: each takes tens of milliseconds."""
    import boto3
    from botocore.config import Config

    patient = Config(connect_timeout=5, read_timeout=15, retries={"mode": "standard", "total_max_attempts": 4})
    # A retried invocation would probe twice.
    once = Config(
        connect_timeout=5,
        read_timeout=_RESPONSE_SECONDS,
        retries={"total_max_attempts": 1},
        max_pool_connections=MAX_AT_ONCE,
    )
    return Clients(
        boto3.client("eks", config=patient),
        boto3.client("ec2", config=patient),
        boto3.client("scheduler", config=patient),
        boto3.client("lambda", config=once),
    )
