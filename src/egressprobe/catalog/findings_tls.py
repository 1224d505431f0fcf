"""Findings of a probe about what a server demands in TLS and HTTP: alerts by their meaning, and authentication."""

from egressprobe.catalog.entry import FindingEntry
from egressprobe.catalog.findings_probe import ADDRESS_DEAD
from egressprobe.model.failure import Code

_HIDES = (Code.TLS_ALERT, ADDRESS_DEAD)

ALPN_REJECTED = FindingEntry(
    "ALPN_REJECTED",
    "the server accepts none of the offered application protocols",
    "Alert 120 (no application protocol, RFC 7301). kube-apiserver offers webhooks `http/1.1` only, and `h2` with "
    "`http/1.1` to the others. A server that speaks only HTTP/2 cannot be a webhook.",
    "openssl s_client -connect ADDRESS:PORT -servername HOST -alpn http/1.1 </dev/null",
    "Add `http/1.1` to the server's ALPN protocols.",
    severity="error",
    degrades=True,
    hides=_HIDES,
)
AUTHENTICATION_NOT_CHECKED = FindingEntry(
    "AUTHENTICATION_NOT_CHECKED",
    "the server refuses the probe, which does not have the API server's credentials",
    "The server refuses an anonymous caller: 401, 403, or it demands a client certificate. kube-apiserver presents "
    "one to kubelets and to aggregated API servers that the probe does not have. The path and the server's "
    "certificate are proven; whether the API server's certificate is accepted is not.",
    "kubectl get --raw /apis/GROUP/VERSION\nkubectl get --raw /api/v1/nodes/NODE/proxy/healthz",
    "No action is needed while `kubectl get apiservice` shows True and `kubectl logs` works. Otherwise check the CA "
    "that the server trusts for client certificates: configmap extension-apiserver-authentication in kube-system, and "
    "--client-ca-file of the kubelet.",
    severity="info",
    degrades=False,
)
CLIENT_CERTIFICATE_REQUIRED = FindingEntry(
    "CLIENT_CERTIFICATE_REQUIRED",
    "the server requires a client certificate",
    "kube-apiserver presents no client certificate to webhooks and OIDC providers on EKS, so every call fails with "
    "`remote error: tls: certificate required` (TLS 1.3) or `handshake failure` (TLS 1.2).",
    "openssl s_client -connect ADDRESS:PORT -servername HOST </dev/null | grep -A3 'client certificate'",
    "Do not require client certificates on this port: set the server's client authentication to none or optional, or "
    "exclude the port from the service mesh's mutual TLS.",
    severity="error",
    degrades=True,
    hides=_HIDES,
)
KUBELET_WITHOUT_SERVING_CERTIFICATE = FindingEntry(
    "KUBELET_WITHOUT_SERVING_CERTIFICATE",
    "a kubelet has no serving certificate yet",
    "It ends every handshake with alert 80 (internal error) until its certificate signing request for "
    "kubernetes.io/kubelet-serving is approved and signed. kubectl logs and exec on that node fail with `remote "
    "error: tls: internal error`. The network path works.",
    "kubectl get csr --field-selector spec.signerName=kubernetes.io/kubelet-serving",
    "Approve the pending request: kubectl certificate approve CSR. On EKS the control plane approves it when the "
    "node's name and addresses in the request match the instance: check the node's hostname, the VPC's DNS hostnames "
    "and the DHCP options set, then restart the kubelet so that it makes a new request.",
    severity="error",
    degrades=True,
    hides=_HIDES,
)
SERVER_NAME_REJECTED = FindingEntry(
    "SERVER_NAME_REJECTED",
    "the server does not serve the requested name",
    "Alert 112 (unrecognized name, RFC 6066): no listener or certificate of the server matches the server name that "
    "kube-apiserver sends: the URL's host, or SERVICE.NAMESPACE.svc.",
    "openssl s_client -connect ADDRESS:PORT -servername HOST </dev/null",
    "Add the name to the server's TLS configuration, or correct the URL.",
    severity="error",
    degrades=True,
    hides=_HIDES,
)
SERVER_TLS_ERROR = FindingEntry(
    "SERVER_TLS_ERROR",
    "the server has an internal error in the handshake",
    "Alert 80 (internal error): often a server without a certificate for the requested name, or whose certificate or "
    "key file cannot be loaded. The network path works.",
    "openssl s_client -connect ADDRESS:PORT -servername HOST </dev/null",
    "Check the server's log for this time, and that its certificate and key exist and fit each other; for "
    "cert-manager: kubectl get certificate -n NAMESPACE.",
    severity="error",
    degrades=True,
    hides=_HIDES,
)
TLS_PARAMETERS_DIFFER = FindingEntry(
    "TLS_PARAMETERS_DIFFER",
    "the server shares no cipher suite, group or signature algorithm with the API server",
    "Alert 40 (handshake failure) or 71 (insufficient security) before the server showed a certificate. "
    "kube-apiserver offers ECDHE with AES-GCM, ChaCha20 or AES-CBC-SHA in TLS 1.2, the suites of TLS 1.3, and the "
    "groups X25519MLKEM768, X25519, P-256, P-384 and P-521; no RSA key exchange and no DHE.",
    "openssl s_client -connect ADDRESS:PORT -servername HOST -cipher ECDHE -groups X25519:P-256:P-384 </dev/null",
    "Enable ECDHE with AES-GCM or ChaCha20 and one of X25519, P-256 and P-384 on the server.",
    severity="error",
    degrades=True,
    hides=_HIDES,
)
