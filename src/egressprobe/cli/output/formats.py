"""A report, the joined report of every subnet, an audit, or a trial of a plan, in one of its output formats."""

import importlib
import os
import re
import shutil
import sys
from collections.abc import Callable
from typing import IO, Any

import msgspec

from egressprobe.audit.result import Audit
from egressprobe.audit.whatif.result import WhatIf
from egressprobe.model.joined_report import Joined
from egressprobe.model.report import Report
from egressprobe.readiness.fleet.result import Fleet
from egressprobe.readiness.result import Difference, Preflight

type Format = Callable[[Any, IO[str]], str]


def render(
    report: Report | Joined | Audit | WhatIf | Preflight | Fleet | Difference, form: str, stream: IO[str]
) -> str:
    """`report` in the format `form` of FORMATS; colours and width as `stream` has them."""
    return FORMATS[type(report)][form](report, stream)


def look(stream: IO[str]) -> dict[str, Any]:
    """Colour only on a terminal, never with NO_COLOR; its width."""
    terminal = stream.isatty()
    return {
        "colour": terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb",
        "width": shutil.get_terminal_size().columns if terminal else None,
    }


# JSON may hold them as they are, and a terminal may obey them: DEL, C1 controls, line separators, directions.
_CONTROLS = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def to_json(report: msgspec.Struct, *, indent: int = 2) -> str:
    return harmless(msgspec.json.format(msgspec.json.encode(report), indent=indent).decode())


def harmless(json: str) -> str:
    """The same JSON, with what could control a terminal escaped."""
    return _CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", json)


def to_jsonl(report: Report) -> str:
    """One line a result, each with the run it belongs to, then nothing else: made for grep and jq."""
    head = {"runId": report.run_id, "startedAt": report.started_at}
    lines = (msgspec.json.encode(head | msgspec.to_builtins(result)).decode() for result in report.results)
    return harmless("\n".join(lines))


def fleet_jsonl(fleet: Fleet) -> str:
    """One line a cluster, each with the run it belongs to."""
    head = {"runId": fleet.run_id, "startedAt": fleet.started_at}
    lines = (msgspec.json.encode(head | msgspec.to_builtins(cluster)).decode() for cluster in fleet.clusters)
    return harmless("\n".join(lines))


def to_yaml(report: msgspec.Struct) -> str:
    import yaml

    # ASCII: PyYAML would print directional controls as they are. Not folded: commands are there to be copied.
    return yaml.safe_dump(msgspec.to_builtins(report), sort_keys=False, width=sys.maxsize).rstrip("\n")


def _table(module: str, function: str) -> Format:
    """A table, whose module is imported only when one is printed."""

    def render_table(report: Any, stream: IO[str]) -> str:
        renderer = getattr(importlib.import_module(f"egressprobe.cli.output.{module}"), function)
        text: str = renderer(report, **look(stream))
        return text

    return render_table


def _text(module: str, function: str) -> Format:
    """The same for a format that knows no terminal."""
    return lambda report, _: getattr(importlib.import_module(f"egressprobe.cli.output.{module}"), function)(report)


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
    WhatIf: {
        "table": _table("whatif_table", "whatif_table"),
        "json": lambda report, _: to_json(report),
        "yaml": lambda report, _: to_yaml(report),
    },
    Preflight: {
        "table": _table("preflight_table", "preflight_table"),
        "json": lambda report, _: to_json(report),
        "yaml": lambda report, _: to_yaml(report),
    },
    Fleet: {
        "table": _table("fleet_table", "fleet_table"),
        "json": lambda report, _: to_json(report),
        "jsonl": lambda report, _: fleet_jsonl(report),
        "yaml": lambda report, _: to_yaml(report),
        "markdown": _text("fleet_table", "fleet_markdown"),
    },
    Difference: {
        "table": _table("difference_table", "difference_table"),
        "json": lambda report, _: to_json(report),
        "yaml": lambda report, _: to_yaml(report),
    },
}
