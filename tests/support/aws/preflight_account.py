"""An account in which a preflight gives GO: a cluster with two subnets behind a NAT gateway, its API server on
loopback, and a stack whose Planner answers with what its probes report.
"""

import base64
import copy
import json
import os
from contextlib import contextmanager

import boto3
import msgspec
from msgspec.structs import replace

from egressprobe.aws.session import by_name
from egressprobe.catalog.findings_probe import REPORT_REDUCED
from egressprobe.cli.inputs.discover_source import of_named_cluster
from egressprobe.model.joined_report import Joined
from tests.support.aws.deployments import PLANNER_NAME, planner_arn, put_planner, put_stack
from tests.support.aws.fake_aws import ENVIRONMENT, aws
from tests.support.peers.kubeapi import CLUSTER_CA, kube_api
from tests.support.preflights import ScriptedSources

STACK, PLANNER = "egressprobe-prod", planner_arn()
OTHER_PLANNER = "egressprobe-5e6f7a8b-planner"
STACKS, ZONES = {STACK: "prod", "egressprobe-test": "test"}, ("eu-west-1a", "eu-west-1b")
PLANNERS = {STACK: PLANNER_NAME, "egressprobe-test": OTHER_PLANNER}
WEBHOOK = {
    "metadata": {"name": "policy"},
    "webhooks": [
        {
            "name": "check.policy.example.com",
            "clientConfig": {"url": "https://policy.example.com/validate"},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}],
            "failurePolicy": "Fail",
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "timeoutSeconds": 5,
            "namespaceSelector": {"matchLabels": {"policy": "on"}},
        }
    ],
}
NODE = {
    "metadata": {"name": "a", "labels": {"topology.kubernetes.io/zone": "eu-west-1a"}},
    "status": {
        "addresses": [{"type": "InternalIP", "address": "10.0.1.77"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        "conditions": [{"type": "Ready", "status": "True"}],
    },
}


def _vpc(ec2):
    """Two private subnets in two zones, one public with a NAT gateway. Returns the VPC, the subnets, the group."""
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    for name in ("EnableDnsSupport", "EnableDnsHostnames"):
        ec2.modify_vpc_attribute(VpcId=vpc, **{name: {"Value": True}})
    options = ec2.create_dhcp_options(
        DhcpConfigurations=[{"Key": "domain-name-servers", "Values": ["AmazonProvidedDNS"]}]
    )
    ec2.associate_dhcp_options(DhcpOptionsId=options["DhcpOptions"]["DhcpOptionsId"], VpcId=vpc)

    def subnet(number, zone):
        made = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=zone)
        return made["Subnet"]["SubnetId"]

    private = [subnet(1, "eu-west-1a"), subnet(2, "eu-west-1b")]
    public = subnet(9, "eu-west-1a")
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=public, AllocationId=address)["NatGateway"]["NatGatewayId"]

    def table(subnets, **target):
        made = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        ec2.create_route(RouteTableId=made, DestinationCidrBlock="0.0.0.0/0", **target)
        for name in subnets:
            ec2.associate_route_table(RouteTableId=made, SubnetId=name)
        return made

    table([public], GatewayId=gateway)
    table(private, NatGatewayId=nat)
    groups = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"]
    return vpc, private, groups[0]["GroupId"]


class Account:
    """cloud: the fake AWS. api: the API server. sources: what the probes of the stack report (ScriptedSources)."""

    def __init__(self, cloud, api, subnets):
        self.cloud, self.api, self.subnets = cloud, api, subnets
        self.described = copy.deepcopy(cloud.cluster)
        self.targets, self.stacks = None, dict(STACKS)
        self.reset()

    def planner(self, body):
        """Knows what discovery knows."""
        self.requests.append(json.loads(body))
        if self.targets is None:
            self.targets = of_named_cluster(by_name("prod", None), 10.0).targets
        wanted = self.requests[-1].get("targets")
        self.sources.targets = [raw for raw in self.targets if wanted is None or raw["name"] in wanted]
        return msgspec.json.encode(self.sources.probe(None))

    def cut(self, body):
        """As `planner`, but the report did not fit."""
        joined = msgspec.json.decode(self.planner(body), type=Joined)
        note = REPORT_REDUCED.found("details were left out to fit the response", {})
        return msgspec.json.encode(replace(joined, reports=(), findings=(note,)))

    def clusters_of_stacks(self, clusters):
        """Which cluster each stack probes."""
        with self.in_process():
            for stack, cluster in clusters.items():
                if self.stacks.get(stack) != cluster:
                    put_planner(cluster, name=PLANNERS[stack], stack=stack)
        self.stacks |= clusters

    @contextmanager
    def in_process(self):
        """Calls of the test itself go to moto directly."""
        url = os.environ.pop("AWS_ENDPOINT_URL", None)
        try:
            yield
        finally:
            if url:
                os.environ["AWS_ENDPOINT_URL"] = url

    def reset(self):
        """As it was made."""
        self.cloud.before, self.cloud.updates, self.cloud.calls = (lambda _: None), {}, []
        self.cloud.cluster = copy.deepcopy(self.described)
        self.cloud.functions[PLANNER] = self.planner
        self.api.refused = {}
        self.sources = ScriptedSources(subnets=dict(zip(self.subnets, ZONES, strict=True)))
        self.requests = []
        self.clusters_of_stacks(STACKS)


@contextmanager
def account(monkeypatch):
    """With the environment of a person who has its credentials."""
    with kube_api() as api, aws() as cloud:
        for name, value in ENVIRONMENT.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
        api.items = {plural: [] for plural in api.items}
        api.items["validatingwebhookconfigurations"] = [WEBHOOK]
        api.items["nodes"] = [NODE]
        api.accepts = lambda token: token.startswith("k8s-aws-v1.")
        vpc, subnets, group = _vpc(boto3.client("ec2"))
        boto3.client("eks").create_cluster(
            name="prod",
            version="1.35",
            roleArn="arn:aws:iam::123456789012:role/eks",
            resourcesVpcConfig={"subnetIds": subnets},
        )
        cloud.cluster = {
            "endpoint": api.url,
            "certificateAuthority": {"data": base64.b64encode(CLUSTER_CA.pem.encode()).decode()},
            "identity": {"oidc": {"issuer": "https://oidc.eks.eu-west-1.amazonaws.com/id/1"}},
            "resourcesVpcConfig": {
                "vpcId": vpc,
                "clusterSecurityGroupId": group,
                "endpointPrivateAccess": True,
                "controlPlaneEgressMode": "AWS_MANAGED",
            },
        }
        for stack, cluster in STACKS.items():
            put_stack(stack, put_planner(cluster, name=PLANNERS[stack], stack=stack))
        # Only tests may dial loopback; names are not looked up.
        monkeypatch.setattr("egressprobe.cli.inputs.discover_source.forbidden", lambda _: None)
        monkeypatch.setattr("egressprobe.cli.inputs.readiness_source.with_names", lambda snapshot, _: snapshot)
        monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.url)
        made = Account(cloud, api, subnets)
        yield made
