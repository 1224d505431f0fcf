"""An egressprobe stack in the emulated account: deploy and destroy it as a user does, let minutes pass, read the pages."""

import json
import os
import re
import subprocess
import sys
from typing import Any, NamedTuple

from tests.conftest import ROOT
from tests.e2e.account import CLUSTER, client
from tests.e2e.emulation import CLIENT, control
from tests.e2e.inbox import Inbox

NAME = f"egressprobe-{CLUSTER}"


PAGE, NOTICE = "page", "notice"
EVENTS = "incidents"
_NOTIFIES = ("targets", "path broken", "egress path down", "probe broken", "probe impaired", "notices")


class Page(NamedTuple):
    """One message that a person got. minute: since the emulation began; the rest as docs/alarms.md names it."""

    minute: int
    tier: str
    alarm: str
    state: str
    target: str = ""
    code: str = ""
    impact: str = ""
    subnet: str = ""
    text: str = ""


class CauseMessage(NamedTuple):
    """One message of the Planner that a person got. minute: since the emulation began. attributes: SNS's."""

    minute: int
    tier: str
    subject: str
    text: str
    attributes: dict[str, str]


class Stack:
    """The stack of a cluster, and who is notified by it; `deploy` makes it."""

    def __init__(self, inbox: Inbox) -> None:
        self.inbox = inbox
        self.began = int(control("/now")) // 60
        self.minute = 0
        self.pages: list[Page] = []
        self.messages: list[CauseMessage] = []
        # (minute, alarm, attributes) of each series that entered ALARM.
        self.series: list[tuple[int, str, dict[str, str]]] = []
        self._seen = 0
        self._tiers: dict[str, str] = {}

    # -- the commands of a user -------------------------------------------------------------------------------

    def run(self, *words: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        """`python WORDS` as a user's shell would; its output is shown where the exit code is another."""
        process = self.start(*words)
        output, messages = process.communicate(timeout=300)
        assert process.returncode == expect, f"{' '.join(words)}: exit {process.returncode}\n{output}\n{messages}"
        return subprocess.CompletedProcess(process.args, process.returncode, output, messages)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """The same command, while it runs."""
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src"), "NO_COLOR": "1"} | CLIENT
        pipes: Any = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen([sys.executable, *words], env=environment, cwd=ROOT, text=True, **pipes)

    def deploy(self, **parameters: str) -> dict[str, Any]:
        """What `make deploy` runs; returns what it prints."""
        architecture = {"aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
        given = {"Architecture": architecture, **parameters}
        pairs = [f"{name}={value}" for name, value in given.items()]
        words = ("-m", "egressprobe.stack", "deploy", CLUSTER, "--yes", "--parameters", *pairs)
        return dict(json.loads(self.run(*words).stdout))

    def destroy(self) -> None:
        """What `make destroy` runs."""
        self.run("-m", "egressprobe.stack", "destroy", CLUSTER, "--yes")

    def invoke(self, *targets: str, expect: int = 0) -> dict[str, Any]:
        words = ("-m", "egressprobe", "invoke", "--stack", NAME, "-o", "json", *targets)
        return dict(json.loads(self.run(*words, expect=expect).stdout))

    def plan(self) -> dict[str, Any]:
        """What the Planner's schedule does, now. An answer with errorMessage: it raised, and Lambda's Errors count it."""
        control("/pass", 1)  # not in the same second as the run before: it stores the time of its look
        function = self.outputs["PlannerFunction"]
        answer = client("lambda").invoke(FunctionName=function, Payload=b'{"action": "plan"}')
        return dict(json.loads(answer["Payload"].read()))

    def planned(self) -> dict[int, set[str]]:
        """Slot -> names of the targets in its schedules."""
        scheduler, targets = client("scheduler"), {slot: set[str]() for slot in self.slots.values()}
        group = self.outputs["ScheduleGroup"]
        for entry in scheduler.list_schedules(GroupName=group)["Schedules"]:
            if re.match(r"s\d\d-", entry["Name"]):
                plan = json.loads(scheduler.get_schedule(GroupName=group, Name=entry["Name"])["Target"]["Input"])
                targets[int(entry["Name"][1:3])] |= {target["name"] for target in plan["plan"]["targets"]}
        return targets

    def _described(self) -> dict[str, Any]:
        [stack] = client("cloudformation").describe_stacks(StackName=NAME)["Stacks"]
        return dict(stack)

    @property
    def outputs(self) -> dict[str, str]:
        return {output["OutputKey"]: output["OutputValue"] for output in self._described()["Outputs"]}

    @property
    def slots(self) -> dict[str, int]:
        """Subnet -> slot."""
        values = {entry["ParameterKey"]: entry["ParameterValue"] for entry in self._described()["Parameters"]}
        return {text.partition("/")[0]: slot for slot, text in enumerate(values["Subnets"].split(",")) if text != "-"}

    def probe(self, subnet: str) -> str:
        """Name of the function in a subnet."""
        return self.resources("AWS::Lambda::Function")[f"Probe{self.slots[subnet]}"]

    def resources(self, kind: str) -> dict[str, str]:
        """Logical id -> physical id of the stack's resources of a type."""
        pages = client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=NAME)
        return {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for page in pages
            for resource in page["StackResourceSummaries"]
            if resource["ResourceType"] == kind
        }

    def notice_topic(self) -> str:
        """A topic of the user's own, whose policy lets alarms publish."""
        sns = client("sns")
        topic = str(sns.create_topic(Name="notices")["TopicArn"])
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": topic,
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
        return topic

    def subscribe(self, topic: str, tier: str) -> None:
        """The inbox to a topic, confirmed."""
        sns = client("sns")
        self._tiers[topic] = tier
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=f"http://127.0.0.1:{self.inbox.port}/")
        body = self.inbox.confirmation()
        sns.confirm_subscription(TopicArn=body["TopicArn"], Token=body["Token"])

    # -- time -------------------------------------------------------------------------------------------------

    def minutes(self, count: int) -> list[Page]:
        """Lets minutes pass, prints what changed, and returns the messages that arrived in the inbox."""
        first = len(self.pages)
        for _ in range(count):
            changed = control("/minute", {})
            self.minute = changed["now"] // 60 - self.began
            for transition in changed["transitions"]:
                alarm = transition["alarm"].removeprefix(f"egressprobe {CLUSTER} ")
                say(f"{self.minute:>5} min  {alarm}: {transition['before']} -> {transition['after']}")
            self.series += [
                (self.minute, one["alarm"].removeprefix(f"egressprobe {CLUSTER} "), one["attributes"])
                for one in changed["contributors"]
                if one["after"] == "ALARM"
            ]
            self._receive(changed["published"])
        for page in self.pages[first:]:
            named = " ".join(filter(None, (page.target, page.code, page.impact, page.subnet)))
            say(f"{page.minute:>5} min  {page.tier.upper()}: {page.alarm} {page.state} {named}")
        return self.pages[first:]

    def _receive(self, published: int) -> None:
        """What arrived since the last time; published: how many messages the topics have passed on in all."""
        self.inbox.wait_for(published)
        for envelope in self.inbox.messages[self._seen :]:
            tier = self._tiers[envelope["TopicArn"]]
            if not envelope["Message"].startswith("{"):
                values = {name: one["Value"] for name, one in envelope.get("MessageAttributes", {}).items()}
                message = CauseMessage(self.minute, tier, envelope.get("Subject", ""), envelope["Message"], values)
                self.messages.append(message)
                say(f"{self.minute:>5} min  MESSAGE to {tier}s: {message.text.partition(chr(10))[0]}")
                continue
            self.pages.append(self._page(envelope))
        self._seen = len(self.inbox.messages)

    def subscribe_to_events(self) -> None:
        """A queue gets what the Planner puts on the account's event bus."""
        events, queues = client("events"), client("sqs")
        url = queues.create_queue(QueueName=EVENTS)["QueueUrl"]
        arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events.put_rule(Name=EVENTS, EventPattern=json.dumps({"source": ["egressprobe"]}))
        events.put_targets(Rule=EVENTS, Targets=[{"Id": "queue", "Arn": arn}])

    def events(self) -> list[dict[str, Any]]:
        """The events that have arrived in the queue since the last time."""
        queues, found = client("sqs"), list[dict[str, Any]]()
        url = queues.get_queue_url(QueueName=EVENTS)["QueueUrl"]
        while received := queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in received:
                found.append(json.loads(message["Body"]))
                queues.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def until(self, alarm: str, state: str = "ALARM", *, within: int, **of: str) -> Page:
        """Lets minutes pass until a message of an alarm arrives, of a target for instance. Raises AssertionError."""
        for _ in range(within):
            for page in self.minutes(1):
                if (page.alarm, page.state) == (alarm, state) and all(getattr(page, key) == of[key] for key in of):
                    return page
        raise AssertionError(f"no message {alarm} {state} {of} within {within} minutes; {self.alarms()}")

    def settle(self, within: int = 60) -> None:
        """Lets minutes pass until no alarm that pages or notifies is on, and the last ten minutes sent nothing."""
        for _ in range(0, within, 10):
            quiet = self.minutes(10) == []
            if quiet and not any(state == "ALARM" for name, state in self.alarms().items() if name in _NOTIFIES):
                return
        raise AssertionError(f"not quiet within {within} minutes: {self.alarms()}")

    def _page(self, envelope: dict[str, Any]) -> Page:
        message = json.loads(envelope["Message"])
        attributes = message.get("AlarmContributor", {}).get("attributes", {})
        return Page(
            message["StateChangeTime"] // 60 - self.began,
            self._tiers[envelope["TopicArn"]],
            message["AlarmName"].removeprefix(f"egressprobe {CLUSTER} "),
            message["NewStateValue"],
            *(attributes.get(name, "") for name in ("Target", "Code", "Impact", "SubnetId")),
            message["AlarmDescription"],
        )

    def alarms(self) -> dict[str, str]:
        """State of each alarm."""
        return {name.removeprefix(f"egressprobe {CLUSTER} "): state for name, state in control("/states").items()}


def say(text: str) -> None:
    print(text, flush=True)
