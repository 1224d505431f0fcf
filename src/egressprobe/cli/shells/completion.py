"""`egressprobe completion`: a script that completes commands, options and their values in bash, zsh or fish."""

import argparse
from typing import Any

from egressprobe.cli.common.exit_codes import BAD_INPUT, OK

EXAMPLES = (
    "egressprobe completion bash",
    "egressprobe completion zsh",
    "egressprobe completion fish",
)
EXIT_TEXT = {OK: "the script is printed", BAD_INPUT: "bad input"}
_SHELLS = ("bash", "zsh", "fish")


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "completion", help="print a completion script for bash, zsh or fish"
    )
    parser.add_argument(
        "shell", choices=_SHELLS, metavar="SHELL", help="bash, zsh or fish; the script says how to use it"
    )
    return parser


def run(options: argparse.Namespace) -> int:
    from egressprobe.cli.shells.bash import to_bash
    from egressprobe.cli.shells.fish import to_fish
    from egressprobe.cli.shells.words import commands_of, known_values, top_options
    from egressprobe.cli.shells.zsh import to_zsh

    script = {"bash": to_bash, "zsh": to_zsh, "fish": to_fish}[options.shell]
    print(script(top_options(options.top), commands_of(options.top, known_values())))
    return OK
