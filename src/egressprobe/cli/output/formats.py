"""Every kind of report in each of its output formats. What a format or a table needs is imported when it is printed."""

import importlib
import re
import shutil
import sys
from collections.abc import Callable
from typing import IO, Any, NamedTuple

import msgspec

from egressprobe.audit.result import Audit
from egressprobe.audit.whatif.result import WhatIf
from egressprobe.cli.output.sheet import Sheet
from egressprobe.cli.settings.output import has_colour, is_quiet
from egressprobe.incidents.answer import OpenIncidents
from egressprobe.model.joined_report import Joined
from egressprobe.model.report import Report
from egressprobe.model.text import valid
from egressprobe.observability.flows.result import Flows
from egressprobe.observability.history.result import OutageHistory
from egressprobe.readiness.fleet.result import Fleet
from egressprobe.readiness.result import Difference, Preflight

type AnyReport = (
    Report | Joined | Audit | WhatIf | Preflight | Fleet | Difference | OpenIncidents | Flows | OutageHistory
)


class Medium(NamedTuple):
    """What a report is printed for. stream: it has colours and a width. fail_on: the option of that name."""

    stream: IO[str]
    fail_on: str = "fail"


type Format = Callable[[Any, Medium], str]


def render(report: AnyReport, form: str, stream: IO[str], fail_on: str = "fail") -> str:
    """`report` in the format `form` of FORMATS, without a line end."""
    return FORMATS[type(report)][form](report, Medium(stream, fail_on))


def show(report: AnyReport, form: str, stream: IO[str], fail_on: str = "fail") -> None:
    """Print it; JSON lines of nothing are nothing, not an empty line."""
    text = render(report, form, stream, fail_on)
    if text:
        print(text, file=stream, flush=True)


def look(stream: IO[str]) -> dict[str, Any]:
    """Whether it has colours, and the width of a terminal."""
    width = shutil.get_terminal_size().columns if stream.isatty() else None
    return {"colour": has_colour(stream), "width": width}


# JSON may hold them as they are, and a terminal may obey them: DEL, C1 controls, line separators, directions.
_CONTROLS = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def to_json(report: msgspec.Struct, *, indent: int = 2) -> str:
    return harmless(msgspec.json.format(_encoded(report), indent=indent).decode())


def _encoded(value: Any) -> bytes:
    """As JSON; a lone surrogate, which another program's JSON can carry and UTF-8 cannot, is U+FFFD."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return msgspec.json.encode(valid(msgspec.to_builtins(value)))


def harmless(json: str) -> str:
    """The same JSON, with what could control a terminal escaped."""
    return _CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", json)


def to_jsonl(report: AnyReport) -> str:
    """One line a cell, each with the run it belongs to, then nothing else: made for grep and jq."""
    lines = _function(_KINDS[type(report)].lines)(report)
    return harmless("\n".join(_encoded(line).decode() for line in lines))


def to_yaml(report: msgspec.Struct) -> str:
    import yaml

    # ASCII: PyYAML would print directional controls as they are. Not folded: commands are there to be copied.
    return yaml.safe_dump(msgspec.to_builtins(report), sort_keys=False, width=sys.maxsize).rstrip("\n")


def sheet_of(report: AnyReport) -> Sheet:
    """Any report in the one shape that formats for other programs read."""
    sheet: Sheet = _function(_KINDS[type(report)].sheet)(report)
    return sheet


def _table(report: AnyReport, medium: Medium) -> str:
    text: str = _function(_KINDS[type(report)].table)(report, **look(medium.stream))
    return text.partition("\n")[0] if is_quiet() else text


def _markdown(report: AnyReport) -> str:
    own = _KINDS[type(report)].markdown
    text: str = _function(own)(report) if own else _function("documents.markdown.to_markdown")(sheet_of(report))
    return text


def _function(name: str) -> Callable[..., Any]:
    module, _, function = name.rpartition(".")
    made: Callable[..., Any] = getattr(importlib.import_module(f"egressprobe.cli.output.{module}"), function)
    return made


class _ReportKind(NamedTuple):
    """Where a kind of report has its functions: its table (`**look`), sheet, JSON lines, and Markdown of its own."""

    table: str
    sheet: str
    lines: str
    markdown: str = ""


# To add a kind of report: one row here, and the three functions that it names.
_KINDS: dict[type, _ReportKind] = {
    Report: _ReportKind("table.to_table", "sheets.report.report_sheet", "documents.lines.report_lines"),
    Joined: _ReportKind("subnet_table.subnet_table", "sheets.joined.joined_sheet", "documents.lines.joined_lines"),
    Audit: _ReportKind("audit_table.audit_table", "sheets.audit.audit_sheet", "documents.lines.audit_lines"),
    WhatIf: _ReportKind("whatif_table.whatif_table", "sheets.whatif.whatif_sheet", "documents.lines.whatif_lines"),
    Preflight: _ReportKind(
        "preflight.table.preflight_table", "sheets.preflight.preflight_sheet", "documents.lines.preflight_lines"
    ),
    Fleet: _ReportKind(
        "fleet_table.fleet_table",
        "sheets.fleet.fleet_sheet",
        "documents.lines.fleet_lines",
        "fleet_table.fleet_markdown",
    ),
    Difference: _ReportKind(
        "difference_table.difference_table", "sheets.difference.difference_sheet", "documents.lines.difference_lines"
    ),
    OpenIncidents: _ReportKind(
        "observed.incidents_table.incidents_table",
        "observed.incidents_sheet.incidents_sheet",
        "documents.lines.incidents_lines",
    ),
    Flows: _ReportKind("observed.flows_table.flows_table", "sheets.flows.flows_sheet", "documents.lines.flows_lines"),
    OutageHistory: _ReportKind(
        "observed.history_table.history_table",
        "observed.history_sheet.history_sheet",
        "documents.lines.history_lines",
    ),
}
# The formats of every report; the first is the default. To add a format: one function, one row here.
_FORMATS: dict[str, Format] = {
    "table": _table,
    "json": lambda report, _: to_json(report),
    "jsonl": lambda report, _: to_jsonl(report),
    "yaml": lambda report, _: to_yaml(report),
    "markdown": lambda report, _: _markdown(report),
    "html": lambda report, _: _function("html.page.to_html")(sheet_of(report)),
    "junit": lambda report, medium: _function("documents.junit.to_junit")(sheet_of(report), medium.fail_on),
    "prometheus": lambda report, _: _function("documents.prometheus.to_prometheus")(sheet_of(report)),
}
# By kind; one that has no table begins with json.
FORMATS: dict[type, dict[str, Format]] = {
    kind: {name: form for name, form in _FORMATS.items() if name != "table" or functions.table}
    for kind, functions in _KINDS.items()
}
