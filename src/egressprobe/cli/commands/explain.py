"""`egressprobe explain`: what a code or a copied error means, how to confirm it, how to fix it."""

import argparse
import difflib
import shutil
import sys
from typing import Any

from egressprobe.cli.common.exit_codes import BAD_INPUT, OK, OUR_ERROR
from egressprobe.model.errors import InputError, short
from egressprobe.net.urls import shown_text

EXAMPLES = ("egressprobe explain dns_timeout", "egressprobe explain 'context deadline exceeded'", "egressprobe explain")
EXIT_TEXT = {
    OK: "explained",
    OUR_ERROR: "an error of egressprobe",
    BAD_INPUT: "not a code, and no error of kube-apiserver that is known",
}


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "explain", help="what a code or an error of the API server means, how to confirm it, how to fix it"
    )
    parser.add_argument(
        "words",
        metavar="CODE|ERROR",
        nargs="*",
        help="failures, findings, or an error copied from a log; without one: list all codes",
    )
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="default: text")
    return parser


def run(options: argparse.Namespace) -> int:
    from egressprobe.catalog import registry
    from egressprobe.catalog.error_texts import candidates
    from egressprobe.cli.output import explanation

    text = " ".join(options.words)
    data = options.output == "json"
    entry = registry.lookup(text)
    if not options.words:
        print(explanation.index_json() if data else explanation.index(_width()))
    elif entry is not None:
        print(explanation.to_json(entry) if data else explanation.to_text(entry, _width()))
    elif all(entries := [registry.lookup(word) for word in options.words]):
        known = [entry for entry in entries if entry]
        texts = (explanation.to_text(entry, _width()) for entry in known)
        print(explanation.entries_json(known) if data else "\n\n".join(texts))
    elif matches := candidates(text):
        public = shown_text(text)
        print(explanation.error_json(public, matches) if data else explanation.error_text(public, matches, _width()))
    else:
        raise InputError("", _unknown(text, [known.code for known in registry.all_entries()]))
    return OK


def _unknown(text: str, codes: list[str]) -> str:
    if " " in text:
        return "no error of kube-apiserver is known in this text; egressprobe run URL measures the call"
    near = difflib.get_close_matches(text.lower(), [code.lower() for code in codes], 1)
    hint = f"; did you mean {near[0]}?" if near else "; egressprobe explain lists them all"
    return f'"{short(shown_text(text))}" is not a code of egressprobe{hint}'


def _width() -> int | None:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
