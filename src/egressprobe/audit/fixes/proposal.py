"""What is proposed for one problem."""

from typing import NamedTuple


class Proposal(NamedTuple):
    """commands: proven; words: why there are none, or what must be done besides."""

    commands: tuple[str, ...] = ()
    words: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines of a remedy before the catalogue's own."""
        return (*self.commands, *([self.words] if self.words else []))
