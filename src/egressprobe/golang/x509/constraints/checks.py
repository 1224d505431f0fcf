"""Which check of name constraints a verification needs. Few chains have any: the checks are imported then only."""

from collections.abc import Callable, Iterable, Sequence

from egressprobe.golang.release import GoRelease
from egressprobe.golang.x509.certificate import Certificate


def chain_violation(chains: Sequence[Sequence[Certificate]]) -> Callable[[Sequence[Certificate]], str | None]:
    """How each of some finished chains is checked: since Go 1.26."""
    if not _constrained(certificate for chain in chains for certificate in chain):
        return lambda _: None
    from egressprobe.golang.x509.constraints.sorted_sets import ChainConstraints

    return ChainConstraints().violation


def authority_violation(
    release: GoRelease, candidates: Iterable[Certificate]
) -> Callable[[Certificate, Sequence[Certificate]], str | None]:
    """How a candidate authority is checked against the chain below it: up to Go 1.25."""
    if release >= GoRelease.V1_26 or not _constrained(candidates):
        return lambda _authority, _below: None
    from egressprobe.golang.x509.constraints.compared import Comparisons

    return Comparisons(release).violation


def _constrained(certificates: Iterable[Certificate]) -> bool:
    return any(certificate.extensions.constrains for certificate in certificates)
