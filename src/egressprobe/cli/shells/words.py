"""Commands, options and values of the command line, read from its argparse parser, for the script of each shell."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple


class Value(StrEnum):
    """What a value is, so far as a shell can complete it."""

    WORD = "word"  # nothing to complete
    CHOICE = "choice"
    FILE = "file"
    DIRECTORY = "directory"
    PROFILE = "profile"  # of the AWS configuration
    CONTEXT = "context"  # of the kubeconfig


# By option, or by metavar; what is in neither is a word.
_BY_OPTION = {"--profile": Value.PROFILE, "--peer-profile": Value.PROFILE, "--context": Value.CONTEXT}
_BY_METAVAR = dict.fromkeys(("FILE", "PLAN", "BEFORE", "AFTER"), Value.FILE) | {"DIR": Value.DIRECTORY}


class Option(NamedTuple):
    """value: None for a flag. A positional argument has no flags."""

    flags: tuple[str, ...]
    text: str
    value: Value | None
    choices: tuple[str, ...] = ()
    repeats: bool = False


class CommandWords(NamedTuple):
    """positional: what its arguments are, if it has any."""

    name: str
    text: str
    options: tuple[Option, ...]
    positional: Option | None


def commands_of(top: argparse.ArgumentParser, known: Mapping[str, Sequence[str]]) -> tuple[CommandWords, ...]:
    """Every command of the parser, in the order of --help. known: the values of a metavar, for example of CODE."""
    [commands] = [action for action in top._actions if isinstance(action, argparse._SubParsersAction)]  # noqa: SLF001
    texts = {action.dest: action.help or "" for action in commands._choices_actions}  # noqa: SLF001
    return tuple(
        CommandWords(name, texts.get(name, ""), tuple(_options(parser, known)), _positional(parser, known))
        for name, parser in commands.choices.items()
    )


def known_values() -> dict[str, list[str]]:
    """The values of metavars that are codes of the catalogue."""
    from egressprobe.catalog.registry import FINDINGS, all_entries

    return {"CODE": sorted(FINDINGS), "CODE|ERROR": sorted(entry.code for entry in all_entries())}


def top_options(top: argparse.ArgumentParser) -> tuple[Option, ...]:
    """Those before the command."""
    return tuple(_options(top, {}))


def _options(parser: argparse.ArgumentParser, known: Mapping[str, Sequence[str]]) -> Iterator[Option]:
    return (_option(action, known) for action in parser._actions if action.option_strings)  # noqa: SLF001


def _positional(parser: argparse.ArgumentParser, known: Mapping[str, Sequence[str]]) -> Option | None:
    actions = [action for action in parser._actions if not action.option_strings]  # noqa: SLF001
    return _option(actions[0], known) if actions else None


def _option(action: argparse.Action, known: Mapping[str, Sequence[str]]) -> Option:
    repeats = isinstance(action, argparse._AppendAction) or action.nargs in ("*", "+")  # noqa: SLF001
    metavar = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    choices = tuple(map(str, action.choices or known.get(metavar, ())))
    value = _value(action.option_strings, metavar, choices) if action.nargs != 0 else None
    return Option(tuple(action.option_strings), (action.help or "").replace("%%", "%"), value, choices, repeats)


def _value(flags: Sequence[str], metavar: str, choices: Sequence[str]) -> Value:
    if choices:
        return Value.CHOICE
    by_option = next((_BY_OPTION[flag] for flag in flags if flag in _BY_OPTION), None)
    return by_option or _BY_METAVAR.get(metavar, Value.WORD)
