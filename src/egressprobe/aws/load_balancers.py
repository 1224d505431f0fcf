"""The load balancers whose interfaces are in the VPC: listeners, target groups, registered targets and their health."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

from egressprobe.audit.vpc.snapshot import Interface
from egressprobe.audit.vpc.snapshot_load_balancers import Listener, LoadBalancer, LoadBalancers, Member, TargetGroup
from egressprobe.aws.paging import every

# Each costs about five calls; what lies behind the others stays unknown.
MOST_READ = 30
_AT_ONCE = 4
_DESCRIPTION = "ELB "
_KINDS: dict[str, Literal["network", "application", "gateway"]] = {
    "network": "network",
    "application": "application",
    "gateway": "gateway",
}


def load_balancers(elb: Any, vpc: str, interfaces: Iterable[Interface]) -> LoadBalancers:
    """Those that an interface's description names, at most MOST_READ. Raises ReadRefused."""
    names = of_balancers(interfaces)
    if not names:
        return LoadBalancers()
    items = every(elb, "describe_load_balancers", "LoadBalancers")
    wanted = [item for item in items if item.get("VpcId") == vpc and _name(item["LoadBalancerArn"]) in names]
    wanted.sort(key=lambda item: str(item["LoadBalancerArn"]))
    with ThreadPoolExecutor(_AT_ONCE, "load-balancers") as pool:
        pairs = list(pool.map(lambda item: _balancer(elb, item), wanted[:MOST_READ]))
    groups = {group.id: group for _, listed in pairs for group in listed}
    return LoadBalancers(tuple(balancer for balancer, _ in pairs), tuple(groups[name] for name in sorted(groups)))


def of_balancers(interfaces: Iterable[Interface]) -> set[str]:
    """`net/NAME/ID` of each Network or Application Load Balancer that has one of the interfaces."""
    return {
        interface.description.removeprefix(_DESCRIPTION)
        for interface in interfaces
        if interface.description.startswith((f"{_DESCRIPTION}net/", f"{_DESCRIPTION}app/"))
    }


def _name(arn: str) -> str:
    """`net/NAME/ID` of arn:...:loadbalancer/net/NAME/ID."""
    return arn.partition(":loadbalancer/")[2]


def _balancer(elb: Any, item: Any) -> tuple[LoadBalancer, list[TargetGroup]]:
    arn = item["LoadBalancerArn"]
    of_balancer = {"LoadBalancerArn": arn}
    groups = [
        _target_group(elb, group) for group in every(elb, "describe_target_groups", "TargetGroups", **of_balancer)
    ]
    attributes = _attributes(elb, "describe_load_balancer_attributes", of_balancer)
    kind = _KINDS[item["Type"]]
    listeners = [
        Listener(
            listener["Port"],
            listener["Protocol"],
            # The rules of an Application Load Balancer's listener may name any of its target groups.
            tuple(group.id for group in groups) if kind == "application" else _forwards_to(listener),
        )
        for listener in every(elb, "describe_listeners", "Listeners", **of_balancer)
        if listener.get("Port")
    ]
    balancer = LoadBalancer(
        id=_name(arn),
        kind=kind,
        state=(item.get("State") or {}).get("Code") or "",
        groups=tuple(item.get("SecurityGroups") or ()),
        cross_zone=attributes.get("load_balancing.cross_zone.enabled") == "true",
        listeners=tuple(sorted(listeners, key=lambda listener: (listener.port, listener.protocol))),
    )
    return balancer, groups


def _forwards_to(listener: Any) -> tuple[str, ...]:
    """The target groups of its default actions; a Network Load Balancer's listener has no other rules."""
    names = []
    for action in listener.get("DefaultActions") or []:
        weighted = (action.get("ForwardConfig") or {}).get("TargetGroups") or []
        names += [group["TargetGroupArn"] for group in weighted] or [action.get("TargetGroupArn")]
    return tuple(dict.fromkeys(name for name in names if name))


def _target_group(elb: Any, item: Any) -> TargetGroup:
    arn = item["TargetGroupArn"]
    attributes = _attributes(elb, "describe_target_group_attributes", {"TargetGroupArn": arn})
    cross_zone = attributes.get("load_balancing.cross_zone.enabled")
    members = [
        Member(
            id=described["Target"]["Id"],
            port=described["Target"].get("Port") or 0,
            zone=described["Target"].get("AvailabilityZone") or "",
            health=(described.get("TargetHealth") or {}).get("State") or "",
        )
        for described in every(elb, "describe_target_health", "TargetHealthDescriptions", TargetGroupArn=arn)
    ]
    return TargetGroup(
        id=arn,
        kind=item.get("TargetType") or "instance",
        preserves=attributes.get("preserve_client_ip.enabled") == "true",
        cross_zone={"true": True, "false": False}.get(cross_zone or ""),
        members=tuple(sorted(members, key=lambda member: (member.id, member.port))),
    )


def _attributes(elb: Any, operation: str, parameters: dict[str, str]) -> dict[str, str]:
    return {item["Key"]: item["Value"] for item in every(elb, operation, "Attributes", **parameters)}
