"""Go's resolver rules without a socket."""

import dns.name
import pytest
from hypothesis import given
from hypothesis import strategies as st

from egressprobe.golang.dns_message import make_request, mismatch
from egressprobe.golang.dns_name import wire_name
from egressprobe.golang.resolver import (
    ResolverConfig,
    conclude,
    is_domain_name,
    name_list,
    parse_hosts,
    parse_resolv_conf,
    split_server,
)
from egressprobe.model.failure import Code, Failure, Phase
from egressprobe.model.measurement import Lookup


def test_resolv_conf_as_lambda_and_dhcp_write_it():
    """Servers in order, search list rooted, options of Go."""
    config = parse_resolv_conf(
        "; generated\n# comment\nsearch ec2.internal corp.example.\nnameserver 10.0.0.2\nnameserver fd00:ec2::253\n"
        "options ndots:5 timeout:2 attempts:3 rotate use-vc single-request\n"
    )
    assert config == ResolverConfig(
        servers=("10.0.0.2:53", "[fd00:ec2::253]:53"),
        search=("ec2.internal.", "corp.example."),
        ndots=5,
        timeout=2,
        attempts=3,
        use_tcp=True,
        single_request=True,
        rotate=True,
    )


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("", "servers", ("127.0.0.1:53", "[::1]:53")),
        ("nameserver not-an-address", "servers", ("127.0.0.1:53", "[::1]:53")),
        ("nameserver 1.1.1.1\n" * 5, "servers", ("1.1.1.1:53",) * 3),
        ("options ndots:99", "ndots", 15),
        ("options ndots:-1", "ndots", 0),
        ("options timeout:0 attempts:0", "timeout", 1),
        ("options timeout:0 attempts:0", "attempts", 1),
        ("options timeout:x", "timeout", 1),
        ("options no-aaaa edns0", "single_request", False),
        ("domain corp.example", "search", ("corp.example.",)),
        ("search .", "search", ()),
        (" nameserver 1.1.1.1", "servers", ("1.1.1.1:53",)),
        ("search a b\nsearch c", "search", ("c.",)),
    ],
)
def test_resolv_conf_corners(text, field, value):
    """What net/dnsconfig_unix.go makes of odd lines."""
    assert getattr(parse_resolv_conf(text), field) == value


def test_hosts_file():
    """Names in any case, several addresses, comments, nonsense passed over."""
    text = "127.0.0.1 localhost\n10.0.0.9 Web.Corp web # comment\nfe80::1%eth0 x\nnonsense y\n10.0.0.10 web.corp\n"
    assert parse_hosts(text) == {
        "localhost": ("127.0.0.1",),
        "web.corp": ("10.0.0.9", "10.0.0.10"),
        "web": ("10.0.0.9",),
        "x": ("fe80::1%eth0",),
    }


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("a.b", ("a.b.", "a.b.s1.", "a.b.s2.")),
        ("web", ("web.s1.", "web.s2.", "web.")),
        ("a.b.", ("a.b.",)),
        ("x.onion", ("x.onion.s1.", "x.onion.s2.")),  # RFC 7686: never as it stands
    ],
)
def test_search_list(name, names):
    """Dotted names go first as they stand, names without a dot through the suffixes; a trailing dot ends it."""
    assert name_list(name, ResolverConfig(search=("s1.", "s2."))) == names


@pytest.mark.parametrize(
    "name", ["a.example", "t_u.lab", "_x._tcp.example", "a-b.c", "xn--bcher-kva.example", "1.2.3.x", "a.b."]
)
def test_names_that_go_asks_for(name):
    assert is_domain_name(name)


@pytest.mark.parametrize(
    "name",
    ["", "a-.example", "-a.example", "a..b", ".a", "1.2.3", "a b", "bücher.example", "x" * 64 + ".a", "a." * 128],
)
def test_names_that_go_never_asks_for(name):
    """No such host, and no packet."""
    assert not is_domain_name(name)


@given(st.text(max_size=300))
def test_any_text_is_a_name_or_not(name):
    """Total over all text."""
    assert is_domain_name(name) in (True, False)


def _lookup(name, kind, ms, error=None, addresses=()):
    failure = Failure(Phase.RESOLVE, Code.DNS_SERVFAIL, error, error) if error else None
    return Lookup(name, kind, ms, (), addresses, failure)


@pytest.mark.parametrize(("host", "wanted"), [("a.b", "late"), ("a.b.", "early")])
def test_the_last_error_of_the_name_as_given_wins(host, wanted):
    """goLookupIPCNAMEOrder: "Prefer error from original name"; with a trailing dot it does not know it again."""
    lookups = (_lookup("a.b.", "A", 20, "late"), _lookup("a.b.", "AAAA", 10, "early"))
    assert conclude(host, lookups)[2].message == wanted


@pytest.mark.parametrize("own_first", [True, False])
def test_the_error_of_the_name_as_given_wins_over_suffixed_ones(own_first):
    """Whether the search list is tried before it or after."""
    own = (_lookup("a.b.", "A", 1, "own"), _lookup("a.b.", "AAAA", 2, "own too"))
    others = (_lookup("a.b.s.", "A", 1, "first"), _lookup("a.b.s.", "AAAA", 2, "last"))
    addresses, ms, failure = conclude("a.b", own + others if own_first else others + own)
    assert (addresses, ms, failure.message) == ((), 4, "own too")


def test_an_unfinished_lookup_is_no_error_of_the_server():
    """AAAA says "no such host", A was cut by the run's end: unknown, not a failure."""
    cut = Lookup("a.", "A", 9, (), (), Failure(Phase.RESOLVE, Code.DEADLINE_EXCEEDED, "time was up"))
    failure = conclude("a", (_lookup("a.", "AAAA", 1, "no such host"), cut))[2]
    assert failure.code is Code.DEADLINE_EXCEEDED


def test_it_waits_for_both_answers():
    """The address comes with A after 1 ms; the lookup takes as long as AAAA."""
    lookups = (_lookup("a.", "A", 1, addresses=("10.0.0.1",)), _lookup("a.", "AAAA", 10_000, "timeout"))
    assert conclude("a", lookups) == (("10.0.0.1",), 10_000, None)


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("10.0.0.2", ("10.0.0.2", 53)),
        ("10.0.0.2:5353", ("10.0.0.2", 5353)),
        ("fd00::2", ("fd00::2", 53)),
        ("[fd00::2]:5353", ("fd00::2", 5353)),
    ],
)
def test_server_addresses(text, server):
    assert split_server(text) == server


@pytest.mark.parametrize("text", ["", "host", "10.0.0.2:0", "10.0.0.2:99999", "[fd00::2", "10.0.0.2:x"])
def test_bad_server_addresses(text):
    with pytest.raises(ValueError):
        split_server(text)


@given(st.lists(st.tuples(st.integers(0, 9000), st.integers(0, 9000)), min_size=1, max_size=4))
def test_single_request_is_never_faster(times):
    """Sequential lookups take the sum of their times, concurrent ones the longest of each name."""
    lookups = [
        _lookup(f"{i}.", kind, ms, error="x")
        for i, pair in enumerate(times)
        for kind, ms in zip(("A", "AAAA"), pair, strict=True)
    ]
    assert conclude("h", lookups)[1] == sum(max(pair) for pair in times)
    assert conclude("h", lookups, single_request=True)[1] == sum(sum(pair) for pair in times)


_LABEL = st.from_regex(r"[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?", fullmatch=True)


@given(st.lists(_LABEL, max_size=4).map(lambda labels: ".".join(labels) + "."))
def test_names_are_encoded_as_dnspython_encodes_them(name):
    """The root too."""
    assert wire_name(name) == dns.name.from_text(name).to_wire()


@pytest.mark.parametrize(("name", "encoded"), [("a\\.b.", b"\2a\\\1b\0"), ("\u00fc.", b"\2\xc3\xbc\0")])
def test_a_search_list_is_sent_as_it_is_written(name, encoded):
    """Go knows neither escapes nor IDNA here."""
    assert wire_name(name) == encoded


@pytest.mark.parametrize("name", ["a..b.", "..", ".a.", f"{'a' * 64}."])
def test_a_name_that_go_cannot_send(name):
    """Name.pack refuses it: errZeroSegLen, errSegTooLong."""
    with pytest.raises(ValueError, match="label"):
        wire_name(name)


@given(_LABEL, st.sampled_from(["A", "AAAA"]), st.data())
def test_a_response_may_repeat_the_question_in_other_letter_case(label, kind, data):
    """net/dnsclient_unix.go checkResponse compares with equalASCIIName; the id and the type must be ours."""
    request = make_request(f"{label}.lab.", kind)
    letters = data.draw(st.tuples(*(st.sampled_from((c.lower(), c.upper())) for c in label)).map("".join))
    repeated = request.wire[:12] + request.wire[12:].replace(label.encode(), letters.encode())
    response = repeated[:2] + bytes([repeated[2] | 0x80]) + repeated[3:]
    assert mismatch(response, request) is None
    assert mismatch(bytes([response[0] ^ 1]) + response[1:], request) == "invalid DNS response"
    other = response.replace(request.question[-4:], b"\0\x0f\0\1")
    assert mismatch(other, request) == "invalid DNS response"
