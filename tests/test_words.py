"""Plain technical English: words that were tried, misread, and replaced stay out of code, documents and template.

BANNED has a pattern and what to write instead. The texts of Go, OpenSSL and AWS that the product quotes contain none.
"""

import ast
import re

import pytest

from tests.conftest import ROOT

BANNED = {
    r"\bmend(s|ed|ing)?\b": "fix",
    r"[«»]": "quotes in messages, backticks in documents",
    r"\b(way|ways) out\b": "egress path",
    r"\bway back\b": "return path",
    r"\bpackets die\b": "packets are dropped",
    r"\bby another door\b": "with a different handler",
    r"\buntold\b": "unknown",
    r"\bbrings? home\b": "returns",
    r"\b(nobody|somebody|anybody)\b": "say who",
    r"\bit (stands|stood)\b|\bstands? where\b|\bstands? before\b": "is, are",
    r"\bwith(out)? a word\b": "silently; or: and reported",
    r"\ba fresh call\b": "predicted API call",
    r"\bcannot be (told|had)\b": "not measured, cannot be determined, cannot be fetched",
    r"\bthat is none\b": "is not one",
    r"\bknowledge ends\b": "cannot be determined from here",
    r"\bstood in for\b": "to emulate",
    r"\bdo not tell\b": "suppress",
    r"\bnothing trusted signed\b": "certificate signed by an unknown CA",
    r"\bstands (beside|last|first|there)\b": "is",
    r"\bgone through\b": "applied, checked",
    r"\bstderr is talk\b": "messages on stderr",
    r"\btakes? the call\b|\btake a call\b": "fails, accepts connections",
    r"\btells? apart\b": "distinguishes",
    r"\bhas the last word\b": "decides",
}  # fmt: skip
FILES = sorted(
    path
    for pattern in ("src/**/*.py", "docs/**/*.md", "*.md", "template.yaml", "Makefile", "deploy/*.yaml", "scripts/*")
    for path in ROOT.glob(pattern)
    if path.is_file() and path.name != "CHANGELOG.md"
)


def _area(path):
    """The package of a module, else the folder or the file itself."""
    parts = path.relative_to(ROOT).parts
    return parts[2] if parts[:2] == ("src", "egressprobe") and len(parts) > 3 else parts[0]


def occurrences(text):
    """(line number, word, what to write instead) of every banned word."""
    for pattern, instead in BANNED.items():
        for match in re.finditer(pattern, text, re.IGNORECASE):
            yield text.count("\n", 0, match.start()) + 1, match[0], instead


@pytest.mark.parametrize("area", sorted({_area(path) for path in FILES}))
def test_banned_words_stay_out(area):
    """Names the place of each; where a word is the right one, write the sentence otherwise."""
    found = [
        f"{path.relative_to(ROOT)}:{line}: {word!r}: {instead}"
        for path in FILES
        if _area(path) == area
        for line, word, instead in occurrences(path.read_text())
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "sentence", ["how to mend it", "«x» is odd", "without a word", "A FRESH CALL", "the way out", "nobody knows"]
)
def test_the_list_catches(sentence):
    """In any case, anywhere in a line."""
    assert list(occurrences(sentence))


def test_the_list_lets_plain_words_pass():
    """Parts of other words are not matched."""
    assert not list(occurrences("we recommend to amend it; the waypoint is out of date; understand; a word"))


@pytest.mark.parametrize("path", sorted((ROOT / "src").rglob("*.py")), ids=lambda path: path.stem)
def test_local_names_say_what_they_hold(path):
    """A reader can guess the type of a value from its name: these name nothing."""
    nothing = {"one", "said", "held", "found", "told", "asked"}
    for function in ast.walk(ast.parse(path.read_text())):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            names = {
                node.arg if isinstance(node, ast.arg) else node.id
                for node in ast.walk(function)
                if isinstance(node, ast.arg) or (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
            }
            assert not names & nothing, f"{path}: {function.lineno}"
