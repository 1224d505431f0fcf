"""The resolve phase: a host name into addresses, as Go's resolver in kube-apiserver does it.

A and AAAA are queried concurrently, each through its own rounds over the name servers (net/dnsclient_unix.go
tryOneName): 5 s per server, 2 rounds, at most 3 servers, EDNS with 1232 bytes, TCP when the answer is
truncated, each transport with a fresh 5 s. NXDOMAIN and "no such record" end it; after any other rcode, a
timeout or an ICMP error the next server is queried. Every query is reported.

dnspython's resolver is not used because it has other timeouts, no EDNS and hides the response of each server;
its message reader is not used because it tolerates other damage than Go does (dns_message.py).
"""

import asyncio
import errno
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from egressprobe.error_texts.network import LOOKUP_FAILED
from egressprobe.golang.dns_message import (
    EDNS_PAYLOAD,
    MAX_ADDRESSES,
    DnsRequest,
    Reading,
    RecordType,
    make_request,
    mismatch,
    read,
)
from egressprobe.golang.resolver import (
    ResolverConfig,
    conclude,
    is_domain_name,
    name_list,
    parse_hosts,
    parse_resolv_conf,
    server_text,
    split_server,
    whole_wait,
)
from egressprobe.model.failure import Code, Failure, Phase, classify_connect, errno_text
from egressprobe.model.measurement import Lookup, Query, Resolution
from egressprobe.probe.transport.kernel_socket import (
    arrival,
    clocks,
    open_socket,
    readable,
    receive,
    socket_address,
    source_address,
)
from egressprobe.probe.transport.time_limits import COMPARE_LIMIT, Budget

type Transport = Literal["udp", "tcp"]
_UDP_THEN_TCP: tuple[Transport, ...] = ("udp", "tcp")
_MAX_ROUNDS = 10
_rotation = count()  # of `options rotate`: net/dnsconfig.go serverOffset
_TCP_ONLY: tuple[Transport, ...] = ("tcp",)


class Question(NamedTuple):
    """One query and its server. `host`: the name in the target; `name`: with the suffix of the search list."""

    host: str
    name: str
    kind: RecordType
    server: str
    transport: Transport = "udp"

    def failure(self, code: Code, message: str, error: str) -> Failure:
        """A failure in plain words, and as Go's net.DNSError inside its net.OpError."""
        where = f"{self.kind} query for {self.host} to {self.server} over {self.transport.upper()}"
        text = LOOKUP_FAILED.of(host=self.host, server=self.server, error=error) if error else None
        return Failure(Phase.RESOLVE, code, f"{where}: {message}", text)


def system_config(resolv_conf: Path = Path("/etc/resolv.conf"), hosts: Path = Path("/etc/hosts")) -> ResolverConfig:
    """The machine's resolver configuration, read anew: DHCP options change under a running cluster."""
    return msgspec.structs.replace(parse_resolv_conf(_text(resolv_conf)), hosts=parse_hosts(_text(hosts)))


def override_servers(config: ResolverConfig, servers: Sequence[str]) -> ResolverConfig:
    """The same options with other name servers. Raises ValueError on a bad address."""
    chosen = tuple(server_text(*split_server(text)) for text in servers)
    return msgspec.structs.replace(config, servers=chosen)


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


async def resolve(host: str, config: ResolverConfig, budget: Budget, *, view: str = "system") -> Resolution:
    """Resolve `host` (A-label form; a trailing dot disables the search list) by Go's rules."""
    hosts_addresses = config.hosts.get(host.lower().removesuffix("."))
    if hosts_addresses:
        return _with_sources(Resolution(host, "hosts", 0.0, hosts_addresses, view=view))
    lookups: list[Lookup] = []
    for name in name_list(host, config) if is_domain_name(host) else ():
        pair = await _pair(host, name, config, budget)
        lookups += pair
        if any(lookup.addresses or _cut_short(lookup) for lookup in pair) or _over(budget):
            break
    addresses, ms, failure = conclude(host, lookups, single_request=config.single_request)
    addresses = addresses[:MAX_ADDRESSES]
    return _with_sources(Resolution(host, "dns", round(ms, 3), addresses, tuple(lookups), view=view, failure=failure))


async def _pair(host: str, name: str, config: ResolverConfig, budget: Budget) -> list[Lookup]:
    """A and AAAA concurrently, or one after the other with `options single-request`."""
    a = _look_up(host, name, "A", config, budget)
    aaaa = _look_up(host, name, "AAAA", config, budget)
    if config.single_request:
        return [await a, await aaaa]
    beside = asyncio.Task(aaaa, loop=asyncio.get_running_loop(), eager_start=True)  # sends its query at once
    try:
        return [await a, await beside]
    finally:
        beside.cancel()


def _with_sources(resolution: Resolution) -> Resolution:
    """With our source address for each destination. They decide the order of addresses, so one address needs none."""
    if len(set(resolution.addresses)) < 2:
        return resolution
    sources = {address: source_address(address) for address in resolution.addresses}
    return msgspec.structs.replace(resolution, sources=sources)


def _over(budget: Budget) -> bool:
    now = asyncio.get_running_loop().time()
    return now >= budget.call_ends or budget.ran_out(now)


def _cut_short(lookup: Lookup) -> bool:
    return lookup.failure is not None and lookup.failure.code is Code.DEADLINE_EXCEEDED


async def compare(host: str, server: str, budget: Budget) -> Resolution:
    """The answer of another name server, queried once; `view` is its address."""
    name = server_text(*split_server(server))
    loop = asyncio.get_running_loop()
    brief = budget._replace(call_ends=min(budget.call_ends, loop.time() + COMPARE_LIMIT))
    config = ResolverConfig(servers=(name,), attempts=1, timeout=COMPARE_LIMIT)
    return await resolve(host, config, brief, view=name)


async def _look_up(host: str, name: str, kind: RecordType, config: ResolverConfig, budget: Budget) -> Lookup:
    """One name and type through all servers and rounds: tryOneName. Each over UDP, then over TCP if truncated."""
    queries: list[Query] = []
    for server in _rounds(config):
        final = False
        for transport in _TCP_ONLY if config.use_tcp else _UDP_THEN_TCP:
            query, reading = await _query(Question(host, name, kind, server, transport), config.timeout, budget)
            queries.append(query)
            final = reading.final
            if not reading.truncated:
                break
        if final or _over(budget):
            break
        await asyncio.sleep(0)  # servers that refuse at once must not block the event loop
    last = queries[-1]
    ms = sum([query.ms for query in queries])
    return Lookup(
        name=name,
        type=kind,
        ms=round(ms, 3),
        queries=tuple(queries),
        addresses=() if last.failure else last.addresses,
        failure=last.failure and whole_wait(f"{kind} query for {host}", queries, ms, last.failure),
    )


def _rounds(config: ResolverConfig) -> Iterator[str]:
    """Every server, `attempts` times; resolv.conf may name any number, which _MAX_ROUNDS bounds (glibc: 5)."""
    first = next(_rotation) % len(config.servers) if config.rotate else 0
    for _ in range(min(config.attempts, _MAX_ROUNDS)):
        yield from config.servers[first:]
        yield from config.servers[:first]


async def _query(question: Question, timeout: float, budget: Budget) -> tuple[Query, Reading]:
    """One query over one transport. A network failure is data."""
    loop = asyncio.get_running_loop()
    until = budget.until(loop.time(), timeout)
    started = time.perf_counter()
    reading, wire_seconds = await _exchange(question, until, budget)
    user_ms = round((time.perf_counter() - started) * 1e3, 3)
    query = Query(
        server=question.server,
        transport=question.transport,
        ms=user_ms if wire_seconds is None else round(wire_seconds * 1e3, 3),
        user_ms=user_ms,
        rcode=reading.rcode,
        addresses=reading.addresses,
        cnames=reading.cnames,
        ttl=reading.ttl,
        failure=question.failure(reading.code, reading.message, reading.error) if reading.code else None,
    )
    return query, reading


async def _exchange(question: Question, until: float, budget: Budget) -> tuple[Reading, float | None]:
    """The response as read, and its seconds on the wire; None without a response."""
    udp = question.transport == "udp"
    server = split_server(question.server)
    request = make_request(question.name, question.kind)
    sock: socket.socket | None = None
    loop = asyncio.get_running_loop()
    started = loop.time()
    try:
        sock = open_socket(server[0], socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
        wire, seconds = await (_over_udp if udp else _over_tcp)(sock, server, request, until)
        wrong = None if udp else mismatch(wire, request)
        if wrong:
            message = "the message is not a response to our query"
            return Reading(code=Code.DNS_MALFORMED, message=message, error=wrong), seconds
        return read(wire, question.kind, over_udp=udp), seconds
    except TimeoutError:
        if budget.ran_out(loop.time()):
            return Reading(code=Code.DEADLINE_EXCEEDED, message="the run's deadline passed"), None
        message = f"no response within {loop.time() - started:.1f} s"
        error = f"{_where(sock, question)}: i/o timeout"
        return Reading(code=Code.DNS_TIMEOUT, message=message, error=error), None
    except EOFError as error:
        message = "the connection was closed before the response"
        return Reading(code=Code.DNS_MALFORMED, message=message, error=str(error)), None
    except OSError as error:
        text = errno_text(error)
        code = classify_connect(error)
        code = code if code is Code.INTERNAL_ERROR else Code.DNS_UNREACHABLE
        where = _where(sock, question, reset=error.errno == errno.ECONNRESET)
        verb = "read" if where.startswith("read") else "connect"
        return Reading(code=code, message=text, error=f"{where}: {verb}: {text}"), None
    finally:
        if sock is not None:
            sock.close()


def _where(sock: socket.socket | None, question: Question, *, reset: bool = False) -> str:
    """Go's net.OpError: `read udp LOCAL->SERVER` once connected, `dial tcp SERVER` before.

    reset: of a connection, which has no peer any more.
    """
    if sock is not None:
        with suppress(OSError):
            if not reset:
                sock.getpeername()
            local = server_text(*sock.getsockname()[:2])
            return f"read {question.transport} {local}->{question.server}"
    return f"dial {question.transport} {question.server}"


async def _over_udp(
    sock: socket.socket, server: tuple[str, int], request: DnsRequest, until: float
) -> tuple[bytes, float]:
    """Over a connected socket, so that ICMP errors are seen; datagrams that do not answer the query are ignored."""
    sock.connect(socket_address(*server))
    sent, offset = clocks()
    sock.send(request.wire)
    while True:
        await readable(sock, until)
        try:
            wire, stamp = receive(sock, EDNS_PAYLOAD)
        except BlockingIOError:
            continue
        if not mismatch(wire, request):
            return wire, arrival(stamp, sent, offset)[0] - sent
        if asyncio.get_running_loop().time() >= until:
            raise TimeoutError  # forged responses without end must not extend the wait


async def _over_tcp(
    sock: socket.socket, server: tuple[str, int], request: DnsRequest, until: float
) -> tuple[bytes, float]:
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    async with asyncio.timeout_at(until):
        await loop.sock_connect(sock, socket_address(*server))
        wire = request.wire
        await loop.sock_sendall(sock, len(wire).to_bytes(2) + wire)
        buffer = bytearray()
        while len(buffer) < 2 or len(buffer) < 2 + int.from_bytes(buffer[:2]):
            chunk = await loop.sock_recv(sock, 65537)
            if not chunk:
                raise EOFError("EOF" if len(buffer) in (0, 2) else "unexpected EOF")  # io.ReadFull, twice
            buffer += chunk
    response = bytes(buffer[2 : 2 + int.from_bytes(buffer[:2])])
    return response, time.perf_counter() - started
