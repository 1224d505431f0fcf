"""Name constraints up to Go 1.25: crypto/x509/verify.go, checkNameConstraints and matchDomainConstraint.

Go compares each name with each constraint in the order of the certificate, the excluded ones first, and gives up
after 250,000 comparisons for one authority. The indexes here find the same first match by looking up the suffixes of
a name, and the comparisons that Go would have made are only counted.
"""

from collections.abc import Iterable, Sequence

from egressprobe.golang.release import DEFAULT_RELEASE, GoRelease
from egressprobe.golang.x509.certificate import Certificate
from egressprobe.golang.x509.constraints.host import MOST_NAMES, NOT_AUTHORIZED, TOO_MANY, UnmatchableError, uri_host
from egressprobe.golang.x509.der import quoted
from egressprobe.golang.x509.names import (
    DNS_NAME,
    EMAIL,
    IP_ADDRESS,
    URI,
    AddressRange,
    Constraints,
    Name,
    domain_valid,
    mailbox,
)

_MOST_COMPARISONS = 250_000  # verify.go maxConstraintComparisons, of one authority


def _keep_first(index: dict[str, int], key: str, position: int) -> None:
    index.setdefault(key, position)


class _Suffixes:
    """Domain constraints by their text: which one, by position, is the first that covers a domain."""

    def __init__(self) -> None:
        # Constraints that cover the domain itself, and those with a dot at the front, which cover what is below.
        self._own: dict[str, int] = {}
        self._below: dict[str, int] = {}
        self._sizes: list[int] = []
        self._everything: int | None = None

    def add(self, domain: str, position: int, *, below: bool) -> None:
        if not domain:
            self._everything = position if self._everything is None else self._everything
            return
        _keep_first(self._below if below else self._own, domain, position)

    def close(self) -> None:
        """All are added. Few sizes are possible: their sum is bounded by the bytes of the certificate."""
        self._sizes = sorted(set(map(len, self._own)) | set(map(len, self._below)))

    def first(self, domain: str) -> int | None:
        """The lowest position of a constraint on `domain` or on a domain above it."""
        first = self._everything
        whole = len(domain)
        for size in self._sizes:
            if size > whole:
                break
            if size < whole and domain[whole - size - 1] != ".":
                continue
            suffix = domain[whole - size :]
            for index in (self._own, self._below) if size < whole else (self._own,):
                position = index.get(suffix)
                if position is not None and (first is None or position < first):
                    first = position
        return first


class _Domains:
    """Domain constraints of one side, case ignored. An excluded one also excludes wildcards that cover it.

    Go 1.24.11 and 1.25.5 (CVE-2025-61727) take the first label off both the wildcard and the constraint, so that an
    excluded single label excludes every wildcard. Earlier releases do not look at wildcards.
    """

    def __init__(self, constraints: Iterable[tuple[int, str]]) -> None:
        self._usual, self._parents = _Suffixes(), _Suffixes()
        for position, text in constraints:
            domain = text.removeprefix(".").lower()
            below = text.startswith(".")
            self._usual.add(domain, position, below=below)
            self._parents.add(domain.partition(".")[2], position, below=below)
        self._usual.close()
        self._parents.close()

    def first(self, domain: str, *, excluded: bool) -> int | None:
        domain = domain.lower()
        if excluded and domain.startswith("*") and "." in domain:
            return self._parents.first(domain.partition(".")[2])
        return self._usual.first(domain)


class _Subnets:
    """Subnets by address size, mask and masked address; an address of 16 bytes is in none of 4, mapped or not."""

    def __init__(self, subnets: Sequence[AddressRange]) -> None:
        self._groups: dict[tuple[int, int], dict[int, int]] = {}
        for position, subnet in enumerate(subnets):
            size = len(subnet.address)
            group = self._groups.setdefault((size, size * 8 - subnet.length), {})
            group.setdefault(int.from_bytes(subnet.address) >> (size * 8 - subnet.length), position)

    def first(self, address: bytes) -> int | None:
        value = int.from_bytes(address)
        positions = [
            position
            for (size, shift), group in self._groups.items()
            if size == len(address) and (position := group.get(value >> shift)) is not None
        ]
        return min(positions, default=None)


class _Side:
    """The permitted or the excluded constraints of one authority."""

    def __init__(self, constraints: Constraints, *, excluded: bool) -> None:
        """excluded: a wildcard that covers a constraint is found too."""
        self._excluded = excluded
        self.of: dict[str, Sequence[object]] = {
            DNS_NAME: constraints.dns,
            IP_ADDRESS: constraints.subnets,
            EMAIL: constraints.emails,
            URI: constraints.uris,
        }
        self._subnets = _Subnets(constraints.subnets)
        self._mailboxes: dict[tuple[str, str], int] = {}
        domains: list[tuple[int, str]] = []
        for position, text in enumerate(constraints.emails):
            box = mailbox(text) if "@" in text else None
            if box is None:
                domains.append((position, text))
            else:
                self._mailboxes.setdefault((box[0], box[1].lower()), position)
        self._domains = {
            DNS_NAME: _Domains(enumerate(constraints.dns)),
            EMAIL: _Domains(domains),
            URI: _Domains(enumerate(constraints.uris)),
        }

    def first(self, name: Name) -> int | None:
        """The position of the first constraint that covers a name. Raises UnmatchableError."""
        if name.kind == IP_ADDRESS:
            return self._subnets.first(name.value)  # type: ignore[arg-type]  # bytes of an address
        domain, exact = str(name.value), None
        if name.kind == URI:
            domain = uri_host(name, "{error}")
        elif name.kind == EMAIL:
            local, domain = mailbox(name.text) or ("", "")
            exact = self._mailboxes.get((local, domain.lower()))
        position = self._domains[name.kind].first(domain, excluded=self._excluded)
        return position if exact is None else exact if position is None else min(exact, position)


class _Authority:
    def __init__(self, certificate: Certificate, release: GoRelease) -> None:
        self._permitted = _Side(certificate.extensions.permitted, excluded=False)
        self._excluded = _Side(certificate.extensions.excluded, excluded=release >= GoRelease.V1_24)

    def check(self, certificate: Certificate) -> tuple[str | None, int]:
        """The refusal of a certificate below, and after how many comparisons Go makes it."""
        comparisons = 0
        for name in certificate.extensions.names:
            if name.kind == DNS_NAME and not domain_valid(name.text):
                return f"x509: cannot parse dnsName {quoted(name.text)}", comparisons
            if name.kind == EMAIL and mailbox(name.text) is None:
                return 'x509: cannot parse rfc822Name {"" ""}', comparisons  # Go prints its empty result
            try:
                detail, made = self._check(name)
            except UnmatchableError as error:
                detail, made = str(error), len(self._excluded.of[name.kind])
            comparisons += made
            if detail:
                return f"{NOT_AUTHORIZED}{detail}", comparisons
            if comparisons > _MOST_COMPARISONS:
                return TOO_MANY, comparisons
        return None, comparisons

    def _check(self, name: Name) -> tuple[str | None, int]:
        excluded, permitted = self._excluded.of[name.kind], self._permitted.of[name.kind]
        if excluded:
            position = self._excluded.first(name)
            if position is not None:
                text = f"{name.kind} {quoted(name.text)} is excluded by constraint {quoted(str(excluded[position]))}"
                return text, len(excluded)
        made = len(excluded) + len(permitted)
        if permitted and self._permitted.first(name) is None:
            return f"{name.kind} {quoted(name.text)} is not permitted by any constraint", made
        return None, made


class Comparisons:
    """The constraint checks of one verification: indexes and results are kept, the work is bounded."""

    def __init__(self, release: GoRelease = DEFAULT_RELEASE) -> None:
        self._release = release
        self._authorities: dict[bytes, _Authority] = {}
        self._results: dict[tuple[bytes, bytes], tuple[str | None, int]] = {}
        self._names = 0

    def violation(self, authority: Certificate, below: Sequence[Certificate]) -> str | None:
        """Go's text when a name of a certificate below breaks the authority's constraints."""
        if not authority.extensions.constrains:
            return None
        comparisons = 0
        for certificate in below:
            error, made = self._result(authority, certificate)
            comparisons += made
            if comparisons > _MOST_COMPARISONS:
                return TOO_MANY
            if error:
                return error
        return None

    def _result(self, authority: Certificate, certificate: Certificate) -> tuple[str | None, int]:
        pair = (authority.digest, certificate.digest)
        if pair not in self._results:
            self._names += len(certificate.extensions.names)
            if self._names > MOST_NAMES:
                return TOO_MANY, 0
            checks = self._authorities.get(authority.digest)
            if checks is None:
                checks = self._authorities[authority.digest] = _Authority(authority, self._release)
            self._results[pair] = checks.check(certificate)
        return self._results[pair]
