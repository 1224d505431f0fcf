"""Discovery of a large cluster over real TLS, its API server in a process of its own: CPU and memory of ours alone.

2,000 nodes with 50 images each, 5,000 Services with an EndpointSlice of 10 endpoints each, 500 webhooks in 250
configurations, 300 CRDs of 60 KB. Bounds: 5 s of CPU and 150 MB of memory, imports included. Medians of 3 runs; then
within 15% of a CPU, as a function of 256 MB has it, where cgroups allow.
"""

import asyncio
import json
import re
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench.coldstart import QUOTA, quota
from tests.conftest import ROOT

NODES, SLICES, WEBHOOKS, CRDS = 2000, 5000, 500, 300
MAX_CPU, MAX_MB = 5.0, 150.0
RUNS = 3


def cluster():
    """Objects about as heavy as real ones."""
    from tests.support.kube_objects import configuration, node, service, slice_of, webhook

    images = [
        {"names": [f"registry.example/team/image-{i}@sha256:{'0' * 64}"], "sizeBytes": 1 << 20} for i in range(50)
    ]
    nodes = [node(f"ip-10-0-{i >> 8}-{i & 255}.ec2.internal", f"10.0.{i >> 8}.{i & 255}") for i in range(NODES)]
    for one in nodes:
        one["status"]["images"] = images
    slices, services = [], []
    for i in range(SLICES):
        name = f"svc-{i}"
        services.append(service(name=name, namespace=f"ns-{i % 50}"))
        ready = [(f"10.{1 + (i >> 8)}.{i & 255}.{j}", j != 9) for j in range(10)]
        one = slice_of(*ready, name=name, namespace=f"ns-{i % 50}")
        for endpoint in one["endpoints"]:
            endpoint |= {"nodeName": "ip-10-0-0-1.ec2.internal", "zone": "eu-west-1a"}
            endpoint["targetRef"] = {
                "kind": "Pod",
                "namespace": f"ns-{i % 50}",
                "name": f"{name}-6d4cf56db6-x",
                "uid": "0" * 36,
            }
        slices.append(one)
    hooks = [
        webhook(f"h{i}.example.com", service={"namespace": f"ns-{i % 50}", "name": f"svc-{i}", "path": "/v"})
        for i in range(WEBHOOKS)
    ]
    schema = {"openAPIV3Schema": {"description": "x" * 60_000}}
    crds = [
        {
            "metadata": {"name": f"things{i}.g.example.com"},
            "spec": {
                "group": "g.example.com",
                "names": {"plural": f"things{i}", "kind": "Thing"},
                "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
                "conversion": {"strategy": "None"},
            },
        }
        for i in range(CRDS)
    ]
    return {
        "nodes": nodes,
        "services": services,
        "endpointslices": slices,
        "customresourcedefinitions": crds,
        "validatingwebhookconfigurations": [
            configuration(f"c{i}", *hooks[2 * i : 2 * i + 2]) for i in range(WEBHOOKS // 2)
        ],
    }


def serve():
    """The API server; prints where it is and whom to trust, and ends with its standard input."""
    from tests.support.peers.kubeapi import CLUSTER_CA, kube_api

    with kube_api(cluster()) as api:
        print(json.dumps({"url": api.url, "ca": CLUSTER_CA.pem}), flush=True)
        sys.stdin.read()


def peak_mb():
    """Of this program: ru_maxrss would count what the process that started it held."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) / 1024


def read(url, ca):
    """One discovery in this process, with its figures."""
    from egressprobe.discovery.kubelets import network
    from egressprobe.discovery.kubernetes.api_server import ApiServer
    from egressprobe.discovery.kubernetes.client import KubernetesSource
    from egressprobe.discovery.run import collect
    from egressprobe.golang.x509.ca_bundle import anchors

    async def work():
        server = ApiServer(url, anchors(ca.encode()), lambda: "the-token")
        source = KubernetesSource(server, seconds=300, guard=lambda _: None)
        return await collect(source, [network("subnet-1", ["10.0.0.0/8"])])

    started = time.perf_counter()
    found = asyncio.run(work())
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "wall": time.perf_counter() - started,
                "cpu": used.ru_utime + used.ru_stime,
                "mb": peak_mb(),
                "targets": len(found.targets),
                "findings": [one.code for one in found.findings],
            }
        )
    )


def measured(at, prefix=()):
    command = [*prefix, sys.executable, "-m", "bench.discovery", "read", at["url"], at["ca"]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    said = json.loads(done.stdout)
    # The review of webhooks has its own; here every list must have been read.
    assert all(code.startswith("WEBHOOK_") for code in said["findings"])
    assert said["targets"] == WEBHOOKS + 1
    return said


def main():
    server = subprocess.Popen(
        [sys.executable, "-m", "bench.discovery", "serve"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        at = json.loads(server.stdout.readline())
        print(f"{NODES} nodes, {SLICES} Services and slices, {WEBHOOKS} webhooks, {CRDS} CRDs")
        print(f"{'':<14}{'wall s':>8}{'CPU s':>8}{'RSS MB':>8}")
        whole = [measured(at) for _ in range(RUNS)]
        wall, cpu, mb = (statistics.median(run[key] for run in whole) for key in ("wall", "cpu", "mb"))
        print(f"{'whole CPU':<14}{wall:>8.2f}{cpu:>8.2f}{mb:>8.0f}")
        over = cpu > MAX_CPU or mb > MAX_MB
        with quota() as prefix:
            if prefix is None:
                print(f"{QUOTA}% of a CPU: NOT RUN, no cgroup can be made here")
            else:
                one = measured(at, prefix)
                print(f"{f'{QUOTA}% of a CPU':<14}{one['wall']:>8.2f}{one['cpu']:>8.2f}{one['mb']:>8.0f}")
        print(f"bounds at a whole CPU: {MAX_CPU} s, {MAX_MB:.0f} MB: {'OVER' if over else 'kept'}")
        return int(over)
    finally:
        server.stdin.close()
        server.wait(10)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve"]:
            serve()
        case ["read", url, ca]:
            read(url, ca)
        case _:
            sys.exit(main())
