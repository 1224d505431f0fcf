"""Three hosts in a row: here, a box that forwards and filters, and the far side. One address a fault.

here 10.99.1.1  <---veth--->  box 10.99.1.254 | 10.99.2.254  <---veth--->  far 10.99.2.x

The box's rules are nftables'; segmentation offload is off, so that a packet in the box is one on the wire.
"""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_NETWORK = """
link add here type veth peer name near netns box
link set here gso_max_segs 1 up
address add 10.99.1.1/24 dev here
route add 10.99.2.0/24 via 10.99.1.254
"""
_BOX = """
link add away type veth peer name there netns far
link set near gso_max_segs 1 up
link set away gso_max_segs 1 up
address add 10.99.1.254/24 dev near
address add 10.99.2.254/24 dev away
"""


def _run(*command: str, text: str = "") -> None:
    done = subprocess.run(command, input=text, text=True, check=False, capture_output=True)
    assert done.returncode == 0, (command, done.stderr)


@contextmanager
def row(addresses: tuple[str, ...], rules: tuple[str, ...], routes: tuple[str, ...] = ()) -> Iterator[None]:
    """The network: `addresses` of the far side, `rules` of the box's forward chain, its extra `routes`."""
    for name in ("box", "far"):
        _run("ip", "netns", "add", name)
    try:
        _run("ip", "-batch", "-", text=_NETWORK)
        _run("ip", "-n", "box", "-batch", "-", text=_BOX)
        far = ["link set there gso_max_segs 1 up", *(f"address add {a}/24 dev there" for a in addresses)]
        far += ["link set lo up", "route add default via 10.99.2.254"]
        _run("ip", "-n", "far", "-batch", "-", text="\n".join(far))
        _run("ip", "-n", "box", "-batch", "-", text="\n".join(f"route add {route}" for route in routes))
        _run("ip", "netns", "exec", "box", "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        chain = "\n".join(("type filter hook forward priority 0;", *rules))
        _run(
            "ip", "netns", "exec", "box", "nft", "-f", "-", text=f"table ip box {{ chain forward {{\n{chain}\n}}\n}}\n"
        )
        yield
    finally:
        for name in ("box", "far"):
            subprocess.run(["ip", "netns", "delete", name], check=False)
        subprocess.run(["ip", "link", "delete", "here"], check=False, capture_output=True)


def enter(name: str) -> Callable[[], None]:
    """What moves the calling thread into a namespace; sockets it makes stay there."""

    def move() -> None:
        fd = os.open(f"/run/netns/{name}", os.O_RDONLY)
        try:
            os.setns(fd, os.CLONE_NEWNET)
        finally:
            os.close(fd)

    return move
