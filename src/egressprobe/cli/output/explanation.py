"""An entry of the catalogue for a person, for a program, and the list of all."""

import shlex
import textwrap
from collections.abc import Sequence
from typing import Any

import msgspec

from egressprobe.catalog.advice import is_command
from egressprobe.catalog.entry import Entry
from egressprobe.catalog.error_texts import called_url
from egressprobe.catalog.registry import all_entries, struct_dict
from egressprobe.cli.output.formats import harmless
from egressprobe.cli.output.terminal import paragraph

_WIDTH, _INDENT = 96, 9
_SCHEMA = "egressprobe/explain/v1"


def index() -> str:
    width = max(len(entry.code) for entry in all_entries())
    return "\n".join(f"{entry.code:<{width}} {entry.summary}" for entry in all_entries())


def index_json() -> str:
    """Every entry, as data."""
    return _json(
        {"schemaVersion": "egressprobe/explain/v1", "entries": [struct_dict(entry) for entry in all_entries()]}
    )


def error_text(text: str, found: Sequence[Entry], width: int | None = None) -> str:
    """What a copied error may mean, and what to do next."""
    columns = max(len(entry.code) for entry in found)
    lines = [*paragraph(text, width or _WIDTH), "", "This may mean:" if len(found) > 1 else "This means:"]
    lines += [f"  {entry.code:<{columns}}  {entry.summary}" for entry in found]
    return "\n".join((*lines, "", "Next:", *(f"  {command}" for command in _next(text, found))))


def error_json(text: str, found: Sequence[Entry]) -> str:
    """The same as data."""
    entries = [struct_dict(entry) for entry in found]
    return _json(
        {"schemaVersion": "egressprobe/explain/v1", "error": text, "entries": entries, "next": _next(text, found)}
    )


def _next(text: str, found: Sequence[Entry]) -> list[str]:
    """Measure the call, where the error says which; then read about the likeliest code."""
    url = called_url(text)
    host = url.partition("://")[2].partition("/")[0].partition(":")[0] if url else ""
    if url and host.endswith(".svc"):
        measure = [
            "egressprobe discover --cluster <CLUSTER> > targets.yaml",
            f"egressprobe run -f targets.yaml -l {shlex.quote(host + '*')}",
        ]
    else:
        measure = [f"egressprobe run {shlex.quote(url) if url else '<URL>'}"]
    return [*measure, *(f"egressprobe explain {entry.code}" for entry in found[:2])]


def to_json(entry: Entry) -> str:
    """One entry, as data."""
    return _json(struct_dict(entry))


def _json(document: dict[str, Any]) -> str:
    return harmless(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())


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
