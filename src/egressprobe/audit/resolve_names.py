"""Host names made into addresses where the audit runs, all at once and for a bounded time.

The VPC may know better: a name that a private zone or a Resolver rule of the VPC holds is not asked for here.
"""

import queue
import socket
import threading
import time
from collections.abc import Iterable
from contextlib import suppress

from msgspec.structs import replace

from egressprobe.audit.vpc.private_dns import held_privately
from egressprobe.audit.vpc.snapshot import VpcSnapshot
from egressprobe.net.addresses import is_address

_SECONDS = 5.0
_AT_ONCE = 16


def resolve(hosts: Iterable[str], seconds: float = _SECONDS) -> dict[str, tuple[str, ...]]:
    """What the system's resolver says; names that it does not know, or not in time, are left out."""
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    for host in (asked := list(dict.fromkeys(hosts))):
        waiting.put(host)
    found: dict[str, tuple[str, ...]] = {}

    def work() -> None:
        with suppress(queue.Empty):
            while True:
                host = waiting.get_nowait()
                found[host] = _addresses(host)

    # daemons: getaddrinfo cannot be stopped, and nobody should wait for it at the end
    workers = [threading.Thread(target=work, daemon=True) for _ in range(min(_AT_ONCE, len(asked)))]
    until = time.monotonic() + seconds
    for one in workers:
        one.start()
    for one in workers:
        one.join(max(until - time.monotonic(), 0.0))
    return {host: found[host] for host in asked if found.get(host)}


def _addresses(host: str) -> tuple[str, ...]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(str(one[4][0]).partition("%")[0] for one in found))


def with_names(snapshot: VpcSnapshot, hosts: Iterable[str]) -> VpcSnapshot:
    """The snapshot with the names it lacks."""
    missing = [
        one for one in hosts if not is_address(one) and one not in snapshot.names and not held_privately(snapshot, one)
    ]
    return replace(snapshot, names=snapshot.names | resolve(missing)) if missing else snapshot
