"""A struct's members as encoding/json decodes them: names in any case, type errors kept until the end.

Source: encoding/json/decode.go object and literalStore, fold.go (Go 1.25). An exact name wins over one that differs in
case only for the field it selects: here each field has one name, so every folded name selects it. A later member of
the same name overwrites an earlier one, null leaves it. The first type error is returned when everything is read.
"""

from collections.abc import Iterator

from egressprobe.golang.jose.json_text import JsonObject, Value, kind_of

# fold.go foldRune: the two letters outside ASCII whose simple case folding is ASCII.
_FOLDS = str.maketrans({"\u017f": "s", "\u212a": "k"})


def folded(name: str) -> str:
    """A member's name as fold.go compares it with a field's, which is lower case and ASCII here."""
    if name.isascii():
        return name.lower()
    return "".join(c.lower() if c.isascii() else c for c in name.translate(_FOLDS))


class FieldErrors:
    """The first type error of a document. struct: the Go name of the type that is decoded, with its package."""

    def __init__(self, package: str, struct: str) -> None:
        self._type, self._struct = f"{package}.{struct}", struct
        self.first: str | None = None

    def members(self, document: Value) -> Iterator[tuple[str, Value]]:
        """(folded name, value) of each member; nothing, and an error, for what is not an object."""
        if isinstance(document, JsonObject):
            for name, value in document.members:
                yield folded(name), value
        elif document is not None:
            self.first = f"json: cannot unmarshal {kind_of(document)} into Go value of type {self._type}"

    def mismatch(self, value: Value, field: str, go_type: str) -> None:
        text = f"json: cannot unmarshal {kind_of(value)} into Go struct field {self._struct}.{field} of type {go_type}"
        self.first = self.first or text
