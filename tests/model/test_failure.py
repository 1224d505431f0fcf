"""The table of failure codes is whole, and what is derived from it is what the parts need."""

import errno

import pytest

from egressprobe.model.failure import (
    CODES,
    HANDSHAKE_CUT,
    NO_REPLY,
    NOT_MEASURED,
    SILENT,
    Code,
    Ending,
    Phase,
    classify_connect,
    classify_stream,
)


def test_every_code_has_its_row_in_order():
    """A new code is one member and one row."""
    assert list(CODES) == list(Code)


def test_the_phases_of_codes_never_go_back():
    """Codes are listed phase by phase; those of any phase come last, apart from the key set's."""
    order = [None, *Phase]
    ranks = [order.index(facts.phase) for facts in CODES.values() if facts.phase]
    assert ranks[:-1] == sorted(ranks[:-1])
    assert CODES[Code.BLOCKED_TARGET_REACHED].phase is Phase.CONNECT


def test_derived_sets():
    """Written out once, so that a changed row shows what it changes."""
    assert {
        Code.TARGET_FORBIDDEN,
        Code.DEADLINE_EXCEEDED,
        Code.PROBE_LIMITATION,
        Code.INTERNAL_ERROR,
        Code.CONTROL_UNREACHABLE,
        Code.HTTP_BODY_TOO_LARGE,
    } == NOT_MEASURED
    assert {Code.DNS_TIMEOUT, Code.CONNECT_TIMEOUT, Code.TLS_TIMEOUT, Code.HTTP_TIMEOUT} == SILENT
    assert {Code.CONNECT_TIMEOUT, Code.HOST_UNREACHABLE, Code.NETWORK_UNREACHABLE} == NO_REPLY
    assert {Code.TLS_TIMEOUT, Code.TLS_RESET, Code.TLS_EOF} == HANDSHAKE_CUT


def test_what_was_not_measured_was_not_answered():
    """But for an answer that is larger than the probe reads: Go reads on, and what it would say is not known."""
    answered = {code for code, facts in CODES.items() if not facts.measured and facts.ending is Ending.ANSWERED}
    assert answered == {Code.HTTP_BODY_TOO_LARGE}


@pytest.mark.parametrize("number", sorted(errno.errorcode))
def test_every_errno_has_a_code_of_its_phase(number):
    """Whatever the system says becomes a code of the phase it was met in, or trouble of our own."""
    error = OSError(number, "x")
    for phase, code in (
        (Phase.CONNECT, classify_connect(error)),
        (Phase.TLS, classify_stream(error, Phase.TLS)),
        (Phase.HTTP, classify_stream(error, Phase.HTTP)),
    ):
        assert code is Code.INTERNAL_ERROR or CODES[code].phase is phase
