"""Whether a certificate is valid for a host: crypto/x509 Certificate.VerifyHostname, with HostnameError's texts.

Not OpenSSL's rules: a wildcard's parent may be a single label (`*.internal`), a trailing dot of the host does
not count, the Common Name never counts, and names that are not host names still match when they are equal.
"""

from functools import lru_cache

from egressprobe.golang.x509.certificate import Certificate
from egressprobe.net.addresses import canonical, is_address

# crypto/x509/verify.go HostnameError.Error: so many names are listed, more are only counted
_MAX_NAMES_IN_ERROR = 100
_LABEL = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


@lru_cache(maxsize=4096)
def _valid(host: str, *, pattern: bool) -> bool:
    """validHostname: what takes part in wildcard and trailing-dot matching."""
    if not pattern:
        host = host.removesuffix(".")
    if not host or host == "*":
        return False
    for i, label in enumerate(host.split(".")):
        if pattern and i == 0 and label == "*":
            continue
        if not label or label[0] == "-" or not _LABEL.issuperset(label):
            return False
    return True


def matches(pattern: str, host: str) -> bool:
    """matchHostnames: a wildcard stands for exactly one leftmost label, whatever its parent."""
    wanted, given = pattern.lower().split("."), host.removesuffix(".").lower().split(".")
    if not pattern or not host or len(wanted) != len(given):
        return False
    return all(w == g or (i == 0 and w == "*") for i, (w, g) in enumerate(zip(wanted, given, strict=True)))


def hostname_error(certificate: Certificate, host: str) -> str | None:
    """None when `certificate` is valid for `host` (a name or an IP address), else Go's text."""
    by_address = is_address(host)
    if by_address:
        if canonical(host) in certificate.extensions.ip_addresses:
            return None
    else:
        name_is_valid = _valid(host.lower(), pattern=False)
        for name in certificate.extensions.dns_names:
            if name_is_valid and _valid(name, pattern=True):
                if matches(name, host):
                    return None
            elif name.lower() == host.lower() and name not in ("", "."):
                return None
    return _hostname_text(certificate, host, by_address=by_address)


def _hostname_text(certificate: Certificate, host: str, *, by_address: bool) -> str:
    has_san = certificate.extensions.san is not None
    if not has_san and matches(certificate.common_name, host):
        return "x509: certificate relies on legacy Common Name field, use SANs instead"
    names = certificate.extensions.ip_addresses if by_address else certificate.extensions.dns_names
    if by_address and not names:
        return f"x509: cannot validate certificate for {host} because it doesn't contain any IP SANs"
    if len(names) >= _MAX_NAMES_IN_ERROR:
        what = "IP SANs" if by_address else "names"
        return f"x509: certificate is valid for {len(names)} {what}, but none matched {host}"
    if not "".join(names):
        return f"x509: certificate is not valid for any names, but wanted to match {host}"
    return f"x509: certificate is valid for {', '.join(names)}, not {host}"
