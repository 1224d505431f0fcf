"""A call in a thread of its own, for whose result one waits only so long.

A client's timeouts bound one request. What bounds a step of a run is its deadline, whatever the SDK repeats: a message
that lacks one step's result is worth more than a complete one that comes too late.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future


class OverdueError(Exception):
    """The call has not ended in time; it goes on in its thread, and its result is not used."""


class Background[T]:
    """A call that has begun."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._future: Future[T] = Future()
        # A daemon: a call that never ends must not keep the process.
        threading.Thread(target=self._run, args=(call,), daemon=True).start()

    def result(self, seconds: float) -> T:
        """What the call returned. Raises what it raised, and OverdueError after so many seconds."""
        try:
            return self._future.result(max(seconds, 0.0))
        except TimeoutError as error:
            if self._future.done():  # the call itself raised it
                raise
            raise OverdueError(f"took longer than {max(seconds, 0.0):.0f} s") from error

    def _run(self, call: Callable[[], T]) -> None:
        try:
            self._future.set_result(call())
        except BaseException as error:  # raised again where it is waited for
            self._future.set_exception(error)
