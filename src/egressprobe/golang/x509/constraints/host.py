"""What both algorithms ask of a name: the host of a URI, and how much work one verification may take."""

from egressprobe.golang.http.net_url import url_text
from egressprobe.golang.x509.der import quoted
from egressprobe.golang.x509.names import Name, is_ip_literal

NOT_AUTHORIZED = "x509: a root or intermediate certificate is not authorized to sign for this name: "
TOO_MANY = "x509: unknown error"  # what CertificateInvalidError.Error (verify.go) makes of TooManyConstraints
# Names looked at for one verification, of all authorities together. Go has no such bound; it is about a quarter of a
# second, and no real chain comes near it. What exceeds it is refused, so it can hide a pass but never make one.
MOST_NAMES = 250_000


class UnmatchableError(ValueError):
    """A name that no constraint of its kind can be compared with; the text is Go's."""


def uri_host(uri: Name, wrong_port: str) -> str:
    """The host of a URI without its port. wrong_port: the text for a second colon, with {host} and {error}."""
    host = str(uri.value)
    shown = quoted(url_text(uri.text))
    if not host:
        raise UnmatchableError(f"URI with empty host ({shown}) cannot be matched against constraints")
    if ":" in host and not host.endswith("]"):
        if host.count(":") > 1:
            error = f"address {host}: too many colons in address"
            raise UnmatchableError(wrong_port.format(host=quoted(host), error=error))
        host = host.partition(":")[0]
    if is_ip_literal(host):
        raise UnmatchableError(f"URI with IP ({shown}) cannot be matched against constraints")
    return host
