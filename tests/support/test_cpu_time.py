"""The measure of CPU time itself: slow code fails, and nothing else does."""

import gc
import re
import threading
import time

import pytest

from egressprobe.golang.byte_cache import ByteCache
from egressprobe.golang.x509 import certificate
from tests.conftest import ROOT
from tests.support.cpu_time import TRIES, assert_linear, cpu_seconds, within_seconds


def burn(seconds):
    """CPU of this thread, for so long."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def quadratic(size):
    return sum(sum(range(size)) for _ in range(size))


def test_what_is_slow_each_time_fails():
    calls = []
    with pytest.raises(AssertionError, match=r"took 0\.\d\d s of CPU, at the least of 3 tries: more than 0\.01 s"):
        within_seconds(0.01, lambda: calls.append(burn(0.02)))
    assert len(calls) == TRIES


def test_what_is_slow_once_passes():
    durations = [0.05, 0.0]
    assert within_seconds(0.04, lambda: burn(durations.pop(0)) or "read") == "read"
    assert durations == []


def test_what_is_quadratic_fails_and_what_is_linear_passes():
    with pytest.raises(AssertionError, match="more than linear"):
        assert_linear(quadratic, 100, 1_600)
    assert_linear(lambda size: sum(range(size)), 40_000, 640_000)


def test_a_collection_of_a_large_heap_does_not_count():
    """With collections on, the same allocations set some off; the switch is as it was afterwards, after an error too."""
    collections = []
    gc.callbacks.append(lambda phase, _: collections.append(phase))
    try:
        _, during = cpu_seconds(lambda: len([[] for _ in range(200_000)]) and len(collections))
        assert during == 0
        assert gc.isenabled()
        with pytest.raises(ZeroDivisionError):
            cpu_seconds(lambda: 1 / 0)
        assert gc.isenabled()
        collections.clear()
        assert [[] for _ in range(200_000)]
        assert collections
    finally:
        gc.callbacks.pop()
    gc.disable()
    try:
        cpu_seconds(list)
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_another_busy_thread_does_not_count():
    over = threading.Event()

    def busy():
        while not over.is_set():
            sum(range(1000))

    threads = [threading.Thread(target=busy) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        before = time.process_time()
        seconds, _ = cpu_seconds(lambda: time.sleep(0.2))
        spent = time.process_time() - before
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert seconds < spent / 5


def test_the_threads_that_a_call_starts_count():
    """Those that they start too; and only while it is measured."""

    def starts(work):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    before = threading.Thread.start
    seconds, _ = cpu_seconds(lambda: starts(lambda: starts(lambda: burn(0.05))))
    assert seconds >= 0.05
    assert threading.Thread.start is before


def test_a_repetition_does_not_profit_from_what_is_remembered():
    """Else a certificate that takes long would pass the second time."""
    made = []
    try:
        with pytest.raises(AssertionError):
            within_seconds(0.01, lambda: certificate._READ.get("key", lambda: made.append(burn(0.02)), 1))
        assert len(made) == TRIES
        assert isinstance(certificate._READ, ByteCache)
    finally:
        certificate._READ.clear()


def test_no_other_test_measures_cpu_time_by_itself():
    """What is only printed may be, and what burns CPU."""
    allowed = {"cpu_time.py", "test_cpu_time.py", "test_frame.py", "test_hostile_peers.py"}
    measure = re.compile(r"\b(process_time|thread_time|getrusage)(_ns)?\(")
    own = {path.name for path in (ROOT / "tests").rglob("*.py") if measure.search(path.read_text())}
    assert own <= allowed, "take tests/support/cpu_time.py"
