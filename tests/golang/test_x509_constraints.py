"""The indexes of name constraints find what comparing each name with each constraint finds."""

from ipaddress import ip_network
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from egressprobe.golang.release import GoRelease
from egressprobe.golang.x509.certificate import parse
from egressprobe.golang.x509.constraints.compared import Comparisons
from egressprobe.golang.x509.constraints.sorted_sets import ChainConstraints
from egressprobe.golang.x509.names import AddressRange
from tests.conftest import examples
from tests.support.peers import pki

_KEY = pki.make_key()
_LABELS = st.sampled_from(["a", "B", "b", "lab", "a-b", "_"])
_DOMAINS = st.lists(_LABELS, min_size=1, max_size=4).map(".".join)
_CONSTRAINTS = st.lists(st.tuples(st.sampled_from(["", "."]), _DOMAINS).map("".join) | st.just(""), max_size=8)
_NAMES = st.tuples(st.sampled_from(["", "", "*."]), _DOMAINS).map("".join) | st.just("*")


def _made(names, permitted, excluded, kind=0x82):
    def side(context, values):
        return pki.tlv(context, *(pki.seq(pki.tlv(kind, value)) for value in values)) if values else b""

    value = pki.seq(side(0xA0, permitted), side(0xA1, excluded))
    authority = pki.make(
        "ca", key=_KEY, extensions=(pki.extension("2.5.29.30", value),) if permitted or excluded else ()
    )
    san = pki.extension("2.5.29.17", pki.seq(*(pki.tlv(0x87 if kind == 0x87 else 0x82, name) for name in names)))
    return parse(authority.der), parse(pki.make("", by=authority, key=_KEY, extensions=(san,)).der)


def _covers(constraint, name, *, excluded):
    """MatchDomainConstraint of Go 1.25.5 (crypto/x509/verify.go), label by label."""
    if not constraint:
        return True
    labels, wanted = name.lower().split(".")[::-1], constraint.lower().removeprefix(".").split(".")[::-1]
    if len(labels) < len(wanted) or (constraint[0] == "." and len(labels) == len(wanted)):
        return False
    if excluded and name[0] == "*" and len(labels) > 1:
        labels, wanted = labels[:-1], wanted[:-1]
    return labels[: len(wanted)] == wanted


@given(st.lists(_NAMES, min_size=1, max_size=4), _CONSTRAINTS, _CONSTRAINTS)
@settings(max_examples=examples(300), deadline=None)
def test_the_index_finds_the_first_match(names, permitted, excluded):
    """Go 1.25: the first name that is refused, and the first constraint that refuses it."""
    authority, leaf = _made(*([text.encode() for text in texts] for texts in (names, permitted, excluded)))
    expected = None
    for name in names:
        hit = next((c for c in excluded if _covers(c, name, excluded=True)), None)
        if hit is not None:
            expected = f'DNS name "{name}" is excluded by constraint "{hit}"'
        elif permitted and not any(_covers(c, name, excluded=False) for c in permitted):
            expected = f'DNS name "{name}" is not permitted by any constraint'
        if expected:
            break
    error = Comparisons().violation(authority, [leaf])
    assert (error or "").partition("for this name: ")[2] == (expected or "")


@given(st.lists(_NAMES, min_size=1, max_size=4), _CONSTRAINTS, _CONSTRAINTS)
@settings(max_examples=examples(300), deadline=None)
def test_sorted_sets_give_the_verdict_of_comparing(names, permitted, excluded):
    """Go 1.26: an excluded name below a wildcard's parent refuses the wildcard, a single label does not."""

    def excludes(constraint, name):
        child_of_parent = name[:2] == "*." and constraint.count(".") and constraint[0] != "."
        return _covers(constraint, name, excluded=False) or (
            child_of_parent and constraint.lower().partition(".")[2] == name[2:].lower()
        )

    authority, leaf = _made(*([text.encode() for text in texts] for texts in (names, permitted, excluded)))
    refused = any(
        (permitted and not any(_covers(c, name, excluded=False) for c in permitted))
        or any(excludes(c, name) for c in excluded)
        for name in names
    )
    assert (ChainConstraints().violation([leaf, authority]) is not None) == bool(refused)


_ADDRESSES = st.integers(0, 255).map(lambda last: bytes((10, 0, last >> 6, last)))
_SUBNETS = st.tuples(_ADDRESSES, st.integers(0, 32))


@given(st.lists(_ADDRESSES, min_size=1, max_size=3), st.lists(_SUBNETS, max_size=8), st.lists(_SUBNETS, max_size=4))
@settings(max_examples=examples(200), deadline=None)
def test_subnets_give_the_verdict_of_comparing(addresses, permitted, excluded):
    """Both releases, for networks without host bits; with them Go 1.26 may miss one."""

    def network(subnet):
        return ip_network((subnet[0], subnet[1]), strict=False)

    def value(subnet):
        net = network(subnet)
        return net.network_address.packed + net.netmask.packed

    authority, leaf = _made(addresses, [*map(value, permitted)], [*map(value, excluded)], kind=0x87)
    inside = {(a, s): ip_network(a).subnet_of(network(s)) for a, s in product(addresses, (*permitted, *excluded))}
    refused = any(
        (permitted and not any(inside[a, s] for s in permitted)) or any(inside[a, s] for s in excluded)
        for a in addresses
    )
    assert (Comparisons().violation(authority, [leaf]) is not None) == bool(refused)
    assert (ChainConstraints().violation([leaf, authority]) is not None) == bool(refused)


def test_subnets_are_printed_as_go_prints_them():
    """Not masked, and IPv4-mapped ones as IPv4: net.IPNet.String."""
    mapped = bytes(10) + b"\xff\xff\x0a\x00\x00\x05"
    shown = [
        str(AddressRange(address, length)) for address, length in ((b"\x0a\0\0\5", 8), (mapped, 104), (bytes(16), 0))
    ]
    assert shown == ["10.0.0.5/8", "10.0.0.5/8", "::/0"]


def test_mapped_addresses_belong_to_one_family_by_release():
    """A SAN of 16 bytes is not unmapped for constraints; `::/0` permits it up to Go 1.25 only."""
    mapped = bytes(10) + b"\xff\xff\x0a\x00\x00\x01"
    for subnet, verdicts in ((b"\x0a\0\0\0\xff\0\0\0", (False, False)), (bytes(32), (True, False))):
        authority, leaf = _made([mapped], [subnet], [], kind=0x87)
        passes = Comparisons().violation(authority, [leaf]), ChainConstraints().violation([leaf, authority])
        assert tuple(error is None for error in passes) == verdicts, GoRelease
    excluded = _made([mapped], [], [b"\x0a\0\0\0\xff\0\0\0"], kind=0x87)
    assert Comparisons().violation(excluded[0], [excluded[1]]) is None
