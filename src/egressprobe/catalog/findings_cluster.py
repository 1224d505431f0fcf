"""Findings about the cluster and the plan: from discovery, the Planner and the metrics."""

from egressprobe.catalog.entry import FindingEntry

ANNOTATION_IGNORED = FindingEntry(
    "ANNOTATION_IGNORED",
    "an owner or severity cannot be used",
    "Annotations on webhook configurations, CRDs and APIServices are shown in messages: egressprobe/owner, one line "
    "of at most 200 characters, and egressprobe/severity, one of critical, error, warning, info. The value of this one "
    "is not valid, or the owners of all targets together need more than 250 KB. It is left out; the target is probed "
    "as before.",
    "kubectl get KIND NAME -o jsonpath='{.metadata.annotations}'",
    "kubectl annotate KIND NAME --overwrite egressprobe/owner=OWNER egressprobe/severity=critical",
    severity="warning",
    degrades=False,
)
API_SERVER_AGREES = FindingEntry(
    "API_SERVER_AGREES",
    "the real API server fails where the probes do",
    "The condition of an APIService, the API server's own log or its metrics show the failure that the probes predict."
    " Metrics are of all webhooks together: they agree where refused calls have increased.",
    "kubectl get apiservices\n"
    """aws logs tail /aws/eks/CLUSTER/cluster --since 30m --filter-pattern '"calling webhook"'""",
    "Fix what the target's own failure names; nothing is to be done about this finding.",
    severity="info",
    degrades=False,
)
API_SERVER_DISAGREES = FindingEntry(
    "API_SERVER_DISAGREES",
    "the real API server does not do what the probes predict",
    "For 15 minutes the probes failed and the API server's calls did not, or the probes passed and its calls failed. "
    "The evidence says which, and what that usually means: connections that are kept open, a webhook that is not "
    "called for what is created now, an API server without an interface in the failing subnet, credentials that only "
    "the API server has, or an answer that the webhook's own path gives and / does not.",
    "kubectl get apiservice NAME -o jsonpath='{.status.conditions}'\n"
    """aws logs tail /aws/eks/CLUSTER/cluster --since 30m --filter-pattern '"calling webhook"'""",
    "Do not take a success at the API server for an all-clear while the probes fail: the next new connection fails. "
    'Where the probes pass and the API server fails, follow its own error text: egressprobe explain "TEXT". '
    "docs/corroboration.md has what each disagreement means.",
    severity="warning",
    degrades=False,
)
API_SERVER_UNREACHABLE = FindingEntry(
    "API_SERVER_UNREACHABLE",
    "discovery cannot reach the API server",
    "The Discover function, or this computer, could not connect to the cluster's endpoint, or does not trust its "
    "certificate. The evidence has the phase and the failure's code, for `explain CODE`. What was discovered last "
    "stays in the plan, and its age grows.",
    "From the same place:\naws eks describe-cluster --name CLUSTER --query cluster.endpoint\ncurl -k ENDPOINT/version",
    "Inside the VPC: endpointPrivateAccess, enableDnsSupport and enableDnsHostnames of the VPC, and port 443 of the "
    "cluster security group from itself. From outside: endpointPublicAccess and publicAccessCidrs, which must contain "
    "your address (or the NAT gateway's). A certificate by another CA: compare certificateAuthority.data of "
    "describe-cluster.",
    severity="warning",
    degrades=False,
)
CLUSTER_DELETING = FindingEntry(
    "CLUSTER_DELETING",
    "the cluster is being deleted, or is gone",
    "Its webhooks and nodes are removed one after the other, so failures no longer say anything about the network: "
    "every verdict is unknown. Discovery does not call the API server.",
    "aws eks describe-cluster --name CLUSTER --query cluster.status",
    "Remove the stack.\nmake destroy CLUSTER=NAME",
    severity="warning",
    degrades=False,
)
CLUSTER_ISSUER_UNREACHABLE = FindingEntry(
    "CLUSTER_ISSUER_UNREACHABLE",
    "the cluster's own OIDC issuer cannot be reached",
    "AWS lists the issuer's endpoint as a prerequisite of CUSTOMER_ROUTED. IAM roles for service accounts are "
    "validated by STS, not by the API server, so nothing in the cluster stops when it fails: a warning, never a page.",
    "From the subnet; with an EKS interface endpoint and private DNS the name does not exist there:\n"
    "dig oidc.eks.REGION.amazonaws.com",
    "Make the name resolve and allow egress to port 443. An EKS interface endpoint with private DNS hides the name: "
    "add a private hosted zone or a Resolver rule for oidc.eks.REGION.amazonaws.com.",
    severity="warning",
    degrades=True,
)
CLUSTER_UNREADABLE = FindingEntry(
    "CLUSTER_UNREADABLE",
    "the Planner cannot read the cluster",
    "EKS did not answer, or refused. Probing continues: the API server's version and IP family stay as they were last "
    "read, and the plan's age is not reported, so that an alarm follows after an hour.",
    "The Planner's log has AWS's message.\naws eks describe-cluster --name CLUSTER",
    "Allow the Planner's role eks:DescribeCluster on the cluster: a permissions boundary or a service control policy "
    "may deny it. The Planner's log has AWS's own message. Remove the stack when the cluster is gone.",
    severity="warning",
    degrades=False,
)
DISCOVERY_FAILED = FindingEntry(
    "DISCOVERY_FAILED",
    "the Discover function did not answer",
    "It failed, timed out, or may not be invoked. Probing continues with what was discovered last, and its age grows.",
    "aws logs tail /aws/lambda/DISCOVER_FUNCTION --since 1h",
    "Check the function's log and the account's concurrency; the evidence has Lambda's own message. A function that "
    "was not invoked for weeks needs a minute before it runs again.",
    severity="warning",
    degrades=False,
)
DISCOVERY_FORBIDDEN = FindingEntry(
    "DISCOVERY_FORBIDDEN",
    "the API server forbids discovery a list",
    "The API server authenticates the caller and answers 403: the ClusterRole lacks a rule, so the objects of that "
    "list are not discovered; the others are. What was discovered of it before stays in the plan.",
    "kubectl auth can-i list RESOURCE --as=x --as-group=egressprobe",
    "Bind the group egressprobe to these rules; the access entry must name that group.\n"
    "kubectl apply -k deploy/rbac\n"
    "aws eks describe-access-entry --cluster-name CLUSTER --principal-arn ROLE",
    severity="warning",
    degrades=False,
)
EGRESS_MODE_HIDDEN = FindingEntry(
    "EGRESS_MODE_HIDDEN",
    "this botocore does not know the egress mode",
    "controlPlaneEgressMode came with botocore 1.43.33. An older one silently drops the field from EKS's response, so "
    "the mode is reported as unknown, whatever it is.",
    "python -c 'import botocore; print(botocore.__version__)'",
    "pip install -U 'boto3>=1.43.33'. The stack's functions include their own.",
    severity="warning",
    degrades=False,
)
EKS_MANAGED = FindingEntry(
    "EKS_MANAGED",
    "run by EKS on the control plane itself, so not probed",
    "Webhooks on a loopback address and the APIService of the EKS metrics extension are served next to the API "
    "server. Their traffic never enters your network, whatever the egress mode.",
    "kubectl get mutatingwebhookconfigurations -o jsonpath='{.items[*].webhooks[*].clientConfig.url}'",
    "No action is needed.",
    severity="info",
    degrades=False,
)
IDENTITY_PROVIDERS_UNREADABLE = FindingEntry(
    "IDENTITY_PROVIDERS_UNREADABLE",
    "the associated identity providers cannot be read",
    "EKS refused to list or describe them, so their issuers are not discovered. Those that were discovered before "
    "stay in the plan.",
    "aws eks list-identity-provider-configs --cluster-name CLUSTER",
    "Allow eks:ListIdentityProviderConfigs on the cluster and eks:DescribeIdentityProviderConfig on its "
    "configurations.",
    severity="warning",
    degrades=False,
)
LIST_UNREADABLE = FindingEntry(
    "LIST_UNREADABLE",
    "a list of the API server could not be read completely",
    "It timed out, was interrupted or redirected, was larger than discovery accepts, or was not a list. What was "
    "discovered of it before stays in the plan; the rest of discovery continued.",
    "kubectl get RESOURCE -A --chunk-size=100 | wc -l",
    "The summary has the reason. A proxy in front of the API server must not redirect; an overloaded API server shows "
    "in apiserver_request_duration_seconds and in its audit log.",
    severity="warning",
    degrades=False,
)
METRIC_SERIES_CAPPED = FindingEntry(
    "METRIC_SERIES_CAPPED",
    "the plan has more targets than series of ProbeSuccess may be written",
    "Each series costs money each hour and an alarm sees 500 of them, so above the cap (the stack's MaxSeries) there "
    "is one series for all targets: the alarm still notifies, but does not name the target. The logs do.",
    'The saved query "failing by target and subnet" of the stack names the targets.',
    "Raise MaxSeries (at most 500), set MetricDetail to target, or probe fewer targets. The stack's saved query "
    '"failing by target and subnet" names the failing targets.',
    severity="warning",
    degrades=False,
)
NETWORKS_UNREADABLE = FindingEntry(
    "NETWORKS_UNREADABLE",
    "the VPC's subnets cannot be read",
    "Nodes are probed by subnet; without the subnets' CIDR blocks they are grouped by zone instead.",
    "aws ec2 describe-subnets --filters Name=vpc-id,Values=VPC",
    "Allow ec2:DescribeSubnets.",
    severity="warning",
    degrades=False,
)
OBJECT_MALFORMED = FindingEntry(
    "OBJECT_MALFORMED",
    "an object of the cluster cannot be read",
    "A field has another type than the API defines, or a required one is missing. A real API server would not have "
    "stored it: a proxy changed it, or a recorded file was edited. The object is not probed; the others are.",
    "kubectl get KIND NAME -o yaml",
    "Correct the named field.",
    severity="warning",
    degrades=False,
)
OBJECT_NOT_PROBED = FindingEntry(
    "OBJECT_NOT_PROBED",
    "an object of the cluster cannot be made a target",
    "Its URL is not one that may be connected to, or its Service could not be read. The evidence names the objects "
    "with their reasons.",
    "kubectl get KIND NAME -o yaml",
    "Correct the URL in clientConfig (https://host[:port]/path, no user information, no query, not "
    "link-local), or let discovery read Services and EndpointSlices.\n"
    "kubectl apply -k deploy/rbac",
    severity="warning",
    degrades=False,
)
STACK_DRIFTED = FindingEntry(
    "STACK_DRIFTED",
    "the probes no longer match the control plane's subnets or security groups",
    "The cluster's subnets, security groups or IP family were changed after the stack was deployed. A verdict from "
    "another place says nothing about the control plane: it is unknown there until the stack is updated.",
    "aws eks describe-cluster --name CLUSTER --query cluster.resourcesVpcConfig",
    "Deploy again: it reads the cluster and keeps each subnet's slot.\nmake deploy CLUSTER=NAME",
    severity="warning",
    degrades=False,
)
TARGET_TOO_LARGE = FindingEntry(
    "TARGET_TOO_LARGE",
    "a target is too large for a schedule",
    "A schedule's input has at most 256 KB; this target with its addresses and CA bundle needs more, so it is probed "
    "on demand only.",
    "egressprobe discover --cluster CLUSTER -o json | jq '.targets[] | {name, addresses: (.addresses | length)}'",
    "Put only the issuing CA into caBundle, or list fewer addresses of the service.",
    severity="warning",
    degrades=False,
)
TOKEN_REFUSED = FindingEntry(
    "TOKEN_REFUSED",
    "the API server does not accept discovery's token",
    "It answers 401: there is no access entry for the role, the cluster does not use access entries (authentication "
    "mode CONFIG_MAP), or the clock differs by more than 15 minutes.",
    "aws eks list-access-entries --cluster-name CLUSTER",
    "Create the access entry, and bind its group.\n"
    "aws eks create-access-entry --cluster-name CLUSTER --principal-arn ROLE --kubernetes-groups "
    "egressprobe\n"
    "kubectl apply -k deploy/rbac",
    severity="warning",
    degrades=False,
)
