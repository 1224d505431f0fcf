"""At which addresses each target was dialled: of the plan, of the probes' log lines, or by a probe made now.

Names resolve to changing addresses, so what the probes dialled in the interval comes first. A line of a target that
passes has no addresses (publish/emf.py): the plan has those of targets by address, and the rest a probe made now finds.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from egressprobe.aws.observability.insights import InsightsAnswer
from egressprobe.model.joined_report import Joined
from egressprobe.model.target import Target
from egressprobe.net.addresses import canonical, is_address
from egressprobe.observability.flows.report import KnownTarget
from egressprobe.stack.planner_client import probe_by

# `addresses` is a list: Logs Insights has no field of that name, only `addresses.0` and so on.
DIALLED_QUERY = (
    r'parse @message /"addresses":\s*\[(?<dialled>[^\]]+)\]/'
    " | filter ispresent(dialled) and ispresent(Target) | stats count(*) as lines by Target, dialled"
)
_AT_ONCE = 100  # targets of one request to the Planner: its answer has at most 4 MB


def from_lines(answer: InsightsAnswer) -> dict[str, tuple[str, ...]]:
    """Addresses by target, as the probes logged them."""
    addresses: dict[str, dict[str, None]] = {}
    for row in answer.rows:
        try:
            listed = json.loads(f"[{row['dialled']}]")
        except (KeyError, ValueError):
            continue
        known = addresses.setdefault(row.get("Target", ""), {})
        known |= dict.fromkeys(text for text in listed if isinstance(text, str) and is_address(text))
    return {name: tuple(texts) for name, texts in addresses.items()}


def from_probe(session: Any, planner: str, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Addresses by target, of a probe made now. Raises AwsError and InputError."""
    addresses: dict[str, dict[str, None]] = {}
    for i in range(0, len(names), _AT_ONCE):
        joined: Joined = probe_by(session, planner, names[i : i + _AT_ONCE])
        for report in joined.reports:
            for result in report.results:
                known = addresses.setdefault(result.target.name, {})
                known |= dict.fromkeys(attempt.address for attempt in result.attempts)
    return {name: tuple(texts) for name, texts in addresses.items() if texts}


def known_targets(
    targets: Iterable[Target],
    logged: Mapping[str, tuple[str, ...]],
    ask: Callable[[Sequence[str]], Mapping[str, tuple[str, ...]]] | None,
) -> list[KnownTarget]:
    """The targets with their places. ask: addresses of names by a probe made now, for targets without; None: do not."""
    targets = list(targets)
    planned = {target.name: planned_places(target) for target in targets}
    missing = [t.name for t in targets if not planned[t.name] and t.name not in logged and t.refusal is None]
    probed = ask(missing) if ask and missing else {}
    known = []
    for target in targets:
        places, source = planned[target.name], "plan"
        if not places:
            by_name = logged.get(target.name) or probed.get(target.name, ())
            places = tuple((canonical(address), target.port) for address in by_name)
            source = "log" if target.name in logged else "probe" if by_name else ""
        known.append(
            KnownTarget(
                target.name,
                target.url,
                target.port,
                target.impact,
                target.expect,
                tuple(dict.fromkeys(places)),
                source,
            )
        )
    return known


def planned_places(target: Target) -> tuple[tuple[str, int], ...]:
    """Addresses and ports that the plan itself names."""
    if target.endpoints:
        return tuple((canonical(e.address), e.port) for e in target.endpoints if is_address(e.address))
    host = target.host.strip("[]")
    return ((canonical(host), target.port),) if is_address(host) else ()
