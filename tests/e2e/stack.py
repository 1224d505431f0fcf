"""An egressprobe stack in the emulated account: deploy and destroy it as a user does, let minutes pass, read the pages."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.conftest import ROOT
from tests.e2e import network
from tests.e2e.inbox import Inbox

TOOLS = ROOT / ".tools" / "e2e" / "bin" / "python"
ACCOUNT, REGION, CLUSTER, NAME = "111122223333", "eu-west-1", "prod", "egressprobe-prod"
# Ports on loopback: the emulator, and what functions and people connect to, between which faults are made.
GATEWAY, CONTROL, ENDPOINT = 4566, 4599, 4567
CLIENT = {
    # A key that is the account's number is its root user's; functions have their roles.
    "AWS_ACCESS_KEY_ID": ACCOUNT,
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_ENDPOINT_URL": f"http://127.0.0.1:{GATEWAY}",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/nonexistent",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
}


class Page(NamedTuple):
    """One message that a person got. minute: since the emulation began; the rest as docs/alarms.md names it."""

    minute: int
    alarm: str
    state: str
    target: str = ""
    code: str = ""
    impact: str = ""
    subnet: str = ""
    text: str = ""


class Stack:
    """The account, its VPC and its cluster; `deploy` makes the stack."""

    def __init__(self, inbox: Inbox, folder: Path) -> None:
        self.inbox, self._folder = inbox, folder
        self.began = int(control("/now")) // 60
        self.minute = 0
        self.pages: list[Page] = []
        self.vpc, self.subnets, self.groups = "", [], []

    def client(self, service: str) -> Any:
        import boto3

        keys = {"aws_access_key_id": ACCOUNT, "aws_secret_access_key": CLIENT["AWS_SECRET_ACCESS_KEY"]}
        return boto3.client(service, region_name=REGION, endpoint_url=CLIENT["AWS_ENDPOINT_URL"], **keys)

    # -- the account ------------------------------------------------------------------------------------------

    def make_cluster(self, facts: dict[str, Any], *, subnets: int = 2) -> None:
        """A VPC of three subnets with a NAT gateway each, two security groups, and the cluster in some of the subnets."""
        ec2, eks, iam = (self.client(name) for name in ("ec2", "eks", "iam"))
        self.vpc = ec2.create_vpc(CidrBlock=network.VPC)["Vpc"]["VpcId"]
        for attribute in ("EnableDnsSupport", "EnableDnsHostnames"):
            ec2.modify_vpc_attribute(VpcId=self.vpc, **{attribute: {"Value": True}})
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self.vpc)
        public = self._subnet(ec2, "10.77.100.0/24", "a")
        self._route(ec2, public, GatewayId=gateway)
        self._subnet(ec2, network.NODES, "a")
        self.nats = []
        for slot, zone in zip(network.SLOTS, "abc", strict=True):
            subnet = self._subnet(ec2, f"10.77.{slot}.0/24", zone)
            nat = ec2.create_nat_gateway(SubnetId=public, ConnectivityType="public")["NatGateway"]["NatGatewayId"]
            self._route(ec2, subnet, NatGatewayId=nat)
            self.subnets.append(subnet)
            self.nats.append(nat)
        self.groups = [
            ec2.create_security_group(GroupName=name, Description=name, VpcId=self.vpc)["GroupId"]
            for name in ("cluster", "additional")
        ]
        trust = {"Effect": "Allow", "Principal": {"Service": "eks.amazonaws.com"}, "Action": "sts:AssumeRole"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        role = iam.create_role(RoleName="eks", AssumeRolePolicyDocument=policy)["Role"]["Arn"]
        used = {"subnetIds": self.subnets[:subnets], "securityGroupIds": self.groups[1:], "endpointPrivateAccess": True}
        eks.create_cluster(
            name=CLUSTER,
            version="1.33",
            roleArn=role,
            resourcesVpcConfig=used,
            accessConfig={"authenticationMode": "API_AND_CONFIG_MAP"},
        )
        control("/networks", {self.subnets[slot - 1]: network.namespace(slot) for slot in network.SLOTS})
        self._facts = facts
        self.describe_cluster(subnets=subnets)
        while eks.describe_cluster(name=CLUSTER)["cluster"]["status"] != "ACTIVE":
            time.sleep(0.1)

    def _subnet(self, ec2: Any, block: str, zone: str) -> str:
        made = ec2.create_subnet(VpcId=self.vpc, CidrBlock=block, AvailabilityZone=f"{REGION}{zone}")
        return str(made["Subnet"]["SubnetId"])

    def _route(self, ec2: Any, subnet: str, **target: str) -> None:
        table = ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **target)

    def describe_cluster(self, *, subnets: int = 2, groups: list[str] | None = None) -> None:
        """What EKS says of the cluster from now on."""
        used = {
            "vpcId": self.vpc,
            "clusterSecurityGroupId": self.groups[0],
            "securityGroupIds": self.groups[1:] if groups is None else groups,
            "subnetIds": self.subnets[:subnets],
            "controlPlaneEgressMode": "CUSTOMER_ROUTED",
        }
        control("/cluster", self._facts | {"resourcesVpcConfig": used})

    # -- the commands of a user -------------------------------------------------------------------------------

    def run(self, *words: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        """`python WORDS` as a user's shell would; its output is shown where the exit code is another."""
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src"), "NO_COLOR": "1"} | CLIENT
        done = subprocess.run(
            [sys.executable, *words],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == expect, f"{' '.join(words)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def deploy(self, **parameters: str) -> dict[str, Any]:
        """What `make deploy` runs; returns what it prints."""
        architecture = {"aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
        given = {"Architecture": architecture, **parameters}
        pairs = [f"{name}={value}" for name, value in given.items()]
        words = ("-m", "egressprobe.stack", "deploy", CLUSTER, "--yes", "--parameters", *pairs)
        return dict(json.loads(self.run(*words).stdout))

    def invoke(self, *targets: str, expect: int = 0) -> dict[str, Any]:
        words = ("-m", "egressprobe", "invoke", "--stack", NAME, "-o", "json", *targets)
        return dict(json.loads(self.run(*words, expect=expect).stdout))

    def plan(self) -> dict[str, Any]:
        """What the Planner's schedule does, now."""
        function = self.outputs["PlannerFunction"]
        answer = self.client("lambda").invoke(FunctionName=function, Payload=b'{"action": "plan"}')
        return dict(json.loads(answer["Payload"].read()))

    @property
    def outputs(self) -> dict[str, str]:
        [stack] = self.client("cloudformation").describe_stacks(StackName=NAME)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def resources(self, kind: str) -> dict[str, str]:
        """Logical id -> physical id of the stack's resources of a type."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=NAME)
        return {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for page in pages
            for resource in page["StackResourceSummaries"]
            if resource["ResourceType"] == kind
        }

    def subscribe(self, topic: str) -> None:
        """The inbox to a topic, confirmed."""
        sns = self.client("sns")
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
            expected = len(self.pages) + sum(len(notice["topics"]) for notice in changed["notices"])
            self.inbox.wait_for(expected)
            self.pages += [self._page(message) for message in self.inbox.messages[len(self.pages) :]]
        for page in self.pages[first:]:
            named = " ".join(filter(None, (page.target, page.code, page.impact, page.subnet)))
            say(f"{page.minute:>5} min  MESSAGE {page.alarm} {page.state} {named}")
        return self.pages[first:]

    def until(self, alarm: str, state: str = "ALARM", *, within: int, **of: str) -> Page:
        """The first message of an alarm, of a target for instance, within so many minutes from now."""
        for _ in range(within):
            for page in self.minutes(1):
                if (page.alarm, page.state) == (alarm, state) and all(getattr(page, key) == of[key] for key in of):
                    return page
        raise AssertionError(f"no message {alarm} {state} {of} within {within} minutes; {self.alarms()}")

    def _page(self, message: dict[str, Any]) -> Page:
        attributes = message.get("AlarmContributor", {}).get("attributes", {})
        return Page(
            message["StateChangeTime"] // 60 - self.began,
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


def control(path: str, body: Any = None) -> Any:
    """The emulation's own interface (emulator/__main__.py)."""
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{CONTROL}{path}", data, timeout=180) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{path}: {json.loads(error.read())}") from None


@contextmanager
def emulator(folder: Path, roots: str) -> Iterator[Path]:
    """An emulator with its gaps filled; the path of its log. Its functions end with it.

    roots: PEM of what Lambda's trust store has.
    """
    (folder / "roots.pem").write_text(roots)
    log, clock = folder / "emulator.log", ROOT / "tests" / "e2e" / "emulator" / "clock.py"
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(folder),
        "CLOCK_FILE": str(folder / "clock"),
        "CONTROL_PORT": str(CONTROL),
        "GATEWAY_PORT": str(GATEWAY),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "LAMBDA_EXECUTOR": "local",
        "AUTH": "true",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "SSL_CERT_FILE": str(folder / "roots.pem"),
    } | CLIENT
    command = [str(TOOLS), str(clock), environment["CLOCK_FILE"], "-m", "tests.e2e.emulator"]
    with log.open("w") as stream:
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=stream, stderr=stream)
    try:
        _wait_until_ready(process, log)
        yield log
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _wait_until_ready(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{GATEWAY}/_ministack/health", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"the emulator did not start:\n{log.read_text()[-5000:]}")
