"""What several sections share: words and signs of verdicts, pairs of label and text, commands with a copy button."""

import re
from collections.abc import Iterable, Sequence

from egressprobe.catalog.entry import is_command
from egressprobe.cli.output.html.markup import Html, classed, escaped, joined, tag
from egressprobe.cli.output.terminal import SHOWN, printable
from egressprobe.model.target import Verdict

# Beside the colour, for readers who do not see it.
SIGNS = {Verdict.PASS: "✓", Verdict.DEGRADED: "!", Verdict.FAIL: "✕", Verdict.UNKNOWN: "?"}
_PLACEHOLDER = re.compile("<[A-Z0-9_]+>")
_COMMAND_LABELS = frozenset({"check", "fix", "undo"})
_MAX_COMMAND = 20_000  # characters; a command that was cut would be another one


def sign(verdict: Verdict) -> Html:
    """Only seen: the word is beside it."""
    return tag("span", {"class": "sign", "aria-hidden": "true"}, SIGNS[verdict])


def pill(word: str, kind: str) -> Html:
    """kind: one of pass, degraded, fail, unknown: the colour."""
    return classed("span", f"pill {kind}", word)


def verdict_pill(verdict: Verdict, word: str = "") -> Html:
    """word: of a decision, instead of the verdict's."""
    return classed("span", f"pill {verdict}", sign(verdict), word or SHOWN[verdict])


def pairs(listed: Iterable[tuple[str, str]], classes: str = "pairs") -> Html:
    """Label and text; a text under an empty label goes on with the one before. Empty without any."""
    merged: list[tuple[str, list[str]]] = []
    for label, text in listed:
        if not label and merged:
            merged[-1][1].append(text)
        else:
            merged.append((label, [text]))
    rows = [
        tag("div", {}, tag("dt", {}, label or "note"), *(tag("dd", {}, _value(label, text)) for text in texts))
        for label, texts in merged
    ]
    return tag("dl", {"class": classes}, *rows) if rows else Html("")


def _value(label: str, text: str) -> Html:
    """A command of ours gets its button. Other labels have texts of others, which may look like a command."""
    return command(text) if label in _COMMAND_LABELS and is_command(text) else escaped(text)


def command(text: str) -> Html:
    """As it is shown it is copied. Words are elements, so that none is folded at its hyphens."""
    words = [_word(word) for word in printable(text, _MAX_COMMAND).split(" ")]
    return tag("div", {"class": "command"}, tag("code", {}, *separated(words)), _button("Copy", "copy"))


def _word(word: str) -> Html:
    return (
        tag("span", {"class": "blank"} if _PLACEHOLDER.search(word) else {}, escaped(word, _MAX_COMMAND))
        if word
        else Html("")
    )


def separated(nodes: Sequence[Html]) -> list[Html]:
    """With a space between each two."""
    return [part for node in nodes for part in (Html(" "), node)][1:]


def commands(listed: Sequence[str]) -> Html:
    """Several in their order, with a button for all of them."""
    every = _button(f"Copy all {len(listed)}", "copy-all") if len(listed) > 1 else Html("")
    return tag("div", {"class": "commands"}, *map(command, listed), every)


def _button(text: str, kind: str) -> Html:
    """Hidden: it needs JavaScript, which shows it."""
    return tag("button", {"type": "button", "class": kind, "hidden": True}, text)


def lines(listed: Iterable[str]) -> Html:
    """Sentences and commands as they come."""
    return joined(command(text) if is_command(text) else tag("p", {}, text) for text in listed if text.strip())


def section(name: str, title: str, *children: Html) -> Html:
    return tag("section", {"id": name, "aria-labelledby": f"{name}-title"}, _title(name, title), *children)


def _title(name: str, title: str) -> Html:
    return tag("h2", {"id": f"{name}-title"}, title)
