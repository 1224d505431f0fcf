"""A report, the joined report of every subnet, or an audit, in one of its output formats."""

import importlib
import os
import shutil
from collections.abc import Callable
from typing import IO, Any

import msgspec

from egressprobe.audit.result import Audit
from egressprobe.model.joined_report import Joined
from egressprobe.model.report import Report

type Format = Callable[[Any, IO[str]], str]


def render(report: Report | Joined | Audit, form: str, stream: IO[str]) -> str:
    """`report` in the format `form` of FORMATS; colours and width as `stream` has them."""
    return FORMATS[type(report)][form](report, stream)


def look(stream: IO[str]) -> dict[str, Any]:
    """Colour only on a terminal, never with NO_COLOR; its width."""
    terminal = stream.isatty()
    return {
        "colour": terminal and not os.environ.get("NO_COLOR"),
        "width": shutil.get_terminal_size().columns if terminal else None,
    }


def to_json(report: msgspec.Struct, *, indent: int = 2) -> str:
    return msgspec.json.format(msgspec.json.encode(report), indent=indent).decode()


def to_jsonl(report: Report) -> str:
    """One line a result, each with the run it belongs to, then nothing else: made for grep and jq."""
    head = {"runId": report.run_id, "startedAt": report.started_at}
    lines = (msgspec.json.encode(head | msgspec.to_builtins(one)).decode() for one in report.results)
    return "\n".join(lines)


def to_yaml(report: msgspec.Struct) -> str:
    import yaml

    return yaml.safe_dump(msgspec.to_builtins(report), sort_keys=False, allow_unicode=True).rstrip("\n")


def _table(module: str, function: str) -> Format:
    """A table, whose module is imported only when one is printed."""

    def render_table(report: Any, stream: IO[str]) -> str:
        renderer = getattr(importlib.import_module(f"egressprobe.cli.output.{module}"), function)
        text: str = renderer(report, **look(stream))
        return text

    return render_table


# The formats of each kind of report; the first is the default. To add a format: one function, one row here.
FORMATS: dict[type, dict[str, Format]] = {
    Report: {
        "table": _table("table", "to_table"),
        "json": lambda report, _: to_json(report),
        "yaml": lambda report, _: to_yaml(report),
        "jsonl": lambda report, _: to_jsonl(report),
    },
    Joined: {
        "table": _table("subnet_table", "subnet_table"),
        "json": lambda report, _: to_json(report),
        "yaml": lambda report, _: to_yaml(report),
    },
    Audit: {
        "table": _table("audit_table", "audit_table"),
        "json": lambda report, _: to_json(report),
        "yaml": lambda report, _: to_yaml(report),
    },
}
