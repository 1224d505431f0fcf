"""The catalogue's part on not reaching a server: the failures of `resolve` and `connect`."""

from egressprobe.catalog.entry import Entry

TO_REACH = (
    # -- resolve
    Entry(
        "dns_nxdomain",
        "the name does not exist for this resolver",
        "The name server says NXDOMAIN. kube-apiserver logs `no such host` and asks no other server. Frequent causes: "
        "a private hosted zone that is not associated with this VPC; a Resolver FORWARD rule that shadows it; an EKS "
        "interface endpoint with private DNS, which hides oidc.eks.REGION.amazonaws.com.",
        "dig @RESOLVER NAME A; aws route53 list-hosted-zones-by-vpc --vpc-id VPC --vpc-region REGION",
        "Associate the zone: aws route53 associate-vpc-with-hosted-zone --hosted-zone-id ZONE --vpc "
        "VPCRegion=REGION,VPCId=VPC. Or correct the Resolver rule, or the URL.",
    ),
    Entry(
        "dns_no_addresses",
        "the name exists but has no address",
        "NOERROR with neither A nor AAAA records, a CNAME that leads nowhere inside the answer, or a name that Go's "
        "resolver never asks for (a label that begins or ends with '-'). Go follows CNAMEs only inside one answer.",
        "dig @RESOLVER NAME A; dig @RESOLVER NAME AAAA",
        "Add an A or AAAA record; mend the end of the CNAME chain; correct the name.",
    ),
    Entry(
        "dns_servfail",
        "the name server fails",
        "SERVFAIL or another error from every server in every round. Behind the VPC resolver this is often an outbound "
        "endpoint or an on-premises server that does not answer, or DNSSEC validation that fails.",
        "dig @RESOLVER NAME; aws route53resolver list-resolver-rules",
        "Mend the forwarding target or its security group (UDP and TCP 53), or the zone's DNSSEC.",
    ),
    Entry(
        "dns_refused",
        "the name server refuses to answer us",
        "REFUSED: the server does not serve this zone to this source address.",
        "dig @RESOLVER NAME",
        "Allow recursion for the VPC's addresses on that server, or use AmazonProvidedDNS in the DHCP options set.",
    ),
    Entry(
        "dns_timeout",
        "a DNS query gets no answer",
        "Nothing came back within 5 s a try. Go waits for the A and the AAAA answer, so one dropped type is enough. "
        "With the VPC resolver, look at Route 53 Resolver DNS Firewall; with other resolvers at security groups, NACLs "
        "and routes for UDP and TCP 53.",
        "dig @RESOLVER NAME A +tries=1; dig @RESOLVER NAME AAAA +tries=1; dig @RESOLVER NAME +tcp",
        "Open UDP and TCP 53 to the resolver, or let the server answer AAAA (an empty answer is enough).",
    ),
    Entry(
        "dns_malformed",
        "the DNS answer cannot be read",
        "The answer is damaged, answers another question, or the TCP connection ended before it was whole.",
        "dig @RESOLVER NAME +tcp",
        "Look at the name server and at anything that rewrites DNS on the way.",
    ),
    Entry(
        "dns_unreachable",
        "the name server cannot be reached",
        "The network said so: ICMP port unreachable, or no route to the resolver.",
        "cat /etc/resolv.conf; aws ec2 describe-dhcp-options",
        "Correct the DHCP options set, or the route and the security group towards the resolver.",
    ),
    Entry(
        "service_unresolved",
        "the API server finds no endpoint behind the Service",
        "It reads the Service and its EndpointSlices before it dials: the Service is gone, has no such port, is of "
        "type ExternalName, or has no ready endpoint. The call fails at once, in every subnet; the network has no part "
        "in it. The finding beside it says which.",
        "kubectl get service,endpointslices -n NAMESPACE -l kubernetes.io/service-name=SERVICE",
        "Bring the Service or its pods back, or remove the webhook configuration that calls it.",
    ),
    # -- connect
    Entry(
        "connect_refused",
        "the address refuses the connection",
        "A reset came back for the SYN: the path works, nothing listens on that port, or a security appliance answers "
        "with a reset.",
        "nc -vz ADDRESS PORT; kubectl get endpointslices -n NAMESPACE",
        "Start the server or correct the port; for a service, look at the pod and its targetPort.",
    ),
    Entry(
        "connect_timeout",
        "the address does not answer at all",
        "No reply to the SYN. Somewhere packets die without a word: a security group, a NACL (the way back needs ports "
        "1024-65535), a missing route, a NAT gateway without an internet gateway, a firewall that drops.",
        "aws ec2 describe-route-tables --filters Name=association.subnet-id,Values=SUBNET; aws ec2 "
        "describe-network-acls --filters Name=association.subnet-id,Values=SUBNET",
        "Open the egress rule: aws ec2 authorize-security-group-egress --group-id SG --ip-permissions "
        "IpProtocol=tcp,FromPort=PORT,ToPort=PORT,IpRanges='[{CidrIp=ADDRESS/32}]'. On the pod's side, allow the port "
        "from the cluster security group.",
    ),
    Entry(
        "connect_reset",
        "the connection is reset while it is made",
        "The handshake was cut by a reset: an overloaded listener or a firewall that answers for the server.",
        "nc -vz ADDRESS PORT",
        "Look at the server's accept queue and at firewalls that reset instead of dropping.",
    ),
    Entry(
        "host_unreachable",
        "no route to the host",
        "A router says the host cannot be reached, or nobody answers ARP for it: the address is gone.",
        "aws ec2 describe-network-interfaces --filters Name=addresses.private-ip-address,Values=ADDRESS",
        "Correct the DNS record or the endpoint: no interface has this address.",
    ),
    Entry(
        "network_unreachable",
        "there is no route to the network",
        "The subnet has no route for this family or prefix. For IPv6: no ::/0 to an egress-only internet gateway, or "
        "the interface has no IPv6 address.",
        "aws ec2 describe-route-tables --filters Name=association.subnet-id,Values=SUBNET",
        "aws ec2 create-route --route-table-id RTB --destination-cidr-block 0.0.0.0/0 --nat-gateway-id NAT",
    ),
)
