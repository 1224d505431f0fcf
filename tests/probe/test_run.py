"""A run as a whole: verdicts of every kind, degraded reasons, views, negative tests, slots, deadlines."""

import asyncio
import time
from datetime import timedelta

import pytest

from egressprobe.catalog.registry import lookup
from egressprobe.golang.resolver import ResolverConfig
from egressprobe.lab.certs import issue, make_authority
from egressprobe.lab.dns import DnsServer, Records, serve_zone
from egressprobe.lab.servers import DeafServer, HttpServer, Page, ResetServer, TcpServer, server_context
from egressprobe.model.failure import Code
from egressprobe.model.target import Impact, Verdict
from egressprobe.probe.concurrency import Slots
from egressprobe.probe.edges import Edges
from egressprobe.probe.run import run
from egressprobe.targets.plan import read_plan

CA = make_authority("ca")


class World:
    """Names on loopback addresses, and a run over some targets."""

    def __init__(self, loop, zone):
        self.dns = loop.start(DnsServer(serve_zone(zone)))

    def probe(self, *targets, seconds=20.0, concurrency=10, **plan):
        document = {"targets": [target | _bundle(target) for target in targets]} | plan
        config = ResolverConfig(servers=(self.dns.text,))
        edges = Edges(guard=lambda _: None, config=config)
        return asyncio.run(
            run(read_plan(document), run_id="t", seconds=seconds, concurrency=concurrency, edges=edges)
        ).results


def _bundle(target):
    return {} if target["kind"] == "kubelet" or target.get("url", "").startswith("tcp") else {"caBundle": CA.pem}


def hook(host, port, **more):
    return {"kind": "webhook", "name": f"{host}:{port}", "url": f"https://{host}:{port}/"} | more


def endpoint(url, **more):
    return {"kind": "endpoint", "name": url, "url": url} | more


def codes(one):
    return [found.code for found in one.findings]


def tls(*names, **times):
    return server_context(issue(CA, names, **times))


def test_a_certificate_that_ends_soon_degrades(lab_loop):
    """Less than seven days or a fifth of its life."""
    world = World(lab_loop, {"t.lab": Records(a=("127.0.0.1",))})
    servers = [
        lab_loop.start(HttpServer(tls=tls("t.lab", begins=begins, ends=ends)))
        for begins, ends in (
            (timedelta(days=-80), timedelta(days=6)),
            (timedelta(days=-80), timedelta(days=8)),
            (timedelta(hours=-30), timedelta(hours=6)),
            (timedelta(hours=-20), timedelta(hours=6)),
        )
    ]
    found = world.probe(*(hook("t.lab", server.port) for server in servers))
    soon = [codes(one) == ["CERT_EXPIRES_SOON"] for one in found]
    assert soon == [True, False, True, False]
    assert [one.verdict for one in found] == [Verdict.DEGRADED, Verdict.PASS] * 2


def test_one_dead_address_of_three_degrades_and_of_two_fails(lab_loop):
    """Shares of 2/3 and 1/2 around the line; refused ones cost nothing but are named."""
    port = lab_loop.start(HttpServer("127.0.0.1", tls=tls("*.lab"))).port
    lab_loop.start(HttpServer("127.0.0.2", port, tls=tls("*.lab")))
    lab_loop.start(DeafServer("127.0.0.3", port))
    zone = {
        "three.lab": Records(a=("127.0.0.1", "127.0.0.2", "127.0.0.3")),
        "two.lab": Records(a=("127.0.0.1", "127.0.0.3")),
        "refused.lab": Records(a=("127.0.0.1", "127.0.0.4")),
    }
    world = World(lab_loop, zone)
    three, two, refused = world.probe(
        *(hook(f"{name}.lab", port, timeoutSeconds=1) for name in ("three", "two", "refused"))
    )
    assert (three.verdict, three.forecast.share, codes(three)) == (Verdict.DEGRADED, 0.6667, ["ADDRESS_DEAD"])
    assert (two.verdict, two.forecast.share, two.failure.code) == (Verdict.FAIL, 0.5, Code.CONNECT_TIMEOUT)
    assert two.failure.api_server_error.endswith("context deadline exceeded")
    assert (refused.verdict, refused.forecast.share, codes(refused)) == (Verdict.DEGRADED, 1.0, ["ADDRESS_DEAD"])


def test_slow_answers_degrade(lab_loop):
    """Half of the limit in DNS, or in the call."""
    port = lab_loop.start(HttpServer(tls=tls("*.lab"))).port
    slow = lab_loop.start(HttpServer(tls=tls("*.lab"), wait=1.1)).port
    zone = {"dns.lab": Records(a=("127.0.0.1",), delay=1.1), "call.lab": Records(a=("127.0.0.1",))}
    dns, call = World(lab_loop, zone).probe(
        hook("dns.lab", port, timeoutSeconds=2), hook("call.lab", slow, timeoutSeconds=2)
    )
    assert (dns.verdict, codes(dns)) == (Verdict.DEGRADED, ["DNS_SLOW"])
    assert (call.verdict, codes(call)) == (Verdict.DEGRADED, ["CALL_SLOW"])


def test_a_load_balancer_with_nothing_behind_degrades(lab_loop):
    pages = {"/": Page(b"", "503 Service Unavailable")}
    port = lab_loop.start(HttpServer(tls=tls("t.lab"), pages=pages)).port
    [one] = World(lab_loop, {"t.lab": Records(a=("127.0.0.1",))}).probe(hook("t.lab", port))
    assert (one.verdict, codes(one)) == (Verdict.DEGRADED, ["SERVER_ERROR_STATUS"])


@pytest.mark.parametrize(
    ("other", "differ"),
    [
        ({"t.lab": Records(a=("127.0.0.1",))}, False),
        ({"t.lab": Records(a=("127.0.0.9",))}, False),  # round robin
        ({}, True),  # one does not know the name
        ({"t.lab": Records(a=("52.94.0.1",))}, True),  # public where ours is private
        ({"t.lab": Records(fault_a="drop", fault_aaaa="drop")}, False),  # nothing said is no other opinion
    ],
)
def test_views_are_compared(lab_loop, other, differ):
    """Kinds of answers, not addresses; it does not change the verdict."""
    port = lab_loop.start(HttpServer(tls=tls("t.lab"))).port
    second = lab_loop.start(DnsServer(serve_zone(other)))
    world = World(lab_loop, {"t.lab": Records(a=("127.0.0.1",))})
    [one] = world.probe(hook("t.lab", port), compareResolvers=[second.text])
    assert codes(one) == (["DNS_VIEWS_DIFFER"] if differ else [])
    assert one.verdict is Verdict.PASS
    assert [r.view for r in one.resolutions] == ["system", second.text]


def test_targets_that_must_be_blocked(lab_loop):
    """Blocked and a control works: pass. Reached: fail. Cut in the handshake: blocked for tls://."""
    good = lab_loop.start(HttpServer(tls=tls("t.lab"))).port
    deaf = lab_loop.start(DeafServer()).port
    reset = lab_loop.start(ResetServer()).port
    world = World(lab_loop, {"t.lab": Records(a=("127.0.0.1",))})
    blocked, cut, leak, _ = world.probe(
        endpoint(f"tcp://t.lab:{deaf}", expect="blocked", timeoutSeconds=1),
        endpoint(f"tls://t.lab:{reset}", expect="blocked"),
        endpoint(f"tcp://t.lab:{good}", expect="blocked"),
        endpoint(f"tls://t.lab:{good}"),
    )
    assert [result.verdict for result in (blocked, cut, leak)] == [Verdict.PASS, Verdict.PASS, Verdict.FAIL]
    assert (codes(blocked), codes(cut)) == ([], ["BLOCKED_IN_TLS"])
    assert leak.failure.code is Code.BLOCKED_TARGET_REACHED
    assert leak.impact is Impact.NONE


@pytest.mark.parametrize(
    ("records", "verdict"),
    [
        (None, Verdict.PASS),  # NXDOMAIN
        (Records(), Verdict.PASS),  # no address of either family
        (Records(fault_a="refused", fault_aaaa="refused"), Verdict.PASS),
        (Records(fault_a="drop", fault_aaaa="drop"), Verdict.PASS),
        (Records(fault_a="servfail", fault_aaaa="servfail"), Verdict.UNKNOWN),  # the name server's own trouble
    ],
)
@pytest.mark.parametrize("own", [True, False], ids=["its control", "another target"])
def test_blocked_by_dns_while_the_control_resolves(lab_loop, records, verdict, own):
    """A DNS firewall answers NXDOMAIN, no address or nothing; the API server cannot reach such a name."""
    good = lab_loop.start(TcpServer()).port
    zone = {"t.lab": Records(a=("127.0.0.1",))} | ({"closed.lab": records} if records else {})
    closed = endpoint("tcp://closed.lab:443", expect="blocked", timeoutSeconds=1)
    control = f"tcp://t.lab:{good}"
    targets = [closed | {"control": control}] if own else [closed, endpoint(control)]
    found = World(lab_loop, zone).probe(*targets)[0]
    assert found.verdict is verdict
    assert codes(found) == (["BLOCKED_BY_DNS"] if verdict is Verdict.PASS else [])


@pytest.mark.parametrize("control", ["tcp://127.0.0.1:{good}", "tcp://t.lab:{deaf}", "tcp://other.lab:{good}"])
def test_a_name_that_does_not_resolve_is_unknown_without_a_control_that_does(lab_loop, control):
    """An address proves no DNS, a control that is down proves nothing: unknown, and the control is named."""
    good, deaf = lab_loop.start(TcpServer()).port, lab_loop.start(DeafServer()).port
    control = control.format(good=good, deaf=deaf)
    world = World(lab_loop, {"t.lab": Records(a=("127.0.0.1",))})
    [found] = world.probe(endpoint("tcp://closed.lab:443", expect="blocked", timeoutSeconds=1, control=control))
    assert (found.verdict, found.failure.code) == (Verdict.UNKNOWN, Code.CONTROL_UNREACHABLE)
    assert control in found.failure.message


def test_blocked_means_nothing_without_a_positive_control(lab_loop):
    """A dead vantage is not a perfect firewall; a control of its own settles it either way."""
    good = lab_loop.start(TcpServer()).port
    deaf = lab_loop.start(DeafServer()).port
    world = World(lab_loop, {"t.lab": Records(a=("127.0.0.1",))})
    target = endpoint(f"tcp://t.lab:{deaf}", expect="blocked", timeoutSeconds=1)
    [alone] = world.probe(target)
    assert (alone.verdict, codes(alone)) == (Verdict.UNKNOWN, ["NO_POSITIVE_CONTROL"])
    assert "no other target of this run" in alone.failure.message
    [proven] = world.probe(target | {"control": f"tcp://t.lab:{good}"})
    assert proven.verdict is Verdict.PASS
    # Others connect, its control does not: that is what is said, and nothing is to be opened for the target.
    dead, other = world.probe(target | {"control": f"tcp://t.lab:{deaf}"}, endpoint(f"tcp://t.lab:{good}"))
    assert (dead.verdict, other.verdict) == (Verdict.UNKNOWN, Verdict.PASS)
    assert dead.failure.code is Code.CONTROL_UNREACHABLE
    assert f"neither can its control tcp://t.lab:{deaf}: " in dead.failure.message
    assert "Nothing is to be opened" in lookup(dead.failure.code).remedy


def test_kinds_given_by_addresses(lab_loop):
    """The name verified is the service's; a kubelet's is not; nothing is resolved; the switch does not touch them."""
    service = {"namespace": "ns", "name": "svc", "port": 443}
    pod = lab_loop.start(HttpServer(tls=tls("svc.ns.svc"))).port
    wrong = lab_loop.start(HttpServer(tls=tls("other"), pages={"/apis": Page(b"{}")})).port
    world = World(lab_loop, {})
    hooked, api, insecure, nodes = world.probe(
        {"kind": "webhook", "name": "w", "service": service, "addresses": [f"127.0.0.1:{pod}"]},
        {"kind": "aggregated-api", "name": "a", "service": service, "addresses": [f"127.0.0.1:{wrong}"]},
        {"kind": "aggregated-api", "name": "i", "service": service, "addresses": [f"127.0.0.1:{wrong}"], "insecureSkipTLSVerify": True},
        {"kind": "kubelet", "name": "n", "addresses": [f"127.0.0.1:{wrong}"]},
    )  # fmt: skip
    assert [one.verdict for one in (hooked, api, insecure, nodes)] == [
        Verdict.PASS,
        Verdict.FAIL,
        Verdict.PASS,
        Verdict.PASS,
    ]
    assert api.failure.code is Code.TLS_HOSTNAME_MISMATCH
    assert api.failure.api_server_error.startswith("error trying to reach service: tls: failed to verify certificate")
    assert not any(one.switch_relevant or one.resolutions for one in (hooked, api, insecure, nodes))
    assert world.dns.seen == []


def test_endpoints_that_are_host_names_are_looked_up_and_dialled(lab_loop):
    """An EndpointSlice of addressType FQDN: the name is dialled, the Service's name is verified, the guard still holds."""
    service = {"namespace": "ns", "name": "svc"}
    pod = lab_loop.start(HttpServer(tls=tls("svc.ns.svc"))).port
    world = World(lab_loop, {"pod.lab": Records(a=("127.0.0.1",)), "more.lab": Records(a=("127.0.0.2", "127.0.0.1"))})
    hook = {"kind": "webhook", "service": service, "caBundle": CA.pem}
    one, gone, mixed = world.probe(
        hook | {"name": "one", "addresses": [f"pod.lab:{pod}"]},
        hook | {"name": "gone", "addresses": ["gone.lab:9443"]},
        hook | {"name": "mixed", "addresses": [f"127.0.0.1:{pod}", "gone.lab:9443"]},
    )
    assert (one.verdict, [(r.host, r.addresses) for r in one.resolutions]) == (
        Verdict.PASS,
        [("pod.lab", ("127.0.0.1",))],
    )
    assert [attempt.tls.server_name for attempt in one.attempts] == ["svc.ns.svc"]
    assert (gone.verdict, gone.failure.code) == (Verdict.FAIL, Code.DNS_NXDOMAIN)
    assert "lookup gone.lab on" in gone.failure.api_server_error
    assert (mixed.verdict, mixed.forecast.share) == (Verdict.FAIL, 0.5), "each call picks one of the two"
    assert [attempt.failure and attempt.failure.code for attempt in mixed.attempts] == [None, Code.DNS_NXDOMAIN]


def test_silent_targets_do_not_hold_up_the_others(lab_loop):
    """Twenty targets, five slots, three of them silent: the other seventeen finish as if they were alone."""
    port = lab_loop.start(HttpServer(tls=tls("t.lab"), wait=0.05)).port
    deaf = lab_loop.start(TcpServer()).port
    world = World(lab_loop, {"t.lab": Records(a=("127.0.0.1",))})
    live = [hook("t.lab", port, name=f"live-{i}") for i in range(17)]
    silent = [hook("t.lab", deaf, name=f"silent-{i}", timeoutSeconds=2) for i in range(3)]
    ends = []

    async def work():
        started = time.perf_counter()
        document = {"targets": [t | {"caBundle": CA.pem} for t in (*silent, *live)]}
        edges = Edges(guard=lambda _: None, config=ResolverConfig(servers=(world.dns.text,)))
        await run(
            read_plan(document),
            run_id="t",
            seconds=20,
            concurrency=5,
            edges=edges,
            on_measured=lambda t: ends.append((t.name, time.perf_counter() - started)),
        )

    asyncio.run(work())
    last_live = max(end for name, end in ends if name.startswith("live"))
    first_silent = min(end for name, end in ends if name.startswith("silent"))
    assert last_live < first_silent
    assert first_silent > 1.9


@pytest.mark.thorough
def test_many_silent_addresses_stay_within_the_descriptors(lab_loop):
    """Sixty silent addresses and a live one: dialled eight at a time, bounded in time, and never a pass."""
    deaf = lab_loop.start(DeafServer("127.0.0.1"))
    zone = {"many.lab": Records(a=("127.0.0.1", *(f"127.0.7.{i}" for i in range(1, 60))))}
    for i in range(1, 60):
        lab_loop.start(DeafServer(f"127.0.7.{i}", deaf.port))
    started = time.monotonic()
    [one] = World(lab_loop, zone).probe(hook("many.lab", deaf.port, timeoutSeconds=2))
    assert time.monotonic() - started < 25  # one after the other, they take two minutes
    assert len(one.attempts) == 60
    assert one.verdict in (Verdict.FAIL, Verdict.UNKNOWN)
    assert one.forecast is None or one.forecast.outcome == "fail"


def test_room_for_unfinished_targets():
    """Two slots and room for four: parked ones let others start, but never more than four at once."""
    most = running = 0

    async def work():
        slots = Slots(2, most=4)

        async def one():
            nonlocal most, running
            async with slots.take():
                running += 1
                most = max(most, running)
                await asyncio.sleep(0.3)
                running -= 1

        await asyncio.gather(*(one() for _ in range(12)))

    asyncio.run(work())
    assert most == 4


def test_when_time_is_up_a_complete_report_leaves(lab_loop):
    """More targets than the time allows: every one is in the report, unknown where it was not measured."""
    silent = lab_loop.start(TcpServer()).port
    world = World(lab_loop, {"t.lab": Records(a=("127.0.0.1",))})
    started = time.monotonic()
    found = world.probe(*(hook("t.lab", silent, name=f"s{i}") for i in range(40)), seconds=0.6, concurrency=2)
    assert time.monotonic() - started < 10  # without the run's end, over three minutes
    assert len(found) == 40
    assert [one.failure for one in found if one.verdict is not Verdict.UNKNOWN] == []
    assert {one.failure.code for one in found} == {Code.DEADLINE_EXCEEDED}


@pytest.mark.netns
def test_a_service_unreachable_for_the_network_is_named(lab_loop):
    """No route for a family: the kernel's own word for it."""
    world = World(lab_loop, {"six.lab": Records(aaaa=("2001:db8::1",))})
    [one] = world.probe(hook("six.lab", 443, timeoutSeconds=1))
    assert one.failure.code in {Code.NETWORK_UNREACHABLE, Code.CONNECT_TIMEOUT, Code.HOST_UNREACHABLE}
