"""The two ways to watch: a screen that is drawn again when something changes, and a line for each change.

The looks are made in a thread (watching/repeat.py); everything here happens in the main thread, and rounds come to it
through a queue.
"""

import logging
import queue
import sys
import time
from collections.abc import Callable
from typing import IO

from egressprobe.cli.common.exit_codes import EXIT_CODES, OK, message
from egressprobe.cli.live.keys import actions
from egressprobe.cli.live.terminal import LiveTerminal
from egressprobe.cli.output.terminal import Style, printable
from egressprobe.cli.output.watch.changes import change_lines
from egressprobe.cli.output.watch.screen import Frame, draw
from egressprobe.cli.settings.output import is_quiet
from egressprobe.model.report import worst
from egressprobe.watching.history import History
from egressprobe.watching.repeat import LookSource, Repeater
from egressprobe.watching.rounds import WatchRound

_TICK = 1.0  # seconds: what shows a time is drawn again
_PAGE = 10
_LOGGERS = ("egressprobe", "botocore.endpoint")  # those that common/log.py writes to stderr
_MOST_TROUBLE = 300  # characters


class Watching:
    """title: what is watched, for the first line. every: seconds. rounds: end after so many; 0 for none.

    stale: seconds after which a measurement is no news.
    """

    def __init__(self, look: LookSource, *, title: str, every: float, rounds: int = 0, stale: float = 240.0) -> None:
        self.history, self._title, self._every, self._most = History(), title, every, rounds
        self._stale = max(stale, 3 * every)
        self._arrived: queue.SimpleQueue[WatchRound] = queue.SimpleQueue()
        self._notify: Callable[[], None] = lambda: None
        self._repeater = Repeater(look, every, self._receive)
        self._trouble = ""
        self._last = 0.0
        self._selected, self._help = "", False

    def _receive(self, one_round: WatchRound) -> None:
        self._arrived.put(one_round)
        self._notify()

    def _trouble_of(self, one_round: WatchRound) -> str:
        """What a round could not read, and what there is no room for."""
        left_out = self.history.left_out
        more = f"{left_out} more targets and subnets are not shown, none that fails before one that passes"
        return "; ".join(filter(None, (one_round.trouble, more if left_out else "")))

    def _finished(self) -> bool:
        return 0 < self._most <= self.history.rounds

    def exit_code(self) -> int:
        """Of the last verdicts where the number of rounds was given; else 0: it was watched, and ended."""
        if not self._finished():
            return OK
        return EXIT_CODES[worst(track.cell.verdict for track in self.history.tracks.values())]

    # Lines

    def lines(self, stdout: IO[str]) -> int:
        """Print a line for each change, until Ctrl-C or the last round."""
        self._repeater.start()
        try:
            while not self._finished():
                one_round = self._arrived.get()
                first = self.history.rounds == 0
                changes = self.history.add(one_round)
                trouble = self._trouble_of(one_round)
                if trouble and trouble != self._trouble:
                    message(f"egressprobe: {trouble}")
                self._trouble = trouble
                for line in change_lines(changes):
                    print(line, file=stdout)
                if first and not is_quiet():
                    many, subnets = len(self.history.targets()), len(self.history.subnets())
                    what = f"{many} target{'s' * (many != 1)}, {subnets} column{'s' * (subnets != 1)}"
                    message(f"egressprobe: {self._title}: {what}; a line for each change")
                stdout.flush()
        finally:
            self._repeater.stop()
        return self.exit_code()

    # Screen

    def screen(self, stdout: IO[str], stdin: IO[str] | None, *, colour: bool) -> int:
        """Draw until `q`, a signal or the last round; the terminal is as before afterwards, whatever happens."""
        loggers = [logging.getLogger(name) for name in _LOGGERS]
        handlers = [logger.handlers for logger in loggers]
        for logger in loggers:
            logger.handlers = [_Caught(self._log)]
        try:
            with LiveTerminal(stdout, stdin) as terminal:
                self._notify = terminal.wake
                self._repeater.start()
                self._draw_until_quit(terminal, Style(colour), unicode=_has_bars(stdout))
        finally:
            # After the terminal is as before: a look that is under way may take a moment to end.
            self._notify = lambda: None
            self._repeater.stop()
            for logger, of_logger in zip(loggers, handlers, strict=True):
                logger.handlers = of_logger
        return self.exit_code()

    def _draw_until_quit(self, terminal: LiveTerminal, style: Style, *, unicode: bool) -> None:
        rest = ""
        while True:
            self._take()
            size = terminal.size()
            terminal.draw(draw(self.history, self._frame(style, unicode=unicode), size.columns, size.lines))
            if self._finished():
                return
            pressed = terminal.wait(_TICK)
            if pressed is None:  # the terminal is gone
                return
            if rest == "\x1b" and not pressed:
                rest, done = "", ["close"]
            else:
                done, rest = actions(rest + pressed)
            if any(self._act(action) for action in done):
                return

    def _take(self) -> None:
        while not self._arrived.empty():
            one_round = self._arrived.get()
            self.history.add(one_round)
            self._trouble = self._trouble_of(one_round)
            self._last = one_round.at
        if not self._selected or self._selected not in self.history.targets():
            self._selected = next(iter(self.history.targets()), "")

    def _frame(self, style: Style, *, unicode: bool) -> Frame:
        looking = "looking" if self._repeater.looking else f"every {self._every:g} s"
        return Frame(
            title=self._title,
            now=time.time(),
            state="PAUSED" if self._repeater.paused else looking,
            trouble=self._trouble,
            selected=self._selected,
            help=self._help,
            stale=self._stale,
            unicode=unicode,
            style=style,
        )

    def _act(self, action: str) -> bool:
        """Whether it is the end."""
        if self._help:
            self._help = False
            return action == "quit"
        if action == "help":
            self._help = True
        elif action == "pause":
            self._repeater.pause(paused=not self._repeater.paused)
        else:
            self._select(action)
        return action == "quit"

    def _select(self, action: str) -> None:
        targets = self.history.targets()
        if not targets:
            return
        at = targets.index(self._selected) if self._selected in targets else 0
        last = len(targets) - 1
        moves = {"down": at + 1, "up": at - 1, "page down": at + _PAGE, "page up": at - _PAGE, "first": 0, "last": last}
        self._selected = targets[min(max(moves.get(action, at), 0), last)]

    def _log(self, text: str) -> None:
        self._trouble = printable(text)[:_MOST_TROUBLE]


class _Caught(logging.Handler):
    """An error of the engine is shown on the screen: a line on stderr would destroy it."""

    def __init__(self, show: Callable[[str], None]) -> None:
        super().__init__(logging.ERROR)
        self._show = show

    def emit(self, record: logging.LogRecord) -> None:
        self._show(record.getMessage())


def _has_bars(stream: IO[str]) -> bool:
    try:
        "▁█".encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def can_draw(stream: IO[str], term: str | None) -> bool:
    """Whether it is a terminal on which a cursor can be moved."""
    return stream.isatty() and term not in (None, "", "dumb") and sys.platform != "win32"
