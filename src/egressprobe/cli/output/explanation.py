"""An entry of the catalogue for a person, for a program, and the list of all."""

import textwrap
from collections.abc import Iterable
from typing import Any

import msgspec

from egressprobe.catalog.advice import HIDDEN_BY_KEPT_CONNECTIONS, KEPT_CONNECTIONS
from egressprobe.catalog.entry import Entry, is_command
from egressprobe.catalog.registry import FINDINGS, all_entries, struct_dict
from egressprobe.cli.output.formats import harmless

_WIDTH, _INDENT, _LEAST_ROOM = 96, 9, 20
SCHEMA = "egressprobe/explain/v1"


def index(width: int | None = None) -> str:
    """Every code with its summary."""
    indent = max(len(entry.code) for entry in all_entries()) + 3
    lines: list[str] = []
    for heading, entries in (
        ("Failures: what one call met", [entry for entry in all_entries() if entry.code not in FINDINGS]),
        ("Findings: what a person should know", list(FINDINGS.values())),
    ):
        lines += [*([""] if lines else []), heading]
        for entry in entries:
            lines += hanging(f"  {entry.code:<{indent - 2}}", entry.summary, width)
    return "\n".join(lines)


def hanging(head: str, text: str, width: int | None) -> list[str]:
    """`text` behind `head`, folded to `width`; further lines begin where the first does."""
    if not width:
        return [head + text]
    folded = textwrap.wrap(text, max(width - len(head), 30), break_long_words=False, break_on_hyphens=False)
    return [(" " * len(head) if i else head) + part for i, part in enumerate(folded)]


def index_json() -> str:
    """Every entry, as data."""
    return entries_json(all_entries())


def entries_json(entries: Iterable[Entry]) -> str:
    """These entries, as data."""
    return json_text({"schemaVersion": SCHEMA, "entries": [struct_dict(entry) for entry in entries]})


def to_json(entry: Entry) -> str:
    """One entry, as data."""
    return json_text(struct_dict(entry))


def json_text(document: dict[str, Any]) -> str:
    return harmless(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())


def to_text(entry: Entry, width: int | None = None) -> str:
    """width: of the terminal; commands are never folded. 96 columns where it is not known."""
    parts = [*hanging(f"{entry.code}: ", entry.summary, width), ""]
    texts = [("means", entry.means), ("confirm", entry.confirm), ("fix", entry.remedy)]
    if entry.code in HIDDEN_BY_KEPT_CONNECTIONS:
        texts.append(("note", KEPT_CONNECTIONS))
    for label, text in texts:
        for i, part in enumerate(text.split("\n")):
            head = f"{'' if i else label:<{_INDENT}}"
            if is_command(part):
                parts.append(head + part)
            else:
                folded = textwrap.wrap(part, max((width or _WIDTH) - _INDENT, _LEAST_ROOM), break_on_hyphens=False)
                parts += [head + folded[0], *(" " * _INDENT + more for more in folded[1:])]
    return "\n".join(parts)
