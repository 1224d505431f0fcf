"""OIDC: kube-apiserver's authenticator and go-oidc, which reads the discovery document and the key set.

Sources: plugin/pkg/authenticator/token/oidc/oidc.go (Kubernetes 1.35); github.com/coreos/go-oidc v2.3.0 oidc.go,
jwks.go, verify.go; gopkg.in/go-jose/go-jose.v2 v2.6.3.
"""

from egressprobe.error_texts.template import ErrorText, codes
from egressprobe.model.failure import Code

VERIFYING = "oidc: verify token: "
_VERIFY = f"{VERIFYING}failed to verify signature: "
# What comes before an error of the key set: it is fetched when the first token comes.
FETCHING = f"{_VERIFY}fetching keys "
_FETCH_WHY = "discovery works; the key set is fetched when a token comes, and that fails"
FETCHING_KEYS = ErrorText("oidc: get keys failed {problem}", codes(Code.OIDC_JWKS_UNREACHABLE), _FETCH_WHY, family=True)
KEYS_STATUS = ErrorText(
    "oidc: get keys failed: {problem}",
    codes(Code.OIDC_JWKS_UNREACHABLE, Code.HTTP_STATUS),
    "the key set's server answers with a status that is not 200",
    family=True,
)
KEYS_REQUEST = ErrorText(
    "oidc: can't create request: {problem}",
    codes(Code.OIDC_JWKS_UNREACHABLE, Code.HTTP_REDIRECT),
    "jwks_uri of the discovery document is not a URL",
    family=True,
)
NO_JWKS_URI = ErrorText(
    'oidc: get keys failed Get "": unsupported protocol scheme ""',
    codes(Code.HTTP_BODY_INVALID),
    "the discovery document has no jwks_uri",
)
KEYS_UNREADABLE = ErrorText(
    "oidc: failed to decode keys: {problem}",
    codes(Code.OIDC_JWKS_INVALID),
    "the key set came and does not decode, so no token is accepted",
    codes(Code.OIDC_JWKS_UNREACHABLE),
)
UNVERIFIED = ErrorText(
    f"{_VERIFY}failed to verify id token signature",
    codes(Code.OIDC_JWKS_INVALID),
    "no key of the set fits the token: the set has no usable key, or the token is another provider's or older",
)
_UNVERIFIED_BARE = ErrorText("failed to verify id token signature", UNVERIFIED.codes, UNVERIFIED.why)
ALGORITHM = ErrorText(
    'oidc: id token signed with unsupported algorithm, expected {expected} got "{algorithm}"',
    codes(Code.OIDC_JWKS_INVALID),
    "the provider signs with an algorithm that kube-apiserver does not take",
)
DOCUMENT_UNREADABLE = ErrorText(
    "oidc: failed to decode provider discovery object: {problem}",
    codes(Code.HTTP_BODY_INVALID),
    "the discovery document came and does not decode: an error page or a login page, for example",
)
ISSUER_MISMATCH = ErrorText(
    "oidc: issuer did not match the issuer returned by provider, expected {expected} got {actual}",
    codes(Code.OIDC_ISSUER_MISMATCH),
    "discovery works, and the document names another issuer than the cluster's configuration",
)
JOSE = ErrorText(
    "go-jose/go-jose: {problem}", codes(Code.OIDC_JWKS_INVALID), "a key of the set does not decode", family=True
)
NOT_INITIALIZED = ErrorText(
    "oidc: authenticator for issuer {issuer} is not initialized",
    codes(Code.CONNECT_TIMEOUT, Code.DNS_NXDOMAIN, Code.TLS_UNKNOWN_AUTHORITY, Code.HTTP_STATUS),
    "no discovery has worked since the API server started; the lines `initializing plugin` of its log say why",
)

ROWS = (
    *(NO_JWKS_URI, KEYS_UNREADABLE, ISSUER_MISMATCH, DOCUMENT_UNREADABLE, UNVERIFIED, _UNVERIFIED_BARE, ALGORITHM),
    *(NOT_INITIALIZED, KEYS_STATUS, KEYS_REQUEST, FETCHING_KEYS, JOSE),
)
