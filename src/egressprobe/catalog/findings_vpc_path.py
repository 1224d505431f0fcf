"""The catalogue's part on the way through the VPC, element by element: what the static audit finds."""

from egressprobe.catalog.entry import FindingEntry


def _closing(code: str, summary: str, means: str, confirm: str, mend: str) -> FindingEntry:
    """Of a path that is closed: an error wherever it is found."""
    return FindingEntry(code, summary, means, confirm, mend, severity="error", degrades=True)


ADDRESS_NOT_IN_A_SUBNET = _closing(
    "ADDRESS_NOT_IN_A_SUBNET",
    "an address of the VPC's range that is in none of its subnets",
    "The local route takes everything of the VPC's blocks, and there is no subnet that holds this address, so "
    "packets to it are dropped. Typical: an old address of a service that moved, or a peer's block that overlaps.",
    "aws ec2 describe-subnets --filters Name=vpc-id,Values=VPC --query 'Subnets[].CidrBlock'",
    "Let the name or the service point to an address that exists.",
)
APPLIANCE_SOURCE_DEST_CHECK = _closing(
    "APPLIANCE_SOURCE_DEST_CHECK",
    "a route leads to an interface that takes only what is for itself",
    "EC2 checks that an instance is source or destination of each packet. A NAT instance or firewall needs the "
    "check off, else everything that it should forward is dropped.",
    "aws ec2 describe-network-interfaces --network-interface-ids ENI --query 'NetworkInterfaces[].SourceDestCheck'",
    "Turn the source/destination check of the appliance's interface off.",
)
BPA_BLOCKS_EGRESS = _closing(
    "BPA_BLOCKS_EGRESS",
    "VPC Block Public Access stops the way to the internet",
    "block-bidirectional stops all traffic of internet and egress-only gateways in the region, NAT gateways' "
    "included; block-ingress all but NAT and egress-only gateways'. Route tables and groups look perfect.",
    "aws ec2 describe-vpc-block-public-access-options; aws ec2 describe-vpc-block-public-access-exclusions",
    "Exclude the VPC, or the subnet of the NAT gateway, for egress; under a declarative policy the "
    "organisation's administrators must allow exclusions.",
)
EIGW_MISSING = _closing(
    "EIGW_MISSING",
    "an IPv6 route leads to an egress-only gateway that is not there",
    "The gateway was deleted or belongs to another VPC, so IPv6 packets to the internet are dropped.",
    "aws ec2 describe-egress-only-internet-gateways",
    "Create an egress-only internet gateway in the VPC and point the route at it.",
)
ENCRYPTION_CONTROL_BLOCKS = _closing(
    "ENCRYPTION_CONTROL_BLOCKS",
    "VPC encryption controls in enforce mode do not exclude a gateway on the way",
    "Enforced controls stop traffic through gateways that cannot encrypt, unless the kind is excluded.",
    "aws ec2 describe-vpc-encryption-controls --filters Name=vpc-id,Values=VPC",
    "Exclude the kind of gateway from the VPC's encryption control, or set it to monitor.",
)
ENDPOINT_NOT_AVAILABLE = _closing(
    "ENDPOINT_NOT_AVAILABLE",
    "a route leads to a VPC endpoint that is not available",
    "A firewall's or Gateway Load Balancer's endpoint that is pending, failed or rejected drops what it gets.",
    "aws ec2 describe-vpc-endpoints --vpc-endpoint-ids VPCE --query 'VpcEndpoints[].[State,LastError]'",
    "Mend or replace the endpoint, or take the route back meanwhile.",
)
IPV6_ROUTE_MISSING = _closing(
    "IPV6_ROUTE_MISSING",
    "IPv6 has no way out",
    "The subnet's route table has no route for IPv6 addresses, or one that cannot carry them. On an IPv6 cluster "
    "the API server dials IPv6 first where a name has it.",
    "aws ec2 describe-route-tables --route-table-ids RTB --query 'RouteTables[].Routes'",
    "A route for ::/0 to an egress-only internet gateway of the VPC.",
)
NACL_EGRESS_DENIED = _closing(
    "NACL_EGRESS_DENIED",
    "a network ACL denies packets out of a subnet",
    "The subnet's ACL has no rule that allows the call out, or a lower-numbered one denies it. ACLs are read in "
    "ascending order and the first match decides; `*` (32767) denies the rest.",
    "aws ec2 describe-network-acls --network-acl-ids ACL --query 'NetworkAcls[].Entries'",
    "Add an allowing rule with a lower number than the one that denies. An IPv4 rule says nothing of IPv6.",
)
NACL_EPHEMERAL_DENIED = _closing(
    "NACL_EPHEMERAL_DENIED",
    "a network ACL denies answers",
    "ACLs are stateless: the answer is judged by itself, and its destination is the client's port. Lambda, NAT "
    "gateways and load balancers use 1024-65535, so a rule for 32768-60999 lets only some calls pass: half of "
    "them hang, and the next try works.",
    "aws ec2 describe-network-acls --network-acl-ids ACL --query 'NetworkAcls[].Entries'",
    "Allow TCP 1024-65535 in the direction of the answer; of the NAT gateway's subnet both directions see answers.",
)
NACL_INGRESS_DENIED = _closing(
    "NACL_INGRESS_DENIED",
    "a network ACL denies packets into a subnet",
    "The ACL of the subnet that the call enters (the target's, or that of a NAT gateway or attachment) denies "
    "it. Rules for a subnet's own clients do not help here: the source is the control plane's subnet.",
    "aws ec2 describe-network-acls --network-acl-ids ACL --query 'NetworkAcls[].Entries'",
    "Add an allowing rule with a lower number than the one that denies.",
)
NAT_NOT_AVAILABLE = _closing(
    "NAT_NOT_AVAILABLE",
    "a route leads to a NAT gateway that is not available",
    "Pending, failed, deleting or deleted: it translates nothing.",
    "aws ec2 describe-nat-gateways --nat-gateway-ids NAT --query 'NatGateways[].[State,FailureMessage]'",
    "Point the route at a NAT gateway that is available, or make a new one.",
)
NAT_SUBNET_NO_INTERNET_ROUTE = _closing(
    "NAT_SUBNET_NO_INTERNET_ROUTE",
    "a NAT gateway has no way to the internet itself",
    "A public NAT gateway needs a route to an internet gateway in the table of the subnet that it stands in (a "
    "regional one in its own table), and a public address. Typical: made in a private subnet, or private itself.",
    "aws ec2 describe-route-tables --filters Name=association.subnet-id,Values=SUBNET",
    "A default route to the internet gateway in the NAT gateway's subnet; for a private NAT gateway a public one.",
)
PEERING_NOT_ACTIVE = _closing(
    "PEERING_NOT_ACTIVE",
    "a route leads to a peering connection that is not active",
    "It waits to be accepted, or was rejected, deleted or has expired.",
    "aws ec2 describe-vpc-peering-connections --vpc-peering-connection-ids PCX",
    "Let the other side accept it, or make a new one and point the route at it.",
)
PEERING_NOT_TRANSITIVE = _closing(
    "PEERING_NOT_TRANSITIVE",
    "a route leads through a peering connection to an address that is not the peer's",
    "Peering takes packets for the peer VPC's own blocks only, never through its gateways or to its peers.",
    "aws ec2 describe-vpc-peering-connections --vpc-peering-connection-ids PCX",
    "Reach the address another way: a transit gateway, or a peering connection of its own.",
)
PRIVATE_ADDRESS_TO_INTERNET = _closing(
    "PRIVATE_ADDRESS_TO_INTERNET",
    "a private address is sent to the internet",
    "No route but the default one matches, so packets for a private address leave by the internet gateway, and "
    "nobody there has a route back. Typical: a private endpoint or on-premises name without a route.",
    "aws ec2 describe-route-tables --route-table-ids RTB --query 'RouteTables[].Routes'",
    "A route for the address's block to what leads there: transit gateway, peering connection or VPN gateway.",
)
ROUTE_BLACKHOLE = _closing(
    "ROUTE_BLACKHOLE",
    "the route that wins leads to something that is gone",
    "The longest prefix wins even when its target was deleted or detached: packets are dropped and no shorter "
    "route is tried. Deleting a NAT gateway leaves its routes behind.",
    "aws ec2 describe-route-tables --route-table-ids RTB --query 'RouteTables[].Routes[?State==`blackhole`]'",
    "Point the route at something that lives, or delete it.",
)
ROUTE_NO_EGRESS = _closing(
    "ROUTE_NO_EGRESS",
    "no route for the address",
    "The table of the subnet (its own, or the VPC's main table where none is associated) has no route that "
    "matches, so packets are dropped.",
    "aws ec2 describe-route-tables --filters Name=association.subnet-id,Values=SUBNET; none: the main table, "
    "--filters Name=association.main,Values=true",
    "A default route to a NAT gateway, or a route for the address's block to what leads there.",
)
ROUTE_TO_IGW_WITHOUT_PUBLIC_ADDRESS = _closing(
    "ROUTE_TO_IGW_WITHOUT_PUBLIC_ADDRESS",
    "the subnet's traffic goes to an internet gateway, and the control plane has no public address",
    "EKS gives its interfaces private addresses only. An internet gateway drops packets of interfaces without a "
    "public one, so a public subnet is a dead end for the control plane.",
    "aws ec2 describe-route-tables --filters Name=association.subnet-id,Values=SUBNET",
    "Route the control plane's subnets to a NAT gateway, or give the cluster private subnets.",
)
SG_EGRESS_DENIED = _closing(
    "SG_EGRESS_DENIED",
    "no rule of the control plane's security groups lets the call out",
    "The rules of the cluster security group and of the additional groups are a union. Service-backed webhooks "
    "are called on the pod's port (9443, 8443, 10250 ...), not on 443.",
    "aws ec2 describe-security-groups --group-ids SG --query 'SecurityGroups[].IpPermissionsEgress'",
    "Allow the port to the address, or to the security group of the nodes.",
)
SG_INGRESS_DENIED = _closing(
    "SG_INGRESS_DENIED",
    "no rule of the target's security groups lets the call in",
    "The groups of the interface that has the address (a node, a pod's own, a load balancer) allow neither the "
    "control plane's group nor its addresses on this port. A reference to a group does not match what comes "
    "through a NAT gateway or an appliance.",
    "aws ec2 describe-security-groups --group-ids SG --query 'SecurityGroups[].IpPermissions'",
    "Allow the port from the cluster security group.",
)
SUBNET_WITHOUT_IPV6 = _closing(
    "SUBNET_WITHOUT_IPV6",
    "a subnet of an IPv6 cluster has no IPv6 addresses",
    "The control plane's interfaces there have no IPv6 address, so calls to IPv6 targets fail from it.",
    "aws ec2 describe-subnets --subnet-ids SUBNET --query 'Subnets[].Ipv6CidrBlockAssociationSet'",
    "Associate an IPv6 block of the VPC with the subnet, or take it out of the cluster's subnets.",
)
TGW_NO_ATTACHMENT_IN_AZ = _closing(
    "TGW_NO_ATTACHMENT_IN_AZ",
    "the transit gateway has no attachment in the subnet's zone",
    "A transit gateway takes traffic of a zone only where its attachment has a subnet in that zone; other zones' "
    "packets are dropped.",
    "aws ec2 describe-transit-gateway-vpc-attachments --filters Name=vpc-id,Values=VPC --query "
    "'TransitGatewayVpcAttachments[].SubnetIds'",
    "Add a subnet of that zone to the attachment.",
)
PATH_UNKNOWN = FindingEntry(
    "PATH_UNKNOWN",
    "the VPC's configuration does not tell whether packets pass",
    "The way leads through something that the VPC does not show: a transit gateway's tables, a peer VPC, a "
    "firewall's rules, an appliance, or an address that no interface has now. Nothing that is known closes it.",
    "egressprobe audit -o json | jq '.paths[] | select(.knowledgeEnds)'; the live probe says whether it passes.",
    "Nothing is known to be wrong; let the probes measure it.",
    severity="info",
    degrades=False,
)
