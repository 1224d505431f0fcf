"""A file from disk or standard input into plain data. Every mistake is one line (InputError).

JSON is tried first where the text looks like it, else YAML 1.1 (bounded_yaml.py). What comes out is what JSON can say:
objects with string keys, lists, text that is Unicode, finite numbers, booleans, null, at most MAX_DEPTH deep.
"""

import json
import math
import re
import sys
from pathlib import Path
from typing import Any, NoReturn

from egressprobe.model.errors import InputError, os_words, short
from egressprobe.targets.decode import kind_of

MAX_BYTES = 8 << 20
# What the Planner's artifact may carry, well below the 250 MB that Lambda unpacks.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
ARTIFACT_BYTES = 128 << 20
MAX_DEPTH = 100
_LIKE_JSON = re.compile(r"\s*(\{\s*[\"}]|\[)")
_MOST_DIGITS = 64
_BYTES_A_NODE = 16  # a written value takes more; what aliases stand for does not


def read_file(name: str, *, most: int = MAX_BYTES, repeated_keys: bool = False, functions: bool = False) -> object:
    """The decoded content of `name`, of at most `most` bytes; `-` is standard input. Raises InputError.

    repeated_keys: a key that is twice in one object has its last value, instead of being refused. functions: YAML has
    CloudFormation's short forms, `!Ref x` for `{"Ref": "x"}`.
    """
    return decode(read_text(name, most=most), name, most=most, repeated_keys=repeated_keys, functions=functions)


def read_text(name: str, *, most: int = MAX_BYTES) -> str:
    """The text of `name`, of at most `most` bytes; `-` is standard input. Raises InputError."""
    try:
        with sys.stdin.buffer if name == "-" else Path(name).open("rb") as stream:
            data = stream.read(most + 1)
    except OSError as error:
        raise InputError(short(name), f"cannot be read: {os_words(error)}") from None
    except ValueError:  # a NUL in the name
        raise InputError(short(name), "cannot be read: it is not a path") from None
    if len(data) > most:
        raise InputError(name, f"is larger than {most >> 20} MiB; split it")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(name, f"is not UTF-8 (byte {error.start})") from None


def decode(
    text: str, name: str, *, most: int = MAX_BYTES, repeated_keys: bool = False, functions: bool = False
) -> object:
    """The content of `text`, which was read from `name`. The options are those of read_file. Raises InputError."""
    nodes = most // _BYTES_A_NODE
    document = _decode(text, name, nodes, repeated_keys=repeated_keys, functions=functions)
    _check(document, name, nodes)
    return document


def _decode(text: str, name: str, nodes: int, *, repeated_keys: bool, functions: bool = False) -> object:
    if not _LIKE_JSON.match(text):
        return _decode_yaml(text, name, nodes, repeated_keys=repeated_keys, functions=functions)
    pairs = dict if repeated_keys else _no_duplicates
    try:
        return json.loads(text, object_pairs_hook=pairs, parse_constant=_no_constant, parse_int=_integer)
    except json.JSONDecodeError as error:
        wrong = InputError(name, f"line {error.lineno} column {error.colno}: {error.msg.lower()}")
    except RecursionError:
        raise InputError(name, f"is nested more than {MAX_DEPTH} deep") from None
    except ValueError as error:
        raise InputError(name, str(error)) from None
    try:  # YAML's flow style begins like JSON
        return _decode_yaml(text, name, nodes, repeated_keys=repeated_keys, functions=functions)
    except InputError:
        raise wrong from None


def _decode_yaml(text: str, name: str, nodes: int, *, repeated_keys: bool, functions: bool = False) -> object:
    from egressprobe.targets.bounded_yaml import load

    return load(text, name, nodes=nodes, depth=MAX_DEPTH, repeated_keys=repeated_keys, functions=functions)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, value in pairs:
        if key in members:
            raise ValueError(f'the key "{short(key)}" is twice in one object')
        members[key] = value
    return members


def _integer(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError("a number this long must be in quotes")
    return int(text)


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number of JSON")


def _check(document: object, name: str, nodes: int) -> None:
    """Depth, number and kinds of all values, aliases unfolded, up to a bound."""
    left, stack = nodes, [(document, 0)]
    while stack:
        value, depth = stack.pop()
        left -= 1
        if left < 0:
            raise InputError(name, f"stands for more than {nodes} values; are its aliases nested?")
        if depth >= MAX_DEPTH and isinstance(value, dict | list):
            raise InputError(name, f"is nested more than {MAX_DEPTH} deep")
        if isinstance(value, dict):
            for key in value:
                if not isinstance(key, str):
                    raise InputError(name, f"a key is {kind_of(key)}; put it in quotes")
                _check_text(key, name)
            stack.extend((item, depth + 1) for item in value.values())
        elif isinstance(value, list):
            stack.extend((item, depth + 1) for item in value)
        elif isinstance(value, str):
            _check_text(value, name)
        elif isinstance(value, float):
            if not math.isfinite(value):
                raise InputError(name, "has a number that is not finite")
        elif not isinstance(value, bool | int | None):
            raise InputError(name, f"has a value of a kind that JSON does not have ({type(value).__name__})")


def _check_text(text: str, name: str) -> None:
    """A lone surrogate, which JSON's escapes can make, cannot be written anywhere again."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            # it may be a secret, of a kubeconfig for example
            raise InputError(name, "a text is not Unicode: it has a lone surrogate") from None
