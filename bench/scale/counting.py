"""Counts what the product does: the stack's resources, a Planner's calls of AWS, an outage's, a Probe's bytes of logs.

The Planner is the real one, over moto and, for an outage, over the world of the chaos tests. Each count is taken twice
or more, at sizes that differ in one thing, so that it becomes an amount for each run, subnet, schedule and load
balancer; a further size checks that this adds up. Takes about 15 s; `make scale COUNT=1` writes it into counts.json.
"""

import contextlib
import io
import json
import logging
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

COUNTS = Path(__file__).with_name("counts.json")
_SLOTS = 16
_FIRST_ADDRESS = 50  # last part of the first load balancer's
# Seconds of the calls in an outage: of AWS's APIs, and of a Probe that waits for what is silent.
_CALL_SECONDS, _PROBE_SECONDS = 0.1, 5.0
_OUTAGE = "no default route"
_OUTAGE_MINUTES = 10
# Names of the chaos world's calls as IAM's actions.
_ACTIONS = {
    "DescribeCluster": "eks:DescribeCluster",
    "LookupEvents": "cloudtrail:LookupEvents",
    "Publish": "sns:Publish",
    "PutEvents": "events:PutEvents",
}


class PlanSize(NamedTuple):
    """Of one cluster. balancers: Network Load Balancers that a target is behind, with one target group each."""

    subnets: int = 2
    targets: int = 20
    balancers: int = 0


class _Later(datetime):
    """The next run's clock: what a run notes with its time has changed by then."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:
        return datetime.now(tz) + timedelta(minutes=15)


def stack_counts() -> dict[str, Any]:
    """Resources of one stack by type: what each has, and what each subnet adds."""
    from tests.support.aws.cloudformation import rendered

    one, two, many = (Counter(_kinds(rendered(subnets))) for subnets in (1, 2, _SLOTS))
    slot = two - one
    shared = one - slot
    assert shared + _times(slot, _SLOTS) == many, "a resource is neither of the stack nor of a subnet"
    body = rendered(1).of("AWS::CloudWatch::Dashboard")["Dashboard"]["DashboardBody"]
    widgets = json.loads(body)["widgets"]
    return {
        "shared": _sorted(shared),
        "subnet": _sorted(slot),
        "dashboard": {
            "logQueries": sum(widget["type"] == "log" for widget in widgets),
            "metricsInsights": body.count('"SELECT '),
            "search": body.count('"SEARCH('),
        },
    }


def _kinds(stack: Any) -> Iterator[str]:
    for resource in stack.resources.values():
        yield resource["Type"]
        metrics = resource["Properties"].get("Metrics", [])
        if any("SELECT" in str(metric.get("Expression", "")) for metric in metrics):
            yield "Metrics Insights alarm"


def plan_counts() -> dict[str, dict[str, int]]:
    """Calls of a Planner's run that finds all as it was: of the run, a subnet, a schedule and a load balancer."""
    base = calls_of_plan(PlanSize())
    more = calls_of_plan(PlanSize(subnets=4))
    sharded = calls_of_plan(PlanSize(targets=150))
    balanced = calls_of_plan(PlanSize(balancers=2))
    subnet_and_schedule = _shared_out(more - base, 2)
    schedule = _shared_out(sharded - base, 2 * shards(150) - 2)
    subnet = subnet_and_schedule - schedule
    # The list of all load balancers is read once, where there is one at all.
    balancer = _shared_out(balanced - base - Counter({"elasticloadbalancing:DescribeLoadBalancers": 1}), 2)
    run = base - _times(schedule, 2) - _times(subnet, 2)
    counts = {"run": run, "subnet": subnet, "schedule": schedule, "balancer": balancer}
    return {name: _sorted(calls) for name, calls in counts.items()}


@cache
def shards(targets: int) -> int:
    """Schedules of Probes in each subnet: the Planner's own cut of an inventory."""
    from egressprobe.planner.inventory import read_inventory
    from egressprobe.planner.shards import cut

    raw = [{"kind": "webhook", "name": f"t{i}", "url": f"https://t{i}.invalid/"} for i in range(targets)]
    return len(cut(read_inventory({"targets": raw})).shards)


def calls_of_plan(size: PlanSize, *, first: bool = False) -> Counter[str]:
    """first: of the run that makes the schedules, not of the one after it."""
    import msgspec
    import pytest
    from tests.support.aws.planners import PLAN, Context, hook, planner_stack

    from egressprobe.handlers import planner
    from egressprobe.model.discovered import Discovered
    from egressprobe.planner import vpc_audit
    from egressprobe.planner.incidents import settings

    class Patient(Context):
        def get_remaining_time_in_millis(self) -> int:
            return 300_000

    _quiet()
    printed = io.StringIO()
    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        given = {"CorroborateApiServer": "metrics"}
        one = stack.enter_context(planner_stack(place, patch, audited=True, **given))
        patch.delenv("AWS_ENDPOINT_URL")
        one.cloud.cluster = _cluster(one, size, patch)
        patch.setenv("AWS_ENDPOINT_URL", one.cloud.url)
        patch.setattr(vpc_audit, "with_names", lambda snapshot, _: snapshot)
        stack.callback(settings.incident_clients.cache_clear)
        settings.incident_clients.cache_clear()
        function = os.environ["EGRESSPROBE_DISCOVER"]
        one.cloud.functions[function] = lambda _: msgspec.json.encode(Discovered())
        behind = [f"https://10.0.0.{_FIRST_ADDRESS + i}/" for i in range(size.balancers)]
        urls = behind + [f"https://t{i}.invalid/" for i in range(size.balancers, size.targets)]
        one.plan(*(hook(f"t{i}", url=url) for i, url in enumerate(urls)))
        stack.enter_context(contextlib.redirect_stdout(printed))
        stack.enter_context(contextlib.redirect_stderr(printed))
        planner.handler(PLAN, Patient())
        if not first:
            patch.setattr(planner, "datetime", _Later)
            one.cloud.calls.clear()
            planner.handler(PLAN, Patient())
        # PassRole is IAM's decision about another call.
        return Counter(call.action for call in one.cloud.calls if call.action != "iam:PassRole")


def _cluster(one: Any, size: PlanSize, patch: Any) -> dict[str, Any]:
    """Makes the VPC, the load balancers and the stack's alarms in moto; what EKS reports of the cluster."""
    import boto3

    ec2, balancing, alarms = (boto3.client(name) for name in ("ec2", "elbv2", "cloudwatch"))
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{i}.0/24")["Subnet"]["SubnetId"] for i in range(size.subnets)
    ]
    group = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"][0]["GroupId"]
    for number in range(size.balancers):
        made = balancing.create_load_balancer(Name=f"n{number}", Type="network", Subnets=subnets[:1])
        arn = made["LoadBalancers"][0]["LoadBalancerArn"]
        targets = balancing.create_target_group(Name=f"g{number}", Protocol="TCP", Port=443, VpcId=vpc)
        to = [{"Type": "forward", "TargetGroupArn": targets["TargetGroups"][0]["TargetGroupArn"]}]
        balancing.create_listener(LoadBalancerArn=arn, Protocol="TCP", Port=443, DefaultActions=to)
        described = f"ELB {arn.partition(':loadbalancer/')[2]}"
        address = f"10.0.0.{_FIRST_ADDRESS + number}"
        ec2.create_network_interface(SubnetId=subnets[0], PrivateIpAddress=address, Description=described)
    named = [properties["AlarmName"] for properties in one.rendered.of("AWS::CloudWatch::Alarm").values()]
    for name in named:
        metric = {"Namespace": "n", "MetricName": "m", "Statistic": "Sum", "Period": 60}
        rule = {"EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold"}
        alarms.put_metric_alarm(AlarmName=name, **metric, **rule)
        alarms.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="r")
    slots = [f"{name}/eu-west-1a" for name in subnets] + ["-"] * (_SLOTS - size.subnets)
    patch.setenv("EGRESSPROBE_SUBNETS", ",".join(slots))
    patch.setenv("EGRESSPROBE_CLUSTER_GROUPS", group)
    return {"resourcesVpcConfig": {"vpcId": vpc, "subnetIds": subnets, "clusterSecurityGroupId": group}}


def outage_counts() -> dict[str, Any]:
    """What the alarms of one outage in every subnet make the Planner call: (second after the first event, calls).

    `snapshot` is a reading of the VPC's configuration, the audit's calls of plan_counts; `probe` one for each subnet.
    """
    from tests.support.outages.world import BREAKAGES, OutageWorld

    world, calls = OutageWorld(), []

    def before(name: str) -> None:
        if world.run:
            calls.append((world.clock.now, _action(name)))
            world.clock.sleep(_PROBE_SECONDS if name.startswith("Invoke") else _CALL_SECONDS)

    world.calls.before = before
    broken = next(one for one in BREAKAGES if one.name == _OUTAGE)
    with world.running():
        world.breaks(broken)
        calls.clear()
        quiet = len(world.runs)
        world.pass_minutes(_OUTAGE_MINUTES)
    began = min(run.began for run in world.runs[quiet:])
    by_second = Counter((int(at - began), action) for at, action in calls if at >= began)
    invoked = len(world.runs) - quiet
    return {
        "invocations": invoked,
        "calls": [[second, action, count] for (second, action), count in sorted(by_second.items())],
    }


def _action(name: str) -> str:
    scheduler = {"list": "ListSchedules"}
    if name.startswith("Scheduler "):
        verb = name.removeprefix("Scheduler ")
        return f"scheduler:{scheduler.get(verb, f'{verb.title()}Schedule')}"
    if name.startswith("Invoke"):
        return "probe"
    if name == "Snapshot":
        return "snapshot"
    return _ACTIONS.get(name, f"cloudwatch:{name}")


def probe_counts() -> dict[str, int]:
    """Bytes of logs of a passing target, and of the rest of a run, as the Probe writes them."""
    import msgspec
    from tests.conftest import ROOT

    from egressprobe.model.report import count
    from egressprobe.publish import emf
    from egressprobe.publish.response import from_json

    report = from_json((ROOT / "tests" / "data" / "report.json").read_text())
    passing = [result for result in report.results if result.verdict == "pass"]
    sizes = []
    for results in ((), passing[:1], passing[:1] * 2):
        summary = count(result.verdict for result in results)
        shown = msgspec.structs.replace(report, results=tuple(results), summary=summary)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            emf.publish(shown)
        sizes.append(len(printed.getvalue()))
    return {"targetBytes": sizes[2] - sizes[1], "runBytes": sizes[1] - (sizes[2] - sizes[1])}


def everything() -> dict[str, Any]:
    """As counts.json has it."""
    return {
        "stack": stack_counts(),
        "plan": plan_counts(),
        "outage": outage_counts(),
        "probe": probe_counts(),
    }


def recorded() -> dict[str, Any]:
    """What counts.json has."""
    found: dict[str, Any] = json.loads(COUNTS.read_text())
    return found


def as_text(counts: dict[str, Any]) -> str:
    """JSON with short lists on one line, so that a difference is one line."""
    text = json.dumps(counts, indent=1)
    return re.sub(r"\[\s+(\d+),\s+(\"[^\"]+\"),\s+(\d+)\s+\]", r"[\1, \2, \3]", text) + "\n"


def _shared_out(calls: Counter[str], among: int) -> Counter[str]:
    assert not [count for count in calls.values() if count % among], f"{calls} is not in proportion to {among}"
    return Counter({action: count // among for action, count in calls.items()})


def _times(calls: Counter[str], factor: int) -> Counter[str]:
    return Counter({action: count * factor for action, count in calls.items()})


def _sorted(calls: Counter[str]) -> dict[str, int]:
    return {action: calls[action] for action in sorted(calls)}


def _quiet() -> None:
    for name in ("werkzeug", "samtranslator", "egressprobe", "egressprobe-planner"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
