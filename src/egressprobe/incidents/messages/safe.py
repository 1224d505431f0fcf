"""Text from outside, made harmless: one line, printable, and nothing that a chat or a mail program acts on. Pure.

Names of targets, texts of servers and of whoever made a call may hold newlines, terminal escapes, invisible or
right-to-left characters, and what Slack takes for a mention (`<!channel>`, `@here`). Nothing of it is needed to read a
message.
"""

import re
import unicodedata
from datetime import UTC, datetime

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
# Slack's special sequences (its "Formatting text for app surfaces"); `<NAT>`, a placeholder, is not one.
_SPECIAL = re.compile(r"<(?=[!@#|]|[a-z][a-z0-9+.-]*:)", re.IGNORECASE)
_MENTION = re.compile(r"@(?=(?:here|channel|everyone|all|team|group)\b)", re.IGNORECASE)
_MAX_COMMAND = 4_000  # a message of some commands has at most 256 KB
_BLANKS = re.compile(r"\s+")


def line(text: str, most: int = 0) -> str:
    """One line of printable characters without surrounding blanks; most: characters, 0 for any number."""
    text = _ESCAPES.sub("", text)
    shown = "".join(
        c if c == " " or c.isprintable() else " " for c in text if unicodedata.category(c) not in ("Cf", "Cs")
    )
    shown = _BLANKS.sub(" ", shown).strip()
    shown = _MENTION.sub("(at)", _SPECIAL.sub("(", shown))
    return shortened(shown, most) if most else shown


def ascii_line(text: str, most: int = 0) -> str:
    """The same in ASCII, for subjects and SMS: accents are left out, other characters are `?`."""
    plain = unicodedata.normalize("NFKD", line(text))
    plain = "".join(c for c in plain if not unicodedata.combining(c)).encode("ascii", "replace").decode()
    return shortened(plain, most) if most else plain


def shortened(text: str, most: int) -> str:
    """In at most `most` characters; three dots show that it was cut."""
    return text if len(text) <= most else f"{text[: most - 3].rstrip()}..."


def is_whole(command: str) -> bool:
    """Whether a command can be printed as it is: nothing in it that `line` would change but the number of blanks."""
    return len(command) <= _MAX_COMMAND and command.isprintable() and line(command) == _BLANKS.sub(" ", command).strip()


def clock(at: str, now: str) -> str:
    """`02:11 UTC`; with the date where it is not today's."""
    moment = _moment(at)
    if moment is None:
        return line(at, 40) or "an unknown time"
    today = _moment(now)
    same = today is not None and moment.date() == today.date()
    return f"{moment:%H:%M} UTC" if same else f"{moment:%Y-%m-%d %H:%M} UTC"


def seconds_between(start: str, end: str) -> float | None:
    """None where a time is unknown; never negative."""
    first, last = _moment(start), _moment(end)
    return None if first is None or last is None else max((last - first).total_seconds(), 0.0)


def duration(seconds: float) -> str:
    """`40 s`, `23 min`, `2 h 5 min`, `3 d 2 h`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def _moment(at: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
