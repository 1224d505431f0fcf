"""Random certificate chains and caBundles: always a verdict, soon, and never a pass for bytes that nobody signed."""

from datetime import UTC, datetime
from functools import partial

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from egressprobe.golang.release import GoRelease
from egressprobe.golang.x509.ca_bundle import BundleError, anchors, as_pem
from egressprobe.golang.x509.certificate import parse
from egressprobe.golang.x509.der import CertificateError
from egressprobe.probe.transport.certificate_check import Trust, judge, views
from tests.support.peers import pki

HOST = "a.lab"
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def _rsa_key():
    """Of two Mersenne primes."""
    p, q, e = (1 << 1279) - 1, (1 << 2203) - 1, 65537
    d = pow(e, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(e, p * q)
    numbers = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public)
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


# The same keys and times in each run, so that a seed is the same input.
make = partial(pki.make, at=NOW)
_KEYS = [ec.derive_private_key(number, ec.SECP256R1()) for number in (7, 8)]
_KEYS += [ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)), _rsa_key()]
_SAN, _SERVER = pki.alt_names(dns=(HOST,)), pki.extended_key_usage(pki.SERVER)
_CA = pki.basic_constraints(ca=True)
_ROOT = make("root", key=_KEYS[0], extensions=(_CA, pki.CERT_SIGN))
_TAGS = (1, 2, 3, 4, 5, 6, 0x0C, 0x13, 0x16, 0x17, 0x18, 0x1E, 0x30, 0x31, 0x80, 0x82, 0xA0, 0xA1, 0xA3)
_TAILS = (b"\0", b"\5\0", b"\x30\0", b"\xff", b"\x02\x01\x05")
_MOST_SECONDS = 1.0


def _split(data):
    """(tag, content) of each element; raises IndexError or returns what there is."""
    parts, at = [], 0
    while at < len(data):
        size, begin = data[at + 1], at + 2
        if size & 0x80:
            width = size & 0x7F
            size, begin = int.from_bytes(data[begin : begin + width]), begin + width
        parts.append((data[at], data[begin : begin + size]))
        at = begin + size
    return parts


def _with_length(random, tag, content):
    """The same element with a length that DER does not allow."""
    size = len(content)
    forms = [bytes((tag, 0x80)) + content + b"\0\0", bytes((tag, 0x83)) + (size & 0xFFFFFF).to_bytes(3) + content]
    return random.choice(forms)


def mutated(random, data):
    """One change of structure or of content, anywhere."""
    try:
        parts = _split(data)
    except IndexError:
        parts = []
    if not parts:
        content = bytearray(data or b"\0")
        content[random.randrange(len(content))] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))
        return bytes(content)
    i = random.randrange(len(parts))
    tag, content = parts[i]
    whole = [pki.tlv(*part) for part in parts]
    if tag & 0x20 and content and random.random() < 0.75:
        whole[i] = pki.tlv(tag, mutated(random, content))
        return b"".join(whole)
    change = random.randrange(7)
    if change == 0:
        del whole[i]
    elif change == 1:
        whole.insert(i, whole[i])
    elif change == 2:
        whole.append(random.choice(_TAILS))
    elif change == 3:
        whole[i] = _with_length(random, tag, content)
    elif change == 4:
        whole[i] = pki.tlv(random.choice(_TAGS), content)
    elif change == 5:
        whole[i] = pki.tlv(tag, content[: random.randrange(len(content) + 1)] + random.choice((b"", *_TAILS)))
    else:
        whole[i] = pki.tlv(tag, mutated(random, content))
    return b"".join(whole)


def _signed_again(random, made, signer):
    """A certificate whose TBS is changed and signed: what a CA that makes such certificates would send."""
    tbs, algorithm, _ = _split(_split(made.der)[0][1])
    changed = pki.tlv(0x30, mutated(random, tbs[1]))
    signature = pki.tlv(3, b"\0", pki._sign(signer.key, changed, "sha256"))
    return pki.seq(changed, pki.tlv(*algorithm), signature)


def _judged(sent, roots, release):
    result = judge(sent, Trust(HOST, lambda: roots, "fuzz", release), NOW)
    views(sent)
    if result.failure is not None:
        assert result.failure.api_server_error.startswith("tls: ")
        assert result.failure.message
    return result.failure is None


def test_certificates_changed_after_signing(fuzz):
    """A pass only where what is signed is as it was."""
    middle = make("middle", by=_ROOT, key=_KEYS[1], extensions=(_CA, pki.CERT_SIGN))
    chain = [make("", by=middle, key=key, extensions=(_SAN, _SERVER)) for key in _KEYS]

    def check(random):
        sent = [random.choice(chain).der, middle.der]
        which = random.randrange(2)
        before = parse(sent[which]).tbs
        sent[which] = mutated(random, sent[which])
        release = random.choice(list(GoRelease))
        if _judged(sent, [_ROOT.der], release):
            assert parse(sent[which], release).tbs == before

    fuzz(check, inputs=2500, most_seconds=_MOST_SECONDS)


def test_certificates_signed_as_they_are(fuzz):
    """Whatever a CA signs is read or refused; what is accepted is for the host and signed by the root."""
    leaf = make("", by=_ROOT, key=_KEYS[1], extensions=(_SAN, _SERVER))

    def check(random):
        sent = [_signed_again(random, leaf, _ROOT)]
        release = random.choice(list(GoRelease))
        if _judged(sent, [_ROOT.der], release):
            read = parse(sent[0], release)
            names = read.extensions.dns_names
            assert HOST in names or any(name.startswith("*.") for name in names)
            assert read.issuer == _ROOT.subject

    fuzz(check, inputs=1000, most_seconds=_MOST_SECONDS)


def test_large_chains(fuzz):
    """Many names, constraints, policies and issuers of one name, in up to 100 KB."""

    def extension(random, count):
        words = [random.choice(("a", "b", "a.b", "x" * random.randrange(1, 40), ".a")) for _ in range(count)]
        kind = random.randrange(4)
        if kind == 0:
            return pki.alt_names(dns=[HOST, *words], uris=[f"https://{word.strip('.')}/" for word in words[:20]])
        if kind == 1:
            subtrees = [pki.seq(pki.tlv(random.choice((0x81, 0x82, 0x86)), word.encode())) for word in words]
            return pki.extension("2.5.29.30", pki.seq(pki.tlv(random.choice((0xA0, 0xA1)), *subtrees)))
        numbers = [f"1.2.{random.randrange(1 << 30)}" for _ in range(count)]
        if kind == 2:
            return pki.extension("2.5.29.32", pki.seq(*(pki.seq(pki.oid(number)) for number in numbers)))
        pairs = [pki.seq(pki.oid(random.choice(numbers)), pki.oid(number)) for number in numbers]
        return pki.extension("2.5.29.33", pki.seq(*pairs))

    def check(random):
        by, chain = _ROOT, []
        depth = random.randrange(1, 12)
        for i in range(depth):
            extensions = (_CA, *(extension(random, random.choice((3, 300 // depth, 5000 // depth))) for _ in range(2)))
            unique = {der[:8]: der for der in extensions}
            by = make(random.choice(("m", f"m{i}")), by=by, key=_KEYS[i % 2], extensions=tuple(unique.values()))
            chain.insert(0, by)
        end = make("", by=by, key=_KEYS[2], extensions=(pki.alt_names(dns=(HOST, *["a.b"] * 3000)), _SERVER))
        _judged([end.der, *(made.der for made in chain)], [_ROOT.der], random.choice(list(GoRelease)))

    fuzz(check, inputs=8, most_seconds=_MOST_SECONDS)


_PIECES = (b"-----BEGIN CERTIFICATE-----\n", b"-----END CERTIFICATE-----\n", b"-----BEGIN ", b"\n-----END ", b"-----")
_PIECES += (b"\n", b"\r\n", b" ", b"\t", b"a:b\n", b":", b"=", b"QUJD", b"CERTIFICATE", b"\xff", b"\0")


def test_ca_bundles(fuzz):
    """Any bytes: anchors that parse, or client-go's words."""
    whole = as_pem((_ROOT.der,)).encode()

    def check(random):
        parts = [random.choice((whole, *_PIECES)) for _ in range(random.randrange(1, 12))]
        data = bytearray(b"".join(parts) * random.choice((1, 1, 1, 1000)))
        for _ in range(random.randrange(3)):
            data[random.randrange(len(data))] = random.randrange(256)
        try:
            found = anchors(bytes(data))
        except BundleError as error:
            assert str(error).startswith("unable to load root certificates: ")
        else:
            for der in found:
                parse(der)

    fuzz(check, inputs=600, most_seconds=_MOST_SECONDS)


def test_certificate_bytes(fuzz):
    """Any bytes at all are a certificate or a CertificateError of Go's."""

    def check(random):
        data = mutated(random, mutated(random, mutated(random, _ROOT.der)))
        try:
            parse(data, random.choice(list(GoRelease)))
        except CertificateError as error:
            assert str(error).startswith(("x509: ", "ecdsa: ", "invalid P", "P"))

    fuzz(check, inputs=4000, most_seconds=_MOST_SECONDS)
