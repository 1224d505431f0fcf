"""Completion below kubectl: the answer of `kubectl_complete-egressprobe`, which kubectl 1.26 and later runs for a TAB.

A completion a line, with its text after a tab, then `:` and the sum of directives: the output of cobra's `__complete`
(github.com/spf13/cobra, completions.go), read by kubectl's pkg/cmd/plugin/plugin_completion.go.
"""

import argparse
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress

from egressprobe.cli.shells.bash import CONTEXTS, PROFILES
from egressprobe.cli.shells.words import CommandWords, Option, Value, commands_of, known_values, top_options

_FILES, _NOTHING_ELSE, _DIRECTORIES = 0, 4, 16  # ShellCompDirective: Default, NoFileComp, FilterDirs
_LISTS = {Value.PROFILE: PROFILES, Value.CONTEXT: CONTEXTS}
_SECONDS = 3.0  # as long as a person waits for a TAB


def completions(top: argparse.ArgumentParser, words: Sequence[str]) -> str:
    """What the last of `words`, unfinished or empty, may be."""
    *before, last = words or ("",)
    if all(word.startswith("-") for word in before):
        return _answer(_flags(top_options(top)) if last.startswith("-") else _commands(top), last)
    command = _command(top, before)
    if command is None:
        return _answer((), last)
    flag, equals, value = last.partition("=")
    option = _taking_a_value(command, flag if equals else before[-1])
    if option is not None:
        return _values(option, value if equals else last, f"{flag}=" if equals else "")
    if last.startswith("-"):
        return _answer(_flags(command.options), last)
    return _values(command.positional, last) if command.positional else _answer((), last)


def _command(top: argparse.ArgumentParser, before: Sequence[str]) -> CommandWords | None:
    name = next((word for word in before if not word.startswith("-")), "")
    return next((command for command in commands_of(top, known_values()) if command.name == name), None)


def _commands(top: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    return ((command.name, command.text) for command in commands_of(top, {}))


def _flags(options: Sequence[Option]) -> Iterator[tuple[str, str]]:
    return ((flag, option.text) for option in options for flag in option.flags)


def _taking_a_value(command: CommandWords, flag: str) -> Option | None:
    return next((option for option in command.options if flag in option.flags and option.value is not None), None)


def _values(option: Option, begun: str, prefix: str = "") -> str:
    match option.value:
        case Value.FILE:
            return f":{_FILES}"
        case Value.DIRECTORY:
            return f":{_DIRECTORIES}"
        case Value.PROFILE | Value.CONTEXT:
            choices: Sequence[str] = _listed(_LISTS[option.value])
        case _:
            choices = option.choices
    return _answer(((prefix + choice, "") for choice in choices), prefix + begun)


def _listed(command: str) -> list[str]:
    """The lines that a command of the shell prints; none where it fails."""
    with suppress(OSError, subprocess.SubprocessError):
        run = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=_SECONDS, check=False)
        return run.stdout.splitlines()
    return []


def _answer(choices: Sequence[tuple[str, str]] | Iterator[tuple[str, str]], begun: str) -> str:
    lines = [f"{name}\t{text}" if text else name for name, text in choices if name.startswith(begun)]
    return "\n".join((*lines, f":{_NOTHING_ELSE}"))
