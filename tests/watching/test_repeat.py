"""One look after the other, in a thread: never two, whatever a look does."""

import queue
import threading

from egressprobe.model.errors import AwsError
from egressprobe.watching.repeat import Repeater
from tests.watching.rounds import PASS, round_of, seen

LONG = 30  # seconds; only reached by a bug


class ScriptedLook:
    """Each look waits for `go`, and notes how many are under way."""

    def __init__(self, *answers):
        self.answers, self.begun, self.go = list(answers), queue.Queue(), queue.Queue()
        self.under_way = self.most = 0
        self.canceled = threading.Event()

    def look(self):
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        self.begun.put(None)
        self.go.get(timeout=LONG)
        self.under_way -= 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def cancel(self):
        self.canceled.set()
        self.go.put(None)


ROUND = round_of(seen("a", PASS, at=1))


def test_a_slow_look_does_not_pile_up():
    """However short the interval, the next begins when the last has ended."""
    look, received = ScriptedLook(ROUND, ROUND, ROUND, ROUND), queue.Queue()
    repeater = Repeater(look, 0.0, received.put)
    repeater.start()
    for _ in range(3):
        look.begun.get(timeout=LONG)
        assert look.begun.empty()
        look.go.put(None)
        assert received.get(timeout=LONG) is ROUND
    repeater.stop()
    assert look.most == 1


def test_an_error_is_a_round_without_cells():
    """The next look goes on; the text of an error of ours is not shown, for it may hold a secret."""
    look, received = ScriptedLook(AwsError("no credentials"), ValueError("secret"), ROUND, ROUND), queue.Queue()
    repeater = Repeater(look, 0.0, received.put)
    for _ in range(3):
        look.go.put(None)
    repeater.start()
    troubles = [received.get(timeout=LONG) for _ in range(3)]
    repeater.stop()
    assert [one.trouble for one in troubles] == ["no credentials", "internal error: ValueError", ""]
    assert not any(one.complete for one in troubles[:2])


def test_nothing_is_looked_at_while_paused():
    """And at once afterwards, without waiting for the interval."""
    look, received = ScriptedLook(ROUND, ROUND), queue.Queue()
    repeater = Repeater(look, LONG * 100, received.put, clock=lambda: 0.0)
    repeater.pause(paused=True)
    repeater.start()
    look.go.put(None)
    assert look.begun.empty()
    repeater.pause(paused=False)
    assert received.get(timeout=LONG) is ROUND
    repeater.stop()


def test_stop_ends_the_look_that_is_under_way():
    """And its round is not received."""
    look, received = ScriptedLook(ROUND), queue.Queue()
    repeater = Repeater(look, 0.0, received.put)
    repeater.start()
    look.begun.get(timeout=LONG)
    repeater.stop(LONG)
    assert look.canceled.is_set()
    assert received.empty()
