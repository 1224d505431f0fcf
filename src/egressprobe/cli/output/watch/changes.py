"""A line for each change: what `watch` prints where there is no terminal to draw on."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from egressprobe.cli.output.terminal import SHOWN, printable
from egressprobe.cli.output.watch.screen import length
from egressprobe.model.target import Verdict
from egressprobe.watching.history import VerdictChange


def change_lines(changes: Sequence[VerdictChange]) -> Iterator[str]:
    """`TIME VERDICT TARGET from SUBNET ...`; what passes when it is first seen is left out."""
    for change in changes:
        cell = change.cell
        if change.before is None and cell.verdict is Verdict.PASS:
            continue
        at = datetime.fromtimestamp(cell.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        parts = [at, SHOWN[cell.verdict], cell.target, "from", cell.subnet]
        if cell.verdict is not Verdict.PASS:
            parts.append(f"{cell.code}: {cell.cause}" if cell.code else cell.cause)
        if change.lasted is not None:
            parts.append(f"after {length(change.lasted)}")
        elif change.before is not None:
            parts.append(f"(was {SHOWN[change.before]})")
        yield printable(" ".join(part for part in parts if part))
