"""The built Planner and the built Probe under the emulator, moto for AWS, Lambda's Invoke API between them:
plan -> schedules -> their Inputs into the Probe -> metrics; a change, a crash, an on-demand run; and every call of it
against the rendered policies.
"""

import base64
import json
import os
import shutil
import time
from collections import Counter

import boto3
import msgspec
import pytest

from egressprobe.lab.certs import issue, make_authority
from egressprobe.lab.dns import DnsServer, Records, serve_zone
from egressprobe.lab.servers import HttpServer, Loop, server_context
from egressprobe.model.joined_report import Joined
from egressprobe.planner.inventory import as_document, read_inventory
from egressprobe.planner.lookup.note import NOTE
from tests.support.aws import answers, emf, iam
from tests.support.aws.cloudformation import SUBNETS as SUBNET_IDS
from tests.support.aws.cloudformation import rendered
from tests.support.aws.fake_aws import BLOCKED, ENVIRONMENT, NOTHING, Call, aws
from tests.support.aws.lambdas import PLANNER, deployed
from tests.support.kube_objects import configuration, webhook
from tests.support.peers import namespaces as network
from tests.support.peers.kubeapi import CLUSTER_CA, kube_api

pytestmark = [pytest.mark.netns, pytest.mark.artifact]
CA = make_authority("ca")
GROUP = "egressprobe-1a2b3c4d"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:"
SUBNETS = 2
# What the Lambda service does with a role on a function's behalf; no code of ours makes these calls.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
_INTERFACES = ("Create", "Describe", "Delete")
PLATFORM = [Call(f"ec2:{verb}NetworkInterface{'s' if verb == 'Describe' else ''}", "*") for verb in _INTERFACES]
PLATFORM += [
    Call(f"ec2:{action}", "*")
    for action in ("DescribeSubnets", "AssignPrivateIpAddresses", "UnassignPrivateIpAddresses")
]
# What SNS does with the role of whoever publishes to an encrypted topic.
# https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
KEY = "arn:aws:kms:eu-west-1:123456789012:key/1a2b"
LOGS = ("logs:CreateLogStream", "logs:PutLogEvents")


@pytest.fixture(scope="module")
def targets():
    with network.world(), Loop(network.enter_world) as loop:
        good = loop.start(HttpServer(network.LIVE[0], 8443, tls=server_context(issue(CA, ("good.lab",)))))
        loop.start(DnsServer(serve_zone({"good.lab": Records(a=(good.address,))}), network.DNS, 53))
        hook = {"kind": "webhook", "caBundle": CA.pem}
        yield [
            hook | {"name": "good", "url": "https://good.lab:8443/"},
            hook | {"name": "nx", "url": "https://nx.lab:8443/"},
        ]


class Stack:
    """Everything deployed; `plan` changes what the Planner carries."""

    def __init__(self, cloud, found, artifact, where):
        self.cloud, self.rendered, self.artifact, self._where = cloud, found, artifact, where
        self.scheduler = boto3.client("scheduler", endpoint_url=cloud.url)
        self.probes = {}
        self.recorded = []

    def plan(self, targets):
        document = as_document(read_inventory({"targets": targets, "resolvers": [network.DNS]}))
        (self.artifact / "egressprobe" / "planner" / "targets.json").write_text(json.dumps(document))

    def planner(self, *, discovers=False):
        """discovers: without it the targets file is all there is."""
        variables = self.rendered.of("AWS::Lambda::Function")["Planner"]["Environment"]["Variables"]
        environment = ENVIRONMENT | variables | {"AWS_ENDPOINT_URL": self.cloud.url}
        environment |= {} if discovers else {"EGRESSPROBE_DISCOVER": ""}
        handler = self.rendered.of("AWS::Lambda::Function")["Planner"]["Handler"]
        return deployed(self._where, timeout=60, artifact=self.artifact, handler=handler, **environment)

    def schedules(self):
        """Read past the record, which is of what the stack does."""
        seen = len(self.cloud.calls)
        names = [one["Name"] for one in self.scheduler.list_schedules(GroupName=GROUP)["Schedules"]]
        found = {name: self.scheduler.get_schedule(GroupName=GROUP, Name=name) for name in names}
        self.recorded += self.cloud.calls[:seen]
        self.cloud.calls.clear()
        return found

    def covered(self):
        inputs = (json.loads(one["Target"]["Input"]) for name, one in self.schedules().items() if name != NOTE)
        return Counter(target["name"] for said in inputs for target in said["plan"]["targets"])


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    found = rendered(SUBNETS)
    artifact = tmp_path_factory.mktemp("artifact") / "planner"
    shutil.copytree(PLANNER, artifact, copy_function=os.symlink)
    patch = pytest.MonkeyPatch()
    for name, value in ENVIRONMENT.items():
        patch.setenv(name, value)
    functions = found.of("AWS::Lambda::Function")
    with aws() as cloud:
        boto3.client("eks").create_cluster(
            name="prod",
            version="1.34",
            roleArn="arn:aws:iam::123456789012:role/eks",
            resourcesVpcConfig={"subnetIds": [text.partition("/")[0] for text in SUBNET_IDS[:SUBNETS]]},
        )
        boto3.client("scheduler").create_schedule_group(Name=GROUP)
        one = Stack(cloud, found, artifact, tmp_path_factory.mktemp("planner"))
        opened = []
        for slot in range(SUBNETS):
            said = functions[f"Probe{slot}"]
            function = deployed(
                tmp_path_factory.mktemp("probe"),
                timeout=30,
                handler=said["Handler"],
                **(ENVIRONMENT | said["Environment"]["Variables"] | {"AWS_ENDPOINT_URL": cloud.url}),
            )
            opened.append(function)
            running = function.__enter__()
            arn = FUNCTION + said["FunctionName"]
            one.probes[arn] = running
            cloud.functions[arn] = running.send
        yield one
        for function in opened:
            function.__exit__(None, None, None)
    patch.undo()


def test_the_whole_way(stack, targets):
    """Plan, schedules, metrics; a second run that writes nothing; a change that changes one thing; on demand."""
    stack.plan(targets)
    with stack.planner() as planner:
        answer = planner.invoke({"action": "plan"})
        assert answer["created"] == ["s00-all", "s01-all"]
        [age] = emf.documents(planner.printed())
        assert emf.metrics(age) == {"PlanAge": 0}

        for schedule in stack.schedules().values():
            probe = stack.probes[schedule["Target"]["Arn"]]
            before = len(probe.printed())
            report = json.loads(probe.send(schedule["Target"]["Input"].encode()))
            stack.recorded.append(Call("as the schedules", schedule["Target"]["Arn"]))
            assert [(one["target"]["name"], one["verdict"]) for one in report["results"]] == [
                ("good", "pass"),
                ("nx", "fail"),
            ]
            assert report["vantage"]["kubeVersion"] == "1.34"
            good, nx, _, whole = emf.documents(probe.printed()[before:])
            assert (emf.metrics(good), emf.metrics(nx)) == ({"ProbeSuccess": 1}, {"ProbeSuccess": 0})
            assert emf.metrics(whole)["TargetsMeasured"] == 2
            assert whole["SubnetId"] == report["vantage"]["subnetId"]

        assert planner.invoke({"action": "plan"})["unchanged"] == 2

        more = [{"kind": "webhook", "name": f"t{i}", "url": f"https://t{i}.lab/"} for i in range(150)]
        stack.plan([*targets, *more])
        answer = planner.invoke({"action": "plan"})
        assert not answer["updated"]
        assert "s00-all" in answer["deleted"]
        before = stack.schedules()
        stack.plan([*targets, *more, {"kind": "webhook", "name": "one-more", "url": "https://x.lab/"}])
        answer = planner.invoke({"action": "plan"})
        assert len(answer["updated"]) == SUBNETS
        assert answer["created"] == answer["deleted"] == []
        after = stack.schedules()
        assert {n for n in after if after[n]["Target"] != before[n]["Target"]} == set(answer["updated"])

        joined = msgspec.convert(planner.invoke({"targets": ["good", "nx", "evil"]}), Joined)
        assert [(row.target.name, str(row.verdict)) for row in joined.rows] == [("good", "pass"), ("nx", "fail")]
        assert [len(row.cells) for row in joined.rows] == [SUBNETS, SUBNETS]
        assert [one.name for one in joined.refused] == ["evil"]


def test_a_planner_killed_between_two_writes_and_the_next_one(stack):
    """SIGKILL while the third write is on its way: what both plans have is in some schedule; the next run heals."""

    def hooks(first, last):
        return [{"kind": "webhook", "name": f"h{i}", "url": f"https://h{i}.lab/"} for i in range(first, last)]

    stack.plan(hooks(0, 90))
    with stack.planner() as planner:
        planner.invoke({"action": "plan"})
    stack.plan(hooks(30, 260))
    writes, killed = [], []
    with stack.planner() as planner:

        def kill(call):
            if call.action in ("scheduler:CreateSchedule", "scheduler:DeleteSchedule", "scheduler:UpdateSchedule"):
                writes.append(call)
                if len(writes) == 3:
                    killed.extend(planner.kill())

        stack.cloud.before = kill
        with pytest.raises((OSError, ValueError)):
            planner.invoke({"action": "plan"})
    stack.cloud.before = lambda _: None
    assert len(writes) == 3
    assert len(killed) == 2, "the emulator and the Planner itself"
    covered = stack.covered()
    assert all(covered[f"h{i}"] >= SUBNETS for i in range(30, 90))
    with stack.planner() as planner:
        planner.invoke({"action": "plan"})
        assert stack.covered() == {f"h{i}": SUBNETS for i in range(30, 260)}
        changed = planner.invoke({"action": "plan"})
        assert changed["created"] == changed["updated"] == changed["deleted"] == []
    # One shard that both plans have and that differs, for the record of calls below.
    stack.plan([*hooks(30, 259), hooks(259, 260)[0] | {"timeoutSeconds": 3}])
    with stack.planner() as planner:
        assert planner.invoke({"action": "plan"})["updated"]


def test_what_the_cluster_has_is_found_planned_and_probed(stack, targets, tmp_path):
    """The built Discover function reads an API server over TLS by its private address; what it finds is in the
    schedules; a probe takes them; and when the API server refuses, all of it stays and is as old as it is.
    """
    hooks = configuration(
        "cfg", webhook("good.x", url=targets[0]["url"], ca=base64.b64encode(CA.pem.encode()).decode(), timeoutSeconds=7)
    )
    stack.plan(targets[1:])
    with kube_api(
        {"validatingwebhookconfigurations": [hooks]}, address=network.LIVE[1], enter=network.enter_world
    ) as api:
        api.accepts = lambda token: token.startswith("k8s-aws-v1.")
        stack.cloud.cluster = {
            "endpoint": api.url,
            "certificateAuthority": {"data": base64.b64encode(CLUSTER_CA.pem.encode()).decode()},
            "resourcesVpcConfig": {"vpcId": "vpc-1"},
        }
        stack.cloud.providers = {"corp": "https://good.lab:8443/issuer"}
        said = stack.rendered.of("AWS::Lambda::Function")["Discover"]
        environment = ENVIRONMENT | said["Environment"]["Variables"]
        with (
            deployed(tmp_path, timeout=30, handler=said["Handler"], **environment) as discover,
            stack.planner(discovers=True) as planner,
        ):
            stack.cloud.functions[FUNCTION + said["FunctionName"]] = discover.send
            answer = planner.invoke({"action": "plan"})
            # the webhook fails closed for everything, which the review of webhooks reports
            assert [found["code"] for found in answer["findings"]] == ["WEBHOOK_BLOCKS_CLUSTER"]
            issuer = next(name for name in stack.covered() if name.startswith("oidc/oidc.eks"))
            assert stack.covered() == dict.fromkeys(
                ("nx", "good.lab:8443", "oidc/good.lab:8443/issuer", issuer), SUBNETS
            )
            schedule = stack.schedules()["s00-all"]
            report = json.loads(stack.probes[schedule["Target"]["Arn"]].send(schedule["Target"]["Input"].encode()))
            verdicts = {one["target"]["name"]: one["verdict"] for one in report["results"]}
            assert verdicts["good.lab:8443"] == "pass"
            assert verdicts[issuer] == "degraded", "the cluster's own issuer warns"
            found = next(one for one in report["results"] if one["target"]["name"] == "good.lab:8443")
            assert found["target"]["affects"] == "all Pod CREATE"

            api.refused["validatingwebhookconfigurations"] = 403
            before = stack.covered()
            answer = planner.invoke({"action": "plan"})
            assert [one["code"] for one in answer["findings"]] == ["DISCOVERY_FORBIDDEN"]
            assert stack.covered() == before
            assert answer["planAge"] > 0
            assert "k8s-aws-v1." not in discover.printed() + planner.printed()


BALANCED = "10.0.2.77"  # the address of a target: other load balancers are not read


def _load_balancer(ec2, vpc, subnet):
    """With one target group, and an interface with BALANCED, which moto does not make."""
    elb = boto3.client("elbv2")
    made = elb.create_load_balancer(Name="hooks", Subnets=[subnet], Type="network", Scheme="internal")
    arn = made["LoadBalancers"][0]["LoadBalancerArn"]
    group = elb.create_target_group(Name="pods", Protocol="TCP", Port=9443, VpcId=vpc, TargetType="ip")
    forward = [{"Type": "forward", "TargetGroupArn": group["TargetGroups"][0]["TargetGroupArn"]}]
    elb.create_listener(LoadBalancerArn=arn, Protocol="TCP", Port=443, DefaultActions=forward)
    description = f"ELB {arn.partition(':loadbalancer/')[2]}"
    ec2.create_network_interface(SubnetId=subnet, PrivateIpAddress=BALANCED, Description=description)


def _firewall(ec2, vpc, subnet, table):
    """A network firewall, of which moto has neither the policy nor the endpoints; and a route to an endpoint."""
    arn = "arn:aws:network-firewall:eu-west-1:123456789012:firewall-policy/egress"
    boto3.client("network-firewall").create_firewall(
        FirewallName="egress", FirewallPolicyArn=arn, VpcId=vpc, SubnetMappings=[{"SubnetId": subnet}]
    )
    endpoint = ec2.create_vpc_endpoint(
        VpcId=vpc, ServiceName="inspection", VpcEndpointType="GatewayLoadBalancer", SubnetIds=[subnet]
    )
    name = endpoint["VpcEndpoint"]["VpcEndpointId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="198.18.0.0/15", VpcEndpointId=name)


def _vpc_with_everything():
    """In moto: options, a prefix list in a route, a Resolver rule; beside a table without a default route."""
    ec2, resolver = boto3.client("ec2"), boto3.client("route53resolver")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    made = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{i}.0/24")["Subnet"]["SubnetId"] for i in (1, 2)]
    options = ec2.create_dhcp_options(DhcpConfigurations=[{"Key": "domain-name-servers", "Values": ["10.0.1.53"]}])
    ec2.associate_dhcp_options(DhcpOptionsId=options["DhcpOptions"]["DhcpOptionsId"], VpcId=vpc)
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    listed = ec2.create_managed_prefix_list(
        PrefixListName="partners", Entries=[{"Cidr": "192.0.2.0/24"}], MaxEntries=2, AddressFamily="IPv4"
    )["PrefixList"]["PrefixListId"]
    elastic = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=made[1], AllocationId=elastic)["NatGateway"]["NatGatewayId"]
    main = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"][0]["RouteTableId"]
    ec2.create_route(RouteTableId=main, DestinationPrefixListId=listed, NatGatewayId=nat)
    transit = ec2.create_transit_gateway()["TransitGateway"]["TransitGatewayId"]
    ec2.create_transit_gateway_vpc_attachment(TransitGatewayId=transit, VpcId=vpc, SubnetIds=made[:1])
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.associate_route_table(RouteTableId=table, SubnetId=made[1])
    _load_balancer(ec2, vpc, made[1])
    _firewall(ec2, vpc, made[1], main)
    rule = resolver.create_resolver_rule(CreatorRequestId="1", RuleType="SYSTEM", DomainName="corp.example")
    resolver.associate_resolver_rule(ResolverRuleId=rule["ResolverRule"]["Id"], VPCId=vpc)
    group = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"][0]
    return {"vpcId": vpc, "subnetIds": made[:1], "clusterSecurityGroupId": group["GroupId"]}


def test_the_built_planner_audits_the_vpc(stack, targets):
    """It reads all that the audit wants, some of which moto lacks; what it finds is in its answer and in a metric."""
    service = {"namespace": "hooks", "name": "balanced"}
    balanced = {"kind": "webhook", "name": "balanced", "service": service, "addresses": [f"{BALANCED}:443"]}
    stack.plan([*targets[1:], balanced])
    stack.cloud.cluster = {"resourcesVpcConfig": _vpc_with_everything()}
    ours = {"FirewallRuleGroupId": "rslvr-frg-1", "Priority": 101}
    rule = {"Name": "no-labs", "Action": "BLOCK", "Priority": 1, "FirewallDomainListId": "rslvr-fdl-1"}
    stack.cloud.answers |= {
        "ec2:DescribeVpcBlockPublicAccessOptions": BLOCKED,
        "route53resolver:ListFirewallRuleGroupAssociations": json.dumps({"FirewallRuleGroupAssociations": [ours]}),
        "route53resolver:ListFirewallRules": json.dumps({"FirewallRules": [rule]}),
        "route53resolver:ListFirewallDomains": json.dumps({"Domains": ["*.lab."]}),
        "network-firewall:DescribeFirewallPolicy": json.dumps(
            {"FirewallPolicy": answers.FIREWALL["describe_firewall_policy"]["FirewallPolicy"]}
        ),
        "network-firewall:DescribeRuleGroup": json.dumps(answers.FIREWALL["describe_rule_group"]),
    }
    with stack.planner() as planner:
        audit = planner.invoke({"action": "plan"})["audit"]
        printed = planner.printed()
    codes = {one["code"] for one in audit["findings"]}
    assert audit["verdict"] == "fail"
    assert {"BPA_BLOCKS_EGRESS", "DNS_FIREWALL_BLOCKS", "DHCP_WITHOUT_AMAZON_DNS"} <= codes
    assert not codes & {"AUDIT_PART_UNREADABLE", "AUDIT_PERMISSION_MISSING"}
    metric = next(one for one in emf.documents(printed) if "AuditFindings" in one)
    assert metric["AuditFindings"] == [len(audit["findings"])]
    stack.cloud.cluster, stack.cloud.answers = {}, dict(NOTHING)


def _alarm_is_on(muted):
    """What CloudWatch answers while the alarm `targets` is on for the target `nx`; muted: a mute rule is active."""
    since = {"StateTransitionedTimestamp": time.time() - 60}
    on = {"AlarmName": "egressprobe prod targets", "StateValue": "ALARM"} | since
    attributes = {"Target": "nx", "Code": "dns_nxdomain", "Impact": "blocks"}
    rule = {"AlarmMuteRuleArn": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm-mute-rule:night", "Status": "ACTIVE"}
    answered = {
        "DescribeAlarms": {"MetricAlarms": [on], "CompositeAlarms": []},
        "DescribeAlarmContributors": {
            "AlarmContributors": [{"ContributorId": "c", "ContributorAttributes": attributes} | since]
        },
        "ListAlarmMuteRules": {"AlarmMuteRuleSummaries": [rule] if muted else []},
        "GetAlarmMuteRule": {"Name": "night"},
        "GetMetricData": {"MetricDataResults": []},
        "ListMetrics": {"Metrics": []},
    }
    return {f"cloudwatch:{action}": json.dumps(answer) for action, answer in answered.items()} | {
        "events:PutEvents": json.dumps({"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}),
        "sns:Publish": '<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult>'
        "<MessageId>1</MessageId></PublishResult></PublishResponse>",
    }


def test_the_built_planner_reports_an_incident(stack, targets):
    """Not while a mute rule is active; then once to the topic and to the event bus."""
    stack.plan(targets)
    with stack.planner() as planner:
        planner.invoke({"action": "plan"})
        found = []
        for muted in (True, False, False):
            stack.cloud.answers |= _alarm_is_on(muted)
            before = len(stack.cloud.calls)
            found.append(planner.invoke({"action": "incidents"}))
            sent = Counter(call.action for call in stack.cloud.calls[before:])
            found[-1]["sent"] = sent["sns:Publish"], sent["events:PutEvents"]
    assert [answer["sent"] for answer in found] == [(0, 0), (1, 1), (0, 0)]
    assert found[0]["incidents"][0]["silent"].startswith("muted: mute rule night")
    assert [incident["code"] for incident in found[1]["incidents"]] == ["dns_nxdomain"]
    assert found[2]["incidents"] == found[1]["incidents"]
    stack.cloud.answers = dict(NOTHING)


def test_every_call_is_allowed_and_nothing_else_is(stack):
    """Recorded (action, resource) pairs against the rendered policies of each role, both ways."""
    stack.schedules()
    mine = [call for call in stack.recorded if call.action != "as the schedules"]
    invoked = [
        Call("lambda:InvokeFunction", call.resource) for call in stack.recorded if call.action == "as the schedules"
    ]
    logs = {
        role: [
            Call(action, f"{stack.rendered.value({'Fn::GetAtt': [group, 'Arn']})[:-1]}log-stream:x") for action in LOGS
        ]
        for role, group in (
            ("ProbeRole", "ProbeLogs"),
            ("PlannerRole", "PlannerLogs"),
            ("DiscoverRole", "DiscoverLogs"),
        )
    }
    planner = FUNCTION + stack.rendered.of("AWS::Lambda::Function")["Planner"]["FunctionName"]
    topics = {call.resource for call in mine if call.action == "sns:Publish"}
    encrypted = [
        Call(action, KEY, (("kms:EncryptionContext:aws:sns:topicArn", topic),))
        for action in ("kms:Decrypt", "kms:GenerateDataKey")
        for topic in topics
    ]
    made = {
        "PlannerRole": mine + logs["PlannerRole"] + encrypted,
        "ProbeRole": PLATFORM + logs["ProbeRole"],
        "DiscoverRole": PLATFORM + logs["DiscoverRole"],
        "ScheduleRole": invoked,
        "PlannerScheduleRole": [Call("lambda:InvokeFunction", planner)],
    }
    assert {call.action for call in mine} >= {
        "eks:DescribeCluster",
        "lambda:InvokeFunction",
        "scheduler:DeleteSchedule",
    }
    assert set(made) == set(stack.rendered.of("AWS::IAM::Role"))
    for role, calls in made.items():
        found = iam.statements(stack.rendered, role)
        refused = {call for call in calls if not iam.allowed(found, call)}
        assert not refused, (role, refused)
        for statement in (one for one in found if one["Effect"] == "Allow"):
            for action in iam.actions(statement):
                one_action = statement | {"Action": action}
                assert any(iam.matches(one_action, call) for call in calls), f"{role} never needs {action}"


def test_what_nobody_needs_is_refused(stack):
    """No code in the VPC may touch interfaces; the Planner neither other schedules nor other functions."""
    probe = FUNCTION + "egressprobe-1a2b3c4d-probe-0"
    for role, own in (("ProbeRole", probe), ("DiscoverRole", FUNCTION + "egressprobe-1a2b3c4d-discover")):
        found = iam.statements(stack.rendered, role)
        for call in PLATFORM:
            assert iam.allowed(found, call)
            assert not iam.allowed(found, call._replace(context=(("lambda:SourceFunctionArn", own),)))
    planner = iam.statements(stack.rendered, "PlannerRole")
    schedule = "arn:aws:scheduler:eu-west-1:123456789012:schedule/"
    passed = "arn:aws:iam::123456789012:role/egressprobe-prod-ScheduleRole"
    for call in (
        Call("lambda:InvokeFunction", FUNCTION + "somebody-elses"),
        Call("lambda:UpdateFunctionCode", probe),
        Call("scheduler:DeleteSchedule", schedule + "default/x"),
        Call("scheduler:DeleteSchedule", schedule + "egressprobe-1a2b3c4d-planner/x"),
        Call("iam:PassRole", passed, (("iam:PassedToService", "ec2.amazonaws.com"),)),
        Call(
            "iam:PassRole",
            "arn:aws:iam::123456789012:role/admin",
            (("iam:PassedToService", "scheduler.amazonaws.com"),),
        ),
        Call("eks:DescribeCluster", "arn:aws:eks:eu-west-1:123456789012:cluster/other"),
    ):
        assert not iam.allowed(planner, call), call
    assert not iam.allowed(
        iam.statements(stack.rendered, "ScheduleRole"),
        Call("lambda:InvokeFunction", FUNCTION + "egressprobe-1a2b3c4d-planner"),
    )
