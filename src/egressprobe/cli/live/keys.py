"""What a terminal sends when a key is pressed, as the name of an action. Pure."""

ACTIONS = {
    "q": "quit",
    "Q": "quit",
    "j": "down",
    "k": "up",
    "g": "first",
    "G": "last",
    "p": "pause",
    " ": "pause",
    "?": "help",
    "h": "help",
    "\x1b[A": "up",
    "\x1b[B": "down",
    "\x1bOA": "up",
    "\x1bOB": "down",
    "\x1b[5~": "page up",
    "\x1b[6~": "page down",
    "\x1b[H": "first",
    "\x1b[F": "last",
    "\x1b": "close",
}
_MOST = 8  # characters of an escape sequence


def actions(text: str) -> tuple[list[str], str]:
    """The actions of what was read, and the beginning of a sequence of which the rest is to come."""
    done: list[str] = []
    while text:
        known = next((text[:n] for n in range(_MOST, 0, -1) if text[:n] in ACTIONS and text[:n] != "\x1b"), None)
        if known is None and text[0] == "\x1b":
            if len(text) == 1 or (text[1] in "[O" and len(text) < _MOST and not text[2:].strip("0123456789;")):
                return done, text
            end = next((i for i, c in enumerate(text[2:], 2) if c.isalpha() or c == "~"), 1)
            text = text[end + 1 :]
            done.append("close")
            continue
        done.append(ACTIONS.get(known or "", "other"))
        text = text[len(known or " ") :]
    return done, ""
