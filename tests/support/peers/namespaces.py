"""A second host on the wire: the namespace `world`, behind a veth pair, with the addresses of the recorded vectors.

here 10.99.0.1, fd99::1  <---veth--->  world 10.99.0.53 (DNS), .10-.12 and .100-.159 (live), .2 (nothing listens)
.66, .67, fd99::66: at layer 2 they are world's, at layer 3 nobody's: packets are dropped silently
.200: nobody answers ARP
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

LIVE = tuple(f"10.99.0.{i}" for i in (10, 11, 12))
MANY = tuple(f"10.99.0.{i}" for i in range(100, 160))
REFUSED, SILENT, SILENT_2, NO_ARP, DNS = "10.99.0.2", "10.99.0.66", "10.99.0.67", "10.99.0.200", "10.99.0.53"
LIVE_6, SILENT_6 = "fd99::10", "fd99::66"
_MAC = "02:00:00:00:99:01"


def _ip(batch: str, *, namespace: str | None = None) -> None:
    command = ["ip", *(["-n", namespace] if namespace else []), "-batch", "-"]
    subprocess.run(command, input=batch, text=True, check=True, capture_output=True)


@contextmanager
def world() -> Iterator[None]:
    """Make the network; it is taken down at the end."""
    subprocess.run(["ip", "netns", "add", "world"], check=True)
    try:
        _ip("link add here type veth peer name there netns world\n")
        lines = ["link set lo up", f"link set there address {_MAC} up"]
        lines += [f"address add {a}/24 dev there" for a in (DNS, REFUSED, *LIVE, *MANY)]
        lines += [f"address add {LIVE_6}/64 dev there nodad"]
        _ip("\n".join(lines), namespace="world")
        lines = ["link set here up", "address add 10.99.0.1/24 dev here", "address add fd99::1/64 dev here nodad"]
        lines += [f"neigh replace {a} lladdr {_MAC} dev here nud permanent" for a in (SILENT, SILENT_2, SILENT_6)]
        _ip("\n".join(lines))
        yield
    finally:
        subprocess.run(["ip", "netns", "delete", "world"], check=False)
        subprocess.run(["ip", "link", "delete", "here"], check=False, capture_output=True)


def enter_world() -> None:
    """Move the calling thread into the namespace; sockets it makes stay there."""
    fd = os.open("/run/netns/world", os.O_RDONLY)
    try:
        os.setns(fd, os.CLONE_NEWNET)
    finally:
        os.close(fd)
