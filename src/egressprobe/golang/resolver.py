"""The decisions of Go's resolver, without a socket: net/conf.go, dnsconfig_unix.go, dnsclient_unix.go, hosts.go.

- `parse_resolv_conf`, `parse_hosts`: the two files as Go reads them.
- `is_domain_name`, `name_list`: which names are queried at all, and the order of the search list.
- `conclude`: from the A and AAAA lookups of each name to addresses, or the one error that Go returns.
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address

import msgspec

from egressprobe.error_texts.network import LOOKUP_FAILED, NO_SUCH_HOST
from egressprobe.model.failure import NOT_MEASURED, Code, Failure, Phase
from egressprobe.model.measurement import Lookup, Query
from egressprobe.model.target import Endpoint

DNS_PORT = 53
MAX_SERVERS = 3  # dnsconfig_unix.go: "small, but the standard limit"
_MAX_DOMAIN = 254
_DEFAULT_SERVERS = ("127.0.0.1:53", "[::1]:53")


class ResolverConfig(msgspec.Struct, frozen=True):
    """resolv.conf and /etc/hosts as Go uses them. `timeout`: seconds a query; `attempts`: rounds.

    rotate: each lookup begins with the next server. single_request: A and AAAA one after the other.
    """

    servers: tuple[str, ...] = _DEFAULT_SERVERS
    search: tuple[str, ...] = ()
    ndots: int = 1
    timeout: float = 5.0
    attempts: int = 2
    use_tcp: bool = False
    single_request: bool = False
    rotate: bool = False
    hosts: dict[str, tuple[str, ...]] = {}


def server_text(address: str, port: int = DNS_PORT) -> str:
    """`host:port` as Go prints it: an IPv6 address in brackets."""
    return str(Endpoint(address, port))


@lru_cache(maxsize=64)
def split_server(text: str) -> tuple[str, int]:
    """`ADDR`, `ADDR:PORT`, `[ADDR6]:PORT` or `ADDR6` to (address, port). Raises ValueError."""
    host, port = text, str(DNS_PORT)
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError("the bracket is not closed")
        port = rest.removeprefix(":") or port
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    if not (port.isascii() and port.isdecimal() and len(port) < 10) or not 1 <= int(port) <= 65535:
        raise ValueError(f"port {port} is not in 1..65535")
    return str(ip_address(host)), int(port)


def _option(options: list[str], name: str, default: int, low: int, high: int) -> int:
    """The last `name:N`, clamped; Go reads the leading digits and reads none as 0 (net/parse.go dtoi)."""
    value = default
    for option in options:
        if option.startswith(f"{name}:"):
            digits = option.removeprefix(f"{name}:")
            end = next((i for i, c in enumerate(digits) if not c.isdecimal()), len(digits))
            value = min(max(int(digits[:end] or 0), low), high)
    return value


def parse_resolv_conf(text: str) -> ResolverConfig:
    """resolv.conf by the rules of net/dnsconfig_unix.go dnsReadConfig.

    Without a `search` line Go uses the domain of the host name. Here that would be the probe's host name, not the
    API server's, so it is left out.
    """
    servers: list[str] = []
    search: tuple[str, ...] = ()
    options: list[str] = []
    for line in text.splitlines():
        if line.startswith((";", "#")):
            continue
        keyword, *fields = line.split() or [""]
        if keyword == "nameserver" and fields and len(servers) < MAX_SERVERS:
            try:
                servers.append(server_text(str(ip_address(fields[0]))))
            except ValueError:
                continue
        elif keyword == "domain" and fields:
            search = (fields[0].rstrip(".") + ".",)
        elif keyword == "search":
            search = tuple(f"{name.rstrip('.')}." for name in fields if name != ".")
        elif keyword == "options":
            options += fields
    return ResolverConfig(
        servers=tuple(servers) or _DEFAULT_SERVERS,
        search=search,
        ndots=_option(options, "ndots", 1, 0, 15),
        timeout=_option(options, "timeout", 5, 1, 1 << 30),
        attempts=_option(options, "attempts", 2, 1, 1 << 30),
        use_tcp=bool({"use-vc", "usevc", "tcp"} & set(options)),
        single_request=bool({"single-request", "single-request-reopen"} & set(options)),
        rotate="rotate" in options,
    )


def parse_hosts(text: str) -> dict[str, tuple[str, ...]]:
    """/etc/hosts as name (lower case, no trailing dot) -> addresses, in the order of the file."""
    hosts: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        try:
            canonical = str(ip_address(address))
        except ValueError:
            continue
        for name in names:
            key = name.lower().removesuffix(".")
            hosts[key] = (*hosts.get(key, ()), canonical)
    return hosts


def is_domain_name(name: str) -> bool:
    """net/dnsclient.go isDomainName: the names that Go queries; any other is `no such host` at once."""
    return len(name) <= _MAX_DOMAIN and _is_domain_name(name)


@lru_cache(maxsize=4096)  # keys of at most 254 characters: 1 MB
def _is_domain_name(name: str) -> bool:
    if name == ".":
        return True
    if not name or (len(name) == 254 and not name.endswith(".")):
        return False
    labels = name.removesuffix(".").split(".")
    if any(
        not 1 <= len(label) <= 63 or label[0] == "-" or label[-1] == "-" or not _is_label(label) for label in labels
    ):
        return False
    return any(not c.isdecimal() for label in labels for c in label)


def _is_label(label: str) -> bool:
    return label.isascii() and all(c.isalnum() or c in "-_" for c in label)


def _avoid(name: str) -> bool:
    return name.removesuffix(".").lower().endswith(".onion")  # RFC 7686


def name_list(name: str, config: ResolverConfig) -> tuple[str, ...]:
    """The names to query, in order: net/dnsclient_unix.go nameList."""
    if name.endswith("."):
        return () if _avoid(name) else (name,)
    rooted = f"{name}."
    searched = [
        f"{rooted}{suffix}"
        for suffix in config.search
        if len(rooted) + len(suffix) <= 254 and not _avoid(f"{rooted}{suffix}")
    ]
    own = [] if _avoid(rooted) else [rooted]
    names = own + searched if name.count(".") >= config.ndots else searched + own
    return tuple(names)


def no_such_host(host: str, code: Code, message: str, server: str = "") -> Failure:
    text = LOOKUP_FAILED.of(host=host, server=server, error="no such host") if server else NO_SUCH_HOST.of(host=host)
    return Failure(Phase.RESOLVE, code, message, text)


def conclude(
    host: str, lookups: Sequence[Lookup], *, single_request: bool = False
) -> tuple[tuple[str, ...], float, Failure | None]:
    """Addresses, milliseconds until Go has them, and the failure if there are none.

    Go queries A and AAAA of one name together, waits for both, and goes to the next name of the search list only
    when neither has an address. The error returned is the last to arrive for the name as given, else the first of
    any name (goLookupIPCNAMEOrder: "Prefer error from original name"). A lookup that we did not finish takes
    precedence over all of them: its result for Go is unknown.

    single_request: Go queries A, waits, then queries AAAA, so that their times add up. An address that is twice in
    the answers counts twice: the dialer gives each its share of the time (net/dial.go partialDeadline).
    """
    total = 0.0
    failure: Failure | None = None
    original = f"{host}."  # as goLookupIPCNAMEOrder compares: a name given with a trailing dot never matches
    names = dict.fromkeys(lookup.name for lookup in lookups)
    for name in names:
        pair = [lookup for lookup in lookups if lookup.name == name]
        if not single_request:
            pair.sort(key=lambda lookup: lookup.ms)
        times = [lookup.ms for lookup in pair]
        total += sum(times) if single_request else max(times)
        addresses = tuple(address for lookup in pair for address in lookup.addresses)
        if addresses:
            return addresses, total, None
        for lookup in pair:
            if lookup.failure and lookup.failure.code in NOT_MEASURED:
                return (), total, lookup.failure
            if lookup.failure and (failure is None or name == original):
                failure = lookup.failure
    message = f"{host} is not a valid domain name: Go's resolver sends no query for it"
    failure = failure or no_such_host(host, Code.DNS_NO_ADDRESSES, message)
    if {lookup.type for lookup in lookups} != {"A", "AAAA"}:
        return (), total, failure
    # Where neither type was answered the server is at fault, not one type.
    queries = [query for lookup in lookups for query in lookup.queries]
    return (), total, whole_wait(f"A and AAAA queries for {host}", queries, total, failure)


def whole_wait(what: str, queries: Sequence[Query], ms: float, failure: Failure) -> Failure:
    """`failure`, the last query's, of several that nothing answered: with all servers, and the time of all of them."""
    if len(queries) < 2 or any(
        query.failure is None or query.failure.code is not Code.DNS_TIMEOUT for query in queries
    ):
        return failure
    servers = " and ".join(dict.fromkeys(query.server for query in queries))
    transports = " and ".join(dict.fromkeys(query.transport.upper() for query in queries))
    waited = f"no response to any of the {len(queries)} within {ms / 1e3:.1f} s"
    return msgspec.structs.replace(failure, message=f"{what} to {servers} over {transports}: {waited}")
