"""Host names resolved to addresses where the audit runs, all at once and for a bounded time.

The VPC's own resolver may answer otherwise: a name in a private zone or a Resolver rule of the VPC is not looked up
here.
"""

import queue
import socket
import threading
import time
from collections.abc import Iterable
from contextlib import suppress

from msgspec.structs import replace

from egressprobe.audit.paths.private_dns import answered_privately
from egressprobe.audit.vpc.snapshot import VpcSnapshot
from egressprobe.net.addresses import is_address

_SECONDS = 5.0
_AT_ONCE = 16


def resolve(hosts: Iterable[str], seconds: float = _SECONDS) -> dict[str, tuple[str, ...]]:
    """The addresses by the system's resolver; names that do not resolve, or not in time, are left out."""
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    for host in (unique := list(dict.fromkeys(hosts))):
        waiting.put(host)
    addresses: dict[str, tuple[str, ...]] = {}

    def work() -> None:
        with suppress(queue.Empty):
            while True:
                host = waiting.get_nowait()
                addresses[host] = _addresses(host)

    # Daemons: getaddrinfo cannot be stopped, and the process must not wait for it at its end.
    workers = [threading.Thread(target=work, daemon=True) for _ in range(min(_AT_ONCE, len(unique)))]
    until = time.monotonic() + seconds
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(max(until - time.monotonic(), 0.0))
    return {host: addresses[host] for host in unique if addresses.get(host)}


def _addresses(host: str) -> tuple[str, ...]:
    try:
        answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(str(answer[4][0]).partition("%")[0] for answer in answers))


def with_names(snapshot: VpcSnapshot, hosts: Iterable[str]) -> VpcSnapshot:
    """The snapshot with the names that it lacks."""
    missing = [
        host
        for host in hosts
        if not is_address(host) and host not in snapshot.names and not answered_privately(snapshot, host)
    ]
    return replace(snapshot, names=snapshot.names | resolve(missing)) if missing else snapshot
