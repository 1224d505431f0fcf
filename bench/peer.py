"""Side by side with blackbox_exporter on the same servers, in one run: `make bench-peer`.

200 targets, each with a name of its own, asked of the same name server, over the same TLS servers. The peer does
its tcp+tls probe (`prober: tcp`, `tls: true`); ours does that, one exchange, the certificate rules, the forecast
and the report. Both by the same number of probes in flight; rounds take turns, so that a noisy machine is noisy
for both. CPU is the process's own: user and system.

Needs prometheus-blackbox-exporter on PATH (Debian: apt-get install prometheus-blackbox-exporter) and a network of
its own (scripts/isolated), because both ask the name server in /etc/resolv.conf on port 53.
"""

import asyncio
import http.client
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from egressprobe.golang.resolver import ResolverConfig
from egressprobe.lab.certs import issue, make_authority
from egressprobe.lab.dns import DnsServer, Records, serve_zone
from egressprobe.lab.servers import HttpServer, Loop, server_context
from egressprobe.probe.edges import Edges
from egressprobe.probe.run import run
from egressprobe.targets.plan import read_plan

PEER = "prometheus-blackbox-exporter"
TARGETS, ROUNDS, IN_FLIGHT = 200, 9, (5, 10, 20)
# For a quiet machine. A busy one costs Python more than Go: 1.2 to 1.4 with 18 processes that want 2 cores.
CPU_BOUND, WALL_BOUND = 1.2, 1.0
_ADDRESS, _PORT = "127.0.0.1", 9115


class Cost(NamedTuple):
    """Of one round: seconds on the wall, CPU milliseconds a probe."""

    wall: float
    cpu_ms: float


def serve() -> None:
    """The other side: prints where it is, serves until standard input ends."""
    ca = make_authority("bench")
    with Loop() as loop:
        web = loop.start(HttpServer(tls=server_context(issue(ca, ("*.lab",)))))
        zone = {f"t{i}.lab": Records(a=(_ADDRESS,)) for i in range(TARGETS)}
        loop.start(DnsServer(serve_zone(zone), _ADDRESS, 53))
        print(json.dumps({"ca": ca.pem, "port": web.port}), flush=True)
        sys.stdin.read()


def cpu_seconds(process: int) -> float:
    """User and system time of a process, all threads (proc(5), stat fields 14 and 15)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ours(world: dict[str, Any], in_flight: int) -> Cost:
    hook = {"kind": "webhook", "caBundle": world["ca"]}
    plan = read_plan(
        {"targets": [hook | {"name": f"t{i}", "url": f"https://t{i}.lab:{world['port']}/"} for i in range(TARGETS)]}
    )
    edges = Edges(guard=lambda _: None, config=ResolverConfig(servers=(f"{_ADDRESS}:53",)))
    spent, started = time.process_time(), time.perf_counter()
    report = asyncio.run(run(plan, run_id="bench", seconds=60, concurrency=in_flight, edges=edges))
    cost = Cost(time.perf_counter() - started, (time.process_time() - spent) / TARGETS * 1e3)
    assert report.summary.passed == TARGETS, report.summary
    return cost


def theirs(world: dict[str, Any], in_flight: int, process: int) -> Cost:
    """The peer's probes, asked for as Prometheus does: over connections that are kept."""
    waiting: SimpleQueue[int] = SimpleQueue()
    for i in range(TARGETS):
        waiting.put(i)
    good: list[int] = []

    def ask() -> None:
        connection = http.client.HTTPConnection(_ADDRESS, _PORT)
        with suppress(Empty):
            while True:
                i = waiting.get_nowait()
                connection.request("GET", f"/probe?module=tls&target=t{i}.lab:{world['port']}")
                if b"probe_success 1" in connection.getresponse().read():
                    good.append(i)

    threads = [threading.Thread(target=ask) for _ in range(in_flight)]
    spent, started = cpu_seconds(process), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cost = Cost(time.perf_counter() - started, (cpu_seconds(process) - spent) / TARGETS * 1e3)
    assert len(good) == TARGETS, len(good)
    return cost


@contextmanager
def peer(ca: str, folder: Path) -> Iterator[int]:
    """The peer, configured for a TLS handshake; its process id."""
    (folder / "ca.pem").write_text(ca)
    tls = {"tls": True, "tls_config": {"ca_file": str(folder / "ca.pem")}}
    config = {"modules": {"tls": {"prober": "tcp", "timeout": "10s", "tcp": tls}}}
    (folder / "peer.yml").write_text(json.dumps(config))
    command = [PEER, f"--config.file={folder / 'peer.yml'}", f"--web.listen-address={_ADDRESS}:{_PORT}"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            time.sleep(0.1)
            with suppress(OSError):
                http.client.HTTPConnection(_ADDRESS, _PORT).connect()
                break
        yield process.pid
    finally:
        process.kill()
        process.wait()


def compare(world: dict[str, Any], process: int) -> bool:
    """Rounds in turn, medians of the pairs' ratios; True when both bounds hold at every concurrency."""
    ours(world, 10), theirs(world, 10, process)
    fine = True
    print(f"{TARGETS} targets, medians of {ROUNDS} pairs    ours             peer             ratio")
    for in_flight in IN_FLIGHT:
        pairs = [(ours(world, in_flight), theirs(world, in_flight, process)) for _ in range(ROUNDS)]
        for what, at, bound, scale in (("CPU ms/probe", 1, CPU_BOUND, 1.0), ("wall ms", 0, WALL_BOUND, 1e3)):
            mine, other = (statistics.median(pair[side][at] for pair in pairs) * scale for side in (0, 1))
            ratio = statistics.median(pair[0][at] / pair[1][at] for pair in pairs)
            fine &= ratio <= bound
            ok = "ok" if ratio <= bound else "OVER"
            print(f"  C={in_flight:<3} {what:<26} {mine:>6.2f} {other:>16.2f} {ratio:>16.2f} of {bound}  {ok}")
    return fine


def main() -> int:
    if sys.argv[1:] == ["serve"]:
        serve()
        return 0
    if not shutil.which(PEER) or not os.environ.get("EGRESSPROBE_ISOLATED"):
        print(f"bench-peer: NOT RUN: needs {PEER} on PATH and network namespaces (make bench-peer)", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "resolv.conf").write_text(f"nameserver {_ADDRESS}\n")
        subprocess.run(["mount", "--bind", folder / "resolv.conf", "/etc/resolv.conf"], check=True)
        server = subprocess.Popen(
            [sys.executable, __file__, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert server.stdout is not None
        world = json.loads(server.stdout.readline())
        try:
            with peer(world["ca"], folder) as process:
                return 0 if compare(world, process) else 1
        finally:
            server.kill()
            server.wait()
            subprocess.run(["umount", "/etc/resolv.conf"], check=False)


if __name__ == "__main__":
    sys.exit(main())
