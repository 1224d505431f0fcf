"""Whether a server that refuses our handshake would take a key exchange group that Go has and this OpenSSL lacks.

A server with X25519MLKEM768 only answers OpenSSL before 3.5 with the same alert as one that has nothing in common with
Go. One more connection asks for the missing groups alone: a HelloRetryRequest that selects one proves that the server
has it. Then the alert says nothing about the API server, and second_opinion.py makes the handshake.
"""

import asyncio
import os
from contextlib import suppress

from egressprobe.apiserver.kube_version import Hello
from egressprobe.golang.tls_hello import GROUP_NAMES, group_hello, read_server_hello
from egressprobe.golang.tls_record import RecordReader
from egressprobe.model.failure import Code
from egressprobe.model.measurement import Attempt
from egressprobe.model.target import Endpoint
from egressprobe.probe.transport.connect import connect
from egressprobe.probe.transport.time_limits import RUNG_LIMIT, Budget
from egressprobe.probe.transport.tls_context import missing_groups
from egressprobe.probe.transport.tls_failure import NO_COMMON_GROUP

_SERVER_HELLO = 2


async def selected_group(endpoint: Endpoint, server_name: str | None, hello: Hello, budget: Budget) -> str | None:
    """The group of `hello` that the server selects and this OpenSSL lacks; None if there is none. Raises nothing."""
    missing = missing_groups(hello)
    if not missing:
        return None
    until = budget.until(asyncio.get_running_loop().time(), RUNG_LIMIT)
    stream, _ = await connect(endpoint, budget)
    if stream is None:
        return None
    records = RecordReader()
    try:
        with suppress(OSError):  # and GoTlsError: whatever the server says instead, it does not select the group
            await stream.send(group_hello(missing, server_name, os.urandom(64)), until)
            while data := await stream.receive(until):
                for message in records.feed(data):
                    if message[0] != _SERVER_HELLO:
                        return None
                    answer = read_server_hello(message)
                    selected = answer.selected_group if answer.is_retry else 0
                    return GROUP_NAMES[selected] if selected in missing else None
    finally:
        stream.close()
    return None


def lacks_the_group(attempt: Attempt) -> bool:
    """The alert of a server without a common group; some servers just close."""
    failure = attempt.failure
    if failure is None:
        return False
    return failure.api_server_error == NO_COMMON_GROUP or failure.code in (Code.TLS_EOF, Code.TLS_RESET)
