"""Signs of a firewall that decrypts TLS: the issuer of the presented certificate. Pure.

A device that inspects TLS issues a certificate for each name under its own CA. The API server does not trust that
CA, so every call fails with `certificate signed by unknown authority`, which looks like a misconfigured server.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from ipaddress import ip_address

from egressprobe.catalog.findings_probe import TLS_INTERCEPTED
from egressprobe.golang.x509.hostname import matches
from egressprobe.model.failure import Code
from egressprobe.model.measurement import Attempt, CertificateView, Hop, Measurement
from egressprobe.model.report import Finding
from egressprobe.model.target import Target
from egressprobe.probe.diagnosis.rule_input import Case

# Top-level names for which no public CA issues: RFC 6761, RFC 6762, RFC 8375, ICANN's private-use `internal`, and
# others in use inside networks. Names under them may well have a private CA.
_PRIVATE_ZONES = frozenset({"arpa", "corp", "home", "internal", "intranet", "invalid", "lan", "local", "localhost"})


_PRIVATE_ZONES |= {"private", "svc", "test", "example"}


def shared_issuers(measurements: Iterable[tuple[Target, Measurement]]) -> frozenset[str]:
    """Unknown issuers that sign for targets of different owners."""
    owners: dict[str, set[str]] = defaultdict(set)
    for target, measured in measurements:
        if target.endpoints:
            continue  # in-cluster services may well share a CA, and no firewall is in front of them
        for hop in measured.hops:
            for attempt in hop.attempts:
                issuer = _unknown_issuer(attempt)
                if issuer:
                    owners[issuer].add(_owner(hop.host))
    return frozenset(issuer for issuer, domains in owners.items() if len(domains) > 1)


def intercepted(case: Case) -> Iterator[Finding]:
    """TLS_INTERCEPTED, once a host."""
    for hop in case.measured.hops:
        for attempt in hop.attempts:
            issuer = _unknown_issuer(attempt)
            if issuer is None:
                continue
            if issuer in case.others.issuers:
                why = "the same unknown CA signs for other, unrelated targets"
            elif _private_on_public(case.target, hop, attempt):
                why = "a private CA signs for a public name"
            else:
                continue
            chain = _chain(attempt)
            summary = f'{hop.host}: {why}: "{issuer}"'
            evidence = {"host": hop.host, "address": attempt.address, "issuer": issuer, "sha256": chain[0].sha256}
            yield TLS_INTERCEPTED.found(summary, evidence)
            break


def _chain(attempt: Attempt) -> tuple[CertificateView, ...]:
    return attempt.tls.chain if attempt.tls else ()


def _unknown_issuer(attempt: Attempt) -> str | None:
    """The issuer of the last certificate of a chain by an unknown CA.

    A self-signed leaf is the server's own. A leaf that says where its issuer's certificate is (RFC 5280 section
    4.2.2.1) is one whose server sends too few: no firewall publishes the CA that it signs with.
    """
    chain = _chain(attempt)
    unknown = attempt.failure is not None and attempt.failure.code is Code.TLS_UNKNOWN_AUTHORITY
    if not unknown or not chain or chain[0].issuer == chain[0].subject:
        return None
    if chain[0].issuer_urls and chain[-1].issuer != chain[-1].subject:
        return None
    return chain[-1].issuer or None


def _owner(host: str) -> str:
    """The last two labels: close enough to the registered domain to separate unrelated hosts."""
    return ".".join(host.lower().rstrip(".").split(".")[-2:])


def _private_on_public(target: Target, hop: Hop, attempt: Attempt) -> bool:
    """A public name and address, and a certificate for that name by an unknown CA."""
    if target.bundle or target.endpoints:
        return False  # here a private CA is expected
    labels = hop.host.lower().rstrip(".").split(".")
    public_name = len(labels) > 1 and labels[-1] not in _PRIVATE_ZONES
    forged = any(matches(name, hop.host) for name in _chain(attempt)[0].names)
    return public_name and forged and ip_address(attempt.address).is_global
