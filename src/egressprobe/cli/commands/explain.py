"""`egressprobe explain`: what a code or a copied error means, how to confirm it, how to fix it."""

import argparse
import difflib
import shutil
import sys
from typing import Any

from egressprobe.cli.common.exit_codes import BAD_INPUT, OK, OUR_ERROR, message
from egressprobe.model.errors import InputError, short
from egressprobe.net.urls import shown_text

EXAMPLES = (
    "egressprobe explain dns_timeout",
    "egressprobe explain 'context deadline exceeded'",
    "kubectl apply -f app.yaml 2>&1 | egressprobe explain -",
)
EXIT_TEXT = {
    OK: "explained, also where the error is not one of a network path",
    OUR_ERROR: "an error of egressprobe",
    BAD_INPUT: "not a code, and no error that is known",
}


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "explain", help="what a code or an error of the API server means, how to confirm it, how to fix it"
    )
    parser.add_argument(
        "words",
        metavar="CODE|ERROR",
        nargs="*",
        help="failures, findings, or errors copied from a log or kubectl; - reads them from standard input; without "
        "one: list all codes",
    )
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="default: text")
    return parser


def run(options: argparse.Namespace) -> int:
    from egressprobe.catalog import registry
    from egressprobe.cli.output import explanation

    text = _from_stdin() if options.words == ["-"] else " ".join(options.words)
    data = options.output == "json"
    entry = registry.lookup(text.strip())
    if not options.words:
        print(explanation.index_json() if data else explanation.index(_width()))
    elif entry is not None:
        print(explanation.to_json(entry) if data else explanation.to_text(entry, _width()))
    elif all(entries := [registry.lookup(word) for word in options.words]):
        known = [entry for entry in entries if entry]
        texts = (explanation.to_text(entry, _width()) for entry in known)
        print(explanation.entries_json(known) if data else "\n\n".join(texts))
    else:
        _explain_errors(text, data=data)
    return OK


def _explain_errors(text: str, *, data: bool) -> None:
    """Raises InputError where no error is known in the text."""
    from egressprobe.catalog import registry
    from egressprobe.catalog.pasted.recognise import recognise
    from egressprobe.cli.output import pasted_errors

    errors = recognise(text)
    if not errors:
        raise InputError("", _unknown(text, [known.code for known in registry.all_entries()]))
    print(pasted_errors.to_json(errors) if data else pasted_errors.to_text(errors, _width()))


def _from_stdin() -> str:
    """At most 1 MiB of standard input; a line says where there is more."""
    from egressprobe.catalog.pasted.paste import MOST_CHARACTERS

    read = sys.stdin.buffer.read(MOST_CHARACTERS + 1)
    if len(read) > MOST_CHARACTERS:
        message("egressprobe: only the first 1 MiB of standard input was read")
    return read[:MOST_CHARACTERS].decode("utf-8", "replace")


def _unknown(text: str, codes: list[str]) -> str:
    if not text.strip():
        return "standard input is empty; give a code, or errors of kube-apiserver or kubectl"
    if len(text.split()) > 1:
        return "no error of kube-apiserver or kubectl is known in this text; egressprobe run URL measures the call"
    near = difflib.get_close_matches(text.strip().lower()[:100], [code.lower() for code in codes], 1)
    hint = f"; did you mean {near[0]}?" if near else "; egressprobe explain lists them all"
    return f'"{short(shown_text(text.strip()))}" is not a code of egressprobe{hint}'


def _width() -> int | None:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
