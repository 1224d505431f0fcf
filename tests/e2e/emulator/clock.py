"""Runs a program on the emulation's clock, which a file holds: a time, since when, and how fast it runs.

Within an emulated minute it runs as fast as real time; what is only waiting is skipped. Between two minutes it almost
stands: a deployment or a test that takes minutes leaves no gap in the schedules.

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

_STATE = struct.Struct("ddd")
_ALMOST_STILL = 0.001


def _real() -> float:
    return time.clock_gettime(time.CLOCK_REALTIME)


class RealTime:
    """The module time, with the real one."""

    time = staticmethod(_real)

    def __getattr__(self, name: str) -> object:
        return getattr(time, name)


class Clock:
    """The file; made where it is missing."""

    def __init__(self, path: str) -> None:
        real = _real()
        if not Path(path).exists():
            Path(path).write_bytes(_STATE.pack(real, real, _ALMOST_STILL))
        with Path(path).open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), _STATE.size)

    def now(self) -> float:
        moment, since, speed = _STATE.unpack(self._shared[:])
        return moment + (_real() - since) * speed

    def run(self, moment: float) -> None:
        """On from a moment, or from now where that is later."""
        self._shared[:] = _STATE.pack(max(moment, self.now()), _real(), 1.0)

    def halt(self, moment: float) -> None:
        """At a moment, or now where that is later."""
        self._shared[:] = _STATE.pack(max(moment, self.now()), _real(), _ALMOST_STILL)

    def install(self) -> None:
        """For this process: time.time, time.time_ns, and datetime's now, utcnow and today.

        datetime is a built-in type, and others compare with it by identity: so the type itself is changed.
        """
        now = self.now
        time.time = now
        time.time_ns = lambda: int(now() * 1e9)
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
