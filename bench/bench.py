"""What a run costs and whether its times are honest: `make bench`.

On loopback, servers in a process of their own that wait a known time before they answer:

- wall clock and CPU of this process for 1, 20 and 200 targets, its peak memory;
- honesty: the reported first-byte time against the server's true wait;
- concurrency: 20 targets against 1.5 x ceil(20 / C) x wait + their CPU;
- isolation: 3 silent targets among 20, and when the last of the other 17 is done.

Everything at full CPU and, where cgroup v2 allows it, at a quota of 15%, the share of a 256 MB function.
Each figure is a median of several runs in one session; compare within one output only.
"""

import argparse
import asyncio
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from egressprobe.golang.resolver import ResolverConfig
from egressprobe.lab.certs import issue, make_authority
from egressprobe.lab.dns import DnsServer, Records, serve_zone
from egressprobe.lab.servers import HttpServer, Loop, TcpServer, server_context
from egressprobe.probe.edges import Edges
from egressprobe.probe.run import run
from egressprobe.targets.plan import read_plan

WAIT = 0.05
RUNS = 5
QUOTA = 0.15
_SLACK = 1.5


def serve() -> None:
    """The other side: prints its ports and CA, serves until standard input ends."""
    ca = make_authority("bench")
    with Loop() as loop:
        web = loop.start(HttpServer(tls=server_context(issue(ca, ("t.lab",))), wait=WAIT))
        silent = loop.start(TcpServer())
        dns = loop.start(DnsServer(serve_zone({"t.lab": Records(a=("127.0.0.1",))})))
        print(json.dumps({"ca": ca.pem, "web": web.port, "silent": silent.port, "dns": dns.text}), flush=True)
        sys.stdin.read()


def measure(world: dict[str, Any], live: int, silent: int, concurrency: int) -> dict[str, float]:
    """One run: seconds, CPU milliseconds a probe, the error of the first-byte times."""
    hook = {"kind": "webhook", "caBundle": world["ca"], "timeoutSeconds": 2}
    targets = [hook | {"name": f"s{i}", "url": f"https://t.lab:{world['silent']}/"} for i in range(silent)]
    targets += [hook | {"name": f"l{i}", "url": f"https://t.lab:{world['web']}/"} for i in range(live)]
    plan = read_plan({"targets": targets})
    edges = Edges(guard=lambda _: None, config=ResolverConfig(servers=(world["dns"],)))
    done: list[float] = []
    cpu, started = time.process_time(), time.perf_counter()

    def ended(target: Any) -> None:
        if target.name.startswith("l"):
            done.append(time.perf_counter() - started)

    report = asyncio.run(run(plan, run_id="bench", seconds=60, concurrency=concurrency, edges=edges, on_measured=ended))
    wall, spent = time.perf_counter() - started, time.process_time() - cpu
    exchanges = [a.exchange_ms for one in report.results for a in one.attempts if a.exchange_ms is not None]
    users = [a.tls.user_ms - a.tls.duration_ms for one in report.results for a in one.attempts if a.tls]
    assert len(exchanges) == live, [one.failure for one in report.results if one.failure][:3]
    return {
        "wall": wall,
        "last_live": max(done),
        "cpu_ms": spent / (live + silent) * 1e3,
        "first_byte_error": max(abs(ms - WAIT * 1e3) for ms in exchanges),
        "first_byte_median": statistics.median(exchanges),
        "user_excess": max(users),
    }


def median(world: dict[str, Any], live: int, silent: int, concurrency: int) -> dict[str, float]:
    runs = [measure(world, live, silent, concurrency) for _ in range(RUNS)]
    return {key: statistics.median(one[key] for one in runs) for key in runs[0]}


def report(world: dict[str, Any]) -> bool:
    """All figures at the CPU share this process has; True when every bound holds."""
    measure(world, 1, 0, 1)  # imports and trust stores
    print("targets  C   wall ms  CPU ms/probe  first byte ms (true 50)  worst error  peak RSS MB")
    for many, concurrency in ((1, 1), (20, 5), (20, 10), (200, 5), (200, 10)):
        one = median(world, many, 0, concurrency)
        rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{many:>7} {concurrency:>2} {one['wall'] * 1e3:>9.0f} {one['cpu_ms']:>13.2f} "
            f"{one['first_byte_median']:>24.2f} {one['first_byte_error']:>12.2f} {rss:>12.0f}"
        )
    fine = True
    print("\n20 targets, one wait of 50 ms each: at most 1.5 x ceil(20/C) x 50 ms + their CPU")
    for concurrency in (5, 10, 20):
        one = median(world, 20, 0, concurrency)
        bound = _SLACK * math.ceil(20 / concurrency) * WAIT + one["cpu_ms"] * 20 / 1e3 / share()
        fine &= one["wall"] <= bound
        ok = _verdict(one["wall"] <= bound)
        print(f"  C={concurrency:<3} wall {one['wall'] * 1e3:>5.0f} ms, bound {bound * 1e3:>5.0f} ms  {ok}")
    print("\n3 silent targets among 20: when the last of the other 17 is done")
    for concurrency in (5, 10):
        alone, beside = median(world, 17, 0, concurrency), median(world, 17, 3, concurrency)
        bound = _SLACK * math.ceil(20 / concurrency) * WAIT + beside["cpu_ms"] * 20 / 1e3 / share()
        fine &= beside["last_live"] <= bound
        ok = _verdict(beside["last_live"] <= bound)
        print(
            f"  C={concurrency:<3} without them {alone['last_live'] * 1e3:>5.0f} ms, beside them "
            f"{beside['last_live'] * 1e3:>5.0f} ms, bound {bound * 1e3:>5.0f} ms  {ok}"
        )
    return fine


def _verdict(fine: bool) -> str:  # noqa: FBT001
    return "ok" if fine else "OVER"


def share() -> float:
    return float(os.environ.get("BENCH_SHARE", "1"))


def limited() -> Path | None:
    """A cgroup of our own with a CPU quota of 15%; None where the machine does not let us."""
    for root in (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/cpu")):
        group = root / f"egressprobe-bench-{os.getpid()}"
        with suppress(OSError):
            if root.name == "cgroup" and (root / "cgroup.subtree_control").exists():
                with suppress(OSError):
                    (root / "cgroup.subtree_control").write_text("+cpu")
            group.mkdir()
            period = 100_000
            if (group / "cpu.max").exists():
                (group / "cpu.max").write_text(f"{int(QUOTA * period)} {period}")
                return group
            if (group / "cpu.cfs_quota_us").exists():
                (group / "cpu.cfs_period_us").write_text(str(period))
                (group / "cpu.cfs_quota_us").write_text(str(int(QUOTA * period)))
                return group
            group.rmdir()
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("role", nargs="?", choices=("all", "serve", "measure"), default="all")
    role = parser.parse_args().role
    if role == "serve":
        serve()
        return 0
    if role == "measure":
        return 0 if report(json.loads(sys.stdin.readline())) else 1
    me = [sys.executable, __file__]
    server = subprocess.Popen([*me, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    assert server.stdin is not None
    world = server.stdout.readline()
    print("== full CPU")
    code = subprocess.run([*me, "measure"], input=world, text=True, check=False).returncode
    group = limited()
    if group is None:
        print("\n== 15% CPU: NOT RUN, this machine gives us no cgroup")
    else:
        print("\n== 15% CPU")

        def enter() -> None:
            (group / "cgroup.procs").write_text(str(os.getpid()))

        environment = os.environ | {"BENCH_SHARE": str(QUOTA)}
        subprocess.run([*me, "measure"], input=world, text=True, check=False, preexec_fn=enter, env=environment)
        with suppress(OSError):
            group.rmdir()
    server.stdin.close()
    server.wait(5)
    return code


if __name__ == "__main__":
    sys.exit(main())
