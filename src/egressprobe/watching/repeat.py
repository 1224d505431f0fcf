"""One look after the other in a thread of its own: the next begins an interval after the last began, or when it ends.

Two looks are never under way at once, however long one takes: those that were missed meanwhile are left out.
"""

import threading
import time
from collections.abc import Callable
from typing import Protocol

from egressprobe.model.errors import AwsError, InputError
from egressprobe.watching.rounds import WatchRound


class LookSource(Protocol):
    """Where a round comes from. `cancel` ends a look that is under way, as soon as it can."""

    def look(self) -> WatchRound: ...

    def cancel(self) -> None: ...


class Repeater:
    """receive: called with each round, in the thread. An error is a round without cells, and the next look goes on.

    clock: monotonic seconds. now: Unix time.
    """

    def __init__(
        self,
        look: LookSource,
        every: float,
        receive: Callable[[WatchRound], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._look, self._every, self._receive = look, every, receive
        self._clock, self._now = clock, now
        self._ended, self._wake = threading.Event(), threading.Event()
        self.paused = False
        self.looking = False
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, seconds: float = 3.0) -> None:
        """Ends the look that is under way, and waits at most so long for it."""
        self._ended.set()
        self._wake.set()
        self._look.cancel()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def pause(self, *, paused: bool) -> None:
        """No look begins while it is paused; the first after it begins at once."""
        self.paused = paused
        self._wake.set()

    def _run(self) -> None:
        due = self._clock()
        while not self._ended.is_set():
            self._wake.clear()
            wait = None if self.paused else due - self._clock()
            if wait is None or wait > 0:
                self._wake.wait(wait)
                continue
            due = self._clock() + self._every
            self.looking = True
            one_round = self._guarded()
            self.looking = False
            if not self._ended.is_set():
                self._receive(one_round)

    def _guarded(self) -> WatchRound:
        try:
            return self._look.look()
        except (AwsError, InputError) as error:
            trouble = str(error)
        except Exception as error:
            trouble = f"internal error: {type(error).__name__}"
        return WatchRound(self._now(), (), complete=False, trouble=trouble)
