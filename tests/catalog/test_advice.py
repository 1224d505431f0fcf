"""Commands of the catalogue stand alone, have known placeholders, and fit the target that they are printed for."""

import re
import shlex
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from egressprobe.catalog.advice import advice, with_advice
from egressprobe.catalog.entry import PLACEHOLDERS, PROGRAMS, is_command
from egressprobe.catalog.failures import FAILURES
from egressprobe.catalog.registry import all_entries
from egressprobe.model.failure import Code
from egressprobe.model.measurement import Attempt, Lookup, Query, Resolution
from egressprobe.model.report import Availability
from egressprobe.model.target import Kind, ServiceRef, Verdict
from egressprobe.publish.response import from_json
from tests.conftest import ROOT

REPORT = from_json((ROOT / "tests/data/report.json").read_text())
LINES = [
    (entry.code, line)
    for entry in all_entries()
    for text in (entry.confirm, entry.remedy)
    for line in text.split("\n")
]  # fmt: skip
# Words in capitals that are not placeholders.
_WORDS = {"AAAA", "ECDHE", "STATEFUL"}


@pytest.mark.parametrize(("code", "line"), [pair for pair in LINES if is_command(pair[1])])
def test_a_command_is_a_line_of_its_own(code, line):
    """No sentence around it, no full stop behind it, and every word in capitals is a placeholder that is listed."""
    assert shlex.split(line), code
    assert not line.endswith((".", ";", ",", ":")) or line.endswith("| jq ."), line
    assert not re.search(
        r"; (then|or|and|from|in|on|aws|dig|kubectl|egressprobe)\b|, (then|from)\b| in the VPC| on both", line
    ), line
    assert set(re.findall(r"\b[A-Z][A-Z_]+\b", line)) <= PLACEHOLDERS | _WORDS


@pytest.mark.parametrize(("code", "line"), [pair for pair in LINES if not is_command(pair[1])])
def test_a_sentence_has_no_command_in_it(code, line):
    """What is to be copied is never inside a sentence."""
    programs = "|".join(PROGRAMS - {"make", "date", "python"})
    assert not re.search(
        rf"(?<![\w./-])({programs}) (-|@|[a-z0-9]+-[a-z]|[a-z]+ (list|describe|get|create)\b)", line
    ), code


def result(code, *, address="10.0.9.9", port=443, service=None, **more):
    failing = next(item for item in REPORT.results if item.failure and item.verdict is Verdict.FAIL)
    failure = replace(failing.failure, code=code)
    attempt = Attempt(address=address, port=port, family="ipv6" if ":" in address else "ipv4", failure=failure)
    target = replace(failing.target, service=service)
    return replace(failing, target=target, failure=failure, attempts=(attempt,), findings=(), **more)


@pytest.mark.parametrize(
    ("code", "address", "wanted", "unwanted"),
    [
        (Code.CONNECT_TIMEOUT, "198.51.100.7", "IpRanges='[{CidrIp=198.51.100.7/32}]'", "Ipv6"),
        (Code.CONNECT_TIMEOUT, "fd00:9:9::7", "Ipv6Ranges='[{CidrIpv6=fd00:9:9::7/128}]'", "CidrIp="),
        (Code.NETWORK_UNREACHABLE, "8.8.8.8", "0.0.0.0/0 --nat-gateway-id <NAT>", "transit"),
        (Code.NETWORK_UNREACHABLE, "2600::7", "::/0 --egress-only-internet-gateway-id <EIGW>", "nat-gateway"),
        (Code.NETWORK_UNREACHABLE, "10.0.9.9", "10.0.9.9/32 --transit-gateway-id <TGW>", "nat-gateway"),
    ],
)
def test_a_fix_fits_the_address(code, address, wanted, unwanted):
    """IPv6 gets IPv6 forms; a private address is not sent to a NAT gateway."""
    text = "\n".join(advice(result(code, address=address)).fix)
    assert wanted in text
    assert unwanted not in text


def test_check_comes_first_and_placeholders_are_marked():
    """What is known is filled in; what is not is <NAME>, so that nothing half filled is pasted."""
    found = advice(result(Code.CONNECT_TIMEOUT))
    assert found.check[0].startswith("egressprobe audit --cluster <CLUSTER>")
    assert "FromPort=443" in found.fix[-1]
    assert "--group-id <SG>" in found.fix[-1]


def test_commands_of_services_are_for_services():
    """A webhook by URL has no namespace to look into."""
    assert not any("kubectl" in line for line in advice(result(Code.CONNECT_REFUSED)).check)
    service = ServiceRef(namespace="kyverno", name="svc", port=443)
    assert "kubectl get endpointslices -n kyverno" in advice(result(Code.CONNECT_REFUSED, service=service)).check


@pytest.mark.parametrize(("silent", "wanted"), [(("A", "AAAA"), "Allow UDP and TCP 53"), (("AAAA",), "AAAA queries")])
def test_a_dead_name_server_is_not_a_missing_record_type(silent, wanted):
    """If A is not answered either, answering AAAA fixes nothing."""
    failure = replace(result(Code.DNS_TIMEOUT).failure)
    lookups = tuple(
        Lookup("x", kind, 5000.0, (Query("10.0.0.2:53", "udp", 5000.0, failure=failure if kind in silent else None),))
        for kind in ("A", "AAAA")
    )
    found = advice(result(Code.DNS_TIMEOUT, resolutions=(Resolution("x", "dns", 5000.0, lookups=lookups),)))
    assert wanted in "\n".join(found.fix)
    assert "dig @10.0.0.2" in found.check[0]


@pytest.mark.parametrize(
    ("server", "command"), [("10.0.0.2:53", "dig @10.0.0.2 "), ("[::1]:5353", "dig @::1 -p 5353 ")]
)
def test_dig_asks_the_same_name_server(server, command):
    """At its own port; also where it answered that the name does not exist."""
    for failure in (None, result(Code.DNS_TIMEOUT).failure):
        lookups = (Lookup("x", "A", 5.0, (Query(server, "udp", 5.0, failure=failure),)),)
        found = advice(result(Code.DNS_NXDOMAIN, resolutions=(Resolution("x", "dns", 5.0, lookups=lookups),)))
        assert found.check[0].startswith(command)


def _silent_everywhere(code):
    failure = result(code).failure
    lookups = (Lookup("x", "A", 5.0, (Query("192.0.2.1:53", "udp", 5.0, failure=failure),)),)
    return result(code, resolutions=(Resolution("x", "dns", 5.0, lookups=lookups),))


@pytest.mark.parametrize("code", [Code.DNS_TIMEOUT, Code.DNS_UNREACHABLE, Code.DNS_REFUSED])
def test_a_name_server_that_the_user_gave_is_the_users_to_correct(code):
    """In JSON and in the table; the DHCP options set has nothing to do with it."""
    judged = with_advice(_silent_everywhere(code), own_resolvers=True)
    assert advice(judged).fix == ("Correct --resolver (in a targets file: `resolvers`).",)
    assert judged.failure.remedy == advice(judged).fix[0]
    assert advice(judged).check[0].startswith("dig @192.0.2.1 ")
    assert not [line for line in advice(judged).check if "resolv.conf" in line or "dhcp" in line]
    assert "--resolver" not in with_advice(_silent_everywhere(code)).failure.remedy


def test_an_address_is_not_looked_up():
    """There is no name to give to dig."""
    plain = result(Code.DNS_NXDOMAIN)
    for url in ("https://192.0.2.1/x", "https://[2001:db8::1]:8443/x"):
        checks = advice(replace(plain, target=replace(plain.target, url=url))).check
        assert not [line for line in checks if line.startswith("dig ")]


@pytest.mark.parametrize(("address", "wanted"), [("10.0.9.9", "10.0.9.9:9443"), ("fd00::7", "[fd00::7]:9443")])
@pytest.mark.parametrize(
    "entry",
    [
        entry
        for entry in FAILURES.values()
        if "s_client" in entry.confirm or ("curl -s" in entry.confirm and "ADDRESS" in entry.confirm)
    ],
    ids=lambda entry: entry.code,
)
def test_commands_connect_to_the_endpoint_that_failed(entry, address, wanted):
    """The Service's name with the endpoint's port is a place that does not exist; the name is for TLS."""
    service = ServiceRef(namespace="kyverno", name="svc", port=443)
    found = advice(result(Code(entry.code), address=address, port=9443, service=service))
    [line] = [line for line in found.check if line.startswith(("openssl", "curl"))]
    assert any(word in (wanted, f"::{wanted}") for word in shlex.split(line))
    assert "svc.kyverno.svc:9443" not in line
    assert "svc.kyverno.svc" in line or "-tls1_2" in line


@pytest.mark.parametrize("url", ["https://[fd00::7]:9443/validate", "https://192.0.2.1:9443/validate"])
@pytest.mark.parametrize("code", [Code.TLS_NOT_TLS, Code.HTTP_TIMEOUT, Code.HTTP_RESET, Code.HTTP_STATUS])
def test_urls_of_commands_are_urls(code, url):
    """An IPv6 address is in brackets (RFC 3986, section 3.2.2), also as the host of a request."""
    failing = result(code, address="fd00::7", port=9443, availability=None)
    given = advice(replace(failing, target=replace(failing.target, url=url)))
    [line] = [line for line in given.check if line.startswith("curl")]
    [requested] = [word for word in shlex.split(line) if "://" in word]
    assert urlsplit(requested).hostname == urlsplit(url).hostname
    assert "::[fd00::7]:9443" in shlex.split(line)
    assert "[" not in re.sub(r"'[^']*'", "", line)  # what zsh would look for as the name of a file


def test_failures_carry_their_remedy():
    """The same lines in JSON as in the table."""
    judged = with_advice(result(Code.TLS_NOT_TLS))
    assert judged.failure.remedy == "\n".join(advice(judged).fix)
    assert judged.failure.confirm.startswith("curl -sv --connect-to ::10.0.9.9:443 http://")


@given(st.text(st.characters(codec="ascii"), min_size=1, max_size=40))
def test_values_cannot_make_another_command(host):
    """A host name out of a cluster is one word of the command, whatever is in it."""
    plain = result(Code.DNS_NXDOMAIN)

    def check(name):
        return advice(replace(plain, target=replace(plain.target, url=f"https://{name}/x"))).check

    # An address is not looked up; its brackets are not part of it.
    lines, plain_lines = check(host), check("x.example")
    if len(lines) < len(plain_lines):
        plain_lines = check("192.0.2.1")
    for line, expected in zip(lines, plain_lines, strict=True):
        assert len(shlex.split(line)) == len(shlex.split(expected))
        assert shlex.split(line)[0] in PROGRAMS


@pytest.mark.parametrize("code", [Code.HTTP_STATUS, Code.HTTP_BODY_INVALID])
@pytest.mark.parametrize("kind", list(Kind))
def test_only_an_issuer_has_a_discovery_document(kind, code):
    """Others are asked for what the API server requests of them; an APIService for the path of its check."""
    failing = result(code, service=ServiceRef(namespace="kube-system", name="metrics-server", port=443))
    failing = replace(failing, target=replace(failing.target, kind=kind, url="https://h/x"), availability=None)
    if kind is Kind.AGGREGATED_API:
        path = "/apis/metrics.k8s.io/v1beta1"
        failing = replace(failing, availability=Availability("fail", "FailedDiscoveryCheck", 0.0, None, path))
    given = advice(failing)
    text = "\n".join((*given.check, *given.fix))
    assert ("openid-configuration" in text) == ("provider" in text) == (kind is Kind.OIDC)
    if kind is not Kind.OIDC:
        url = "https://h/x" if kind is not Kind.AGGREGATED_API else f"https://metrics-server.kube-system.svc{path}"
        assert given.check == (f"curl -skv --connect-to ::10.0.9.9:443 {url}",)
