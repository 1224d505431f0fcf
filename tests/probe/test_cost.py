"""What a probe costs, counted in calls: the same on any machine, where CPU time is not.

Half of a probe's CPU time is OpenSSL's and the kernel's, and is the same for every client. The rest is Python, and
about proportional to the calls that our code makes. `make bench-peer` has the time itself.
"""

import asyncio
import socket
import sys
from collections import Counter

import pytest

from egressprobe.golang.resolver import ResolverConfig
from egressprobe.lab.certs import issue, make_authority
from egressprobe.lab.dns import DnsServer, Records, serve_zone
from egressprobe.lab.servers import HttpServer, server_context
from egressprobe.probe.edges import Edges
from egressprobe.probe.run import run
from egressprobe.targets.plan import read_plan

CA = make_authority("cost")
TARGETS, ROUNDS = 20, 6
# Calls of ours for one target that passes, in a process that has probed it before. A change that
# needs more says here why. The six sends: A, AAAA, ClientHello, Finished, HEAD and close_notify.
MOST_CALLS = 1140
_DEAR = {"_add_reader", "_add_writer", "call_at"}  # of asyncio: SocketSelector and Timers are there instead of them
MOST = {"loop": 1, "send": 6, "connect": 2, "connect_ex": 1, "recvmsg": 5, "getsockopt": 2, "setsockopt": 3}


def _calls(work):
    """The calls of our functions, and of C functions by ours, that `work` makes in this thread; of sockets by name."""
    counts = Counter()

    def count(frame, event, function):
        if "/egressprobe/" not in frame.f_code.co_filename:
            # The event loop's own depend on how many answers come at once. Its dear ones are not to be called.
            counts["loop"] += event == "call" and frame.f_code.co_name in _DEAR
            return
        if event == "call":
            counts["python"] += 1
        elif event == "c_call":
            counts["c"] += 1
            if isinstance(function.__self__, socket.socket):
                counts[function.__name__] += 1

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return counts


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the event loop's selector is used, and no kernel stamps")
def test_a_probe_makes_few_calls(lab_loop):
    """One target after the other, and the least of several runs: one that is interrupted reads in more pieces."""
    server = lab_loop.start(HttpServer(tls=server_context(issue(CA, ("*.lab",)))))
    names = [f"t{i}.lab" for i in range(TARGETS)]
    zone = lab_loop.start(DnsServer(serve_zone({name: Records(a=("127.0.0.1",)) for name in names})))
    hooks = [
        {"kind": "webhook", "name": name, "url": f"https://{name}:{server.port}/", "caBundle": CA.pem} for name in names
    ]
    plan = read_plan({"targets": hooks})
    edges = Edges(guard=lambda _: None, config=ResolverConfig(servers=(zone.text,)))

    def once():
        report = asyncio.run(run(plan, run_id="t", seconds=60, concurrency=1, edges=edges))
        assert report.summary.passed == TARGETS

    once()  # imports, contexts, and what is remembered of the server's certificates
    rounds = [_calls(once) for _ in range(ROUNDS)]
    least = {name: min(counts[name] for counts in rounds) / TARGETS for name in {"python", "c", *MOST}}
    calls = min(counts["python"] + counts["c"] for counts in rounds) / TARGETS
    print(f"calls of a probe: {calls:.1f}, of them {least['python']:.1f} of Python functions")
    assert calls <= MOST_CALLS
    over = {name: least[name] for name, most in MOST.items() if least[name] > most}
    assert not over, over
