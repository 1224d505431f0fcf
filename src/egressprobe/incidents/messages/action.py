"""What to do about a cause: in a few words, and as lines with the commands. Pure."""

import re
import shlex
from collections.abc import Sequence
from typing import NamedTuple

from egressprobe.catalog.entry import is_command
from egressprobe.incidents.causes import drill
from egressprobe.incidents.messages.place import MessagePlace
from egressprobe.incidents.messages.safe import is_whole, line, shortened
from egressprobe.incidents.model import ObservedCause
from egressprobe.model.remedy import RemedySteps

_MOST_COMMANDS = 4
_MOST_WORDS = 90
_SENTENCE = re.compile(r"(.+?[.])(\s|$)")


class Advised(NamedTuple):
    """words: for the headline. title: the line above the commands. commands: whole, or none of them."""

    words: str
    title: str
    commands: tuple[str, ...] = ()


def advised(cause: ObservedCause, place: MessagePlace) -> Advised:
    """The fix that is proven, else the catalogue's; what was not reproduced is to be probed again first."""
    again = probe_again(cause, place)
    if cause.code == drill.CODE:
        return Advised("Do: nothing", "Do: nothing. The drill ends by itself, and its end is reported.")
    if not cause.reproduced:
        return Advised("Do: probe it again", "Probe it again:", (again,))
    if not cause.explained and cause.code.islower():
        audit = f"egressprobe audit --cluster {shlex.quote(place.cluster_name)}"
        return Advised("Do: look for the cause in the VPC's configuration", "Do: look for the cause:", (audit,))
    steps = cause.remedy_steps
    fix = steps.fix if isinstance(steps, RemedySteps) else ()
    if isinstance(steps, RemedySteps) and fix and (steps.proven or not steps.placeholders):
        proven = "Fix (proven on a copy of the configuration)" if steps.proven else "Fix (not proven)"
        words = f"{'Fix (proven)' if steps.proven else 'Fix'}: {_brief(fix)}"
        if len(fix) > _MOST_COMMANDS or not all(map(is_whole, fix)):
            return Advised(words, f"{proven}, {len(fix)} commands, printed by:", (again,))
        needs = f"; replace {', '.join(steps.placeholders)}" if steps.placeholders else ""
        return Advised(words, f"{proven}{needs}:", fix)
    sentence = first_sentence(cause.remedy)
    check = [text for text in (steps.check if isinstance(steps, RemedySteps) else ()) if _can_be_made(text)]
    if not sentence:
        return Advised("Do: probe it again, look at its server", "Probe it again:", (again,))
    return Advised(f"Do: {_clause(sentence)}", f"Do: {sentence}", tuple(check[:1]) or (again,))


def probe_again(cause: ObservedCause, place: MessagePlace) -> str:
    """The command that probes its first targets from every subnet and prints cause and fix."""
    names = [target.name for target in cause.targets if is_whole(target.name) and not target.name.startswith("-")]
    where = f"--stack {shlex.quote(place.stack)}" if place.stack else "--stack <NAME>"
    return " ".join(["egressprobe invoke", where, *map(shlex.quote, names[:3])])


def first_sentence(text: str) -> str:
    """Of the lines that are no commands, with its full stop."""
    words = next((part for part in text.split("\n") if part.strip() and not is_command(part)), "")
    match = _SENTENCE.match(line(words))
    return (match[1] if match else line(words)).rstrip(":;")


def _clause(sentence: str) -> str:
    """What fits a headline: whole clauses outside of parentheses, else words."""
    sentence = sentence.rstrip(".")
    before, colon, _ = sentence.partition(": ")
    sentence = before if colon and "(" not in before else sentence
    if len(sentence) <= _MOST_WORDS:
        return sentence
    starts = [match.start() for match in re.finditer(r"[;,(]", sentence) if 20 < match.start() <= _MOST_WORDS]
    clauses = [sentence[:at].rstrip() for at in starts if sentence.count("(", 0, at) == sentence.count(")", 0, at)]
    return clauses[-1] if clauses else shortened(sentence, _MOST_WORDS)


def _can_be_made(command: str) -> bool:
    return is_whole(command) and "<" not in command.replace("</dev/null", "")


def _brief(commands: Sequence[str]) -> str:
    """The verb and the values of the first command: `replace-route rtb-1 0.0.0.0/0 nat-1`."""
    more = f" and {len(commands) - 1} more" if len(commands) > 1 else ""
    try:
        words = shlex.split(commands[0])
    except ValueError:
        words = commands[0].split()
    if words[:1] == ["aws"]:
        values = [word for word in words[3:] if not word.startswith("-")]
        long, short = " ".join([*words[2:3], *values]), " ".join([*words[2:3], *values[:1]])
        return f"{long if len(long) <= _MOST_WORDS else short}{more}"
    return f"{shortened(' '.join(words), _MOST_WORDS)}{more}"
