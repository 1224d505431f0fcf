"""The argument parser, and the options that several commands have in common.

Every --help ends with the command's EXAMPLES and the exit codes: its own EXIT_TEXT, or those of a report.
"""

import argparse
import difflib
import re
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, NoReturn

import egressprobe
from egressprobe.cli.common.exit_codes import FAIL_ON, TEXT
from egressprobe.cli.common.program import program
from egressprobe.cli.settings.output import COLOURS
from egressprobe.model.errors import InputError, short

STACK = "the CloudFormation stack, or its Planner's function (name or ARN), as Terraform's output planner_function"
DEFAULT_TIMEOUT = 60.0  # the longest a person waits for a table; the slowest target alone takes about 35 s
_MAX_TIMEOUT = 900.0  # as long as a Lambda function may run
_MAX_ROUNDS, _MAX_SECONDS = 100, 3600.0
_WIDTH = 80  # at most, also in a wider terminal
_MOST_TYPED = 100  # characters that are compared with known words
_EXAMPLES = (
    "egressprobe demo",
    "egressprobe run https://policy.example.com/validate",
    "egressprobe discover --cluster prod > targets.yaml",
    "egressprobe audit --cluster prod -f targets.yaml",
    "egressprobe COMMAND --help",
)


class Parser(argparse.ArgumentParser):
    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """An unknown option of a command is refused by the command's parser, so that the message names its --help."""
        self._refuse_option_before_command(args or [])
        options, unknown = super().parse_known_args(args, namespace)
        if unknown:
            known = [flag for flag in self._option_string_actions if flag.startswith("--")]
            hint = did_you_mean(unknown[0].partition("=")[0], known) if unknown[0].startswith("-") else ""
            self.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
        return options, unknown

    def _refuse_option_before_command(self, words: Sequence[str]) -> None:
        """Of one that only commands have, argparse would take the value as the command."""
        if self._subparsers is None or not words or not words[0].startswith("-"):
            return
        flag = words[0].partition("=")[0]
        if not any(known.startswith(flag) for known in self._option_string_actions):
            self.error(f'"{short(flag)}" is not an option before the command: {self.prog} COMMAND {short(flag)}')

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """One line, with the choice that is nearest to a mistyped one."""
        if action.choices is None or value in action.choices:
            return
        choices = [str(choice) for choice in action.choices]
        hint = did_you_mean(str(value), choices)
        if action.nargs == argparse.PARSER:
            raise argparse.ArgumentError(None, f'"{short(str(value))}" is not a command{hint}')
        listed = f"(choose from {', '.join(choices)})"
        raise argparse.ArgumentError(action, f"invalid choice: '{short(str(value))}' {listed}{hint}")

    def error(self, message: str) -> NoReturn:
        """One line instead of a page of usage."""
        raise InputError("", f"{message} (see {self.prog} --help)")


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """`; did you mean WORD?`, or nothing where no known word is near."""
    near = difflib.get_close_matches(word[:_MOST_TYPED], known, 1)
    return f"; did you mean {near[0]}?" if near else ""


class _Commands:
    """The subparsers; what the list of commands has about one is also the first sentence of its own --help."""

    def __init__(self, added: Any) -> None:
        self._added = added

    def add_parser(self, name: str, **texts: Any) -> argparse.ArgumentParser:
        about = f"{texts['help'][0].upper()}{texts['help'][1:]}."
        added: argparse.ArgumentParser = self._added.add_parser(name, description=_filled(about), **texts)
        return added


def _filled(text: str) -> str:
    return textwrap.fill(text, _width() - 2)  # as argparse wraps


def _width() -> int:
    return max(min(_WIDTH, shutil.get_terminal_size().columns), 20)


def parser(commands: Sequence[ModuleType]) -> Parser:
    """The parser of the whole command line."""
    shape = argparse.RawDescriptionHelpFormatter
    about = _filled(egressprobe.__doc__ or "")
    top = Parser(prog=program(), description=about, epilog=_epilog(_EXAMPLES), formatter_class=shape)
    top.set_defaults(top=top)
    top.add_argument("--version", action="version", version=f"egressprobe {egressprobe.__version__}")
    added = top.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    for command in commands:
        subparser: argparse.ArgumentParser = command.add_parser(_Commands(added))
        subparser.set_defaults(run=command.run)
        _add_to_all(subparser)
        subparser.formatter_class = shape
        subparser.epilog = _epilog(getattr(command, "EXAMPLES", ()), getattr(command, "EXIT_TEXT", TEXT))
    return top


def _add_to_all(parser: argparse.ArgumentParser) -> None:
    """The options of every command."""
    parser.add_argument(
        "--color",
        choices=COLOURS,
        default=COLOURS[0],
        metavar="WHEN",
        help="auto (default: on a terminal, unless NO_COLOR is set), always, never",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="only the first line of a table; no progress")
    parser.add_argument("-v", "--verbose", action="store_true", help="log what is done, on stderr")


def _epilog(examples: Sequence[str], exit_codes: Mapping[int, str] = TEXT) -> str:
    typed = (re.sub(r"(^|\| )egressprobe ", rf"\1{program()} ", example) for example in examples)
    parts = ["examples:", *(f"  {example}" for example in typed), ""] if examples else []
    width, indent = _width(), " " * 7
    codes = (textwrap.fill(f"  {code:<4} {text}", width, subsequent_indent=indent) for code, text in exit_codes.items())
    return "\n".join((*parts, "exit codes:", *codes))


def add_region(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """The options of every command that calls AWS. several: --region may be repeated, and is a list."""
    text = "default: AWS_REGION or the profile's"
    if several:
        parser.add_argument("--region", action="append", default=[], metavar="REGION", help=f"{text}; may be repeated")
    else:
        parser.add_argument("--region", help=text)
    parser.add_argument("--profile", metavar="NAME", help="AWS profile to use (default: AWS_PROFILE)")


def add_vpc(parser: argparse.ArgumentParser, what: str, *, several: bool = False) -> None:
    """Whose VPC is read, and with which credentials. what: help of --cluster. several: as of add_region."""
    parser.add_argument("--cluster", metavar="NAME", help=what)
    add_region(parser, several=several)
    parser.add_argument(
        "--peer-profile",
        action="append",
        default=[],
        metavar="PROFILE",
        help="an AWS profile of an account that owns a transit gateway or a VPC behind it; may be repeated",
    )


def add_output(parser: argparse.ArgumentParser, choices: Sequence[str]) -> None:
    """The first choice is the default."""
    text = ", ".join((f"{choices[0]} (default)", *choices[1:]))
    parser.add_argument("-o", "--output", choices=choices, default=choices[0], metavar="FORMAT", help=text)


def add_names(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-l",
        "--names",
        action="append",
        default=[],
        metavar="GLOB",
        help="only targets whose name matches (* and ?); may be repeated",
    )


def add_fail_on(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--fail-on",
        choices=FAIL_ON,
        default=FAIL_ON[0],
        help="exit with 3 on any failure (default), only on one that blocks requests, or also on degraded targets",
    )


def add_timeout(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--timeout", type=float, default=DEFAULT_TIMEOUT, metavar="S", help=f"{what} (default: 60)")


def check_timeout(seconds: float) -> None:
    if not 0.1 <= seconds <= _MAX_TIMEOUT:
        raise InputError("--timeout", f"{seconds:g} is not in 0.1..{_MAX_TIMEOUT:g} seconds")


def add_rounds(parser: argparse.ArgumentParser) -> None:
    """How often the targets are probed, in which time."""
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds of probes, 1..100 (default: 5)")
    parser.add_argument(
        "--seconds", type=float, default=120.0, metavar="S", help="spread the rounds over this time (default: 120)"
    )


def check_rounds(options: argparse.Namespace) -> None:
    """Raises InputError for `--rounds` and `--seconds` out of range."""
    if not 1 <= options.rounds <= _MAX_ROUNDS:
        raise InputError("--rounds", f"{options.rounds} is not in 1..{_MAX_ROUNDS}")
    if not 0 <= options.seconds <= _MAX_SECONDS:
        raise InputError("--seconds", f"{options.seconds:g} is not in 0..{_MAX_SECONDS:g}")
