"""A paste as it comes from a terminal, a log or a YAML document, cut into single errors. Pure.

Quotes may be escaped once or more, lines wrapped at the terminal's width or folded by YAML, with timestamps and
prefixes before each. A line goes on from the one before unless it begins like an error of its own.
"""

import re
from typing import NamedTuple

MOST_CHARACTERS = 1024 * 1024
_MOST_LINE, _MOST_RECORD, MOST_RECORDS = 40_000, 40_000, 200
_ANSI = re.compile(r"\x1b\[[0-9;?]{0,20}[A-Za-z]|\x1b\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)")
_ESCAPED_QUOTE = re.compile(r"(?<!\\)\\+([\"'`])")
_ESCAPES = {
    "\\u003c": "<",
    "\\u003e": ">",
    "\\u0026": "&",
    "\\u0027": "'",
    "\\u0022": '"',
    "&quot;": '"',
    "&#34;": '"',
    "&#39;": "'",
    "&lt;": "<",
    "&gt;": ">",
    "&amp;": "&",
    "\u201c": '"',
    "\u201d": '"',
    "\u2018": "'",
    "\u2019": "'",
    "\u00a0": " ",
}
_LINE_END = re.compile(r"(?<!\\)\\+[nr]")
_TAB = re.compile(r"(?<!\\)\\+t")
# How a line of a log, or a message of kubectl, begins; also behind a pod's name and a timestamp.
_STARTS = re.compile(
    r"\s{0,8}(?:[IWEF]\d{4} \d\d:|\{\"|\d{4}-\d\d-\d\d[T ]\d\d:|time=|level=|Error from server|[Ee]rror: |Error |"
    r"Unable to connect|The connection to the server|Warning: |Internal error occurred|"
    r"failed calling webhook|Failed calling webhook|conversion webhook for|oidc authenticator: |Unable to authenticate|"
    # Rows of `kubectl get events`, and of the events of `kubectl describe`.
    r"LAST SEEN +TYPE|(?:\S{1,63} +){0,6}(?:Warning|Normal) {2,}[A-Z][A-Za-z]{2,60} |"
    # Rows of `kubectl get apiservices`.
    r"NAME +SERVICE|v[a-z0-9]{1,30}\.[a-z0-9.-]{0,253} +"
    r"(?:Local|[a-z0-9-]{1,63}/[a-z0-9-]{1,63}) +(?:True|False|Unknown))"
)
# What `kubectl apply` prints before the error: the whole patch, with the object as it was last applied.
_PATCH = "error when applying patch:"
_BEHIND_PATCH = "for: "
# A link of a web page, and a URL as Go before 1.14 wrote it: without quotes.
_LINK = re.compile(r"\[(https?://[^\]\s]{1,600})\]\(https?://[^)\s]{1,600}\)")
_UNQUOTED_URL = re.compile(r"\b(Post|Get|Put|Patch|Delete|Head) (https?://[^\s\"<>]{1,600}):(?=\s)")
_DIGITS = re.compile(r"\d+")


class Record(NamedTuple):
    """One error of a paste. times: how often it was there, but for numbers."""

    text: str
    times: int = 1


def cleaned(text: str) -> str:
    """Without colours, with plain quotes and real line ends."""
    text = _ANSI.sub("", text[:MOST_CHARACTERS])
    for written, meant in _ESCAPES.items():
        if written in text:
            text = text.replace(written, meant)
    text = _ESCAPED_QUOTE.sub(r"\1", text)
    text = _TAB.sub(" ", _LINE_END.sub("\n", text))
    return _UNQUOTED_URL.sub(r'\1 "\2":', _LINK.sub(r"\1", text))


def records(text: str) -> tuple[Record, ...]:
    """The errors of a paste, the first MOST_RECORDS different ones."""
    counted: dict[str, Record] = {}
    for lines in _grouped(cleaned(text).splitlines()):
        record = "\n".join(lines)[:_MOST_RECORD]
        key = _DIGITS.sub("#", "".join(record.split()))
        known = counted.get(key)
        if known is not None:
            counted[key] = known._replace(times=known.times + 1)
        elif len(counted) < MOST_RECORDS:
            counted[key] = Record(record)
    return tuple(counted.values())


def _grouped(lines: list[str]) -> list[list[str]]:
    groups: list[list[str]] = []
    in_patch = False
    for line in (whole[:_MOST_LINE] for whole in lines):
        if in_patch and not line.startswith(_BEHIND_PATCH) and (not _STARTS.match(line) or line.startswith('{"')):
            continue
        in_patch = line.rstrip().endswith(_PATCH)
        if not line.strip():
            groups.append([])
        elif not groups or _STARTS.match(line) or sum(map(len, groups[-1])) > _MOST_RECORD:
            groups.append([line])
        else:
            groups[-1].append(line)
    return [group for group in groups if group]
