"""Name constraints as crypto/x509/verify.go checks them: every alternative name below, not only the one asked for."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from egressprobe.golang.x509.certificate import Certificate
from egressprobe.golang.x509.names import DNS_NAME, EMAIL, IP_ADDRESS, URI, Constraints, mailbox, reverse_labels

_PREFIX = "x509: a root or intermediate certificate is not authorized to sign for this name: "


class _UnmatchableError(ValueError):
    """A name that no constraint of its kind can be compared with; the text is Go's."""


def violation(authority: Certificate, below: list[Certificate]) -> str | None:
    """Go's text when a name of a certificate below breaks the authority's constraints."""
    permitted, excluded = authority.extensions.permitted, authority.extensions.excluded
    if permitted == excluded == Constraints():
        return None
    for certificate in below:
        for kind, name in certificate.extensions.names:
            if kind == DNS_NAME and reverse_labels(name) is None:
                return f'x509: cannot parse dnsName "{name}"'
            if kind == EMAIL and mailbox(name) is None:
                return 'x509: cannot parse rfc822Name {"" ""}'  # Go prints what it parsed so far
            try:
                said = _check(kind, name, permitted, excluded)
            except _UnmatchableError as error:
                return f"{_PREFIX}{error}"
            if said:
                return f"{_PREFIX}{said}"
    return None


def _values(kind: str, side: Constraints) -> tuple[object, ...]:
    return {DNS_NAME: side.dns, IP_ADDRESS: side.networks, EMAIL: side.emails, URI: side.uris}[kind]


def _check(kind: str, name: str, permitted: Constraints, excluded: Constraints) -> str | None:
    for constraint in _values(kind, excluded):
        if _matches(kind, name, constraint, excluded=True):
            return f'{kind} "{name}" is excluded by constraint "{constraint}"'
    allowed = _values(kind, permitted)
    if allowed and not any(_matches(kind, name, constraint, excluded=False) for constraint in allowed):
        return f'{kind} "{name}" is not permitted by any constraint'
    return None


def _matches(kind: str, name: str, constraint: object, *, excluded: bool) -> bool:
    if kind == IP_ADDRESS:
        address = ip_address(name)
        return address.version == getattr(constraint, "version", 0) and address in constraint  # type: ignore[operator]
    text = str(constraint)
    if kind == DNS_NAME:
        return _domain(name, text, excluded=excluded)
    if kind == EMAIL:
        local, domain = mailbox(name) or ("", "")
        if "@" in text:
            wanted_local, wanted = mailbox(text) or ("", "")
            return local == wanted_local and domain.lower() == wanted.lower()
        return _domain(domain, text, excluded=excluded)
    return _domain(_uri_host(name), text, excluded=excluded)


def _uri_host(uri: str) -> str:
    host = urlsplit(uri).hostname
    if not host:
        raise _UnmatchableError(f'URI with empty host ("{uri}") cannot be matched against constraints')
    try:
        ip_address(host)
    except ValueError:
        return host
    raise _UnmatchableError(f'URI with IP ("{uri}") cannot be matched against constraints')


def _domain(domain: str, constraint: str, *, excluded: bool) -> bool:
    """matchDomainConstraint: label by label from the right, any case; a leading dot wants a subdomain.

    An excluded subdomain also excludes the wildcard that covers it (Go 1.25.5, CVE-2025-61727).
    """
    if not constraint:
        return True
    labels = reverse_labels(domain)
    wanted = reverse_labels(constraint.removeprefix("."))
    if labels is None or wanted is None:
        raise _UnmatchableError(f'x509: internal error: cannot parse domain "{domain}"')
    if excluded and labels[-1:] == ["*"] and len(labels) > 1 and wanted:
        labels, wanted = labels[:-1], wanted[:-1]
    if len(labels) < len(wanted) or (constraint.startswith(".") and len(labels) == len(wanted)):
        return False
    return all(a.lower() == b.lower() for a, b in zip(wanted, labels, strict=False))
