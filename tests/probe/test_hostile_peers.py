"""Twenty honest targets beside five hostile ones of each class: all twenty are right, and the report is in time.

Once with a CPU to itself and once with about a seventh of one, as a small Lambda function has: six processes compete
for the same core.
"""

import json
import os
import subprocess
import sys
from contextlib import ExitStack

import pytest

from tests.conftest import ROOT
from tests.support.peers.hostile import CLASSES, NAMES

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="shares a CPU by Linux's affinity")
HONEST, COMPETITORS = 20, 6
SECONDS = {"alone": 12.0, "15% of a CPU": 40.0}
LATE = 8.0  # seconds after the run's end, on a busy machine; the hostile servers would go on for minutes
_BUSY = "import os; os.sched_setaffinity(0, {%d})\nwhile True: pass"
_PROBE = """
import asyncio, json, os, resource, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
from egressprobe.golang.resolver import ResolverConfig
from egressprobe.probe.edges import Edges
from egressprobe.probe.run import run
from egressprobe.targets.plan import read_plan
plan, seconds = read_plan(json.load(sys.stdin)), float(sys.argv[2])
edges = Edges(guard=lambda _: None, config=ResolverConfig(hosts={sys.argv[3]: ("127.0.0.1",)}))
started = time.monotonic()
report = asyncio.run(run(plan, run_id="hostile", seconds=seconds, edges=edges))
took = time.monotonic() - started
results = [[r.target.name, r.verdict, r.failure and r.failure.code, r.failure and r.failure.message] for r in report.results]
# not ru_maxrss, which counts what the process that started this one had
peak = int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) / 1024
print(json.dumps({"took": took, "results": results, "peak": peak, "cpu": time.process_time()}))
"""


@pytest.fixture(scope="module")
def servers():
    """The servers, on the last core."""
    command = [sys.executable, "-m", "tests.support.peers.hostile"]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}/src:{ROOT}"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        os.sched_setaffinity(process.pid, {max(os.sched_getaffinity(0))})
        yield json.loads(process.stdout.readline())
        process.stdin.close()
        process.kill()


def _targets(servers, name):
    hostile, authority = [], servers["ca"]
    for i, ((kind, _), port) in enumerate(zip(CLASSES[name], servers["classes"][name], strict=True)):
        target = {"kind": kind, "name": f"hostile-{i}", "caBundle": authority}
        if kind == "oidc":
            target["url"] = f"https://{NAMES[0]}:{port}"
        else:
            target |= {"service": {"namespace": "a", "name": "b"}, "addresses": [f"127.0.0.1:{port}"]}
        hostile.append(target)
    honest = [
        {
            "kind": "webhook",
            "name": f"honest-{i}",
            "service": {"namespace": "a", "name": "b"},
            "addresses": [f"127.0.0.1:{servers['honest']}"],
            "caBundle": authority,
        }
        for i in range(HONEST)
    ]
    return hostile + honest


@pytest.mark.parametrize("share", ["alone", pytest.param("15% of a CPU", marks=pytest.mark.thorough)])
@pytest.mark.parametrize("name", CLASSES)
def test_honest_targets_beside_hostile_ones(servers, name, share, record_property):
    seconds, core = SECONDS[share], min(os.sched_getaffinity(0))
    with ExitStack() as stack:
        for _ in range(COMPETITORS if share != "alone" else 0):
            process = stack.enter_context(subprocess.Popen([sys.executable, "-c", _BUSY % core]))
            stack.callback(process.kill)
        done = subprocess.run(
            [sys.executable, "-c", _PROBE, str(core), str(seconds), NAMES[0]],
            input=json.dumps({"targets": _targets(servers, name), "kubeVersion": "1.36"}), env=os.environ | {"PYTHONPATH": f"{ROOT}/src"},
            capture_output=True, text=True, check=False, timeout=seconds * 3,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads(done.stdout)
    verdicts = {target: verdict for target, verdict, *_ in report["results"]}
    hostile = [row for row in report["results"] if row[0].startswith("hostile")]
    record_property(
        "said", f"hostile {name}, {share}: {report['took']:.1f} s, CPU {report['cpu']:.1f} s, {report['peak']:.0f} MB"
    )
    assert [verdicts[f"honest-{i}"] for i in range(HONEST)] == ["pass"] * HONEST, report
    assert report["took"] < seconds + LATE
    assert report["peak"] < 250
    assert not [row for row in hostile if row[1] == "pass" and name in ("messages", "memory", "bloat")], hostile
    assert not [row for row in hostile if row[2] == "internal_error"], hostile
