"""The changes that take a list of changes back, each proven: after both the snapshot is what it was.

Where AWS accepts no exact inverse (a route whose former target is gone, an accepted peering connection), the nearest
that it accepts is taken, and `words` say what is different.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from egressprobe.audit.changes import association_changes as associations
from egressprobe.audit.changes import attribute_changes as attributes
from egressprobe.audit.changes import change as network
from egressprobe.audit.changes import network_changes as whole
from egressprobe.audit.changes import resource_changes as resources
from egressprobe.audit.changes.apply import apply
from egressprobe.audit.changes.change import Change
from egressprobe.audit.changes.refusal import ChangeRefused
from egressprobe.audit.vpc.snapshot import Permission, Route, RouteTable, VpcSnapshot

# The inverse of a change, and another if AWS refuses it.
type Inverses = Iterator[Change]


class Undo(NamedTuple):
    """changes: in the order in which they are made. words: what they do not restore; empty if nothing."""

    changes: tuple[Change, ...]
    words: str = ""


def undo(changes: Sequence[Change], before: VpcSnapshot) -> Undo:
    """What takes the changes back that were made on `before`. Raises ChangeRefused if AWS refuses the changes."""
    inverses: list[Change] = []
    words: list[str] = []
    for change in changes:
        after = apply(change, before)
        inverse, missing = _inverse(change, before, after)
        if inverse is not None:
            inverses.insert(0, inverse)
        if missing:
            words.append(missing)
        before = after
    return Undo(tuple(inverses), "; ".join(dict.fromkeys(words)))


def _inverse(change: Change, before: VpcSnapshot, after: VpcSnapshot) -> tuple[Change | None, str]:
    """The first that AWS accepts, and what it does not restore."""
    refused = ""
    for inverse in _INVERSES.get(type(change), _none)(change, before):
        try:
            restored = apply(inverse, after)
        except ChangeRefused as refusal:
            refused = refused or f"AWS would refuse to {inverse.words} ({refusal})"
            continue
        return inverse, "" if same(restored, before) else _not_restored(change, inverse)
    return None, refused or f"no command takes back to {change.words}"


def _not_restored(change: Change, inverse: Change) -> str:
    if isinstance(change, network.RouteChange | network.DeleteRoute):
        what = f"the former route for {_destination(change)} of {change.table}"
        return f"{what} led to something that does not exist, so it is not restored"
    return f"to {inverse.words} does not restore everything"


def _destination(change: network.RouteChange | network.DeleteRoute) -> str:
    return change.route.destination if isinstance(change, network.RouteChange) else change.destination


def same(snapshot: VpcSnapshot, other: VpcSnapshot) -> bool:
    """Whether two snapshots are of equal VPCs: the order of lists, and how rules are grouped, does not count."""
    return _normal(snapshot) == _normal(other)


def _normal(snapshot: VpcSnapshot) -> VpcSnapshot:
    attached = {gateway.id for gateway in snapshot.gateways or () if gateway.attached}

    def table(listed: RouteTable) -> RouteTable:
        routes = (_blackhole(route, attached) if snapshot.gateways is not None else route for route in listed.routes)
        return replace(listed, routes=tuple(sorted(routes, key=repr)), subnets=tuple(sorted(listed.subnets)))

    return replace(
        snapshot,
        route_tables=_each(snapshot.route_tables, table),
        acls=_each(snapshot.acls, lambda acl: replace(acl, entries=tuple(sorted(acl.entries, key=repr)))),
        groups=_each(
            snapshot.groups,
            lambda group: replace(group, ingress=_single(group.ingress), egress=_single(group.egress)),
        ),
        gateways=_each(tuple(item for item in snapshot.gateways or () if item.attached), lambda gateway: gateway),
        attachments=_each(snapshot.attachments, lambda item: replace(item, subnets=tuple(sorted(item.subnets)))),
        encryption=_each(snapshot.encryption, lambda item: replace(item, excluded=tuple(sorted(item.excluded)))),
    )


def _each[T](items: Sequence[T] | None, change: Callable[[T], T]) -> tuple[T, ...] | None:
    return None if items is None else tuple(sorted(map(change, items), key=repr))


def _blackhole(route: Route, attached: set[str]) -> Route:
    """A route to a gateway that is not attached is a blackhole, whether EC2 has said so yet or not."""
    gone = route.gate in ("internet", "egress-only") and route.to not in attached
    return replace(route, active=False) if gone else route


def _single(rules: Sequence[Permission]) -> tuple[Permission, ...]:
    """One rule for each peer, as EC2 keeps them (API reference, SecurityGroupRule)."""
    single = [
        Permission(rule.protocol, rule.ports, **{field: (peer,)})
        for rule in rules
        for field in ("blocks", "prefix_lists", "groups")
        for peer in getattr(rule, field)
    ]
    return tuple(sorted(single, key=repr))


# -- one function for each kind that needs the snapshot -----------------------------------------------------------


def _acl_rule(change: network.AclRuleChange, before: VpcSnapshot) -> Inverses:
    acl, number = change.acl, (change.entry.egress, change.entry.number)
    entries = next((listed.entries for listed in before.acls or () if listed.id == acl), ())
    former = next((entry for entry in entries if (entry.egress, entry.number) == number), None)
    if former is None:
        yield associations.DeleteAclRule(acl, change.entry.number, change.entry.egress)
    else:
        yield network.AclRuleChange(acl, former, replace=True)


def _former_route(before: VpcSnapshot, table: str, destination: str) -> Route | None:
    routes = next((listed.routes for listed in before.route_tables or () if listed.id == table), ())
    return next((route for route in routes if route.destination == destination and not route.propagated), None)


def _route(change: network.RouteChange, before: VpcSnapshot) -> Inverses:
    former = _former_route(before, change.table, change.route.destination)
    if former is not None:
        yield network.RouteChange(change.table, former, replace=True)
    yield network.DeleteRoute(change.table, change.route.destination)


def _deleted_route(change: network.DeleteRoute, before: VpcSnapshot) -> Inverses:
    former = _former_route(before, change.table, change.destination)
    if former is not None:
        yield network.RouteChange(change.table, former)


def _gateway(change: network.CreateGateway, before: VpcSnapshot) -> Inverses:
    if change.egress_only:
        yield resources.RemoveGateway(change.id, before.vpc.id)
    else:
        yield whole.DeleteInternetGateway(network.NEW_INTERNET_GATEWAY)


def _transit(change: network.AttachTransitGateway, _: VpcSnapshot) -> Inverses:
    if change.attachment:
        yield resources.ChangeAttachment(change.gateway, change.attachment, remove=(change.subnet,))
    else:
        yield resources.DeleteAttachment(change.gateway, change.id)


def _table(change: associations.AssociateTable, before: VpcSnapshot) -> Inverses:
    """The association that the change makes has another id (API reference, ReplaceRouteTableAssociation)."""
    made = f"<NEW_ASSOCIATION_OF_{change.member.upper().replace('-', '_')}>"
    former = next((table.id for table in before.route_tables or () if change.member in table.subnets), None)
    if former is None:
        yield associations.DisassociateTable(change.table, change.member, made)
    else:
        yield associations.AssociateTable(former, change.member, replace=True, association=made)


def _endpoint(change: resources.ModifyEndpoint, before: VpcSnapshot) -> Inverses:
    former = next((endpoint for endpoint in before.endpoints or () if endpoint.id == change.endpoint), None)
    if former is not None and change == resources.ModifyEndpoint(change.endpoint, private_dns=change.private_dns):
        yield replace(change, private_dns=former.private_dns)


def _cluster(change: attributes.UpdateClusterSubnets, before: VpcSnapshot) -> Inverses:
    yield replace(change, subnets=before.cluster.subnets)


def _exclusion(change: attributes.ExcludeFromPublicAccessBlock, _: VpcSnapshot) -> Inverses:
    yield attributes.DeletePublicAccessExclusion(change.of)


def _none(_: Change, __: VpcSnapshot) -> Inverses:
    yield from ()


_INVERSES: dict[type[Change], Callable[[Any, VpcSnapshot], Inverses]] = {
    network.GroupRule: lambda change, _: iter((replace(change, revoke=not change.revoke),)),
    network.AclRuleChange: _acl_rule,
    network.RouteChange: _route,
    network.DeleteRoute: _deleted_route,
    network.CreateNat: lambda change, _: iter((resources.DeleteNat(change.id),)),
    network.CreateGateway: _gateway,
    network.AttachGateway: lambda change, _: iter((resources.RemoveGateway(change.gateway, change.vpc),)),
    network.AttachTransitGateway: _transit,
    attributes.AcceptPeering: _none,  # an active connection can only be deleted
    attributes.SetSourceCheck: lambda change, _: iter((replace(change, on=not change.on),)),
    attributes.ExcludeFromPublicAccessBlock: lambda change, _: iter(
        (attributes.DeletePublicAccessExclusion(change.of),)
    ),
    attributes.ExcludeFromEncryption: lambda change, _: iter((replace(change, revoke=not change.revoke),)),
    attributes.AssociateIpv6: lambda change, _: iter((attributes.DisassociateIpv6(change.subnet, change.cidr),)),
    attributes.UpdateClusterSubnets: _cluster,
    resources.ModifyEndpoint: _endpoint,
    associations.CreateRouteTable: lambda change, _: iter((associations.DeleteRouteTable(change.id),)),
    associations.AssociateTable: _table,
}
