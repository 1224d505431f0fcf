"""The interfaces of the probes and of the control plane, and the flow logs that record them.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeFlowLogs.html
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from egressprobe.aws.observability.calls import listed
from egressprobe.net.addresses import canonical
from egressprobe.observability.flows.records import fields_of
from egressprobe.observability.flows.result import CONTROL_PLANE, PROBE, FlowInterface

_LAMBDA = "AWS Lambda VPC ENI-*"
CLOUDWATCH, S3, FIREHOSE = "cloud-watch-logs", "s3", "kinesis-data-firehose"
# CloudWatch Logs can be asked without a table, and has records after about 5 minutes; S3 after about 10.
# https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html
_KINDS = (CLOUDWATCH, S3, FIREHOSE)
DELIVERY_SECONDS = {CLOUDWATCH: 300, S3: 600, FIREHOSE: 300}
_PARQUET = "parquet"


class FlowLog(NamedTuple):
    """One flow log. place: name of the log group, or ARN of bucket and prefix or of the stream. interval: seconds."""

    id: str
    resource: str
    kind: str
    place: str
    traffic: str
    fields: tuple[str, ...]
    interval: int
    parquet: bool = False
    hive: bool = False
    hourly: bool = False
    problem: str = ""


class FoundInterfaces(NamedTuple):
    """vpc: of the interfaces; empty where there are none."""

    vpc: str
    interfaces: tuple[FlowInterface, ...]


def find_interfaces(ec2: Any, cluster: str, subnets: Sequence[str], groups: Iterable[str]) -> FoundInterfaces:
    """The interfaces through which the probes' and the control plane's packets leave.

    Lambda shares one interface among all functions with the same subnet and security groups.
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-enis. Raises AwsError.
    """
    description = {"Name": "description", "Values": [_LAMBDA, f"Amazon EKS {cluster}"]}
    items = listed(
        ec2,
        "describe_network_interfaces",
        "NetworkInterfaces",
        Filters=[{"Name": "subnet-id", "Values": list(subnets)}, description],
    )
    wanted = frozenset(groups)
    found_interfaces, vpcs = [], set()
    for item in items:
        control_plane = item.get("Description") == f"Amazon EKS {cluster}"
        of_item = {group["GroupId"] for group in item.get("Groups") or ()}
        if control_plane or of_item == wanted:
            vpcs.add(str(item.get("VpcId", "")))
            found_interfaces.append(
                FlowInterface(
                    id=item["NetworkInterfaceId"],
                    kind=CONTROL_PLANE if control_plane else PROBE,
                    subnet_id=str(item.get("SubnetId", "")),
                    addresses=tuple(_addresses(item)),
                    description=str(item.get("Description", "")),
                )
            )
    found_interfaces.sort(key=lambda interface: (interface.kind != PROBE, interface.subnet_id, interface.id))
    return FoundInterfaces(min(vpcs, default=""), tuple(found_interfaces))


def _addresses(item: dict[str, Any]) -> list[str]:
    private = [entry.get("PrivateIpAddress") for entry in item.get("PrivateIpAddresses") or ()]
    ipv6 = [entry.get("Ipv6Address") for entry in item.get("Ipv6Addresses") or ()]
    return [canonical(text) for text in dict.fromkeys((item.get("PrivateIpAddress"), *private, *ipv6)) if text]


def find_flow_logs(ec2: Any, vpc: str, interfaces: Iterable[FlowInterface]) -> list[FlowLog]:
    """The active flow logs of the VPC, the subnets and the interfaces; the easiest to read first. Raises AwsError."""
    of_interfaces = list(interfaces)
    resources = sorted({vpc} | {text for interface in of_interfaces for text in (interface.id, interface.subnet_id)})
    items: list[Any] = []
    for i in range(0, len(resources), 100):
        filters = [{"Name": "resource-id", "Values": resources[i : i + 100]}]
        items += listed(ec2, "describe_flow_logs", "FlowLogs", Filter=filters)
    flow_logs = [_flow_log(item) for item in items if item.get("FlowLogStatus", "ACTIVE") == "ACTIVE"]
    return sorted(flow_logs, key=lambda log: (_KINDS.index(log.kind), log.traffic != "ALL", log.parquet, log.id))


def _flow_log(item: dict[str, Any]) -> FlowLog:
    kind = item.get("LogDestinationType") or CLOUDWATCH
    options = item.get("DestinationOptions") or {}
    group = item.get("LogGroupName") or str(item.get("LogDestination", "")).partition(":log-group:")[2].removesuffix(
        ":*"
    )
    failed = item.get("DeliverLogsErrorMessage") if item.get("DeliverLogsStatus") == "FAILED" else ""
    return FlowLog(
        id=item["FlowLogId"],
        resource=str(item.get("ResourceId", "")),
        kind=kind if kind in _KINDS else FIREHOSE,
        place=group if kind == CLOUDWATCH else str(item.get("LogDestination", "")),
        traffic=item.get("TrafficType") or "ALL",
        fields=fields_of(item.get("LogFormat") or ""),
        interval=int(item.get("MaxAggregationInterval") or 600),
        parquet=options.get("FileFormat") == _PARQUET,
        hive=bool(options.get("HiveCompatiblePartitions")),
        hourly=bool(options.get("PerHourPartition")),
        problem=f"its delivery fails: {failed}" if failed else "",
    )


def covers(log: FlowLog, interface: FlowInterface, vpc: str) -> bool:
    """Whether a flow log records an interface."""
    return log.resource in (vpc, interface.subnet_id, interface.id)
