"""What the last recorded simulation found: docs/scale.md is made from it without simulating."""

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("results.json")


def recorded_results() -> dict[str, Any]:
    """As report.simulated returns it."""
    found: dict[str, Any] = json.loads(RESULTS.read_text())
    return found
