"""Go's certificate rules, each with a clean sibling; and random chains against an independent verifier."""

import base64
import json
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from hypothesis import given, settings
from hypothesis import strategies as st

from egressprobe.golang.release import GoRelease
from egressprobe.golang.x509.certificate import CertificateError, parse
from egressprobe.golang.x509.signatures import signature_error
from egressprobe.golang.x509.verify import algorithm_error, verify
from egressprobe.model.failure import Code
from egressprobe.probe.transport.certificate_check import Trust, judge
from tests.conftest import examples
from tests.support.peers import pki

HOST = "a.lab"
SAN = pki.alt_names(dns=(HOST,))
SERVER = pki.extended_key_usage(pki.SERVER)
CA_TRUE = pki.basic_constraints(ca=True)
NOW = datetime.now(UTC)
_UNKNOWN = "x509: certificate signed by unknown authority"
ROOT = pki.make_ca("root")


def refusal(chain, roots=(ROOT,), host=HOST, signed=signature_error):
    """Go's text for a chain of `Made`, leaf first; None when it passes."""
    refused = verify(
        [parse(certificate.der) for certificate in chain],
        [parse(certificate.der) for certificate in roots],
        host,
        NOW,
        signed,
    )
    return refused.text if refused else None


def leaf(by=ROOT, *extensions, **options):
    return pki.make("", by=by, extensions=extensions or (SAN, SERVER), **options)


def inner(by=ROOT, *extensions, name="inner", **options):
    return pki.make(name, by=by, extensions=extensions or (CA_TRUE, pki.CERT_SIGN), **options)


def path_length(value):
    return pki.extension("2.5.29.19", pki.seq(pki.tlv(0x01, b"\xff"), pki.integer(value)), critical=True)


def constrained(*, permit=(), exclude=(), tag=0x82):
    def side(context, values):
        subtrees = (pki.seq(pki.tlv(tag, v if isinstance(v, bytes) else v.encode())) for v in values)
        return pki.tlv(context, *subtrees) if values else b""

    value = pki.seq(side(0xA0, permit), side(0xA1, exclude))
    return pki.make("root", extensions=(CA_TRUE, pki.extension("2.5.29.30", value, critical=True)))


def test_a_plain_chain_passes():
    middle = inner()
    assert refusal([leaf()]) is None
    assert refusal([leaf(middle), middle]) is None
    assert refusal([leaf(middle)]) == _UNKNOWN
    assert refusal([leaf(middle)], [middle]) is None
    certificate = leaf()
    assert refusal([certificate], [certificate]) is None


@pytest.mark.parametrize(
    ("extensions", "text"),
    [
        ((SAN, SERVER, pki.CERT_SIGN), None),  # keyCertSign only: OpenSSL refuses
        ((SAN, pki.extended_key_usage(pki.ANY)), None),
        ((SAN,), None),
        ((SAN, pki.extended_key_usage(pki.CLIENT)), "x509: certificate specifies an incompatible key usage"),
        ((SAN, pki.extended_key_usage("1.2.3.4")), "x509: certificate specifies an incompatible key usage"),
        ((SAN, pki.extended_key_usage(pki.CLIENT, pki.SERVER)), None),
        ((SAN, pki.extension("1.2.3.4", b"x")), None),
        ((SAN, pki.extension("1.2.3.4", b"x", critical=True)), "x509: unhandled critical extension"),
        ((SAN, pki.extension("2.5.29.32", pki.seq(), critical=True)), None),  # policies
        ((pki.extension("2.5.29.17", pki.seq(), critical=True), SERVER), "x509: unhandled critical extension"),
    ],
)
def test_the_leafs_extensions(extensions, text):
    assert refusal([leaf(ROOT, *extensions)]) == text


@pytest.mark.parametrize(
    ("middle", "text"),
    [
        (inner(), None),
        (inner(ROOT, CA_TRUE), None),  # no keyUsage
        (inner(ROOT, CA_TRUE, pki.key_usage(0x80, 7)), "parent certificate cannot sign this kind"),
        (inner(ROOT, pki.basic_constraints(ca=False)), "parent certificate cannot sign this kind"),
        (inner(ROOT, pki.CERT_SIGN), "parent certificate cannot sign this kind"),
        (pki.make("inner", by=ROOT, version=1), "x509: certificate is not authorized to sign other certificates"),
        (inner(ends=timedelta(hours=-1)), "x509: certificate has expired or is not yet valid"),
        (inner(ROOT, CA_TRUE, pki.extended_key_usage(pki.CLIENT)), "x509: certificate specifies an incompatible key"),
        (inner(ROOT, CA_TRUE, pki.extended_key_usage(pki.ANY)), None),
        (inner(ROOT, CA_TRUE, pki.extension("1.2.3.4", b"", critical=True)), "x509: unhandled critical extension"),
        (inner(ROOT, path_length(0)), None),
    ],
    ids=["good", "no-ku", "ku-no-sign", "ca-false", "no-bc", "v1", "expired", "eku", "eku-any", "critical", "path-0"],
)
def test_intermediates(middle, text):
    """Who may sign, and what nests down the chain."""
    refused = refusal([leaf(middle), middle])
    assert (refused is None) if text is None else text in refused


def test_path_length_counts_intermediates():
    """Pathlen 0 on the outer CA: one below it is one too many."""
    outer = inner(ROOT, path_length(0), name="outer")
    below = inner(outer)
    assert refusal([leaf(below), below, outer]) == "x509: too many intermediates for path length constraint"


def test_v1_roots_may_sign_and_roots_are_taken_as_they_are():
    """A v1 root has no basicConstraints to miss; a v3 root without them may not sign."""
    old = pki.make("root", version=1)
    assert refusal([leaf(old)], [old]) is None
    bare = pki.make("bare", extensions=(SERVER,))
    assert refusal([leaf(bare)], [bare]) == (
        _UNKNOWN + ' (possibly because of "x509: invalid signature: parent certificate cannot sign this kind of '
        'certificate" while trying to verify candidate authority certificate "bare")'
    )


def test_rotated_and_foreign_authorities_of_one_name():
    """Both keys are tried; the wrong one alone is named in the hint."""
    other = pki.make_ca("root")
    assert refusal([leaf()], [other, ROOT]) is None
    assert refusal([leaf()], [other]) == (
        _UNKNOWN + ' (possibly because of "x509: ECDSA verification failure" while trying to verify candidate '
        'authority certificate "root")'
    )


def test_names_are_compared_byte_by_byte():
    """Another string type is another name, though OpenSSL calls them equal: a false pass without this rule."""
    printable = pki.seq(pki.tlv(0x31, pki.seq(pki.oid("2.5.4.3"), pki.tlv(0x13, b"root"))))
    certificate = pki.make("", by=ROOT._replace(subject=printable), extensions=(SAN, SERVER))
    assert refusal([certificate]) == _UNKNOWN
    assert refusal([certificate], signed=algorithm_error) == _UNKNOWN


def test_weak_signatures_and_keys():
    """SHA-1 anywhere but in an anchor's own signature; RSA under 1024 bits."""
    rsa = pki.make_ca("rsa", key=pki.make_key("rsa2048"))
    weak = pki.make_ca("weak", key=pki.make_key("rsa768"))
    assert "insecure algorithm SHA1-RSA" in refusal([leaf(rsa, digest="sha1")], [rsa])
    assert (
        refusal([leaf(pki.make_ca("s", key=rsa.key, digest="sha1"))], [pki.make_ca("s", key=rsa.key, digest="sha1")])
        is None
    )
    assert "crypto/rsa: 768-bit keys are insecure" in refusal([leaf(weak)], [weak])
    small = leaf(key=pki.make_key("rsa768"))
    refused = judge([small.der], Trust(HOST, lambda: [ROOT.der], bundle="b"), NOW).failure
    assert refused.api_server_error.startswith("tls: invalid signature by the server certificate: crypto/rsa: 768-bit")


_DNS, _IP, _URI = 0x82, 0x87, 0x86


@pytest.mark.parametrize(
    ("root", "names", "text"),
    [
        (constrained(permit=["lab"]), {}, None),
        (constrained(permit=["LAB"]), {}, None),
        (constrained(permit=[".lab"]), {}, None),
        (constrained(permit=["other"]), {}, 'DNS name "a.lab" is not permitted by any constraint'),
        (constrained(permit=[".a.lab"]), {}, 'DNS name "a.lab" is not permitted by any constraint'),
        (constrained(exclude=["lab"]), {}, 'DNS name "a.lab" is excluded by constraint "lab"'),
        (constrained(exclude=["other"]), {}, None),
        (constrained(permit=["a.lab"]), {"dns": (HOST, "b.lab")}, 'DNS name "b.lab" is not permitted'),  # every SAN
        (constrained(exclude=["x.b.lab"]), {"dns": (HOST, "*.b.lab")}, 'DNS name "*.b.lab" is excluded'),
        (constrained(permit=[bytes(8)], tag=_IP), {"dns": (HOST,), "ips": (b"\n\0\0\1",)}, None),
        (
            constrained(permit=[b"\n\1\0\0\xff\xff\0\0"], tag=_IP),
            {"dns": (HOST,), "ips": (b"\n\0\0\1",)},
            'IP address "10.0.0.1" is not permitted by any constraint',
        ),
        (constrained(permit=["lab"], tag=_URI), {"dns": (HOST,), "uris": ("https://x.lab/",)}, None),
        (
            constrained(permit=["lab"], tag=_URI),
            {"dns": (HOST,), "uris": ("urn:x",)},
            'URI with empty host ("urn:x") cannot be matched against constraints',
        ),
        (
            constrained(permit=["lab"], tag=_URI),
            {"dns": (HOST,), "uris": ("https://10.0.0.1/",)},
            'URI with IP ("https://10.0.0.1/") cannot be matched against constraints',
        ),
        (constrained(permit=["x"], tag=0x88), {}, "x509: unhandled critical extension"),
    ],
)
def test_name_constraints(root, names, text):
    """From the anchor down, over every alternative name; unsupported kinds fail when critical."""
    san = pki.alt_names(**(names or {"dns": (HOST,)}))
    refused = refusal([leaf(root, san, SERVER)], [root])
    assert (refused is None) if text is None else text in refused


@pytest.mark.parametrize(
    ("extension", "text"),
    [
        (pki.alt_names(ips=(b"12345",)), "x509: cannot parse IP address of length 5"),
        (pki.extension("2.5.29.17", pki.seq(pki.tlv(0x82, "bücher".encode()))), "x509: SAN dNSName is malformed"),
        (
            pki.alt_names(uris=("https://a b/",)),
            'x509: cannot parse URI "https://a b/": parse "https://a b/": invalid character " " in host name',
        ),
        (pki.extension("1.3.6.1.5.5.7.1.1", pki.seq(), critical=True), "authority info access incorrectly marked"),
        (pki.extension("2.5.29.14", pki.tlv(4, b"x"), critical=True), "subject key identifier incorrectly marked"),
        (pki.extension("2.5.29.35", pki.seq(), critical=True), "authority key identifier incorrectly marked"),
    ],
)
def test_what_go_refuses_to_read(extension, text):
    """Fatal wherever it stands in the chain, also in a certificate nobody needs."""
    with pytest.raises(CertificateError, match=text.replace("(", r"\(")):
        parse(pki.make("x", extensions=(extension,)).der)
    sent = [leaf().der, pki.make("unneeded", extensions=(extension,)).der]
    refused = judge(sent, Trust(HOST, lambda: [ROOT.der], bundle="b"), NOW).failure
    assert refused.code is Code.TLS_CERT_INVALID
    assert refused.api_server_error.startswith("tls: failed to parse certificate from server: x509:")


def test_duplicate_extensions_are_refused():
    with pytest.raises(CertificateError, match="duplicate extension with OID"):
        parse(leaf(ROOT, SAN, SAN).der)


# -- random chains, against cryptography's own path validation -----------------------------------------------

_FAULTS = st.sampled_from(
    ["", "", "", "expired leaf", "expired ca", "wrong name", "unknown root", "missing", "no sign", "path", "client"]
)


@st.composite
def chains(draw):
    """A chain of up to three intermediates with at most one fault, and whether it should pass."""
    fault = draw(_FAULTS)
    depth = (
        draw(st.integers(1, 3)) if fault in ("missing", "no sign", "path", "expired ca") else draw(st.integers(0, 3))
    )
    root = pki.make("r", extensions=(CA_TRUE, pki.CERT_SIGN, _ski(b"r")))
    path, signer = [], root
    for i in range(depth):
        last = i == depth - 1
        usage = pki.key_usage(0x80, 7) if fault == "no sign" and last else pki.CERT_SIGN
        length = path_length(0) if fault == "path" and i == 0 and depth > 1 else CA_TRUE
        ends = timedelta(hours=-1) if fault == "expired ca" and last else timedelta(days=100)
        signer = pki.make(f"i{i}", by=signer, extensions=(length, usage, _ski(f"i{i}".encode())), ends=ends)
        path.insert(0, signer)
    usages = pki.extended_key_usage(pki.CLIENT if fault == "client" else pki.SERVER)
    names = pki.alt_names(dns=("b.lab" if fault == "wrong name" else HOST,))
    ends = timedelta(hours=-1) if fault == "expired leaf" else timedelta(days=80)
    end = pki.make("", by=signer, extensions=(names, usages), ends=ends)
    if fault == "missing":
        path.pop(draw(st.integers(0, len(path) - 1)))
    roots = [pki.make_ca("r")] if fault == "unknown root" else [root]
    good = fault == "" or (fault == "path" and depth == 1)
    return [end, *path], roots, good


def _ski(value):
    return pki.extension("2.5.29.14", pki.tlv(0x04, value))


@given(chains())
@settings(max_examples=examples(150), deadline=None)
def test_random_chains(made):
    """Passes exactly when there is no fault; where an independent verifier passes a chain, so do we."""
    chain, roots, good = made
    refused = refusal(chain, roots)
    assert (refused is None) == good, refused
    assert good or refused.startswith("x509: ")
    if refusal(chain, roots, signed=algorithm_error):
        assert not good  # the rules alone never refuse what the signatures would let pass


@given(st.sampled_from([0, 1]), st.integers(0, 2**31), st.integers(1, 255))
@settings(max_examples=examples(300), deadline=None)
def test_mutated_chains_never_pass_by_accident(which, seed, flip):
    """One byte changed anywhere in leaf or intermediate: still total, and a pass only where nothing signed changed."""
    middle = _MIDDLE
    chain = [_LEAF.der, middle.der]
    wire = bytearray(chain[which])
    wire[seed % len(wire)] ^= flip
    chain[which] = bytes(wire)
    refused = judge(chain, Trust(HOST, lambda: [ROOT.der], bundle="b"), NOW).failure
    if refused is None:
        assert parse(bytes(wire)).tbs == parse((_LEAF, middle)[which].der).tbs


_MIDDLE = inner()
_LEAF = leaf(_MIDDLE)


def test_an_independent_verifier_agrees_on_webpki_chains():
    """Cryptography's own validation of a chain as public CAs make it: same pass, same refusals."""
    root = pki.make("r", extensions=(CA_TRUE, pki.CERT_SIGN, _ski(b"r")))
    aki = pki.extension("2.5.29.35", pki.seq(pki.tlv(0x80, b"r")))
    critical_san = pki.extension("2.5.29.17", pki.seq(pki.tlv(0x82, HOST.encode())), critical=True)
    certificate = pki.make("", by=root, extensions=(critical_san, SERVER, aki), serial=99)
    store = Store([x509.load_der_x509_certificate(root.der)])
    verifier = PolicyBuilder().store(store).time(NOW.replace(tzinfo=None)).build_server_verifier(x509.DNSName(HOST))
    verifier.verify(x509.load_der_x509_certificate(certificate.der), [])
    assert refusal([certificate], [root]) is None
    stranger = pki.make("", by=ROOT, extensions=(critical_san, SERVER, aki), serial=99)
    with pytest.raises(VerificationError):
        verifier.verify(x509.load_der_x509_certificate(stranger.der), [])
    assert refusal([stranger], [root]) == _UNKNOWN


def test_addresses_as_names():
    ip = pki.alt_names(ips=(socket.inet_aton("10.0.0.1"),))
    assert refusal([leaf(ROOT, ip, SERVER)], host="10.0.0.1") is None
    assert "doesn't contain any IP SANs" in refusal([leaf()], host="10.0.0.1")


def test_openssls_word_counts_for_one_path_only():
    """Two anchors of one name: OpenSSL took the one that Go refuses, and the other never signed."""
    usual = (pki.basic_constraints(ca=True), pki.CERT_SIGN)
    signer = pki.make("twin", extensions=(*usual, pki.extended_key_usage(pki.CLIENT)))
    twin = pki.make_ca("twin")
    leaf = pki.make("", by=signer, extensions=(pki.alt_names(dns=(HOST,)), pki.extended_key_usage(pki.SERVER)))
    for anchors in ([signer.der, twin.der], [twin.der, signer.der]):
        trust = Trust(HOST, lambda anchors=anchors: anchors, bundle="b")
        assert judge([leaf.der], trust, NOW, verified=[leaf.der, signer.der]).failure is not None


# -- what Go said ----------------------------------------------------------------------------------------------

_RECORDED = json.loads((Path(__file__).parents[1] / "data" / "go-chains.json").read_text())


@pytest.mark.parametrize("case", _RECORDED["cases"], ids=lambda case: case["answers"]["1.26"][-40:] or "pass")
def test_the_answers_of_go(case):
    """Random chains that Go programs were shown, odd keys, names and DER among them: the same verdict and text."""
    sent, trusted = ([base64.b64decode(der) for der in case[side]] for side in ("sent", "trust"))
    given = {}
    for release in GoRelease:
        trust = Trust(case["host"], lambda: trusted, "b", release)
        refused = judge(sent, trust, datetime.fromisoformat(case["at"])).failure
        text = refused.api_server_error if refused else ""
        given[release.name.removeprefix("V").replace("_", ".")] = text
    assert given == case["answers"]


# -- certificate policies: RFC 5280 section 6.1, RFC 9618 --------------------------------------------------------


def _policies(*oids):
    return pki.extension("2.5.29.32", pki.seq(*[pki.seq(pki.oid(certificate)) for certificate in oids]))


def _constraints(*, explicit=None, mapping=None):
    parts = [pki.tlv(tag, bytes([value])) for tag, value in ((0x80, explicit), (0x81, mapping)) if value is not None]
    return pki.extension("2.5.29.36", pki.seq(*parts), critical=True)


def _mapped(issuer, subject):
    return pki.extension("2.5.29.33", pki.seq(pki.seq(pki.oid(issuer), pki.oid(subject))))


def _inhibit_any(skip):
    return pki.extension("2.5.29.54", pki.integer(skip), critical=True)


A, B, EVERY = "1.2.3", "1.2.4", "2.5.29.32.0"


@pytest.mark.parametrize(
    ("middle", "end", "valid"),
    [
        ((), (), True),
        ((_policies(A),), (_policies(B),), True),  # nobody asks
        ((_constraints(explicit=0),), (), False),
        ((_constraints(explicit=0), _policies(A)), (_policies(A),), True),
        ((_constraints(explicit=0), _policies(A)), (_policies(B),), False),
        ((_constraints(explicit=0), _policies(EVERY)), (_policies(B),), True),
        ((_constraints(explicit=0), _policies(EVERY), _inhibit_any(0)), (_policies(EVERY),), False),
        ((_constraints(explicit=0), _policies(A), _mapped(A, B)), (_policies(B),), True),
        ((_constraints(explicit=0), _policies(A), _mapped(A, B)), (_policies(A),), False),
        ((_policies(A), _mapped(A, EVERY)), (_policies(A),), False),  # anyPolicy may not be mapped
        ((_mapped(A, EVERY),), (), True),  # but without policies nothing is
        ((_constraints(explicit=3),), (), True),  # not yet
        ((), (_constraints(explicit=0),), False),  # a leaf may ask for itself
        ((_policies(A),), (_policies(A), _constraints(explicit=0)), True),
    ],
)
def test_policies(middle, end, valid):
    """Only where a certificate demands explicit policies do they decide; the anchor's own do not count."""
    root = pki.make("root", extensions=(pki.basic_constraints(ca=True), pki.CERT_SIGN, _constraints(explicit=0)))
    between = inner(root, CA_TRUE, pki.CERT_SIGN, *middle)
    refused = refusal([leaf(between, SAN, SERVER, *end), between], roots=[root])
    invalid = "x509: no valid chains built: all candidate chains have invalid policies"
    assert refused == (None if valid else invalid)
