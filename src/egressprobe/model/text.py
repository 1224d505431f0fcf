"""Text from outside (events, peers, the environment) that may not be valid Unicode. Pure."""

from typing import Any


def valid_text(text: str) -> str:
    """`text` with each lone surrogate as U+FFFD: JSON can carry one, UTF-8 cannot."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def valid(value: Any) -> Any:
    """The same for every string in lists and dicts, keys included."""
    if isinstance(value, str):
        return valid_text(value)
    if isinstance(value, dict):
        return {valid_text(key): valid(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [valid(item) for item in value]
    return value


def with_ellipsis(text: str, most: int) -> str:
    """`text` in at most `most` characters; an ellipsis shows that it was cut."""
    return text if len(text) <= most else text[: most - 1] + "…"
