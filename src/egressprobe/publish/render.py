"""A report, or every subnet's joined, in one of the output formats."""

import os
import shutil
from typing import IO, Any

from egressprobe.joined import Joined
from egressprobe.publish import data
from egressprobe.publish.matrix import to_matrix
from egressprobe.publish.table import to_table
from egressprobe.report import Report


def render(found: Report | Joined, form: str, stream: IO[str]) -> str:
    """Jsonl is for a report, a line a result."""
    match form:
        case "json":
            return data.to_json(found)
        case "yaml":
            return data.to_yaml(found)
        case "jsonl" if isinstance(found, Report):
            return data.to_jsonl(found)
    how = look(stream)
    return to_matrix(found, **how) if isinstance(found, Joined) else to_table(found, **how)


def look(stream: IO[str]) -> dict[str, Any]:
    """Colour only on a terminal, never with NO_COLOR; its width."""
    terminal = stream.isatty()
    return {
        "colour": terminal and not os.environ.get("NO_COLOR"),
        "width": shutil.get_terminal_size().columns if terminal else None,
    }
