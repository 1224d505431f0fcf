"""The catalogue's part on the path through the VPC, element by element: what the static audit finds."""

from egressprobe.catalog.entry import FindingEntry

# What a call meets where packets are dropped silently, or where a router refuses them.
_DROPPED = ("connect_timeout", "host_unreachable", "network_unreachable")


def _closing(code: str, summary: str, means: str, confirm: str, remedy: str) -> FindingEntry:
    """Of a path that is closed: an error, and the cause of every call that gets no reply."""
    return FindingEntry(code, summary, means, confirm, remedy, severity="error", degrades=True, hides=_DROPPED)


ADDRESS_NOT_ALLOWED = _closing(
    "ADDRESS_NOT_ALLOWED",
    "a pod or node address that EKS does not allow the API server to dial",
    "The API server of EKS dials pods and nodes only in the VPC's CIDRs and in the cluster's remote node and pod "
    "networks; other addresses fail with `Address is not allowed`. Typical: the pod network of an overlay (Calico, "
    "Cilium, Weave), which has CIDRs of its own.",
    "aws ec2 describe-vpcs --vpc-ids VPC --query 'Vpcs[].CidrBlockAssociationSet[].CidrBlock'\n"
    "aws eks describe-cluster --name CLUSTER --query cluster.remoteNetworkConfig",
    "No route helps. Run the webhook's pods with hostNetwork: true, or give pods addresses of the VPC (Amazon VPC CNI, "
    "with custom networking for a secondary CIDR); for hybrid nodes add the pod network to remotePodNetworks.",
)
ADDRESS_NOT_IN_A_SUBNET = _closing(
    "ADDRESS_NOT_IN_A_SUBNET",
    "an address in the VPC's CIDR that is in none of its subnets",
    "The local route matches everything in the VPC's CIDRs, and no subnet contains this address, so packets to it are "
    "dropped. Typical: an old address of a service that moved, or a peer's CIDR that overlaps.",
    "aws ec2 describe-subnets --filters Name=vpc-id,Values=VPC --query 'Subnets[].CidrBlock'",
    "Point the name or the service to an address that exists.",
)
APPLIANCE_SOURCE_DEST_CHECK = _closing(
    "APPLIANCE_SOURCE_DEST_CHECK",
    "a route leads to an interface that accepts only packets addressed to itself",
    "EC2 checks that an instance is source or destination of each packet. A NAT instance or firewall needs the "
    "check off, else everything that it should forward is dropped.",
    "aws ec2 describe-network-interfaces --network-interface-ids ENI --query 'NetworkInterfaces[].SourceDestCheck'",
    "Turn off the source/destination check of the appliance's interface.",
)
BLOCKED_TARGET_OPEN = FindingEntry(
    "BLOCKED_TARGET_OPEN",
    "a target that must be blocked is open",
    "The target has `expect: blocked`, and the VPC's configuration allows calls to it.",
    "egressprobe audit --cluster CLUSTER -f FILE -o json | jq '.paths[] | select(.state != \"closed\")'",
    "Deny the address in the network ACL of the control plane's subnets, or remove the route or the security group "
    "rule that allows it.",
    severity="error",
    degrades=True,
    hides=("blocked_target_reached",),
)
BPA_BLOCKS_EGRESS = _closing(
    "BPA_BLOCKS_EGRESS",
    "VPC Block Public Access stops egress to the internet",
    "block-bidirectional stops all traffic of internet and egress-only gateways in the region, NAT gateways' "
    "included; block-ingress all but NAT and egress-only gateways'. Route tables and groups look correct.",
    "aws ec2 describe-vpc-block-public-access-options\naws ec2 describe-vpc-block-public-access-exclusions",
    "Exclude the VPC, or the subnet of the NAT gateway, for egress; in block-ingress only an exclusion for both "
    "directions has an effect. Under a declarative policy the organisation's administrators must allow exclusions.",
)
EIGW_MISSING = _closing(
    "EIGW_MISSING",
    "an IPv6 route leads to an egress-only gateway that does not exist in the VPC",
    "The gateway was deleted or belongs to another VPC, so IPv6 packets to the internet are dropped.",
    "aws ec2 describe-egress-only-internet-gateways",
    "Create an egress-only internet gateway in the VPC and point the route at it.",
)
ENCRYPTION_CONTROL_BLOCKS = _closing(
    "ENCRYPTION_CONTROL_BLOCKS",
    "VPC encryption controls in enforce mode do not exclude a gateway on the path",
    "Enforced controls stop traffic through gateways that cannot encrypt, unless the kind is excluded.",
    "aws ec2 describe-vpc-encryption-controls --filters Name=vpc-id,Values=VPC",
    "Exclude the kind of gateway from the VPC's encryption control, or set it to monitor.",
)
ENDPOINT_NOT_AVAILABLE = _closing(
    "ENDPOINT_NOT_AVAILABLE",
    "a route leads to a VPC endpoint that is not available",
    "An endpoint of a firewall or Gateway Load Balancer that is pending, failed or rejected drops all packets.",
    "aws ec2 describe-vpc-endpoints --vpc-endpoint-ids VPCE --query 'VpcEndpoints[].[State,LastError]'",
    "Repair or replace the endpoint, or delete the route meanwhile.",
)
INTERFACE_NOT_ATTACHED = _closing(
    "INTERFACE_NOT_ATTACHED",
    "the target's network interface is attached to nothing",
    "The interface that has the address is in status `available`: no instance or service receives its packets. "
    "Typical: the interface of a node that was terminated.",
    "aws ec2 describe-network-interfaces --network-interface-ids ENI --query 'NetworkInterfaces[].[Status,Attachment]'",
    "Point the name or the service to an address in use, or attach the interface.",
)
IPV6_ONLY_TARGET = _closing(
    "IPV6_ONLY_TARGET",
    "the target has IPv6 addresses only, and the cluster is an IPv4 cluster",
    "The control plane's interfaces of a cluster with ipFamily ipv4 have no IPv6 address, so no call can leave. The IP "
    "family of a cluster cannot be changed.",
    "dig NAME A\naws eks describe-cluster --name CLUSTER --query cluster.kubernetesNetworkConfig.ipFamily",
    "Add an A record to the name, or put a dual-stack load balancer or proxy with an IPv4 address before the server.",
)
IPV6_ROUTE_MISSING = _closing(
    "IPV6_ROUTE_MISSING",
    "no IPv6 egress path",
    "The subnet's route table has no route for IPv6 addresses, or one that cannot forward them. On an IPv6 cluster "
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
    "Add an allowing rule with a lower number than the one that denies. IPv4 rules do not apply to IPv6.",
)
NACL_EPHEMERAL_DENIED = _closing(
    "NACL_EPHEMERAL_DENIED",
    "a network ACL denies return traffic",
    "ACLs are stateless: return traffic is evaluated by itself, and its destination is the client's port. Lambda, NAT "
    "gateways and load balancers use 1024-65535, so a rule for 32768-60999 allows only some calls: half of "
    "them hang, and the next try works.",
    "aws ec2 describe-network-acls --network-acl-ids ACL --query 'NetworkAcls[].Entries'",
    "Allow TCP 1024-65535 in the direction of the return traffic; in the NAT gateway's subnet, allow it in both "
    "directions.",
)
NACL_INGRESS_DENIED = _closing(
    "NACL_INGRESS_DENIED",
    "a network ACL denies packets into a subnet",
    "The ACL of the subnet that the call enters (the target's, or that of a NAT gateway or attachment) denies "
    "it. The source is an address of the control plane's subnet.",
    "aws ec2 describe-network-acls --network-acl-ids ACL --query 'NetworkAcls[].Entries'",
    "Add an allowing rule with a lower number than the one that denies.",
)
NAT64_ROUTE_MISSING = _closing(
    "NAT64_ROUTE_MISSING",
    "IPv6 addresses of 64:ff9b::/96 have no route to a NAT gateway",
    "DNS64 gives names without AAAA record an address of 64:ff9b::/96, which only a NAT gateway translates to IPv4. By "
    "the route ::/0 the packets reach an internet or egress-only gateway, which drops them.",
    "aws ec2 describe-route-tables --route-table-ids RTB --query 'RouteTables[].Routes'",
    "A route for 64:ff9b::/96 to a NAT gateway, or turn DNS64 of the subnet off.",
)
NAT_GATEWAY_NOT_A_TARGET = _closing(
    "NAT_GATEWAY_NOT_A_TARGET",
    "the address belongs to a NAT gateway",
    "A NAT gateway forwards connections that its clients open; it accepts none itself.",
    "aws ec2 describe-nat-gateways --filter Name=vpc-id,Values=VPC --query 'NatGateways[].NatGatewayAddresses'",
    "Point the name or the service to the address of the server.",
)
NAT_NOT_AVAILABLE = _closing(
    "NAT_NOT_AVAILABLE",
    "a route leads to a NAT gateway that is not available",
    "It is pending, failed, deleting or deleted, and forwards nothing.",
    "aws ec2 describe-nat-gateways --nat-gateway-ids NAT --query 'NatGateways[].[State,FailureMessage]'",
    "Point the route at a NAT gateway that is available, or create one.",
)
NAT_SUBNET_NO_INTERNET_ROUTE = _closing(
    "NAT_SUBNET_NO_INTERNET_ROUTE",
    "a NAT gateway has no egress path to the internet itself",
    "A public NAT gateway needs a route to an internet gateway in the table of its subnet (a "
    "regional one in its own table), and a public address. Typical: created in a private subnet, or private itself.",
    "aws ec2 describe-route-tables --filters Name=association.subnet-id,Values=SUBNET",
    "A NAT gateway in a public subnet, or a regional one. A default route to the internet gateway helps only in a "
    "route table that no private subnet uses; a private NAT gateway must be replaced by a public one.",
)
PEERING_NOT_ACTIVE = _closing(
    "PEERING_NOT_ACTIVE",
    "a route leads to a peering connection that is not active",
    "It is pending acceptance, was rejected or deleted, or has expired.",
    "aws ec2 describe-vpc-peering-connections --vpc-peering-connection-ids PCX",
    "Let the other side accept it, or create a new one and point the route at it.",
)
PEERING_NOT_TRANSITIVE = _closing(
    "PEERING_NOT_TRANSITIVE",
    "a route leads through a peering connection to an address that is not the peer's",
    "A peering connection forwards packets for the peer VPC's own CIDRs only, never to its gateways or its peers.",
    "aws ec2 describe-vpc-peering-connections --vpc-peering-connection-ids PCX",
    "Route the address to a transit gateway, or to a peering connection with the VPC that has it.",
)
PRIVATE_ADDRESS_TO_INTERNET = _closing(
    "PRIVATE_ADDRESS_TO_INTERNET",
    "a private address is sent to the internet",
    "Only the default route matches, so packets for an address that is not routed on the internet (RFC 6890) leave by "
    "the internet gateway and are dropped. Typical: a private endpoint or on-premises name without a route.",
    "aws ec2 describe-route-tables --route-table-ids RTB --query 'RouteTables[].Routes'",
    "A route for the address's CIDR to the transit gateway, peering connection or VPN gateway that leads there.",
)
ROUTE_BLACKHOLE = _closing(
    "ROUTE_BLACKHOLE",
    "the selected route has a route target that no longer exists",
    "The longest prefix wins even when its target was deleted or detached: packets are dropped and no shorter "
    "route is tried. Deleting a NAT gateway leaves its routes behind.",
    "aws ec2 describe-route-tables --route-table-ids RTB --query \"RouteTables[].Routes[?State=='blackhole']\"",
    "Point the route at a route target that exists, or delete the route.",
)
ROUTE_NO_EGRESS = _closing(
    "ROUTE_NO_EGRESS",
    "no route for the address",
    "The table of the subnet (its own, or the VPC's main table where none is associated) has no route that "
    "matches, so packets are dropped.",
    "aws ec2 describe-route-tables --filters Name=association.subnet-id,Values=SUBNET\n"
    "aws ec2 describe-route-tables --filters Name=association.main,Values=true",
    "A default route to a NAT gateway, or a route for the address's CIDR to the target that leads there.",
)
ROUTE_TO_IGW_WITHOUT_PUBLIC_ADDRESS = _closing(
    "ROUTE_TO_IGW_WITHOUT_PUBLIC_ADDRESS",
    "the subnet's traffic goes to an internet gateway, and the control plane has no public address",
    "EKS gives its interfaces private addresses only. An internet gateway drops packets of interfaces without a "
    "public one, so the control plane has no internet egress from a public subnet.",
    "aws ec2 describe-route-tables --filters Name=association.subnet-id,Values=SUBNET",
    "Give the cluster private subnets of the same zones, or give these subnets a route table with a NAT gateway of "
    "their own; what has a public address in them (a load balancer, a NAT gateway) needs the route to the internet "
    "gateway.",
)
SG_EGRESS_DENIED = _closing(
    "SG_EGRESS_DENIED",
    "no rule of the control plane's security groups allows the call",
    "The rules of the cluster security group and of the additional groups are a union. Service-backed webhooks "
    "are called on the pod's port (9443, 8443, 10250 ...), not on 443.",
    "aws ec2 describe-security-groups --group-ids SG --query 'SecurityGroups[].IpPermissionsEgress'",
    "Allow the port to the address, or to the security group of the nodes.",
)
SG_INGRESS_DENIED = _closing(
    "SG_INGRESS_DENIED",
    "no rule of the target's security groups allows the call",
    "The groups of the interface that has the address (a node, a pod's own, a load balancer) allow neither the "
    "control plane's group nor its addresses on this port. A reference to a group does not match what comes "
    "through a NAT gateway or an appliance.",
    "aws ec2 describe-security-groups --group-ids SG --query 'SecurityGroups[].IpPermissions'",
    "Allow the port from the cluster security group.",
)
SUBNET_WITHOUT_IPV6 = _closing(
    "SUBNET_WITHOUT_IPV6",
    "a subnet of an IPv6 cluster has no IPv6 addresses",
    "The control plane's interfaces there have no IPv6 address, so calls to IPv6 targets fail from this subnet.",
    "aws ec2 describe-subnets --subnet-ids SUBNET --query 'Subnets[].Ipv6CidrBlockAssociationSet'",
    "Associate an IPv6 CIDR of the VPC with the subnet, or remove the subnet from the cluster.",
)
TGW_NO_ATTACHMENT_IN_AZ = _closing(
    "TGW_NO_ATTACHMENT_IN_AZ",
    "the transit gateway has no attachment in the subnet's zone",
    "A transit gateway accepts traffic of a zone only if its attachment has a subnet in that zone; other zones' "
    "packets are dropped.",
    "aws ec2 describe-transit-gateway-vpc-attachments --filters Name=vpc-id,Values=VPC --query "
    "'TransitGatewayVpcAttachments[].SubnetIds'",
    "Add a subnet of that zone to the attachment.",
)
TGW_RETURN_ROUTE_MISSING = _closing(
    "TGW_RETURN_ROUTE_MISSING",
    "the transit gateway has no route back to the cluster's VPC",
    "The attachment behind the transit gateway is associated with a route table that has no route for the cluster's "
    "subnets, so return traffic is dropped. Often attachments use several tables, and only one has the route.",
    "aws ec2 search-transit-gateway-routes --transit-gateway-route-table-id TGW_RTB --filters "
    "Name=route-search.longest-prefix-match,Values=ADDRESS",
    "A route for the cluster's VPC CIDR in that transit gateway route table, or the propagation of the cluster's "
    "attachment to it. Other attachments use the table too: its owner decides.",
)
TGW_ROUTE_BLACKHOLE = _closing(
    "TGW_ROUTE_BLACKHOLE",
    "the transit gateway drops packets for the address",
    "The selected route of the transit gateway's route table is a blackhole: made as one, or its attachment was "
    "deleted. Packets are dropped, and no shorter route is tried.",
    "aws ec2 search-transit-gateway-routes --transit-gateway-route-table-id TGW_RTB --filters "
    "Name=state,Values=blackhole",
    "Replace the route by one to an attachment that exists, or delete it. Other attachments use the table too: its "
    "owner decides.",
)
TGW_ROUTE_MISSING = _closing(
    "TGW_ROUTE_MISSING",
    "the transit gateway has no route for the address",
    "The route table that the VPC's attachment is associated with has no route that matches, or the attachment is "
    "associated with none, so packets are dropped.",
    "aws ec2 describe-transit-gateway-attachments --filters Name=resource-id,Values=VPC --query "
    "'TransitGatewayAttachments[].Association'\n"
    "aws ec2 search-transit-gateway-routes --transit-gateway-route-table-id TGW_RTB --filters "
    "Name=route-search.longest-prefix-match,Values=ADDRESS",
    "A route for the address's CIDR in that transit gateway route table, or the propagation of the attachment that "
    "leads there. Other attachments use the table too: its owner decides.",
)
PATH_UNKNOWN = FindingEntry(
    "PATH_UNKNOWN",
    "the VPC's configuration does not show whether packets pass",
    "The path leads through something that could not be read: a transit gateway's route tables or a VPC of another "
    "account, a firewall's rules, an appliance, a load balancer, or an address that no interface has now. Nothing "
    "that is known in the VPC's configuration blocks the path.",
    "egressprobe audit --cluster CLUSTER -o json | jq '.paths[] | select(.knowledgeEnds)'",
    "Where probes get no answer, ask the owner of what could not be read whether packets pass it. Where they pass, "
    "there is nothing to do.",
    severity="info",
    degrades=False,
)
