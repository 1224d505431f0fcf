"""Signs of a firewall that opens TLS: who signed what we were shown, instead of whom the name belongs to. Pure.

A box that inspects TLS forges a certificate for each name under a CA of its own. The API server does not trust
that CA, so every call fails with `certificate signed by unknown authority`, which reads like a broken server.
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

# Top-level names that no public CA signs for: RFC 6761, RFC 6762, RFC 8375, ICANN's private-use `internal`, and
# what is used inside networks all the same. Everything under them may well have a private CA.
_PRIVATE_ZONES = frozenset({"arpa", "corp", "home", "internal", "intranet", "invalid", "lan", "local", "localhost"})


_PRIVATE_ZONES |= {"private", "svc", "test", "example"}


def shared_issuers(seen: Iterable[tuple[Target, Measurement]]) -> frozenset[str]:
    """Unknown issuers that sign for targets of different owners."""
    owners: dict[str, set[str]] = defaultdict(set)
    for target, measured in seen:
        if target.endpoints:
            continue  # in-cluster services may well share a CA, and no firewall stands before them
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
            said = f"{hop.host}: {why}: «{issuer}»"
            evidence = {"host": hop.host, "address": attempt.address, "issuer": issuer, "sha256": chain[0].sha256}
            yield TLS_INTERCEPTED.found(said, evidence)
            break


def _chain(attempt: Attempt) -> tuple[CertificateView, ...]:
    return attempt.tls.chain if attempt.tls else ()


def _unknown_issuer(attempt: Attempt) -> str | None:
    """Who stands at the top of a chain that nothing trusted signed. A self-signed leaf is a server's own doing."""
    chain = _chain(attempt)
    unknown = attempt.failure is not None and attempt.failure.code is Code.TLS_UNKNOWN_AUTHORITY
    if not unknown or not chain or chain[0].issuer == chain[0].subject:
        return None
    return chain[-1].issuer or None


def _owner(host: str) -> str:
    """The last two labels: close enough to the registered domain to tell unrelated hosts apart."""
    return ".".join(host.lower().rstrip(".").split(".")[-2:])


def _private_on_public(target: Target, hop: Hop, attempt: Attempt) -> bool:
    """A name and an address of the public internet, a certificate made out for that name, a CA nobody knows."""
    if target.bundle or target.endpoints:
        return False  # here a private CA is expected
    labels = hop.host.lower().rstrip(".").split(".")
    public_name = len(labels) > 1 and labels[-1] not in _PRIVATE_ZONES
    forged = any(matches(name, hop.host) for name in _chain(attempt)[0].names)
    return public_name and forged and ip_address(attempt.address).is_global
