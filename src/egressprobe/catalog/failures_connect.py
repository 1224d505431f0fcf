"""The failures of the phases resolve and connect: one row a code."""

from egressprobe.catalog.entry import Entry

TO_REACH = (
    # -- resolve
    Entry(
        "dns_nxdomain",
        "the name does not exist for this resolver",
        "The name server says NXDOMAIN. kube-apiserver logs `no such host` and asks no other server. Frequent causes: "
        "a private hosted zone that is not associated with this VPC; a Resolver FORWARD rule that shadows it; an EKS "
        "interface endpoint with private DNS, which hides oidc.eks.REGION.amazonaws.com.",
        "dig @RESOLVER NAME A\naws route53 list-hosted-zones-by-vpc --vpc-id VPC --vpc-region REGION",
        "Associate the private hosted zone with this VPC, or correct the Resolver rule, or the URL.\n"
        "aws route53 associate-vpc-with-hosted-zone --hosted-zone-id ZONE --vpc VPCRegion=REGION,VPCId=VPC",
    ),
    Entry(
        "dns_no_addresses",
        "the name exists but has no address",
        "NOERROR with neither A nor AAAA records, a CNAME without an address in the same response, or a name that "
        "Go's resolver never asks for (a label that begins or ends with '-'). Go follows CNAMEs only inside one "
        "response.",
        "dig @RESOLVER NAME A\ndig @RESOLVER NAME AAAA",
        "Add an A or AAAA record; give the last name of the CNAME chain an address; correct the name.",
    ),
    Entry(
        "dns_servfail",
        "the name server returns an error",
        "SERVFAIL or another error from every server in every round. With the VPC resolver this is often an outbound "
        "endpoint or an on-premises server that does not respond, or DNSSEC validation that fails. FORMERR means that "
        "the server, or a middlebox before it, rejects EDNS (RFC 6891), which Go sends with every query and never "
        "leaves out.",
        "dig @RESOLVER NAME +edns=0\ndig @RESOLVER NAME +noedns\naws route53resolver list-resolver-rules",
        "Correct the forwarding target or its security group (UDP and TCP 53), or the zone's DNSSEC. For FORMERR: "
        "update the name server, or the middlebox before it, to one that accepts EDNS.",
    ),
    Entry(
        "dns_refused",
        "the name server refuses the query",
        "REFUSED: the server does not serve this zone to this source address.",
        "dig @RESOLVER NAME",
        "Allow recursion for the VPC's addresses on that server, or use AmazonProvidedDNS in the DHCP options set.",
    ),
    Entry(
        "dns_timeout",
        "a DNS query gets no response",
        "No response within 5 s a try. Go waits for both the A and the AAAA response, so one dropped type is enough. "
        "With the VPC resolver, look at Route 53 Resolver DNS Firewall; with other resolvers at security groups, "
        "NACLs and routes for UDP and TCP 53.",
        "dig @RESOLVER NAME A +tries=1\ndig @RESOLVER NAME AAAA +tries=1\ndig @RESOLVER NAME +tcp",
        "Open UDP and TCP 53 to the resolver, or make the server respond to AAAA queries (an empty response is "
        "enough).",
    ),
    Entry(
        "dns_malformed",
        "the DNS response is malformed",
        "The response is damaged or belongs to another question, or the TCP connection ended before it was complete.",
        "dig @RESOLVER NAME +tcp",
        "Look at the name server and at anything on the path that rewrites DNS.",
    ),
    Entry(
        "dns_unreachable",
        "the name server cannot be reached",
        "The network reports it: ICMP port unreachable, or no route to the resolver.",
        "cat /etc/resolv.conf\naws ec2 describe-dhcp-options",
        "Correct the DHCP options set, or the route and the security group towards the resolver.",
    ),
    Entry(
        "service_unresolved",
        "the API server finds no endpoint behind the Service",
        "It reads the Service and its EndpointSlices before it dials: the Service is gone, has no such port, is of "
        "type ExternalName, or has no ready endpoint. The call fails at once, in every subnet; the network is not "
        "involved. The finding beside it says which.",
        "kubectl get service SERVICE -n NAMESPACE\n"
        "kubectl get endpointslices -n NAMESPACE -l kubernetes.io/service-name=SERVICE",
        "Restore the Service or its pods, or delete the webhook configuration that calls it.",
    ),
    # -- connect
    Entry(
        "connect_refused",
        "the address refuses the connection",
        "The SYN was answered with a reset: the path works and no process listens on that port, or a security "
        "appliance sends the reset.",
        "nc -vz ADDRESS PORT\nkubectl get endpointslices -n NAMESPACE",
        "Start the server or correct the port; for a service, look at the pod and its targetPort.",
    ),
    Entry(
        "connect_timeout",
        "the address does not respond to the SYN",
        "Packets are silently dropped: by a security group, a network ACL (return traffic needs ports 1024-65535), a "
        "missing route, a NAT gateway without an internet gateway, or a firewall.",
        "egressprobe audit --cluster CLUSTER -f targets.yaml\n"
        "aws ec2 describe-route-tables --filters Name=association.subnet-id,Values=SUBNET\n"
        "aws ec2 describe-network-acls --filters Name=association.subnet-id,Values=SUBNET",
        "Add an egress rule for this address and port to the source's security group if it has none; on the target's "
        "side, allow the port from the cluster security group.\n"
        "aws ec2 authorize-security-group-egress --group-id SG --ip-permissions "
        "IpProtocol=tcp,FromPort=PORT,ToPort=PORT,IpRanges='[{CidrIp=ADDRESS/32}]'",
    ),
    Entry(
        "connect_reset",
        "the connection is reset during the TCP handshake",
        "The TCP handshake ended with a reset: an overloaded listener, or a firewall that responds for the server.",
        "nc -vz ADDRESS PORT",
        "Look at the server's accept queue and at firewalls that reset instead of dropping.",
    ),
    Entry(
        "host_unreachable",
        "no route to the host",
        "A router reports the host as unreachable, or no interface answers ARP for it: the address is no longer in "
        "use.",
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
