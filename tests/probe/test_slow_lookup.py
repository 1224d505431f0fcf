"""What is said of a slow lookup agrees with the time that it took."""

from egressprobe.model.failure import Code, Failure, Phase
from egressprobe.model.measurement import Lookup, Query
from egressprobe.probe.diagnosis.rules import _why_slow


def _lookup(*milliseconds):
    failures = [Failure(Phase.RESOLVE, Code.DNS_TIMEOUT, f"no response in {ms / 1e3:.1f} s") for ms in milliseconds]
    queries = tuple(
        Query("10.0.0.2:53", "udp", ms, failure=failure) for ms, failure in zip(milliseconds, failures, strict=True)
    )
    return Lookup("x", "AAAA", sum(milliseconds), queries, failure=failures[-1] if failures else None)


def test_several_unanswered_queries_are_counted_together():
    """5.2 s in all: not the 0.2 s of the last query, which the deadline cut."""
    assert _why_slow(_lookup(5000.0, 200.0)) == "2 AAAA queries to 10.0.0.2:53 without an answer"


def test_one_unanswered_query_says_how_long():
    assert _why_slow(_lookup(5000.0)) == "no response in 5.0 s"


def test_a_late_answer_is_late():
    assert _why_slow(_lookup()) == "the response is late"
