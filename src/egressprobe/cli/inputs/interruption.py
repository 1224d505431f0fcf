"""Ctrl-C while a command reads: the first ends the reading, and what was read is printed; a second ends the command."""

import asyncio
import signal
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from egressprobe.cli.common.exit_codes import message
from egressprobe.cli.settings.output import shows_progress
from egressprobe.discovery.kubernetes.resources import ListPage, Resource
from egressprobe.discovery.kubernetes.responses import unreadable


@contextmanager
def first_interrupt() -> Iterator[threading.Event]:
    """The event is set by the first Ctrl-C; the second is a KeyboardInterrupt, as all are outside."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def note(_signal: int, _frame: Any) -> None:
        stop.set()
        signal.signal(signal.SIGINT, before)
        if shows_progress(sys.stderr):
            message("egressprobe: ends after the call to AWS that is under way; Ctrl-C again ends at once")

    before = signal.signal(signal.SIGINT, note)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


class InterruptibleLists:
    """Lists of another source; after `stop` what is not read yet is unreadable, and what was read is kept."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self._stop = asyncio.Event()

    @property
    def interrupted(self) -> bool:
        return self._stop.is_set()

    @contextmanager
    def until_interrupt(self) -> Iterator[None]:
        """Within, the first Ctrl-C stops the lists. In an event loop of the main thread."""
        loop = asyncio.get_running_loop()

        def stop() -> None:
            self._stop.set()
            loop.remove_signal_handler(signal.SIGINT)

        with suppress(NotImplementedError, RuntimeError):  # not on Windows, nor outside the main thread
            loop.add_signal_handler(signal.SIGINT, stop)
        try:
            yield
        finally:
            with suppress(NotImplementedError, RuntimeError):
                loop.remove_signal_handler(signal.SIGINT)

    async def pages(self, resource: Resource) -> AsyncIterator[ListPage]:
        """Raises UnreadableError after the stop, and what the source raises."""
        pages = self._source.pages(resource)
        stopped = asyncio.ensure_future(self._stop.wait())
        try:
            while True:
                page = asyncio.ensure_future(anext(pages, None))
                await asyncio.wait((page, stopped), return_when=asyncio.FIRST_COMPLETED)
                if not page.done():
                    page.cancel()
                    with suppress(asyncio.CancelledError):
                        await page
                    raise unreadable(resource, "interrupted before it was read to its end")
                if (read := page.result()) is None:
                    return
                yield read
        finally:
            stopped.cancel()
            await pages.aclose()
