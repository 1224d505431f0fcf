"""NO-GO with two causes becomes GO after the commands that were printed, and not after one of them alone.

The commands are carried out by a model of EC2 of the tests' own; whether calls pass is read from the snapshot by rules
of the tests' own, or tried with packets in a VPC that is made of network namespaces.
"""

import pytest
from msgspec.structs import replace

from egressprobe.audit.vpc.snapshot import AclEntry, to_json
from egressprobe.readiness.result import Decision
from egressprobe.readiness.run import preflight
from tests.audit.test_differential import laboratory
from tests.support.preflights import FakeClock
from tests.support.vpc.execute import execute
from tests.support.vpc.snapshots import A, B, acl, clean, gone, group, routes
from tests.support.vpc.virtual.build import Built
from tests.support.vpc.virtual.packets import Call, connect
from tests.support.vpc_sources import VpcSources, printed_fixes

DENY_RETURN = AclEntry(10, False, False, 6, "0.0.0.0/0", (1024, 65535))
DENY_OUT6 = AclEntry(10, True, False, 6, "::/0", (443, 443))


def ipv4(snapshot):
    return replace(snapshot, cluster=replace(snapshot.cluster, ip_family="ipv4", mode="AWS_MANAGED"))


BROKEN = {
    "no default route, an ACL against return traffic": acl(
        routes(ipv4(clean()), "rtb-private", gone("0.0.0.0/0")), B, DENY_RETURN
    ),
    "no egress rule, an ACL of the other subnet": acl(group(ipv4(clean()), "sg-cluster", egress=()), A, DENY_RETURN),
    "IPv6: no route, an ACL against it": acl(routes(clean(), "rtb-private", gone("::/0")), B, DENY_OUT6),
}


def by_the_rules(snapshot, subnet, to, port):
    """What of these VPCs can be broken, each by itself."""
    six = ":" in to
    anywhere = "::/0" if six else "0.0.0.0/0"
    table = next(table for table in snapshot.route_tables if subnet in table.subnets)
    entries = next(entry for entry in snapshot.acls if subnet in entry.subnets).entries

    def allowed(egress, low, high):
        mine = [entry for entry in entries if entry.egress is egress and entry.block == anywhere]
        first = next(e for e in mine if e.ports is None or (e.ports[0] <= low and high <= e.ports[1]))
        return first.allow

    groups = [known for known in snapshot.groups if known.id == "sg-cluster"]
    return (
        any(route.destination == anywhere and route.active for route in table.routes)
        and allowed(True, port, port)
        and allowed(False, 1024, 65535)
        and any(rule.blocks for known in groups for rule in known.egress)
    )


def decided(snapshot, passes):
    return preflight(VpcSources(snapshot, passes), rounds=2, seconds=0, clock=FakeClock())


def tell(snapshot, passes):
    """From NO-GO to GO."""
    before = decided(snapshot, passes)
    assert before.decision is Decision.NO_GO
    assert len({cause.code for cause in before.causes}) >= 2, before.causes
    assert all(cause.remedy_steps and cause.remedy_steps.proven for cause in before.causes)
    commands = printed_fixes(before)
    assert len(commands) >= 2
    assert len(set(commands)) == len(commands), "a command is printed once"
    for number in range(len(commands)):
        others = commands[:number] + commands[number + 1 :]
        assert decided(execute(snapshot, others), passes).decision is Decision.NO_GO, commands[number]
    after = decided(execute(snapshot, commands), passes)
    assert after.decision is Decision.GO, after.reasons
    assert after.causes == ()


@pytest.mark.parametrize("name", BROKEN)
def test_the_printed_commands_lead_to_go(name):
    assert decided(ipv4(clean()), by_the_rules).decision is Decision.GO
    tell(BROKEN[name], by_the_rules)


@pytest.mark.thorough
@pytest.mark.netns
@pytest.mark.nftables
@pytest.mark.bridges
@pytest.mark.parametrize("name", BROKEN)
def test_the_printed_commands_let_packets_pass(name):
    with laboratory() as (made, servers):
        known = {}

        def by_packets(snapshot, subnet, to, port):
            """A VPC is built once; each way is tried from three client ports."""
            vpc = to_json(snapshot)
            key = (vpc, subnet, to, port)
            if key not in known:
                built = Built(made, snapshot, set())
                built.nat_rules()
                places = [(each, text) for each in (A, B) for text in ("93.184.216.34", "2606:2800:220:1::10")]
                calls = {}
                for place, address in places:
                    eks = next(one for one in snapshot.interfaces if one.subnet == place and "EKS" in one.description)
                    source = next(text for text in eks.addresses if (":" in text) == (":" in address))
                    for client in (1111, 40_000, 65_001):
                        calls[Call(eks.id, source, client, address, port)] = (vpc, place, address, port)
                servers.drain()
                passed = connect(built, list(calls), 1.0)
                servers.drain()
                for call, place in calls.items():
                    known[place] = known.get(place, True) and passed.get(call, False)
            return known[key]

        tell(BROKEN[name], by_packets)
