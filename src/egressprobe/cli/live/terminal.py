"""The whole screen of a terminal, for as long as something is drawn on it, and back as it was however that ends.

Escape sequences of ECMA-48 and xterm (alternate screen 1049), which every terminal of a desktop, tmux, screen and ssh
know. No library: curses cannot draw on a terminal that is not in the terminfo of the far end, and rich and textual
would be 14 and 23 MB of the installation for one screen.
"""

import atexit
import os
import select
import signal
import termios
import tty
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType
from typing import IO, Any, Self

_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l\x1b[2J", "\x1b[0m\x1b[2J\x1b[H\x1b[?25h\x1b[?1049l"
_CLEAR, _CLEAR_LINE = "\x1b[2J", "\x1b[K"
_MOST_READ = 1024
_FALLBACK = os.terminal_size((80, 24))


class LiveTerminal:
    """A context: enters the alternate screen and reads keys without a line end. SIGTERM and SIGHUP end it too.

    stdin: None where keys cannot be read. Signals are set in the main thread only. Their handlers write nothing, for
    they may come in the middle of a write: they set a flag, and `draw` does the rest.
    """

    def __init__(self, stdout: IO[str], stdin: IO[str] | None) -> None:
        self._stdout = stdout
        self._keys = stdin.fileno() if stdin is not None and stdin.isatty() else None
        self._saved: list[Any] | None = None
        self._handlers: dict[int, Any] = {}
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._inside = self._stopping = self._continued = self._resized = False
        self._shown: list[str] = []

    def __enter__(self) -> Self:
        for number, handler in (
            (signal.SIGTERM, self._end),
            (signal.SIGHUP, self._end),
            (signal.SIGWINCH, self._resize),
            (signal.SIGTSTP, self._stop),
            (signal.SIGCONT, self._continue),
        ):
            self._handlers[number] = signal.signal(number, handler)
        atexit.register(self._leave)
        self._enter()
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()
        atexit.unregister(self._leave)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        os.close(self._wake_read)
        os.close(self._wake_write)
        self._wake_write = -1

    def _enter(self) -> None:
        if self._keys is not None:
            self._saved = self._saved or termios.tcgetattr(self._keys)
            tty.setcbreak(self._keys)
        self._write(_ENTER)
        self._inside, self._shown = True, []

    def _leave(self) -> None:
        """As it was before; also called at the end of the interpreter, and twice without harm."""
        if not self._inside:
            return
        self._inside = False
        if self._keys is not None and self._saved is not None:
            with suppress(OSError, termios.error):
                termios.tcsetattr(self._keys, termios.TCSAFLUSH, self._saved)
        with suppress(OSError, ValueError):
            self._write(_LEAVE)

    def _write(self, text: str) -> None:
        self._stdout.write(text)
        self._stdout.flush()

    def size(self) -> os.terminal_size:
        try:
            size = os.get_terminal_size(self._stdout.fileno())
        except OSError:
            return _FALLBACK
        return size if size.columns and size.lines else _FALLBACK

    def draw(self, lines: Sequence[str]) -> None:
        """The lines that differ from those before. Each must have the terminal's width."""
        if self._stopping:
            self._suspend()
        if self._continued:
            self._enter()
        if self._resized:
            self._shown = []
        self._continued = self._resized = False
        # Erased before it is written: behind the last column some terminals would erase that.
        parts = [] if self._shown else [_CLEAR]
        for number, line in enumerate(lines):
            if number >= len(self._shown) or self._shown[number] != line:
                parts.append(f"\x1b[{number + 1};1H{_CLEAR_LINE}{line}")
        if len(self._shown) > len(lines):
            parts.append(f"\x1b[{len(lines) + 1};1H\x1b[J")
        if parts:
            self._write("".join(parts))
        self._shown = list(lines)

    def wake(self) -> None:
        """Ends `wait` from another thread or a signal's handler."""
        with suppress(OSError):
            os.write(self._wake_write, b".")

    def wait(self, seconds: float) -> str | None:
        """Keys that were pressed within `seconds`, empty for none; None where no key can come any more."""
        watched = [self._wake_read] if self._keys is None else [self._wake_read, self._keys]
        ready, _, _ = select.select(watched, [], [], seconds)
        if self._wake_read in ready:
            with suppress(BlockingIOError):
                os.read(self._wake_read, _MOST_READ)
        if self._keys is not None and self._keys in ready:
            pressed = os.read(self._keys, _MOST_READ)
            if not pressed:
                return None
            return pressed.decode("utf-8", "replace")
        return ""

    def _end(self, number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)  # as a shell reports the end by a signal

    def _resize(self, _number: int, _frame: FrameType | None) -> None:
        self._resized = True
        self.wake()

    def _continue(self, _number: int, _frame: FrameType | None) -> None:
        """After a stop, perhaps one that could not be seen (SIGSTOP): the terminal may be as the shell left it."""
        self._continued = True
        self.wake()

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True
        self.wake()

    def _suspend(self) -> None:
        """Ctrl-Z: the terminal is the shell's until `fg`."""
        self._stopping = False
        self._leave()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)  # returns when it is continued
        signal.signal(signal.SIGTSTP, self._stop)
        self._continued = True
