"""Cold start of the built Probe: importing the handler in a fresh process, beside an empty handler and beside the bare
imports it cannot do without, alternating, medians of 20; then the same within 15% of a CPU where cgroups allow.

And what a healthy run of 20 targets costs there, on the lab's servers: the figures price.py reckons with.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.conftest import ROOT
from tests.support.aws.lambdas import PROBE, deployed

RUNS = 20
QUOTA = 15  # percent of a CPU: what 256 MB buy is 14.5
BOUND = 1.25
BARE = "import asyncio, ssl, dns.asyncquery; from aws_lambda_powertools import Logger, Metrics"
CASES = {
    "empty handler": "",
    "bare imports": BARE,
    "probe handler": "import egressprobe.handlers.probe",
}


def imported(code, prefix=()):
    """Milliseconds from the interpreter's first line to the end of the imports, as INIT is billed."""
    timed = f"import time; t = time.perf_counter(); {code or 'pass'}; print((time.perf_counter() - t) * 1e3)"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PROBE), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [*prefix, sys.executable, "-c", timed], env=environment, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def first_answer(where, handler, prefix=()):
    """Milliseconds to the first answer, to a bad event: the emulator starts the function when it is first invoked."""
    with deployed(where, timeout=30, handler=handler, prefix=prefix, PYTHONPATH=f"{PROBE}:{where}") as function:
        started = time.perf_counter()
        function.send(b'{"targets": []}')
        return (time.perf_counter() - started) * 1e3


@contextmanager
def quota():
    """A prefix that runs a command within QUOTA of a CPU, or None where there is no way."""
    base = Path("/sys/fs/cgroup")
    for make in (_v2, _v1):
        with suppress(OSError):
            group = make(base)
            try:
                yield ("sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh")
            finally:
                for _ in range(50):
                    with suppress(OSError):
                        group.rmdir()
                        break
                    time.sleep(0.1)
            return
    yield None


def _v2(base):
    if not (base / "cgroup.controllers").exists():
        raise OSError
    group = base / f"egressprobe-{os.getpid()}"
    with suppress(OSError):
        (base / "cgroup.subtree_control").write_text("+cpu")
    group.mkdir()
    try:
        (group / "cpu.max").write_text(f"{QUOTA * 1000} 100000")
    except OSError:
        group.rmdir()
        raise
    return group


def _v1(base):
    if not (base / "cpu" / "cgroup.procs").exists():
        raise OSError
    group = base / "cpu" / f"egressprobe-{os.getpid()}"
    group.mkdir()
    try:
        (group / "cpu.cfs_period_us").write_text("100000")
        (group / "cpu.cfs_quota_us").write_text(str(QUOTA * 1000))
    except OSError:
        group.rmdir()
        raise
    return group


def healthy_run(prefix=()):
    """Seconds of a warm run over 20 healthy targets of the lab, and CPU seconds without the lab's servers, which have
    a thread of their own.
    """
    code = """
import asyncio, json, time
from egressprobe.lab.scenario import lab
from egressprobe.handlers.probe import make_handler
class Context:
    aws_request_id = "bench"
    def get_remaining_time_in_millis(self): return 50_000
with lab() as (event, edges):
    plan = event["plan"]
    one = next(t for t in plan["targets"] if t["name"] == "policy.healthy")
    plan = plan | {"targets": [one | {"name": f"t{i}"} for i in range(20)]}
    handle = make_handler(edges)
    import contextlib, io
    with contextlib.redirect_stdout(io.StringIO()):
        for _ in range(3):
            started, cpu = time.perf_counter(), time.thread_time()
            answer = handle({"source": "schedule", "plan": plan}, Context())
    assert answer["summary"]["pass"] == 20, answer["summary"]
    print(json.dumps([time.perf_counter() - started, time.thread_time() - cpu]))
"""
    environment = os.environ | {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256", "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [*prefix, sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def median(values):
    return statistics.median(values)


def measure(title, where, prefix=()):
    print(f"\n{title}")
    rounds = [{name: imported(code, prefix) for name, code in CASES.items()} for _ in range(RUNS)]
    times = {name: median(one[name] for one in rounds) for name in CASES}
    for name, value in times.items():
        print(f"  import    {name:<16}{value:>9.1f} ms")
    ratio = median(one["probe handler"] / one["bare imports"] for one in rounds)
    print(f"  import    probe / bare    {ratio:>9.2f}    (bound {BOUND})")
    answers = [
        (
            first_answer(where, "empty.handler", prefix),
            first_answer(where, "egressprobe.handlers.probe.handler", prefix),
        )
        for _ in range(RUNS)
    ]
    empty, probe = (median(column) for column in zip(*answers, strict=True))
    print(f"  emulator  empty handler   {empty:>9.1f} ms")
    print(f"  emulator  probe handler   {probe:>9.1f} ms, {probe - empty:.1f} more")
    wall, cpu = (median(column) for column in zip(*(healthy_run(prefix) for _ in range(5)), strict=True))
    print(
        f"  run       20 healthy      {wall * 1e3:>9.0f} ms with the lab's servers, {cpu * 1e3:.0f} ms of CPU its own"
    )
    return ratio


def main():
    sizes = {
        name: sum(p.stat().st_size for p in (ROOT / "build" / name).rglob("*") if p.is_file())
        for name in ("probe", "planner")
    }
    print(", ".join(f"{name}: {size / 1e6:.1f} MB unpacked" for name, size in sizes.items()))
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        (where / "empty.py").write_text("def handler(event, context):\n    return {}\n")
        ratio = measure("A whole CPU", where)
        with quota() as prefix:
            if prefix is None:
                print(f"\n{QUOTA}% of a CPU: NOT RUN, no cgroup can be made here")
            else:
                measure(f"{QUOTA}% of a CPU, as 256 MB have", where, prefix)
    return int(ratio > BOUND)


if __name__ == "__main__":
    sys.exit(main())
