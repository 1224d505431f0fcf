"""Where namespaces are missing, the tests that need them are counted, and the full check fails unless allowed."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("environment", "code"), [pytest.param({}, 0, marks=pytest.mark.thorough), ({"EGRESSPROBE_REQUIRE_ALL": "1"}, 1), pytest.param({"EGRESSPROBE_REQUIRE_ALL": "1", "ALLOW_SKIP": "1"}, 0, marks=pytest.mark.thorough)]
)  # fmt: skip
def test_not_run_is_counted(environment, code):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("EGRESSPROBE_") and k != "ALLOW_SKIP"}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "1", "tests/probe/test_vectors_wire.py", "tests/golang/test_resolver.py"],
        env=clean | environment, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == code
    assert "NOT RUN: 37 tests need network namespaces" in run.stdout
