"""The retry ladder against real boxes on the way: each fault with the right finding, and no wrong one."""

import asyncio

import pytest

from egressprobe.apiserver.client_rules import WEBHOOK_ALPN
from egressprobe.apiserver.kube_version import CLASSIC, HELLOS
from egressprobe.catalog.registry import FINDINGS
from egressprobe.lab.certs import issue, make_authority
from egressprobe.lab.servers import EofServer, HttpServer, Loop, ResetServer, TcpServer, server_context
from egressprobe.model.failure import Code, Failure, Phase
from egressprobe.model.measurement import Attempt, Handshake, Rung, TcpState
from egressprobe.probe.diagnosis.middlebox import path_causes
from egressprobe.probe.edges import Edges
from egressprobe.probe.run import run
from egressprobe.probe.transport.tls_context import Offer, client_hello, context, groups
from egressprobe.targets.plan import read_plan
from tests.support.peers import boxes

PORT = 8443
LADDER = {"PATH_MTU_BLACK_HOLE", "LARGE_CLIENT_HELLO_DROPPED", "SNI_FILTERED", "SERVER_SILENT", "FLOW_BLACK_HOLED"}
_HOST = "hook.corp.svc"


def _name_at() -> int:
    """Where the server name begins in our hello: the same in a large and a small one."""
    found = set()
    for shape in (HELLOS["1.35"], CLASSIC):
        made = context("", (), Offer(WEBHOOK_ALPN, shape, groups(shape)[0]), verify=False)
        found.add(client_hello(made, _HOST.encode()).index(_HOST.encode()))
    assert len(found) == 1
    return found.pop()


def _bytes(text: str) -> str:
    return f"0x{text.encode().hex()}"


# fault -> what the box does (10.99.2.N stands for the server's address), the finding and part of its evidence
_HELLO = "@ih,0,8 0x16"
_LARGE = f"{_HELLO} @ih,24,16 > 600"
_OUR_NAME = f"{_HELLO} @ih,{_name_at() * 8},64 {_bytes(_HOST[:8])}"
_NOT_LISTED = f"{_HELLO} @ih,{_name_at() * 8},64 != {_bytes('sts.amaz')}"
FAULTS = {
    "clean": ((), None, {}),
    "small MTU, ICMP comes back": ((), None, {}),
    "MTU hole on the way out": (
        ("ip daddr N meta length > 1400 drop",),
        "PATH_MTU_BLACK_HOLE",
        {"direction": "client to server"},
    ),
    "MTU hole on the way back": (
        ("ip saddr N meta length > 1400 drop",),
        "PATH_MTU_BLACK_HOLE",
        {"direction": "server to client"},
    ),
    "large hello dropped": ((f"ip daddr N {_LARGE} drop",), "LARGE_CLIENT_HELLO_DROPPED", {"how": "dropped"}),
    "large hello reset": (
        (f"ip daddr N {_LARGE} reject with tcp reset",),
        "LARGE_CLIENT_HELLO_DROPPED",
        {"how": "reset"},
    ),
    "name dropped": (
        (f"ip daddr N {_OUR_NAME} drop",),
        "SNI_FILTERED",
        {"how": "dropped", "answered": "egressprobe.invalid, sts.amazonaws.com, no name"},
    ),
    "name reset": ((f"ip daddr N {_OUR_NAME} reject with tcp reset",), "SNI_FILTERED", {"how": "reset"}),
    "names allowed by list": (
        (f"ip daddr N {_NOT_LISTED} drop",),
        "SNI_FILTERED",
        {"how": "dropped", "answered": "sts.amazonaws.com"},
    ),
    "everything after the SYN dropped": (
        ("ip daddr N meta length > 100 drop",),
        "FLOW_BLACK_HOLED",
        {"direction": "client to server"},
    ),
    "server silent": ((), "SERVER_SILENT", {}),
    "server resets": ((), None, {}),
    "server closes": ((), None, {}),
    "server slow": ((), None, {}),
    "works the second time": ((), None, {}),
}
ADDRESSES = {fault: f"10.99.2.{10 + i}" for i, fault in enumerate(FAULTS)}


class SecondTime(TcpServer):
    """Silent to the first who comes, then a web server."""

    def __init__(self, address, port, tls):
        super().__init__(address, port)
        self._then = tls

    async def talk(self, reader, writer):
        if self.accepted > 1:
            await writer.start_tls(self._then)


def _servers(tls):
    def server(fault, address):
        match fault:
            case "server silent":
                return TcpServer(address, PORT)
            case "server resets":
                return ResetServer(address, PORT)
            case "server closes":
                return EofServer(address, PORT)
            case "works the second time":
                return SecondTime(address, PORT, tls)
        return HttpServer(address, PORT, tls=tls, wait=2.0 if fault == "server slow" else 0.0)

    return [server(fault, address) for fault, address in ADDRESSES.items()]


@pytest.fixture(scope="module")
def results():
    """One run over all faults, and one of an older API server through the box that minds large hellos."""
    ca = make_authority("lab-ca")
    # A chain of several kilobytes, so that the way back carries full-size packets too.
    fat = tuple(f"{'x' * 50}-{i}.{_HOST}" for i in range(40))
    tls = server_context(issue(ca, (_HOST, *fat)))
    rules = tuple(rule.replace(" N ", f" {ADDRESSES[f]} ") for f, (lines, _, _) in FAULTS.items() for rule in lines)
    narrow = ADDRESSES["small MTU, ICMP comes back"]
    addresses = tuple(ADDRESSES.values())
    with boxes.row(addresses, rules, (f"{narrow}/32 dev away mtu lock 1300",)), Loop(boxes.enter("far")) as loop:
        for server in _servers(tls):
            loop.start(server)
        target = {"kind": "webhook", "caBundle": ca.pem, "service": {"namespace": "corp", "name": "hook"}}

        def reported(version, faults):
            targets = [target | {"name": f, "addresses": [f"{ADDRESSES[f]}:{PORT}"]} for f in faults]
            plan = read_plan({"targets": targets, "kubeVersion": version})
            return run(plan, run_id=version, seconds=30, concurrency=20, edges=Edges())

        async def both():
            some = ["clean", "large hello dropped", "server silent", "MTU hole on the way back"]
            return await asyncio.gather(reported("1.35", FAULTS), reported("1.31", some))

        new, old = asyncio.run(both())
    return {one.target.name: one for one in new.results}, {one.target.name: one for one in old.results}


def found(one):
    return {finding.code for finding in one.findings} & LADDER


@pytest.mark.netns
@pytest.mark.nftables
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_its_finding_and_no_other(fault, results):
    one = results[0][fault]
    _, code, evidence = FAULTS[fault]
    assert found(one) == ({code} if code else set()), one.attempts[0].ladder
    for finding in one.findings:
        if finding.code == code:
            assert {key: finding.evidence[key] for key in evidence} == evidence
            assert finding.remedy == FINDINGS[code].remedy
    passes = fault in ("clean", "small MTU, ICMP comes back", "server slow")
    assert (one.forecast.outcome == "pass") == passes, one.failure


@pytest.mark.netns
@pytest.mark.nftables
def test_the_ladder_climbs_beside_the_call(results):
    """Every rung is known before the call's own end, so that a run takes no longer than its silent targets."""
    for fault, one in results[0].items():
        climbed = one.attempts[0].ladder
        assert bool(climbed) == (one.forecast.outcome == "fail"), (fault, one.failure)
        if one.failure and one.failure.code is Code.TLS_TIMEOUT:
            assert one.duration_ms < 13_000  # the call's 10 s; a ladder after it ends at 13.5 s
            assert max(rung.ms for rung in climbed) < 8_000
        elif climbed:
            assert one.duration_ms < 10_000  # six rungs one after the other take over 20 s


@pytest.mark.netns
@pytest.mark.nftables
def test_an_older_api_server_passes_where_large_hellos_die(results):
    """Its hello fits one segment. The hole on the way back is there all the same."""
    old = results[1]
    assert old["large hello dropped"].forecast.outcome == "pass"
    assert found(old["large hello dropped"]) == set()
    assert found(old["server silent"]) == {"SERVER_SILENT"}
    assert found(old["MTU hole on the way back"]) == {"PATH_MTU_BLACK_HOLE"}
    assert old["clean"].attempts[0].tls.hello_bytes < 300


def test_trouble_of_the_ladders_own_leaves_the_failure_as_it_is(lab_loop, monkeypatch):
    """No rungs, no finding; the reset is still a reset."""
    from egressprobe.probe import retry_ladder as ladder

    async def broken(*_):
        raise RuntimeError

    monkeypatch.setattr(ladder, "climb", broken)
    server = lab_loop.start(ResetServer())
    target = {"kind": "kubelet", "name": "n", "addresses": [f"127.0.0.1:{server.port}"]}
    edges = Edges(guard=lambda _: None)
    [one] = asyncio.run(run(read_plan({"targets": [target]}), run_id="x", seconds=10, edges=edges)).results
    assert (one.failure.code, one.attempts[0].ladder) == (Code.TLS_RESET, ())


# -- what the rungs mean, without a network ---------------------------------------------------------------------


def climbed(code, tcp=None, **outcomes):
    """An attempt whose rungs ended as given; `other` for each other name."""
    names = {"again": "again", "again_536": "again-mss-536", "small": "small", "small_536": "small-mss-536"}
    rungs = [Rung(names[key], 1, None, "n", outcome, 1.0) for key, outcome in outcomes.items() if key in names]
    rungs += [Rung("other-name", 1, None, None, outcome, 1.0) for outcome in outcomes.get("other", ())]
    failure = Failure(Phase.TLS, code, "m")
    return Attempt("10.0.0.1", 443, "ipv4", 1.0, tls=Handshake(1.0, 1.0), failure=failure, tcp=tcp, ladder=tuple(rungs))


ACKED, STUCK = TcpState(0, 1500, 0, 0, 0), TcpState(2, 1, 0, 0, 3)
ALL_SILENT = {"again": "silent", "again_536": "silent", "small": "silent", "small_536": "silent"}


@pytest.mark.parametrize(
    ("attempt", "wanted"),
    [
        (climbed(Code.TLS_TIMEOUT, STUCK, **ALL_SILENT | {"again_536": "answered"}), ["PATH_MTU_BLACK_HOLE"]),
        (climbed(Code.TLS_RESET, STUCK, **ALL_SILENT | {"again_536": "answered"}), []),
        (climbed(Code.TLS_TIMEOUT, STUCK, **ALL_SILENT | {"again": "answered"}), []),
        (climbed(Code.TLS_EOF, ACKED, **ALL_SILENT | {"small": "answered"}), ["LARGE_CLIENT_HELLO_DROPPED"]),
        (
            climbed(Code.TLS_TIMEOUT, ACKED, **ALL_SILENT | {"small_536": "answered"}),
            ["LARGE_CLIENT_HELLO_DROPPED", "PATH_MTU_BLACK_HOLE"],
        ),
        (climbed(Code.TLS_RESET, ACKED, **ALL_SILENT | {"small_536": "answered"}), ["LARGE_CLIENT_HELLO_DROPPED"]),
        (climbed(Code.TLS_TIMEOUT, STUCK, **ALL_SILENT, other=["silent", "answered"]), ["SNI_FILTERED"]),
        (climbed(Code.TLS_TIMEOUT, STUCK, **ALL_SILENT, other=["silent", "silent"]), ["FLOW_BLACK_HOLED"]),
        (climbed(Code.TLS_TIMEOUT, ACKED, **ALL_SILENT, other=["silent", "silent"]), ["SERVER_SILENT"]),
        (climbed(Code.TLS_TIMEOUT, TcpState(0, 1500, 0, 3, 0), **ALL_SILENT), ["FLOW_BLACK_HOLED"]),
        # what was not tried proves nothing
        (climbed(Code.TLS_TIMEOUT, ACKED, **ALL_SILENT | {"again_536": "unknown"}), []),
        (climbed(Code.TLS_TIMEOUT, ACKED, **ALL_SILENT | {"small": "unknown"}), []),
        (climbed(Code.TLS_TIMEOUT, ACKED, **ALL_SILENT, other=["silent", "unknown"]), []),
        (climbed(Code.TLS_TIMEOUT, None, **ALL_SILENT, other=["silent"]), []),
        (climbed(Code.TLS_RESET, ACKED, **dict.fromkeys(ALL_SILENT, "reset"), other=["reset"]), []),
        (climbed(Code.TLS_TIMEOUT, ACKED), []),
        (climbed(Code.TLS_ALERT, ACKED, **ALL_SILENT), []),
    ],
)  # fmt: skip
def test_what_the_rungs_mean(attempt, wanted):
    assert [verdict.code for verdict in path_causes(attempt)] == wanted
