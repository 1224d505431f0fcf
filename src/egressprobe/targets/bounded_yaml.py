"""YAML 1.1 by PyYAML's safe loader, with bounds that are checked before anything is built.

The parser's events are read first: they come one by one, without recursion, and show how deep the document is and how
many values its aliases and merge keys stand for. A few lines can stand for billions, and libyaml's composer, which
recurses, would overflow the stack on deep ones. Only then the document is built.
"""

import re
from typing import Any

from egressprobe.model.errors import InputError, short

# Names of tags, anchors and aliases in PyYAML's messages: a password without quotes may begin with ! or * or &.
_QUOTED = re.compile(r"'(?!<)[^']{2,}'?")
_MOST_DIGITS = 64  # of a number; the base-60 integers of YAML 1.1 take quadratic time


def load(
    text: str, name: str, *, nodes: int, depth: int, repeated_keys: bool = False, functions: bool = False
) -> object:
    """The document. nodes, depth: how many values it may stand for, and how deep. functions: as in file.read_file.

    Raises InputError.
    """
    try:
        import yaml
    except ImportError:
        raise InputError(name, "is not JSON, and PyYAML is missing: pip install 'egressprobe[cli]'") from None
    try:
        _measure(text, name, nodes, depth)
        document: object = yaml.load(text, Loader=_loader(repeated_keys=repeated_keys, functions=functions))  # noqa: S506 (a safe loader)
    except InputError:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        at = f"line {mark.line + 1} column {mark.column + 1}: " if mark else ""
        raise InputError(name, f"{at}{short(_QUOTED.sub('...', error.problem or 'is not YAML'))}") from None
    except yaml.reader.ReaderError as error:
        raise InputError(name, f"has a character that YAML does not allow (at {error.position})") from None
    except (yaml.YAMLError, RecursionError, ValueError, TypeError, ArithmeticError, LookupError, AttributeError):
        # PyYAML's constructors raise any of these for a tag that its value does not have.
        raise InputError(name, "is not YAML: a value does not have the form of its tag") from None
    return document


def _measure(text: str, name: str, nodes: int, depth: int) -> None:
    """Raises InputError above the bounds, and for an alias inside its own anchor."""
    import yaml

    sizes: dict[str, int | None] = {}  # of anchors; None: not closed yet
    open_nodes: list[tuple[str | None, int]] = []  # anchor, size so far
    line = 0
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        size = 0
        line = event.start_mark.line + 1 if event.start_mark else line
        if isinstance(event, yaml.CollectionStartEvent):
            if len(open_nodes) >= depth:
                raise InputError(name, f"line {line}: is nested more than {depth} deep")
            if event.anchor:
                sizes[event.anchor] = None
            open_nodes.append((event.anchor, 1))
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, size = open_nodes.pop()
            if anchor:
                sizes[anchor] = size
        elif isinstance(event, yaml.ScalarEvent):
            size = 1
            if event.anchor:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.AliasEvent):
            known = sizes.get(event.anchor or "", 1)  # one that is not defined is reported when the document is built
            if known is None:
                raise InputError(name, f'line {line}: "*{short(event.anchor or "")}" contains itself')
            size = known
        if open_nodes and size:
            anchor, total = open_nodes.pop()
            if total + size > nodes:
                raise InputError(name, f"stands for more than {nodes} values; are its aliases nested?")
            open_nodes.append((anchor, total + size))


def _loader(*, repeated_keys: bool, functions: bool = False) -> Any:
    import yaml

    class Strict(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        """The safe loader, with repeated keys refused, numbers bounded and dates left as text."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:  # noqa: FBT001, FBT002
            seen = set()
            for key, _ in node.value if not repeated_keys else ():
                if not isinstance(key.value, str):
                    continue
                if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                    message = f'the key "{key.value}" is twice in one mapping'
                    raise yaml.constructor.ConstructorError(None, None, message, key.start_mark)
                seen.add(key.value)
            return super().construct_mapping(node, deep=deep)

        def construct_number(self, node: yaml.ScalarNode) -> Any:
            if len(node.value) > _MOST_DIGITS:
                message = "a number this long must be in quotes"
                raise yaml.constructor.ConstructorError(None, None, message, node.start_mark)
            is_int = node.tag == "tag:yaml.org,2002:int"
            return self.construct_yaml_int(node) if is_int else self.construct_yaml_float(node)

    def construct_function(loader: Any, name: str, node: Any) -> dict[str, Any]:
        """CloudFormation user guide, intrinsic-function-reference: `!Sub x` is {"Fn::Sub": "x"}."""
        if isinstance(node, yaml.ScalarNode):
            value: Any = loader.construct_scalar(node)
        elif isinstance(node, yaml.SequenceNode):
            value = loader.construct_sequence(node, deep=True)
        else:
            value = loader.construct_mapping(node, deep=True)
        return {name if name in ("Ref", "Condition") else f"Fn::{name}": value}

    if functions:
        Strict.add_multi_constructor("!", construct_function)
    for tag in ("int", "float"):
        Strict.add_constructor(f"tag:yaml.org,2002:{tag}", Strict.construct_number)
    Strict.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in pairs if tag != "tag:yaml.org,2002:timestamp"]
        for first, pairs in Strict.yaml_implicit_resolvers.items()
    }
    return Strict
