"""The readiness of a fleet as a table or in Markdown: one line a cluster, the worst first; then what was not listed."""

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence

from egressprobe.cli.output.documents.markdown import escaped, fenced
from egressprobe.cli.output.preflight.words import counted
from egressprobe.cli.output.terminal import COLOURS, Style, cut, line, paragraph, printable, short, widths
from egressprobe.model.target import Verdict
from egressprobe.readiness.fleet.result import Fleet, FleetCluster
from egressprobe.readiness.result import Decision

_HEAD = ("DECISION", "CLUSTER", "REGION", "VERSION", "MODE", "EVIDENCE")
_PAINT = {
    Decision.NO_GO: COLOURS[Verdict.FAIL],
    Decision.UNKNOWN: COLOURS[Verdict.UNKNOWN],
    Decision.GO: COLOURS[Verdict.PASS],
}
_ORDER = (Decision.NO_GO, Decision.UNKNOWN, Decision.GO)
_MOST_IN_MARKDOWN, _LEAST_NAME = 300, 12


def fleet_table(fleet: Fleet, *, colour: bool = False, width: int | None = None) -> str:
    """width: columns of a terminal: what decides is then folded below its cluster; None: one line each, for a pipe."""
    style = Style(colour)
    first, *rest = (part for text in summary(fleet) for part in paragraph(text, width))
    head = style.paint(fleet.decision, _PAINT[fleet.decision]) + first.removeprefix(fleet.decision)
    lines = [head, *rest]
    if fleet.clusters:
        lines += ["", *_rows(fleet.clusters, style, width)]
    below = [part for text in notes(fleet) for part in paragraph(text, width)]
    # A command is not folded: it is there to be copied.
    command = [f"All of one: {text}" for text in _next(fleet)]
    return "\n".join([*lines, *(["", *below, *command] if below or command else [])])


def _rows(clusters: Sequence[FleetCluster], style: Style, width: int | None) -> Iterator[str]:
    if width is None:
        yield from _whole_rows(clusters, style)
        return
    head, *cells = (row[:-1] for row in (_HEAD, *map(_cells, clusters)))
    columns = widths([head, *cells])
    columns[1] = max(min(columns[1], columns[1] + width - sum(columns) - 2 * (len(columns) - 1)), _LEAST_NAME)
    yield line(head, columns)
    for cluster, row in zip(clusters, cells, strict=True):
        fitting = (row[0], cut(row[1], columns[1]), *row[2:])
        yield line(fitting, columns, paint=style.first(_PAINT[cluster.decision]))
        yield from (f"    {part}" for part in paragraph(f"{cluster.evidence}: {reason(cluster)}", max(width - 4, 20)))


def _whole_rows(clusters: Sequence[FleetCluster], style: Style) -> Iterator[str]:
    rows = [(*_cells(cluster), reason(cluster)) for cluster in clusters]
    columns = widths([(*_HEAD, "WHAT DECIDES"), *rows])
    yield line((*_HEAD, "WHAT DECIDES"), columns)
    for cluster, row in zip(clusters, rows, strict=True):
        yield line(row, columns, paint=style.first(_PAINT[cluster.decision]))


def _cells(cluster: FleetCluster) -> tuple[str, ...]:
    return (
        cluster.decision,
        short(cluster.name),
        cluster.region,
        cluster.version or "-",
        cluster.mode or "-",
        cluster.evidence,
    )


def reason(cluster: FleetCluster) -> str:
    """What decides about a cluster, and how many further reasons there are."""
    code = f" ({cluster.code})" if cluster.code else ""
    return f"{cluster.decides}{code}{f'; and {cluster.more} more' if cluster.more else ''}"


def summary(fleet: Fleet) -> Iterator[str]:
    """The decision, and how many clusters have which."""
    decisions = Counter(cluster.decision for cluster in fleet.clusters)
    counts = ", ".join(f"{decisions[decision]} {decision}" for decision in _ORDER)
    yield f"{fleet.decision}: {counts} of {counted(len(fleet.clusters), 'cluster')} in {_regions(fleet)}"


def _regions(fleet: Fleet) -> str:
    return ", ".join(region.name for region in fleet.regions)


def notes(fleet: Fleet) -> Iterator[str]:
    """What was not read."""
    if fleet.interrupted:
        yield "Interrupted: what had not been read by then is UNKNOWN."
    for region in fleet.regions:
        if region.error:
            yield f"{region.name}: its clusters could not be listed: {region.error}"
        elif not region.clusters:
            yield f"{region.name}: there are no clusters."


def _next(fleet: Fleet) -> Iterator[str]:
    """The command that shows everything of the worst cluster."""
    if fleet.clusters and fleet.clusters[0].decision is not Decision.GO:
        worst = fleet.clusters[0]
        name, region = (shlex.quote(printable(text)) for text in (worst.name, worst.region))
        yield f"egressprobe preflight --cluster {name} --region {region}"


def fleet_markdown(fleet: Fleet) -> str:
    """For a comment or a step's summary: one table."""
    lines = [f"**{escaped(text)}**" for text in summary(fleet)]
    if fleet.clusters:
        lines += [
            "",
            "| decision | cluster | region | version | mode | evidence | what decides |",
            "| --- | --- | --- | --- | --- | --- | --- |",
        ]
    for cluster in fleet.clusters:
        cells = (*_cells(cluster), cut(reason(cluster), _MOST_IN_MARKDOWN))
        lines.append(f"| {' | '.join(map(escaped, cells))} |")
    below = [f"- {escaped(text)}" for text in notes(fleet)]
    lines += ["", *below] if below else []
    for command in _next(fleet):
        lines += ["", "All of one:", "", *fenced([command])]
    return "\n".join(lines)
