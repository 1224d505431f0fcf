"""The built-in network where 127.0.0.1 is the only loopback address, as on macOS."""

import subprocess
import sys
from itertools import islice

import pytest

from egressprobe.lab.places import places

# Without this route Linux has no other address of 127.0.0.0/8.
_ALONE = "ip link set lo up && ip route del local 127.0.0.0/8 dev lo table local && exec "


@pytest.mark.netns
@pytest.mark.thorough
def test_the_demo_on_one_address():
    """Every verdict is as elsewhere, and the table names the addresses that the targets have."""
    run = subprocess.run(
        ["unshare", "-n", "sh", "-c", f'{_ALONE} "$@"', "sh", sys.executable, "-m", "egressprobe", "demo"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "24 of 24 verdicts correct." in run.stderr
    assert "127.77.0.23:8443: connection refused (connect_refused)" in run.stdout
    assert "stall.lab.example at 127.77.0.16:8443" in run.stdout
    assert "SERVER_SILENT" in run.stdout


def test_addresses_of_their_own_come_first():
    """Then other ports, then a port for each server on 127.0.0.1."""
    made = list(places((8443, 18443)))
    assert [place.at(10) for place in islice(made, 3)] == [
        ("127.77.0.10", 8443),
        ("127.77.0.10", 18443),
        ("127.0.0.1", 20453),
    ]
    assert {place.port for place in made} == {8443, 18443}
    ports = {place.at(last)[1] for place in made[2:] for last in range(10, 67)}
    assert max(ports) < 65536
    assert len(ports) == 57 * len(made[2:]), "no two servers share a port"
