"""What a server that selects h2 sends first: Go's client takes SETTINGS only. The texts are those of Go 1.25.5 and 1.26.6."""

import pytest

from egressprobe.lab.servers import server_context
from egressprobe.model.failure import Code
from egressprobe.model.target import Kind
from tests.probe.test_tls import GOOD, attempt
from tests.support.peers.tls_scripts import ScriptedTls


def frame(kind, payload=b"", flags=0, stream=0):
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


class _Http2(ScriptedTls):
    def __init__(self, answer):
        super().__init__(server_context(GOOD, alpn=("h2",)))
        self.answer = answer


PROTOCOL = "connection error: PROTOCOL_ERROR"
_LOOKS = "note that the frame header looked like an HTTP/1.1 header"
ANSWERS = {
    "empty SETTINGS": (frame(4), None),
    "SETTINGS": (frame(4, b"\0\3\0\0\0\x64\0\4\0\1\0\0"), None),
    "HTTP/1": (
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        f"http2: failed reading the frame payload: http2: frame too large, {_LOOKS}",
    ),
    "something else": (b"220 mail.example ESMTP\r\n", "http2: frame too large"),
    "a ping": (frame(6, bytes(8)), PROTOCOL),
    "a response": (frame(1, b"\x88", 5, 1), PROTOCOL),
    "SETTINGS of a stream": (frame(4, b"", 0, 1), PROTOCOL),
    "SETTINGS of five bytes": (frame(4, bytes(5)), "connection error: FRAME_SIZE_ERROR"),
    "too large a window": (frame(4, b"\0\4\x80\0\0\0"), "connection error: FLOW_CONTROL_ERROR"),
}


@pytest.mark.parametrize("setting", [b"\0\5\0\0\x3f\xff", b"\0\5\1\0\0\0", b"\0\2\0\0\0\2"])
def test_settings_out_of_range_are_refused_since_go_1_26(lab_loop, setting):
    """A frame size below 16,384 or above 16,777,215, a push that is neither on nor off."""
    server = lab_loop.start(_Http2(frame(4, setting)))
    assert attempt(server, kind=Kind.KUBELET, version="1.35").failure is None
    assert attempt(server, kind=Kind.KUBELET, version="1.36").failure.api_server_error == PROTOCOL


@pytest.mark.parametrize("name", ANSWERS)
def test_only_settings_begin_a_connection(lab_loop, name):
    answer, text = ANSWERS[name]
    failure = attempt(lab_loop.start(_Http2(answer)), kind=Kind.KUBELET).failure
    assert (failure.api_server_error if failure else None) == text
    assert failure is None or failure.code is Code.HTTP_BODY_INVALID
