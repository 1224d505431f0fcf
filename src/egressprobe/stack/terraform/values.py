"""Values of the Terraform language and their text, formatted as `terraform fmt` does.

https://developer.hashicorp.com/terraform/language/syntax/configuration
"""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

_WIDTH = 110


class Raw(NamedTuple):
    """An expression, as text."""

    text: str


class Text(NamedTuple):
    """A string of literal parts (str) and expressions (Raw)."""

    parts: tuple[str | Raw, ...]


class Json(NamedTuple):
    """jsonencode() of a value."""

    value: Any


class Filtered(NamedTuple):
    """A list without its elements that are null."""

    items: tuple[Any, ...]


class EachSlot(NamedTuple):
    """A list with one element for each used slot; the value refers to it as `slot`."""

    item: Any


class Choice(NamedTuple):
    """condition ? yes : no."""

    condition: str
    yes: Any
    no: Any


class JoinedText(NamedTuple):
    """join(separator, list)."""

    separator: str
    items: Any


class Block(NamedTuple):
    """A nested block; condition: a `dynamic` one, present only where that holds. body: its arguments."""

    body: dict[str, Any]
    condition: str = ""


def arguments(body: dict[str, Any], indent: int) -> list[str]:
    """Lines of `name = value`, aligned where neighbours are one line each (or text of several), then the blocks."""
    lines: list[str] = []
    run: list[tuple[str, str]] = []
    for name, value in body.items():
        if isinstance(value, Block) or (isinstance(value, list) and value and isinstance(value[0], Block)):
            continue
        text = written(value, indent)
        if "\n" in text and not text.startswith("<<-"):
            lines += [*_aligned(run, indent), f"{' ' * indent}{name} = {text}"]
            run = []
        else:
            run.append((name, text))
    lines += _aligned(run, indent)
    for name, value in body.items():
        for block in value if isinstance(value, list) else [value]:
            if isinstance(block, Block):
                lines += [*([""] if lines else []), *_block(name, block, indent)]
    return lines


def _aligned(run: Sequence[tuple[str, str]], indent: int) -> list[str]:
    width = max((len(name) for name, _ in run), default=0)
    return [f"{' ' * indent}{name.ljust(width)} = {text}" for name, text in run]


def _block(name: str, block: Block, indent: int) -> list[str]:
    space = " " * indent
    if not block.condition:
        return [f"{space}{name} {{", *arguments(block.body, indent + 2), f"{space}}}"]
    return [
        f'{space}dynamic "{name}" {{',
        f"{space}  for_each = {block.condition} ? [true] : []",
        "",
        f"{space}  content {{",
        *arguments(block.body, indent + 4),
        f"{space}  }}",
        f"{space}}}",
    ]


def written(value: Any, indent: int = 0) -> str:
    """The text of a value; indent: of the line that it begins in, in spaces."""
    match value:
        case Raw():
            return value.text
        case Text():
            return _string(value.parts, indent)
        case str():
            return _string((value,), indent)
        case Json():
            return f"jsonencode({written(value.value, indent)})"
        case Choice():
            return f"{value.condition} ? {written(value.yes, indent)} : {written(value.no, indent)}"
        case Filtered():
            if any(map(_is_object, value.items)):
                return f"[for one in {written(list(value.items), indent)} : one if one != null]"
            return f"compact({written(list(value.items), indent)})"
        case EachSlot():
            return f"[for slot in local.slots : {written(value.item, indent)}]"
        case JoinedText():
            return f"join({written(value.separator)}, {written(value.items, indent)})"
        case dict():
            return _object(value, indent)
        case list():
            return _list(value, indent)
    return json.dumps(value)  # a number, a boolean or null


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, Choice) and (_is_object(value.yes) or _is_object(value.no)))


def _object(value: dict[str, Any], indent: int) -> str:
    if not value:
        return "{}"
    named = {key if key.replace("_", "").isalnum() else json.dumps(key): item for key, item in value.items()}
    return "\n".join(["{", *arguments(named, indent + 2), f"{' ' * indent}}}"])


def _list(value: list[Any], indent: int) -> str:
    one_line = f"[{', '.join(written(item, indent) for item in value)}]"
    if "\n" not in one_line and len(one_line) + indent < _WIDTH:
        return one_line
    lines = [f"{' ' * (indent + 2)}{written(item, indent + 2)}," for item in value]
    return "\n".join(["[", *lines, f"{' ' * indent}]"])


def _string(parts: tuple[str | Raw, ...], indent: int) -> str:
    if parts and isinstance(parts[-1], str) and parts[-1].endswith("\n"):
        return _heredoc(parts, indent)
    if len(parts) == 1 and isinstance(parts[0], Raw):
        return parts[0].text
    return '"' + "".join(_escaped(part) if isinstance(part, str) else f"${{{part.text}}}" for part in parts) + '"'


def _escaped(text: str) -> str:
    return json.dumps(_not_a_template(text), ensure_ascii=False)[1:-1]


def _not_a_template(text: str) -> str:
    return text.replace("${", "$${").replace("%{", "%%{")


def _heredoc(parts: tuple[str | Raw, ...], indent: int) -> str:
    """Its lines are text as they are; `<<-` removes the indentation that all have in common."""
    text = "".join(_not_a_template(part) if isinstance(part, str) else f"${{{part.text}}}" for part in parts)
    space = " " * (indent + 2)
    return "\n".join(
        ["<<-EOT", *(f"{space}{line}" if line else "" for line in text.splitlines()), f"{' ' * indent}EOT"]
    )
