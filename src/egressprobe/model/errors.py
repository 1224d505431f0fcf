"""Errors that a person can act on, and the words of the operating system for them."""

_MAX_SHOWN = 60


class InputError(ValueError):
    """One line: the place, what is wrong, the way out."""

    def __init__(self, place: str, said: str) -> None:
        super().__init__(f"{place}: {said}" if place else said)


class AwsError(RuntimeError):
    """AWS refused or could not be reached, or a function failed: one line, in AWS's words."""


def os_words(error: OSError) -> str:
    """Why a file cannot be read."""
    return (error.strerror or str(error)).lower()


def short(text: str) -> str:
    clean = "".join(c if c.isprintable() else "?" for c in text)
    return clean if len(clean) <= _MAX_SHOWN else clean[: _MAX_SHOWN - 1] + "…"
