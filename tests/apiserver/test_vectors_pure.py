"""Every recorded `dns` and `dial` case, through the pure forecast: no socket, measurements written by hand."""

import math

import pytest

from egressprobe.apiserver.forecast import client_for, forecast
from egressprobe.golang.resolver import conclude
from egressprobe.model.failure import Code, Failure, Phase
from egressprobe.model.measurement import Attempt, Handshake, Hop, Lookup, Measurement, Query, Resolution
from egressprobe.model.target import Kind, Target
from tests.support.peers import vectors

SERVER = "10.99.0.53:53"
LIVE, LIVE_6 = "10.99.0.10", "fd99::10"


def attempt(address: str, how: str) -> Attempt:
    """One address as the probe would have measured it."""
    family = "ipv6" if ":" in address else "ipv4"
    shown = f"[{address}]:8444" if family == "ipv6" else f"{address}:8444"
    if how == "live":
        return Attempt(address, 8444, family, connect_ms=0.2, tls=Handshake(3.0, 3.0), exchange_ms=0.5)
    code, text, ms = {
        "silent": (Code.CONNECT_TIMEOUT, f"dial tcp {shown}: i/o timeout", 5000.0),
        "refused": (Code.CONNECT_REFUSED, f"dial tcp {shown}: connect: connection refused", 0.2),
        "no-arp": (Code.HOST_UNREACHABLE, f"dial tcp {shown}: connect: no route to host", 3080.0),
    }[how]
    return Attempt(address, 8444, family, failure=Failure(Phase.CONNECT, code, how, text), failure_ms=ms)


def lookup(host: str, kind: str, how: str, addresses: tuple[str, ...], ms: float, limit: float) -> Lookup:
    """One A or AAAA lookup: `how` is ok, nodata, drop, or an rcode."""
    errors = {
        "NXDOMAIN": (Code.DNS_NXDOMAIN, "no such host"),
        "nodata": (Code.DNS_NO_ADDRESSES, "no such host"),
        "SERVFAIL": (Code.DNS_SERVFAIL, "server misbehaving"),
        "REFUSED": (Code.DNS_REFUSED, "server misbehaving"),
        "drop": (Code.DNS_TIMEOUT, f"read udp 10.99.0.1:40000->{SERVER}: i/o timeout"),
    }
    failure = None
    if how != "ok":
        code, text = errors[how]
        failure = Failure(Phase.RESOLVE, code, how, f"dial tcp: lookup {host} on {SERVER}: {text}")
    if how == "drop":  # two rounds of 5 s, or as long as the call was watched
        ms = min(10_000.0, (limit + 0.2) * 1e3)
    query = Query(SERVER, "udp", ms, addresses=addresses, failure=failure)
    return Lookup(f"{host}.", kind, ms, (query,), addresses if how == "ok" else (), failure)


# The recorded description -> (A, its addresses, AAAA, its addresses, milliseconds of an answer)
DNS = {
    "AAAA only": ("nodata", (), "ok", (LIVE_6,), 1.0),
    "A and AAAA, both live": ("ok", (LIVE,), "ok", (LIVE_6,), 1.0),
    "v6 silent, v4 live": ("ok", (LIVE,), "ok", ("fd99::66",), 1.0),
    "v4 silent, v6 live": ("ok", ("10.99.0.66",), "ok", (LIVE_6,), 1.0),
    "NXDOMAIN": ("NXDOMAIN", (), "NXDOMAIN", (), 1.0),
    "NOERROR, no answers": ("nodata", (), "nodata", (), 1.0),
    "SERVFAIL": ("SERVFAIL", (), "SERVFAIL", (), 2.0),
    "REFUSED": ("REFUSED", (), "REFUSED", (), 2.0),
    "A fine, AAAA SERVFAIL": ("ok", (LIVE,), "SERVFAIL", (), 2.0),
    "A fine, AAAA NXDOMAIN": ("ok", (LIVE,), "NXDOMAIN", (), 1.0),
    "A fine, AAAA REFUSED": ("ok", (LIVE,), "REFUSED", (), 2.0),
    "both answers after 1 s": ("ok", (LIVE,), "nodata", (), 1001.0),
    "both answers after 4 s": ("ok", (LIVE,), "nodata", (), 4001.0),
    "truncated over UDP, fine over TCP": ("ok", (LIVE,), "nodata", (), 2.0),
    "60 A records": ("ok", tuple(f"10.99.0.{i}" for i in range(100, 160)), "nodata", (), 1.0),
    "CNAME to a live name in the answer": ("ok", (LIVE,), "nodata", (), 1.0),
    "CNAME to a name that is NXDOMAIN": ("NXDOMAIN", (), "NXDOMAIN", (), 1.0),
    "A of a host that refuses": ("ok", ("10.99.0.2",), "nodata", (), 1.0),
    "A of a host nobody answers ARP for": ("ok", ("10.99.0.200",), "nodata", (), 1.0),
    "A of a silent host": ("ok", ("10.99.0.66",), "nodata", (), 1.0),
    "A answered, AAAA dropped": ("ok", (LIVE,), "drop", (), 1.0),
    "all queries dropped": ("drop", (), "drop", (), 1.0),
    "truncated over UDP, TCP silent": ("drop", (), "drop", (), 1.0),
}
FATE = {"10.99.0.66": "silent", "fd99::66": "silent", "10.99.0.2": "refused", "10.99.0.200": "no-arp"}


def target(timeout: int) -> Target:
    return Target(Kind.WEBHOOK, "t", "https://t.lab:8444/", "t.lab", 8444, timeout_seconds=timeout)


def measured(resolution: Resolution, attempts: tuple[Attempt, ...]) -> Measurement:
    return Measurement((Hop("call", "https://t.lab:8444/", "t.lab", 8444, resolution, attempts),), 0.0)


def resolution(host: str, lookups: tuple[Lookup, ...]) -> Resolution:
    addresses, ms, failure = conclude(host, lookups)
    sources = {a: "fd99::1" if ":" in a else "10.99.0.1" for a in addresses}
    return Resolution(host, "dns", ms, addresses, lookups, sources=sources, failure=failure)


def check(case: dict, seen: Measurement) -> None:
    prediction = forecast(seen, client_for(target(case["timeoutSeconds"]), {}))
    assert prediction is not None
    predicted = prediction.forecast
    assert predicted.outcome == case["verdict"]
    assert vectors.normal(predicted.error) == vectors.normal(case.get("error"))
    assert vectors.close(predicted.seconds, case.get("seconds"))


@pytest.mark.parametrize("case", vectors.cases("dns"), ids=lambda case: case["id"])
def test_dns(case):
    """What the API server did with these answers is what the forecast says."""
    host, limit = case["host"], case["timeoutSeconds"]
    a, v4, aaaa, v6, ms = DNS[case["dns"]]
    lookups = (lookup(host, "A", a, v4, ms, limit), lookup(host, "AAAA", aaaa, v6, ms, limit))
    attempts = tuple(attempt(address, FATE.get(address, "live")) for address in v4 + v6)
    check(case, measured(resolution(host, lookups), attempts))


@pytest.mark.parametrize("case", vectors.cases("dial"), ids=lambda case: case["id"])
def test_dial(case):
    """The order and the time of every address decide, whatever timeoutSeconds says."""
    at = {"silent": 66, "live": 10, "refused": 2, "no-arp": 200}
    fates = case["addresses"]
    addresses = tuple(f"10.99.{i}.{at[fate]}" for i, fate in enumerate(fates))
    lookups = (lookup("one.lab", "A", "ok", addresses, 1.0, 30), lookup("one.lab", "AAAA", "nodata", (), 1.0, 30))
    attempts = tuple(attempt(address, fate) for address, fate in zip(addresses, fates, strict=True))
    check(case, measured(resolution("one.lab", lookups), attempts))


def test_all_recorded_cases_are_tried():
    """No dns or dial case of the file is left out by a description that we do not know."""
    assert {case["dns"] for case in vectors.cases("dns")} <= DNS.keys()
    assert len(vectors.cases("dns")) == 24
    assert len(vectors.cases("dial")) == 13


@pytest.mark.parametrize(
    ("fates", "timeout", "share"),
    [
        (("live",), 10, 1.0),
        (("live", "silent"), 10, 0.5),
        (("live", "silent"), 16, 1.0),  # 15 s for the silent one, then it works
        (("live", "live", "silent"), 10, 2 / 3),
        (("live", "live", "silent"), 11, 1.0),  # 10 s for the silent one
        (("live", "refused"), 10, 1.0),
        (("refused", "refused"), 10, 0.0),
    ],
)
def test_share_over_rotations(fates, timeout, share):
    """The share is that of all rotations of the answer, and does not depend on the one seen."""
    for turn in range(len(fates)):
        turned = fates[turn:] + fates[:turn]
        addresses = tuple(f"10.99.{i}.1" for i in range(len(turned)))
        lookups = (lookup("t.lab", "A", "ok", addresses, 1.0, 30), lookup("t.lab", "AAAA", "nodata", (), 1.0, 30))
        attempts = tuple(attempt(a, fate) for a, fate in zip(addresses, turned, strict=True))
        prediction = forecast(measured(resolution("t.lab", lookups), attempts), client_for(target(timeout), {}))
        assert prediction is not None
        predicted = prediction.forecast
        assert math.isclose(predicted.share, share)


def test_share_over_the_endpoints_of_a_service():
    """Each call picks one ready endpoint: one of four dead means three of four calls pass."""
    attempts = tuple(attempt(f"10.99.1.{i}", "live" if i else "refused") for i in range(4))
    seen = Measurement((Hop("call", "https://s.n.svc:443/", "s.n.svc", 443, None, attempts),), 0.0)
    prediction = forecast(seen, client_for(target(10), {}))
    assert prediction is not None
    predicted = prediction.forecast
    assert predicted.outcome == "fail"
    assert predicted.share == 0.75
    assert predicted.error == "dial tcp 10.99.1.0:8444: connect: connection refused"
