"""The failures of the catalogue: one row a code of `failure.Code`, in its order."""

from egressprobe.catalog.entry import Entry
from egressprobe.catalog.failures_connect import TO_REACH

_ROWS = (
    *TO_REACH,
    # -- tls
    Entry(
        "tls_timeout",
        "the server accepts the connection and does not answer the ClientHello",
        "TCP works, the ClientHello gets no answer. kube-apiserver's ClientHello is about 1,500 bytes, two segments: "
        "a path MTU black hole or a middlebox that drops large ClientHellos looks like this, and so does a server "
        "that hangs or does not speak TLS.",
        "openssl s_client -connect ADDRESS:PORT -servername NAME </dev/null",
        "Lower the MTU or allow ICMP fragmentation-needed on the path; update the firewall for post-quantum "
        "ClientHellos; or restart the server.",
    ),
    Entry(
        "tls_reset",
        "the connection is reset in the TLS handshake",
        "A reset arrives after the ClientHello: often from a firewall that filters by server name or rejects what it "
        "cannot parse.",
        "openssl s_client -connect ADDRESS:PORT -servername NAME </dev/null",
        "Allow the server name in the firewall's rules, or look at the server's own log.",
    ),
    Entry(
        "tls_eof",
        "the server closes the connection in the TLS handshake",
        "The server ends the connection without an alert: it does not know the name, has no certificate, or is "
        "shutting down.",
        "openssl s_client -connect ADDRESS:PORT -servername NAME </dev/null",
        "Look at the server's log for this time and this source address.",
    ),
    Entry(
        "tls_not_tls",
        "the server does not speak TLS",
        "The first bytes received are not a TLS record: plain HTTP, or another protocol, on this port.",
        "curl -sv --connect-to ::ADDRESS:PORT http://HOST/",
        "Correct the port or enable TLS: webhooks and issuers must use https.",
    ),
    Entry(
        "tls_alert",
        "the server refuses the handshake with an alert",
        "The alert says why, and the finding beside it what it means for this kind of target: `handshake failure` for "
        "no common cipher or group, `certificate required` for a server that requires a client certificate, `internal "
        "error` for a server without a usable certificate, `unrecognized name` for a name it does not serve.",
        "openssl s_client -connect ADDRESS:PORT -servername NAME </dev/null",
        "Check the server's TLS configuration and its log for this time: the alert's name in the message says which "
        "part.",
    ),
    Entry(
        "tls_protocol_version",
        "the server has no TLS version in common",
        "kube-apiserver speaks TLS 1.2 and 1.3 only.",
        "openssl s_client -connect ADDRESS:PORT -tls1_2 </dev/null",
        "Enable TLS 1.2 or 1.3.",
    ),
    Entry(
        "tls_cert_expired",
        "a certificate has expired",
        "The server's certificate, one of its chain, or the CA in the caBundle is past its end.",
        "openssl s_client -connect ADDRESS:PORT -servername HOST -showcerts </dev/null | openssl x509 -noout -dates",
        "Renew the certificate and make the server load the new one. With cert-manager:\n"
        "kubectl describe certificate -n NAMESPACE",
    ),
    Entry(
        "tls_cert_not_yet_valid",
        "a certificate is not valid yet",
        "Its notBefore is in the future: a clock is wrong, or it was issued ahead of time.",
        "openssl s_client -connect ADDRESS:PORT -servername HOST </dev/null | openssl x509 -noout -dates\ndate -u",
        "Correct the clock of the issuer or wait.",
    ),
    Entry(
        "tls_unknown_authority",
        "certificate signed by an unknown CA",
        "The presented chain does not lead to a certificate in the caBundle (or, without one, to a system root): a "
        "rotated CA, a missing intermediate, a caBundle that was never injected, or a firewall that re-signs TLS.",
        "openssl s_client -connect ADDRESS:PORT -servername HOST -showcerts </dev/null",
        "Put the issuing CA into the webhook's caBundle (cert-manager: annotation cert-manager.io/inject-ca-from), "
        "send the intermediate, or exempt the name from TLS inspection.",
    ),
    Entry(
        "tls_hostname_mismatch",
        "the certificate is for another name",
        "No subject alternative name matches the host; the Common Name does not count. A service needs "
        "NAME.NAMESPACE.svc, an IP address needs an IP SAN.",
        "openssl s_client -connect ADDRESS:PORT -servername HOST </dev/null | openssl x509 -noout -ext subjectAltName",
        "Issue the certificate with the name that the API server calls.",
    ),
    Entry(
        "tls_cert_invalid",
        "Go rejects the certificate",
        "Go's crypto/x509 does not accept how it is encoded or how it chains: weak signature or key, negative serial "
        "number, wrong key usage. The API server's text says which.",
        "openssl s_client -connect ADDRESS:PORT -servername HOST </dev/null | openssl x509 -noout -text",
        "Reissue it with a 2048-bit RSA or P-256 key, SHA-256 and extended key usage serverAuth.",
    ),
    Entry(
        "ca_bundle_invalid",
        "the caBundle contains no usable certificate",
        "The API server accepts such a configuration and then fails every call, before it connects: `could not get "
        "REST client: unable to load root certificates`.",
        "kubectl get validatingwebhookconfiguration NAME -o jsonpath='{.webhooks[*].clientConfig.caBundle}' | base64 "
        "-d | openssl x509 -noout -subject",
        "Put the CA that signs the server's certificate into clientConfig.caBundle, as PEM in base64, or let "
        "cert-manager's CA injector do it.",
    ),
    # -- http
    Entry(
        "http_timeout",
        "the server accepts the request and does not answer",
        "TLS works, the request gets no response in time: the server process hangs or is overloaded.",
        "curl -skv --max-time 10 --connect-to ::ADDRESS:PORT https://HOST/",
        "Look at the server: threads, CPU throttling, its own dependencies.",
    ),
    Entry(
        "http_reset",
        "the server drops the connection instead of answering",
        "The connection ends or is reset after the handshake, before a response.",
        "curl -skv --connect-to ::ADDRESS:PORT https://HOST/",
        "Look at the server's log, and at proxies that close idle or unknown connections.",
    ),
    Entry(
        "http_status",
        "the response has the wrong status",
        "Discovery documents and key sets must answer with exactly 200.",
        "curl -sv ISSUER/.well-known/openid-configuration",
        "Correct the path or the provider's configuration; a login page in front of it must let this path through.",
    ),
    Entry(
        "http_redirect",
        "the redirects do not end at a document",
        "Ten of them, or one to something that is not an http(s) URL.",
        "curl -svL ISSUER/.well-known/openid-configuration",
        "Serve the document where the issuer URL says it is.",
    ),
    Entry(
        "http_body_invalid",
        "the response cannot be read",
        "Not HTTP, not JSON, or a document without what the API server needs (jwks_uri).",
        "curl -s ISSUER/.well-known/openid-configuration | jq .",
        "Correct the provider's configuration.",
    ),
    Entry(
        "http_body_too_large",
        "the response is too large",
        "More than 1 MiB after decompression: no discovery document or key set is. The API server reads on, so what "
        "it makes of the response is unknown.",
        "curl -s URL | wc -c",
        "Serve the document itself at this URL.",
    ),
    Entry(
        "oidc_issuer_mismatch",
        "the provider's document names another issuer",
        "The `issuer` of the document must equal the configured issuer URL byte for byte: scheme, case, port and "
        "trailing slash count.",
        "curl -s ISSUER/.well-known/openid-configuration | jq -r .issuer",
        "Associate the identity provider with exactly the URL that the document names.\n"
        "aws eks associate-identity-provider-config --cluster-name CLUSTER --oidc "
        "identityProviderConfigName=NAME,issuerUrl=ISSUER,clientId=CLIENT",
    ),
    Entry(
        "oidc_jwks_unreachable",
        "discovery works, but the JWKS cannot be fetched",
        "jwks_uri is often on another host. The API server starts without an error, and every token gets 401.",
        "curl -s $(curl -s ISSUER/.well-known/openid-configuration | jq -r .jwks_uri)",
        "Open the path to the host of the JWKS as well; its failure is shown above.",
    ),
    Entry(
        "oidc_jwks_invalid",
        "the JWKS contains no usable key, or a key that cannot be decoded",
        "The API server decodes the JWKS as a whole: one key of a type or curve that it does not know, or with a "
        "malformed member, drops all keys, and every token gets 401. Ed25519, symmetric and private keys are read and "
        "verify nothing. The message names the key by its index; docs/oidc-rules.md lists the rules.",
        "curl -s JWKS_URI | jq -c '.keys[] | {kty, crv, kid, alg}'",
        "Remove the key that the message names from the JWKS; publish the signing keys as RSA of at least 1024 bits or "
        "EC on P-256, P-384 or P-521.",
    ),
    Entry(
        "apiservice_unavailable",
        "the API server reports the APIService as not Available",
        "Its own condition Available is False, as discovery last read it, so it proxies no request: all of them get "
        "503 `service unavailable`. The probe could not repeat its check, or sees no failure: the reason and the "
        "message of the condition say what the API server met.",
        "kubectl get apiservice NAME -o jsonpath='{.status.conditions}'",
        "Follow the condition's message. For 401 or 403: check the CA that the server trusts for the front-proxy "
        "client certificate (configmap extension-apiserver-authentication in kube-system).",
    ),
    # -- any
    Entry(
        "target_forbidden",
        "egressprobe does not connect to this address",
        "Loopback, link-local, multicast and metadata addresses are never connected to, also when a name or a "
        "redirect leads there. EKS clusters have EKS-managed webhooks on https://127.0.0.1: they are not on your "
        "network path.",
        "dig NAME",
        "Correct the name; leave EKS-managed loopback webhooks out of the targets.",
    ),
    Entry(
        "target_invalid",
        "the target is invalid",
        "The message names the place in the targets and what is wrong there.",
        "egressprobe run -f FILE",
        "Correct the named place.",
    ),
    Entry(
        "deadline_exceeded",
        "the run ended before this was measured",
        "The function's or the command's time limit was reached. The outcome is unknown: neither pass nor fail.",
        "Compare durationMs of the report and of its targets.",
        "Raise the function's timeout or --timeout, or split the targets.",
    ),
    Entry(
        "probe_limitation",
        "the probe cannot measure what the server does",
        "The API server's TLS and the probe's differ here: the server needs an algorithm or accepts a form that this "
        "OpenSSL does not, or it sends more than the probe reads from one peer. Neither pass nor fail is known.",
        "The message names the algorithm, the OpenSSL error or the limit.",
        "Run the probe with a newer OpenSSL, or test the target with a call of the API server itself.",
    ),
    Entry(
        "internal_error",
        "egressprobe itself failed",
        "A bug in egressprobe, or too few file descriptors or too little memory. The target's state is unknown.",
        "The log holds the traceback under the report's runId.",
        "Please report it; other targets are not affected.",
    ),
    Entry(
        "blocked_target_reached",
        "a target that must be blocked can be reached",
        "`expect: blocked`, and the connection was made: the firewall is open.",
        "nc -vz ADDRESS PORT",
        "Close the path: the route, the security group's egress rule or the firewall policy that lets it through.",
    ),
    Entry(
        "control_unreachable",
        "the target is blocked, and its positive control cannot be reached either",
        "`expect: blocked` passes only while a positive control works from the same place; it does not, so the target "
        "is unknown: neither pass nor fail.",
        "egressprobe run CONTROL",
        "Restore the path to the control, or name another one that works. Nothing is to be opened for the target "
        "itself.",
    ),
)
FAILURES: dict[str, Entry] = {entry.code: entry for entry in _ROWS}
