"""Runs a program on the emulation's clock: real time and the seconds that were skipped, which a file holds.

python clock.py FILE PROGRAM | -m MODULE

`time.sleep`, time-outs and monotonic clocks stay real. Standard library only: functions run with nothing else on
their path than their artifact.
"""

import ctypes
import datetime as dt
import gc
import mmap
import os
import runpy
import struct
import sys
import time
from pathlib import Path

_SKIPPED = struct.Struct("d")


class Clock:
    """The file of the skipped seconds; made where it is missing."""

    def __init__(self, path: str) -> None:
        if not Path(path).exists():
            Path(path).write_bytes(_SKIPPED.pack(0.0))
        with Path(path).open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), _SKIPPED.size)

    @property
    def skipped(self) -> float:
        return _SKIPPED.unpack(self._shared[:])[0]

    def now(self) -> float:
        return time.clock_gettime(time.CLOCK_REALTIME) + self.skipped

    def skip_to(self, moment: float) -> None:
        """Never back."""
        self._shared[:] = _SKIPPED.pack(self.skipped + max(moment - self.now(), 0.0))

    def install(self) -> None:
        """For this process: time.time, time.time_ns, and datetime's now, utcnow and today.

        datetime is a built-in type, and others compare with it by identity: so the type itself is changed.
        """
        time.time = self.now
        time.time_ns = lambda: int(self.now() * 1e9)
        now = self.now
        methods = gc.get_referents(dt.datetime.__dict__)[0]
        methods["now"] = classmethod(lambda cls, tz=None: cls.fromtimestamp(now(), tz))
        methods["utcnow"] = classmethod(lambda cls: cls.fromtimestamp(now(), dt.UTC).replace(tzinfo=None))
        ctypes.pythonapi.PyType_Modified(ctypes.py_object(dt.datetime))


if __name__ == "__main__":
    Clock(sys.argv[1]).install()
    if sys.argv[2] == "-m":
        module, sys.argv = sys.argv[3], sys.argv[3:]
        sys.path[0] = os.getcwd()  # noqa: PTH109 (pathlib is not needed for this)
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    else:
        sys.argv = sys.argv[2:]
        runpy.run_path(sys.argv[0], run_name="__main__")
