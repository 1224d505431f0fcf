"""The forecast's rules one by one, and its properties over generated measurements."""

import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from egressprobe.apiserver.forecast import client_for, forecast
from egressprobe.golang.dialer import Leg, NotMeasuredError, dial
from egressprobe.model.failure import Code, Failure, Phase
from egressprobe.model.measurement import Attempt, Handshake, Hop, HttpExchange, Lookup, Measurement, Query, Resolution
from egressprobe.model.target import FailurePolicy, Impact, Kind, Target, Verdict
from egressprobe.probe.diagnosis.rule_input import Case, Neighbours
from egressprobe.probe.diagnosis.verdict import result
from tests.conftest import examples

TIMED_OUT = "i/o timeout"


def leg(seconds, error=None):
    return Leg(seconds, error, TIMED_OUT)


SILENT = leg(math.inf, TIMED_OUT)


@pytest.mark.parametrize(
    ("order", "legs", "address", "at"),
    [
        (["a"], {"a": leg(0.01)}, "a", 0.01),
        (["a", "b"], {"a": SILENT, "b": leg(0.01)}, "b", 15.01),
        (["a", "b", "c"], {"a": SILENT, "b": SILENT, "c": leg(0.01)}, "c", 20.01),
        (["a", "b"], {"a": leg(0.5, "refused"), "b": leg(0.01)}, "b", 0.51),
        (["a"], {"a": SILENT}, None, 30.0),
        # v6 first and silent: IPv4 starts after 300 ms and wins
        (["::1", "a"], {"::1": SILENT, "a": leg(0.02)}, "a", 0.32),
        # v6 refused: IPv4 starts at once
        (["::1", "a"], {"::1": leg(0.01, "refused"), "a": leg(0.02)}, "a", 0.03),
        # v6 slow but first to finish
        (["::1", "a"], {"::1": leg(0.4), "a": leg(0.2)}, "::1", 0.4),
        (["::1", "a"], {"::1": leg(0.6), "a": leg(0.2)}, "a", 0.5),
        # twenty silent: 2 s each (saneMinimum) until the 30 s are gone; the last is never dialled
        ([f"a{i}" for i in range(20)] + ["z"], {f"a{i}": SILENT for i in range(20)} | {"z": leg(0)}, None, 30.0),
    ],
)
def test_dial(order, legs, address, at):
    """net/dial.go on measured times."""
    won = dial(order, legs, 0.0, 30.0)
    assert won.address == address
    assert math.isclose(won.at, at, abs_tol=1e-6)


def test_the_first_error_of_the_first_family_is_reported():
    legs = {"::1": leg(0.1, "first"), "::2": leg(0.1, "second"), "a": leg(0.1, "other")}
    assert dial(["::1", "::2", "a"], legs, 0.0, 30.0).error == "first"


def test_an_unknown_address_is_not_guessed():
    with pytest.raises(NotMeasuredError):
        dial(["a", "b"], {"a": SILENT}, 0.0, 30.0)
    assert dial(["a", "b"], {"a": leg(0.1)}, 0.0, 30.0).address == "a"
    # 15 s for the silent one: a caller that gave up after 10 does not care what comes then
    assert dial(["a", "b"], {"a": SILENT}, 0.0, 30.0, 10.0) == (None, 15.0, TIMED_OUT)


# -- generated measurements ---------------------------------------------------------------------------------

_CONNECT = [Code.CONNECT_REFUSED, Code.CONNECT_TIMEOUT, Code.HOST_UNREACHABLE, Code.NETWORK_UNREACHABLE]
_LATER = [Code.TLS_TIMEOUT, Code.TLS_RESET, Code.TLS_CERT_EXPIRED, Code.HTTP_TIMEOUT, Code.HTTP_RESET]
_UNKNOWN = [Code.DEADLINE_EXCEEDED, Code.TARGET_FORBIDDEN, Code.INTERNAL_ERROR]


@st.composite
def attempts(draw, address):
    """One address with any outcome the probe can record."""
    family = "ipv6" if ":" in address else "ipv4"
    code = draw(st.one_of(st.none(), st.sampled_from(_CONNECT + _LATER + _UNKNOWN)))
    ms = draw(st.floats(0.1, 9000))
    if code in _CONNECT or code in _UNKNOWN:
        return Attempt(address, 1, family, failure=Failure(Phase.CONNECT, code, "m", "e"), failure_ms=ms)
    phase = Phase.TLS if code and code.startswith("tls") else Phase.HTTP
    failure = Failure(phase, code, "m", "e") if code else None
    return Attempt(address, 1, family, 0.1, 0.1, Handshake(ms, ms), ms, None, failure, ms if failure else None)


_ADDRESSES = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "2600::1", "2600::2"]


@st.composite
def measurements(draw):
    """A resolved host with up to five addresses, or one whose lookup failed."""
    addresses = tuple(draw(st.lists(st.sampled_from(_ADDRESSES), unique=True, max_size=5)))
    ms = draw(st.sampled_from([0.5, 900.0, 5100.0, 10_000.0, 31_000.0]))
    failure = (
        None if addresses else Failure(Phase.RESOLVE, draw(st.sampled_from([Code.DNS_NXDOMAIN, *_UNKNOWN])), "m", "e")
    )
    lookups = (Lookup("h.", "A", ms, (Query("s:53", "udp", ms),), addresses, failure),)
    sources = {a: draw(st.sampled_from([None, "2600::9" if ":" in a else "10.0.0.9"])) for a in addresses}
    resolution = Resolution("h", "dns", ms, addresses, lookups, sources=sources, failure=failure)
    hop = Hop("call", "https://h/", "h", 1, resolution, tuple(draw(attempts(a)) for a in addresses))
    return Measurement((hop,), 1.0)


def hook(timeout=10, policy=None):
    return Target(Kind.WEBHOOK, "w", "https://h/", "h", 1, timeout_seconds=timeout, failure_policy=policy)


def predict(seen, timeout=10, **known):
    """The forecast; None where there is none."""
    prediction = forecast(seen, client_for(hook(timeout), known.pop("sources", {}), **known))
    return prediction and prediction.forecast


@given(measurements(), st.integers(1, 30))
def test_total(seen, timeout):
    """Always a forecast or none; a failing one has its text and time, a passing one is within its limit."""
    predicted = predict(seen, timeout)
    if predicted is None:
        return
    assert 0 <= predicted.share <= 1
    assert 0 <= predicted.seconds <= timeout + 0.001
    assert (predicted.outcome == "fail") == (predicted.error is not None)
    assert predicted.outcome == "fail" or predicted.share > 0


@given(measurements(), st.integers(1, 29))
def test_monotone_in_the_timeout(seen, timeout):
    """More time never turns a pass into a fail."""
    less, more = predict(seen, timeout), predict(seen, timeout + 1)
    if less and more:
        assert (less.outcome, more.outcome) != ("pass", "fail")
        assert less.share <= more.share + 1e-9


@given(measurements())
@settings(max_examples=examples(200))
def test_monotone_in_what_follows_the_connect(seen):
    """If TLS of the address that wins the dial fails instead of passing, the call does not get better."""
    predicted = predict(seen)
    assume(predicted is not None and predicted.outcome == "pass")
    [hop] = seen.hops
    broken = tuple(
        Attempt(
            a.address, 1, a.family, a.connect_ms, failure=Failure(Phase.TLS, Code.TLS_RESET, "m", "e"), failure_ms=1.0
        )
        if a.failure is None
        else a
        for a in hop.attempts
    )
    worse = predict(Measurement((Hop("call", hop.url, "h", 1, hop.resolution, broken),), 1.0))
    assert worse is not None
    assert worse.outcome == "fail"


@given(measurements())
def test_verdicts_are_total_and_never_pass_what_fails(seen):
    """Any measurement has a verdict; a pass means every call passes; not measured is unknown."""
    client = client_for(hook(), {})
    prediction = forecast(seen, client)
    judged = result(Case(hook(), seen, prediction, client, Neighbours(control=True)))
    if judged.verdict is Verdict.PASS:
        assert prediction.forecast.share == 1
        assert prediction.failure is judged.failure is None
    if prediction is None:
        assert judged.verdict is Verdict.UNKNOWN
        assert judged.failure is not None
    if judged.verdict is Verdict.FAIL:
        assert judged.failure.api_server_error
    misplaced = result(Case(hook(), seen, prediction, client, Neighbours(misplaced=True)))
    assert misplaced.verdict is Verdict.UNKNOWN


def test_killing_an_address_can_help():
    """A v6 that connects and fails TLS beats a v4 that works: without it the call passes (a named exception)."""
    bad = Failure(Phase.TLS, Code.TLS_RESET, "m", "e")
    v6 = Attempt("2600::1", 1, "ipv6", 1.0, failure=bad, failure_ms=1.0)
    v4 = Attempt("10.0.0.1", 1, "ipv4", 1.0, tls=Handshake(1.0, 1.0), exchange_ms=1.0)
    sources = {"2600::1": "2600::9", "10.0.0.1": "10.0.0.9"}

    def seen(*tried):
        resolution = Resolution("h", "dns", 1.0, tuple(a.address for a in tried), sources=sources)
        return Measurement((Hop("call", "https://h/", "h", 1, resolution, tried),), 1.0)

    assert predict(seen(v4, v6)).outcome == "fail"
    assert predict(seen(v4)).outcome == "pass"


def test_a_lookup_cut_by_the_runs_end_leaves_no_forecast():
    """A answered, AAAA was not waited for: whether the call would pass is not known."""
    cut = Lookup("h.", "AAAA", 500.0, (), (), Failure(Phase.RESOLVE, Code.DEADLINE_EXCEEDED, "m"))
    fine = Lookup("h.", "A", 1.0, (), ("10.0.0.1",))
    live = Attempt("10.0.0.1", 1, "ipv4", 1.0, tls=Handshake(1.0, 1.0), exchange_ms=1.0)
    resolution = Resolution("h", "dns", 500.0, ("10.0.0.1",), (fine, cut), sources={"10.0.0.1": "10.0.0.9"})
    assert predict(Measurement((Hop("call", "https://h/", "h", 1, resolution, (live,)),), 1.0)) is None


def test_tls_stalls_end_at_ten_seconds_or_at_the_calls_limit():
    silent = Failure(Phase.TLS, Code.TLS_TIMEOUT, "m")
    one = Attempt("10.0.0.1", 1, "ipv4", 1.0, failure=silent, failure_ms=5000.0)
    resolution = Resolution("h", "dns", 1.0, ("10.0.0.1",), sources={"10.0.0.1": "10.0.0.9"})
    seen = Measurement((Hop("call", "https://h/", "h", 1, resolution, (one,)),), 1.0)
    assert (predict(seen, 15).seconds, predict(seen, 15).error) == (10.002, "net/http: TLS handshake timeout")
    assert (predict(seen, 5).seconds, predict(seen, 5).error) == (5, "context deadline exceeded")


def test_no_ipv6_here_is_unknown_where_the_cluster_has_it():
    """An unreachable v6 address is harmless on an IPv4 cluster and unknown on an IPv6 one."""
    unreachable = Failure(Phase.CONNECT, Code.NETWORK_UNREACHABLE, "m", "e")
    v6 = Attempt("2600::1", 1, "ipv6", failure=unreachable, failure_ms=0.1)
    resolution = Resolution("h", "dns", 1.0, ("2600::1",), sources={"2600::1": None})
    seen = Measurement((Hop("call", "https://h/", "h", 1, resolution, (v6,)),), 1.0)
    assert predict(seen).outcome == "fail"
    assert predict(seen, ipv6_expected=True) is None


def test_a_lambdas_link_local_source_does_not_decide_the_order():
    """The sandbox's source is 169.254.x: RFC 6724 takes an assumed control-plane source instead."""
    v4 = Attempt("10.0.0.1", 1, "ipv4", failure=Failure(Phase.CONNECT, Code.CONNECT_REFUSED, "m", "e"), failure_ms=1)
    v6 = Attempt("fd00::1", 1, "ipv6", 1.0, tls=Handshake(1.0, 1.0), exchange_ms=1.0)
    sources = {"10.0.0.1": "169.254.76.1", "fd00::1": "fd00::9"}
    resolution = Resolution("h", "dns", 1.0, ("10.0.0.1", "fd00::1"), sources=sources)
    seen = Measurement((Hop("call", "https://h/", "h", 1, resolution, (v4, v6)),), 1.0)
    # IPv4 first (a ULA has precedence 3), refused, then IPv6: passes either way, but after IPv4's error.
    assert predict(seen).seconds >= 0.002
    assert predict(seen, sources={"ipv4": "10.0.0.9", "ipv6": "fd00::9"}).outcome == "pass"


@pytest.mark.parametrize(
    ("policy", "code", "ms", "impact"),
    [
        (FailurePolicy.FAIL, Code.CONNECT_REFUSED, 1.0, Impact.BLOCKS),
        (FailurePolicy.IGNORE, Code.CONNECT_REFUSED, 1.0, Impact.BYPASSES),
        (FailurePolicy.IGNORE, Code.CONNECT_TIMEOUT, 5000.0, Impact.DELAYS),
        (None, Code.CONNECT_REFUSED, 1.0, Impact.BLOCKS),
    ],
)
def test_impact(policy, code, ms, impact):
    """Fail-closed blocks; fail-open lets through, at once or after the whole timeout."""
    one = Attempt("10.0.0.1", 1, "ipv4", failure=Failure(Phase.CONNECT, code, "m", "e"), failure_ms=ms)
    resolution = Resolution("h", "dns", 1.0, ("10.0.0.1",), sources={"10.0.0.1": "10.0.0.9"})
    seen = Measurement((Hop("call", "https://h/", "h", 1, resolution, (one,)),), 1.0)
    target = hook(policy=policy)
    client = client_for(target, {})
    assert result(Case(target, seen, forecast(seen, client), client, Neighbours(control=True))).impact is impact


def silent_address(code=Code.CONNECT_TIMEOUT, phase=Phase.CONNECT):
    failure = Failure(phase, code, "m", "dial tcp 10.0.0.1:1: i/o timeout" if phase is Phase.CONNECT else None)
    connect = None if phase is Phase.CONNECT else 1.0
    one = Attempt("10.0.0.1", 1, "ipv4", connect, failure=failure, failure_ms=5000.0)
    resolution = Resolution("h", "dns", 1.0, ("10.0.0.1",), sources={"10.0.0.1": "10.0.0.9"})
    return Measurement((Hop("call", "https://h/", "h", 1, resolution, (one,)),), 1.0)


def test_a_race_of_two_limits_names_every_text():
    """Recorded beside kube-apiserver 1.35.3: at 30 s three texts, at 10 s of a silent handshake two; else one."""
    canceled = (
        "net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)"
    )
    dial = predict(silent_address(), 30)
    assert dial.error == "context deadline exceeded"
    assert set(dial.alternatives) == {"dial tcp 10.0.0.1:1: i/o timeout", canceled}
    shake = predict(silent_address(Code.TLS_TIMEOUT, Phase.TLS), 10)
    assert (shake.error, shake.alternatives) == ("context deadline exceeded", ("net/http: TLS handshake timeout",))
    for seen, timeout in ((silent_address(), 10), (silent_address(Code.TLS_TIMEOUT, Phase.TLS), 15)):
        assert predict(seen, timeout).alternatives == ()


@given(measurements(), st.integers(1, 30))
def test_alternatives_are_other_texts_of_a_failing_call(seen, timeout):
    """Never the text itself, never twice, and none for a call that passes."""
    predicted = predict(seen, timeout)
    if predicted is None:
        return
    texts = (predicted.error, *predicted.alternatives)
    assert len(set(texts)) == len(texts)
    assert predicted.outcome == "fail" or predicted.alternatives == ()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (None, "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"),
        ("unable to read response body: x", "unable to read response body: x"),
    ],
)
def test_a_document_that_never_ends_has_its_readers_text(text, wanted):
    """http.Client.Timeout ends the call after 30 s, in the headers or in the body."""
    failure = Failure(Phase.HTTP, Code.HTTP_TIMEOUT, "does not answer", text)
    attempt = Attempt("192.0.2.1", 443, "ipv4", connect_ms=1.0, tls=Handshake(1.0, 1.0))
    url = "https://idp.example/.well-known/openid-configuration"
    http = HttpExchange(url, "192.0.2.1", 5000.0, failure=failure)
    addresses = Resolution("idp.example", "literal", 0.0, addresses=("192.0.2.1",))
    hop = Hop(
        "discovery", url, "idp.example", 443, resolution=addresses, attempts=(attempt,), http=http, failure=failure
    )
    target = Target(Kind.OIDC, "idp", "https://idp.example", "idp.example", 443)
    found = forecast(Measurement((hop,), 5000.0), client_for(target, {}))
    assert (found.forecast.seconds, found.forecast.error) == (30, wanted)
