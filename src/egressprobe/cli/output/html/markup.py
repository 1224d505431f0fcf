"""Elements of HTML and SVG: `tag` escapes every text and attribute, `Html` is what it returns.

The one place that decides what is markup. A `str` is text of whatever origin: its control and directional characters
are shown as escapes, as in tables, and `& < > " '` as character references (HTML Living Standard, 13.1.4).
"""

import html
from collections.abc import Iterable, Mapping
from functools import lru_cache

from egressprobe.cli.output.terminal import MAX_TEXT, printable

# Elements that have neither children nor an end tag (13.1.2, "Void elements").
_VOID = frozenset({"br", "hr", "input", "link", "meta"})
_NO_ATTRIBUTES: Mapping[str, str | bool] = {}


class Html(str):
    """Markup made by `tag` or `joined`; it is not escaped again."""

    __slots__ = ()


type Node = str | Html


def escaped(text: Node, most: int = MAX_TEXT) -> Html:
    """Text as markup; longer than `most` characters it is cut, which is shown."""
    return text if isinstance(text, Html) else _escaped(text, most)


@lru_cache(4096)  # most texts of a large page are the same few words and numbers
def _escaped(text: str, most: int) -> Html:
    return Html(html.escape(printable(text, most)))


def joined(nodes: Iterable[Node]) -> Html:
    return Html("".join(map(escaped, nodes)))


def tag(name: str, attributes: Mapping[str, str | bool] = _NO_ATTRIBUTES, *children: Node) -> Html:
    """An element. Names are ours, values and children anyone's. True: an attribute without value; False: none."""
    listed = "".join(
        f" {key}" if value is True else f' {key}="{escaped(str(value))}"'
        for key, value in attributes.items()
        if value is not False
    )
    content = "".join(map(escaped, children))
    return Html(f"<{name}{listed}>" if name in _VOID else f"<{name}{listed}>{content}</{name}>")


def classed(name: str, classes: str, *children: Node) -> Html:
    return tag(name, {"class": classes}, *children)
