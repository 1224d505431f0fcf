"""Calls that tests start in their own thread, at once: in an order that a seed decides."""

from collections.abc import Callable


class Inline[T]:
    """As the Background of the Planner's incidents, without a thread and without a deadline."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._error: Exception | None = None
        try:
            self._value = call()
        except Exception as error:
            self._error = error

    def result(self, _seconds: float) -> T:
        if self._error:
            raise self._error
        return self._value
