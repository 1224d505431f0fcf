"""Bad input in one line a mistake: the place, what is wrong, what to do.

`InputError` is the only exception that readers of plans and files raise; of several mistakes it is a `MistakesError`.
`convert` is msgspec's typed decoding with its messages turned into places and sentences. msgspec stops at the first
mistake; after one the object is read again field by field, so that a person sees all of them at once.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from itertools import islice
from typing import Any, get_args

import msgspec

from egressprobe.model.errors import InputError, input_error, short
from egressprobe.model.target import Expect, FailurePolicy, Impact, Kind, TargetSeverity

MOST_MISTAKES = 100  # of one document; a person corrects the first and tries again
_LONGEST_WORD = 60  # what a close word is looked for
_PATH = re.compile(r" - at `\$\.?([^`]*)`$")
_EXPECTED = re.compile(r"Expected `([^`]*)`, got `([^`]*)`")
_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a string",
    "bool": "a boolean",
    "array": "a list",
    "object": "an object",
    "null": "nothing",
}
_CHOICES: dict[str, Iterable[str]] = {
    "kind": Kind,
    "failurePolicy": FailurePolicy,
    "expect": Expect,
    "impact": Impact,
    "severity": TargetSeverity,
    "exchange": ("head", "review"),
    "ipFamily": ("ipv4", "ipv6"),
}
_HINTS = {"targets": "; give a list of targets"}


def convert[T](raw: object, wanted: type[T], place: str) -> T:
    """Typed by msgspec, its messages turned into places and sentences: of every field that has a mistake."""
    try:
        return msgspec.convert(raw, wanted)
    except (UnicodeEncodeError, msgspec.ValidationError) as error:
        mistakes = list(islice(_mistakes(raw, wanted, place), MOST_MISTAKES))
        raise input_error(mistakes or [_mistake(error, raw, place)]) from None


def convert_rest[T](document: dict[str, Any], kind: type[T], empty: dict[str, Any]) -> tuple[T, tuple[InputError, ...]]:
    """The document without its fields of the wrong form, so that the others are checked too, and those mistakes.

    empty: the fields that must be there, as they are where the document's own are of the wrong form.
    """
    try:
        return convert(document, kind, ""), ()
    except InputError as error:
        unusable = {field_of(mistake) for mistake in error.mistakes}
        rest = {name: value for name, value in document.items() if name not in unusable}
        return convert(empty | rest, kind, ""), error.mistakes


def field_of(mistake: InputError) -> str:
    """The field of a document in which a mistake is."""
    return mistake.place.partition(".")[0].partition("[")[0]


def all_mistakes(steps: Iterable[Callable[[], object]]) -> Iterator[InputError]:
    """What each step raises."""
    for step in steps:
        try:
            step()
        except InputError as error:
            yield from error.mistakes


def unknown_key(at: str, key: str, known: Iterable[str]) -> InputError:
    """A key that no reader knows, with the one that is probably meant, or all that may be there."""
    names = sorted(known)
    near = close_word(key, names)
    return InputError(
        f"{at}.{short(key)}".lstrip("."),
        f"is not known; did you mean {near}?" if near else f"is not known; known are {', '.join(names)}",
    )


def close_word(word: str, known: Iterable[str]) -> str:
    """The known word that `word` is probably a mistake for, in any case; empty where none is close."""
    by_lower = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), by_lower, 1) if len(word) <= _LONGEST_WORD else []
    return by_lower[near[0]] if near else ""


def _mistakes(raw: object, wanted: Any, place: str) -> Iterator[InputError]:
    """Field by field. Nothing where `wanted` is no struct or the mistake is not in a field."""
    if not isinstance(raw, dict) or not _is_struct(wanted):
        return
    fields = {field.encode_name: field for field in msgspec.structs.fields(wanted)}
    strict = wanted.__struct_config__.forbid_unknown_fields
    meant = {close_word(key, fields) for key in raw if strict and key not in fields}
    for key, value in raw.items():
        field = fields.get(key)
        at = f"{place}.{key}".lstrip(".")
        if field is None:
            if strict:
                yield unknown_key(place, key, fields)
            continue
        try:
            msgspec.convert(value, field.type)
        except (UnicodeEncodeError, msgspec.ValidationError) as error:
            inner = next(filter(_is_struct, (field.type, *get_args(field.type))), None)
            yield from list(_mistakes(value, inner, at)) or [_mistake(error, value, at)]
    for name, field in fields.items():
        if field.required and name not in raw and name not in meant:
            hint = f"; use one of {', '.join(_CHOICES[name])}" if name in _CHOICES else _HINTS.get(name, "")
            yield InputError(f"{place}.{name}".lstrip("."), f"is missing{hint}")


def _is_struct(wanted: Any) -> bool:
    return isinstance(wanted, type) and issubclass(wanted, msgspec.Struct)


def _mistake(error: Exception, raw: object, place: str) -> InputError:
    """One message of msgspec about `raw` as a sentence, with the place in it."""
    if not isinstance(error, msgspec.ValidationError):
        return InputError(place, "has a key with a lone surrogate, which is not Unicode text; correct the key")
    text = str(error)
    path = _PATH.search(text)
    inner = path[1] if path else ""
    message = _PATH.sub("", text)
    at = place + ("." if place and inner and not inner.startswith("[") else "") + inner
    types = _EXPECTED.fullmatch(message)
    if types:
        expected = " or ".join(_WORDS.get(word, word) for word in types[1].split(" | ") if word != "null")
        return InputError(at, f"expected {expected}, got {_WORDS.get(types[2], types[2])}{_quotes(types[1], raw)}")
    if message.startswith("Invalid enum value"):
        return InputError(at, _not_a_choice(message, at))
    return InputError(at, message[0].lower() + message[1:].replace("`", ""))


def _quotes(expected: str, raw: object) -> str:
    """YAML reads "10" as a string and 1.30 as the number 1.3."""
    if "str" in expected.split(" | ") and isinstance(raw, int | float):
        return "; put it in quotes"
    number = isinstance(raw, str) and raw.isascii() and raw.isdigit() and len(raw) < _LONGEST_WORD
    return f"; write {raw} without quotes" if number and "int" in expected.split(" | ") else ""


def _not_a_choice(message: str, at: str) -> str:
    written = message.removeprefix("Invalid enum value ").strip("'")
    choices = list(_CHOICES.get(at.rpartition(".")[2], ()))
    near = close_word(written, choices)
    hint = f"did you mean {near}?" if near else f"use one of {', '.join(choices) or 'the documented values'}"
    return f'"{short(written)}" is not known; {hint}'


def listed(keys: set[str]) -> str:
    return ", ".join(sorted(keys))


def kind_of(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "nothing"}
    return names.get(type(value), "a number")
