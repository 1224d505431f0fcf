"""VPCs that are broken in one place each, and their whole siblings: the rows of the grid (test_audit_grid.py)."""

from typing import NamedTuple

from msgspec.structs import replace

from egressprobe.audit.vpc.snapshot import (
    Acl,
    AclEntry,
    Attachment,
    Encryption,
    Exclusion,
    Nat,
    Peering,
    Permission,
    PublicAccess,
    Route,
    RouteTable,
    Subnet,
    VpcEndpoint,
    VpcSnapshot,
)
from egressprobe.audit.vpc.snapshot_dns import Dhcp, DnsFirewallRule, ResolverRule, Zone
from egressprobe.lab.dns import Records
from egressprobe.model.failure import Code
from tests.support.vpc.firewalls import network_firewalls
from tests.support.vpc.snapshots import (
    ANY,
    CLUSTER_SG,
    CORP,
    LOCAL,
    NAT,
    OUT,
    PEER,
    POD,
    POD_SG,
    PODS,
    PUBLIC,
    REGION,
    WEB,
    WEB6,
    A,
    B,
    acl,
    clean,
    entries,
    gone,
    group,
    routes,
    swap,
)

NAMES = ["web.example", "web6.example", "pods.hooks.svc", "corp.example", "peer.example", "both.example"]
ISSUER = f"oidc.eks.{REGION}.amazonaws.com"
ZONE = {
    "web.example": Records(a=(WEB,)),
    "web6.example": Records(aaaa=(WEB6,)),
    "corp.example": Records(a=(CORP,)),
    "peer.example": Records(a=(PEER,)),
    ISSUER: Records(a=(WEB,)),
}
TARGETS = {
    "web": {"url": "https://web.example/"},
    "web6": {"url": "https://web6.example/"},
    "pod": {"service": {"namespace": "hooks", "name": "pods"}, "addresses": [f"{POD}:9443"]},
    "corp": {"url": "https://corp.example/"},
    "peer": {"url": "https://peer.example/"},
    "issuer": {"url": f"https://{ISSUER}/"},
    "refused": {"url": "https://web.example:8443/"},
}
CUSTOM_DNS = "10.0.3.53"
_SILENT = Code.CONNECT_TIMEOUT


class Broken(NamedTuple):
    """target: the one that fails. live: what the probe meets. code: the audit's finding, `cause` the diagnosis's where
    that is another. only: the subnets that fail. whole: its sibling; None the healthy VPC.
    """

    name: str
    snapshot: VpcSnapshot
    target: str
    code: str
    live: Code = _SILENT
    cause: str = ""
    only: tuple[str, ...] = (A, B)
    whole: VpcSnapshot | None = None


def _deny(number, egress, low=None, high=None, block="0.0.0.0/0", protocol=6):
    return AclEntry(number, egress, False, protocol, block, (low, high or low) if low is not None else None)


BASE = clean()
WITH_DNS = group(
    replace(BASE, dhcp=Dhcp("dopt-1", (CUSTOM_DNS,))),
    POD_SG,
    ingress=(
        Permission(6, (9443, 9443), groups=(CLUSTER_SG,)),
        Permission(6, (53, 53), groups=(CLUSTER_SG,)),
        Permission(17, (53, 53), groups=(CLUSTER_SG,)),
    ),
)


def firewall_before_nat(**fields):
    """Both subnets by one firewall endpoint, in the first one's zone, and on to the NAT gateway; answers the same way."""
    inspection = Subnet("subnet-fw", f"{REGION}a", "123456789012", ("10.0.8.0/24",), 200)
    back = [Route(text, "endpoint", "vpce-1") for text in ("10.0.1.0/24", "10.0.2.0/24")]
    base = routes(BASE, "rtb-private", Route("0.0.0.0/0", "endpoint", "vpce-1"))
    base = routes(base, "rtb-public", *back)
    raw = {"fw-1": {"endpoints": {"vpce-1": "subnet-fw"}} | fields}
    return replace(
        base,
        subnets=(*base.subnets, inspection),
        acls=(*base.acls, Acl("acl-subnet-fw", ("subnet-fw",), entries())),
        route_tables=(*base.route_tables, RouteTable("rtb-fw", subnets=("subnet-fw",), routes=(*LOCAL, OUT[0]))),
        endpoints=(VpcEndpoint("vpce-1", "GatewayLoadBalancer", subnets=("subnet-fw",)),),
        firewalls=network_firewalls(raw, "vpc-1"),
    )


FORWARDED = ["10 forward tcp 10.0.0.0/16 any:443", "20 forward tcp any:443 10.0.0.0/16"]
FIREWALL = firewall_before_nat(stateless=FORWARDED, stateless_default="drop")
ONE_NAT_EACH = replace(
    BASE,
    nats=(*BASE.nats, Nat("nat-2", "available", PUBLIC, addresses=("10.0.9.201",), elastic=("203.0.113.2",))),
    route_tables=(
        *(one for one in BASE.route_tables if one.id != "rtb-private"),
        RouteTable("rtb-a", subnets=(A, PODS), routes=(*LOCAL, *OUT)),
        RouteTable("rtb-b", subnets=(B,), routes=(*LOCAL, Route("0.0.0.0/0", "nat", "nat-2"), *OUT[1:])),
    ),
)
BROKEN = [
    Broken(
        "no rule out", group(BASE, CLUSTER_SG, egress=(Permission(6, (9443, 9443), ANY),)), "web", "SG_EGRESS_DENIED"
    ),
    Broken(
        "out by IPv4 only",
        group(BASE, CLUSTER_SG, egress=(Permission(-1, blocks=ANY[:1]),)),
        "web6",
        "SG_EGRESS_DENIED",
    ),
    Broken(
        "the pod's port is not 443",
        group(BASE, POD_SG, ingress=(Permission(6, (443, 443), groups=(CLUSTER_SG,)),)),
        "pod",
        "SG_INGRESS_DENIED",
    ),
    Broken("443 out denied", acl(BASE, A, _deny(90, True, 443)), "web", "NACL_EGRESS_DENIED", only=(A,)),
    Broken("IPv6 out denied", acl(BASE, B, _deny(90, True, block="::/0")), "web6", "NACL_EGRESS_DENIED", only=(B,)),
    Broken("answers denied", acl(BASE, A, _deny(90, False, 1024, 65535)), "web", "NACL_EPHEMERAL_DENIED", only=(A,)),
    Broken("pods' subnet lets nobody in", acl(BASE, PODS, _deny(10, False, 9443)), "pod", "NACL_INGRESS_DENIED"),
    Broken("pods' answers denied", acl(BASE, PODS, _deny(10, True, 1024, 65535)), "pod", "NACL_EPHEMERAL_DENIED"),
    Broken("the NAT's subnet lets nobody in", acl(BASE, PUBLIC, _deny(10, False, 443)), "web", "NACL_INGRESS_DENIED"),
    Broken("the NAT's way out denied", acl(BASE, PUBLIC, _deny(10, True, 443)), "web", "NACL_EGRESS_DENIED"),
    Broken(
        "answers to the NAT denied", acl(BASE, PUBLIC, _deny(10, False, 1024, 65535)), "web", "NACL_EPHEMERAL_DENIED"
    ),
    Broken(
        "the NAT's answers denied",
        acl(BASE, PUBLIC, _deny(10, True, 1024, 65535, "10.0.0.0/16")),
        "web",
        "NACL_EPHEMERAL_DENIED",
    ),
    Broken(
        "a firewall's stateful rule",
        firewall_before_nat(stateless=FORWARDED, rules="drop tcp 10.0.1.0/24 any -> any 443 (sid:1;)"),
        "web",
        "FIREWALL_RULE_BLOCKS",
        only=(A,),
        whole=FIREWALL,
    ),
    Broken(
        "a firewall without a stateless rule for answers",
        firewall_before_nat(stateless=FORWARDED[:1], stateless_default="drop"),
        "web",
        "FIREWALL_DROPS_RETURN",
        whole=FIREWALL,
    ),
    Broken("no default route", routes(BASE, "rtb-private", gone("0.0.0.0/0")), "web", "ROUTE_NO_EGRESS"),
    Broken(
        "no table of its own",
        replace(BASE, route_tables=swap(BASE.route_tables, "rtb-private", subnets=(B, PODS))),
        "web",
        "ROUTE_NO_EGRESS",
        only=(A,),
    ),
    Broken("no IPv6 route", routes(BASE, "rtb-private", gone("::/0")), "web6", "IPV6_ROUTE_MISSING"),
    Broken(
        "a longer prefix leads nowhere",
        routes(BASE, "rtb-private", Route("93.184.0.0/16", "nat", "nat-gone", active=False)),
        "web",
        "ROUTE_BLACKHOLE",
    ),
    Broken(
        "a public subnet",
        routes(BASE, "rtb-private", Route("0.0.0.0/0", "internet", "igw-1")),
        "web",
        "ROUTE_TO_IGW_WITHOUT_PUBLIC_ADDRESS",
    ),
    Broken(
        "the egress-only gateway is another VPC's",
        replace(BASE, gateways=BASE.gateways[:1]),
        "web6",
        "EIGW_MISSING",
    ),
    Broken("the NAT failed", replace(BASE, nats=swap(BASE.nats, "nat-1", state="failed")), "web", "NAT_NOT_AVAILABLE"),
    Broken(
        "the NAT's subnet is private",
        routes(BASE, "rtb-public", gone("0.0.0.0/0")),
        "web",
        "NAT_SUBNET_NO_INTERNET_ROUTE",
    ),
    Broken(
        "a private NAT",
        replace(BASE, nats=swap(BASE.nats, "nat-1", public=False, elastic=())),
        "web",
        "NAT_SUBNET_NO_INTERNET_ROUTE",
    ),
    Broken(
        "public access blocked",
        replace(BASE, public_access=PublicAccess("block-bidirectional")),
        "web",
        "BPA_BLOCKS_EGRESS",
        whole=replace(BASE, public_access=PublicAccess("block-bidirectional", (Exclusion(PUBLIC, "allow-egress"),))),
    ),
    Broken(
        "public access blocked for IPv6",
        replace(BASE, public_access=PublicAccess("block-bidirectional", (Exclusion(PUBLIC, "allow-egress"),))),
        "web6",
        "BPA_BLOCKS_EGRESS",
        whole=replace(BASE, public_access=PublicAccess("block-ingress")),
    ),
    Broken(
        "encryption enforced",
        replace(BASE, encryption=(Encryption("vpcec-1", "enforce", ("InternetGateway",)),)),
        "web",
        "ENCRYPTION_CONTROL_BLOCKS",
        whole=replace(BASE, encryption=(Encryption("vpcec-1", "enforce", ("InternetGateway", "NatGateway")),)),
    ),
    Broken(
        "no route to the private network",
        routes(BASE, "rtb-private", gone("172.16.0.0/12")),
        "corp",
        "PRIVATE_ADDRESS_TO_INTERNET",
    ),
    Broken(
        "attached in one zone only",
        replace(BASE, attachments=(Attachment("tgw-attach-1", "tgw-1", subnets=(A,)),)),
        "corp",
        "TGW_NO_ATTACHMENT_IN_AZ",
        only=(B,),
    ),
    Broken(
        "the peer has not accepted",
        replace(BASE, peerings=(Peering("pcx-1", "pending-acceptance", "vpc-peer", ("10.99.0.0/16",)),)),
        "peer",
        "PEERING_NOT_ACTIVE",
    ),
    Broken(
        "the internet by a peer",
        routes(BASE, "rtb-private", Route("93.0.0.0/8", "peering", "pcx-1")),
        "web",
        "PEERING_NOT_TRANSITIVE",
    ),
    Broken(
        "a firewall's endpoint that failed",
        replace(
            routes(BASE, "rtb-private", Route("93.0.0.0/8", "endpoint", "vpce-1")),
            endpoints=(VpcEndpoint("vpce-1", "GatewayLoadBalancer", state="failed", subnets=(PUBLIC,)),),
        ),
        "web",
        "ENDPOINT_NOT_AVAILABLE",
    ),
    Broken(
        "an appliance with the check on",
        routes(BASE, "rtb-private", Route("93.0.0.0/8", "interface", "eni-box")),
        "web",
        "APPLIANCE_SOURCE_DEST_CHECK",
    ),
    Broken(
        "an appliance whose group lets nobody in",
        replace(
            routes(BASE, "rtb-private", Route("93.0.0.0/8", "interface", "eni-box")),
            interfaces=swap(BASE.interfaces, "eni-box", checked=False),
        ),
        "web",
        "SG_INGRESS_DENIED",
    ),
    Broken(
        "the pods see the NAT's address",
        routes(BASE, "rtb-private", Route("10.0.3.0/24", "nat", "nat-1")),
        "pod",
        "SG_INGRESS_DENIED",
        whole=group(
            routes(BASE, "rtb-private", Route("10.0.3.0/24", "nat", "nat-1")),
            POD_SG,
            ingress=(Permission(6, (9443, 9443), (f"{NAT}/32",)),),
        ),
    ),
    Broken(
        "an address that no subnet has",
        replace(BASE, names={"web.example": ("10.0.77.7",)}),
        "web",
        "ADDRESS_NOT_IN_A_SUBNET",
    ),
    Broken(
        "no DNS support",
        replace(BASE, vpc=replace(BASE.vpc, dns_support=False)),
        "web",
        "VPC_DNS_SUPPORT_OFF",
        Code.DNS_TIMEOUT,
    ),
    Broken(
        "the firewall blocks the name",
        replace(
            BASE,
            dns_firewall=(
                DnsFirewallRule("rslvr-frg-1", "no-web", "BLOCK", 10, list="rslvr-fdl-1", domains=("*.example.",)),
            ),
        ),
        "web",
        "DNS_FIREWALL_BLOCKS",
        Code.DNS_NXDOMAIN,
        whole=replace(
            BASE,
            dns_firewall=(
                DnsFirewallRule("rslvr-frg-1", "web", "ALLOW", 5, list="rslvr-fdl-2", domains=("web.example.",)),
                DnsFirewallRule("rslvr-frg-1", "no-web", "BLOCK", 10, list="rslvr-fdl-1", domains=("*.example.",)),
            ),
        ),
    ),
    Broken(
        "an EKS endpoint hides the issuer",
        replace(
            BASE, endpoints=(VpcEndpoint("vpce-eks", "Interface", f"com.amazonaws.{REGION}.eks", private_dns=True),)
        ),
        "issuer",
        "EKS_ENDPOINT_HIDES_OIDC",
        Code.DNS_NXDOMAIN,
    ),
    Broken(
        "a rule shadows the zone",
        replace(
            BASE,
            zones=(Zone("Z1", "web.example."),),
            resolver_rules=(ResolverRule("rslvr-rr-1", "web.example.", "FORWARD", targets=(f"{CORP}:53",)),),
        ),
        "web",
        "RESOLVER_RULE_SHADOWS_ZONE",
        Code.DNS_NXDOMAIN,
        whole=replace(
            BASE,
            zones=(Zone("Z1", "web.example."),),
            resolver_rules=(ResolverRule("rslvr-rr-1", "example.", "FORWARD", targets=(f"{CORP}:53",)),),
        ),
    ),
    Broken(
        "the own name server is closed",
        group(WITH_DNS, POD_SG, ingress=(Permission(6, (9443, 9443), groups=(CLUSTER_SG,)),)),
        "web",
        "SG_INGRESS_DENIED",
        Code.DNS_TIMEOUT,
        whole=WITH_DNS,
    ),
    Broken(
        "one NAT of two",
        replace(ONE_NAT_EACH, nats=swap(ONE_NAT_EACH.nats, "nat-2", state="failed")),
        "web",
        "NAT_NOT_AVAILABLE",
        only=(B,),
        whole=ONE_NAT_EACH,
    ),
    Broken("nobody listens behind an open way", BASE, "refused", "", Code.CONNECT_REFUSED, cause="connect_refused"),
    Broken(
        "packets die where all is open",
        replace(BASE, names={"web.example": ("93.184.216.99",)}),
        "web",
        "",
        cause="CONFIG_ALLOWS_BUT_NO_REPLY",
    ),
    Broken(
        "packets die behind the transit gateway",
        replace(BASE, names={"corp.example": ("172.16.99.9",)}),
        "corp",
        "PATH_UNKNOWN",
    ),
]
