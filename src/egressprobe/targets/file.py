"""A targets file from disk or standard input into plain data. Every mistake is one line (InputError).

JSON is tried first when it looks like JSON, else YAML 1.1 by PyYAML's safe loader, with duplicate keys
refused and aliases bounded: a few lines of YAML can stand for billions of nodes.
"""

import sys
from pathlib import Path
from typing import Any

from egressprobe.model.errors import InputError, os_words

MAX_BYTES = 8 << 20
# What the Planner's artifact may carry, well below the 250 MB that Lambda unpacks.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
ARTIFACT_BYTES = 128 << 20
_BYTES_A_NODE = 16  # a written value takes more; what aliases stand for does not


def read_file(name: str, *, most: int = MAX_BYTES) -> object:
    """The decoded content of `name`, of at most `most` bytes; `-` is standard input. Raises InputError."""
    try:
        with sys.stdin.buffer if name == "-" else Path(name).open("rb") as stream:
            data = stream.read(most + 1)
    except OSError as error:
        raise InputError(name, f"cannot be read: {os_words(error)}") from None
    if len(data) > most:
        raise InputError(name, f"is larger than {most >> 20} MiB; split it")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(name, f"is not UTF-8 (byte {error.start})") from None
    return _decode(text, name, most // _BYTES_A_NODE)


def _decode(text: str, name: str, nodes: int) -> object:
    if text.lstrip().startswith("{"):
        import json

        try:
            return json.loads(text, object_pairs_hook=_no_duplicates)
        except json.JSONDecodeError as error:
            raise InputError(name, f"line {error.lineno} column {error.colno}: {error.msg.lower()}") from None
        except (ValueError, RecursionError) as error:
            raise InputError(name, str(error)) from None
    return _decode_yaml(text, name, nodes)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f'the key "{key}" is twice in one object')
        found[key] = value
    return found


def _decode_yaml(text: str, name: str, nodes: int) -> object:
    try:
        import yaml
    except ImportError:
        raise InputError(name, "is not JSON, and PyYAML is missing: pip install 'egressprobe[cli]'") from None
    try:
        document: object = yaml.load(text, Loader=_loader())  # noqa: S506 (a subclass of the safe loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        at = f"line {mark.line + 1} column {mark.column + 1}: " if mark else ""
        raise InputError(name, f"{at}{error.problem or 'is not YAML'}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InputError(name, f"is not YAML: {str(error).splitlines()[0] if str(error) else 'too deep'}") from None
    _count(document, name, nodes)
    return document


def _loader() -> Any:
    import yaml

    class Strict(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        """The safe loader, with duplicate keys refused and dates left as text."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:  # noqa: FBT001, FBT002
            seen = set()
            for key, _ in node.value:
                if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                    message = f'the key "{key.value}" is twice in one mapping'
                    raise yaml.constructor.ConstructorError(None, None, message, key.start_mark)
                seen.add(key.value if isinstance(key.value, str) else id(key))
            return super().construct_mapping(node, deep=deep)

    Strict.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in pairs if tag != "tag:yaml.org,2002:timestamp"]
        for first, pairs in Strict.yaml_implicit_resolvers.items()
    }
    return Strict


def _count(document: object, name: str, nodes: int) -> None:
    """Walk as far as the plan reader would, aliases unfolded, up to a bound."""
    left, stack = nodes, [document]
    while stack:
        node = stack.pop()
        left -= 1
        if left < 0:
            raise InputError(name, f"stands for more than {nodes} values; are its aliases nested?")
        if isinstance(node, dict):
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)
