"""Load balancers walked through listener, target group and target, with and without client IP preservation.

From the Network Load Balancer guide (N: edit-target-group-attributes, target-group-health-checks,
load-balancer-security-groups, load-balancer-listeners) and the Application Load Balancer guide (A).
"""

import pytest
from msgspec.structs import replace

from egressprobe.audit.paths.reachability import walk
from egressprobe.audit.vpc.cidr import address
from egressprobe.audit.vpc.snapshot import AclEntry, Group, Interface, Permission, from_json, to_json
from egressprobe.audit.vpc.snapshot_load_balancers import Listener, LoadBalancer, LoadBalancers, Member, TargetGroup
from egressprobe.audit.vpc.sources import sources
from egressprobe.audit.vpc.topology import Topology
from tests.support.vpc.snapshots import ALL, POD, POD_SG, PODS, PUBLIC, A, B, acl, clean, swap

NLB, ALB = "net/hooks/0123456789abcdef", "app/hooks/0123456789abcdef"
NODE = "10.0.9.50"
HEALTHY = (Member(POD, 9443, "", "healthy"),)
OPEN = ("open", "")


def snapshot(
    name=NLB, members=HEALTHY, listeners=None, groups=("sg-lb",), base=None, subnet=PUBLIC, **target_group
):  # fmt: skip
    base = base or clean()
    kind = "network" if name.startswith("net/") else "application"
    node = Interface(
        "eni-lb", subnet, groups, (NODE,), description=f"ELB {name}",
        kind="network_load_balancer" if kind == "network" else "interface",
    )  # fmt: skip
    listeners = (Listener(443, "TCP" if kind == "network" else "HTTPS", ("tg-1",)),) if listeners is None else listeners
    balancer = LoadBalancer(name, kind, groups=groups, listeners=listeners)
    target = TargetGroup("tg-1", "ip", members=tuple(members), **target_group)
    made = (Group("sg-lb", ingress=(ALL,), egress=(ALL,)),)
    return replace(
        base,
        interfaces=(*base.interfaces, node),
        groups=(*swap(base.groups, POD_SG, ingress=(tcp("10.0.0.0/16"),)), *made),
        load_balancers=LoadBalancers((balancer,), (target,)),
    )


def path(given, subnet=A, port=443):
    topology = Topology(from_json(to_json(given)))
    starts, _ = sources(topology, subnet, address(NODE).version)
    return walk(topology, starts[0], NODE, port)


def verdict(given, **more):
    result = path(given, **more)
    return result.state, result.blame.code if result.blame else ""


def rules(given, group, *permissions):
    return replace(given, groups=swap(given.groups, group, ingress=tuple(permissions)))


def tcp(*blocks, port=9443, groups=()):
    return Permission(6, (port, port), blocks, groups=groups)


def test_a_network_load_balancer_with_a_healthy_target():
    result = path(snapshot())
    assert (result.state, result.knowledge_ends) == ("open", ())
    assert NLB in result.elements


def test_an_application_load_balancer_ends_the_connection():
    """A: it opens one of its own to a target; what that meets is what its health checks meet."""
    closed = rules(snapshot(name=ALB), POD_SG)
    assert verdict(closed) == OPEN


@pytest.mark.parametrize("name", [NLB, ALB])
def test_no_listener_on_the_port(name):
    assert verdict(snapshot(name=name), port=8443) == ("closed", "LOAD_BALANCER_NO_LISTENER")
    udp = snapshot(name=name, listeners=(Listener(443, "UDP", ("tg-1",)),))
    assert verdict(udp) == ("closed", "LOAD_BALANCER_NO_LISTENER")


@pytest.mark.parametrize(
    ("members", "state"),
    [
        ((), ("closed", "LOAD_BALANCER_NO_TARGETS")),
        ((Member(POD, 9443, "", "unhealthy"),), ("unknown", "")),
        ((Member(POD, 1, "", "unhealthy"), *HEALTHY), OPEN),
    ],
)
@pytest.mark.parametrize("name", [NLB, ALB])
def test_targets_and_their_health(name, members, state):
    """N, A: with no healthy target it forwards to all (fail open), so that is unknown, not closed."""
    assert verdict(snapshot(name=name, members=members)) == state


@pytest.mark.parametrize(
    ("zone", "balancer", "group", "state"),
    [
        ("eu-west-1a", False, None, OPEN),
        ("eu-west-1b", False, None, ("closed", "LOAD_BALANCER_NO_TARGETS")),
        ("eu-west-1b", True, None, OPEN),
        ("eu-west-1b", False, True, OPEN),
        ("eu-west-1b", True, False, ("closed", "LOAD_BALANCER_NO_TARGETS")),
        ("all", False, None, OPEN),
    ],
)
def test_targets_of_another_zone(zone, balancer, group, state):
    """N: a node forwards to targets of its own zone, unless cross-zone load balancing is on; the group's setting wins."""
    given = snapshot(members=(Member(POD, 9443, zone, "healthy"),), cross_zone=group)
    [listed] = given.load_balancers.balancers
    given = replace(
        given, load_balancers=replace(given.load_balancers, balancers=(replace(listed, cross_zone=balancer),))
    )
    assert verdict(given) == state


def test_what_a_target_sees_with_client_ip_preservation():
    """N: the client's address, or the load balancer's group where it has one."""
    kept = snapshot(preserves=True)
    assert verdict(rules(kept, POD_SG, tcp("10.0.1.0/24"))) == OPEN
    assert verdict(rules(kept, POD_SG, tcp(groups=("sg-lb",)))) == OPEN
    node_only = rules(kept, POD_SG, tcp(f"{NODE}/32"))
    result = path(node_only)
    assert (result.state, result.blame.code) == ("closed", "SG_INGRESS_DENIED")
    assert "9443 from 10.0.1." in result.blame.said


def test_what_a_target_sees_without_client_ip_preservation():
    """N: the private address of the load balancer's node."""
    given = snapshot(preserves=False)
    assert verdict(rules(given, POD_SG, tcp(f"{NODE}/32"))) == OPEN
    assert verdict(rules(given, POD_SG, tcp("10.0.1.0/24"))) == ("closed", "SG_INGRESS_DENIED")


@pytest.mark.parametrize(
    ("preserves", "remote", "state"),
    [
        (True, "10.0.1.0/24", ("closed", "NACL_INGRESS_DENIED")),
        (False, "10.0.1.0/24", OPEN),
        (False, f"{NODE}/32", ("closed", "NACL_INGRESS_DENIED")),
    ],
)
def test_the_acl_of_the_targets_subnet(preserves, remote, state):
    shut = acl(clean(), PODS, AclEntry(5, False, False, 6, remote, (9443, 9443)))
    assert verdict(snapshot(base=shut, preserves=preserves)) == state


def test_some_targets_that_are_blocked_and_some_that_are_not():
    """Which one a connection reaches is the load balancer's choice: unknown, with the reason."""
    second = Interface("eni-pod-2", PODS, ("sg-shut",), ("10.0.3.77",))
    given = snapshot(members=(Member(POD, 9443, "", "healthy"), Member("10.0.3.77", 9443, "", "healthy")))
    given = replace(given, interfaces=(*given.interfaces, second), groups=(*given.groups, Group("sg-shut")))
    result = path(given)
    assert result.state == "unknown"
    assert result.knowledge_ends == (f"which target of {NLB} a call reaches: some are blocked",)


def test_states_groups_and_what_is_not_read():
    given = snapshot()
    [listed] = given.load_balancers.balancers

    def having(**changed):
        return replace(given, load_balancers=replace(given.load_balancers, balancers=(replace(listed, **changed),)))

    assert verdict(having(state="failed")) == ("closed", "LOAD_BALANCER_NOT_ACTIVE")
    assert verdict(having(state="active_impaired")) == OPEN
    assert verdict(having(kind="gateway"))[0] == "unknown"
    assert verdict(having(listeners=(Listener(443, "TCP", ("tg-9",)),)))[0] == "unknown"
    assert verdict(replace(given, load_balancers=None))[0] == "unknown"
    denied = rules(given, "sg-lb")
    assert verdict(denied) == ("closed", "SG_INGRESS_DENIED")


def test_an_application_load_balancer_as_target_and_targets_elsewhere():
    chained = snapshot(members=(Member("arn:aws:elasticloadbalancing:x", 443, "", "healthy"),))
    [group] = chained.load_balancers.target_groups
    alb = replace(chained, load_balancers=replace(chained.load_balancers, target_groups=(replace(group, kind="alb"),)))
    assert verdict(alb)[0] == "unknown"
    assert verdict(snapshot(members=(Member("172.31.0.9", 9443, "", "healthy"),))) == OPEN
    assert verdict(snapshot(members=(Member("172.31.0.9", 9443, "", "healthy"),), preserves=True))[0] == "unknown"


def test_from_the_other_subnet_and_by_instance():
    instance = Interface("eni-node", PODS, (POD_SG,), ("10.0.3.80",), instance="i-1")
    given = snapshot(members=(Member("i-1", 31443, "eu-west-1a", "healthy"),), preserves=True)
    given = replace(given, interfaces=(*given.interfaces, instance))
    assert verdict(rules(given, POD_SG, tcp("10.0.2.0/24", port=31443)), subnet=B) == OPEN
    assert verdict(rules(given, POD_SG, tcp("10.0.2.0/24", port=31443)), subnet=A) == ("closed", "SG_INGRESS_DENIED")
