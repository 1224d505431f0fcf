"""A call that does not end costs its own result."""

import threading

import pytest

from egressprobe.planner.incidents.background import Background, OverdueError


def test_results_and_errors_arrive():
    assert Background(lambda: 3).result(60) == 3
    for error in (ZeroDivisionError, TimeoutError, KeyboardInterrupt):

        def fail(error=error):
            raise error

        with pytest.raises(error):
            Background(fail).result(60)


def test_a_call_that_does_not_end_is_overdue():
    end = threading.Event()
    try:
        with pytest.raises(OverdueError, match="took longer than 0 s"):
            Background(lambda: end.wait(60)).result(0)
    finally:
        end.set()
