"""The platform under the probe: facts that the documentation leaves open.

A first deployment runs `{"action": "doctor"}` once and reads: what resolv.conf contains in a VPC function,
which name servers respond and how, which interfaces and MTU there are, what OpenSSL offers in a ClientHello
and how large it is, and whether the kernel provides the times that the probe uses.
"""

import asyncio
import os
import platform
import socket
import ssl
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from egressprobe import __version__
from egressprobe.apiserver.client_rules import DEFAULT_ALPN, WEBHOOK_ALPN
from egressprobe.apiserver.kube_version import CLASSIC
from egressprobe.golang.resolver import server_text, split_server
from egressprobe.golang.tls_hello import offered_groups
from egressprobe.model.target import Endpoint
from egressprobe.model.text import valid
from egressprobe.net.guard import VPC_RESOLVERS
from egressprobe.probe.edges import Edges
from egressprobe.probe.transport.connect import connect
from egressprobe.probe.transport.kernel_socket import enable_timestamps, source_address
from egressprobe.probe.transport.resolve import compare, system_config
from egressprobe.probe.transport.time_limits import Budget
from egressprobe.probe.transport.tls_context import Offer, client_hello, context, groups, trust_store

DOCTOR_SCHEMA = "egressprobe/doctor/v1"
_DEFAULT_NAME = "amazonaws.com"
_LOOKUP_SECONDS = 2.5
_SIOCGIFADDR = 0x8915  # linux/sockios.h
_SYSCTLS = (
    "net/ipv4/tcp_syn_retries",
    "net/ipv4/tcp_mtu_probing",
    "net/ipv4/tcp_timestamps",
    "net/ipv4/ip_local_port_range",
    "net/ipv6/conf/all/disable_ipv6",
)


async def examine(name: str | None, edges: Edges) -> dict[str, Any]:
    """Collect the facts. `name`: the host to look up at every name server."""
    config = edges.config or system_config()
    servers = tuple(dict.fromkeys((*config.servers, *VPC_RESOLVERS)))
    budget = Budget(*(asyncio.get_running_loop().time() + _LOOKUP_SECONDS,) * 2)
    host = name or _region_name()
    resolutions = await asyncio.gather(*(compare(host, server, budget) for server in servers))
    readings = await asyncio.gather(*(_by_dnspython(host, server) for server in servers))
    facts = {
        "schemaVersion": DOCTOR_SCHEMA,
        "version": __version__,
        "python": platform.python_version(),
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "openssl": ssl.OPENSSL_VERSION,
        "trustStore": trust_store(),
        "clientHello": {
            "webhook": _hello(Offer(WEBHOOK_ALPN)),
            "default": _hello(Offer(DEFAULT_ALPN)),
            "small": _hello(Offer(WEBHOOK_ALPN, CLASSIC, groups(CLASSIC)[0])),
        },
        "resolvConf": _read("/etc/resolv.conf"),
        "resolver": msgspec.structs.replace(config, hosts={}),
        "nameServers": resolutions,
        "nameServersByDnspython": readings,
        "interfaces": _interfaces(),
        "sources": {"ipv4": source_address("192.0.2.1"), "ipv6": source_address("2001:db8::1")},
        "kernelTimes": await _kernel_times(),
        "sysctls": {key: _read(f"/proc/sys/{key}") for key in _SYSCTLS},
        "cpus": os.process_cpu_count(),
        "memoryMiB": os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
    }
    plain: dict[str, Any] = valid(msgspec.to_builtins(facts, str_keys=True))
    return plain


async def _by_dnspython(host: str, server: str) -> dict[str, Any]:
    """A second reading of the same name server, by a library that shares no code with the probe's own resolver.

    Where the two differ, the name server's answer is damaged or the probe's reading of it is wrong. ms: until the
    answer, from user space.
    """
    import dns.asyncquery  # 300 ms on a small function, so only here
    import dns.exception
    import dns.flags
    import dns.message
    import dns.rcode

    address, port = split_server(server)
    loop = asyncio.get_running_loop()
    started = loop.time()
    reading: dict[str, Any] = {"server": server_text(address, port)}
    try:
        query = dns.message.make_query(host, "A", use_edns=0, payload=1232)
        answer, by_tcp = await dns.asyncquery.udp_with_fallback(query, address, _LOOKUP_SECONDS, port)
    except (dns.exception.DNSException, OSError, EOFError, ValueError) as error:
        return reading | {"error": f"{type(error).__name__}: {error}"[:300]}
    return reading | {
        "rcode": dns.rcode.to_text(answer.rcode()),
        "flags": dns.flags.to_text(answer.flags),
        "edns": answer.edns >= 0,
        "tcp": by_tcp,
        "answers": [line for records in answer.answer for line in records.to_text().split("\n")][:20],
        "ms": round((loop.time() - started) * 1e3, 1),
    }


def _region_name() -> str:
    region = os.environ.get("AWS_REGION")
    return f"sts.{region}.amazonaws.com" if region else _DEFAULT_NAME


def _read(path: str) -> str | None:
    with suppress(OSError):
        return Path(path).read_text(errors="replace").strip()[:4000]
    return None


def _hello(offer: Offer) -> dict[str, Any]:
    """The size and the groups of our ClientHello."""
    hello = client_hello(context("", (), offer, verify=True), b"host.example")
    return {"bytes": len(hello), "groups": offered_groups(hello)}


def _interfaces() -> list[dict[str, Any]]:
    interfaces = []
    with suppress(OSError):
        for _, name in socket.if_nameindex():
            mtu = _read(f"/sys/class/net/{name}/mtu")
            interfaces.append({"name": name, "mtu": int(mtu) if mtu else None, "addresses": _addresses(name)})
    return interfaces


def _addresses(interface: str) -> list[str]:
    addresses = []
    if sys.platform == "linux":
        import fcntl

        with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            request = struct.pack("256s", interface.encode()[:15])
            addresses.append(socket.inet_ntoa(fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, request)[20:24]))
    for line in (_read("/proc/net/if_inet6") or "").splitlines():
        packed, *_, name = line.split()
        if name == interface:
            addresses.append(socket.inet_ntop(socket.AF_INET6, bytes.fromhex(packed)))
    return addresses


async def _kernel_times() -> dict[str, bool]:
    """Whether TCP_INFO and receive time stamps work, tried on our own loopback listener."""
    works = {"tcpInfo": False, "receiveStamps": False}
    enable_timestamps()
    await asyncio.sleep(0.05)

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b".")
        await writer.drain()
        writer.close()

    with suppress(OSError, TimeoutError):
        server = await asyncio.start_server(greet, "127.0.0.1", 0)
        async with server:
            until = asyncio.get_running_loop().time() + 1
            endpoint = Endpoint(*server.sockets[0].getsockname()[:2])
            stream, connected = await connect(endpoint, Budget(until, until))
            if stream:
                works["tcpInfo"] = connected.ms != connected.user_ms
                await stream.receive(until)
                works["receiveStamps"] = stream.stamped
                stream.close()
    return works
