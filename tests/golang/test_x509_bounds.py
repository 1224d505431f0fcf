"""What a server can make us compute with the certificates that it sends: bounded, whatever they hold.

Times are CPU times; each class took seconds to minutes when it was quadratic. OpenSSL takes up to 100 KB of
certificates from a server.
"""

from datetime import UTC, datetime

import pytest

from egressprobe.golang.byte_cache import ByteCache
from egressprobe.golang.release import GoRelease
from egressprobe.golang.x509.ca_bundle import BundleError, anchors
from egressprobe.probe.transport.certificate_check import Trust, judge, views
from tests.support.cpu_time import forget, within_seconds
from tests.support.peers import pki

HOST = "a.lab"
NOW = datetime.now(UTC)
CA_TRUE, SERVER = pki.basic_constraints(ca=True), pki.extended_key_usage(pki.SERVER)
KEY, OTHER_KEY = pki.make_key(), pki.make_key()
_MOST_SECONDS = 2.0


def san(*names):
    return pki.alt_names(dns=(HOST, *names))


def constraints(*names, tag=0xA1, kind=0x82):
    subtrees = (pki.seq(pki.tlv(kind, name if isinstance(name, bytes) else name.encode())) for name in names)
    return pki.extension("2.5.29.30", pki.seq(pki.tlv(tag, *subtrees)), critical=True)


def under(*authorities, names=(), extensions=(), trusted=False):
    """A leaf with names below authorities with extensions, the first one the anchor if it is trusted."""
    chain, by = [], None
    for i, extra in enumerate(authorities):
        by = pki.make(f"ca{i}", by=by, key=KEY if i % 2 else OTHER_KEY, extensions=(CA_TRUE, *extra))
        chain.insert(0, by)
    end = pki.make("", by=by, key=KEY, extensions=(san(*names), SERVER, *extensions))
    return [made.der for made in (end, *chain)], [chain[-1].der] if trusted else []


def many_names():
    """4,000 names under 2,500 constraints: 10,000,000 comparisons, of which Go makes 250,000."""
    return under([constraints(*["b"] * 2500)], names=["a"] * 4000)


def distinct_names():
    return under([constraints(*(f"x{i}.b" for i in range(2000)), tag=0xA0)], names=[f"a.x{i}.b" for i in range(2000)])


def many_authorities():
    """Each of 90 authorities sees all of 12,000 names."""
    return under(*([constraints(f"x{i}")] for i in range(90)), names=[f"{i:x}" for i in range(12_000)])


def deep_names():
    return under([constraints(*("a." * i + "b" for i in range(1, 200)))], names=["a." * 9000 + "c"] * 4)


def many_subnets():
    networks = [i.to_bytes(4) + b"\xff" * 4 for i in range(5000)]
    addresses = pki.extension("2.5.29.17", pki.seq(*(pki.tlv(0x87, i.to_bytes(4)) for i in range(4000))))
    authority = pki.make("ca", key=KEY, extensions=(CA_TRUE, constraints(*networks, kind=0x87)))
    return [pki.make("", by=authority, key=KEY, extensions=(addresses,)).der, authority.der], [authority.der]


def many_mailboxes():
    names = pki.extension("2.5.29.17", pki.seq(*(pki.tlv(0x81, b"u@%x.b" % i) for i in range(4000))))
    authority = pki.make(
        "ca", key=KEY, extensions=(CA_TRUE, constraints(*(f"v@{i:x}.b" for i in range(4000)), kind=0x81))
    )
    return [pki.make("", by=authority, key=KEY, extensions=(names,)).der, authority.der], [authority.der]


def same_names():
    """200 possible issuers of one name, each of which issues the others: Go gives up after 100 signatures."""
    pool = [pki.make("ca", key=KEY, extensions=(CA_TRUE, pki.alt_names(dns=(f"n{i}",)))) for i in range(200)]
    return [pki.make("", by=pool[0], key=OTHER_KEY, extensions=(san(), SERVER)).der, *(made.der for made in pool)], []


def policies():
    oids = [pki.seq(pki.tlv(6, b"\x2a" + i.to_bytes(3).replace(b"\x80", b"\x01"))) for i in range(0x010101, 0x011901)]
    mapped = [pki.seq(*(pki.tlv(6, b"\x2a\x03" + bytes((i % 100 + 1, j))) for j in (1, 2))) for i in range(2000)]
    explicit = pki.extension("2.5.29.36", pki.seq(pki.tlv(0x80, b"\0"), pki.tlv(0x81, b"\0")), critical=True)
    each = (
        pki.extension("2.5.29.32", pki.seq(*dict.fromkeys(oids), pki.seq(pki.oid("2.5.29.32.0")))),
        pki.extension("2.5.29.33", pki.seq(*mapped)),
        explicit,
    )
    return under(each, each, each, extensions=each, trusted=True)


def exponents():
    """RSA keys whose exponents are as long as the modulus: Go reads exponents of 64 bits."""
    modulus = (1 << 3071) + 1
    algorithm = pki.seq(pki.oid("1.2.840.113549.1.1.1"), pki.tlv(5))
    made = []
    for i in range(75):
        key = pki.seq(algorithm, pki.tlv(3, b"\0", pki.seq(pki.integer(modulus), pki.integer(modulus - 2 - i))))
        made.append(pki.make("evil", key=KEY, fields={"public_key": key}, extensions=(CA_TRUE,)))
    return [pki.make("", by=made[0], extensions=(san(), SERVER)).der, *(authority.der for authority in made)], []


def large_serial():
    return [pki.make("x", serial=1 << 400_000, extensions=(san(), SERVER)).der], []


def many_attributes():
    attribute = pki.tlv(0x31, pki.seq(pki.oid("2.5.4.3"), pki.tlv(0x0C, b"x")))
    name = pki.seq(attribute * 5000)
    made = pki.make("x", key=KEY, extensions=(CA_TRUE,))._replace(subject=name)
    return [pki.make("", by=made, extensions=(san(), SERVER)).der, made.der], []


def extended_usages():
    usages = pki.extended_key_usage(*(f"1.2.{i}" for i in range(12_000)))
    return under([usages], extensions=[usages], trusted=True)


def extensions():
    return under([pki.extension(f"1.2.3.{i}", b"") for i in range(5000)], trusted=True)


_CLASSES = (many_names, distinct_names, many_authorities, deep_names, many_subnets, many_mailboxes, same_names)
_CLASSES += (policies, exponents, large_serial, many_attributes, extended_usages, extensions)


@pytest.mark.parametrize("release", GoRelease)
@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize("make", _CLASSES, ids=lambda make: make.__name__)
def test_verification_is_bounded(make, trusted, release):
    """Before any trust and with it; the answer is a verdict, never an exception."""
    forget()
    sent, roots = make()
    if trusted:
        roots = [*roots, sent[-1]]

    def verify():
        found = judge(sent, Trust(HOST, lambda: roots, "b", release), NOW)
        views(sent)
        return found

    result = within_seconds(_MOST_SECONDS, verify)
    assert result.failure is None or result.failure.api_server_error.startswith("tls: ")


@pytest.mark.parametrize(
    "data",
    [
        b"-----BEGIN CERTIFICATE-----\n" * 40_000,
        b"\n-----END CERTIFICATE-----\n" * 40_000,
        b"-----BEGIN A-----\na:b\n-----END B-----\n" * 25_000,
        b"-----BEGIN A-----\n" + b"a:b\n" * 250_000 + b"-----END A-----\n",
        (b"-----BEGIN A-----\na:b\n" * 10 + b"\n-----END A-----x\n") * 4_000,
        b"-----BEGIN A-----\n" + b"A" * 1_000_000,
        b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n" * 15_000,
    ],
    ids=["begins", "ends", "pairs", "headers", "mixed", "no-end", "blocks"],
)
def test_a_megabyte_of_pem_is_read_in_linear_time(data):
    def read():
        with pytest.raises(BundleError):
            anchors(data)

    within_seconds(_MOST_SECONDS, read)


def test_a_cache_keeps_what_fits():
    """The least recently used leave; what is larger than a quarter is not kept at all."""
    cache = ByteCache(100)
    made = []
    for key in ("a", "b", "a", "c", "d", "e", "a"):
        cache.get(key, lambda key=key: made.append(key) or key, 25)
    assert (made, cache.used) == (["a", "b", "c", "d", "e"], 100)
    assert cache.find("b") is None
    assert cache.get("large", lambda: "large", 26) == "large"
    assert (cache.find("large"), cache.used) == (None, 100)
    cache.put("a", "other", 1)
    assert (cache.find("a"), cache.used) == ("other", 76)
