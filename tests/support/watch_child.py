"""What a pseudo-terminal runs in the tests of `watch`: the real screen over rounds that are written here.

python -m tests.support.watch_child [crash]
"""

import itertools
import sys
import time

from egressprobe.cli.live import app
from tests.watching.rounds import FAIL, PASS, round_of, seen


class Rounds:
    """The second target fails in every round but the first."""

    def __init__(self):
        self._numbers = itertools.count()

    def look(self):
        now, number = time.time(), next(self._numbers)
        return round_of(seen("first", PASS, at=now), seen("second", FAIL if number else PASS, at=now))

    def cancel(self):
        pass


def main():
    if "crash" in sys.argv:
        frames, draw = itertools.count(), app.draw

        def crash(*args):
            if next(frames) == 2:
                raise ZeroDivisionError
            return draw(*args)

        app.draw = crash
    watching = app.Watching(Rounds(), title="a test", every=0.05)
    return watching.screen(sys.stdout, sys.stdin, colour=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
