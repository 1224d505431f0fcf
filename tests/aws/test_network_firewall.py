"""Reading AWS Network Firewall: from its API to a verdict, and what cannot be read."""

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from msgspec.structs import replace

from egressprobe.audit.run import audit
from egressprobe.audit.vpc.firewall.snapshot import DomainList, FirewallEndpoint, StatelessRule, TcpFlags
from egressprobe.audit.vpc.snapshot import Route, RouteTable, VpcEndpoint, from_json, to_json
from egressprobe.aws.network_firewall import endpoints_of_routes, firewalls
from egressprobe.aws.paging import ReadRefused
from egressprobe.aws.parse import network_firewall_parse as parse
from egressprobe.aws.vpc_snapshot import Readers, read_snapshot
from egressprobe.targets.plan import read_plan
from tests.aws.test_vpc_snapshot import cluster_of
from tests.support.aws import answers

ARN = answers.FIREWALL_ARN
FIREWALL, POLICY = f"{ARN}:firewall/fw", f"{ARN}:firewall-policy/egress"
STATELESS, STANDARD = f"{ARN}:stateless-rulegroup/packets", f"{ARN}:stateful-rulegroup/standard"
OTHERS = f"{ARN.replace(answers.ACCOUNT, '210987654321')}:stateful-rulegroup/shared"


def client():
    return boto3.client("network-firewall", answers.REGION, aws_access_key_id="x", aws_secret_access_key="x")


def _stubbed(*steps):
    """steps: operation, parameters, answer or error code. Stubber checks both against the service's model."""
    made = client()
    stub = Stubber(made)
    for operation, parameters, answer in steps:
        if isinstance(answer, str):
            stub.add_client_error(operation, answer, "by the test", expected_params=parameters)
        else:
            stub.add_response(operation, answer, parameters)
    stub.activate()
    return made


LISTED = ("list_firewalls", {"VpcIds": ["vpc-1"]}, answers.FIREWALL["list_firewalls"])
DESCRIBED = (
    "describe_firewall",
    {"FirewallArn": FIREWALL},
    {"UpdateToken": "t" * 36} | answers.FIREWALL["describe_firewall"],
)


def _policy(**fields):
    item = {"StatelessDefaultActions": ["aws:drop"], "StatelessFragmentDefaultActions": ["aws:drop"]} | fields
    response = {"FirewallPolicyName": "egress", "FirewallPolicyArn": POLICY, "FirewallPolicyId": "i" * 36}
    whole = {"UpdateToken": "t" * 36, "FirewallPolicyResponse": response, "FirewallPolicy": item}
    return ("describe_firewall_policy", {"FirewallPolicyArn": POLICY}, whole)


def _group(arn, source, kind="STATEFUL", **fields):
    response = {"RuleGroupArn": arn, "RuleGroupName": "g", "RuleGroupId": "i" * 36, "Type": kind}
    whole = {"UpdateToken": "t" * 36, "RuleGroup": {"RulesSource": source} | fields, "RuleGroupResponse": response}
    return ("describe_rule_group", {"RuleGroupArn": arn}, whole)


STATELESS_RULES = {
    "StatelessRulesAndCustomActions": {
        "StatelessRules": [
            {
                "Priority": 20,
                "RuleDefinition": {
                    "Actions": ["aws:pass", "count"],
                    "MatchAttributes": {
                        "Sources": [{"AddressDefinition": "10.0.0.0/16"}],
                        "DestinationPorts": [{"FromPort": 443, "ToPort": 443}],
                        "Protocols": [6],
                        "TCPFlags": [{"Flags": ["SYN"], "Masks": ["SYN", "ACK"]}],
                    },
                },
            },
            {"Priority": 10, "RuleDefinition": {"Actions": ["aws:drop"], "MatchAttributes": {}}},
        ]
    }
}
STANDARD_RULES = {
    "StatefulRules": [
        {
            "Action": "REJECT",
            "Header": {
                "Protocol": "TCP",
                "Source": "$HOME_NET",
                "SourcePort": "ANY",
                "Direction": direction,
                "Destination": "198.51.100.0/24",
                "DestinationPort": "1990:1994",
            },
            "RuleOptions": [{"Keyword": "sid", "Settings": ["1"]}, {"Keyword": "noalert"}],
        }
        for direction in ("FORWARD", "ANY")
    ]
}


def test_a_firewall_with_its_policy_and_each_kind_of_rule_group():
    references = {
        "StatelessRuleGroupReferences": [{"ResourceArn": STATELESS, "Priority": 5}],
        "StatefulRuleGroupReferences": [{"ResourceArn": STANDARD}, {"ResourceArn": OTHERS}],
        "PolicyVariables": {"RuleVariables": {"HOME_NET": {"Definition": ["10.0.0.0/8"]}}},
        "TLSInspectionConfigurationArn": f"{ARN}:tls-configuration/c",
    }
    made = _stubbed(
        LISTED,
        DESCRIBED,
        _policy(**references),
        _group(STATELESS, STATELESS_RULES, "STATELESS"),
        _group(STANDARD, STANDARD_RULES),
        ("describe_rule_group", {"RuleGroupArn": OTHERS}, "AccessDeniedException"),
    )
    [firewall] = firewalls([made], "vpc-1", {"vpce-2"})
    assert firewall.endpoints == (FirewallEndpoint("vpce-2", answers.PUBLIC),)
    policy = firewall.policy
    assert (policy.stateless_default, policy.strict, policy.home_net) == (("aws:drop",), False, ("10.0.0.0/8",))
    assert policy.tls_inspection
    assert policy.unknown == firewall.unknown == ()
    [packets], [standard, shared] = policy.stateless_groups, policy.stateful_groups
    assert packets.priority == 5
    assert packets.stateless == (
        StatelessRule(10, ("aws:drop",)),
        StatelessRule(
            20,
            ("aws:pass", "count"),
            ("10.0.0.0/16",),
            destination_ports=((443, 443),),
            protocols=(6,),
            tcp_flags=(TcpFlags(("SYN",), ("SYN", "ACK")),),
        ),
    )
    assert standard.text == "\n".join(
        f"reject tcp $HOME_NET ANY {arrow} 198.51.100.0/24 1990:1994 (sid:1; noalert;)" for arrow in ("->", "<>")
    )
    assert shared.unread == "AccessDeniedException: by the test"


def test_nothing_is_called_where_no_route_leads_to_such_an_endpoint():
    gateway = VpcEndpoint("vpce-1", "Gateway")
    table = RouteTable("rtb-1", routes=(Route("0.0.0.0/0", "nat", "nat-1"), Route("pl-1", "endpoint", "vpce-1")))
    wanted = endpoints_of_routes([table], [gateway, VpcEndpoint("vpce-2", "GatewayLoadBalancer")])
    assert wanted == set()
    assert endpoints_of_routes([table], None) == {"vpce-1"}, "of which kind it is cannot be read"
    assert firewalls([_stubbed()], "vpc-1", wanted) is None


def test_what_one_account_does_not_have_is_read_with_the_next_ones_credentials():
    nothing = _stubbed(("list_firewalls", {"VpcIds": ["vpc-1"]}, {"Firewalls": []}))
    denied = _stubbed(("list_firewalls", {"VpcIds": ["vpc-1"]}, "AccessDeniedException"))
    owner = _stubbed(LISTED, DESCRIBED, _policy())
    assert [firewall.name for firewall in firewalls([denied, nothing, owner], "vpc-1", {"vpce-2"})] == ["fw"]


@pytest.mark.parametrize(
    "missing", ["ListFirewalls", "DescribeFirewall", "DescribeFirewallPolicy", "DescribeRuleGroup"]
)
def test_each_missing_permission_is_named(missing):
    steps = [
        LISTED,
        DESCRIBED,
        _policy(StatefulRuleGroupReferences=[{"ResourceArn": STANDARD}]),
        _group(STANDARD, STANDARD_RULES),
    ]
    i = [step[0].replace("_", "") for step in steps].index(missing.lower())
    made = _stubbed(*steps[:i], (*steps[i][:2], "AccessDeniedException"))
    with pytest.raises(ReadRefused) as refused:
        firewalls([made], "vpc-1", {"vpce-2"})
    assert refused.value.unread.action == f"network-firewall:{missing}"
    assert refused.value.unread.denied


def test_a_policy_of_another_account_that_cannot_be_read_costs_the_rules_only():
    foreign = POLICY.replace(answers.ACCOUNT, "210987654321")
    described = {"Firewall": answers.FIREWALL["describe_firewall"]["Firewall"] | {"FirewallPolicyArn": foreign}}
    made = _stubbed(
        LISTED,
        (*DESCRIBED[:2], DESCRIBED[2] | described),
        ("describe_firewall_policy", {"FirewallPolicyArn": foreign}, "AccessDeniedException"),
    )
    [firewall] = firewalls([made], "vpc-1", {"vpce-2"})
    assert firewall.policy is None
    assert foreign in firewall.unread


@pytest.mark.parametrize(
    ("status", "summary", "in_sync"),
    [({"a": "IN_SYNC"}, "PENDING", True), ({"a": "IN_SYNC", "b": "PENDING"}, "IN_SYNC", False), ({}, "PENDING", False)],
)
def test_an_endpoint_without_the_current_rules_is_marked(status, summary, in_sync):
    state = {
        "Attachment": {"SubnetId": "subnet-p", "EndpointId": "vpce-2", "Status": "READY"},
        "Config": {name: {"SyncStatus": value} for name, value in status.items()},
    }
    response = {
        "Firewall": {"FirewallArn": FIREWALL, "VpcId": "vpc-1"},
        "FirewallStatus": {"ConfigurationSyncStateSummary": summary, "SyncStates": {"a": state}},
    }
    [endpoint] = parse.firewall(response, None).endpoints
    assert endpoint.in_sync is in_sync


@pytest.mark.parametrize(
    ("part", "fields", "unknown"),
    [
        ("firewall", {"TransitGatewayId": "tgw-1"}, "TransitGatewayId"),
        ("firewall", {"ProxySettings": {"DomainName": "x"}}, "ProxySettings"),
        ("policy", {"Route53ResolvedIPValidation": {"Action": "DROP"}}, "Route53ResolvedIPValidation"),
        ("policy", {"StatefulEngineOptions": {"RuleOrder": "TOMORROW"}}, "TOMORROW"),
        ("policy", {"StatefulEngineOptions": {"Mode": "x"}}, "Mode"),
        (
            "policy",
            {"PolicyVariables": {"RuleVariables": {"EXTERNAL_NET": {"Definition": ["!1.1.1.1"]}}}},
            "EXTERNAL_NET",
        ),
        ("group", {"RuleVariables": {"ContextSets": {"x": {}}}}, "ContextSets"),
        ("group", {"RulesSource": {}}, "RulesSource"),
        ("group", {"RulesSource": {"FirewallRules": [{}]}}, "FirewallRules"),
        ("type", "IPS", "Type IPS"),
    ],
)
def test_settings_that_are_not_known_are_named(part, fields, unknown):
    """With one of them nothing is judged: the audit says unknown (tests/audit/test_network_firewall.py)."""
    if part == "firewall":
        found = parse.firewall({"Firewall": {"FirewallArn": FIREWALL} | fields}, None).unknown
    elif part == "policy":
        found = parse.policy(POLICY, {"StatelessDefaultActions": ["aws:pass"]} | fields, {}).unknown
    else:
        group = {"RulesSource": {"RulesString": "x"}} | (fields if part == "group" else {})
        kind = fields if part == "type" else "STATEFUL"
        found = parse.rule_group(STANDARD, {"RuleGroup": group, "RuleGroupResponse": {"Type": kind}}).unknown
    assert found == (unknown,)


def _snapshot(**changed):
    services = {
        name: {**listed, **changed.get(name.replace("-", "_"), {})} for name, listed in answers.SERVICES.items()
    }
    readers = Readers(*(answers.AnsweringClient(name, services[name]) for name in services))
    return read_snapshot(readers, cluster_of(answers.VPC, subnets=(answers.A,)), region=answers.REGION)


def test_a_snapshot_has_the_firewalls_of_the_vpc_and_of_those_behind_it():
    """And is the same when it is read back from its JSON; one without them, of an earlier version, is read as well."""
    snapshot = _snapshot()
    [firewall] = snapshot.firewalls
    names, managed = firewall.policy.stateful_groups
    assert names.domains == DomainList("ALLOWLIST", (".example.com",), ("TLS_SNI",))
    assert (managed.managed, managed.only_alerts) == (True, True)
    [other] = snapshot.other_vpcs
    assert [listed.name for listed in other.firewalls] == ["fw"]
    assert from_json(to_json(snapshot)) == snapshot
    old = to_json(replace(snapshot, firewalls=None, other_vpcs=(replace(other, firewalls=None),)))
    assert b"firewalls" not in old
    assert from_json(old).firewalls is None


def test_a_read_snapshot_is_audited_to_a_verdict():
    """Its firewall drops what its domain list does not name; the names of the targets are behind it."""
    snapshot = replace(_snapshot(), names={"a.example.com": ("198.18.0.9",), "b.org": ("198.18.0.9",)})
    found = audit(snapshot, _targets("https://a.example.com/", "https://b.org/"))
    [finding] = [finding for finding in found.findings if finding.code == "FIREWALL_DROPS_TLS"]
    assert finding.evidence["targets"] == ["https://b.org/"]


def test_a_refused_read_is_reported_and_its_paths_are_unknown():
    denied = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "DescribeFirewallPolicy")
    snapshot = _snapshot(network_firewall={"describe_firewall_policy": denied})
    assert snapshot.firewalls is None
    found = audit(replace(snapshot, names={"b.org": ("198.18.0.9",)}), _targets("https://b.org/"))
    missing = [one.evidence["action"] for one in found.findings if one.code == "AUDIT_PERMISSION_MISSING"]
    assert missing == ["network-firewall:DescribeFirewallPolicy"]
    assert not [one for one in found.findings if one.code.startswith("FIREWALL")]


def _targets(*urls):
    return read_plan({"targets": [{"kind": "webhook", "name": url, "url": url} for url in urls]}).targets
