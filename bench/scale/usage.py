"""What a fleet takes at once, by quota: the most of one account, region, VPC or event bus."""

from collections import defaultdict
from typing import Any, NamedTuple

from bench.scale.counting import shards
from bench.scale.fleet import Cluster
from bench.scale.quotas import Quota

from egressprobe.stack.price import Size, run_seconds

# Seconds that a run takes while what it probes is silent (docs/design.md: "five seconds instead of thirty").
SILENT_SECONDS = 5.0
_METRICS_INSIGHTS, _ALARM = "Metrics Insights alarm", "AWS::CloudWatch::Alarm"


class Stack(NamedTuple):
    """counts: as counts.json has it."""

    counts: dict[str, Any]

    def resources(self, kind: str, cluster: Cluster) -> int:
        """Of one type in the stack of a cluster."""
        stack = self.counts["stack"]
        return int(stack["shared"].get(kind, 0) + stack["subnet"].get(kind, 0) * cluster.subnets)

    def runs(self, cluster: Cluster) -> int:
        """Runs of its Probes each minute."""
        return cluster.subnets * shards(cluster.targets)

    def run_seconds(self, cluster: Cluster) -> float:
        return run_seconds(Size(cluster.subnets, cluster.targets, shards(cluster.targets)))

    def taken(self, quota: str, cluster: Cluster) -> int:
        """What the stack of one cluster takes of a quota of the kind `count`."""
        runs = self.runs(cluster)
        match quota:
            case "metricsInsightsAlarms":
                return self.resources(_METRICS_INSIGHTS, cluster)
            case "clusters" | "stacks" | "stackInstances":
                return 1
            case "rules":
                return self.resources("AWS::Events::Rule", cluster)
            case "roles":
                return self.resources("AWS::IAM::Role", cluster)
            case "lambdaInterfaces" | "interfaces":
                # One for each subnet and set of security groups; each cluster has a security group of its own, so
                # that clusters share none. https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
                return cluster.subnets
            case "logGroups":
                return self.resources("AWS::Logs::LogGroup", cluster)
            case "schedules":
                # Two of the plan's never fire: what was discovered, and the owners.
                return runs + self.resources("AWS::Scheduler::Schedule", cluster) + 2
            case "logQueries":
                return int(self.counts["stack"]["dashboard"]["logQueries"])
            case "concurrency":
                # All runs at once; Discover waits beside the Planner.
                return runs + self.resources("AWS::Lambda::Function", cluster) - cluster.subnets
        raise KeyError(quota)


class Busiest(NamedTuple):
    """used: the most of one scope. clusters: how many are in that scope."""

    quota: Quota
    used: int
    clusters: int

    @property
    def share(self) -> float:
        return self.used / self.quota.value


def busiest(quota: Quota, fleet: list[Cluster], stack: Stack) -> Busiest:
    """Where a quota of the kind `count` is used most."""
    used: dict[Any, list[int]] = defaultdict(list)
    for cluster in fleet:
        used[_scope(quota.scope, cluster)].append(stack.taken(quota.id, cluster))
    most = max(used.values(), key=sum)
    return Busiest(quota, sum(most), len(most))


def _scope(scope: str, cluster: Cluster) -> Any:
    if scope == "StackSet":
        return scope
    return cluster.account if scope == "account" else (cluster.account, cluster.region)
