"""Reports read back from JSON."""

import msgspec

from egressprobe.model.report import Report


def from_json(text: str | bytes) -> Report:
    """Raises msgspec.ValidationError."""
    return msgspec.json.decode(text, type=Report)
