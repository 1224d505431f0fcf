"""Certificates as Go reads them: DER, names, and what OpenSSL's refusals are called."""

from datetime import UTC, datetime
from pathlib import Path

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from hypothesis import given
from hypothesis import strategies as st

from egressprobe.golang.x509.ca_bundle import anchors
from egressprobe.golang.x509.certificate import name_text, parse
from egressprobe.golang.x509.der import CertificateError
from egressprobe.golang.x509.extensions import CERT_SIGN
from egressprobe.golang.x509.hostname import hostname_error
from egressprobe.golang.x509.signatures import signature_error
from egressprobe.lab.certs import issue, make_authority
from egressprobe.model.failure import Code
from egressprobe.probe.transport.certificate_check import Trust, judge, views
from tests.support.peers import pki

CA = make_authority("unit ca")


def der(credential):
    return credential.certificate.public_bytes(serialization.Encoding.DER)


LEAF = issue(CA, ("a.example", "*.b.example", "10.0.0.1", "fd00::1"), common_name="leaf")


def test_parse_reads_what_the_library_reads():
    """The same fields as a real X.509 library."""
    ours, theirs = parse(der(LEAF)), LEAF.certificate
    assert ours.serial == theirs.serial_number
    assert ours.not_before == theirs.not_valid_before_utc
    assert ours.not_after == theirs.not_valid_after_utc
    assert ours.issuer == theirs.issuer.public_bytes()
    assert ours.subject == theirs.subject.public_bytes()
    assert ours.sha256 == theirs.fingerprint(hashes.SHA256()).hex()
    assert (ours.extensions.dns_names, ours.extensions.ip_addresses) == (
        ("a.example", "*.b.example"),
        ("10.0.0.1", "fd00::1"),
    )
    assert (ours.common_name, name_text(ours.issuer), ours.version) == ("leaf", "CN=unit ca", 3)


@given(st.data())
def test_parse_is_total_over_damaged_der(data):
    """Any byte changed, any cut: a certificate or CertificateError, nothing else."""
    wire = bytearray(der(LEAF))
    for _ in range(data.draw(st.integers(1, 3))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(wire)))
    for candidate in (bytes(wire), bytes(wire[:cut])):
        try:
            parse(candidate)
            views([candidate])
        except CertificateError:
            pass


def test_negative_serials_are_refused():
    """Go's parser stops."""
    wire = pki.make("leaf", serial=-4711).der
    with pytest.raises(CertificateError, match="x509: negative serial number"):
        parse(wire)
    refused = judge([wire], Trust("a.example", tuple, bundle="b"), datetime.now(UTC)).failure
    assert refused.code is Code.TLS_CERT_INVALID
    assert refused.api_server_error == "tls: failed to parse certificate from server: x509: negative serial number"


@pytest.mark.parametrize(
    ("names", "host", "passes"),
    [
        (("t.lab",), "t.lab", True),
        (("T.LAB",), "t.lab", True),
        (("t.lab",), "t.lab.", True),
        (("t.lab.",), "t.lab", False),
        (("*.lab",), "t.lab", True),
        (("*",), "t.lab", False),
        (("f*.w.lab",), "fa.w.lab", False),
        (("a.*.lab",), "a.b.lab", False),
        (("*.w.lab",), "w.lab", False),
        (("t_u.lab",), "t_u.lab", True),
        (("-bad.lab",), "-bad.lab", True),  # not valid as a host name, but equal
        (("10.0.0.1",), "10.0.0.1", True),
        (("fd00::1",), "fd00:0::1", True),
        (("fd00::1",), "[FD00::1]", True),
        (("fd00::1",), "fd00::1%eth0", False),
    ],
)
def test_host_names(names, host, passes):
    """crypto/x509 matchHostnames, matchExactly and IP SANs."""
    assert (hostname_error(parse(der(issue(CA, names))), host) is None) is passes


def test_a_hundred_names_are_only_counted():
    many = issue(CA, tuple(f"n{i}.example" for i in range(100)))
    assert (
        hostname_error(parse(der(many)), "x.example")
        == "x509: certificate is valid for 100 names, but none matched x.example"
    )


def _named(tag, text):
    """A certificate whose subject is one CN of the given string type."""
    subject = pki.seq(pki.tlv(0x31, pki.seq(pki.oid("2.5.4.3"), pki.tlv(tag, text))))
    made = pki.make("CN", extensions=())
    return made.der.replace(pki.name("CN"), subject) if len(subject) == len(pki.name("CN")) else None


@pytest.mark.parametrize(
    ("tag", "text", "error"),
    [
        (0x0C, b"ab", None),
        (0x13, b"a*", None),
        (0x14, b"\xe4b", None),
        (0x16, b"a@", None),
        (0x1E, b"\0a", None),
        (0x12, b"12", None),
        (0x13, b"a@", "invalid PrintableString"),
        (0x0C, b"\xff\xfe", "invalid UTF-8 string"),
        (0x12, b"1a", "invalid NumericString"),
        (0x1C, b"ab", "unsupported string type: 28"),
    ],
)
def test_names_hold_what_their_string_type_allows(tag, text, error):
    """parseASN1String: a name that breaks its type makes the whole certificate unreadable."""
    if error is None:
        parse(_named(tag, text))
    else:
        with pytest.raises(CertificateError, match=error):
            parse(_named(tag, text))


def test_rsa_keys_without_null_parameters_are_refused():
    key = pki.make_key("rsa2048")
    wire = pki.make("x", key=key).der
    broken = wire.replace(
        bytes.fromhex("300d06092a864886f70d0101010500"), bytes.fromhex("300d06092a864886f70d0101010400")
    )
    parse(wire)
    with pytest.raises(CertificateError, match="missing NULL"):
        parse(broken)


def test_only_version_3_has_extensions():
    """In a v2 certificate what stands there is passed over, names included."""
    made = pki.make("x", version=2, extensions=(pki.alt_names(dns=("a.example",)),))
    assert parse(made.der).extensions.dns_names == ()


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
def test_every_public_root_is_read():
    """Certifi's bundle, as the real world writes certificates: all parse, with the fields a library reads."""
    ders = anchors(Path(certifi.where()).read_bytes())
    assert len(ders) > 100
    for wire in ders:
        ours, theirs = parse(wire), x509.load_der_x509_certificate(wire)
        assert ours.subject == theirs.subject.public_bytes()
        assert ours.not_after == theirs.not_valid_after_utc
        assert ours.extensions.is_ca
        assert ours.extensions.key_usage == 0 or ours.extensions.key_usage & CERT_SIGN
        assert signature_error(ours, ours) in (None, "x509: cannot verify signature: insecure algorithm SHA1-RSA")


# -- what Go's parser reads strictly, and what it leaves alone ----------------------------------------------------

TRAILING = b"\x05\x00"
CLOSED = pki.tlv(0x82, b"x")


def _uri_point(*parts):
    return pki.seq(pki.seq(pki.tlv(0xA0, pki.tlv(0xA0, *parts))))


@pytest.mark.parametrize(
    ("oid", "value", "text"),
    [
        # authority information access: descriptions with a method; other forms of location pass
        ("1.3.6.1.5.5.7.1.1", pki.seq(pki.seq(pki.oid("1.3.6.1.5.5.7.48.1"), pki.tlv(0x86, b"http://o/"))), None),
        ("1.3.6.1.5.5.7.1.1", pki.seq(pki.seq(pki.oid("1.3.6.1.5.5.7.48.1"), CLOSED)) + TRAILING, None),
        ("1.3.6.1.5.5.7.1.1", pki.seq(pki.seq(CLOSED)), "x509: invalid authority info access"),
        ("1.3.6.1.5.5.7.1.1", b"\x04\x00", "x509: invalid authority info access"),
        # CRL distribution points
        ("2.5.29.31", _uri_point(pki.tlv(0x86, b"http://c/")), None),
        ("2.5.29.31", pki.seq(pki.seq()), None),
        ("2.5.29.31", b"", "x509: invalid CRL distribution points"),
        ("2.5.29.31", pki.seq(pki.tlv(0x31)), "x509: invalid CRL distribution point"),
        ("2.5.29.31", pki.seq(pki.seq(pki.tlv(0xA0, CLOSED))), "x509: invalid CRL distribution point"),
        # policies: one OID once, qualifiers unread
        ("2.5.29.32", pki.seq(pki.seq(pki.oid("1.2.3"), b"\xff")), None),
        ("2.5.29.32", pki.seq(pki.seq(pki.oid("1.2.3")), pki.seq(pki.oid("1.2.3"))), "x509: invalid certificate policies"),
        ("2.5.29.32", pki.seq(pki.seq()), "x509: invalid certificate policies"),
        ("2.5.29.33", pki.seq(pki.seq(pki.oid("1.2.3"), pki.oid("1.2.4"))), None),
        ("2.5.29.33", pki.seq(pki.seq(pki.oid("1.2.3"))), "x509: invalid policy mappings extension"),
        ("2.5.29.36", pki.seq(pki.tlv(0x80, b"\0"), pki.tlv(0x81, b"\1")), None),
        ("2.5.29.36", pki.seq(pki.tlv(0x80, b"\0\1")), "x509: invalid policy constraints extension"),
        ("2.5.29.54", pki.integer(0), None),
        ("2.5.29.54", pki.seq(), "x509: invalid inhibit any policy extension"),
        # basic constraints, key usage, key identifiers
        ("2.5.29.19", pki.seq(pki.tlv(1, b"\xff"), pki.integer(3)) + TRAILING, None),
        ("2.5.29.19", pki.seq(pki.tlv(1, b"\x01")), "x509: invalid basic constraints"),
        ("2.5.29.19", pki.seq(pki.tlv(1, b"\xff"), pki.integer(-1)), "x509: invalid basic constraints"),
        ("2.5.29.15", pki.tlv(3, b"\0"), None),
        ("2.5.29.15", pki.tlv(3, b"\5\xa1"), "x509: invalid key usage"),
        ("2.5.29.15", pki.tlv(3), "x509: invalid key usage"),
        ("2.5.29.37", pki.seq(), None),
        ("2.5.29.37", pki.seq(CLOSED), "x509: invalid extended key usages"),
        ("2.5.29.14", pki.tlv(4, b"id") + TRAILING, None),
        ("2.5.29.14", b"id", "x509: invalid subject key identifier"),
        ("2.5.29.35", pki.seq(pki.tlv(0x82, b"1"), pki.tlv(0x80, b"id")), None),
        ("2.5.29.35", b"\x30\x05", "x509: invalid authority key identifier"),
        # names and constraints on them
        ("2.5.29.17", b"\x04\x00", "x509: invalid subject alternative names"),
        ("2.5.29.17", pki.seq(b"\x82\x05a"), "x509: invalid subject alternative name"),
        ("2.5.29.30", pki.seq(), "x509: empty name constraints extension"),
        ("2.5.29.30", pki.seq(pki.tlv(0xA0, pki.seq(pki.tlv(0x82, b".a.example")))), None),
        ("2.5.29.30", pki.seq(pki.tlv(0xA0, pki.seq(CLOSED))) + TRAILING, "x509: invalid NameConstraints extension"),
        ("2.5.29.30", pki.seq(pki.tlv(0xA0, pki.seq(pki.tlv(0x81, b"a..b@x")))), 'x509: failed to parse rfc822Name constraint "a..b@x"'),
        ("2.5.29.30", pki.seq(pki.tlv(0xA0, pki.seq(pki.tlv(0x81, b"x.")))), 'x509: failed to parse rfc822Name constraint "x."'),
        ("2.5.29.30", pki.seq(pki.tlv(0xA1, pki.seq(pki.tlv(0x81, b'"a b"@x.example')))), None),
    ],
)  # fmt: skip
def test_extensions_are_read_as_go_reads_them(oid, value, text):
    """What Go takes apart it must understand; what lies behind that it does not look at."""
    made = pki.make("x", extensions=(pki.extension(oid, value),))
    if text is None:
        assert parse(made.der).subject
    else:
        with pytest.raises(CertificateError) as caught:
            parse(made.der)
        assert str(caught.value) == text


@pytest.mark.parametrize(
    ("tag", "text", "wanted"),
    [
        (0x17, b"260102030405Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (0x17, b"500102030405Z", datetime(1950, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (0x17, b"2601020304Z", datetime(2026, 1, 2, 3, 4, tzinfo=UTC)),
        (0x17, b"260102030405+0130", datetime(2026, 1, 2, 1, 34, 5, tzinfo=UTC)),
        (0x17, b"260102030405+0000", None),
        (0x17, b"260102030405", None),
        (0x17, b"261302030405Z", None),
        (0x18, b"20260102030405Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (0x18, b"20260102030405-0100", datetime(2026, 1, 2, 4, 4, 5, tzinfo=UTC)),
        (0x18, b"202601020304Z", None),
        (0x18, b"20260102030405.5Z", None),
        (0x18, b"20260102030405+9900", None),
    ],
)
def test_dates(tag, text, wanted):
    """UTCTime without seconds and offsets are read, an offset of zero is not: cryptobyte ReadASN1UTCTime."""
    made = pki.make("x", fields={"validity": pki.seq(pki.tlv(tag, text), pki.tlv(0x17, b"400102030405Z"))})
    if wanted:
        assert parse(made.der).not_before == wanted
    else:
        with pytest.raises(CertificateError, match="malformed"):
            parse(made.der)
