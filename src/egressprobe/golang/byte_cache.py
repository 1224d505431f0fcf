"""A cache bounded by the bytes of what it keeps. Its content comes from peers, so a count of entries bounds nothing."""

from collections.abc import Callable, Hashable


class ByteCache[V]:
    """The most recently used values; `limit` bounds the sum of the sizes given for them.

    A value larger than a quarter of the limit is not kept: one peer must not displace everybody else's.
    """

    def __init__(self, limit: int) -> None:
        self._limit, self._used = limit, 0
        self._values: dict[Hashable, tuple[V, int]] = {}

    @property
    def used(self) -> int:
        """The sum of the sizes kept."""
        return self._used

    def get(self, key: Hashable, make: Callable[[], V], size: int) -> V:
        """The value kept for `key`, else `make()`, kept with `size`."""
        entry = self._values.pop(key, None)
        if entry is not None:
            self._values[key] = entry  # the newest is the last
            return entry[0]
        value = make()
        self.put(key, value, size)
        return value

    def find(self, key: Hashable) -> V | None:
        """The value kept for `key`, or None."""
        entry = self._values.get(key)
        return entry[0] if entry else None

    def put(self, key: Hashable, value: V, size: int) -> None:
        """Keep `value`; the values used least recently make room."""
        self._used -= self._values.pop(key, (value, 0))[1]
        if size > self._limit // 4:
            return
        self._values[key] = (value, size)
        self._used += size
        while self._used > self._limit:
            oldest = next(iter(self._values))
            self._used -= self._values.pop(oldest)[1]

    def clear(self) -> None:
        """Forget everything."""
        self._values.clear()
        self._used = 0
