"""The Planner in this process, over moto's scheduler and EKS."""

import json
from collections import Counter
from contextlib import contextmanager

import boto3

from egressprobe.handlers import planner
from egressprobe.handlers.probe import handler as probe_handler
from egressprobe.planner import settings
from egressprobe.planner import vpc_audit as audits
from egressprobe.planner.evidence import corroborate
from egressprobe.planner.inventory import as_document, read_inventory
from egressprobe.planner.lookup.note import NOTE
from tests.support.aws import iam
from tests.support.aws.cloudformation import SUBNETS, rendered
from tests.support.aws.fake_aws import ENVIRONMENT, aws

GROUP = "egressprobe-1a2b3c4d"
PLAN = {"action": "plan"}


def hook(name, **more):
    return {"kind": "webhook", "name": name, "url": f"https://{name}.invalid/"} | more


class Context:
    aws_request_id = "11111111-2222-4333-8444-555555555555"

    def get_remaining_time_in_millis(self):
        return 20_000


@contextmanager
def planner_stack(tmp_path, monkeypatch, *, audited=False, **given):
    """The Planner's environment as the template renders it, in front of AWS on loopback; its calls are allowed ones.

    audited: without it nothing looks at the VPC, for which five more clients would be made in each test. Nor is the
    API server compared, unless CorroborateApiServer is given.
    """
    given = {"CorroborateApiServer": "false"} | given
    if not audited:
        monkeypatch.setattr(audits, "_snapshot", lambda *_: None)
    with aws() as cloud:
        found = rendered(3, **given)
        environment = found.of("AWS::Lambda::Function")["Planner"]["Environment"]["Variables"]
        for name, value in (ENVIRONMENT | environment | {"AWS_ENDPOINT_URL": cloud.url}).items():
            monkeypatch.setenv(name, value)
        place = tmp_path / "targets.json"
        monkeypatch.setattr("egressprobe.planner.inventory.BUNDLED", place)
        monkeypatch.setattr(planner.bundled, "__defaults__", (place,))
        monkeypatch.delenv("AWS_ENDPOINT_URL")
        eks, scheduler = boto3.client("eks"), boto3.client("scheduler")
        eks.create_cluster(
            name="prod",
            version="1.33",
            roleArn="arn:aws:iam::123456789012:role/eks",
            resourcesVpcConfig={
                "subnetIds": [text.partition("/")[0] for text in SUBNETS[:3]],
                "controlPlaneEgressMode": "CUSTOMER_ROUTED",
            },
        )
        scheduler.create_schedule_group(Name=GROUP)
        monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.url)
        for made in (settings.clients, audits._readers, corroborate._clients):
            made.cache_clear()
        yield Stack(cloud, found, place, scheduler)
        for made in (settings.clients, audits._readers, corroborate._clients):
            made.cache_clear()
        allowed = iam.statements(found, "PlannerRole")
        assert not {call for call in cloud.calls if not iam.allowed(allowed, call)}


class Stack:
    def __init__(self, cloud, found, place, scheduler):
        self.cloud, self.rendered, self._place, self.scheduler = cloud, found, place, scheduler

    def plan(self, *targets, **more):
        """The targets file that is deployed."""
        self._place.write_text(json.dumps(as_document(read_inventory({"targets": list(targets)} | more))))
        return self

    def run(self, event=PLAN):
        return planner.handler(event, Context())

    def schedules(self):
        """Name -> what GetSchedule says."""
        names = [one["Name"] for one in self.scheduler.list_schedules(GroupName=GROUP)["Schedules"]]
        return {name: self.scheduler.get_schedule(GroupName=GROUP, Name=name) for name in names}

    def plans(self):
        """Name of a schedule -> the plan in it."""
        found = self.schedules().items()
        return {name: json.loads(one["Target"]["Input"])["plan"] for name, one in found if name != NOTE}

    def planned(self, target):
        """One target as the first subnet's plan has it."""
        return next(raw for raw in self.plans()["s00-all"]["targets"] if raw["name"] == target)

    def covered(self):
        """How many schedules carry each target."""
        return Counter(target["name"] for plan in self.plans().values() for target in plan["targets"])

    def arn(self, slot):
        name = self.rendered.of("AWS::Lambda::Function")[f"Probe{slot}"]["FunctionName"]
        return f"arn:aws:lambda:eu-west-1:123456789012:function:{name}"

    def real_probes(self):
        """The real probe handler behind each function; names under .invalid do not resolve anywhere."""
        for slot in range(3):
            self.cloud.functions[self.arn(slot)] = lambda body: json.dumps(
                probe_handler(json.loads(body), Context())
            ).encode()
