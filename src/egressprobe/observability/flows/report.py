"""From counted records to the report: which target each place belongs to, and the verdict from each subnet. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from egressprobe.model.report import worst
from egressprobe.model.target import Expect, Impact, Verdict
from egressprobe.observability.flows.judge import Watched, as_time, state_of, tallies_of, verdict_of
from egressprobe.observability.flows.records import ACCEPT, REJECT, FlowCount
from egressprobe.observability.flows.result import (
    CONTROL_PLANE,
    PROBE,
    FlowCell,
    FlowInterface,
    FlowPlace,
    FlowRow,
    FlowState,
    ObservedSubnet,
)

MAX_OTHERS = 100
_ORDER = tuple(FlowState)


class KnownTarget(NamedTuple):
    """A target of the plan. places: (address, port) that it is dialled at, empty where they are not known.

    source: where the addresses are from: `plan`, `log` (what the probes logged in the interval) or `probe` (a probe
    made now).
    """

    name: str
    url: str
    port: int
    impact: Impact | None = None
    expect: str = Expect.REACHABLE
    places: tuple[tuple[str, int], ...] = ()
    source: str = ""


class JoinedFlows(NamedTuple):
    """others: places of no known target, rejected ones first. left_out: how many more there are."""

    rows: tuple[FlowRow, ...]
    others: tuple[FlowPlace, ...]
    left_out: int


def join_flows(
    targets: Iterable[KnownTarget],
    counts: Iterable[FlowCount],
    interfaces: Sequence[FlowInterface],
    watched: Mapping[str, Watched],
    subnets: Sequence[ObservedSubnet],
) -> JoinedFlows:
    """Rows in the order of the targets: from each probe's subnet, and from the control plane where it was seen.

    watched: by interface; one that is missing there is not recorded at all.
    """
    by_place = _places(counts, interfaces, watched)
    rows: list[FlowRow] = []
    known: set[tuple[str, int]] = set()
    for target in targets:
        known |= set(target.places)
        for kind in (PROBE, CONTROL_PLANE):
            row = _row(target, kind, by_place, subnets)
            if row.cells:
                rows.append(row)
    others = [place for (_, address, port), place in by_place.items() if (address, port) not in known]
    others.sort(key=_by_weight)
    return JoinedFlows(tuple(rows), tuple(others[:MAX_OTHERS]), max(len(others) - MAX_OTHERS, 0))


def _places(
    counts: Iterable[FlowCount], interfaces: Sequence[FlowInterface], watched: Mapping[str, Watched]
) -> dict[tuple[str, str, int], FlowPlace]:
    by_id = {interface.id: interface for interface in interfaces}
    grouped: dict[tuple[str, str, int], list[FlowCount]] = {}
    for count in counts:
        if count.interface in watched and count.interface in by_id:
            grouped.setdefault((count.interface, count.address, count.port), []).append(count)
    places: dict[tuple[str, str, int], FlowPlace] = {}
    for key, of_place in grouped.items():
        interface = by_id[key[0]]
        state, answered = state_of(of_place, watched[interface.id])
        places[key] = FlowPlace(
            address=key[1],
            port=key[2],
            interface_id=interface.id,
            kind=interface.kind,
            subnet_id=interface.subnet_id,
            state=state,
            tallies=tallies_of(of_place),
            answered_until=as_time(answered),
        )
    return places


def _row(
    target: KnownTarget,
    kind: str,
    by_place: Mapping[tuple[str, str, int], FlowPlace],
    subnets: Sequence[ObservedSubnet],
) -> FlowRow:
    cells = []
    for subnet in subnets:
        places = sorted(
            (
                place
                for (_, address, port), place in by_place.items()
                if place.kind == kind and place.subnet_id == subnet.id and (address, port) in target.places
            ),
            key=lambda place: (_ORDER.index(place.state), place.address, place.port),
        )
        if not places and kind == CONTROL_PLANE:
            continue  # its connections are few and kept: nothing seen means nothing
        state = places[0].state if places else FlowState.NOT_SEEN
        verdict = worst(verdict_of(place.state, target.expect) for place in places)
        cells.append(FlowCell(subnet.id, state, verdict, tuple(places)))
    return FlowRow(
        target=target.name,
        url=target.url,
        kind=kind,
        verdict=worst(cell.verdict for cell in cells),
        impact=target.impact,
        expect=target.expect,
        addresses=tuple(f"[{a}]:{p}" if ":" in a else f"{a}:{p}" for a, p in target.places),
        addresses_from=target.source,
        cells=tuple(cells),
    )


def _by_weight(place: FlowPlace) -> tuple[bool, int, str, int]:
    """Rejected places first, then those with the most packets."""
    rejected = any(tally.action == REJECT for tally in place.tallies)
    packets = sum(tally.packets for tally in place.tallies)
    return (not rejected, -packets, place.address, place.port)


def verdict_of_rows(rows: Iterable[FlowRow]) -> Verdict:
    """The worst of what was recorded; unknown where nothing was."""
    return worst(row.verdict for row in rows)


def accepts(traffic: str) -> bool:
    """Whether a flow log with this TrafficType records accepted traffic."""
    return traffic in ("ALL", ACCEPT)
