"""The ClientHello as it leaves the machine, captured packet by packet: size, TCP segments, where the name is."""

import asyncio
import math
import socket
import ssl
import struct

import pytest

from egressprobe.lab.certs import issue, make_authority
from egressprobe.lab.servers import HttpServer, Loop, server_context
from egressprobe.probe.edges import Edges
from egressprobe.probe.run import run
from egressprobe.targets.plan import read_plan
from tests.support.peers import boxes

ADDRESS, PORT = "10.99.2.10", 8443
# Recorded of kube-apiserver with a server name of five characters, and the TCP segments that takes.
RECORDED = {"1.31": (262, 1), "1.33": (1482, 2), "1.34": (1482, 2), "1.35": (1508, 2), "1.36": (1512, 2)}
_MSS = 1448  # 1500 bytes less IPv4, TCP and its time stamps
_ETH_P_ALL = 3


def _segments(packets: list[bytes]) -> list[bytes]:
    """The TCP payloads on their way to the server, in order, retransmissions once."""
    payloads: dict[int, bytes] = {}
    for packet in packets:
        ip = packet[14:]
        if packet[12:14] != b"\x08\x00" or ip[9] != socket.IPPROTO_TCP or ip[16:20] != socket.inet_aton(ADDRESS):
            continue
        tcp = ip[(ip[0] & 15) * 4 : struct.unpack_from("!H", ip, 2)[0]]
        payload = tcp[(tcp[12] >> 4) * 4 :]
        if payload:
            payloads.setdefault(struct.unpack_from("!I", tcp, 4)[0], payload)
    return [payloads[sequence] for sequence in sorted(payloads)]


def _hello(segments: list[bytes]) -> tuple[int, list[bytes]]:
    """The record's size, its header included, and the segments that carry it."""
    size = 5 + struct.unpack_from("!H", segments[0], 3)[0]
    count = next(i for i in range(1, len(segments) + 1) if sum(map(len, segments[:i])) >= size)
    return size, segments[:count]


@pytest.fixture(scope="module")
def captured():
    """One probe a version, each to the same server, and what left the interface meanwhile."""
    ca = make_authority("lab-ca")
    by_version = {}
    with boxes.row((ADDRESS,), ()), Loop(boxes.enter("far")) as loop:
        loop.start(HttpServer(ADDRESS, PORT, tls=server_context(issue(ca, ("a.b.svc",)))))
        for version in RECORDED:
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL)) as wire:
                wire.bind(("here", 0))
                wire.setblocking(False)
                target = {"kind": "webhook", "name": "a", "service": {"namespace": "b", "name": "a"}}
                target |= {"addresses": [f"{ADDRESS}:{PORT}"], "caBundle": ca.pem}
                plan = read_plan({"targets": [target], "kubeVersion": version})
                report = asyncio.run(run(plan, run_id="hello", seconds=10, edges=Edges()))
                packets = []
                while True:
                    try:
                        packets.append(wire.recv(65536))
                    except BlockingIOError:
                        break
                by_version[version] = (report.results[0], _segments(packets))
    return by_version


@pytest.mark.netns
@pytest.mark.nftables
@pytest.mark.parametrize("version", RECORDED)
def test_the_hello_on_the_wire_is_gos(version, captured):
    """Within 3% of Go's size for the version, in as many segments, the server name whole in the first.

    OpenSSL 3.5 cannot be kept from offering ML-DSA signatures: its small hello is 15 bytes over.
    """
    result, segments = captured[version]
    assert result.verdict == "pass", result.failure
    size, carried = _hello(segments)
    recorded, count = RECORDED[version]
    wanted = recorded - 5 + len("a.b.svc")
    assert abs(size - wanted) <= (16 if count == 1 and ssl.OPENSSL_VERSION_INFO >= (3, 5) else 0.03 * wanted)
    assert len(carried) == count == math.ceil(wanted / _MSS)
    assert b"a.b.svc" in carried[0]
    assert result.attempts[0].tls.hello_bytes == size


@pytest.mark.netns
@pytest.mark.nftables
def test_no_padding_name_is_ever_selected(captured):
    """The dummy ALPN names that fill the hello are nobody's protocol."""
    for result, _ in captured.values():
        assert result.attempts[0].tls.alpn is None
