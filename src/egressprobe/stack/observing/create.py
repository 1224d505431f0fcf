"""The command that creates a flow log of the interfaces, and what it costs."""

from collections.abc import Sequence

from egressprobe.observability.flows.records import DEFAULT_FIELDS
from egressprobe.observability.flows.result import FlowInterface

# Records of each minute and direction: the default fields, tcp-flags, and what CloudWatch Logs adds to an event.
_RECORD_BYTES, _MINUTES = 140, 43_830
# Vended logs to CloudWatch Logs, us-east-1, a GB: https://aws.amazon.com/cloudwatch/pricing/
_DOLLARS_A_GB = 0.50
# CreateFlowLogs takes up to 25 of one type: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateFlowLogs.html
_MOST = 25


def create_command(interfaces: Sequence[FlowInterface], cluster: str, region: str) -> tuple[str, ...]:
    """One line a part of up to 25 interfaces; <ROLE_ARN> is to be replaced. Without interfaces there is none."""
    fields = " ".join(f"${{{name}}}" for name in (*DEFAULT_FIELDS, "tcp-flags"))
    ids = [interface.id for interface in interfaces]
    return tuple(
        f"aws ec2 create-flow-logs --region {region} --resource-type NetworkInterface"
        f" --resource-ids {' '.join(ids[i : i + _MOST])} --traffic-type ALL --max-aggregation-interval 60"
        f" --log-destination-type cloud-watch-logs --log-group-name /egressprobe/{cluster}/flow-logs"
        f" --deliver-logs-permission-arn <ROLE_ARN> --log-format '{fields}'"
        for i in range(0, len(ids), _MOST)
    )


def creation_cost(targets: int, subnets: int) -> str:
    """What these flow logs cost a month, as far as it is the probes' traffic."""
    gigabytes = targets * subnets * 2 * _RECORD_BYTES * _MINUTES / 1e9
    return (
        f"Such a flow log costs ${_DOLLARS_A_GB:.2f} a GB that it delivers to CloudWatch Logs (us-east-1): about "
        f"${gigabytes * _DOLLARS_A_GB:.2f} a month for the probes' {targets} targets from {subnets} subnets, and more "
        "for the control plane's own traffic. <ROLE_ARN> is a role that may write the log: "
        "https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html. An interface that Lambda or EKS "
        "replaces needs a flow log again; one of the subnets (--resource-type Subnet) stays, and records all in them."
    )
