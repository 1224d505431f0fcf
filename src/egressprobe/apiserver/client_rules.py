"""How kube-apiserver is a client, a row a kind. Limits in seconds.

Sources: k8s.io/apiserver/pkg/util/webhook/client.go and pkg/admission/plugin/webhook (webhook),
k8s.io/apiserver/plugin/pkg/authenticator/token/oidc (OIDC), k8s.io/kube-aggregator/pkg/apiserver
(aggregated APIs), pkg/kubelet/client (kubelet), k8s.io/apimachinery/pkg/util/net/http.go (transports).
"""

from collections.abc import Mapping
from typing import NamedTuple

from egressprobe.error_texts.network import CANCELED_CONNECTING, DEADLINE
from egressprobe.error_texts.network import CLIENT_TIMEOUT as CLIENT_TIMEOUT_TEXT
from egressprobe.model.target import Impact, Kind

WEBHOOK_ALPN = ("http/1.1",)  # k8s.io/apiserver/pkg/util/webhook/client.go
DEFAULT_ALPN = ("h2", "http/1.1")
DIALER_LIMIT = 30.0  # net.Dialer.Timeout: DNS and all addresses of one dial together
TLS_HANDSHAKE_LIMIT = 10.0  # http.Transport.TLSHandshakeTimeout
DEFAULT_WEBHOOK_TIMEOUT = 10


class ClientRules(NamedTuple):
    """One kind of client.

    alpn: offered protocols. call_limit: seconds for the whole call; None: the target's timeoutSeconds.
    timed_out: Go's text when that limit ends the call. http: the server speaks HTTP.
    switch_relevant: the egress device carries this traffic. impact: what breaks when it fails.
    timeouts: other texts that may stand when CLIENT_TIMEOUT ends the call while it connects.
    credentials: what the API server presents to the server and the probe does not have.
    """

    alpn: tuple[str, ...]
    call_limit: float | None
    timed_out: str
    http: bool
    switch_relevant: bool
    impact: Impact
    credentials: str = ""
    timeouts: tuple[str, ...] = ()


class Client(NamedTuple):
    """What the call's outcome depends on besides the network.

    limit: seconds the whole call may take. sources: assumed source address by family, for RFC 6724.
    ipv6_expected: the cluster has IPv6, so that having no route for it here says nothing.
    """

    rules: ClientRules
    limit: float
    sources: Mapping[str, str] = {}
    ipv6_expected: bool = False


CLIENT_TIMEOUT = 30.0  # http.Client.Timeout of webhooks (rest.Config.Timeout) and of the OIDC authenticator
_DEADLINE = DEADLINE.text
_CANCELED = (CANCELED_CONNECTING.text,)
# net/http.Client.Timeout, set by the OIDC authenticator
_CLIENT_TIMEOUT = CLIENT_TIMEOUT_TEXT.text
RULES: dict[Kind, ClientRules] = {
    Kind.WEBHOOK: ClientRules(WEBHOOK_ALPN, None, _DEADLINE, True, True, Impact.BLOCKS, timeouts=_CANCELED),
    Kind.OIDC: ClientRules(
        DEFAULT_ALPN, CLIENT_TIMEOUT, _CLIENT_TIMEOUT, True, True, Impact.BLOCKS, timeouts=_CANCELED
    ),
    # The proxied request has its own, longer timeout: the 30 s of the dialer come first.
    Kind.AGGREGATED_API: ClientRules(
        DEFAULT_ALPN, 60.0, _DEADLINE, True, False, Impact.BLOCKS, "front-proxy client certificate"
    ),
    Kind.KUBELET: ClientRules(DEFAULT_ALPN, 60.0, _DEADLINE, True, False, Impact.BLOCKS, "kubelet client certificate"),
    Kind.ENDPOINT: ClientRules(DEFAULT_ALPN, None, _DEADLINE, False, True, Impact.NONE),
}
