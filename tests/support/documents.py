"""Readers of our documents that share no code with what writes them: each refuses what its format forbids."""

import re
from html import unescape
from typing import NamedTuple
from xml.etree import ElementTree as ET

# junit-10.xsd of Jenkins' xUnit plugin (src/main/resources/org/jenkinsci/plugins/xunit/types/model/xsd): element ->
# children, required attributes, optional attributes. Times there are SUREFIRE_TIME.
_JUNIT = {
    "testsuites": ({"testsuite"}, set(), {"name", "time", "tests", "failures", "errors"}),
    "testsuite": (
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
        {"name", "tests", "failures", "errors"},
        {"group", "time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url"},
    ),
    "testcase": (
        {"skipped", "error", "failure", "system-out", "system-err"},
        {"name"},
        {"time", "classname", "group"},
    ),
    **dict.fromkeys(("skipped", "error", "failure"), (set(), set(), {"type", "message"})),
    **dict.fromkeys(("system-out", "system-err"), (set(), set(), set())),
}
_TIME = re.compile(r"(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]*)?")


class JunitTest(NamedTuple):
    """outcome: the element in the test case, `passed` without one."""

    suite: str
    name: str
    outcome: str
    message: str
    text: str


def junit_tests(text: str) -> list[JunitTest]:
    """Raises ValueError for a document that breaks the schema, or whose counts are wrong."""
    root = ET.fromstring(text)  # noqa: S314 (our own document)
    if root.tag != "testsuites":
        raise ValueError(root.tag)
    for element in root.iter():
        children, required, optional = _JUNIT[element.tag]
        if not {child.tag for child in element} <= children:
            raise ValueError(f"children of {element.tag}")
        if not required <= set(element.attrib) <= required | optional:
            raise ValueError(f"attributes of {element.tag}: {sorted(element.attrib)}")
        if element.tag != "testcase" and not _TIME.fullmatch(element.get("time", "")):
            raise ValueError(f"time of {element.tag}")
    tests = [_junit_test(suite, case) for suite in root for case in suite]
    _counted(root, tests)
    for suite in root:
        _counted(suite, [_junit_test(suite, case) for case in suite])
    return tests


def _junit_test(suite, case) -> JunitTest:
    results = list(case)
    if len(results) > 1:
        raise ValueError("two results of a test case")
    [result] = results or [None]
    outcome = "passed" if result is None else result.tag
    message = "" if result is None else result.get("message", "")
    return JunitTest(suite.get("name"), case.get("name"), outcome, message, (result.text or "") if results else "")


def _counted(element, tests) -> None:
    outcomes = [test.outcome for test in tests]
    counts = {
        "tests": len(tests),
        "failures": outcomes.count("failure"),
        "errors": outcomes.count("error"),
        "skipped": outcomes.count("skipped"),
    }
    for name, count in counts.items():
        if element.get(name, str(count)) != str(count):
            raise ValueError(f"{name} of {element.tag}")


# https://prometheus.io/docs/instrumenting/exposition_formats/, "Text format details"
_METRIC = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"'
_SAMPLE = re.compile(rf"({_METRIC})(?:\{{((?:{_LABEL},?)*)\}})? (\S+)")
_ESCAPES = {'\\"': '"', "\\\\": "\\", "\\n": "\n"}


def prometheus_samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """By name and sorted labels. Raises ValueError for what the format forbids, and for a series that comes twice."""
    samples, types, helps, ended, current = {}, set(), set(), set(), ""
    for line in text.split("\n"):
        comment = re.fullmatch(rf"# (HELP|TYPE) ({_METRIC}) (.+)", line)
        if comment:
            kind, name, rest = comment.groups()
            seen = helps if kind == "HELP" else types
            if name in seen or (kind == "TYPE" and rest not in ("gauge", "counter", "untyped")):
                raise ValueError(line)
            seen.add(name)
            continue
        sample = _SAMPLE.fullmatch(line)
        if sample is None:
            raise ValueError(f"not a line of the format: {line!r}")
        name, inner = sample[1], sample[2] or ""
        if name not in types or name not in helps:
            raise ValueError(f"{name} has no TYPE or HELP before it")
        if name != current and name in ended:
            raise ValueError(f"samples of {name} are not together")
        ended.add(current)
        current = name
        labels = [
            (label, re.sub(r'\\["\\n]', lambda match: _ESCAPES[match[0]], value))
            for label, value in re.findall(_LABEL, inner)
        ]
        key = (name, tuple(sorted(labels)))
        if len(dict(labels)) < len(labels) or key in samples:
            raise ValueError(f"twice: {line}")
        samples[key] = float(sample[len(sample.groups())])
    return samples


_TAGS = ("<details><summary><b>", "</b>", "</summary>", "</details>", "<br>")
# What GitHub makes of text once references are resolved: mentions, issues, URLs, addresses.
_LINKED = re.compile(r"@\w|#\w|\bGH-\d|://|\bwww\.", re.IGNORECASE)


def markdown_text(text: str) -> str:
    """The text that readers see, without fences. Raises ValueError for markup that we do not write, and for links."""
    shown, fence = [], ""
    for line in text.split("\n"):
        opened = re.fullmatch(r"(`{3,})sh", line)
        if fence:
            fence = "" if line == fence else fence
        elif opened:
            fence = opened[1]
        else:
            shown.append(_plain(line))
    if fence:
        raise ValueError("a fence is not closed")
    return "\n".join(shown)


def _plain(line: str) -> str:
    rest = line
    for tag in _TAGS:
        rest = rest.replace(tag, "")
    for mark in (r"^#{3} ", r"^- ", r"^\*\*(?=[^*]+\*\*)", r"\*\*"):
        rest = re.sub(mark, "", rest)
    if line.startswith("|"):
        rest = rest.replace("| --- ", "").replace("|", "")
    if re.search(r"[<>`*\[\]\\|~@#$]", re.sub(r"&#\d+;", "", rest)) or re.search(r"&(?!#\d+;)", rest):
        raise ValueError(f"markup: {line!r}")
    if re.search(r"(?<![^\W_])_|_(?![^\W_])", rest):
        raise ValueError(f"emphasis: {line!r}")
    seen = unescape(rest)
    if _LINKED.search(seen):
        raise ValueError(f"a link: {line!r}")
    return seen.replace("\u200b", "")
