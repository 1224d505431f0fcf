"""A targets file with its text, so that a mistake is named by its line: `targets.yaml:8: targets[1].url (two): ...`.

Readers of plans see plain data, which has no lines. After a mistake the text is composed once more by PyYAML, whose
YAML 1.1 includes the JSON that people write, and the mistake's place is followed through the nodes. Where that does not
work (PyYAML is missing, a JSON escape that YAML does not have), the line is left out.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from egressprobe.model.errors import InputError, input_error, short
from egressprobe.net.urls import shown_text
from egressprobe.targets.file import MAX_BYTES, decode, read_text

_INDEX = re.compile(r"\[(\d{1,9})\]")
# The lists of a targets file, and of clusters.yaml, whose entries have a name.
_NAMED = re.compile(r"(targets|clusters)\[(\d{1,9})\]")


class TargetsFile(NamedTuple):
    """name: `-` is standard input. document: what the text says."""

    name: str
    text: str
    document: Any

    def read[T](self, reader: Callable[[object], T]) -> T:
        """What `reader` makes of the document. Raises InputError with the line of each mistake."""
        try:
            return reader(self.document)
        except InputError as error:
            raise self.located(error) from None

    def located(self, error: InputError) -> InputError:
        """`error` with file, line and the target's name in each of its mistakes."""
        root = _compose(self.text)
        lines = [(_line(root, mistake.place), mistake) for mistake in error.mistakes]
        return input_error([self._located(*entry) for entry in sorted(lines, key=lambda entry: entry[0])])

    def _located(self, line: int, mistake: InputError) -> InputError:
        place = f"{mistake.place}{self._name_of_entry(mistake.place)}"
        name = "standard input" if self.name == "-" else self.name
        at = f"{name}:{line}" if line else name
        return InputError(f"{at}: {place}" if place else at, mistake.message)

    def _name_of_entry(self, place: str) -> str:
        """` (NAME)` of the target, or cluster, that the place is in."""
        index = _NAMED.match(place)
        entries = self.document.get(index[1]) if index and isinstance(self.document, dict) else None
        if not index or not isinstance(entries, list) or int(index[2]) >= len(entries):
            return ""
        entry = entries[int(index[2])]
        name = entry.get("name") if isinstance(entry, dict) else None
        return f" ({short(shown_text(name))})" if isinstance(name, str) and name else ""


def read_targets(name: str, *, most: int = MAX_BYTES) -> TargetsFile:
    """The file `name`, of at most `most` bytes; `-` is standard input. Raises InputError where it cannot be decoded."""
    text = read_text(name, most=most)
    return TargetsFile(name, text, decode(text, name, most=most))


def _compose(text: str) -> Any:
    """The nodes of a text that was decoded before, within file.py's bounds of depth and size."""
    try:
        import yaml

        # A tab between the tokens of JSON is none of YAML.
        return yaml.compose(text.replace("\t", " "), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except Exception:
        return None


def _line(node: Any, place: str) -> int:
    """The line, from 1 on, of the innermost key or list item on the way to `place` that is in the file; 0: unknown."""
    if node is None or not place:
        return 0
    line = 0
    while place:
        index = _INDEX.match(place)
        if index and isinstance(node.value, list) and node.id == "sequence" and int(index[1]) < len(node.value):
            node, place = node.value[int(index[1])], place[index.end() :].removeprefix(".")
            line = node.start_mark.line + 1
            continue
        key = _key(node, place) if node.id == "mapping" else None
        if key is None:
            break
        line, place = key[0].start_mark.line + 1, place[len(key[0].value) :].removeprefix(".")
        node = key[1]
    return line


def _key(node: Any, place: str) -> Any:
    """The entry of a mapping that `place` begins with; the longest, since keys may have dots and brackets."""
    entries = [
        entry
        for entry in node.value
        if entry[0].id == "scalar" and re.match(rf"{re.escape(entry[0].value)}(?=[.\[]|\Z)", place)
    ]
    return max(entries, key=lambda entry: len(entry[0].value), default=None)
