"""Flow log records, as text and as rows, of two interfaces of probes and one of the control plane."""

from egressprobe.model.target import Impact
from egressprobe.observability.flows.judge import Watched, as_time
from egressprobe.observability.flows.records import FlowScope, count_records, fields_of
from egressprobe.observability.flows.report import KnownTarget, join_flows, verdict_of_rows
from egressprobe.observability.flows.result import (
    CONTROL_PLANE,
    FLOWS_SCHEMA,
    PROBE,
    FlowInterface,
    Flows,
    FlowSource,
    ObservedSubnet,
)
from tests.support.aws.observed import ACCOUNT, GROUPS

NOW = 1_795_000_000  # a time; tests that need the present use their own
PROBE_A, PROBE_B, EKS_A = "eni-0aaaaaaaaaaaaaaa1", "eni-0bbbbbbbbbbbbbbb2", "eni-0eeeeeeeeeeeeeee3"
ADDRESSES = {PROBE_A: "10.0.1.10", PROBE_B: "10.0.2.10", EKS_A: "10.0.1.77"}
V5 = "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} \
${bytes} ${start} ${end} ${action} ${log-status} ${tcp-flags}"
ODD = "${end} ${start} ${tcp-flags} ${dstport} ${srcport} ${dstaddr} ${srcaddr} ${reject-reason} ${action} ${interface-id}"


def record(interface, source, target, ports, *, start, action="ACCEPT", flags=2, packets=3, status="OK", seconds=60):
    """Values of one record by the fields' names."""
    nothing = status != "OK"
    return {
        "version": "5",
        "account-id": ACCOUNT,
        "interface-id": interface,
        "srcaddr": "-" if nothing else source,
        "dstaddr": "-" if nothing else target,
        "srcport": "-" if nothing else str(ports[0]),
        "dstport": "-" if nothing else str(ports[1]),
        "protocol": "-" if nothing else "6",
        "packets": "-" if nothing else str(packets),
        "bytes": "-" if nothing else str(packets * 60),
        "start": str(start),
        "end": str(start + seconds),
        "action": "-" if nothing else action,
        "log-status": status,
        "tcp-flags": "-" if nothing else str(flags),
        "reject-reason": "-",
    }


def exchange(interface, target, port, *, start, answered=True, action="ACCEPT", back="ACCEPT", flags=(2, 18)):
    """A request, and what returned."""
    own = ADDRESSES[interface]
    yield record(interface, own, target, (40_000, port), start=start, action=action, flags=flags[0])
    if answered and action == "ACCEPT":
        yield record(interface, target, own, (port, 40_000), start=start, action=back, flags=flags[1], packets=2)


def as_line(values, fields):
    return " ".join(values[name] for name in fields)


def interface(name, subnet, description, groups=GROUPS):
    """As DescribeNetworkInterfaces returns it."""
    return {
        "NetworkInterfaceId": name,
        "SubnetId": subnet,
        "VpcId": "vpc-1",
        "Description": description,
        "Groups": [{"GroupId": group, "GroupName": group} for group in groups],
        "PrivateIpAddress": ADDRESSES.get(name, "10.0.9.9"),
        "PrivateIpAddresses": [{"PrivateIpAddress": ADDRESSES.get(name, "10.0.9.9"), "Primary": True}],
        "Ipv6Addresses": [],
    }


INTERFACES = [
    interface(PROBE_A, "subnet-0a", "AWS Lambda VPC ENI-egressprobe-1a2b3c4d-probe-0-7f0"),
    interface(PROBE_B, "subnet-0b", "AWS Lambda VPC ENI-egressprobe-1a2b3c4d-probe-2-7f1"),
    interface(EKS_A, "subnet-0a", "Amazon EKS prod"),
    interface("eni-0ff", "subnet-0a", "AWS Lambda VPC ENI-another-1", groups=("sg-0a",)),
]


def flow_log(name="fl-1", **more):
    """As DescribeFlowLogs returns it; to CloudWatch Logs."""
    return {
        "FlowLogId": name,
        "FlowLogStatus": "ACTIVE",
        "ResourceId": "vpc-1",
        "TrafficType": "ALL",
        "LogDestinationType": "cloud-watch-logs",
        "LogGroupName": "/vpc/flows",
        "LogFormat": V5,
        "MaxAggregationInterval": 60,
        "DeliverLogsStatus": "SUCCESS",
    } | more


SUBNETS = (ObservedSubnet("subnet-0a", "eu-west-1a"), ObservedSubnet("subnet-0b", "eu-west-1b"))
HERE = (
    FlowInterface(PROBE_A, PROBE, "subnet-0a", (ADDRESSES[PROBE_A],), flow_logs=("fl-1",)),
    FlowInterface(PROBE_B, PROBE, "subnet-0b", (ADDRESSES[PROBE_B],), flow_logs=("fl-1",), no_data=4),
    FlowInterface(EKS_A, CONTROL_PLANE, "subnet-0a", (ADDRESSES[EKS_A],), flow_logs=("fl-1",)),
)


def hour(interface, target, port, **more):
    """An exchange each minute of the hour before NOW, up to when records are delivered."""
    return [v for i in range(53) for v in exchange(interface, target, port, start=NOW - 3590 + 60 * i, **more)]


def example_flows():
    """A report of every state that a reader meets most."""
    values = [
        *hour(PROBE_A, "10.0.3.7", 8443, action="REJECT"),
        *hour(PROBE_B, "10.0.3.7", 8443),
        *hour(PROBE_A, "203.0.113.5", 443, answered=False),
        *hour(PROBE_B, "203.0.113.5", 443, answered=False),
        *hour(PROBE_A, "198.51.100.9", 443),
        *hour(PROBE_B, "198.51.100.9", 443),
        *hour(EKS_A, "10.0.3.7", 8443, action="REJECT"),
        *hour(PROBE_A, "192.0.2.44", 443, action="REJECT"),
    ]
    fields = fields_of(V5)
    scope = FlowScope(
        {name: frozenset({address}) for name, address in ADDRESSES.items()}, frozenset({443, 8443}), NOW - 3600, NOW
    )
    counts, _ = count_records([as_line(value, fields) for value in values], fields, scope)
    watched = {one.id: Watched(True, NOW - 360, 60, False) for one in HERE}
    targets = [
        KnownTarget("policy.example.com", "https://policy.example.com/validate", 8443, Impact.BLOCKS,
                    places=(("10.0.3.7", 8443),), source="log"),
        KnownTarget("https://oidc.example.com", "https://oidc.example.com", 443, Impact.NONE,
                    places=(("203.0.113.5", 443),), source="probe"),
        KnownTarget("metrics.kube-system.svc", "https://metrics.kube-system.svc:443", 443, None,
                    places=(("198.51.100.9", 443),), source="plan"),
        KnownTarget("idle.example.com", "https://idle.example.com", 443, Impact.BYPASSES),
    ]  # fmt: skip
    joined = join_flows(targets, counts, HERE, watched, SUBNETS)
    return Flows(
        schema_version=FLOWS_SCHEMA,
        started_at=as_time(NOW),
        duration_ms=4200.0,
        stack="egressprobe-prod",
        cluster_name="prod",
        since=as_time(NOW - 3600),
        until=as_time(NOW),
        verdict=verdict_of_rows(joined.rows),
        subnets=SUBNETS,
        interfaces=HERE,
        sources=(
            FlowSource("fl-1", "vpc-1", "cloud-watch-logs /vpc/flows", "Logs Insights", "ALL", 60, fields, 81_000_000,
                       0.0004),
        ),
        rows=joined.rows,
        others=joined.others,
        notes=("The addresses of these targets are not known, so their flows are among the others: idle.example.com.",),
    )  # fmt: skip
