"""Name constraints since Go 1.26: crypto/x509/constraints.go, checkChainConstraints.

They are checked once a chain reaches a root. The constraints of each authority are sorted, those that another one
covers are left out, and the nearest one before a name is the only one that can cover it. Go's order: addresses, DNS
names, URIs, mailboxes; the permitted ones first.
"""

from bisect import bisect_left
from collections.abc import Sequence
from operator import itemgetter

from egressprobe.golang.http.net_url import url_text
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

# constraints.go dnsCompareTable: letters in lower case, the dot below everything else
_LOWER = bytes(code + 32 if 65 <= code <= 90 else 0 if code == 46 else code for code in range(256))


def _domain_key(domain: str) -> bytes:
    """What dnsCompare compares: the name from its end."""
    return domain.encode().translate(_LOWER)[::-1]


def _covers(constraint: bytes, domain: bytes) -> bool:
    """Of two keys, whether the first is a label suffix of the second (dnsHasSuffix)."""
    size = len(constraint)
    return domain.startswith(constraint) and (constraint[-1] == 0 or len(domain) == size or domain[size] == 0)


_first = itemgetter(0)


class _Domains:
    """dnsConstraints."""

    def __init__(self, domains: Sequence[str], *, permitted: bool) -> None:
        self._everything = "" in domains
        self._keys: list[bytes] = []
        self._texts: list[str] = []
        self._parents: dict[str, str] = {}
        if self._everything:
            return
        for key, text in sorted(((_domain_key(text), text) for text in domains), key=_first):
            if not self._keys or not _covers(self._keys[-1], key):
                self._keys.append(key)
                self._texts.append(text)
        if not permitted:
            lowered = (text.lower() for text in self._texts)
            self._parents = {text[text.index(".") :]: text for text in lowered if "." in text}

    def query(self, domain: str) -> str | None:
        """The constraint that covers a domain, or, excluded, one that a wildcard covers."""
        if self._everything:
            return ""
        key = _domain_key(domain)
        at = bisect_left(self._keys, key)
        if at == len(self._keys) or self._keys[at] != key:
            at = max(at - 1, 0)
        if self._keys and _covers(self._keys[at], key):
            return self._texts[at]
        if domain.startswith("*") and "." in domain:
            return self._parents.get(domain[domain.index(".") :].lower())
        return None


def _network(subnet: AddressRange) -> tuple[bytes, int]:
    """net.IPNet's number and mask: an IPv4-mapped network is an IPv4 network (net/ip.go networkNumberAndMask)."""
    if subnet.address[:12] == _MAPPED and len(subnet.address) == 16:
        return subnet.address[12:], max(subnet.length - 96, 0)
    return subnet.address, subnet.length


_MAPPED = b"\0" * 10 + b"\xff\xff"


def _contains(network: tuple[bytes, int], address: bytes) -> bool:
    """net.IPNet.Contains: an IPv4-mapped address is an IPv4 address."""
    number, length = network
    if len(address) == 16 and address[:12] == _MAPPED:
        address = address[12:]
    shift = len(address) * 8 - length
    return len(number) == len(address) and int.from_bytes(number) >> shift == int.from_bytes(address) >> shift


class _Subnets:
    """ipConstraints of one address size."""

    def __init__(self, subnets: Sequence[AddressRange], size: int) -> None:
        self._subnets: list[AddressRange] = []
        for subnet in sorted(subnet for subnet in subnets if len(subnet.address) == size):
            if not self._subnets or not self._subset(_network(self._subnets[-1]), subnet):
                self._subnets.append(subnet)
        self._numbers = [subnet.address for subnet in self._subnets]

    @staticmethod
    def _subset(network: tuple[bytes, int], subnet: AddressRange) -> bool:
        size = len(subnet.address)
        hosts = (1 << size * 8 - subnet.length) - 1
        last = (int.from_bytes(subnet.address) | hosts).to_bytes(size)
        return _contains(network, subnet.address) and _contains(network, last)

    def query(self, address: bytes) -> AddressRange | None:
        at = bisect_left(self._numbers, address)
        if at < len(self._numbers) and self._numbers[at] == address:
            return self._subnets[at]
        nearest = self._subnets[max(at - 1, 0)] if self._subnets else None
        return nearest if nearest and _contains(_network(nearest), address) else None


class _Mailboxes:
    """emailConstraints."""

    def __init__(self, emails: Sequence[str], *, permitted: bool) -> None:
        boxes = [mailbox(text) for text in emails if "@" in text]
        self._boxes = {(local, domain.lower()) for local, domain in filter(None, boxes)}
        domains = [text for text in emails if "@" not in text]
        self._domains = _Domains(domains, permitted=permitted) if domains else None

    def query(self, local: str, domain: str) -> str | None:
        if (local, domain) in self._boxes:
            return f"{local}@{domain}"
        return self._domains.query(domain) if self._domains else None


class _Side:
    def __init__(self, constraints: Constraints, *, permitted: bool) -> None:
        self._subnets = {size: _Subnets(constraints.subnets, size) for size in (4, 16)}
        self._domains = {
            DNS_NAME: _Domains(constraints.dns, permitted=permitted),
            URI: _Domains(constraints.uris, permitted=permitted),
        }
        self._mailboxes = _Mailboxes(constraints.emails, permitted=permitted)
        self.constrains = {
            DNS_NAME: bool(constraints.dns),
            IP_ADDRESS: bool(constraints.subnets),
            EMAIL: bool(constraints.emails),
            URI: bool(constraints.uris),
        }

    def query(self, kind: str, value: str | bytes | tuple[str, str]) -> str | None:
        if isinstance(value, bytes):
            subnet = self._subnets[len(value)].query(value)
            return None if subnet is None else str(subnet)
        if isinstance(value, tuple):
            return self._mailboxes.query(*value)
        return self._domains[kind].query(value)


class _Checked:
    """A name made ready: what is asked, what is printed, and whether it is valid at all."""

    def __init__(self, name: Name) -> None:
        self.kind, self.shown = name.kind, name.text
        self.value: str | bytes | tuple[str, str] = name.value
        self.invalid = ""
        if name.kind == DNS_NAME and not domain_valid(name.text):
            self.invalid = f"x509: cannot parse dnsName {quoted(name.text)}"
        elif name.kind == URI:
            self.value = uri_host(name, "cannot parse URI host {host}: {error}").lower()
            self.shown = url_text(name.text)
        elif name.kind == EMAIL:
            box = mailbox(name.text)
            if box is None:
                raise UnmatchableError(f"cannot parse rfc822Name {quoted(name.text)}")
            self.value = (box[0], box[1].lower())
            self.shown = f"{self.value[0]}@{self.value[1]}"
            if not domain_valid(self.value[1]):
                self.invalid = f"x509: cannot parse rfc822Name {quoted(self.shown)}"


_ORDER = (IP_ADDRESS, DNS_NAME, URI, EMAIL)


class ChainConstraints:
    """The constraint checks of one verification: sorted sets and results are kept, the work is bounded."""

    def __init__(self) -> None:
        self._sides: dict[bytes, tuple[_Side, _Side]] = {}
        self._checked: dict[bytes, list[_Checked] | str] = {}
        self._results: dict[tuple[bytes, bytes], str | None] = {}
        self._names = 0

    def violation(self, chain: Sequence[Certificate]) -> str | None:
        """Go's text when a name in the chain, leaf first, breaks the constraints of a certificate above it."""
        holders = [i for i, certificate in enumerate(chain) if certificate.extensions.constrains]
        for i, certificate in enumerate(chain):
            above = [chain[holder] for holder in holders if holder > i]
            if not above:
                return None
            if certificate.extensions.san is None:
                continue
            names = self._ready(certificate)
            if isinstance(names, str):
                return f"{NOT_AUTHORIZED}{names}"
            for authority in above:
                error = self._result(authority, certificate, names)
                if error:
                    return error
        return None

    def _ready(self, certificate: Certificate) -> "list[_Checked] | str":
        """The names in Go's order, or the error of the first that cannot be read."""
        if certificate.digest not in self._checked:
            names = sorted(certificate.extensions.names, key=lambda name: _ORDER.index(name.kind))
            try:
                self._checked[certificate.digest] = [_Checked(name) for name in names]
            except UnmatchableError as error:
                self._checked[certificate.digest] = str(error)
        return self._checked[certificate.digest]

    def _result(self, authority: Certificate, certificate: Certificate, names: list[_Checked]) -> str | None:
        pair = (authority.digest, certificate.digest)
        if pair not in self._results:
            self._names += len(names)
            if self._names > MOST_NAMES:
                return TOO_MANY
            if authority.digest not in self._sides:
                known = authority.extensions
                sides = _Side(known.permitted, permitted=True), _Side(known.excluded, permitted=False)
                self._sides[authority.digest] = sides
            detail = _check(names, *self._sides[authority.digest])
            self._results[pair] = f"{NOT_AUTHORIZED}{detail}" if detail else None
        return self._results[pair]


def _check(names: Sequence[_Checked], permitted: _Side, excluded: _Side) -> str | None:
    for name in names:
        if name.invalid:
            return name.invalid
        if permitted.constrains[name.kind] and permitted.query(name.kind, name.value) is None:
            return f"{name.kind} {quoted(name.shown)} is not permitted by any constraint"
        constraint = excluded.query(name.kind, name.value) if excluded.constrains[name.kind] else None
        if constraint is not None:
            return f"{name.kind} {quoted(name.shown)} is excluded by constraint {quoted(constraint)}"
    return None
