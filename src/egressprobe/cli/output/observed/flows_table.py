"""What flow logs saw as a table: a line a target with a column a subnet; below, the records of what is not answered."""

from collections.abc import Iterator, Sequence

from egressprobe.cli.output.terminal import (
    COLOURS,
    ORDER,
    SHOWN,
    Style,
    cut,
    indented,
    line,
    paragraph,
    printable,
    short,
    some,
    widths,
)
from egressprobe.model.target import Expect, Verdict
from egressprobe.observability.flows.result import (
    CONTROL_PLANE,
    PROBE,
    FlowCell,
    FlowPlace,
    FlowRow,
    Flows,
    FlowSource,
    FlowState,
    FlowTally,
)

STATES = {
    FlowState.REJECTED: "REJECTED",
    FlowState.RETURN_REJECTED: "RETURN REJECTED",
    FlowState.NO_RETURN: "NO RETURN",
    FlowState.REFUSED: "REFUSED",
    FlowState.UNSETTLED: "no return yet",
    FlowState.NOT_SEEN: "not seen",
    FlowState.WAS_REJECTED: "was rejected",
    FlowState.ANSWERED: "answered",
}
# What the records prove, and what they do not. The same texts explain the states in docs/flows.md.
PROVES = {
    FlowState.REJECTED: (
        "REJECT: the security groups of the interface, or the network ACL of its subnet, refuse the request. The "
        "record does not say which of both: `egressprobe audit` and `egressprobe invoke` name the rule"
    ),
    FlowState.RETURN_REJECTED: (
        "the request left, and what returned was rejected: by the network ACL of the interface's subnet, because "
        "security groups let replies to allowed requests in. It lacks a rule for the ephemeral ports"
    ),
    FlowState.NO_RETURN: (
        "the requests were accepted and left the interface, and nothing returned: its security groups and the outbound "
        "rules of its network ACL allow them. The loss is behind: a route, a NAT gateway or firewall, the other side's "
        "rules, or the return path"
    ),
    FlowState.REFUSED: "only RST returned: the other side, or a firewall on the path, refuses the connection",
    FlowState.UNSETTLED: "nothing returned yet, but the records are new, or some of the interface were lost",
    FlowState.NOT_SEEN: "no record: no traffic to a known address, or records that were not delivered yet",
    FlowState.WAS_REJECTED: "rejected earlier in this time, accepted since",
}
_MOST_PLACES, _MOST_OTHERS = 4, 10


def flows_table(flows: Flows, *, colour: bool = False, width: int | None = None) -> str:
    """width: columns of a terminal to fold explanations to; None leaves them whole."""
    style = Style(colour)
    word = SHOWN[flows.verdict]
    first, *rest = paragraph(summary_line(flows), width)
    lines = [style.paint(word, COLOURS[flows.verdict]) + first.removeprefix(word), *rest]
    for kind, title in ((PROBE, "From the probes"), (CONTROL_PLANE, "From the control plane")):
        rows = sorted((row for row in flows.rows if row.kind == kind), key=lambda row: ORDER.index(row.verdict))
        if rows and any(source.method for source in flows.sources):
            lines += ["", f"{title}:", *_matrix(rows, flows, style, width)]
    if flows.others:
        lines += ["", *_others(flows, style, width)]
    below = [part for text in footer(flows) for part in paragraph(text, width)]
    return "\n".join([*lines, *(["", *below] if below else []), *create_lines(flows)])


def _matrix(rows: Sequence[FlowRow], flows: Flows, style: Style, width: int | None) -> Iterator[str]:
    heads = ("VERDICT", "TARGET", *(subnet.zone or subnet.id for subnet in flows.subnets))
    ids = ("", "", *(subnet.id for subnet in flows.subnets))
    cells = [(SHOWN[row.verdict], short(row.target), *_texts(row, flows)) for row in rows]
    columns = widths((heads, ids, *cells))
    stacked = bool(width and sum(columns) + 2 * (len(columns) - 1) > width)
    if stacked:
        assert width is not None  # noqa: S101 (for the type checker)
        columns = [columns[0], min(columns[1], max(width - columns[0] - 2, 10))]
        yield style.paint(line(heads[:2], columns), "2")
    else:
        yield from (style.paint(line(head, columns), "2") for head in (heads, ids))
    for row, texts in zip(rows, cells, strict=True):
        shown = (texts[0], cut(texts[1], columns[1]), *texts[2:])
        yield line(shown[: len(columns)], columns, paint=style.first(COLOURS[row.verdict]))
        if stacked:
            by_subnet = ", ".join(f"{subnet} {text}" for subnet, text in zip(ids[2:], texts[2:], strict=True))
            yield from indented(style, "subnets", by_subnet, width)
        for label, text in explained(row, dated=is_dated(flows)):
            yield from indented(style, label, text, width)


def _texts(row: FlowRow, flows: Flows) -> Iterator[str]:
    by_subnet = {cell.subnet_id: cell_text(cell) for cell in row.cells}
    yield from (by_subnet.get(subnet.id, "-") for subnet in flows.subnets)


def cell_text(cell: FlowCell) -> str:
    """The state of a target from a subnet; of several places, how many have it."""
    alike = sum(place.state is cell.state for place in cell.places)
    part = f" {alike}/{len(cell.places)}" if len(cell.places) > 1 and alike < len(cell.places) else ""
    return f"{STATES[cell.state]}{part}"


def explained(row: FlowRow, *, dated: bool = False) -> Iterator[tuple[str, str]]:
    """(label, text) of what is not as it should be: what the records prove, once, and the records of each place."""
    if row.verdict is Verdict.PASS:
        return
    wrong = [cell for cell in row.cells if cell.verdict is not Verdict.PASS]
    if row.expect == Expect.BLOCKED:
        yield "expected", "blocked"
    for state in dict.fromkeys(cell.state for cell in wrong):
        alike = [cell for cell in wrong if cell.state is state]
        if len(alike) < len(row.cells):
            yield "in", some(tuple(cell.subnet_id for cell in alike))
        if state in PROVES:
            yield "means", PROVES[state]
        places = [place for cell in alike for place in cell.places if place.state is state]
        yield from (("records", place_text(place, dated=dated)) for place in places[:_MOST_PLACES])
        if len(places) > _MOST_PLACES:
            yield "", f"and {len(places) - _MOST_PLACES} more places"
    if not row.addresses:
        yield "dialled", "its addresses are not known"
    elif all(cell.state is FlowState.NOT_SEEN for cell in wrong):
        yield "dialled", f"{some(row.addresses)} ({_SOURCES[row.addresses_from]})"


_SOURCES = {
    "plan": "as planned",
    "log": "as the probes logged in this time",
    "probe": "as a probe dialled just now",
    "": "",
}


def place_text(place: FlowPlace, *, dated: bool = False) -> str:
    """One place: from which interface, and the records of each direction."""
    until = f", answered until {clock(place.answered_until, dated=dated)}" if place.answered_until else ""
    tallies = "; ".join(tally_text(tally, dated=dated) for tally in place.tallies)
    return f"{place.interface_id} to {place.where}: {tallies}{until}"


def tally_text(tally: FlowTally, *, dated: bool = False) -> str:
    """`REJECT of requests 02:11:05-02:59:40, 48 packets, 2880 bytes, SYN`."""
    what = "requests" if tally.direction == "request" else "return packets"
    more = "".join(f", {text}" for text in (" ".join(tally.tcp_flags), " ".join(tally.reasons)) if text)
    when = f"{clock(tally.first, dated=dated)}-{clock(tally.last, dated=dated)}"
    return f"{tally.action} of {what} {when}, {tally.packets} packets, {tally.bytes} bytes{more}"


def clock(time: str, *, dated: bool = False) -> str:
    """The time of the day, UTC. dated: with the day, where the report has several."""
    return f"{time[5:10]} {time[11:19]}" if dated else time[11:19]


def is_dated(flows: Flows) -> bool:
    """Whether its times are of several days."""
    return flows.since[:10] != flows.until[:10]


def _others(flows: Flows, style: Style, width: int | None) -> Iterator[str]:
    more = len(flows.others) - _MOST_OTHERS + flows.more_others
    yield from paragraph("Other places on the targets' ports, rejected ones first:", width)
    for place in flows.others[:_MOST_OTHERS]:
        text = f"{place.kind}: {place_text(place, dated=is_dated(flows))}"
        yield from indented(style, STATES[place.state].split()[0], text, width)
    if more > 0:
        yield f"    and {more} more (-o json has {len(flows.others)})"


def footer(flows: Flows) -> Iterator[str]:
    """What was read and what it cost, what was not, and what flow logs cannot show."""
    yield from flows.notes
    for source in flows.sources:
        yield source_line(source)
    if flows.sources:
        seconds = max(source.aggregation_seconds for source in flows.sources)
        quiet = sum(interface.no_data for interface in flows.interfaces)
        nodata = f" {quiet} intervals had no traffic (NODATA)." if quiet else ""
        yield (
            f"Times are UTC. A record sums up to {seconds} s and arrives 5 to 10 minutes later.{nodata} Flow logs have "
            "no queries to the VPC's own DNS resolver; other functions with the same subnet and security groups share "
            "the probes' interfaces."
        )


def source_line(source: FlowSource) -> str:
    """One flow log: how it was read, and what that cost; or why it was not read."""
    name = f"{source.flow_log} ({source.resource}, {source.traffic}) in {source.destination}"
    if not source.method:
        return f"Not read: {name}: {source.problem}"
    cost = f"{source.bytes_scanned / 1e6:.1f} MB scanned, ${source.dollars:.4f}"
    more = "".join(f"; {text}" for text in (source.problem, source.note) if text)
    return f"Read: {name} by {source.method}: {cost}{more}"


def create_lines(flows: Flows) -> list[str]:
    """The command, whole: it is there to be copied."""
    return ["", "Create one:", *map(printable, flows.create)] if flows.create else []


def summary_line(flows: Flows) -> str:
    """The first line: the verdict, and how many targets have which."""
    word, span = SHOWN[flows.verdict], _span(flows)
    head = f"{word}: {flows.cluster_name or flows.stack}: "
    if not flows.sources:
        return f"{head}no flow log records the probes' or the control plane's interfaces"
    probes = [row for row in flows.rows if row.kind == PROBE]
    if not any(source.method for source in flows.sources):
        return f"{head}no flow log could be read"
    counts = ", ".join(
        f"{n} {text}" for state, text in STATES.items() if (n := sum(_worst(row) is state for row in probes))
    )
    return f"{head}{counts or 'no targets'}, of {len(probes)} targets from {len(flows.subnets)} subnets, {span}"


def _span(flows: Flows) -> str:
    dated = is_dated(flows)
    return f"{clock(flows.since, dated=dated)}-{clock(flows.until, dated=dated)} UTC"


def _worst(row: FlowRow) -> FlowState:
    """The state that decides about a target."""
    deciding = next((cell for cell in row.cells if cell.verdict is row.verdict), None)
    return deciding.state if deciding else FlowState.NOT_SEEN
