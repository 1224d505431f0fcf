"""The catalogue's part on what surrounds the way: DNS, the cluster's prerequisites, the audit and its diagnosis."""

from egressprobe.catalog.entry import FindingEntry

AUDIT_PART_UNREADABLE = FindingEntry(
    "AUDIT_PART_UNREADABLE",
    "a part of the VPC's configuration could not be read",
    "Not for lack of permission: AWS did not answer, or this botocore does not know the call. What hangs on it "
    "is unknown; the rest was audited.",
    "The summary has the call and AWS's own words; make it by hand.",
    "Try again; upgrade botocore where it does not know the call.",
    severity="warning",
    degrades=False,
)
AUDIT_PERMISSION_MISSING = FindingEntry(
    "AUDIT_PERMISSION_MISSING",
    "the audit may not read a part of the configuration",
    "The identity that runs the audit lacks the IAM action named. What hangs on it is unknown, never open; the "
    "rest was audited.",
    "aws iam simulate-principal-policy --policy-source-arn arn:aws:iam::ACCOUNT:role/ROLE --action-names ACTION",
    "Allow the action to the identity (the Planner's role, or your own); all of them only read.",
    severity="warning",
    degrades=False,
)
CONFIG_ALLOWS_BUT_NO_REPLY = FindingEntry(
    "CONFIG_ALLOWS_BUT_NO_REPLY",
    "the configuration is open, and packets die all the same",
    "Security groups, ACLs, routes and their targets let the call pass both ways, and the live probe gets no "
    "answer. What is left is what the VPC does not show: the server or its host's firewall, a filter in the "
    "internet or behind the gateway, an allow list that lacks the NAT gateway's address, a path that lost state.",
    "Look at the server's own log; VPC flow logs of both subnets: ACCEPT out and nothing back means that it is "
    "beyond the VPC.",
    "Ask the owner of the address whether the packets arrive, with the NAT gateway's public address at hand.",
    severity="error",
    degrades=True,
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
    "Make an options set with AmazonProvidedDNS (Resolver rules can forward your own zones), or see that the "
    "servers resolve every target: the probes measure it.",
    severity="warning",
    degrades=False,
)
DNS_FIREWALL_BLOCKS = FindingEntry(
    "DNS_FIREWALL_BLOCKS",
    "Route 53 Resolver DNS Firewall blocks a target's name",
    "A rule of a rule group that is associated with the VPC matches the name and blocks it: NODATA, NXDOMAIN or "
    "an override, at AmazonProvidedDNS, where neither groups nor ACLs are seen.",
    "aws route53resolver list-firewall-rule-group-associations --vpc-id VPC; dig NAME in the VPC",
    "Take the name out of the domain list, or allow it by a rule of a lower priority number.",
    severity="error",
    degrades=True,
)
DNS_FIREWALL_UNREADABLE_LIST = FindingEntry(
    "DNS_FIREWALL_UNREADABLE_LIST",
    "a DNS Firewall rule blocks by a list that nobody can read",
    "AWS's managed domain lists cannot be listed. Whether a target's name is on one only a lookup tells.",
    "aws route53resolver list-firewall-rules --firewall-rule-group-id GROUP; dig NAME in the VPC",
    "Nothing is known to be wrong; the probes resolve every name each minute.",
    severity="info",
    degrades=False,
)
EKS_ENDPOINT_HIDES_OIDC = FindingEntry(
    "EKS_ENDPOINT_HIDES_OIDC",
    "an EKS interface endpoint with private DNS hides the cluster's OIDC issuer",
    "Private DNS of com.amazonaws.REGION.eks answers for all of eks.REGION.amazonaws.com inside the VPC, and "
    "knows no oidc.eks.REGION.amazonaws.com: NXDOMAIN (aws/containers-roadmap 2038).",
    "dig oidc.eks.REGION.amazonaws.com in the VPC",
    "Turn private DNS of the endpoint off, or give the name a private hosted zone or a Resolver rule of its own.",
    severity="warning",
    degrades=False,
)
OWNED_BY_ANOTHER_ACCOUNT = FindingEntry(
    "OWNED_BY_ANOTHER_ACCOUNT",
    "the VPC belongs to another account",
    "A participant of a shared VPC cannot read the owner's route tables, network ACLs and gateways. What hangs "
    "on them is unknown.",
    "aws ec2 describe-vpcs --vpc-ids VPC --query 'Vpcs[].OwnerId'",
    "Run the audit with the owner's credentials, or ask for a file: egressprobe audit --cluster NAME --save FILE.",
    severity="warning",
    degrades=False,
)
RESOLVER_RULE_SHADOWS_ZONE = FindingEntry(
    "RESOLVER_RULE_SHADOWS_ZONE",
    "a Resolver rule forwards a name that a private hosted zone of the VPC holds",
    "Of a FORWARD rule and a private hosted zone for the same domain the rule wins: the name is asked at your "
    "own name servers, and the zone's records are never seen.",
    "aws route53resolver list-resolver-rule-associations --filters Name=VPCId,Values=VPC",
    "A SYSTEM rule for the zone's domain, or take the FORWARD rule away from the VPC.",
    severity="warning",
    degrades=False,
)
SUBNET_ADDRESSES_LOW = FindingEntry(
    "SUBNET_ADDRESSES_LOW",
    "a subnet of the cluster has few free addresses",
    "EKS wants at least 6 free addresses in each of the cluster's subnets, 16 recommended: upgrades put new "
    "interfaces beside the old ones, and the probe needs one of its own.",
    "aws ec2 describe-subnets --subnet-ids SUBNET --query 'Subnets[].AvailableIpAddressCount'",
    "Free addresses, or give the cluster other subnets of the same zones: aws eks update-cluster-config.",
    severity="warning",
    degrades=False,
)
VPC_DNS_HOSTNAMES_OFF = FindingEntry(
    "VPC_DNS_HOSTNAMES_OFF",
    "enableDnsHostnames is off",
    "The private endpoint's name and the private DNS of VPC endpoints do not work without it, and EKS asks for it.",
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
)
