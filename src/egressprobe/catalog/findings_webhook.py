"""The catalogue's part on webhooks and aggregated APIs: calls that always fail, and configurations that are a risk."""

from egressprobe.catalog.entry import FindingEntry
from egressprobe.model.failure import Code

CA_BUNDLE_UNUSABLE = FindingEntry(
    "CA_BUNDLE_UNUSABLE",
    "a caBundle contains no certificate that the API server can use",
    "The API server stores it without an error and then fails every call, before it connects, with `could not get "
    "REST client: unable to load root certificates`. With failurePolicy Fail every matching request is refused. A "
    "CustomResourceDefinition with it is not Established (reason InvalidCABundle), and requests for its objects fail "
    "in every version, the stored one too.",
    "kubectl get validatingwebhookconfiguration NAME -o jsonpath='{.webhooks[*].clientConfig.caBundle}' | base64 -d | "
    "openssl x509 -noout -subject",
    "Put the CA that signs the server's certificate into clientConfig.caBundle (PEM, in base64), or let "
    "cert-manager's CA injector do it.",
    severity="error",
    degrades=True,
    hides=(Code.CA_BUNDLE_INVALID,),
)
ENDPOINT_IS_A_KUBELET = FindingEntry(
    "ENDPOINT_IS_A_KUBELET",
    "the kubelet answers at an endpoint of a webhook or APIService",
    "The endpoint has the address of a node and the port of its kubelet. Each pod on Fargate, and each pod with "
    "hostNetwork, has its node's address, where the kubelet has port 10250 already: calls reach the kubelet, whose "
    "certificate is not the one that is expected.",
    "kubectl get nodes -o wide\nkubectl get endpointslices -A",
    "Let the webhook listen on another port than 10250, in the pod and in the Service's targetPort. For cert-manager: "
    "webhook.securePort=10260. For metrics-server on Fargate: --secure-port=10251 and containerPort 10251.",
    severity="warning",
    degrades=False,
)
SERVICE_IS_THE_API_SERVER = FindingEntry(
    "SERVICE_IS_THE_API_SERVER",
    "a webhook or APIService names the API server's own Service",
    "The API server does not dial default/kubernetes port 443: it calls itself, and answers 404 `the server could not "
    "find the requested resource`. Nothing enters the network.",
    "kubectl get service kubernetes -n default",
    "Correct clientConfig.service, or delete the configuration.",
    severity="error",
    degrades=True,
)
SERVICE_NOT_FOUND = FindingEntry(
    "SERVICE_NOT_FOUND",
    "a webhook or APIService names a Service that does not exist",
    'The call fails before a connection is made: `service "SERVICE" not found`. Typical after a chart was removed and '
    "its webhook configuration was not.",
    "kubectl get service SERVICE -n NAMESPACE",
    "Restore the Service SERVICE in the namespace NAMESPACE (install its chart again), or delete the configuration "
    "that calls it; `called by` names it.",
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
    "On EKS the API server selects an endpoint itself, and ExternalName has none: `unsupported service type "
    '"ExternalName"`. It works on clusters whose API server connects to the ClusterIP.',
    "kubectl get service SERVICE -n NAMESPACE -o jsonpath='{.spec.type}'",
    "Give the webhook the external name as clientConfig.url, https://HOST/PATH.",
    severity="error",
    degrades=True,
    hides=(Code.SERVICE_UNRESOLVED,),
)
SERVICE_WITHOUT_ENDPOINTS = FindingEntry(
    "SERVICE_WITHOUT_ENDPOINTS",
    "no endpoint of the Service is ready",
    "Its EndpointSlices contain no ready address with the port: the pods crash, do not become ready, or there are "
    "none. The call fails at once with `no endpoints available for service`, in every subnet; the network is not "
    "involved.",
    "kubectl get endpointslices -n NAMESPACE -l kubernetes.io/service-name=SERVICE\n"
    "kubectl get pods -n NAMESPACE -o wide",
    "Restore the pods: `describe` shows which are not ready, and why. When that takes long, failurePolicy Ignore "
    "lets requests through.\n"
    "kubectl describe endpointslices -n NAMESPACE -l kubernetes.io/service-name=SERVICE\n"
    "kubectl describe pod -n NAMESPACE POD",
    severity="error",
    degrades=True,
    hides=(Code.SERVICE_UNRESOLVED,),
)
URL_PORT_INVALID = FindingEntry(
    "URL_PORT_INVALID",
    "a webhook's URL has a port that cannot be dialled",
    "The API server accepts any number as a port when the object is stored, and then every call fails: `dial tcp: "
    "address 99999: invalid port`. With failurePolicy Fail every request that matches is refused.",
    "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations -o "
    "jsonpath='{.items[*].webhooks[*].clientConfig.url}'",
    "Correct the port in clientConfig.url: 1 to 65535, or leave it out for 443.",
    severity="error",
    degrades=True,
)
WEBHOOK_BLOCKS_CLUSTER = FindingEntry(
    "WEBHOOK_BLOCKS_CLUSTER",
    "a fail-closed webhook intercepts what the cluster itself needs",
    "Without an exemption for kube-system, leases or nodes an outage of the webhook becomes one of the cluster: "
    "CoreDNS and network plugins cannot start, leases of nodes and controllers cannot be renewed, so nodes become "
    "NotReady and controllers lose their leader.",
    "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations -o yaml",
    "Exempt kube-system and kube-node-lease by a namespaceSelector: {key: kubernetes.io/metadata.name, operator: "
    "NotIn, values: [kube-system, kube-node-lease]}. Cluster-scoped objects such as nodes have no namespace: name the "
    "resources in the rules instead of *, or exempt them by a matchCondition. Most charts have a value for it.",
    severity="warning",
    degrades=False,
)
WEBHOOK_BLOCKS_ITSELF = FindingEntry(
    "WEBHOOK_BLOCKS_ITSELF",
    "a fail-closed webhook intercepts its own pods or configuration",
    "When its pods are gone, creating them needs the webhook that they serve: they cannot come back, and nor can what "
    "is needed to repair them. For the webhook configurations themselves no webhook is called: they can always be "
    "deleted.",
    "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations -o yaml",
    "Exempt its own namespace by a namespaceSelector: {key: kubernetes.io/metadata.name, operator: NotIn, values: "
    "[NAMESPACE]}, or its own pods by an objectSelector. In an outage, to let them start: kubectl delete "
    "validatingwebhookconfiguration NAME, and install the chart again afterwards.",
    severity="warning",
    degrades=False,
)
WEBHOOK_NOT_REDUNDANT = FindingEntry(
    "WEBHOOK_NOT_REDUNDANT",
    "all replicas of a fail-closed webhook are on one node or in one zone",
    "When that node or zone fails, or is drained, every request that matches is refused until the pods run elsewhere.",
    "kubectl get pods -n NAMESPACE -o wide",
    "Run at least two replicas, with topologySpreadConstraints over kubernetes.io/hostname and "
    "topology.kubernetes.io/zone, and a PodDisruptionBudget.",
    severity="info",
    degrades=False,
)
WEBHOOK_TIMEOUTS_EXCEED_REQUEST = FindingEntry(
    "WEBHOOK_TIMEOUTS_EXCEED_REQUEST",
    "the timeouts of the webhooks of one request are longer than the request may take",
    "Mutating webhooks are called one after the other. When the path to them is broken each takes its whole timeout, "
    "and the API server ends the request after 34 s: it fails also where every failurePolicy is Ignore.",
    "kubectl get mutatingwebhookconfigurations -o "
    "jsonpath='{range .items[*].webhooks[*]}{.name} {.timeoutSeconds}{\"\\n\"}{end}'",
    "Set timeoutSeconds of each to a few seconds: what answers at all answers in milliseconds.",
    severity="warning",
    degrades=False,
)
