"""What a switch must remember to go on after it was interrupted, in a file beside the baseline.

It is written before the request leaves, and it is a note of what to look for, never of what is true.
"""

import os
import tempfile
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

import msgspec

from egressprobe.model.errors import InputError, os_words, short
from egressprobe.model.struct import Struct

SWITCH_SCHEMA = "egressprobe/switch/v1"
_MOST_BYTES = 4 << 20


class SwitchPhase(StrEnum):
    """How far a switch came. REQUESTED: the request was sent, or was about to be: only EKS knows."""

    REQUESTED = "requested"
    REFUSED = "refused"
    STARTED = "started"
    ENDED = "ended"
    VERIFIED = "verified"

    @property
    def is_open(self) -> bool:
        """Whether something is left to do, by --resume."""
        return self in (SwitchPhase.REQUESTED, SwitchPhase.STARTED)


class SwitchState(Struct, frozen=True):
    """token: clientRequestToken of the request. known_updates: those that EKS listed before it. Times are ISO 8601.

    update_id: of the update, empty until it is known. last_seen: the true state when it was last read.
    """

    cluster_arn: str
    token: str
    phase: SwitchPhase
    requested_at: str
    known_updates: tuple[str, ...] = ()
    update_id: str = ""
    last_seen: str = ""
    schema_version: str = SWITCH_SCHEMA


def state_path(baseline: Path) -> Path:
    """`egressprobe-baseline-prod.switch.json` beside `egressprobe-baseline-prod.json`."""
    return baseline.with_name(f"{baseline.name.removesuffix('.json')}.switch.json")


class StateFile:
    """The state on disk: readable by its owner only, replaced as a whole, on the disk before `save` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> SwitchState | None:
        """None where there is no file. Raises InputError for one that cannot be read."""
        try:
            with self.path.open("rb") as stream:
                data = stream.read(_MOST_BYTES + 1)
            state = msgspec.json.decode(data, type=SwitchState)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InputError(str(self.path), f"cannot be read: {os_words(error)}") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InputError(
                str(self.path), f"is not the state of a switch ({error}); move it away, and --resume reads EKS alone"
            ) from None
        if state.schema_version != SWITCH_SCHEMA:
            version = short(state.schema_version)
            raise InputError(
                str(self.path), f'is "{version}", not {SWITCH_SCHEMA}; move it away, and --resume reads EKS alone'
            )
        return state

    def save(self, state: SwitchState) -> None:
        """Raises InputError where it cannot be written."""
        temporary = ""
        try:
            handle, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")  # with mode 0600
            with os.fdopen(handle, "wb") as stream:
                stream.write(msgspec.json.format(msgspec.json.encode(state), indent=2) + b"\n")
                stream.flush()
                os.fsync(stream.fileno())
            Path(temporary).replace(self.path)
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise InputError(str(self.path), f"cannot be written: {os_words(error)}") from None
        finally:
            if temporary:
                with suppress(OSError):
                    Path(temporary).unlink(missing_ok=True)
