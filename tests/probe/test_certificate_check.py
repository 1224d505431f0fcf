"""The verdict on a chain: how long it lasts, whose signatures count, what is remembered, and that this is bounded."""

import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import serialization

from egressprobe.golang.release import GoRelease
from egressprobe.golang.x509 import accepted_chains, certificate, signatures
from egressprobe.lab.servers import HttpServer, server_context
from egressprobe.model.failure import Code
from egressprobe.probe.transport import certificate_check
from egressprobe.probe.transport.certificate_check import Trust, judge, unverified_days, views
from tests.probe import test_tls
from tests.probe.test_tls import GOOD, attempt
from tests.support.peers import pki
from tests.support.peers.tls_scripts import ScriptedTls, record, records

HOST = "a.lab"
NOW = datetime.now(UTC)
SAN, SERVER = pki.alt_names(dns=(HOST,)), pki.extended_key_usage(pki.SERVER)
CA_TRUE = pki.basic_constraints(ca=True)
SIGNS = (CA_TRUE, pki.CERT_SIGN)


def leaf(by, days=300, **options):
    return pki.make("", by=by, extensions=(SAN, SERVER), ends=timedelta(days=days), **options)


def authority(name, by=None, days=3000, **options):
    return pki.make(name, by=by, extensions=SIGNS, ends=timedelta(days=days), **options)


def judged(sent, anchors, *, verified=(), bundle="b", release=GoRelease.V1_25):
    trust = Trust(HOST, lambda: [made.der for made in anchors], bundle, release)
    return judge([made.der for made in sent], trust, NOW, [made.der for made in verified])


@pytest.fixture(autouse=True)
def _nothing_remembered():
    caches = (certificate_check._SIGNATURES, certificate_check._VIEWS, certificate_check._NAMING, certificate._READ)
    for cache in (*caches, accepted_chains._CHAINS):
        cache.clear()


def _cross_signed(days):
    """A chain to two roots; the certificate that the old one signs ends first, and so does the old one."""
    key = pki.make_key()
    old, new = authority("old", days=days), authority("new", days=3000)
    crossed = [authority("middle", by=old, key=key, days=days), authority("middle", by=new, key=key, days=1000)]
    return [leaf(crossed[0]), *crossed], [old, new]


@pytest.mark.parametrize("release", GoRelease)
@pytest.mark.parametrize("bundle", ["b", ""])
def test_what_is_remembered_of_a_chain_changes_no_answer(release, bundle):
    """At any time, in any order: the second answer is that of a process that has seen nothing."""
    sent, anchors = _cross_signed(30)
    unknown, expired = authority("unknown"), leaf(anchors[1], days=-1)
    late = leaf(anchors[1], days=300, begins=timedelta(days=10))
    cases = [(sent, anchors), (sent, anchors[:1]), (sent, [unknown]), ([expired], anchors), ([late], anchors)]
    days = [0, 5, 29.5, 31, 9.5, 10.5, 299, 301, -400, 2, 999, 1001]
    for made, roots in cases:
        trust = Trust(HOST, lambda roots=roots: [root.der for root in roots], bundle, release)
        chain = [certificate.der for certificate in made]
        moments = [NOW + timedelta(days=number) for number in days * 2]
        remembered = [judge(chain, trust, moment) for moment in moments]
        for moment, judgement in zip(moments, remembered, strict=True):
            accepted_chains._CHAINS.clear()
            assert judge(chain, trust, moment) == judgement
    accepted = judge([made.der for made in sent], Trust(HOST, lambda: [anchors[1].der], bundle, release), NOW)
    assert accepted.failure is None
    assert (accepted_chains._CHAINS.used > 0) is bool(bundle)


def test_an_accepted_chain_is_not_verified_again(monkeypatch):
    """Only for the same bytes, host, anchors and release."""
    sent, anchors = _cross_signed(30)
    assert judged(sent, anchors).failure is None
    calls = []
    verified_chains = certificate_check.verified_chains
    monkeypatch.setattr(
        certificate_check, "verified_chains", lambda *given: calls.append(given) or verified_chains(*given)
    )
    assert judged(sent, anchors).failure is None
    assert not calls
    judged(sent[:2], anchors), judged(sent, anchors[1:]), judged(sent, anchors, release=GoRelease.V1_26)
    assert len(calls) == 3


def test_days_left_are_those_of_the_path_with_its_anchor():
    """The CA in the caBundle ends in 2 days and is not presented; the leaf is valid for 300."""
    root = authority("root", days=2)
    result = judged([leaf(root)], [root])
    assert result.failure is None
    assert result.days == pytest.approx(2, abs=0.1)
    assert result.soon


def test_certificates_that_are_not_needed_count_for_nothing():
    """An expired intermediate that the server also sends, and an anchor of somebody else's."""
    root = authority("root")
    middle = authority("middle", by=root, days=400)
    unneeded = authority("other", by=root, days=-3)
    stranger = authority("stranger", days=1)
    result = judged([leaf(middle), unneeded, middle, stranger], [stranger, root])
    assert result.failure is None
    assert result.days == pytest.approx(300, abs=0.1)
    assert not result.soon


@pytest.mark.parametrize("release", GoRelease)
def test_of_several_paths_the_one_that_lasts_longest_counts(release):
    """A cross-signed CA: Go takes any path, so the call fails when the last of them ends."""
    key = pki.make_key()
    old, new = authority("old", days=3), authority("new", days=3000)
    crossed = [authority("middle", by=old, key=key, days=3), authority("middle", by=new, key=key, days=1000)]
    for sent in (crossed, crossed[::-1]):
        result = judged([leaf(crossed[0]), *sent], [old, new], release=release)
        assert result.failure is None
        assert result.days == pytest.approx(300, abs=0.1)
        assert not result.soon
    only_old = judged([leaf(crossed[0]), crossed[0]], [old, new], release=release)
    assert only_old.days == pytest.approx(3, abs=0.1)
    assert only_old.soon


def test_without_a_path_the_leaf_counts():
    """A refused chain and one that nobody verifies: only the leaf is sure to be used."""
    root, other = authority("root", days=2), authority("other", days=2)
    refused = judged([leaf(root), root], [other])
    assert refused.failure.code is Code.TLS_UNKNOWN_AUTHORITY
    assert refused.days == pytest.approx(300, abs=0.1)
    days, soon = unverified_days([leaf(root, days=1).der, root.der], NOW)
    assert days == pytest.approx(1, abs=0.1)
    assert soon
    assert unverified_days([], NOW) == unverified_days([b"\x30\x00"], NOW) == (None, False)


def test_the_anchor_of_a_folder_is_taken_from_openssl():
    """Without a caBundle the roots may be in a folder, in no list; with one only its certificates are anchors."""
    root = authority("root", days=40)
    end = leaf(root)
    found = judged([end], [], verified=[end, root], bundle="")
    assert found.failure is None
    assert found.days == pytest.approx(40, abs=0.1)
    assert judged([end], [], verified=[end, root]).failure.code is Code.TLS_UNKNOWN_AUTHORITY


def test_openssl_vouches_for_its_own_path_only():
    """OpenSSL compares names without case: it found the real signer, Go finds another one of the exact name."""
    signer = authority("Root")
    exact = authority("root")
    end = pki.make("", by=signer._replace(subject=pki.name("root")), extensions=(SAN, SERVER))
    refused = judged([end], [signer, exact], verified=[end, signer]).failure
    assert refused.code is Code.TLS_UNKNOWN_AUTHORITY
    assert "ECDSA verification failure" in refused.api_server_error


@pytest.mark.parametrize("good", [True, False])
def test_signatures_are_verified_once(monkeypatch, good):
    """Of accepted and of refused chains alike: the next minute only the rules are applied."""
    asked = []

    def counting(child, parent, real=signatures.signature_error):
        asked.append((child.digest, parent.digest))
        return real(child, parent)

    monkeypatch.setattr(signatures, "signature_error", counting)
    root = authority("root")
    anchors = [root] if good else [authority("root"), authority("root")]
    middle = authority("middle", by=root)
    results = [judged([leaf_of_middle, middle], anchors) for leaf_of_middle in [leaf(middle)] * 3]
    assert {result.failure is None for result in results} == {good}
    assert len(asked) == len(set(asked)) == (2 if good else 3)


def test_what_openssl_verified_is_not_verified_again(monkeypatch):
    monkeypatch.setattr(signatures, "signature_error", None)
    root = authority("root")
    middle = authority("middle", by=root)
    end = leaf(middle)
    assert judged([end, middle], [root], verified=[end, middle, root]).failure is None
    assert judged([end, middle], [root]).failure is None


def _many_names(count, i):
    names = tuple(f"{j:x}-{i}" for j in range(count))
    return pki.make("", extensions=(pki.alt_names(dns=(HOST, *names)), SERVER))


def test_caches_are_bounded_by_bytes():
    """Certificates of 100 KB, one after the other, valid or not: kept are a few, and the small ones beside them."""
    root = authority("root")
    end = leaf(root)
    assert judged([end], [root]).failure is None
    for i in range(64):
        hostile = _many_names(9000, i)
        assert judged([hostile], [root]).failure is not None
        views([hostile.der])
        views([hostile.der[:-1]])
    assert certificate._READ.used <= 512 * 1024
    assert certificate_check._VIEWS.used <= 512 * 1024
    assert certificate._READ.find((certificate.parse(end.der).digest, GoRelease.V1_25)) is not None


def test_views_are_short():
    """What a peer chooses is cut: names, serial numbers, error texts."""
    long = pki.make("x" * 5000, serial=1 << 16000, extensions=(pki.alt_names(dns=("n" * 5000,) * 200),))
    (view,) = views([long.der])
    assert len(view.names) == 50
    assert {len(view.subject), len(view.serial), *map(len, view.names)} == {300}
    assert (
        len(views([pki.make("x", extensions=(pki.alt_names(uris=("http://a b/" + "x" * 9000,)),)).der])[0].subject)
        == 300
    )


def test_a_missing_intermediate_is_named():
    """The certificate says where its issuer's is: AIA, RFC 5280 section 4.2.2.1."""
    root = authority("root")
    middle = authority("middle", by=root)
    location = pki.seq(pki.seq(pki.oid("1.3.6.1.5.5.7.48.2"), pki.tlv(0x86, b"http://ca.example/1.crt")))
    end = pki.make("", by=middle, extensions=(SAN, SERVER, pki.extension("1.3.6.1.5.5.7.1.1", location)))
    assert "whose certificate the server does not send (it is at http://ca.example/1.crt)" in (
        judged([end], [root]).failure.message
    )
    assert "does not send" not in judged([end, middle], [authority("other")]).failure.message
    assert views([end.der])[0].issuer_urls == ("http://ca.example/1.crt",)


@pytest.mark.parametrize("form", ["indefinite", "long", "trailing"])
def test_the_bytes_that_were_sent_are_judged(lab_loop, form):
    """OpenSSL reads a certificate in BER and writes it in DER; Go refuses what was sent."""
    context = server_context(GOOD)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    der = GOOD.certificate.public_bytes(serialization.Encoding.DER)
    body = der[4:]
    forms = {
        "indefinite": b"\x30\x80" + body + b"\0\0",
        "long": b"\x30\x83" + len(body).to_bytes(3) + body,
        "trailing": der + b"\0",
    }

    def change(number, data):
        if number:
            return data
        messages = b"".join(content for _, content in records(data))
        before = len(der).to_bytes(3) + der
        at = messages.index(before)
        sent = forms[form]
        more = len(sent) - len(der)
        header, certificates = at - 7, at - 3
        lengths = [int.from_bytes(messages[i : i + 3]) + more for i in (header + 1, certificates)]
        rest = messages[at + len(before) :]
        certificate_message = (
            messages[header : header + 1]
            + lengths[0].to_bytes(3)
            + lengths[1].to_bytes(3)
            + len(sent).to_bytes(3)
            + sent
        )
        return record(22, messages[:header] + certificate_message + rest)

    found = attempt(lab_loop.start(ScriptedTls(context, change)))
    text = "trailing data" if form == "trailing" else "malformed certificate"
    assert found.failure.api_server_error == f"tls: failed to parse certificate from server: x509: {text}"
    assert found.failure.code is Code.TLS_CERT_INVALID
    assert attempt(lab_loop.start(ScriptedTls(context))).failure is None


def test_texts_are_bounded():
    """Up to 99 names are in a host name error, each as long as the server likes; a URI is in a parse error."""
    root = authority("root")
    names = pki.make("", by=root, extensions=(pki.alt_names(dns=tuple(f"{i}." + "x" * 900 for i in range(99))), SERVER))
    uri = pki.make("", by=root, extensions=(pki.alt_names(uris=("http://a b/" + "x" * 9000,)), SERVER))
    for made in (names, uri):
        failure = judged([made], [root]).failure
        assert len(failure.message) == 1003
        assert len(failure.api_server_error) == 8003
        assert failure.api_server_error.endswith("...")


@pytest.mark.parametrize(("version", "passes"), [("1.35", False), ("1.36", True)])
def test_the_kubernetes_version_decides_whose_rules_count(lab_loop, monkeypatch, tmp_path, version, passes):
    """Excluded `blab` also excludes `*.lab` up to Go 1.25.5 (CVE-2025-61727), not in Go 1.26."""
    excluded = pki.extension("2.5.29.30", pki.seq(pki.tlv(0xA1, pki.seq(pki.tlv(0x82, b"blab")))), critical=True)
    root = pki.make("root", extensions=(*SIGNS, excluded))
    end = pki.make("", by=root, extensions=(pki.alt_names(dns=("*.lab",)), SERVER))
    path = tmp_path / "server.pem"
    path.write_text(end.pem + end.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    monkeypatch.setattr(test_tls, "ANCHORS", (root.der,))
    found = attempt(lab_loop.start(HttpServer(tls=context)), version=version)
    assert (found.failure is None) is passes
    if not passes:
        assert 'DNS name "*.lab" is excluded by constraint "blab"' in found.failure.api_server_error
