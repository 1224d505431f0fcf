"""The emulated account's processes and addresses: the emulator, its own interface, and what a client needs."""

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import ROOT

TOOLS = ROOT / ".tools" / "e2e" / "bin" / "python"
ACCOUNT, REGION = "111122223333", "eu-west-1"
# Ports on loopback: the emulator, and what functions and people connect to, between which faults are made.
GATEWAY, CONTROL, ENDPOINT = 4566, 4599, 4567
CLIENT = {
    # A key that is the account's number is its root user's; functions have their roles.
    "AWS_ACCESS_KEY_ID": ACCOUNT,
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_ENDPOINT_URL": f"http://127.0.0.1:{GATEWAY}",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/nonexistent",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
}


def control(path: str, body: Any = None) -> Any:
    """The emulation's own interface (emulator/__main__.py)."""
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{CONTROL}{path}", data, timeout=180) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{path}: {json.loads(error.read())}") from None


@contextmanager
def emulator(folder: Path, roots: str) -> Iterator[Path]:
    """An emulator with its gaps filled; the path of its log. Its functions end with it.

    roots: PEM of what Lambda's trust store has.
    """
    (folder / "roots.pem").write_text(roots)
    log, clock = folder / "emulator.log", ROOT / "tests" / "e2e" / "emulator" / "clock.py"
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(folder),
        "CLOCK_FILE": str(folder / "clock"),
        "CONTROL_PORT": str(CONTROL),
        "GATEWAY_PORT": str(GATEWAY),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "LAMBDA_EXECUTOR": "local",
        "AUTH": "true",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "SSL_CERT_FILE": str(folder / "roots.pem"),
        **CLIENT,
        # Of the functions.
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{ENDPOINT}",
    }
    command = [str(TOOLS), str(clock), environment["CLOCK_FILE"], "-m", "tests.e2e.emulator"]
    with log.open("w") as stream:
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=stream, stderr=stream)
    try:
        _wait_until_ready(process, log)
        yield log
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _wait_until_ready(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{GATEWAY}/_ministack/health", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"the emulator did not start:\n{log.read_text()[-5000:]}")
