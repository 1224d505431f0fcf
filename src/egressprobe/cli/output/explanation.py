"""An entry of the catalogue for a person, for a program, and the list of all."""

import textwrap

import msgspec

from egressprobe.catalog.entry import Entry
from egressprobe.catalog.registry import all_entries, struct_dict


def index() -> str:
    width = max(len(entry.code) for entry in all_entries())
    return "\n".join(f"{entry.code:<{width}} {entry.summary}" for entry in all_entries())


def to_json(entry: Entry) -> str:
    return msgspec.json.format(msgspec.json.encode(struct_dict(entry)), indent=2).decode()


def to_text(entry: Entry) -> str:
    parts = [f"{entry.code}: {entry.summary}", ""]
    for label, text in (("means", entry.means), ("confirm", entry.confirm), ("fix", entry.remedy)):
        parts.append(
            textwrap.fill(text, 96, initial_indent=f"{label:<9}", subsequent_indent=" " * 9, break_on_hyphens=False)
        )
    return "\n".join(parts)
