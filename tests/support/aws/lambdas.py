"""A built artifact behind the Lambda Runtime Interface Emulator, invoked as the service does."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.conftest import ROOT

PROBE = ROOT / "build" / "probe"
PLANNER = ROOT / "build" / "planner"


def free_port() -> int:
    """Below those that the kernel takes for outgoing connections (ip_local_port_range, from 32768): until the emulator
    listens on it, no connection of another test may have it.
    """
    for port in random.SystemRandom().sample(range(16_000, 32_000), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no free port between 16000 and 32000")


class Function:
    """One deployed function: `invoke` as the service does, `printed` is what CloudWatch Logs would get."""

    def __init__(self, port: int, log: Path, process: subprocess.Popen[bytes]):
        self._url = f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations"
        self._log = log
        self.process = process

    def send(self, body: bytes) -> bytes:
        with urllib.request.urlopen(urllib.request.Request(self._url, body), timeout=60) as answer:
            return bytes(answer.read())

    def invoke(self, event: object) -> Any:
        return json.loads(self.send(json.dumps(event).encode()))

    def printed(self) -> str:
        return self._log.read_text()

    def kill(self) -> list[int]:
        """SIGKILL to the emulator and to the function, which it runs in a process group of its own; their ids."""
        doomed = [*_descendants(self.process.pid), self.process.pid]
        for pid in doomed:
            os.kill(pid, signal.SIGKILL)
        return doomed


def _descendants(pid: int) -> list[int]:
    """Read before anything is killed: orphans have another parent."""
    children = Path(f"/proc/{pid}/task").glob("*/children")
    found = [int(word) for path in children for word in path.read_text().split()]
    return [*found, *(below for child in found for below in _descendants(child))]


@contextmanager
def deployed(
    where: Path,
    *,
    timeout: int,
    artifact: Path = PROBE,
    handler: str = "egressprobe.handlers.probe.handler",
    prefix: Sequence[str] = (),
    **environment: str,
) -> Iterator[Function]:
    """The artifact, and nothing of the source tree, behind the emulator. prefix: of the command that runs it."""
    port, api = free_port(), free_port()
    known = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(artifact),
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_LAMBDA_FUNCTION_NAME": "function",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(timeout),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
    } | environment
    imported = subprocess.run(
        [sys.executable, "-c", "import egressprobe, httpx, dns; print(egressprobe.__file__, httpx.__file__, dns.__file__)"],
        env=known, cwd=where, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert imported.stdout.count(str(artifact)) == 3
    log = where / "log"
    command = [
        *prefix,
        str(ROOT / ".tools" / "aws-lambda-rie"),
        *("--runtime-interface-emulator-address", f"127.0.0.1:{port}"),
        *("--runtime-api-address", f"127.0.0.1:{api}"),
        *(sys.executable, "-m", "awslambdaric", handler),
    ]
    with log.open("a") as stream:
        process = subprocess.Popen(
            command, env=known, cwd=where, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            for _ in range(200):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield Function(port, log, process)
        finally:
            process.terminate()
            process.wait(10)
