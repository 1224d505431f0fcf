"""Options that are a time: `90m`, `36h`, `30d`."""

import re

from egressprobe.model.errors import InputError, short

_UNITS = {"m": 60, "h": 3600, "d": 86_400}


def seconds_of(option: str, text: str, most: str) -> int:
    """`text` in seconds; most: the longest, in the same form. Raises InputError."""
    match = re.fullmatch(r"(\d{1,6})([mhd])", text)
    if not match or int(match[1]) == 0:
        raise InputError(option, f'"{short(text)}" is not a time such as 90m, 6h or 7d')
    seconds = int(match[1]) * _UNITS[match[2]]
    if seconds > int(most[:-1]) * _UNITS[most[-1]]:
        raise InputError(option, f"{short(text)} is longer than {most}")
    return seconds
