"""Bad input in one line: the place, what is wrong, what to do.

`InputError` is the only exception that readers of plans and files raise. `convert` is msgspec's typed
decoding with its messages turned into places and sentences.
"""

import re

import msgspec

from egressprobe.model.errors import InputError
from egressprobe.model.target import Expect, FailurePolicy, Impact, Kind, TargetSeverity

_PATH = re.compile(r" - at `\$\.?([^`]*)`$")
_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `([^`]*)`")


def convert[T](raw: object, wanted: type[T], place: str) -> T:
    """Typed by msgspec, its message turned into a place and a sentence."""
    try:
        return msgspec.convert(raw, wanted)
    except UnicodeEncodeError:
        raise InputError(place, "has a key with a lone surrogate, which is not Unicode text; correct the key") from None
    except msgspec.ValidationError as error:
        text = str(error)
        path = _PATH.search(text)
        inner = path[1] if path else ""
        message = _PATH.sub("", text)
        at = place + ("." if place and inner and not inner.startswith("[") else "") + inner
        unknown = _UNKNOWN_FIELD.match(message)
        if unknown:
            known = listed({f.encode_name for f in msgspec.structs.fields(wanted)})  # type: ignore[arg-type]
            raise InputError(f"{at}.{unknown[1]}".lstrip("."), f"is not known; known are {known}") from None
        if message.startswith("Invalid enum value"):
            message += f"; use one of {_allowed(at)}"
        raise InputError(at, message[0].lower() + message[1:].replace("`", "")) from None


_ENUMS = {"kind": Kind, "failurePolicy": FailurePolicy, "expect": Expect, "impact": Impact, "severity": TargetSeverity}


def _allowed(at: str) -> str:
    values = _ENUMS.get(at.rpartition(".")[2])
    return ", ".join(values) if values else "the documented values"


def listed(keys: set[str]) -> str:
    return ", ".join(sorted(keys))


def kind_of(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "nothing"}
    return names.get(type(value), "a number")
