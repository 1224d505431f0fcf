"""Errors of a client's own connection to the API server: kubectl, client-go in a pod, a kubelet.

They say nothing about the calls that the API server makes. Sources: kubectl/pkg/cmd/util/helpers.go,
client-go/discovery/cached/memory/memcache.go, client-go/plugin/pkg/client/auth/exec (Kubernetes 1.35).
"""

from egressprobe.error_texts.template import ErrorText

UNABLE_TO_CONNECT = ErrorText("Unable to connect to the server: {problem}", root=True)
CONNECTION_REFUSED = ErrorText(
    "The connection to the server {endpoint} was refused - did you specify the right host or port?", root=True
)
_GROUP_LIST = ErrorText("couldn't get current server API group list: {problem}", root=True)
_CREDENTIALS = ErrorText("getting credentials: exec: {problem}", root=True)
_CONTEXT = ErrorText('error: context "{context}" does not exist', root=True)
_SERVER_VERSION = ErrorText("Kubernetes cluster unreachable: {problem}", root=True)
_NODE = ErrorText("Unable to register node with API server", root=True)
_LIST_WATCH = ErrorText("Failed to watch {problem}: failed to list", root=True)

CLIENTS = (
    UNABLE_TO_CONNECT,
    CONNECTION_REFUSED,
    _GROUP_LIST,
    _CREDENTIALS,
    _CONTEXT,
    _SERVER_VERSION,
    _NODE,
    _LIST_WATCH,
)
# Rows that need no error behind them to be whole.
WHOLE = (CONNECTION_REFUSED, _CREDENTIALS, _CONTEXT)
