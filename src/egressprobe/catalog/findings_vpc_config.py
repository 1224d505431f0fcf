"""The catalogue's part on what surrounds the path: DNS, the cluster's prerequisites, the audit and its diagnosis."""

from egressprobe.catalog.entry import FindingEntry

# How a name fails that does not resolve, whoever is to blame.
_LOOKUPS_FAIL = ("dns_nxdomain", "dns_no_addresses", "dns_servfail", "dns_refused", "dns_timeout", "dns_unreachable")

AUDIT_PART_UNREADABLE = FindingEntry(
    "AUDIT_PART_UNREADABLE",
    "a part of the VPC's configuration could not be read",
    "Not for lack of permission: AWS did not answer, or this botocore does not know the call. What depends on it "
    "is unknown; the rest was audited.",
    "egressprobe audit --cluster CLUSTER -o json | jq '.findings[].evidence'",
    "Try again; upgrade botocore where it does not know the call.",
    severity="warning",
    degrades=False,
)
AUDIT_PERMISSION_MISSING = FindingEntry(
    "AUDIT_PERMISSION_MISSING",
    "the audit has no permission to read a part of the configuration",
    "The identity that runs the audit lacks the IAM action named. What depends on it is unknown, never open; the "
    "rest was audited.",
    "aws iam simulate-principal-policy --policy-source-arn arn:aws:iam::ACCOUNT:role/ROLE --action-names ACTION",
    "Allow the action for the identity (the Planner's role, or your own); all of them only read.",
    severity="warning",
    degrades=False,
)
AUDIT_RULE_NOT_EVALUATED = FindingEntry(
    "AUDIT_RULE_NOT_EVALUATED",
    "a rule of the audit was not evaluated",
    "A part of the configuration that the rule reads could not be read, so the rule has no result: neither a problem "
    "nor the lack of one is known.",
    "egressprobe audit --cluster CLUSTER -o json | jq '.findings[].evidence'",
    "Allow the read, or try again; another finding names the call and AWS's message.",
    severity="info",
    degrades=False,
)
AUDIT_OFF = FindingEntry(
    "AUDIT_OFF",
    "the stack does not audit the VPC's configuration",
    "It was deployed with AuditPermissions=false, so the Planner may not read the configuration: neither a problem nor "
    "the lack of one is known, and no cause is looked for.",
    "Look at the parameter AuditPermissions of the stack.",
    "Run the audit with an identity of your own, or deploy with AuditPermissions=true.\n"
    "egressprobe audit --cluster CLUSTER -f targets.yaml",
    severity="info",
    degrades=False,
)
CONFIG_ALLOWS_BUT_NO_REPLY = FindingEntry(
    "CONFIG_ALLOWS_BUT_NO_REPLY",
    "the configuration allows the call, and no reply arrives",
    "Security groups, ACLs, routes and their targets allow the call and its return traffic, and the live probe gets no "
    "reply. What is left is what the VPC's configuration does not show: the server or its host's firewall, a filter "
    "beyond the gateway, an allow list that lacks the NAT gateway's address, a connection that lost its state.",
    "Look at the server's own log; VPC flow logs of both subnets: ACCEPT out and nothing back means that it is "
    "beyond the VPC.",
    "Ask the owner of the address whether the packets arrive, with the NAT gateway's public address at hand.",
    severity="error",
    degrades=True,
    hides=("connect_timeout", "host_unreachable", "network_unreachable"),
)
DHCP_CHANGED_RECENTLY = FindingEntry(
    "DHCP_CHANGED_RECENTLY",
    "the VPC's DHCP options were changed within the hour",
    "The control plane follows a change usually within one hour, so it may still ask the old name servers: the "
    "probes see the new ones already.",
    "aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=AssociateDhcpOptions",
    "Wait an hour from the change before you trust a DNS result for the API server.",
    severity="warning",
    degrades=False,
)
DHCP_OPTIONS_UNREADABLE_BY_CLUSTER_ROLE = FindingEntry(
    "DHCP_OPTIONS_UNREADABLE_BY_CLUSTER_ROLE",
    "the cluster's role may not read the VPC's DHCP options",
    "The control plane learns custom name servers with ec2:DescribeVpcs and ec2:DescribeDhcpOptions of the "
    "cluster's role. Without them it keeps asking AmazonProvidedDNS.",
    "aws iam simulate-principal-policy --policy-source-arn arn:aws:iam::ACCOUNT:role/ROLE "
    "--action-names ec2:DescribeVpcs ec2:DescribeDhcpOptions",
    "Attach AmazonEKSClusterPolicy, or allow both actions.",
    severity="warning",
    degrades=False,
)
DHCP_WITHOUT_AMAZON_DNS = FindingEntry(
    "DHCP_WITHOUT_AMAZON_DNS",
    "the VPC's DHCP options do not name AmazonProvidedDNS",
    "Every lookup of the control plane goes to the name servers listed: they must resolve the issuers, the "
    "webhooks and AWS's own names, and UDP and TCP 53 to them must be open. None listed: nothing resolves.",
    "aws ec2 describe-dhcp-options --dhcp-options-ids DOPT",
    "Create an options set with AmazonProvidedDNS (Resolver rules can forward your own zones), or check that the "
    "servers resolve every target: the probes measure it.",
    severity="warning",
    degrades=False,
    hides=_LOOKUPS_FAIL,
)
DNS_FIREWALL_BLOCKS = FindingEntry(
    "DNS_FIREWALL_BLOCKS",
    "Route 53 Resolver DNS Firewall blocks a target's name",
    "A rule of a rule group that is associated with the VPC matches the name and blocks it: NODATA, NXDOMAIN or "
    "an override, at AmazonProvidedDNS, to which neither groups nor ACLs apply.",
    "aws route53resolver list-firewall-rule-group-associations --vpc-id VPC\ndig NAME",
    "Remove the name from the domain list, or allow it by a rule of a lower priority number.",
    severity="error",
    degrades=True,
    hides=(*_LOOKUPS_FAIL, "EKS_ENDPOINT_HIDES_OIDC", "RESOLVER_RULE_SHADOWS_ZONE"),
)
DNS_FIREWALL_UNREADABLE_LIST = FindingEntry(
    "DNS_FIREWALL_UNREADABLE_LIST",
    "a DNS Firewall rule blocks by a list that cannot be read",
    "AWS's managed domain lists cannot be listed. Only a DNS lookup shows whether the name is listed.",
    "aws route53resolver list-firewall-rules --firewall-rule-group-id GROUP\ndig NAME",
    "Nothing is known to be wrong; the probes resolve every name each minute.",
    severity="info",
    degrades=False,
)
EKS_ENDPOINT_HIDES_OIDC = FindingEntry(
    "EKS_ENDPOINT_HIDES_OIDC",
    "an EKS interface endpoint with private DNS hides the cluster's OIDC issuer",
    "Private DNS of com.amazonaws.REGION.eks answers for all of eks.REGION.amazonaws.com inside the VPC, and "
    "knows no oidc.eks.REGION.amazonaws.com: NXDOMAIN (aws/containers-roadmap 2038).",
    "dig oidc.eks.REGION.amazonaws.com",
    "Give the name a Resolver rule or a private hosted zone of its own. Turning private DNS of the endpoint off helps "
    "too, but what has no other path to the EKS API loses it.",
    severity="warning",
    degrades=False,
    hides=(*_LOOKUPS_FAIL, "RESOLVER_RULE_SHADOWS_ZONE"),
)
OWNED_BY_ANOTHER_ACCOUNT = FindingEntry(
    "OWNED_BY_ANOTHER_ACCOUNT",
    "the VPC belongs to another account",
    "A participant of a shared VPC cannot read the owner's route tables, network ACLs and gateways. What depends "
    "on them is unknown.",
    "aws ec2 describe-vpcs --vpc-ids VPC --query 'Vpcs[].OwnerId'",
    "Run the audit with the owner's credentials, or ask for a file: egressprobe audit --cluster NAME --save FILE.",
    severity="warning",
    degrades=False,
)
RESOLVER_RULE_SHADOWS_ZONE = FindingEntry(
    "RESOLVER_RULE_SHADOWS_ZONE",
    "a Resolver rule forwards a name that a private hosted zone of the VPC holds",
    "Of a FORWARD rule and a private hosted zone for the same domain the rule takes precedence: queries go to your "
    "own name servers, and the zone's records are never used.",
    "aws route53resolver list-resolver-rule-associations --filters Name=VPCId,Values=VPC",
    "Add a SYSTEM rule for the zone's domain, or disassociate the FORWARD rule from the VPC.",
    severity="warning",
    degrades=False,
    hides=_LOOKUPS_FAIL,
)
SUBNET_ADDRESSES_LOW = FindingEntry(
    "SUBNET_ADDRESSES_LOW",
    "a subnet of the cluster has few free addresses",
    "EKS requires at least 6 free addresses in each of the cluster's subnets and recommends 16: upgrades create new "
    "interfaces before they delete the old ones, and the probe needs one of its own.",
    "aws ec2 describe-subnets --subnet-ids SUBNET --query 'Subnets[].AvailableIpAddressCount'",
    "Free addresses, or give the cluster other subnets of the same zones (aws eks update-cluster-config).",
    severity="warning",
    degrades=False,
)
VPC_DNS_HOSTNAMES_OFF = FindingEntry(
    "VPC_DNS_HOSTNAMES_OFF",
    "enableDnsHostnames is off",
    "The private endpoint's name and the private DNS of VPC endpoints do not work without it, and EKS requires it.",
    "aws ec2 describe-vpc-attribute --vpc-id VPC --attribute enableDnsHostnames",
    "Turn it on.",
    severity="warning",
    degrades=False,
)
VPC_DNS_SUPPORT_OFF = FindingEntry(
    "VPC_DNS_SUPPORT_OFF",
    "enableDnsSupport is off",
    "AmazonProvidedDNS does not answer in the VPC: no name resolves, private endpoint and hosted zones included.",
    "aws ec2 describe-vpc-attribute --vpc-id VPC --attribute enableDnsSupport",
    "Turn it on.",
    severity="error",
    degrades=True,
    hides=(*_LOOKUPS_FAIL, "DNS_FIREWALL_BLOCKS", "EKS_ENDPOINT_HIDES_OIDC", "RESOLVER_RULE_SHADOWS_ZONE"),
)

# What a call meets: nothing answers, or the load balancer refuses or resets.
_NOT_FORWARDED = ("connect_timeout", "connect_refused", "host_unreachable")

LOAD_BALANCER_NOT_ACTIVE = FindingEntry(
    "LOAD_BALANCER_NOT_ACTIVE",
    "the load balancer of the address does not forward",
    "A load balancer that is still provisioned, or whose set-up failed, forwards nothing.",
    "aws elbv2 describe-load-balancers --load-balancer-arns ARN --query 'LoadBalancers[].State'",
    "Wait until it is active; if it failed, the state's reason names the cause, often too few free "
    "addresses in a subnet.",
    severity="error",
    degrades=True,
    hides=_NOT_FORWARDED,
)
LOAD_BALANCER_NO_LISTENER = FindingEntry(
    "LOAD_BALANCER_NO_LISTENER",
    "the load balancer has no listener on the target's port",
    "A load balancer forwards only what one of its listeners accepts. Typical: the port in the URL is the pods' port "
    "and not the Service's, or the Service lost the port.",
    "aws elbv2 describe-listeners --load-balancer-arn ARN --query 'Listeners[].[Port,Protocol]'",
    "Use the port of a listener in the URL, or add the port to the Service or Ingress that makes the load balancer.",
    severity="error",
    degrades=True,
    hides=_NOT_FORWARDED,
)
LOAD_BALANCER_NO_TARGETS = FindingEntry(
    "LOAD_BALANCER_NO_TARGETS",
    "the load balancer has no target to forward to",
    "No target is registered for the listener, or, for a Network Load Balancer without cross-zone load balancing, none "
    "in the zone of the address that is called. Typical: the pods are gone, or no node of that zone runs one.",
    "aws elbv2 describe-target-health --target-group-arn ARN",
    "Run pods for the Service, in each zone of the load balancer; or turn on cross-zone load balancing.",
    severity="error",
    degrades=True,
    hides=_NOT_FORWARDED,
)
_NO_ANSWER = ("connect_timeout", "connect_reset", "host_unreachable", "network_unreachable")
_FIREWALL_RULES = (
    "aws network-firewall describe-firewall-policy --firewall-policy-arn POLICY\n"
    "aws network-firewall describe-rule-group --rule-group-arn RULE_GROUP"
)
_UPDATE = (
    "An update of a rule group replaces all its rules, so no command is printed. Keep the output of "
    "describe-rule-group: with it update-rule-group undoes the change. Other firewalls may use the group too."
)

FIREWALL_DROPS_RETURN = FindingEntry(
    "FIREWALL_DROPS_RETURN",
    "a stateless rule of AWS Network Firewall drops return traffic",
    "Stateless rules judge each packet alone, in both directions: what passes the call does not pass its answer. "
    "Return traffic goes to the client's port, any of 1024-65535.",
    _FIREWALL_RULES,
    "Treat return traffic as the call is treated (aws:forward_to_sfe, or aws:pass for both): a stateless rule from the "
    "target's address and port to the control plane's subnets and ports 1024-65535, with a lower priority number than "
    f"the rule that drops.\n{_UPDATE}",
    severity="error",
    degrades=True,
    hides=_NO_ANSWER,
)
FIREWALL_DROPS_TLS = FindingEntry(
    "FIREWALL_DROPS_TLS",
    "AWS Network Firewall lets TCP connect and drops the TLS handshake",
    "A domain list, a rule on the server name or a default action for established connections stops the ClientHello: "
    "TCP connects (`nc` succeeds), and TLS gets no answer, or a reset. An allow list drops all other TLS from "
    "HOME_NET, by default the CIDR of the firewall's VPC; aws:drop_established drops what no rule passes.",
    _FIREWALL_RULES,
    "Add the target's name to the allow list (or remove it from the deny list), or a pass rule on its server name "
    f"that is evaluated before the one that drops.\n{_UPDATE}",
    severity="error",
    degrades=True,
    hides=("tls_timeout", "tls_reset", "tls_eof", "SNI_FILTERED", "FLOW_BLACK_HOLED"),
)
FIREWALL_RULE_BLOCKS = FindingEntry(
    "FIREWALL_RULE_BLOCKS",
    "a rule or default action of AWS Network Firewall blocks the call",
    "The firewall judges the stateless rules first, by priority, then the stateful ones: by action (pass, drop, "
    "reject), or in strict order. The rule named drops or rejects the first packets, so TCP does not connect.",
    _FIREWALL_RULES,
    "Pass or forward the address and port before the rule that blocks: by a lower priority number in stateless and "
    f"strict order, by a pass rule in action order.\n{_UPDATE}",
    severity="error",
    degrades=True,
    hides=_NO_ANSWER,
)
