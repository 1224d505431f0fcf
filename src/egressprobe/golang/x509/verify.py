"""Certificate.Verify of Go's crypto/x509 (verify.go), as kube-apiserver calls it for a server certificate.

Rules, in Go's order: the leaf must be valid and good for the host name; then chains are built from it to any
trusted certificate over parents whose subject equals the issuer *byte by byte*; each step needs a signature
and a certificate that may sign, is within its dates and its path length; last, one chain must have valid policies,
allow server authentication all the way down, and keep to its name constraints. Go up to 1.25 checks name constraints
while it builds.

Pure. `Signed` says whether a parent's key made a child's signature; `algorithm_error` is the part of that
question that needs no arithmetic. OpenSSL or signatures.py answer the rest.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from egressprobe.error_texts.tls import INSECURE_ALGORITHM, MAY_NOT_SIGN, POSSIBLY_BECAUSE, UNKNOWN_AUTHORITY
from egressprobe.golang.release import DEFAULT_RELEASE, GoRelease
from egressprobe.golang.x509.certificate import Certificate, validity_error
from egressprobe.golang.x509.constraints.checks import authority_violation, chain_violation
from egressprobe.golang.x509.der import quoted
from egressprobe.golang.x509.extensions import CERT_SIGN
from egressprobe.golang.x509.hostname import hostname_error
from egressprobe.golang.x509.public_keys import DSA, rsa_error

type Signed = Callable[[Certificate, Certificate], str | None]
type Kind = Literal["dates", "name", "authority", "usage", "certificate"]
_SERVER_AUTH, _ANY = "1.3.6.1.5.5.7.3.1", "2.5.29.37.0"
_MAX_SIGNATURE_CHECKS = 100  # maxChainSignatureChecks
UNSUPPORTED = "x509: cannot verify signature: algorithm unimplemented"
_MAY_NOT_SIGN = MAY_NOT_SIGN.text
_TOO_MANY_CHECKS = "x509: signature check attempts limit reached while verifying certificate chain"


class CertificateRefusal(NamedTuple):
    """Why Go refuses: its text, what kind of thing it is, and the certificate at fault."""

    text: str
    kind: Kind
    certificate: Certificate


class Verification(NamedTuple):
    """The chains that Go accepts, leaf first and anchor last; without one, why not."""

    chains: tuple[tuple[Certificate, ...], ...]
    refusal: CertificateRefusal | None = None


class Rules(NamedTuple):
    """What a verification depends on besides the certificates. host: a name or an IP address."""

    host: str
    now: datetime
    release: GoRelease = DEFAULT_RELEASE


def algorithm_error(child: Certificate, parent: Certificate) -> str | None:
    """What checkSignature refuses before any arithmetic; None when only the arithmetic is left."""
    algorithm, key = child.signature_algorithm, parent.key
    if algorithm is None:
        return UNSUPPORTED
    if algorithm.insecure:
        return INSECURE_ALGORITHM.of(algorithm=algorithm.name + algorithm.hint)
    if key.algorithm == DSA:
        return UNSUPPORTED
    if key.algorithm != algorithm.key:
        wanted = f"an {algorithm.key} public key"
        return f"x509: signature algorithm specifies {wanted}, but have public key of type {key.go_type}"
    return rsa_error(key) if key.bits is not None else None


def verify(
    chain: Sequence[Certificate], roots: Sequence[Certificate], host: str, now: datetime, signed: Signed
) -> CertificateRefusal | None:
    """None when the default release of Go accepts the chain (leaf first) for `host`, else why not."""
    return verified_chains(chain, roots, Rules(host, now), signed).refusal


def verified_chains(
    chain: Sequence[Certificate], roots: Sequence[Certificate], rules: Rules, signed: Signed
) -> Verification:
    """Every chain from the leaf, `chain[0]`, to a root that Go accepts, over any of the certificates sent."""
    leaf = chain[0]
    refusal = check_leaf(leaf, rules)
    if refusal:
        return Verification((), refusal)
    if any(root.der == leaf.der for root in roots):
        return _usable([(leaf,)], leaf, rules)
    built, refusal = _Builder(chain[1:], roots, rules, signed).chains((leaf,))
    return Verification((), refusal) if refusal else _usable(built, leaf, rules)


def _usable(chains: Sequence[tuple[Certificate, ...]], leaf: Certificate, rules: Rules) -> Verification:
    """The end of Verify: of the chains built one must be meant for servers and have valid policies."""
    if rules.release >= GoRelease.V1_26:
        return _usable_1_26(chains, leaf)
    # Before Go 1.24 no policy is looked at: no certificate has one that it read.
    valid = [chain for chain in chains if _policies_valid(chain)]
    if not valid:
        text = "x509: no valid chains built: all candidate chains have invalid policies"
        return Verification((), CertificateRefusal(text, "certificate", leaf))
    serving = tuple(chain for chain in valid if _serves(chain))
    if serving:
        return Verification(serving)
    return Verification((), _none_left("chains", len(valid), len(chains) - len(valid), leaf))


def _usable_1_26(chains: Sequence[tuple[Certificate, ...]], leaf: Certificate) -> Verification:
    """The same since Go 1.26, with the name constraints. The first one broken is what Go reports."""
    violation = chain_violation(chains)
    accepted = []
    invalid_policies = incompatible = 0
    broken = ""
    for chain in chains:
        if not _policies_valid(chain):
            invalid_policies += 1
        elif not _serves(chain):
            incompatible += 1
        else:
            error = violation(chain)
            broken = broken or error or ""
            if not error:
                accepted.append(chain)
    if accepted:
        return Verification(tuple(accepted))
    if broken:
        return Verification((), CertificateRefusal(broken, "certificate", leaf))
    return Verification((), _none_left("candidate chains", incompatible, invalid_policies, leaf))


def _policies_valid(chain: Sequence[Certificate]) -> bool:
    """Few chains require a policy or map one: only these are looked at further."""
    known = [certificate.extensions for certificate in chain[:-1]]
    if all(extensions.require_explicit is None and not extensions.policy_mappings for extensions in known):
        return True
    from egressprobe.golang.x509.policies import policies_valid

    return policies_valid(chain)


def _none_left(chains: str, incompatible: int, invalid_policies: int, leaf: Certificate) -> CertificateRefusal:
    if not invalid_policies:
        return CertificateRefusal("x509: certificate specifies an incompatible key usage", "usage", leaf)
    details = [f"{incompatible} {chains} with incompatible key usage"] if incompatible else []
    details.append(f"{invalid_policies} {chains} with invalid policies")
    return CertificateRefusal(f"x509: no valid chains built: {', '.join(details)}", "certificate", leaf)


def check_leaf(leaf: Certificate, rules: Rules) -> CertificateRefusal | None:
    """What comes before any chain: the leaf by itself, then its names."""
    refusal = _valid_alone(leaf, rules.now)
    if refusal:
        return refusal
    name = hostname_error(leaf, rules.host, rules.release)
    return CertificateRefusal(name, "name", leaf) if name else None


class _Pool:
    """x509.CertPool: each certificate once, found by its subject."""

    def __init__(self, certificates: Iterable[Certificate]) -> None:
        self._by_subject: dict[bytes, list[Certificate]] = {}
        for certificate in {certificate.der: certificate for certificate in certificates}.values():
            self._by_subject.setdefault(certificate.subject, []).append(certificate)

    def parents(self, child: Certificate) -> list[Certificate]:
        """findPotentialParents: same name; key identifiers that match first, one missing next, unlike ones last."""

        def rank(candidate: Certificate) -> int:
            have, wanted = candidate.extensions.subject_key_id, child.extensions.authority_key_id
            return 0 if have == wanted else 1 if not have or not wanted else 2

        return sorted(self._by_subject.get(child.issuer, ()), key=rank)


class _Builder:
    """buildChains, with its budget of signature checks."""

    def __init__(
        self, intermediates: Sequence[Certificate], roots: Sequence[Certificate], rules: Rules, signed: Signed
    ) -> None:
        self._roots, self._intermediates = _Pool(roots), _Pool(intermediates)
        self._rules, self._signed = rules, signed
        self._violation = authority_violation(rules.release, (*intermediates, *roots))
        self._checks = 0

    def chains(
        self, current: tuple[Certificate, ...]
    ) -> tuple[list[tuple[Certificate, ...]], CertificateRefusal | None]:
        """All chains on from `current`, or the refusal Go reports when there are none."""
        child = current[-1]
        built: list[tuple[Certificate, ...]] = []
        hint: CertificateRefusal | None = None
        last: CertificateRefusal | None = None  # Go's err: of the last candidate that was looked at
        counts_all = self._rules.release >= GoRelease.V1_26
        for candidate, trusted in self._candidates(child):
            useless = not candidate.key.algorithm or _already_in(candidate, current)
            if useless and not counts_all:
                continue
            self._checks += 1
            if self._checks > _MAX_SIGNATURE_CHECKS:
                last = CertificateRefusal(_TOO_MANY_CHECKS, "authority", child)
                if counts_all:
                    break
                continue
            if useless:
                continue
            error = _may_sign(candidate) or self._signed(child, candidate)
            if error:
                hint = hint or CertificateRefusal(error, "authority", candidate)
                continue
            last = self._fits(candidate, current, trusted=trusted)
            if last:
                hint = hint or last
            elif trusted:
                built.append((*current, candidate))
            else:
                more, last = self.chains((*current, candidate))
                built += more
                if counts_all and last and last.text == _TOO_MANY_CHECKS:
                    break
        if built:
            return built, None
        return [], last or _unknown_authority(child, hint)

    def _candidates(self, child: Certificate) -> list[tuple[Certificate, bool]]:
        roots, intermediates = self._roots.parents(child), self._intermediates.parents(child)
        return [(root, True) for root in roots] + [(candidate, False) for candidate in intermediates]

    def _fits(
        self, candidate: Certificate, current: tuple[Certificate, ...], *, trusted: bool
    ) -> CertificateRefusal | None:
        """What isValid refuses of an authority above `current`."""
        early = _valid_alone(candidate, self._rules.now)
        if early:
            return early
        broken = self._violation(candidate, current)
        if broken:
            return CertificateRefusal(broken, "certificate", candidate)
        known = candidate.extensions
        if not trusted and not (known.basic_constraints and known.is_ca):
            text = "x509: certificate is not authorized to sign other certificates"
            return CertificateRefusal(text, "certificate", candidate)
        return _too_long(candidate, current)


def _unknown_authority(child: Certificate, hint: CertificateRefusal | None) -> CertificateRefusal:
    if hint is None:
        return CertificateRefusal(UNKNOWN_AUTHORITY.text, "authority", child)
    text = POSSIBLY_BECAUSE.of(because=quoted(hint.text), authority=quoted(hint.certificate.hint_name))
    weak = "insecure" in hint.text or hint.text == _MAY_NOT_SIGN
    return CertificateRefusal(text, "certificate" if weak else "authority", child)


def _already_in(candidate: Certificate, current: Sequence[Certificate]) -> bool:
    """alreadyInChain: the same subject, key and alternative names; the first without or with them alone ends it."""
    names = candidate.extensions.san
    for certificate in current:
        if certificate.subject == candidate.subject and certificate.public_key == candidate.public_key:
            others = certificate.extensions.san
            if names == others:
                return True
            if names is None or others is None:
                return False
    return False


def _may_sign(parent: Certificate) -> str | None:
    """CheckSignatureFrom: RFC 5280 section 4.2.1.9 and keyUsage; a v1 root may."""
    known = parent.extensions
    if (parent.version == 3 and not known.basic_constraints) or (known.basic_constraints and not known.is_ca):
        return _MAY_NOT_SIGN
    if known.key_usage and not known.key_usage & CERT_SIGN:
        return _MAY_NOT_SIGN
    return None


def _valid_alone(certificate: Certificate, now: datetime) -> CertificateRefusal | None:
    if certificate.extensions.unhandled:
        return CertificateRefusal("x509: unhandled critical extension", "certificate", certificate)
    dates = validity_error(certificate, now)
    return CertificateRefusal(dates, "dates", certificate) if dates else None


def _too_long(certificate: Certificate, below: Sequence[Certificate]) -> CertificateRefusal | None:
    known = certificate.extensions
    if known.basic_constraints and 0 <= known.path_length < len(below) - 1:
        text = "x509: too many intermediates for path length constraint"
        return CertificateRefusal(text, "certificate", certificate)
    return None


def _serves(chain: Sequence[Certificate]) -> bool:
    """CheckChainForKeyUsage for serverAuth: every certificate that lists usages must list it, or any."""
    wanted = {_SERVER_AUTH, _ANY}
    return all(not (usages := certificate.extensions.usages) or wanted.intersection(usages) for certificate in chain)
