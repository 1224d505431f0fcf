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
    """Colour only in a table on a terminal, never with NO_COLOR. jsonl is for a report, a line a result."""
    match form:
        case "json":
            return data.to_json(found)
        case "yaml":
            return data.to_yaml(found)
        case "jsonl" if isinstance(found, Report):
            return data.to_jsonl(found)
    terminal = stream.isatty()
    how: dict[str, Any] = {
        "colour": terminal and not os.environ.get("NO_COLOR"),
        "width": shutil.get_terminal_size().columns if terminal else None,
    }
    return to_matrix(found, **how) if isinstance(found, Joined) else to_table(found, **how)
