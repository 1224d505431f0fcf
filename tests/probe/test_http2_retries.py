"""Requests that an HTTP/2 server has not taken: made again as Go's client makes them (h2_bundle.go canRetryError)."""

import json

import pytest

from egressprobe.lab.certs import issue
from egressprobe.lab.servers import Page, server_context
from egressprobe.model.failure import Code
from egressprobe.model.target import Verdict
from tests.probe import test_apiservice_check as apiservice
from tests.probe.test_http_fetch import HEAD, SETTINGS, Channel, frame, run
from tests.probe.test_oidc import CA, KEYS, PATH, provider  # noqa: F401 (a fixture)
from tests.support.peers.h2server import RefusingH2Server

_PASS = (Verdict.PASS, None)


@pytest.mark.parametrize(
    ("faults", "outcome", "retries", "streams"),
    [
        (["GOAWAY"], _PASS, 1, [[1], [1]]),
        (["PROTOCOL_ERROR"], _PASS, 1, [[1], [1]]),
        (["REFUSED_STREAM"], _PASS, 1, [[1, 3]]),
        (["REFUSED_STREAM", "REFUSED_STREAM"], _PASS, 2, [[1, 3, 5]]),
        (["REFUSED_STREAM", "GOAWAY"], _PASS, 2, [[1, 3], [1]]),
        (["GOAWAY", "REFUSED_STREAM"], _PASS, 2, [[1], [1, 3]]),
        (["GOAWAY", "GOAWAY"], (Verdict.FAIL, Code.HTTP_TIMEOUT), 1, [[1], [1]]),
        (["GOAWAY ENHANCE_YOUR_CALM"], (Verdict.FAIL, Code.HTTP_BODY_INVALID), 0, [[1]]),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) and value and isinstance(value[0], str) else "",
)
def test_a_provider_that_does_not_take_a_request(provider, lab_loop, faults, outcome, retries, streams):  # noqa: F811
    """REFUSED_STREAM keeps the connection; GOAWAY with NO_ERROR and PROTOCOL_ERROR need a new one, which is tried once:
    Go would try one after the other until its client's time is up.
    """
    tls = server_context(issue(CA, ("idp.lab",)), alpn=("h2", "http/1.1"))
    server = lab_loop.start(RefusingH2Server(tls, {}, faults))
    issuer = f"https://idp.lab:{server.port}/r"
    server.pages[PATH] = Page(json.dumps({"issuer": issuer, "jwks_uri": provider.jwks}).encode())
    result = provider.probe(issuer)
    assert (result.verdict, result.failure and result.failure.code) == outcome, result.failure
    assert result.http[0].retries == retries
    connections = dict.fromkeys(peer for peer, _ in server.asked)
    assert [[stream for peer, stream in server.asked if peer == one] for one in connections] == streams
    if outcome[1] is Code.HTTP_TIMEOUT:
        assert "and the same on a new connection" in result.failure.message
        assert result.forecast.error == "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"


def test_an_availability_check_that_is_not_taken_is_made_again(lab_loop):
    tls = server_context(issue(apiservice.CA, ("metrics-server.kube-system.svc",)), alpn=("h2", "http/1.1"))
    pages = {apiservice.PATH: Page(b"{}")}
    one = apiservice.probe(lab_loop.start(RefusingH2Server(tls, pages, ["GOAWAY"])))
    assert (one.availability.outcome, one.availability.attempts[0].exchange_status) == ("pass", 200)


_REFUSED = frame(3, 0, 1, b"\0\0\0\7")


@pytest.mark.parametrize(
    ("answer", "after", "expected"),
    [
        (SETTINGS + _REFUSED, None, (Code.HTTP_TIMEOUT, None, False)),
        (SETTINGS + _REFUSED, b"", (Code.HTTP_BODY_INVALID, "stream error: stream ID 1; REFUSED_STREAM; received from peer", True)),
        (SETTINGS + _REFUSED + frame(7, 0, 0, bytes(8)), None, (Code.HTTP_BODY_INVALID, "http2: Transport received Server's graceful shutdown GOAWAY", True)),
        (SETTINGS + HEAD + _REFUSED, b"", (Code.HTTP_BODY_INVALID, "unable to read response body: stream error: stream ID 1; REFUSED_STREAM; received from peer", False)),
        (SETTINGS + frame(7, 0, 0, b"\0\0\0\1\0\0\0\0"), b"", (Code.HTTP_BODY_INVALID, 'http2: server sent GOAWAY and closed the connection; LastStreamID=1, ErrCode=NO_ERROR, debug=""', False)),
        (SETTINGS + frame(3, 0, 1, b"\0\0\0\x08"), b"", (Code.HTTP_BODY_INVALID, "stream error: stream ID 1; CANCEL; received from peer", False)),
    ],
    ids=["then silence", "then the end", "then GOAWAY", "after the headers", "taken, and then closed", "cancelled"],
)  # fmt: skip
def test_what_is_made_again_and_what_is_not(answer, after, expected):
    fetched = run(Channel(answer, protocol="h2", after=after), seconds=0.3)
    failure = fetched.failure
    assert (failure.code, failure.api_server_error, fetched.refused) == expected


def test_keys_of_a_provider_are_made_again_as_well(provider, lab_loop):  # noqa: F811
    tls = server_context(issue(CA, ("keys.lab",)), alpn=("h2",))
    server = lab_loop.start(RefusingH2Server(tls, {"/jwks": KEYS}, ["GOAWAY"]))
    provider.serve(provider.document(jwks_uri=f"https://keys.lab:{server.port}/jwks"))
    result = provider.probe()
    assert (result.verdict, [request.retries for request in result.http]) == (Verdict.PASS, [0, 1])
