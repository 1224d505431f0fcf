"""AWS Network Firewall: what its rules do with a connection, row by row from AWS's and Suricata's documentation."""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from egressprobe.audit.run import audit
from egressprobe.audit.vpc.cidr import EPHEMERAL, Address, Ports, address, block
from egressprobe.audit.vpc.firewall.connection import ANY_NAME, NOT_TLS, WITHOUT_NAME, Connection
from egressprobe.audit.vpc.firewall.inspection import Inspection
from egressprobe.audit.vpc.firewall.sets import Variables, contains, matches_ports
from egressprobe.audit.vpc.firewall.snapshot import FirewallPolicy, FirewallRuleGroup, StatelessRule, TcpFlags
from egressprobe.audit.vpc.firewall.stateless import stateless
from egressprobe.audit.vpc.firewall.suricata import read_rules
from egressprobe.audit.whatif.compare import whatif
from egressprobe.audit.whatif.terraform.read import read_terraform
from egressprobe.targets.plan import read_plan
from tests.support.terraform import change, plan
from tests.support.vpc.example import snapshot
from tests.support.vpc.firewalls import policy

VPC = (block("10.0.0.0/16"), block("10.1.0.0/16"))
NAME = "www.example.com"
PAGES = "network-firewall/latest/developerguide/"


def outcome(fields, *, name=NAME, source="10.0.1.20", to="198.51.100.9", port=443, protocol=6):
    """`passes`, or FATE PHASE: dropped connect, rejected tls, ...; `unknown` where several are possible."""
    connection = Connection(protocol, address(source), EPHEMERAL, address(to), port, name)
    result = Inspection(policy("fw", fields), VPC).stateful(connection)
    fates = {decision.fate == "passes" for decision in result.decisions}
    if len(fates) > 1:
        assert result.doubts
        return "unknown"
    first = result.decisions[0]
    return first.fate if first.fate == "passes" else f"{first.fate} {first.phase}"


STRICT = {"order": "strict"}
ESTABLISHED = STRICT | {"default": "established"}
APPLICATION = STRICT | {"default": "established_app_layer"}
TO_SERVER = STRICT | {"default": "established_app_layer_to_server"}
DROP_ALL = STRICT | {"default": "strict"}
ORDER = PAGES + "suricata-rule-evaluation-order.html"
EXAMPLES = PAGES + "suricata-examples.html"
DOMAINS = PAGES + "stateful-rule-groups-domain-names.html"
CAVEATS = PAGES + "suricata-limitations-caveats.html"
ACTION = PAGES + "rule-action.html"
TYPES = "suricata rules/rule-types"
# Page, policy, connection, outcome.
ROWS = [
    # What matches no rule.
    (ORDER, {}, {}, "passes"),
    (ORDER, STRICT, {}, "passes"),
    (ORDER, DROP_ALL, {}, "dropped connect"),
    (ORDER, ESTABLISHED, {}, "dropped tls"),
    (ORDER, APPLICATION, {}, "dropped tls"),
    (ORDER, TO_SERVER, {}, "dropped tls"),
    (ORDER, ESTABLISHED, {"name": NOT_TLS}, "dropped data"),
    (ORDER, ESTABLISHED, {"protocol": 17, "port": 53, "name": NOT_TLS}, "unknown"),
    (ORDER, STRICT | {"default": "established_of_tomorrow"}, {}, "unknown"),
    # The order of rules.
    (ORDER, {"rules": "drop tcp any any -> any any (sid:1;)\npass tcp any any -> any any (sid:2;)"}, {}, "passes"),
    (
        ORDER,
        STRICT | {"rules": "drop tcp any any -> any any (sid:1;)\npass tcp any any -> any any (sid:2;)"},
        {},
        "dropped connect",
    ),
    (
        ORDER,
        {"rules": "reject tcp any any -> any any (sid:1; priority:1;)\ndrop tcp any any -> any any (sid:2;)"},
        {},
        "dropped connect",
    ),
    (
        ORDER,
        {"rules": "drop tcp any any -> any any (sid:1;)\nreject tcp any any -> any any (sid:2;)"},
        {},
        "dropped connect",
    ),
    (ACTION, {"rules": "reject tcp any any -> any 443 (sid:1;)"}, {}, "rejected connect"),
    (ACTION, {"rules": "alert tcp any any -> any any (sid:1;)"}, {}, "passes"),
    (ACTION, DROP_ALL | {"rules": "alert tcp any any -> any any (sid:1;)"}, {}, "dropped connect"),
    # Rule groups in strict order, by priority.
    (
        ORDER,
        STRICT
        | {
            "groups": [
                {"rules": "pass tcp any any -> any 443 (sid:1;)"},
                {"rules": "drop ip any any -> any any (sid:2;)"},
            ]
        },
        {},
        "passes",
    ),
    # The first packet meets a rule of layer 4 before the application is known.
    (
        ORDER,
        {
            "rules": "drop tcp any any -> any 443 (sid:1;)\n"
            'pass tls any any -> any any (tls.sni; content:"www.example.com"; sid:2;)'
        },
        {},
        "dropped connect",
    ),
    (
        ORDER,
        {
            "rules": "drop tcp any any -> any 443 (flow:to_server, established; sid:1;)\n"
            'pass tls any any -> any any (tls.sni; content:"www.example.com"; sid:2;)'
        },
        {},
        "unknown",  # of a ClientHello in two segments the first one is dropped
    ),
    (
        EXAMPLES,
        {
            "rules": "drop tls any any -> any any (ssl_state:client_hello; flow:to_server, established; sid:1;)\n"
            'pass tls any any -> any any (tls.sni; content:"www.example.com"; sid:2;)'
        },
        {},
        "passes",
    ),
    # Whole connections and single packets.
    (CAVEATS, DROP_ALL | {"rules": "pass tcp any any -> any 443 (sid:1;)"}, {}, "passes"),
    (CAVEATS, ESTABLISHED | {"rules": "pass tcp $HOME_NET any -> any 443 (sid:1;)"}, {}, "passes"),
    (
        TYPES,
        DROP_ALL | {"rules": "pass tcp any any -> any 443 (flow:established, to_server; sid:1;)"},
        {},
        "dropped connect",
    ),
    (TYPES, ESTABLISHED | {"rules": "pass tcp any any -> any 443 (flow:established, to_server; sid:1;)"}, {}, "passes"),
    (EXAMPLES, DROP_ALL | {"rules": "pass tcp any any <> any 443 (flow:not_established; sid:1;)"}, {}, "dropped tls"),
    (
        EXAMPLES,
        TO_SERVER | {"rules": 'pass tls any any -> any any (tls.sni; content:"www.example.com"; endswith; sid:1;)'},
        {},
        "passes",
    ),
    (
        ORDER,
        APPLICATION | {"rules": "pass tcp any any -> any 443 (flow:established, to_server; sid:1;)"},
        {},
        "dropped tls",
    ),
    (CAVEATS, {"rules": "drop tcp $EXTERNAL_NET any -> $HOME_NET any (sid:1;)"}, {}, "dropped connect"),
    (CAVEATS, {"rules": "drop tcp $EXTERNAL_NET any -> $HOME_NET any (flow:to_server; sid:1;)"}, {}, "passes"),
    (
        TYPES,
        STRICT
        | {
            "rules": "pass tcp any any -> any 443 (flow:not_established; sid:1;)\n"
            "drop tcp $HOME_NET any -> any 443 (sid:2;)"
        },
        {},
        "unknown",  # its first packet is passed alone, and the second rule is judged for first packets
    ),
    # By action AWS's page says that what one rule passes is not scanned further; Suricata's, that one packet is passed.
    (
        ORDER,
        {
            "rules": "pass tls any any -> any 443 (flow:established, to_server; sid:1;)\n"
            "drop tcp any 443 -> any any (flow:established, to_client; sid:2;)"
        },
        {},
        "unknown",
    ),
    (
        ORDER,
        {"rules": "pass tcp any any -> any 443 (flow:not_established; sid:1;)\ndrop tls any any -> any any (sid:2;)"},
        {},
        "unknown",
    ),
    # Addresses.
    (CAVEATS, {"rules": "drop ip $HOME_NET any -> any any (sid:1;)"}, {"source": "10.9.0.1"}, "passes"),
    (CAVEATS, {"rules": "drop ip $HOME_NET any -> any any (sid:1;)"}, {"source": "10.1.0.1"}, "unknown"),
    (CAVEATS, {"rules": "drop ip any any -> $EXTERNAL_NET any (sid:1;)"}, {"to": "10.0.7.7"}, "passes"),
    (
        CAVEATS,
        {"rules": "drop ip $HOME_NET any -> $EXTERNAL_NET any (sid:1;)", "home": ["10.9.0.0/16"]},
        {"source": "10.9.0.1", "to": "10.0.7.7"},
        "passes",  # EXTERNAL_NET stays the negation of the policy's HOME_NET
    ),
    (
        CAVEATS,
        {"rules": "drop ip $HOME_NET any -> $EXTERNAL_NET any (sid:1;)", "home_net": ["10.9.0.0/16"]},
        {"source": "10.9.0.1", "to": "10.0.7.7"},
        "dropped connect",
    ),
    (EXAMPLES, {"rules": "drop ip any any-> [10.10.0.0/16, 198.51.100.0/24] any (sid:1;)"}, {}, "dropped connect"),
    (EXAMPLES, {"rules": "drop tcp @BETA any -> any any (sid:1;)"}, {}, "unknown"),
    (
        EXAMPLES,
        {"rules": "drop tcp any any -> $SERVERS any (sid:1;)", "ips": {"SERVERS": ["198.51.100.9"]}},
        {},
        "dropped connect",
    ),
    (EXAMPLES, {"rules": "drop tcp any any -> $SERVERS any (sid:1;)"}, {}, "unknown"),
    # Ports.
    (EXAMPLES, {"rules": "drop ip $HOME_NET any -> $EXTERNAL_NET [1389,53,4444] (sid:1;)"}, {}, "passes"),
    # The answer to client port 1389 or 4444 matches too.
    (EXAMPLES, {"rules": "drop ip any any -> any [1389,53,4444] (sid:1;)"}, {}, "unknown"),
    (EXAMPLES, {"rules": "drop ip any any -> any [1389,53,4444] (sid:1;)"}, {"port": 53}, "dropped connect"),
    (EXAMPLES, {"rules": "drop tcp any any -> any !80 (sid:1;)"}, {}, "dropped connect"),
    (EXAMPLES, {"rules": "drop tcp any 1024: -> any any (sid:1;)"}, {}, "dropped connect"),
    (EXAMPLES, {"rules": "drop tcp any 40000:50000 -> any any (sid:1;)"}, {}, "unknown"),
    # Protocols.
    (EXAMPLES, {"rules": "drop udp any any -> any any (sid:1;)"}, {}, "passes"),
    (EXAMPLES, {"rules": "drop http any any -> any any (sid:1;)"}, {}, "passes"),
    (EXAMPLES, {"rules": "drop tls any any -> any any (sid:1;)"}, {}, "dropped tls"),
    (EXAMPLES, {"rules": "drop ip any any -> any any (ip_proto:!TCP; ip_proto:!UDP; sid:1;)"}, {}, "passes"),
    (
        EXAMPLES,
        {"rules": "reject tcp any any -> any 443 (app-layer-protocol:!tls; flow:to_server; sid:1;)"},
        {},
        "passes",
    ),
    (
        EXAMPLES,
        {"rules": "reject tcp any any -> any 443 (app-layer-protocol:!ssh; flow:to_server; sid:1;)"},
        {},
        "rejected tls",
    ),
    (EXAMPLES, {"rules": "reject tls any any -> any any (ssl_version:tls1.0,tls1.1; sid:1;)"}, {}, "unknown"),
    (EXAMPLES, {"rules": "drop ip any any -> any any (geoip:any,RU; sid:1;)"}, {}, "unknown"),
    (EXAMPLES, {"rules": "drop http any any -> any any (sid:1;)"}, {"name": NOT_TLS}, "unknown"),
    # Server names.
    (
        EXAMPLES,
        {"rules": 'drop tls any any -> any any (tls.sni; content:"example.com"; endswith; sid:1;)'},
        {},
        "dropped tls",
    ),
    (
        EXAMPLES,
        {"rules": 'drop tls any any -> any any (tls.sni; content:"example.org"; endswith; sid:1;)'},
        {},
        "passes",
    ),
    (
        EXAMPLES,
        {"rules": 'drop tls any any -> any any (tls.sni; content:"EXAMPLE.com"; nocase; sid:1;)'},
        {},
        "dropped tls",
    ),
    (EXAMPLES, {"rules": 'drop tls any any -> any any (tls.sni; content:"EXAMPLE.com"; sid:1;)'}, {}, "unknown"),
    (
        EXAMPLES,
        {"rules": 'drop tls any any -> any any (tls.sni; dotprefix; content:".example.com"; endswith; sid:1;)'},
        {"name": "example.com"},
        "dropped tls",
    ),
    (
        EXAMPLES,
        {
            "rules": 'drop tls any any -> any any (tls.sni; content:"www."; startswith; content:".com"; endswith; sid:1;)'
        },
        {},
        "dropped tls",
    ),
    (
        EXAMPLES,
        {"rules": 'drop tls any any -> any any (tls.sni; content:!"example.com"; endswith; sid:1;)'},
        {},
        "passes",
    ),
    (EXAMPLES, {"rules": 'reject tls any any -> any any (tls.sni; pcre:"/(a|b)$/i"; sid:1;)'}, {}, "unknown"),
    # A server sends none: no packet of it matches.
    (EXAMPLES, {"rules": 'drop tls any 443 -> any any (tls.sni; content:"www.example.com"; sid:1;)'}, {}, "passes"),
    (
        EXAMPLES,
        {"rules": 'drop tls any any -> any any (flow:to_client; tls.sni; content:!"example.org"; sid:1;)'},
        {},
        "passes",
    ),
    (EXAMPLES, {"rules": 'drop tls any 443 <> any any (tls.sni; content:"www."; sid:1;)'}, {}, "dropped tls"),
    (
        EXAMPLES,
        {"rules": 'drop tls any any -> any any (tls.sni; content:"example"; sid:1;)'},
        {"name": WITHOUT_NAME},
        "passes",
    ),
    (
        EXAMPLES,
        {"rules": 'drop tls any any -> any any (tls.sni; content:"example"; sid:1;)'},
        {"name": ANY_NAME},
        "unknown",
    ),
    (EXAMPLES, {"rules": 'drop tcp any any -> any any (content:"GET"; sid:1;)'}, {}, "unknown"),
    (EXAMPLES, {"rules": 'drop tls any any -> any any (ja3.hash; content:"27e9"; sid:1;)'}, {}, "unknown"),
    # Domain lists.
    (EXAMPLES, {"allow": [".example.com"]}, {}, "passes"),
    (EXAMPLES, {"allow": ["example.com"]}, {}, "dropped tls"),
    (EXAMPLES, {"allow": ["example.com"]}, {"name": "EXAMPLE.COM"}, "passes"),
    (EXAMPLES, {"allow": ["example.com"], "types": ["HTTP_HOST"]}, {}, "passes"),
    (DOMAINS, {"allow": ["example.com"], "types": ["AWS_ROUTE_53_RESOLVED_DOMAIN"]}, {}, "unknown"),
    (DOMAINS, {"allow": ["example.com"]}, {"source": "192.0.2.1"}, "passes"),
    (DOMAINS, {"allow": ["example.com"], "home": ["192.0.2.0/24"]}, {"source": "192.0.2.1"}, "dropped tls"),
    (DOMAINS, {"allow": ["example.com"]}, {"name": WITHOUT_NAME}, "dropped tls"),
    (DOMAINS, {"allow": ["example.com"]}, {"name": ANY_NAME}, "unknown"),
    (DOMAINS, {"deny": [".example.com"]}, {}, "dropped tls"),
    (DOMAINS, {"deny": ["example.com"]}, {}, "passes"),
    (DOMAINS, {"reject": ["www.example.com"]}, {}, "rejected tls"),
    (DOMAINS, {"alert": ["www.example.com"]}, {}, "passes"),
    (DOMAINS, {"groups": [{"allow": ["a.org"]}, {"allow": [".example.com"]}]}, {}, "passes"),
    (DOMAINS, STRICT | {"groups": [{"allow": ["a.org"]}, {"allow": [".example.com"]}]}, {}, "dropped tls"),
    (DOMAINS, DROP_ALL | {"allow": [".example.com"]}, {}, "dropped connect"),
    (DOMAINS, ESTABLISHED | {"allow": [".example.com"]}, {}, "unknown"),
    (DOMAINS, APPLICATION | {"allow": [".example.com"]}, {}, "passes"),
    # What cannot be read.
    (PAGES + "nwfw-managed-rule-groups.html", {"managed": True}, {}, "unknown"),
    (
        PAGES + "nwfw-managed-rule-groups.html",
        {"groups": [{"managed": True}, {"rules": "pass tcp any any -> any 443 (sid:1;)"}]},
        {},
        "passes",
    ),
    (
        PAGES + "nwfw-managed-rule-groups.html",
        STRICT | {"groups": [{"managed": True}, {"rules": "pass tcp any any -> any 443 (sid:1;)"}]},
        {},
        "unknown",
    ),
    (
        PAGES + "nwfw-managed-rule-groups.html",
        STRICT | {"groups": [{"managed": True}, {"rules": "drop tcp any any -> any 443 (sid:1;)"}]},
        {},
        "dropped connect",
    ),
    (ACTION, {"groups": [{"unread": "denied"}, {"rules": "drop tcp any any -> any any (sid:1;)"}]}, {}, "unknown"),
    (ACTION, {"rules": "drop tcp any any => any any (sid:1;)\npass tcp any any -> any any (sid:2;)"}, {}, "unknown"),
    (ACTION, {"rules": "this is no rule"}, {}, "unknown"),
]


@pytest.mark.parametrize(("page", "fields", "call", "wanted"), ROWS, ids=[f"{i}" for i in range(len(ROWS))])
def test_the_stateful_engine_does_what_the_page_says(page, fields, call, wanted):
    assert page
    assert outcome(fields, **call) == wanted


@pytest.mark.parametrize(
    ("defaults", "wanted"),
    [
        (("aws:alert_strict",), {True}),
        (("aws:alert_strict", "aws:drop_established_app_layer"), {False}),
        (("aws:reject_established",), {True, False}),
        (("aws:alert_strict", "aws:reject_strict"), {True, False}),
        (("aws:drop_established", "aws:drop_established_app_layer"), {True, False}),
        (("aws:drop_established", "aws:drop_strict"), {False}),
    ],
)
def test_a_default_action_that_is_not_known_lets_nothing_pass_for_certain(defaults, wanted):
    """API Reference, FirewallPolicy, StatefulDefaultActions: drop and alert actions; one of each kind."""
    connection = Connection(6, address("10.0.1.20"), EPHEMERAL, address("198.51.100.9"), 443, NAME)
    result = Inspection(replace(policy("fw", STRICT), stateful_default=defaults), VPC).stateful(connection)
    assert {decision.fate == "passes" for decision in result.decisions} == wanted
    assert any("not known here" in doubt for doubt in result.doubts) == (len(wanted) > 1)


RULES = [
    ('pass tls any any -> any any (msg:"a; b"; sid:7; rev:2;)', [("pass", "7", ())]),
    ("# drop tcp any any -> any any (sid:1;)\n\n  drop tcp any any -> any any (sid:2;)  ", [("drop", "2", ())]),
    ("drop tcp any any -> \\\n any any (sid:1;)", [("drop", "1", ())]),
    ('drop tcp any any -> any any (msg:"x\\"y;z"; threshold:type limit; sid:1;)', [("drop", "1", ("threshold",))]),
    ("drop tcp [10.0.0.0/8, ![10.1.0.0/16, 10.2.0.0/16]] any -> any [80, 443] (sid:1;)", [("drop", "1", ())]),
    ("DROP TCP any any <> any any (SID:1;)", [("drop", "1", ())]),
    ("drop tcp any any -> any any", None),
    ("drop tcp any any -> any any (sid:1", None),
    ("drop tcp any any any any (sid:1;)", None),
    ("accept tcp any any -> any any (sid:1;)", None),
    ("drop tcp any any -> any any (sid:1;) more", None),
    ("drop tcp any -> any any (sid:1;)", None),
]


@pytest.mark.parametrize(("text", "wanted"), RULES)
def test_rules_are_read_from_suricata_text(text, wanted):
    rules, failed = read_rules(text, "group")
    if wanted is None:
        assert (rules, failed) == ([], [text[:60]])
    else:
        assert [(rule.action, rule.sid, rule.unjudged) for rule in rules] == wanted
        assert not failed


NAMES = Variables({"DB": ("10.0.5.0/24", "!10.0.5.9"), "LOOP": ("$LOOP",)}, {"WEB": ("80", "8000:8080")}, (), VPC, {})


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("10.0.0.0/8", "10.1.2.3", "11.0.0.1"),
        ("!10.0.0.0/8", "11.0.0.1", "10.1.2.3"),
        ("[10.0.0.0/24, !10.0.0.5]", "10.0.0.6", "10.0.0.5"),
        ("[![10.0.0.5, 10.0.0.6]]", "10.0.0.7", "10.0.0.6"),
        ("$DB", "10.0.5.1", "10.0.5.9"),
        ("!$DB", "10.0.5.9", "10.0.5.1"),
        ("$HOME_NET", "10.0.0.1", "10.2.0.1"),
        ("$EXTERNAL_NET", "10.2.0.1", "10.0.0.1"),
        ("2001:db8::/32", "2001:db8::1", "2001:db9::1"),
    ],
)
def test_an_expression_contains_addresses(text, inside, outside):
    assert contains(text, address(inside), NAMES) is True
    assert contains(text, address(outside), NAMES) is False


@pytest.mark.parametrize("text", ["@LIST", "$OTHER", "$LOOP", "10.0.0.1-10.0.0.9", "", "[10.0.0.0/8", "nonsense"])
def test_what_an_expression_contains_may_not_be_known(text):
    assert contains(text, address("10.0.0.1"), NAMES) is None


@pytest.mark.parametrize(
    ("text", "port", "answer"),
    [
        ("80", 80, True),
        ("80", 81, False),
        ("[80:82]", 81, True),
        ("[1024: ]", 65535, True),
        (":1023", 1024, False),
        ("!80", 80, False),
        ("[80:100,!99]", 99, False),
        ("[1:80,![2,4]]", 4, False),
        ("$WEB", 8080, True),
        ("!$WEB", 8080, False),
        ("$OTHER", 80, None),
        ("x", 80, None),
        ("90:80", 85, None),
        ("70000", 80, None),
    ],
)
def test_an_expression_has_ports(text, port, answer):
    assert matches_ports(text, Ports(((port, port),)), NAMES) is answer


# -- the stateless engine, beside a packet-by-packet reference ----------------------------------------------------

CLIENT, SERVER, SERVER_PORT = address("10.0.1.20"), address("198.51.100.9"), 443
FLAGS = {True: [{"SYN"}, {"ACK"}, {"ACK", "PSH"}], False: [{"SYN", "ACK"}, {"ACK"}, {"ACK", "PSH"}]}
ALL_FLAGS = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"]
blocks = st.lists(st.sampled_from(["10.0.0.0/16", "10.0.1.20/32", "198.51.100.0/24", "0.0.0.0/0"]), max_size=2)
ranges = st.lists(st.sampled_from([(443, 443), (1024, 65535), (1024, 40000), (30000, 50000), (0, 65535)]), max_size=2)
flags = st.lists(st.sampled_from(["SYN", "ACK", "PSH"]), max_size=2, unique=True)
rules = st.builds(
    StatelessRule,
    st.integers(1, 50),
    st.sampled_from([("aws:pass",), ("aws:drop", "metric"), ("aws:forward_to_sfe",)]),
    blocks.map(tuple),
    blocks.map(tuple),
    ranges.map(tuple),
    ranges.map(tuple),
    st.sampled_from([(), (6,), (17,), (6, 17)]),
    st.lists(
        flags.flatmap(lambda some: st.builds(TcpFlags, st.just(tuple(some)), st.just(tuple({*some, "SYN", "ACK"})))),
        max_size=1,
    ).map(tuple),
)


def one_packet(listed, default, *, from_client, client_port, bits):
    """The action on one TCP packet, as the developer guide says it (firewall-policy-processing)."""
    source, destination = (CLIENT, SERVER) if from_client else (SERVER, CLIENT)
    ports = (client_port, SERVER_PORT) if from_client else (SERVER_PORT, client_port)
    for rule in sorted(listed, key=lambda rule: rule.priority):
        masks = [set(wanted.masks) or set(ALL_FLAGS) for wanted in rule.tcp_flags]
        if (
            (not rule.protocols or 6 in rule.protocols)
            and (not rule.sources or any(source in block(text) for text in rule.sources))
            and (not rule.destinations or any(destination in block(text) for text in rule.destinations))
            and (not rule.source_ports or any(low <= ports[0] <= high for low, high in rule.source_ports))
            and (not rule.destination_ports or any(low <= ports[1] <= high for low, high in rule.destination_ports))
            and (
                not rule.tcp_flags
                or any(set(wanted.flags) == bits & mask for wanted, mask in zip(rule.tcp_flags, masks, strict=True))
            )
        ):
            return rule.actions[0]
    return default


@given(st.lists(rules, max_size=5, unique_by=lambda rule: rule.priority), st.booleans())
def test_the_stateless_engine_equals_a_reference(listed, from_client):
    """For each client port: dropped if one packet is, forwarded or passed if all are, else not to be judged."""
    group = FirewallRuleGroup("arn:x:stateless-rulegroup/g", 1, stateless=tuple(listed))
    default = "aws:forward_to_sfe"
    all_rules = FirewallPolicy("arn:x", (default,), stateless_groups=(group,))
    connection = Connection(6, CLIENT, EPHEMERAL, SERVER, SERVER_PORT)
    matches = stateless(all_rules, connection, from_client=from_client)
    assert sum(high - low + 1 for match in matches for low, high in match.ports.ranges) == 65535 - 1024 + 1
    for port in (1024, 29999, 30000, 40000, 40001, 50000, 50001, 65535):
        actions = {
            one_packet(listed, default, from_client=from_client, client_port=port, bits=bits)
            for bits in FLAGS[from_client]
        }
        if "aws:drop" in actions:
            wanted = "drop"
        else:
            wanted = {"aws:pass": "pass", default: "forward"}[actions.pop()] if len(actions) == 1 else "unknown"
        assert [match.action for match in matches if port in match.ports] == [wanted]


def test_an_action_that_is_not_known_is_not_judged():
    policy_of_tomorrow = FirewallPolicy("arn:x", ("aws:teleport",))
    matches = stateless(policy_of_tomorrow, Connection(6, CLIENT, EPHEMERAL, SERVER, 443), from_client=True)
    assert [match.action for match in matches] == ["unknown"]


# -- findings -----------------------------------------------------------------------------------------------------

BASE = {
    "subnets": {"cp": "10.0.1.0/24 a", "fw": "10.0.9.0/24 a", "public": "10.0.0.0/24 a"},
    "tables": {
        "rtb-cp": {"for": "cp", "0.0.0.0/0": "vpce-1"},
        "rtb-fw": {"for": "fw", "0.0.0.0/0": "nat-1"},
        "rtb-public": {"for": "public", "0.0.0.0/0": "igw-1", "10.0.1.0/24": "vpce-1"},
    },
    "nats": {"nat-1": "public"},
}


def audited(fields, *urls, expect="reachable"):
    items = [{"kind": "endpoint", "name": url, "url": url, "expect": expect} for url in urls]
    raw = BASE | {"nfw": {"fw-1": {"endpoints": {"vpce-1": "fw"}} | fields}}
    return audit(snapshot(raw), read_plan({"targets": items}).targets)


@pytest.mark.parametrize(
    ("code", "fields", "url", "evidence"),
    [
        (
            "FIREWALL_RULE_BLOCKS",
            {"rules": "drop tcp any any -> any 443 (sid:77;)"},
            "tls://a.example.com:443",
            {"rule": "sid 77", "ruleGroup": "stateful-rulegroup/fw-1-1", "connects": False},
        ),
        (
            "FIREWALL_DROPS_TLS",
            {"allow": ["b.example.com"]},
            "tls://a.example.com:443",
            {"rule": "the domain list fw-1-1 (ALLOWLIST)", "ruleGroup": "stateful-rulegroup/fw-1-1", "connects": True},
        ),
        (
            "FIREWALL_DROPS_RETURN",
            {"stateless": ["5 drop tcp any 10.0.0.0/8"]},
            "tcp://198.51.100.9:443",
            {"rule": "priority 5", "ruleGroup": "stateless-rulegroup/fw-1-stateless", "connects": False},
        ),
    ],
)
def test_a_finding_names_firewall_policy_group_and_rule(code, fields, url, evidence):
    finding = next(one for one in audited(fields, url).findings if one.code == code)
    start = "arn:aws:network-firewall:eu-west-1:123456789012:"
    assert finding.evidence["firewall"] == f"{start}firewall/fw-1"
    assert finding.evidence["endpoint"] == "vpce-1"
    assert finding.evidence["targets"] == [url]
    group = start + evidence.pop("ruleGroup")
    assert finding.evidence["ruleGroup"] == group
    assert evidence.items() <= finding.evidence.items()
    assert finding.remedy_steps
    assert f"aws network-firewall describe-rule-group --rule-group-arn {group}" in finding.remedy_steps.check
    assert not finding.remedy_steps.fix
    assert any("update-rule-group undoes" in note for note in finding.remedy_steps.notes)


def test_targets_of_one_address_have_findings_of_their_own_names():
    """All names that do not resolve stand for the internet: one passes the list, the other does not."""
    found = audited({"allow": ["a.example.com"]}, "tls://a.example.com:443", "tls://b.example.com:443")
    states = {row.target.host: row.cells[0].state for row in found.rows}
    assert states == {"a.example.com": "open", "b.example.com": "closed"}
    finding = next(one for one in found.findings if one.code == "FIREWALL_DROPS_TLS")
    assert finding.evidence["targets"] == ["tls://b.example.com:443"]
    assert {path.server_name for path in found.paths} == {"a.example.com", "b.example.com"}


def test_a_target_that_must_be_blocked_is_judged_behind_a_firewall():
    closed = audited({"deny": ["a.example.com"]}, "tls://a.example.com:443", expect="blocked")
    assert not [one for one in closed.findings if one.severity == "error"]
    opened = audited({"deny": ["b.example.com"]}, "tls://a.example.com:443", expect="blocked")
    assert [one.code for one in opened.findings if one.severity == "error"] == ["BLOCKED_TARGET_OPEN"]


@pytest.mark.parametrize(
    "fields",
    [{"unread": "AccessDenied"}, {"unknown": ["Route53ResolvedIPValidation"]}, {"groups": [{"unread": "denied"}]}],
)
def test_what_cannot_be_read_or_is_not_known_is_unknown(fields):
    row = audited(fields, "tls://a.example.com:443").rows[0]
    assert row.cells[0].state == "unknown"


def test_a_snapshot_without_firewalls_says_that_the_rules_are_not_known():
    """As saved by an earlier version."""
    from msgspec.structs import replace

    raw = BASE | {"nfw": {"fw-1": {"endpoints": {"vpce-1": "fw"}}}}
    old = replace(snapshot(raw), firewalls=None)
    found = audit(old)
    assert {cell.state for row in found.rows for cell in row.cells} == {"unknown"}


@cache
def _large():
    names = [f"host-{i}.example.com" for i in range(3000)]
    return Inspection(policy("fw", {"allow": names}), VPC)


def test_a_long_domain_list_is_searched_once_for_a_name():
    """3,000 names and 200 sources: only the rules of the name are tried for each."""
    inspection = _large()
    for i in range(200):
        source = Address(4, CLIENT.number + i)
        connection = Connection(6, source, EPHEMERAL, SERVER, 443, "host-2999.example.com")
        assert inspection.stateful(connection).decisions[0].fate == "passes"
    assert 0 < len(inspection._of_server(connection)) < 10


# -- plans --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", ["rule_group", "firewall_policy", "firewall", "tls_inspection_configuration", "logging_configuration"]
)
def test_a_plan_that_changes_the_firewall_makes_the_paths_through_it_unknown(kind):
    """And names the resource; the path that does not pass it stays as it is. Logging changes no packet."""
    raw = BASE | {
        "nfw": {"fw-1": {"endpoints": {"vpce-1": "fw"}}},
        "interfaces": {"eni-db": {"ip": "10.0.0.9", "in": "public"}},
    }
    raw["tables"] = raw["tables"] | {"rtb-public": BASE["tables"]["rtb-public"] | {"10.0.1.0/24": "vpce-1"}}
    name = f"aws_networkfirewall_{kind}.main"
    changed = plan(change(name, "update", before={"id": "x", "capacity": 1}, after={"id": "x", "capacity": 2}))
    items = [{"kind": "endpoint", "name": "web", "url": "tls://a.example.com:443"}]
    result = whatif(snapshot(raw), read_terraform(changed), read_plan({"targets": items}).targets)
    if kind == "logging_configuration":
        assert not result.paths
        return
    [path] = result.paths
    assert (path.target, path.before, path.after) == ("web", "open", "unknown")
    assert any(name in step for step in path.steps)
