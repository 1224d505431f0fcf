"""`egressprobe explain`: what a code means, how to confirm it, how to fix it."""

import argparse
from typing import Any

from egressprobe.cli.common.exit_codes import OK
from egressprobe.model.errors import InputError

EXAMPLES = ("egressprobe explain dns_timeout", "egressprobe explain 'context deadline exceeded'", "egressprobe explain")


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "explain", help="what a code means, how to confirm it, how to fix it"
    )
    parser.add_argument("code", metavar="CODE", nargs="?", help="a failure or finding; without one: list them all")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    return parser


def run(options: argparse.Namespace) -> int:
    from egressprobe.catalog import registry
    from egressprobe.cli.output import explanation

    if options.code is None:
        print(explanation.index())
        return OK
    entry = registry.lookup(options.code)
    if entry is None:
        import difflib

        near = difflib.get_close_matches(options.code.lower(), [e.code.lower() for e in registry.all_entries()], 1)
        hint = f"; did you mean {near[0]}?" if near else "; egressprobe explain lists them all"
        raise InputError("", f'"{options.code}" is not a code of egressprobe{hint}')
    if options.output == "json":
        print(explanation.to_json(entry))
    else:
        print(explanation.to_text(entry))
    return OK
