"""A preflight as a file that `switch`, `verify` and `diff` trust: whole, unchanged, and of this version's form.

The hash is not a signature: it finds files that were cut, edited or mixed up, not an attacker who may write them.
"""

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

import msgspec

from egressprobe.model.errors import InputError, os_words, short
from egressprobe.readiness.result import PREFLIGHT_SCHEMA, Preflight

BASELINE_SCHEMA = "egressprobe/baseline/v1"
# A joined report is at most 6 MB, the audit of a large VPC some more.
_MAX_BYTES = 256 * 1024 * 1024


class _Envelope(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    schema_version: str
    sha256: str
    preflight: msgspec.Raw


def file_name(cluster: str) -> str:
    """Of the current directory; cluster names have letters, digits, - and _ only (CreateCluster)."""
    return f"egressprobe-baseline-{cluster}.json"


def save(path: Path | str, preflight: Preflight) -> None:
    """Writes the file readable by its owner only, as a whole or not at all. Raises InputError."""
    path = Path(path)
    content = msgspec.json.encode(preflight)
    envelope = {"schemaVersion": BASELINE_SCHEMA, "sha256": hashlib.sha256(content).hexdigest()}
    document = msgspec.json.encode(envelope | {"preflight": msgspec.Raw(content)})
    unfinished = ""
    try:
        # Created with mode 0600, beside the file: only within one file system is the replacement atomic.
        handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as stream:
            stream.write(document + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        Path(unfinished).replace(path)
    except (OSError, ValueError) as error:
        if unfinished:
            with suppress(OSError):
                Path(unfinished).unlink()
        words = os_words(error) if isinstance(error, OSError) else "it is not a path"
        raise InputError("--baseline", f"{short(str(path))} cannot be written: {words}") from None


def load(path: Path | str) -> Preflight:
    """Raises InputError for a file that cannot be read, is not a baseline, or was changed after it was saved."""
    name = short(str(path))
    try:
        with Path(path).open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        words = os_words(error) if isinstance(error, OSError) else "it is not a path"
        message = f"{name} cannot be read: {words}; give what `egressprobe preflight` saved"
        raise InputError("--baseline", message) from None
    if len(data) > _MAX_BYTES:
        raise InputError("--baseline", f"{name} is larger than {_MAX_BYTES >> 20} MB, which is not a baseline")
    return _checked(data, name)


def _checked(data: bytes, name: str) -> Preflight:
    not_one = f"{name} is not a baseline; `egressprobe preflight` saves one"
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        raise InputError("--baseline", f"{not_one} (it is not JSON, or was cut)") from None
    version = document.get("schemaVersion") if isinstance(document, dict) else None
    if version != BASELINE_SCHEMA:
        shown = "has no schemaVersion" if version is None else f'has the schemaVersion "{short(str(version))}"'
        raise InputError("--baseline", f"{not_one} (it {shown}, not {BASELINE_SCHEMA})")
    try:
        envelope = msgspec.json.decode(data, type=_Envelope)
        content = bytes(envelope.preflight)
        if hashlib.sha256(content).hexdigest() != envelope.sha256:
            raise InputError("--baseline", f"{name} was changed after it was saved; run `egressprobe preflight` again")
        preflight = msgspec.json.decode(content, type=Preflight)
    except msgspec.MsgspecError as error:
        raise InputError("--baseline", f"{name} is damaged or of another version: {short(str(error))}") from None
    if preflight.schema_version != PREFLIGHT_SCHEMA:
        shown = short(preflight.schema_version)
        raise InputError("--baseline", f'{name} has a preflight of the version "{shown}", not {PREFLIGHT_SCHEMA}')
    return preflight
