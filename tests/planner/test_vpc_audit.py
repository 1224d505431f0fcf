"""The Planner's audit: findings as a metric every 15 minutes, a cause for what fails on demand; trouble with it costs
neither the plan nor the answer.
"""

import json
from functools import partial

import boto3
import msgspec
import pytest
from msgspec.structs import replace

from egressprobe.audit.root_cause import causes
from egressprobe.audit.vpc.snapshot import AclEntry, Route, VpcEndpoint
from egressprobe.audit.vpc.snapshot_dns import DnsFirewallRule
from egressprobe.cli.output.subnet_table import subnet_table
from egressprobe.handlers.probe import handler as probe_handler
from egressprobe.model.failure import Code, Failure, Phase
from egressprobe.model.joined_report import Joined
from egressprobe.model.measurement import Attempt, Resolution
from egressprobe.model.report import REPORT_SCHEMA, Finding, Forecast, Report, Result, Summary, TargetView, Vantage
from egressprobe.model.target import Impact, Kind, Verdict
from egressprobe.planner import vpc_audit as audits
from egressprobe.planner.join import Heard, join, joined_response
from tests.support.aws import emf
from tests.support.aws.cloudformation import SUBNETS
from tests.support.aws.planners import Context, hook, planner_stack
from tests.support.vpc.broken import firewall_before_nat
from tests.support.vpc.snapshots import CORP, REGION, WEB, A, B, acl, clean, gone, routes

IDS = [text.partition("/")[0] for text in SUBNETS[:3]]


@pytest.fixture
def stack(tmp_path, monkeypatch):
    """A cluster whose VPC moto has; its only route is the local one."""
    with planner_stack(tmp_path, monkeypatch, audited=True, Discovery="false") as one:
        monkeypatch.delenv("AWS_ENDPOINT_URL")
        ec2 = boto3.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        ids = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{i}.0/24")["Subnet"]["SubnetId"] for i in range(len(IDS))]
        monkeypatch.setenv("AWS_ENDPOINT_URL", one.cloud.url)
        group = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"][0]
        one.subnets = ids
        one.cloud.cluster = {
            "resourcesVpcConfig": {"vpcId": vpc, "subnetIds": ids, "clusterSecurityGroupId": group["GroupId"]}
        }
        slots = [f"{name}/eu-west-1a" for name in ids] + ["-"] * 13
        monkeypatch.setenv("EGRESSPROBE_SUBNETS", ",".join(slots))
        monkeypatch.setenv("EGRESSPROBE_CLUSTER_GROUPS", group["GroupId"])
        monkeypatch.setattr(audits, "with_names", lambda snapshot, _: snapshot)
        yield one


def probe_in(subnet, body):
    """The real probe, which here cannot tell by its environment where it stands."""
    report = probe_handler(json.loads(body), Context())
    report["vantage"]["subnetId"] = subnet
    return json.dumps(report).encode()


def test_findings_are_published_as_a_metric(stack, capsys):
    """Errors and warnings counted, codes beside them; in the answer with their commands."""
    answer = stack.plan(hook("a")).run()
    found = answer["audit"]
    assert found["verdict"] == "fail"
    codes = [one["code"] for one in found["findings"]]
    assert "ROUTE_NO_EGRESS" in codes
    assert any("aws ec2 create-nat-gateway" in one["remedy"] for one in found["findings"])
    lines = emf.documents(capsys.readouterr().out)
    metric = next(one for one in lines if "AuditFindings" in one)
    assert metric["ClusterName"] == "prod"
    assert metric["AuditFindings"] == [len(codes)]
    assert metric["findings"] == codes
    assert {"PlanAge"} <= set().union(*lines), "the plan was renewed all the same"


def test_findings_that_are_skipped_are_not_published(stack, monkeypatch, capsys):
    monkeypatch.setenv("EGRESSPROBE_AUDIT_SKIP", "ROUTE_NO_EGRESS,DHCP_WITHOUT_AMAZON_DNS,VPC_DNS_HOSTNAMES_OFF")
    answer = stack.plan(hook("a")).run()
    assert answer["audit"] == {"verdict": "fail", "findings": []}, "the path without a route stays closed"
    assert "AuditFindings" not in capsys.readouterr().out, "nothing to tell costs nothing"


def test_without_the_audits_permissions_nothing_is_evaluated_and_that_is_said(tmp_path, monkeypatch, capsys):
    """AuditPermissions=false: no call but those of discovery, which the stack's policy allows; causes are not looked for."""
    with planner_stack(tmp_path, monkeypatch, audited=True, AuditPermissions="false") as stack:
        stack.real_probes()
        answer = stack.plan(hook("a")).run()
        assert answer["audit"]["verdict"] == "unknown"
        assert [finding["code"] for finding in answer["audit"]["findings"]] == ["AUDIT_OFF"]
        joined = stack.run({"action": "probe"})
        assert (joined["verdict"], joined["causes"]) == ("fail", [])
        assert "AUDIT_OFF" in [finding["code"] for finding in joined["findings"]]
        assert not {
            call.action for call in stack.cloud.calls if call.action.startswith(("route53", "cloudtrail", "iam:Sim"))
        }
        assert {call.action for call in stack.cloud.calls if call.action.startswith("ec2")} <= {"ec2:DescribeSubnets"}
    assert "AuditFindings" not in capsys.readouterr().out


def test_an_audit_that_cannot_be_made_costs_the_plan_nothing(stack, capsys):
    """AWS refuses everything of EC2: the schedules are written, and the answer says why there is no audit."""
    stack.cloud.before = lambda call: (403, "UnauthorizedOperation") if call.action.startswith("ec2:") else None
    answer = stack.plan(hook("a")).run()
    assert "cannot be read" in answer["audit"]["error"]
    assert len(answer["created"]) == 3
    assert "PlanAge" in capsys.readouterr().out


def test_a_bug_in_the_audit_costs_the_plan_nothing(stack, monkeypatch):
    monkeypatch.setattr(audits, "audit", lambda *_: 1 / 0)
    answer = stack.plan(hook("a")).run()
    assert answer["audit"] == {"error": "ZeroDivisionError: division by zero"}
    assert len(answer["created"]) == 3


def test_on_demand_each_failure_gets_its_cause(stack):
    """What the probes met, joined with the configuration that was read just then."""
    for slot, name in enumerate(stack.subnets):
        stack.cloud.functions[stack.arn(slot)] = partial(probe_in, name)
    joined = stack.plan(hook("dead")).run({"action": "probe"})
    assert joined["verdict"] == "fail"
    cause = joined["causes"][0]
    assert (cause["target"], len(cause["subnets"])) == ("dead", 3)
    assert cause["code"] == "DHCP_WITHOUT_AMAZON_DNS", "the name does not resolve, and the VPC names no servers"
    assert {"ec2:DescribeRouteTables", "ec2:DescribeNetworkAcls"} <= {call.action for call in stack.cloud.calls}


def test_a_bug_in_the_diagnosis_costs_the_answer_nothing(stack, monkeypatch):
    stack.real_probes()
    monkeypatch.setattr(audits, "causes", lambda *_: 1 / 0)
    joined = stack.plan(hook("a")).run({"action": "probe"})
    assert joined["verdict"] == "fail"
    assert joined["causes"] == []


# -- joined with the configuration ----------------------------------------------------------------------------


def result(code, name="web", address=WEB, phase=Phase.CONNECT, verdict=Verdict.FAIL, findings=(), port=443):
    failure = Failure(phase, code, f"{address} said {code}", "dial tcp: i/o timeout") if code else None
    attempts = (Attempt(address, port, "ipv4", failure=failure),) if phase is not Phase.RESOLVE else ()
    return Result(
        target=TargetView(Kind.WEBHOOK, name, f"https://{name}.example/"),
        verdict=verdict if code else Verdict.PASS,
        impact=Impact.BLOCKS,
        switch_relevant=True,
        failure=failure,
        forecast=Forecast("fail" if code else "pass", 5.0),
        resolutions=(Resolution(f"{name}.example", "dns", 1.0, (address,)),),
        attempts=attempts,
        http=(),
        findings=tuple(findings),
        duration_ms=1.0,
    )


def joined(**seen) -> Joined:
    """Subnet -> result of one target."""
    heard = []
    for subnet, one in ((A, seen.get("a")), (B, seen.get("b"))):
        vantage = Vantage("prod", subnet, "", (), "", "")
        report = Report(REPORT_SCHEMA, "1", "", 1.0, vantage, one.verdict, Summary(), (one,), ())
        heard.append(Heard(subnet, "", (report,)))
    return join(heard, [seen["a"].target], run_id="1", started_at="", duration_ms=1.0, cluster_name="prod")


def why(snapshot, **seen):
    return causes(joined(**seen), snapshot)


def test_a_silent_address_behind_a_closed_way():
    broken = routes(clean(), "rtb-private", gone("0.0.0.0/0"))
    found = why(broken, a=result(Code.CONNECT_TIMEOUT), b=result(Code.CONNECT_TIMEOUT))
    assert [(one.code, one.subnets) for one in found] == [("ROUTE_NO_EGRESS", (A, B))]
    assert found[0].remedy.startswith("aws ec2 create-route")
    assert found[0].consequences == ("connect_timeout",)


def test_somebody_who_answers_outranks_the_configuration():
    """Refused, TLS and HTTP failures came over the wire: the way is open, whatever the rules look like."""
    broken = routes(clean(), "rtb-private", gone("0.0.0.0/0"))
    for code, phase in ((Code.CONNECT_REFUSED, Phase.CONNECT), (Code.TLS_CERT_EXPIRED, Phase.TLS)):
        found = why(broken, a=result(code, phase=phase), b=result(code, phase=phase))
        assert [one.code for one in found] == [str(code)]
        assert found[0].remedy


def test_what_the_ladder_found_is_the_cause_and_the_rest_is_folded():
    held = [
        Finding("ADDRESS_DEAD", "warning", "one is dead"),
        Finding("PATH_MTU_BLACK_HOLE", "error", "large packets vanish", remedy="clamp the MSS"),
    ]
    one = result(Code.TLS_TIMEOUT, phase=Phase.TLS, findings=held)
    found = why(clean(), a=one, b=one)
    assert (found[0].code, found[0].remedy) == ("PATH_MTU_BLACK_HOLE", "clamp the MSS")
    assert found[0].consequences == ("tls_timeout", "ADDRESS_DEAD")


def test_open_and_dead():
    found = why(clean(), a=result(Code.CONNECT_TIMEOUT), b=result(Code.CONNECT_TIMEOUT))
    assert found[0].code == "CONFIG_ALLOWS_BUT_NO_REPLY"
    assert "nat-1" in found[0].summary


def test_where_knowledge_ends_is_said():
    one = result(Code.CONNECT_TIMEOUT, address=CORP)
    assert "transit gateway tgw-1" in why(clean(), a=one, b=one)[0].summary


@pytest.mark.parametrize("code", [Code.TLS_TIMEOUT, Code.TLS_RESET, Code.TLS_EOF])
def test_a_handshake_that_a_network_firewall_cuts(code):
    """TCP connects: the firewall's domain list is the cause, and only for a name that it drops."""
    one = result(code, phase=Phase.TLS, findings=[Finding("SNI_FILTERED", "error", "filtered by name")])
    found = why(firewall_before_nat(deny=["web.example"]), a=one, b=one)
    assert [(cause.code, cause.subnets) for cause in found] == [("FIREWALL_DROPS_TLS", (A, B))]
    assert found[0].consequences == (str(code), "SNI_FILTERED")
    assert found[0].evidence["connects"] is True
    assert [cause.code for cause in why(firewall_before_nat(deny=["other.example"]), a=one, b=one)] == ["SNI_FILTERED"]
    closed = firewall_before_nat(rules="drop tcp any any -> any 443 (sid:1;)")
    assert [cause.code for cause in why(closed, a=one, b=one)] == ["SNI_FILTERED"], "TCP connected all the same"


def test_the_name_of_another_hop_is_not_the_targets():
    """An OIDC target's key set is at another host: the firewall drops that name, and the issuer's passes."""
    one = result(Code.TLS_TIMEOUT, phase=Phase.TLS)
    keys = replace(one, resolutions=(Resolution("keys.example", "dns", 1.0, (WEB,)),))
    dropped = firewall_before_nat(deny=["keys.example"])
    assert [cause.code for cause in why(dropped, a=keys, b=keys)] == ["FIREWALL_DROPS_TLS"]
    assert [cause.code for cause in why(dropped, a=one, b=one)] == ["tls_timeout"]


def test_what_differs_between_subnets():
    """Only one fails: its ACL stands in the failing subnet's way and not in the other's."""
    broken = acl(clean(), A, AclEntry(10, True, False, 6, "0.0.0.0/0", (443, 443)))
    found = why(broken, a=result(Code.CONNECT_TIMEOUT), b=result(None))
    assert [(one.code, one.subnets) for one in found] == [("NACL_EGRESS_DENIED", (A,))]
    assert found[0].differs == (f"{A} goes by acl-{A}; {B}, which works, by acl-{B}",)


def test_two_subnets_with_two_reasons_are_two_causes():
    broken = acl(clean(), A, AclEntry(10, True, False, 6, "0.0.0.0/0", (443, 443)))
    found = why(broken, a=result(Code.CONNECT_TIMEOUT), b=result(Code.TLS_CERT_EXPIRED, phase=Phase.TLS))
    assert [(one.code, one.subnets) for one in found] == [("NACL_EGRESS_DENIED", (A,)), ("tls_cert_expired", (B,))]


def test_names_that_do_not_resolve():
    """The rule that names it, never one that names another."""
    one = result(Code.DNS_NXDOMAIN, phase=Phase.RESOLVE)
    rule = DnsFirewallRule("rslvr-frg-1", "r", "BLOCK", 1, list="rslvr-fdl-1", domains=("web.example.",))
    assert why(replace(clean(), dns_firewall=(rule,)), a=one, b=one)[0].code == "DNS_FIREWALL_BLOCKS"
    other = replace(rule, domains=("other.example.",))
    assert why(replace(clean(), dns_firewall=(other,)), a=one, b=one)[0].code == "dns_nxdomain"
    eks = VpcEndpoint("vpce-eks", "Interface", f"com.amazonaws.{REGION}.eks", private_dns=True)
    assert why(replace(clean(), endpoints=(eks,)), a=one, b=one)[0].code == "dns_nxdomain"


def test_one_open_name_server_of_two_explains_no_failure():
    """A lookup fails only when every server does."""
    one = result(Code.DNS_TIMEOUT, phase=Phase.RESOLVE)
    closed = replace(clean(), dhcp=replace(clean().dhcp, servers=("10.0.3.53",)))
    assert why(closed, a=one, b=one)[0].code == "SG_INGRESS_DENIED"
    two = replace(closed, dhcp=replace(closed.dhcp, servers=("10.0.3.53", "AmazonProvidedDNS")))
    assert why(two, a=one, b=one)[0].code == "dns_timeout"
    open_too = replace(closed, dhcp=replace(closed.dhcp, servers=("10.0.3.53", "192.0.2.53")))
    assert why(open_too, a=one, b=one)[0].code == "dns_timeout"
    nobody = replace(closed, dhcp=replace(closed.dhcp, servers=()))
    assert why(nobody, a=one, b=one)[0].code == "DHCP_WITHOUT_AMAZON_DNS"


def test_a_rule_explains_the_name_that_it_blocks_and_no_other():
    """Two names that do not resolve, and one rule."""
    both = [result(Code.DNS_NXDOMAIN, name=name, phase=Phase.RESOLVE) for name in ("web", "other")]
    report = Report(
        REPORT_SCHEMA, "1", "", 1.0, Vantage("prod", A, "", (), "", ""), Verdict.FAIL, Summary(), (*both,), ()
    )
    seen = join(
        [Heard(A, "", (report,))],
        [one.target for one in both],
        run_id="1",
        started_at="",
        duration_ms=1.0,
        cluster_name="prod",
    )
    rule = DnsFirewallRule("rslvr-frg-1", "r", "BLOCK", 1, list="rslvr-fdl-1", domains=("web.example.",))
    found = causes(seen, replace(clean(), dns_firewall=(rule,)))
    assert {one.target: one.code for one in found} == {"web": "DNS_FIREWALL_BLOCKS", "other": "dns_nxdomain"}


def test_of_two_silent_addresses_the_closed_one_explains_it():
    """One stays silent on an open way, the other on a closed one: what is known comes first."""
    one = result(Code.CONNECT_TIMEOUT)
    other = result(Code.CONNECT_TIMEOUT, address="198.51.100.7").attempts
    broken = routes(clean(), "rtb-private", gone("0.0.0.0/0"), Route("93.184.216.0/24", "nat", "nat-1"))
    found = why(broken, a=replace(one, attempts=(*one.attempts, *other)), b=result(None))
    assert [cause.code for cause in found] == ["ROUTE_NO_EGRESS"]


def test_a_target_that_passes_has_no_cause():
    broken = routes(clean(), "rtb-private", gone("0.0.0.0/0"))
    assert why(broken, a=result(None), b=result(None)) == ()


def test_the_matrix_shows_one_cause_and_folds_what_follows():
    broken = acl(clean(), A, AclEntry(10, True, False, 6, "0.0.0.0/0", (443, 443)))
    held = [Finding("ADDRESS_DEAD", "warning", "one is dead")]
    one = joined(a=result(Code.CONNECT_TIMEOUT, findings=held), b=result(None))
    text = subnet_table(replace(one, causes=causes(one, broken)))
    assert text.count("in        subnet-a") == 1
    assert "fix       aws ec2 create-network-acl-entry" in subnet_table(
        replace(one, causes=causes(one, broken)), width=60
    )
    assert "--rule-action allow --protocol tcp --port-range From=443,To=443 --cidr-block 0.0.0.0/0" in text
    assert "cause     acl-subnet-a (subnet-a) rule 10 denies TCP 443 to 93.184.216.34 (egress)" in text
    assert "fix       aws ec2 create-network-acl-entry --network-acl-id acl-subnet-a --rule-number 9 --egress" in text
    assert "effects   connect_timeout, ADDRESS_DEAD" in text
    assert "one is dead" not in text
    assert "apiserver dial tcp: i/o timeout" in text, "what people search for stays"


def test_causes_survive_a_response_that_is_cut():
    """They say more than the reports that they were made of."""
    broken = routes(clean(), "rtb-private", gone("0.0.0.0/0"))
    one = joined(a=result(Code.CONNECT_TIMEOUT), b=result(Code.CONNECT_TIMEOUT))
    whole = replace(one, causes=causes(one, broken))
    cut = joined_response(whole, limit=len(json.dumps(joined_response(whole))) - 500)
    assert [cause["code"] for cause in cut["causes"]] == ["ROUTE_NO_EGRESS"]


def balancer(ec2, elb, name, subnet, vpc, address):
    """A Network Load Balancer with a listener and an empty target group; its interface, which moto does not make."""
    arn = elb.create_load_balancer(Name=name, Type="network", Subnets=[subnet])["LoadBalancers"][0]["LoadBalancerArn"]
    group = elb.create_target_group(Name=name, Protocol="TCP", Port=443, VpcId=vpc)["TargetGroups"][0]
    to = [{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}]
    elb.create_listener(LoadBalancerArn=arn, Protocol="TCP", Port=443, DefaultActions=to)
    described = f"ELB {arn.partition(':loadbalancer/')[2]}"
    ec2.create_network_interface(SubnetId=subnet, PrivateIpAddress=address, Description=described)


def test_of_the_load_balancers_those_of_targets_are_read(stack, monkeypatch):
    """Each is five calls of an API whose rate the account shares, and a VPC may have dozens."""
    monkeypatch.setattr("egressprobe.aws.vpc_snapshot.BALANCER_READS_PER_SECOND", 1000.0)
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    ec2, elb = boto3.client("ec2"), boto3.client("elbv2")
    vpc = stack.cloud.cluster["resourcesVpcConfig"]["vpcId"]
    for number in range(3):
        balancer(ec2, elb, f"n{number}", stack.subnets[0], vpc, f"10.0.0.5{number}")
    monkeypatch.setenv("AWS_ENDPOINT_URL", stack.cloud.url)

    def reads(*targets):
        stack.cloud.calls.clear()
        found = stack.plan(*targets).run()["audit"]["findings"]
        calls = [call.action for call in stack.cloud.calls if call.action.startswith("elasticloadbalancing:")]
        return len(calls), [one["code"] for one in found]

    assert reads(hook("a", url="https://10.0.3.9/"))[0] == 0
    calls, codes = reads(hook("a", url="https://10.0.0.51/"))
    assert calls == 6, "the list, and five of the one"
    assert "LOAD_BALANCER_NO_TARGETS" in codes
    names = {"hook.example": ("10.0.0.50",), "other.example": ("10.0.0.52",)}
    monkeypatch.setattr(audits, "with_names", lambda snapshot, hosts: replace(snapshot, names=names))
    assert reads(hook("a", url="https://hook.example/"), hook("b", url="https://other.example/"))[0] == 11


def test_on_demand_a_load_balancer_is_read_where_what_fails_is_behind_it(stack, monkeypatch):
    """The probe knows the address: a name may have another one outside the VPC."""
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    ec2, elb = boto3.client("ec2"), boto3.client("elbv2")
    vpc = stack.cloud.cluster["resourcesVpcConfig"]["vpcId"]
    for number in range(2):
        balancer(ec2, elb, f"n{number}", stack.subnets[0], vpc, f"10.0.0.5{number}")
    monkeypatch.setenv("AWS_ENDPOINT_URL", stack.cloud.url)
    row = result(Code.CONNECT_TIMEOUT, name="a", address="10.0.0.51")
    for slot, subnet in enumerate(stack.subnets):
        at = Vantage("prod", subnet, "eu-west-1a", (), "", "")
        report = Report(REPORT_SCHEMA, "r", "2026-11-26T00:00:00+00:00", 1.0, at, Verdict.FAIL, Summary(), (row,), ())
        stack.cloud.functions[stack.arn(slot)] = lambda _, report=report: msgspec.json.encode(report)
    seen = []
    monkeypatch.setattr(audits, "causes", lambda _, snapshot: seen.append(snapshot) or ())
    stack.plan(hook("a")).run({"targets": []})
    [known] = seen[0].load_balancers.balancers
    assert "/n1/" in known.id
    calls = [call.action for call in stack.cloud.calls if call.action.startswith("elasticloadbalancing:")]
    assert len(calls) == 6
