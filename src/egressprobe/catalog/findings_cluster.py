"""The catalogue's part on the cluster and the plan: what discovery, the Planner and the metrics find."""

from egressprobe.catalog.entry import FindingEntry
from egressprobe.model.failure import Code

API_SERVER_UNREACHABLE = FindingEntry(
    "API_SERVER_UNREACHABLE",
    "discovery cannot reach the API server",
    "The Discover function, or this computer, could not connect to the cluster's endpoint, or does not "
    "trust its certificate. The evidence has the phase and the failure's code; `explain CODE` tells more. "
    "What was discovered last stays in the plan, and its age grows.",
    "aws eks describe-cluster --name CLUSTER --query cluster.endpoint; then curl -k ENDPOINT/version from "
    "the same place.",
    "Inside the VPC: endpointPrivateAccess, enableDnsSupport and enableDnsHostnames of the VPC, and port "
    "443 of the cluster security group from itself. From outside: endpointPublicAccess and "
    "publicAccessCidrs, which must hold your address (or the NAT's). A certificate by another CA: compare "
    "certificateAuthority.data of describe-cluster.",
    severity="warning",
    degrades=False,
)
CA_BUNDLE_UNUSABLE = FindingEntry(
    "CA_BUNDLE_UNUSABLE",
    "a caBundle holds no certificate that the API server can use",
    "The API server stores it without a word and then fails every call, before it dials, with `could not "
    "get REST client: unable to load root certificates`. With failurePolicy Fail every request that "
    "matches is refused.",
    "kubectl get validatingwebhookconfiguration NAME -o jsonpath='{.webhooks[*].clientConfig.caBundle}' | "
    "base64 -d | openssl x509 -noout -subject",
    "Put the CA that signs the server's certificate into clientConfig.caBundle (PEM, in base64), or let "
    "cert-manager's CA injector do it.",
    severity="error",
    degrades=True,
    hides=(Code.CA_BUNDLE_INVALID,),
)
CLUSTER_DELETING = FindingEntry(
    "CLUSTER_DELETING",
    "the cluster is being deleted, or is gone",
    "Its webhooks and nodes go away one after the other, so failures say nothing any more: every verdict "
    "is unknown. Discovery does not ask the API server.",
    "aws eks describe-cluster --name CLUSTER --query cluster.status",
    "Remove the stack: make destroy CLUSTER=NAME.",
    severity="warning",
    degrades=False,
)
CLUSTER_ISSUER_UNREACHABLE = FindingEntry(
    "CLUSTER_ISSUER_UNREACHABLE",
    "the cluster's own OIDC issuer cannot be reached",
    "AWS names the issuer's endpoint a prerequisite of CUSTOMER_ROUTED. IAM roles for service accounts "
    "are validated by STS, not by the API server, so nothing in the cluster stops when it fails: a "
    "warning, never a page.",
    "dig oidc.eks.REGION.amazonaws.com from the subnet; with an EKS interface endpoint and private DNS it "
    "does not exist there.",
    "Let the name resolve and port 443 out; with an EKS interface endpoint, a private hosted zone or a "
    "Resolver rule for oidc.eks.REGION.amazonaws.com.",
    severity="warning",
    degrades=True,
)
CLUSTER_UNREADABLE = FindingEntry(
    "CLUSTER_UNREADABLE",
    "the Planner cannot read the cluster",
    "EKS did not answer, or refused. Probing goes on: the API server's version and IP family stay as they were "
    "last read, and the plan's age is not reported, so after an hour an alarm says so.",
    "aws eks describe-cluster --name CLUSTER; then the Planner's log for AWS's own words.",
    "Let the Planner's role call eks:DescribeCluster on the cluster: a permissions boundary or a service "
    "control policy may stand in the way; or remove the stack when the cluster is gone.",
    severity="warning",
    degrades=False,
)
DISCOVERY_FAILED = FindingEntry(
    "DISCOVERY_FAILED",
    "the Discover function did not answer",
    "It failed, timed out, or may not be invoked. Probing goes on with what was discovered last, and its age grows.",
    "The Discover function's log; the evidence has Lambda's own words.",
    "Look at the function's log and at the account's concurrency. A function that was not invoked for "
    "weeks takes a minute to come back.",
    severity="warning",
    degrades=False,
)
DISCOVERY_FORBIDDEN = FindingEntry(
    "DISCOVERY_FORBIDDEN",
    "a list of the API server is refused to discovery",
    "The API server knows who asks and says 403: the ClusterRole lacks a rule, so what is in that list is "
    "not discovered. The rest is. What was discovered of it before stays in the plan.",
    "kubectl auth can-i list RESOURCE --as=x --as-group=egressprobe",
    "kubectl apply -f deploy/rbac.yaml, which binds the group egressprobe to exactly these rules; the "
    "access entry must name that group: aws eks describe-access-entry --cluster-name CLUSTER "
    "--principal-arn ROLE",
    severity="warning",
    degrades=False,
)
EGRESS_MODE_HIDDEN = FindingEntry(
    "EGRESS_MODE_HIDDEN",
    "this botocore cannot tell the egress mode",
    "controlPlaneEgressMode came with botocore 1.43.33. An older one drops the field from EKS's answer "
    "without a word, so the mode is reported as unknown, whatever it is.",
    "python -c 'import botocore; print(botocore.__version__)'",
    "pip install -U 'boto3>=1.43.33'. The stack's functions carry their own.",
    severity="warning",
    degrades=False,
)
EKS_MANAGED = FindingEntry(
    "EKS_MANAGED",
    "run by EKS on the control plane itself, so not probed",
    "Webhooks on a loopback address and the APIService of the EKS metrics extension are served beside the "
    "API server. Their traffic never enters your network, whatever the egress mode.",
    "kubectl get mutatingwebhookconfigurations -o jsonpath='{.items[*].webhooks[*].clientConfig.url}'",
    "Nothing is to be done.",
    severity="info",
    degrades=False,
)
IDENTITY_PROVIDERS_UNREADABLE = FindingEntry(
    "IDENTITY_PROVIDERS_UNREADABLE",
    "the associated identity providers cannot be read",
    "EKS refused to list or describe them, so their issuers are not discovered. Those that were "
    "discovered before stay in the plan.",
    "aws eks list-identity-provider-configs --cluster-name CLUSTER",
    "Allow eks:ListIdentityProviderConfigs on the cluster and eks:DescribeIdentityProviderConfig on its "
    "configurations.",
    severity="warning",
    degrades=False,
)
LIST_UNREADABLE = FindingEntry(
    "LIST_UNREADABLE",
    "a list of the API server could not be read to its end",
    "It timed out, broke off, was redirected, was larger than discovery takes, or was no list. What was "
    "discovered of it before stays in the plan; the rest of discovery went on.",
    "kubectl get RESOURCE -A --chunk-size=100 | wc -l",
    "The summary says what happened. A proxy in front of the API server must not redirect; an overloaded "
    "API server shows in apiserver_request_duration_seconds and in its audit log.",
    severity="warning",
    degrades=False,
)
METRIC_SERIES_CAPPED = FindingEntry(
    "METRIC_SERIES_CAPPED",
    "the plan has more targets than series of ProbeSuccess may be written",
    "Each series costs money each hour and an alarm sees 500 of them, so above the cap (the stack's MaxSeries) "
    "there is one series for all targets: the alarm still pages, but does not name the target. The logs do.",
    "The saved query «failing by target and subnet» of the stack names them.",
    "Raise MaxSeries (500 at most), set MetricDetail to target, or probe fewer targets.",
    severity="warning",
    degrades=False,
)
NETWORKS_UNREADABLE = FindingEntry(
    "NETWORKS_UNREADABLE",
    "the VPC's subnets cannot be read",
    "Nodes are probed by subnet; without the subnets' address blocks they are grouped by zone instead.",
    "aws ec2 describe-subnets --filters Name=vpc-id,Values=VPC",
    "Allow ec2:DescribeSubnets.",
    severity="warning",
    degrades=False,
)
OBJECT_MALFORMED = FindingEntry(
    "OBJECT_MALFORMED",
    "an object of the cluster cannot be read",
    "A field has another type than the API says, or a required one is missing. A real API server would "
    "not have stored it: something on the way rewrites, or a recorded file was edited. The object is not "
    "probed; everything else is.",
    "kubectl get KIND NAME -o yaml",
    "Correct the named field.",
    severity="warning",
    degrades=False,
)
OBJECT_NOT_PROBED = FindingEntry(
    "OBJECT_NOT_PROBED",
    "an object of the cluster cannot be made a target",
    "Its URL is not one that may be dialled, or its Service could not be read. The evidence names the objects and why.",
    "kubectl get KIND NAME -o yaml",
    "Correct the URL in clientConfig (https://host[:port]/path, no user information, no query, not "
    "link-local), or let discovery read Services and EndpointSlices: kubectl apply -f deploy/rbac.yaml",
    severity="warning",
    degrades=False,
)
SERVICE_NOT_FOUND = FindingEntry(
    "SERVICE_NOT_FOUND",
    "a webhook or APIService names a Service that does not exist",
    'The call fails before anything is dialled: `service "SERVICE" not found`. Typical after a chart was '
    "removed and left its webhook configuration behind.",
    "kubectl get service SERVICE -n NAMESPACE",
    "Bring the Service SERVICE back to the namespace NAMESPACE (install its chart again), or delete the "
    "configuration that was left behind; `called by` names it.",
    severity="error",
    degrades=True,
    hides=(Code.SERVICE_UNRESOLVED,),
)
SERVICE_PORT_NOT_FOUND = FindingEntry(
    "SERVICE_PORT_NOT_FOUND",
    "a webhook or APIService names a port that its Service does not have",
    "The port in clientConfig is the Service's port, 443 by default, not the pod's.",
    "kubectl get service SERVICE -n NAMESPACE -o jsonpath='{.spec.ports}'",
    "Correct clientConfig.service.port, or add the port to the Service.",
    severity="error",
    degrades=True,
    hides=(Code.SERVICE_UNRESOLVED,),
)
SERVICE_TYPE_UNSUPPORTED = FindingEntry(
    "SERVICE_TYPE_UNSUPPORTED",
    "a webhook's Service is of type ExternalName",
    "EKS lets the API server choose an endpoint itself, and ExternalName has none: `unsupported service "
    'type "ExternalName"`. It works on clusters that dial the ClusterIP.',
    "kubectl get service SERVICE -n NAMESPACE -o jsonpath='{.spec.type}'",
    "Give the webhook the external name as clientConfig.url, https://HOST/PATH.",
    severity="error",
    degrades=True,
    hides=(Code.SERVICE_UNRESOLVED,),
)
SERVICE_WITHOUT_ENDPOINTS = FindingEntry(
    "SERVICE_WITHOUT_ENDPOINTS",
    "no endpoint of the Service is ready",
    "Its EndpointSlices hold no ready address with the port: the pods crash, do not become ready, or "
    "there are none. The call fails at once with `no endpoints available for service`, in every subnet; "
    "the network has no part in it.",
    "kubectl get endpointslices -n NAMESPACE -l kubernetes.io/service-name=SERVICE; kubectl get pods -n "
    "NAMESPACE -o wide",
    "Bring the pods back: kubectl describe endpointslices -n NAMESPACE -l "
    "kubernetes.io/service-name=SERVICE names those that are not ready, kubectl describe pod says why. "
    "When that takes long, failurePolicy Ignore lets requests through.",
    severity="error",
    degrades=True,
    hides=(Code.SERVICE_UNRESOLVED,),
)
STACK_DRIFTED = FindingEntry(
    "STACK_DRIFTED",
    "the stack does not stand where the control plane stands any more",
    "The cluster's subnets, security groups or IP family were changed after the stack was deployed. A "
    "verdict from the wrong place is worth nothing: it is unknown there until the stack follows.",
    "aws eks describe-cluster --name CLUSTER --query cluster.resourcesVpcConfig",
    "make deploy CLUSTER=NAME: it reads the cluster again and keeps each subnet's slot.",
    severity="warning",
    degrades=False,
)
TARGET_TOO_LARGE = FindingEntry(
    "TARGET_TOO_LARGE",
    "a target does not fit one schedule",
    "A schedule carries at most 256 KB; this target with its addresses and CA bundle needs more, so it is not "
    "probed every minute. On demand it is.",
    "wc -c of its caBundle, and the number of its addresses.",
    "Put only the issuing CA into caBundle, or list fewer addresses of the service.",
    severity="warning",
    degrades=False,
)
TOKEN_REFUSED = FindingEntry(
    "TOKEN_REFUSED",
    "the API server does not know who asks",
    "It says 401: there is no access entry for the role, the cluster takes no access entries "
    "(authentication mode CONFIG_MAP), or the clock is off by more than 15 minutes.",
    "aws eks list-access-entries --cluster-name CLUSTER",
    "aws eks create-access-entry --cluster-name CLUSTER --principal-arn ROLE --kubernetes-groups "
    "egressprobe; then kubectl apply -f deploy/rbac.yaml",
    severity="warning",
    degrades=False,
)
