"""CPU time of a call, measured so that a bound on it fails for slow code only.

In a process of pytest-xdist, CPU time goes to more than the code under test. What does not count here:
- other threads, such as fault servers: `time.thread_time`, with the threads that the call itself starts;
- the garbage collector, whose full collection visits everything that thousands of tests have left: it is off meanwhile
  (what it would have to visit does not slow down the call, so nothing is collected before);
- what happens once, such as an import or a busy neighbour on the same core: a measurement above its bound is repeated,
  and the least counts. What egressprobe remembers of its inputs is forgotten before, so that the repetition is whole.

A bound leaves at least five times of what the call takes on a quiet machine. Where the point is that nothing is
quadratic, `assert_linear` compares two sizes, which holds on every machine.
"""

import gc
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from egressprobe.golang.byte_cache import ByteCache

TRIES = 3
_RESOLUTION = 0.01  # seconds; below it two times of a call cannot be compared


@contextmanager
def _no_collections() -> Iterator[None]:
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def _started_threads() -> Iterator[list[float]]:
    """CPU seconds of each thread that this one starts meanwhile, or that those start, once it has ended."""
    spent: list[float] = []
    family, start = {threading.get_ident()}, threading.Thread.start

    def counted(thread: threading.Thread) -> None:
        if threading.get_ident() in family:
            run = thread.run

            def timed() -> None:
                family.add(threading.get_ident())
                try:
                    run()
                finally:
                    family.discard(threading.get_ident())
                    spent.append(time.thread_time())

            thread.run = timed  # type: ignore[method-assign]
        start(thread)

    threading.Thread.start = counted  # type: ignore[method-assign]
    try:
        yield spent
    finally:
        threading.Thread.start = start  # type: ignore[method-assign]


def cpu_seconds[T](call: Callable[[], T]) -> tuple[float, T]:
    """CPU seconds of `call()` in this thread and in those that it starts, without collections; and what it returns."""
    with _no_collections(), _started_threads() as threads:
        began = time.thread_time()
        result = call()
        return time.thread_time() - began + sum(threads), result


def forget() -> None:
    """Empty egressprobe's caches of what peers and files contain: those that have a limit."""
    for name, module in list(sys.modules.items()):
        for value in list(vars(module).values()) if name.startswith("egressprobe.") else ():
            if isinstance(value, ByteCache):
                value.clear()
            elif hasattr(value, "cache_parameters") and value.cache_parameters()["maxsize"] is not None:
                value.cache_clear()


def within_seconds[T](most: float, call: Callable[[], T]) -> T:
    """What `call()` returns, if one of three tries takes at most `most` CPU seconds. Raises AssertionError."""
    least, result = cpu_seconds(call)
    for _ in range(TRIES - 1):
        if least <= most:
            break
        forget()
        seconds, result = cpu_seconds(call)
        least = min(least, seconds)
    assert least <= most, f"took {least:.2f} s of CPU, at the least of {TRIES} tries: more than {most:g} s"
    return result


def assert_linear(call: Callable[[int], object], small: int, large: int) -> None:
    """The CPU time of `call(size)` grows about as the size: by less than the ratio of the sizes to the power of 1.5.

    Linear is the ratio, quadratic its square: at 16 times the size, 16 and 256, with the limit at 64. The smaller call
    is to take a millisecond at least; what two calls take below 10 ms is not compared. Raises AssertionError.
    """
    limit = (large / small) ** 1.5
    times = []
    for _ in range(TRIES):
        pair = []
        for size in (small, large):
            forget()
            pair.append(cpu_seconds(lambda size=size: call(size))[0])
        times.append(pair)
        least = [min(column) for column in zip(*times, strict=True)]
        if least[1] <= limit * least[0] + _RESOLUTION:
            return
    raise AssertionError(f"{small}: {least[0]:.3f} s of CPU, {large}: {least[1]:.3f} s: more than linear")
