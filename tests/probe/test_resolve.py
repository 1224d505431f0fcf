"""The resolve phase against real name servers on loopback, with every fault."""

import asyncio
import re
import socket
import struct
import time
from types import SimpleNamespace

import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from egressprobe.golang.dns_message import make_request, mismatch, read
from egressprobe.golang.dns_name import MessageNames
from egressprobe.golang.resolver import ResolverConfig
from egressprobe.lab.dns import DnsServer, Records, Reply, serve_zone
from egressprobe.model.failure import Code
from egressprobe.probe.transport import resolve as resolve_module
from egressprobe.probe.transport.resolve import compare, override_servers, resolve, system_config
from egressprobe.probe.transport.time_limits import Budget
from tests.support.cpu_time import assert_linear
from tests.support.durations import least, timed

ZONE = {
    "good.lab": Records(a=("10.0.0.2", "10.0.0.1"), aaaa=("2600::1",)),
    "web.corp": Records(a=("10.0.0.3",)),
    "cname.lab": Records(a=("10.0.0.4",), cname="target.lab."),
    "empty.lab": Records(),
    "servfail.lab": Records(fault_a="SERVFAIL", fault_aaaa="SERVFAIL"),
    "refused.lab": Records(fault_a="REFUSED", fault_aaaa="REFUSED"),
    "formerr.lab": Records(fault_a="FORMERR", fault_aaaa="FORMERR"),
    "half.lab": Records(a=("10.0.0.5",), fault_aaaa="SERVFAIL"),
    "big.lab": Records(a=tuple(f"10.0.1.{i}" for i in range(200)), truncate=True),
    "mapped.lab": Records(aaaa=("::ffff:10.0.0.9",)),
    "drop.lab": Records(fault_a="drop", fault_aaaa="drop"),
}


def look(host, *servers, seconds=20.0, **options):
    """Resolve through `servers`, with a short timeout a query."""

    async def work():
        now = asyncio.get_running_loop().time()
        config = ResolverConfig(servers=servers, timeout=options.pop("timeout", 0.2), **options)
        return await resolve(host, config, Budget(now + seconds, now + options.get("call", 20.0)))

    return asyncio.run(work())


@pytest.fixture
def server(lab_loop):
    return lab_loop.start(DnsServer(serve_zone(ZONE)))


def code(resolution):
    return resolution.failure.code if resolution.failure else None


def test_both_families_in_the_order_of_the_answer(server):
    """Addresses keep the answer's order; each query keeps server, rcode, transport, time and TTL."""
    resolution = look("good.lab", server.text)
    assert sorted(resolution.addresses) == ["10.0.0.1", "10.0.0.2", "2600::1"]
    assert [a for a in resolution.addresses if ":" not in a] == ["10.0.0.2", "10.0.0.1"]
    assert {lookup.type for lookup in resolution.lookups} == {"A", "AAAA"}
    query = resolution.lookups[0].queries[0]
    assert (query.server, query.rcode, query.transport, query.ttl) == (server.text, "NOERROR", "udp", 60)
    assert 0 < query.ms <= query.user_ms
    assert {kind for _, kind, _ in server.seen} == {"A", "AAAA"}


@pytest.mark.parametrize(
    ("host", "wanted", "text"),
    [
        ("nx.lab", Code.DNS_NXDOMAIN, "no such host"),
        ("empty.lab", Code.DNS_NO_ADDRESSES, "no such host"),
        ("servfail.lab", Code.DNS_SERVFAIL, "server misbehaving"),
        ("refused.lab", Code.DNS_REFUSED, "server misbehaving"),
        ("formerr.lab", Code.DNS_SERVFAIL, "server misbehaving"),
    ],
)
def test_errors_of_the_server(server, host, wanted, text):
    resolution = look(host, server.text)
    assert code(resolution) is wanted
    assert resolution.failure.api_server_error == f"dial tcp: lookup {host} on {server.text}: {text}"


def test_a_name_that_does_not_exist_ends_the_search_at_once(server, lab_loop):
    """NXDOMAIN: the next server is not asked, nor a second round."""
    second = lab_loop.start(DnsServer(serve_zone({"nx.lab": Records(a=("10.0.0.1",))})))
    assert code(look("nx.lab", server.text, second.text)) is Code.DNS_NXDOMAIN
    assert second.seen == []
    assert len(server.seen) == 2


def test_a_failing_server_is_followed_by_the_next(server, lab_loop):
    """SERVFAIL: every server in every round is asked before it is believed."""
    second = lab_loop.start(DnsServer(serve_zone({"servfail.lab": Records(a=("10.0.0.7",))})))
    resolution = look("servfail.lab", server.text, second.text)
    assert resolution.addresses == ("10.0.0.7",)
    assert [q.rcode for q in resolution.lookups[0].queries] == ["SERVFAIL", "NOERROR"]
    alone = look("servfail.lab", server.text)
    assert [len(lookup.queries) for lookup in alone.lookups] == [2, 2]


def test_one_family_failing_is_harmless(server):
    resolution = look("half.lab", server.text)
    assert (resolution.addresses, resolution.failure) == (("10.0.0.5",), None)


def test_silence_is_waited_for_in_every_round(server):
    """Two rounds of the timeout; the error names our socket as Go does."""
    waited, resolution = timed(lambda: look("drop.lab", server.text))
    assert code(resolution) is Code.DNS_TIMEOUT
    assert 390 <= resolution.ms <= waited
    assert "read udp 127.0.0.1:" in resolution.failure.api_server_error
    assert resolution.failure.api_server_error.endswith(f"->{server.text}: i/o timeout")
    whole = f"to {server.text} over UDP: no response to any of the {{}} within {resolution.ms / 1e3:.1f} s"
    assert resolution.failure.message == f"A and AAAA queries for drop.lab {whole.format(4)}"
    assert resolution.lookups[0].failure.message.startswith("A query for drop.lab to ")
    assert ": no response to any of the 2 within 0." in resolution.lookups[0].failure.message


def test_truncation_goes_to_tcp(server):
    """200 addresses do not fit into 1232 bytes; only the first 64 are kept."""
    resolution = look("big.lab", server.text)
    assert [q.transport for q in resolution.lookups[0].queries] == ["udp", "tcp"]
    assert len(resolution.addresses) == 64


async def _closed(server):
    server.close()


def test_a_reset_over_tcp_is_met_while_reading(lab_loop):
    """net/dnsclient_unix.go exchange: connected, so net.OpError has both addresses."""

    async def reset(reader, writer):
        await reader.read(1)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()

    peer = lab_loop.call(asyncio.start_server(reset, "127.0.0.1", 0))
    server = f"127.0.0.1:{peer.sockets[0].getsockname()[1]}"
    failure = look("reset.lab", server, use_tcp=True, attempts=1).failure
    lab_loop.call(_closed(peer))
    assert failure.code is Code.DNS_UNREACHABLE
    assert re.search(rf"read tcp 127\.0\.0\.1:\d+->{server}: read: connection reset by peer$", failure.api_server_error)


@pytest.mark.parametrize(
    ("sent", "text"), [(b"", "EOF"), (b"\0", "unexpected EOF"), (b"\0\x20", "EOF"), (b"\0\x20abc", "unexpected EOF")]
)
def test_an_end_over_tcp_is_named_by_where_it_comes(lab_loop, sent, text):
    """net/dnsclient_unix.go dnsStreamRoundTrip: io.ReadFull of the length, then of the message."""

    async def end(reader, writer):
        size = int.from_bytes(await reader.readexactly(2))
        await reader.readexactly(size)
        writer.write(sent)
        writer.close()

    peer = lab_loop.call(asyncio.start_server(end, "127.0.0.1", 0))
    server = f"127.0.0.1:{peer.sockets[0].getsockname()[1]}"
    failure = look("cut.lab", server, use_tcp=True, attempts=1).failure
    lab_loop.call(_closed(peer))
    assert failure.api_server_error.endswith(f": {text}")
    assert failure.api_server_error.endswith("unexpected EOF") is (text == "unexpected EOF")


def test_use_vc_asks_over_tcp_only(server):
    resolution = look("good.lab", server.text, use_tcp=True)
    assert {q.transport for lookup in resolution.lookups for q in lookup.queries} == {"tcp"}


def test_cname_chain_is_kept(server):
    query = look("cname.lab", server.text).lookups[0].queries[0]
    assert (query.cnames, query.addresses) == (("target.lab.",), ("10.0.0.4",))


def test_search_list(server):
    """A name without a dot takes the suffix; the error of a miss shows the name as given."""
    assert look("web", server.text, search=("corp.",)).addresses == ("10.0.0.3",)
    missing = look("gone", server.text, search=("corp.",))
    assert missing.failure.api_server_error == f"dial tcp: lookup gone on {server.text}: no such host"
    assert {name for name, _, _ in server.seen} >= {"gone.corp.", "gone."}


def test_mapped_addresses_are_ipv4(server):
    """Go makes an IPv4 address of ::ffff:a.b.c.d; the guard must see it so."""
    assert look("mapped.lab", server.text).addresses == ("10.0.0.9",)


def test_hosts_file_comes_first(server):
    resolution = look("GOOD.lab", server.text, hosts={"good.lab": ("10.9.9.9",)})
    assert (resolution.origin, resolution.addresses, server.seen) == ("hosts", ("10.9.9.9",), [])


def test_refused_by_icmp_costs_nothing(server):
    """A closed port says so; the next server answers at once."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        closed = f"127.0.0.1:{free.getsockname()[1]}"
    resolution = look("good.lab", closed, server.text, timeout=5.0)
    assert resolution.addresses
    assert resolution.ms < 4_000
    alone = look("good.lab", closed)
    assert code(alone) is Code.DNS_UNREACHABLE
    assert alone.failure.api_server_error.endswith("read: connection refused")


def test_any_number_of_rounds_ends(server):
    """`options attempts:1000000000` and servers that refuse at once: bounded, and others get their turn."""
    resolution = look("servfail.lab", server.text, attempts=10**9)
    assert len(resolution.lookups[0].queries) == 10


def test_names_go_never_asks_for_cost_no_packet(server):
    resolution = look("bad-.lab", server.text)
    assert resolution.failure.api_server_error == "dial tcp: lookup bad-.lab: no such host"
    assert server.seen == []


def test_forged_and_foreign_answers_are_passed_over(lab_loop):
    """A wrong id, a wrong question and noise first; the right answer still counts."""

    def handle(query, transport):
        good = serve_zone({"n.lab": Records(a=("10.0.0.8",))})(query, transport).message
        return Reply(good, delay=0.05)

    server = lab_loop.start(DnsServer(handle))
    request = make_request("n.lab.", "A")
    other = dns.message.make_response(dns.message.from_wire(make_request("other.lab.", "A").wire)).to_wire()
    assert mismatch(b"", request) == "cannot unmarshal DNS message"
    assert mismatch(other, request) == "invalid DNS response"
    assert mismatch(request.wire, request) == "invalid DNS response"  # QR is not set
    assert look("n.lab", server.text).addresses == ("10.0.0.8",)


def test_a_broken_answer(lab_loop):
    """The question is echoed, the rest is cut off: Go cannot unmarshal it and asks again."""

    def handle(query, transport):
        response = serve_zone({"cut.lab": Records(a=("10.0.0.8",), aaaa=("2600::8",))})(query, transport).message
        response.use_edns(-1)
        return Reply(response.to_wire()[:-3])

    server = lab_loop.start(DnsServer(handle))
    resolution = look("cut.lab", server.text)
    assert code(resolution) is Code.DNS_MALFORMED
    assert resolution.failure.api_server_error.endswith("cannot unmarshal DNS message")


def test_a_lame_referral_is_no_answer(lab_loop):
    """NOERROR, empty, neither authoritative nor recursive (golang/go #15434)."""

    def handle(query, _):
        response = dns.message.make_response(query)
        response.use_edns(-1)
        return Reply(response)

    resolution = look("x.lab", lab_loop.start(DnsServer(handle)).text)
    assert code(resolution) is Code.DNS_SERVFAIL
    assert resolution.failure.api_server_error.endswith("lame referral")


def test_the_runs_end_is_not_the_servers_fault(server):
    """Cut by the run's deadline: not measured, not a timeout."""
    resolution = look("drop.lab", server.text, seconds=0.3, timeout=5.0)
    assert code(resolution) is Code.DEADLINE_EXCEEDED


def test_rotate_begins_with_the_next_server(server, lab_loop):
    """Each lookup takes the next one first; without the option always the first."""
    second = lab_loop.start(DnsServer(serve_zone(ZONE)))
    firsts = {q.queries[0].server for q in look("good.lab", server.text, second.text, rotate=True).lookups}
    assert firsts == {server.text, second.text}
    assert {q.queries[0].server for q in look("good.lab", server.text, second.text).lookups} == {server.text}


def test_one_more_view(server):
    """A server to compare with is asked once and labelled with its address."""

    async def work():
        now = asyncio.get_running_loop().time()
        return await compare("good.lab", server.text, Budget(now + 5, now + 5))

    view = asyncio.run(work())
    assert view.view == server.text
    assert len(view.addresses) == 3


def test_system_configuration_is_read_from_the_files(tmp_path):
    (tmp_path / "resolv.conf").write_text("nameserver 10.0.0.2\n")
    (tmp_path / "hosts").write_text("10.0.0.9 web\n")
    config = system_config(tmp_path / "resolv.conf", tmp_path / "hosts")
    assert (config.servers, config.hosts) == (("10.0.0.2:53",), {"web": ("10.0.0.9",)})
    assert override_servers(config, ["10.0.0.3:5353"]).servers == ("10.0.0.3:5353",)
    assert system_config(tmp_path / "none", tmp_path / "none").servers == ("127.0.0.1:53", "[::1]:53")


# -- reading a message as Go does ---------------------------------------------------------------------------

QUESTION = b"\1a\3lab\0"
POINTER = b"\xc0\x0c"


def record(kind, data, *, owner=POINTER, size=None):
    return owner + struct.pack("!HHIH", kind, 1, 60, len(data) if size is None else size) + data


def response(*records, counts=None, flags=0x8180, questions=1, tail=b""):
    """A response to `a.lab. A`; `counts` of the three sections, by default all in the answer."""
    header = struct.pack("!6H", 7, flags, questions, *(counts or (len(records), 0, 0)))
    return header + (QUESTION + b"\0\1\0\1") * questions + b"".join(records) + tail


A1 = record(1, bytes((10, 0, 0, 1)))


@pytest.mark.parametrize(
    ("wire", "addresses", "error", "final"),
    [
        (response(A1), ("10.0.0.1",), "", True),
        (response(A1, record(1, b"\12\0\0\2")), ("10.0.0.1", "10.0.0.2"), "", True),
        # damage behind an address does not take it away
        (response(A1, counts=(2, 0, 0)), ("10.0.0.1",), "", True),
        (response(A1, tail=b"noise"), ("10.0.0.1",), "", True),
        # damage before it does, and the next server is asked
        (response(record(16, b"x", size=200), A1), (), "cannot unmarshal DNS message", False),
        (response(record(1, b"\12\0\0\1", owner=b"\x80"), A1), (), "cannot unmarshal DNS message", False),
        (response(counts=(1, 0, 0)), (), "cannot unmarshal DNS message", False),
        # a CNAME that cannot be read: passed over before the first address, the end behind it
        (response(record(5, b"\x80"), A1), ("10.0.0.1",), "", True),
        (response(A1, record(5, b"\x80"), record(1, b"\x0a\0\0\2")), ("10.0.0.1",), "", True),
        (response(record(5, b"\x80")), (), "no such host", True),
        # an A is four bytes, whatever its length says
        (response(record(1, b"\12\0\0\3\0\0", size=6)), ("10.0.0.3",), "", True),
        (response(record(1, b"\12\0\0", size=3)), (), "cannot unmarshal DNS message", True),
        # another type's address counts behind the first of the type asked for
        (response(A1, record(28, b"\x26\0" + bytes(13) + b"\1")), ("10.0.0.1", "2600::1"), "", True),
        (response(record(28, b"\x26\0" + bytes(13) + b"\1"), A1), ("10.0.0.1",), "", True),
        (response(record(28, b"\x26\0" + bytes(13) + b"\1")), (), "no such host", True),
        # names: loops, dots inside a label
        (response(record(1, b"\12\0\0\1", owner=struct.pack("!H", 0xC000 | 23))), (), "cannot unmarshal DNS message", False),
        (response(record(1, b"\12\0\0\1", owner=b"\3a.b\0")), (), "cannot unmarshal DNS message", False),
        # the extended response code of an OPT record: BADVERS
        (response(b"\0" + struct.pack("!HHIH", 41, 1232, 1 << 24, 0), counts=(0, 0, 1)), (), "server misbehaving", False),
        (response(A1, flags=0x8183), (), "no such host", True),
        (response(A1, questions=2), (), "invalid DNS response", False),
        (response(flags=0x8100), (), "lame referral", False),
        (response(record(41, b"", owner=b"\0"), counts=(0, 0, 1), flags=0x8100), (), "no such host", True),
    ],
)  # fmt: skip
def test_damage_is_minded_where_go_minds_it(wire, addresses, error, final):
    reading = read(wire, "A", over_udp=True)
    assert (reading.addresses, reading.error, reading.final) == (addresses, error, final)


@given(st.binary(max_size=80), st.tuples(*[st.integers(0, 3)] * 3))
def test_any_answer_is_read_somehow(tail, counts):
    """Total over what follows the question: an answer, a reason, never an exception."""
    reading = read(response(counts=counts, tail=tail), "A", over_udp=True)
    assert (reading.code is None) == bool(reading.addresses)


@given(st.lists(st.tuples(st.sampled_from(["A", "AAAA", "CNAME", "TXT"]), st.integers(0, 250)), max_size=8))
def test_what_dnspython_writes_is_read(records):
    """Messages of another implementation, compression included: the same addresses and aliases."""
    texts = {"A": "10.0.0.{}", "AAAA": "2600::{:x}", "CNAME": "c{}.a.lab.", "TXT": '"{}"'}
    message = dns.message.make_response(
        dns.message.from_wire(make_request("a.lab.", "A").wire), recursion_available=True
    )
    for kind, i in records:
        message.answer.append(dns.rrset.from_text("a.lab.", 60, "IN", kind, texts[kind].format(i)))
    reading = read(message.to_wire(), "A", over_udp=True)
    if any(kind == "A" for kind, _ in records):
        first = next(i for i, (kind, _) in enumerate(records) if kind == "A")
        wanted = [
            dns.rrset.from_text("a.lab.", 60, "IN", k, texts[k].format(i))[0].address
            for k, i in records[first:]
            if k in ("A", "AAAA")
        ]
        assert reading.addresses == tuple(wanted)
    else:
        assert reading.error == "no such host"
    assert reading.cnames == tuple(f"c{i}.a.lab." for k, i in records if k == "CNAME")


def _pointer(at):
    return struct.pack("!H", 0xC000 | at)


def _alias(owner, target):
    return owner + struct.pack("!HHIH", 5, 1, 60, len(target)) + target


_LONG = b"\1a" * 115 + POINTER
_LONG_AT = 12 + len(QUESTION) + 4 + 12
# A name of 120 labels, once, and the rest of 64 KB of records whose names point into it, in one way or another.
_INTO = {
    "its start": lambda i: _pointer(_LONG_AT),
    "any label": lambda i: _pointer(_LONG_AT + 2 * (i % 115)),
    "each other": lambda i: _pointer(_LONG_AT) if i < 1 else b"\1b" + _pointer(_LONG_AT + 200 + 20 * (i % 8)),
}


def _sixty_four_kilobytes(into):
    wire, i = response(record(16, _LONG), counts=(65535, 0, 0)), 0
    while len(wire) < 65_500:
        wire += _alias(into(i), into(i))
        i += 1
    return wire


@pytest.mark.parametrize("how", _INTO)
def test_an_answer_of_64_kilobytes_is_read_in_linear_time(how):
    """CPU time grows with the bytes, not with the bytes times the length of the names."""
    wire = _sixty_four_kilobytes(_INTO[how])
    assert_linear(lambda size: read(wire[:size], "A", over_udp=False), len(wire) // 16, len(wire))


@given(
    st.lists(
        st.one_of(
            st.binary(min_size=1, max_size=20).map(lambda label: bytes([len(label)]) + label),
            st.integers(0, 120).map(_pointer),
            st.sampled_from([b"\0", b"\x40", b"\xff"]),
        ),
        max_size=40,
    )
)
def test_names_are_read_as_if_each_were_alone(pieces):
    """What is remembered of one name never changes what another one is: offsets in any order give the same."""
    wire = b"".join(pieces)

    def name(names, at):
        try:
            return names.read(at)
        except ValueError:
            return None

    alone = [name(MessageNames(wire), at) for at in range(len(wire))]
    together, backwards = MessageNames(wire), MessageNames(wire)
    assert [name(together, at) for at in range(len(wire))] == alone
    assert [name(backwards, at) for at in reversed(range(len(wire)))] == alone[::-1]
    assert all(resolution is None or len(resolution[0]) <= 255 for resolution in alone)


def test_one_address_twice_counts_twice(lab_loop):
    """Go gives each of them its share of the dialer's time."""
    zone = {"twice.lab": Records(a=("10.0.0.8", "10.0.0.8", "10.0.0.9"))}
    resolution = look("twice.lab", lab_loop.start(DnsServer(serve_zone(zone))).text)
    assert resolution.addresses == ("10.0.0.8", "10.0.0.8", "10.0.0.9")


@pytest.mark.parametrize("single", [True, False])
def test_single_request_adds_the_times(lab_loop, single):
    """Go queries AAAA only when A has its answer: both delays count, in the report and in the forecast."""
    server = lab_loop.start(DnsServer(serve_zone({"slow.lab": Records(a=("10.0.0.8",), delay=0.15)})))

    def milliseconds():
        waited, resolution = timed(lambda: look("slow.lab", server.text, single_request=single, timeout=5.0))
        assert resolution.addresses == ("10.0.0.8",)
        assert resolution.ms <= waited
        return resolution.ms

    assert milliseconds() >= 295 if single else 145 <= least(milliseconds, 290) <= 290


@pytest.mark.parametrize("rcode", ["FORMERR", "NOTIMP"])
def test_a_server_without_edns_is_named(lab_loop, rcode):
    server = lab_loop.start(DnsServer(serve_zone({"x.lab": Records(fault_a=rcode, fault_aaaa=rcode)})))
    assert f"answers {rcode} to a query with EDNS(0)" in look("x.lab", server.text).failure.message


@pytest.mark.parametrize(
    ("records", "end"),
    [
        (Records(cname="gone.lab.", fault_a="NXDOMAIN", fault_aaaa="NXDOMAIN"), "NXDOMAIN): its CNAME chain ends at"),
        (Records(cname="gone.lab."), "record: its CNAME chain ends at"),
    ],
)
def test_the_end_of_a_cname_chain_is_named(lab_loop, records, end):
    server = lab_loop.start(DnsServer(serve_zone({"alias.lab": records})))
    assert f"{end} gone.lab." in look("alias.lab", server.text).failure.message


@pytest.mark.parametrize("step", [-20.0, -0.5, 0.3, 20.0])
def test_a_step_of_the_clock_does_not_change_a_duration(lab_loop, monkeypatch, step):
    """The wall clock is set between the query and its answer: the kernel stamps with the new time."""
    from egressprobe.probe.transport import kernel_socket

    server = lab_loop.start(DnsServer(serve_zone({"n.lab": Records(a=("10.0.0.8",), delay=0.1)})))
    real_time, real_receive, started = time.time, resolve_module.receive, time.monotonic()

    def shift():
        return step if time.monotonic() > started + 0.05 else 0.0

    def receive(sock, size):
        data, stamp = real_receive(sock, size)
        return data, None if stamp is None else stamp + shift()

    clock = SimpleNamespace(time=lambda: real_time() + shift(), monotonic=time.monotonic)
    monkeypatch.setattr(kernel_socket, "time", clock)
    monkeypatch.setattr(resolve_module, "receive", receive)
    waited, resolution = timed(lambda: look("n.lab", server.text, timeout=5.0))
    assert 95 <= resolution.ms <= waited
