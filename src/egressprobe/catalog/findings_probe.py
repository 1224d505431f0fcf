"""Findings of a probe: what is worth a person's time beside the verdict."""

from egressprobe.catalog.entry import FindingEntry
from egressprobe.model.failure import Code

ADDRESS_DEAD = FindingEntry(
    "ADDRESS_DEAD",
    "one of several addresses fails",
    "A name with several addresses, or a service with several endpoints, has at least one that fails while another "
    "works. kube-apiserver dials addresses of one family strictly one after the other and gives a silent one 30 s / n "
    "of its time whatever timeoutSeconds says, so some calls fail or are slow.",
    "egressprobe run URL -o json | jq '.results[].attempts[] | {address, failure}'",
    "Remove the failing address from DNS or from the service, or open the path to it; check the security group and "
    "network ACL of its subnet.",
    severity="warning",
    degrades=True,
)
AVAILABLE_BUT_REJECTED = FindingEntry(
    "AVAILABLE_BUT_REJECTED",
    "the APIService is Available, but every request to it fails",
    "The availability check does not verify TLS; the proxying of requests does, with the caBundle and the name "
    "SERVICE.NAMESPACE.svc. With a wrong or rotated CA `kubectl get apiservice` shows True while every request is "
    "answered 503 `error trying to reach service: tls: failed to verify certificate`.",
    "kubectl get apiservice NAME -o jsonpath='{.spec.caBundle}' | base64 -d | openssl x509 -noout -subject -enddate",
    "Put the CA that signs the service's certificate into the APIService's spec.caBundle, or let cert-manager's CA "
    "injector do so.",
    severity="error",
    degrades=True,
)
BLOCKED_IN_TLS = FindingEntry(
    "BLOCKED_IN_TLS",
    "a target that must be blocked accepts TCP and is cut in the TLS handshake",
    "A filter that reads server names lets TCP connect and then drops or resets the ClientHello: for a `tls://` target "
    "that is a block. The port itself is open, so another server name, or another protocol, may pass.",
    "nc -vz ADDRESS PORT",
    "Nothing, if the filter is meant to work by name. To require that the port is closed use `tcp://` in the target.",
    severity="info",
    degrades=False,
)
BLOCKED_BY_DNS = FindingEntry(
    "BLOCKED_BY_DNS",
    "a target that must be blocked does not resolve",
    "Its name has no address here while the control's name has: a DNS firewall, a response policy zone, or no such "
    "name. The API server cannot reach it, so it counts as blocked. A misspelt name counts as blocked as well.",
    "dig @RESOLVER NAME",
    "No action is needed. To test the path and not the name, give the target an address that is known to work "
    "elsewhere.",
    severity="info",
    degrades=False,
)
CALL_SLOW = FindingEntry(
    "CALL_SLOW",
    "the call takes more than half of its timeout",
    "It passes, but with a little more load it fails with `context deadline exceeded`.",
    "Compare the phase times in the table: the slow phase names the suspect.",
    "Raise timeoutSeconds of the webhook (at most 30), or make the slow phase faster.",
    severity="warning",
    degrades=True,
)
CERT_EXPIRES_SOON = FindingEntry(
    "CERT_EXPIRES_SOON",
    "a certificate of the verified path expires soon",
    "Less than seven days or a fifth of its lifetime is left. After that every call fails with `x509: certificate has "
    "expired or is not yet valid`.",
    "openssl s_client -connect ADDRESS:PORT -servername HOST </dev/null | openssl x509 -noout -enddate",
    "Renew the certificate. With cert-manager:\nkubectl get certificate -A\ncmctl renew NAME -n NAMESPACE",
    severity="warning",
    degrades=True,
)
DNS_SLOW = FindingEntry(
    "DNS_SLOW",
    "the DNS lookup takes half of the call's timeout or more",
    "Go waits for both the A and the AAAA response. A name server that drops AAAA queries costs about 10 s while A "
    "looks healthy; a first name server that does not respond costs 5 s on every lookup.",
    "dig @RESOLVER HOST AAAA +tries=1 +time=5",
    "Make the name server respond to AAAA queries (an empty response is enough), or remove the silent "
    "server from the DHCP options set.\n"
    "aws ec2 describe-dhcp-options",
    severity="warning",
    degrades=True,
    hides=("CALL_SLOW",),
)
DNS_VIEWS_DIFFER = FindingEntry(
    "DNS_VIEWS_DIFFER",
    "two name servers of the VPC give different answers for a name",
    "The resolvers in resolv.conf and the VPC resolver give answers of different kinds: one knows the name and the "
    "other does not, or one gives private and the other public addresses. Which one the API server queries decides "
    "where its call goes.",
    "dig @169.254.169.253 HOST\ndig @OTHER HOST",
    "Make the answers agree: a private hosted zone associated with the VPC, or a Route 53 Resolver rule; with an EKS "
    "interface endpoint, oidc.eks.REGION.amazonaws.com needs its own answer.",
    severity="warning",
    degrades=False,
)
FLOW_BLACK_HOLED = FindingEntry(
    "FLOW_BLACK_HOLED",
    "TCP connects, then packets of any size are dropped",
    "The three-way handshake completes and nothing after it is acknowledged, neither a small ClientHello nor one with "
    "another name. Typical: a stateful firewall that sees one direction only (asymmetric routing), an inspection "
    "device that drops after inspection, a proxy that accepts connections for a backend that is down.",
    "Capture on both ends, and note where the first data segment is last seen.\n"
    "sudo tcpdump -ni any host ADDRESS and port PORT",
    "Route both directions through the same stateful device, and check its drop log. For a transit "
    "gateway, appliance mode of the attachment:\n"
    "aws ec2 modify-transit-gateway-vpc-attachment --transit-gateway-attachment-id ID --options "
    "ApplianceModeSupport=enable",
    severity="error",
    degrades=True,
    hides=(Code.TLS_TIMEOUT, ADDRESS_DEAD),
)
LARGE_CLIENT_HELLO_DROPPED = FindingEntry(
    "LARGE_CLIENT_HELLO_DROPPED",
    "a middlebox drops or resets large ClientHellos",
    "Since Kubernetes 1.32 the API server's ClientHello carries a post-quantum key share and takes two TCP segments. "
    "Some firewalls and proxies look for the server name in the first segment only, or reject ClientHellos that they "
    "cannot parse. Tools with a small ClientHello (curl, older clients) pass on the same path.",
    "The first passes where the second fails:\n"
    "egressprobe run URL --kube-version 1.31\n"
    "egressprobe run URL --kube-version 1.35",
    "Update the inspecting device (it must reassemble the ClientHello across segments), or exempt the destination "
    "from TLS inspection. On the server's side: https://tldr.fail lists the fixes.",
    severity="error",
    degrades=True,
    hides=(Code.TLS_TIMEOUT, Code.TLS_RESET, Code.TLS_EOF, ADDRESS_DEAD),
)
NO_NETWORK = FindingEntry(
    "NO_NETWORK",
    "the computer that runs the probe has no network",
    "It has no route to any address, by IPv4 or IPv6, so nothing was measured: the targets are unknown.",
    "ip route\ncat /etc/resolv.conf",
    "Connect this computer, or run the probe on a host in a control-plane subnet.",
    severity="error",
    degrades=False,
)
NO_POSITIVE_CONTROL = FindingEntry(
    "NO_POSITIVE_CONTROL",
    "no positive control connects from here",
    "A target that must be blocked counts as blocked only while something else can be reached from the same place. "
    "Otherwise a broken network would look like a perfect firewall. Until then the target is unknown.",
    "egressprobe run CONTROL",
    "Restore the path to the control that the summary names. The target itself stays closed: nothing is to be opened "
    "for it. Without a control: give the target a `control` (tcp://host:port that must connect), or add a target that "
    "passes.",
    severity="info",
    degrades=False,
    hides=(Code.CONTROL_UNREACHABLE,),
)
PATH_MTU_BLACK_HOLE = FindingEntry(
    "PATH_MTU_BLACK_HOLE",
    "full-size packets are dropped on the path, small ones pass",
    "A link on the path carries less than 1500 bytes and the ICMP message that says so is lost (type 3 code 4; ICMPv6 "
    "type 2), so the sender does not reduce its packets. TCP connects, the ClientHello or the certificates never "
    "arrive. The direction says which side's large packets are dropped.",
    "From a host of that subnet, with smaller sizes too:\nping -M do -s 1472 ADDRESS\ntracepath ADDRESS",
    "Let ICMP `fragmentation needed` through in the NACLs, the security groups and every firewall of the path, or "
    "clamp the MSS on the tunnel or firewall that has the small MTU (iptables -t mangle -A FORWARD -p tcp --tcp-flags "
    "SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu).",
    severity="error",
    degrades=True,
    hides=(Code.TLS_TIMEOUT, ADDRESS_DEAD),
)
REPORT_REDUCED = FindingEntry(
    "REPORT_REDUCED",
    "the report was cut to fit a synchronous response",
    "Above 4 MB details are left out, first of the results that need the most bytes: certificate chains, then single "
    "queries and attempts. Verdicts are complete.",
    "The finding's evidence names the results that were cut.",
    "Probe fewer targets at once, or the target of interest by itself.",
    severity="info",
    degrades=False,
)
SERVER_ERROR_STATUS = FindingEntry(
    "SERVER_ERROR_STATUS",
    "the server in front answers 502, 503 or 504",
    "The path works up to a load balancer or proxy, which may have no healthy target. The probe requests `/`, not the "
    "webhook's own path: a load balancer that routes by path may answer 503 at `/` beside a healthy webhook.",
    "curl -skI https://HOST/",
    "Look at the load balancer's target health.\naws elbv2 describe-target-health --target-group-arn ARN",
    severity="warning",
    degrades=True,
)
SERVER_SILENT = FindingEntry(
    "SERVER_SILENT",
    "the server acknowledges the ClientHello and never answers",
    "The path works: TCP connects and every byte of the ClientHello is acknowledged. What accepts the connection does "
    "not answer TLS: a process that hangs, a load balancer without healthy targets, a port whose protocol waits for "
    "the client.",
    "openssl s_client -connect ADDRESS:PORT -servername HOST </dev/null\nOn the server:\nss -ltnp 'sport = :PORT'",
    "Check the server: its threads, its backlog, its log; and the target health of the load balancer.\n"
    "aws elbv2 describe-target-health --target-group-arn ARN",
    severity="error",
    degrades=True,
    hides=(Code.TLS_TIMEOUT, ADDRESS_DEAD),
)
SNI_FILTERED = FindingEntry(
    "SNI_FILTERED",
    "a device on the path blocks this server name",
    "A ClientHello with this name is dropped, reset or closed, the same one with another name is answered: a firewall "
    "that filters by server name (AWS Network Firewall, a proxy's allow list), or a gateway that has no listener for "
    "this name.",
    "The first fails, the second is answered:\n"
    "openssl s_client -connect ADDRESS:PORT -servername HOST </dev/null\n"
    "openssl s_client -connect ADDRESS:PORT -servername sts.amazonaws.com </dev/null",
    "Allow the name in the firewall's rule group. Where the server itself rejects it: add the name to its"
    " listener.\n"
    "aws network-firewall describe-rule-group --rule-group-name NAME --type STATEFUL",
    severity="error",
    degrades=True,
    hides=(Code.TLS_TIMEOUT, Code.TLS_RESET, Code.TLS_EOF, ADDRESS_DEAD),
)
TLS_INTERCEPTED = FindingEntry(
    "TLS_INTERCEPTED",
    "a firewall seems to decrypt TLS and to sign with its own CA",
    "The certificate is valid for the name but signed by a CA that the API server does not trust: a private CA on a "
    "public name, or the same unknown CA on unrelated targets. Devices that inspect TLS issue certificates like this. "
    "The API server cannot be made to trust them for OIDC issuers and system roots.",
    "From a host of that subnet and from outside:\n"
    "openssl s_client -connect ADDRESS:PORT -servername HOST -showcerts </dev/null | openssl x509 -noout "
    "-issuer -subject",
    "Exempt the destinations from TLS inspection on the firewall (for AWS Network Firewall: the TLS inspection "
    "configuration's scope). Your own webhook may instead have the inspecting CA in its caBundle.",
    severity="error",
    degrades=True,
    hides=(Code.TLS_UNKNOWN_AUTHORITY,),
)
