"""`egressprobe ack`: you know of a target that fails. It is probed as before, and no message is about it until then."""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from egressprobe.cli.common.durations import seconds_of
from egressprobe.cli.common.exit_codes import BAD_INPUT, INTERRUPTED, OK, OUR_ERROR, TEXT, message
from egressprobe.cli.common.parser import STACK, add_output, add_region
from egressprobe.incidents.answer import OpenIncidents
from egressprobe.model.errors import InputError, short

EXAMPLES = (
    "egressprobe ack --stack egressprobe-prod policy.example.com",
    "egressprobe ack --stack egressprobe-prod 'kyverno*' --for 8h --note INC-42",
    "egressprobe ack --stack egressprobe-prod --list",
    "egressprobe ack --stack egressprobe-prod policy.example.com --undo",
)
EXIT_TEXT = {
    OK: "acknowledged, taken back or listed",
    OUR_ERROR: TEXT[OUR_ERROR],
    BAD_INPUT: "bad input, a name that is not in the inventory, or messages off",
    INTERRUPTED: "interrupted",
}
_DEFAULT, _LONGEST = "4h", "30d"
_MAX_NOTE = 500  # characters


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "ack", help="acknowledge a target that fails: no messages about it for a time"
    )
    parser.add_argument("targets", metavar="TARGET", nargs="*", help="names of the stack's inventory, * and ?")
    parser.add_argument("--stack", required=True, metavar="NAME", help=STACK)
    time = parser.add_mutually_exclusive_group()
    time.add_argument("--for", dest="duration", metavar="TIME", help=f"30m, 8h, 3d (default: {_DEFAULT})")
    time.add_argument("--until", metavar="TIME", help="a time such as 2026-11-30T08:00:00Z")
    parser.add_argument("--note", default="", metavar="TEXT", help="why; others see it")
    parser.add_argument("--list", action="store_true", help="what is acknowledged now")
    parser.add_argument("--undo", action="store_true", help="take it back")
    add_region(parser)
    add_output(parser, ("table", "json"))
    return parser


def run(options: argparse.Namespace) -> int:
    from egressprobe.stack.planner_client import acknowledge, acknowledged

    _check(options)
    if options.list:
        answer = acknowledged(options.stack, options.region)
    else:
        until = "" if options.undo else until_of(options.duration, options.until, datetime.now(UTC))
        answer = acknowledge(options.stack, options.region, options.targets, until=until, note=options.note)
    for refused in answer.refused:
        message(f'egressprobe: "{refused.name}" {refused.why}')
    undone = unchanged(options.targets, answer, undo=options.undo)
    for name in undone:
        message(f'egressprobe: "{name}" is {"still" if options.undo else "not"} acknowledged')
    _show(answer, options.output)
    return BAD_INPUT if answer.refused or undone else OK


def unchanged(names: Sequence[str], answer: OpenIncidents, *, undo: bool) -> list[str]:
    """Requested names and globs for which the answer is not as requested, though it does not refuse them.

    That is so where messages are off. A name is compared as the Planner does (planner/inventory.py): globs in any case.
    """
    refused = {entry.name for entry in answer.refused}
    acknowledged = [entry.target for entry in answer.acknowledgements]
    return [
        name
        for name in names
        if name not in refused
        and undo == any(target == name or fnmatchcase(target.lower(), name.lower()) for target in acknowledged)
    ]


def _check(options: argparse.Namespace) -> None:
    timed = bool(options.duration or options.until or options.note)
    if options.list and (options.targets or options.undo or timed):
        raise InputError("--list", "goes with --stack alone")
    if not options.list and not options.targets:
        raise InputError("TARGET", "is missing; `egressprobe incidents` names what fails")
    if options.undo and timed:
        raise InputError("--undo", "takes neither --for, --until nor --note")
    if len(options.note) > _MAX_NOTE or not (options.note.isprintable() or not options.note):
        raise InputError("--note", f"needs one line of printable characters, at most {_MAX_NOTE}")


def until_of(duration: str | None, until: str | None, now: datetime) -> str:
    """The end as RFC 3339 in UTC. Raises InputError for a time that is past, or too far away."""
    if until is None:
        end = now + timedelta(seconds=seconds_of("--for", duration or _DEFAULT, _LONGEST))
        return end.isoformat(timespec="seconds")
    try:
        end = datetime.fromisoformat(until)
    except ValueError:
        raise InputError("--until", f'"{short(until)}" is not a time such as 2026-11-30T08:00:00Z') from None
    if end.tzinfo is None:
        raise InputError("--until", f'"{short(until)}" lacks its offset: add Z for UTC, or +01:00')
    if not now < end <= now + timedelta(seconds=seconds_of("--until", _LONGEST, _LONGEST)):
        raise InputError("--until", f"{short(until)} is not within the next {_LONGEST}")
    return end.astimezone(UTC).isoformat(timespec="seconds")


def _show(answer: OpenIncidents, form: str) -> None:
    from egressprobe.cli.output.formats import render
    from egressprobe.cli.output.observed.incidents_table import acknowledgement_text
    from egressprobe.cli.output.terminal import printable

    if form == "json":
        print(render(answer, "json", sys.stdout))
        return
    lines = [*map(acknowledgement_text, answer.acknowledgements), *answer.notes]
    print("\n".join(map(printable, lines or ["No target is acknowledged."])))
