"""Whether a certificate is valid for a host: crypto/x509 Certificate.VerifyHostname, with HostnameError's texts.

Not OpenSSL's rules: a wildcard's parent may be a single label (`*.internal`), a trailing dot of the host does
not count, the Common Name never counts, and names that are not host names still match when they are equal.
"""

import string

from egressprobe.error_texts.tls import LEGACY_NAME, NO_IP_SANS, NO_NAMES, NONE_MATCHED, OTHER_NAMES
from egressprobe.golang.release import DEFAULT_RELEASE, GoRelease
from egressprobe.golang.x509.certificate import Certificate
from egressprobe.net.addresses import canonical, is_address

# crypto/x509/verify.go HostnameError.Error: so many names are listed, more are only counted, since Go 1.24.11
_MAX_NAMES_IN_ERROR = 100
_HOST = frozenset(string.ascii_letters + string.digits + "-_.")
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)  # toLowerCaseASCII


def _valid(host: str) -> bool:
    """Whether validHostname takes it: only such names take part in wildcard and trailing-dot matching."""
    labels = f".{host}."
    return _HOST.issuperset(host) and ".." not in labels and ".-" not in labels


def _valid_pattern(pattern: str) -> bool:
    return _valid(pattern.removeprefix("*."))


def _labels(host: str) -> list[str]:
    return host.removesuffix(".").translate(_LOWER).split(".")


def matches(pattern: str, host: str) -> bool:
    """matchHostnames: a wildcard stands for exactly one leftmost label, whatever its parent."""
    return bool(host) and _matches(pattern, _labels(host))


def _matches(pattern: str, host: list[str]) -> bool:
    wanted = pattern.translate(_LOWER).split(".")
    if not pattern or len(wanted) != len(host):
        return False
    return wanted[1:] == host[1:] and wanted[0] in ("*", host[0])


def hostname_error(certificate: Certificate, host: str, release: GoRelease = DEFAULT_RELEASE) -> str | None:
    """None when `certificate` is valid for `host` (a name or an IP address), else Go's text."""
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    by_address = is_address(bare) and "%" not in bare  # net.ParseIP takes no zone
    if by_address:
        host = bare
        if canonical(host) in certificate.extensions.ip_addresses:
            return None
    else:
        name = host.translate(_LOWER)
        labels = _labels(name) if _valid(name.removesuffix(".")) else None
        for pattern in certificate.extensions.dns_names:
            if labels and _valid_pattern(pattern):
                if _matches(pattern, labels):
                    return None
            elif pattern.translate(_LOWER) == name and name not in ("", "."):
                return None
    most = _MAX_NAMES_IN_ERROR if release >= GoRelease.V1_24 else None
    return _hostname_text(certificate, host, most, by_address=by_address)


def _hostname_text(certificate: Certificate, host: str, most: int | None, *, by_address: bool) -> str:
    if certificate.extensions.san is None and matches(certificate.common_name, host):
        return LEGACY_NAME.text
    names = certificate.extensions.ip_addresses if by_address else certificate.extensions.dns_names
    if by_address and not names:
        return NO_IP_SANS.of(host=host)
    if most is not None and len(names) >= most:
        what = "IP SANs" if by_address else "names"
        return NONE_MATCHED[what].of(many=len(names), host=host)
    valid = ", ".join(names)
    if not valid:
        return NO_NAMES.of(host=host)
    return OTHER_NAMES.of(names=valid, host=host)
