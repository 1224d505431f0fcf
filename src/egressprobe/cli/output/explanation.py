"""An entry of the catalogue for a person, for a program, and the list of all."""

import textwrap

import msgspec

from egressprobe.catalog.advice import is_command
from egressprobe.catalog.entry import Entry
from egressprobe.catalog.registry import all_entries, struct_dict

_WIDTH, _INDENT = 96, 9


def index() -> str:
    width = max(len(entry.code) for entry in all_entries())
    return "\n".join(f"{entry.code:<{width}} {entry.summary}" for entry in all_entries())


def to_json(entry: Entry) -> str:
    return msgspec.json.format(msgspec.json.encode(struct_dict(entry)), indent=2).decode()


def to_text(entry: Entry, width: int | None = None) -> str:
    """width: of the terminal; commands are never folded. 96 columns where it is not known."""
    parts = [f"{entry.code}: {entry.summary}", ""]
    for label, text in (("means", entry.means), ("confirm", entry.confirm), ("fix", entry.remedy)):
        for i, part in enumerate(text.split("\n")):
            head = f"{'' if i else label:<{_INDENT}}"
            if is_command(part):
                parts.append(head + part)
            else:
                folded = textwrap.wrap(part, max((width or _WIDTH) - _INDENT, 40), break_on_hyphens=False)
                parts += [head + folded[0], *(" " * _INDENT + more for more in folded[1:])]
    return "\n".join(parts)
