"""What a simulation found, as data and as tables of 80 columns."""

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from bench.scale.bucket import Outcome
from bench.scale.fleet import REFERENCE, Cluster, Spread, by_place, fleet
from bench.scale.quotas import Quota, increase, read_quotas
from bench.scale.rates import PATTERNS, Pattern, executions, largest, outcomes
from bench.scale.usage import Stack, busiest

from egressprobe.publish.emf import Detail
from egressprobe.stack.price import Size, lines, prices, total

_WIDTH = 79
_FREE_DASHBOARDS = 3  # of an account
_TIGHT = 0.8  # share of a quota from which on more is asked for
_ROOM = 1.25  # as much more than is used
_NONE = "-"
_BY_PEOPLE = ("logQueries",)  # used while people look at dashboards
_HARD: tuple[Pattern, ...] = ("together", "outage")  # loses calls sooner than `spread`


class Scenario(NamedTuple):
    """A fleet by its size and spread; title: of its column."""

    title: str
    clusters: int
    spread: Spread


SCENARIOS = (
    Scenario("1", 1, "even"),
    Scenario("100", 100, "even"),
    Scenario("1,000", 1000, "even"),
    Scenario("100*", 100, "platform"),
    Scenario("1,000*", 1000, "platform"),
)


def simulated(counts: dict[str, Any], seed: int = 0) -> dict[str, Any]:
    """Everything as data, JSON types only. counts: as counts.json has it."""
    fleets = {one.title: fleet(one.clusters, one.spread, seed) for one in SCENARIOS}
    places = {title: max(by_place(made).values(), key=len) for title, made in fleets.items()}
    quotas = read_quotas()
    return {
        "seed": seed,
        "quotasAsOf": quotas.as_of,
        "busiest": {title: len(place) for title, place in places.items()},
        "counts": [count_of(quota, fleets, counts) for quota in quotas.counts()],
        "executions": {
            pattern: {title: executions(place, counts, pattern, seed) for title, place in places.items()}
            for pattern in PATTERNS
        },
        "rates": [_rate(quota, fleets["1,000*"], places["1,000*"], counts, seed) for quota in quotas.rates()],
        "cost": {title: cost(made, counts) for title, made in fleets.items()},
        "ask": ask(fleets["1,000*"], counts),
        "deploy": deploy(counts),
        "notDocumented": [one.action for one in quotas.not_documented],
    }


def count_of(quota: Quota, fleets: dict[str, list[Cluster]], counts: dict[str, Any]) -> dict[str, Any]:
    stack = Stack(counts)
    return {
        "id": quota.id,
        "name": quota.name,
        "quota": quota.value,
        "adjustable": quota.adjustable,
        "used": {title: busiest(quota, made, stack).used for title, made in fleets.items()},
        "fit": quota.value // stack.taken(quota.id, REFERENCE),
    }


def _rate(
    quota: Quota, whole: list[Cluster], place: list[Cluster], counts: dict[str, Any], seed: int
) -> dict[str, Any]:
    """Of the busiest account and region, and how many clusters of the reference size lose no call."""
    sharing = place if quota.scope != "account" else [one for one in whole if one.account == place[0].account]
    found = {pattern: _worst(outcomes(quota, sharing, counts, pattern, seed).values()) for pattern in PATTERNS}
    return {
        "id": quota.id,
        "name": quota.name,
        "perSecond": quota.value,
        "burst": quota.burst,
        "adjustable": quota.adjustable,
        "peak": {pattern: outcome.peak for pattern, outcome in found.items()},
        "lost": {pattern: round(outcome.lost / max(outcome.calls, 1), 4) for pattern, outcome in found.items()},
        "fit": {pattern: clusters_that_fit(quota, counts, pattern, seed) for pattern in _HARD},
    }


def _worst(buckets: Iterable[Outcome]) -> Outcome:
    """The one that loses the largest part, then the one with the highest peak."""
    none = Outcome(0, 0, 0, 0)
    return max(buckets, key=lambda one: (one.lost / max(one.calls, 1), one.peak), default=none)


def clusters_that_fit(quota: Quota, counts: dict[str, Any], pattern: Pattern, seed: int) -> int:
    """Clusters of the reference size in one account and region of which no call is lost; 1,000 for that and more."""

    def fits(number: int) -> bool:
        made = outcomes(quota, [REFERENCE] * number, counts, pattern, seed)
        return not any(outcome.lost for outcome in made.values())

    return largest(fits, 1000)


def cost(clusters: Sequence[Cluster], counts: dict[str, Any]) -> dict[str, float]:
    """USD a month of a healthy fleet, by MetricDetail; dashboards: those beyond an account's first three."""
    table, _ = prices("us-east-1")
    stack = Stack(counts)
    accounts: dict[int, int] = {}
    for cluster in clusters:
        accounts[cluster.account] = accounts.get(cluster.account, 0) + 1
    details: tuple[Detail, ...] = ("target", "subnet")
    found = {}
    for detail in details:
        found[detail] = sum(
            total(lines(Size(one.subnets, one.targets, stack.runs(one) // one.subnets, detail), table))
            for one in clusters
        )
    paid = sum(max(number - _FREE_DASHBOARDS, 0) for number in accounts.values())
    return {name: round(amount) for name, amount in found.items()} | {"dashboards": round(paid * table["dashboard"])}


def deploy(counts: dict[str, Any]) -> dict[str, int]:
    """Of a stack of the reference size: its metric alarms, and the seconds for them at AWS's rate."""
    alarms = Stack(counts).resources("AWS::CloudWatch::Alarm", REFERENCE)
    [rate] = [quota.value for quota in read_quotas().rates() if quota.id == "putAlarm"]
    return {"alarms": alarms, "seconds": -(-alarms // rate)}


def ask(clusters: list[Cluster], counts: dict[str, Any]) -> list[str]:
    """The commands that ask for what is used by more than four fifths, with a quarter more than that."""
    stack = Stack(counts)
    commands = []
    for quota in read_quotas().counts():
        used = busiest(quota, clusters, stack)
        if used.share > _TIGHT and (command := increase(quota, _rounded(used.used * _ROOM))):
            commands.append(command)
    return commands


def _rounded(number: float) -> int:
    """Up to two digits that are not 0."""
    step = 10 ** max(len(str(int(number))) - 2, 0)
    return -(-int(number) // step) * step


# -- tables --------------------------------------------------------------------------------------------------------


def counts_table(found: dict[str, Any]) -> str:
    """What is there at once; `!` where it is more than the quota."""
    titles = [one.title for one in SCENARIOS]
    rows = [_row("LIMIT", "QUOTA", titles, "FIT")]
    ordered = sorted(found["counts"], key=lambda one: -one["used"]["1,000*"] / one["quota"])
    for one in ordered:
        used = [f"{one['used'][title]:,}" + ("!" if one["used"][title] > one["quota"] else "") for title in titles]
        rows.append(_row(one["name"], f"{one['quota']:,}", used, f"{one['fit']:,}"))
    return "\n".join(rows)


def _row(name: str, quota: str, used: Sequence[str], fit: str) -> str:
    columns = "".join(f"{text:>{6 if number < 2 else 7}}" for number, text in enumerate(used))
    return f"{name:<29}{quota:>11}{columns}{_fit(fit)}"


def _fit(text: str) -> str:
    return f"{text:>6}" if len(text) < 6 else " many"


def rates_table(found: dict[str, Any]) -> str:
    """Calls that are lost in the busiest place, and how many clusters lose none."""
    rows = [
        f"{'REQUESTS':<33}{'A SECOND':>9}  {'LOST OF ' + str(found['busiest']['1,000*']) + ' CLUSTERS':<19}{'FIT':>8}",
        f"{'':<33}{'(AT ONCE)':>9}  {'spread':>6}{'same s':>7}{'outage':>7}{'same s':>8}{'outage':>7}",
    ]
    called = [one for one in found["rates"] if any(one["peak"].values())]
    ordered = sorted(called, key=lambda one: (one["fit"]["outage"], one["fit"]["together"]))
    for one in ordered:
        lost = [_percent(one["lost"][pattern], one["peak"][pattern]) for pattern in PATTERNS]
        fit = [_many(one["fit"][pattern]) for pattern in _HARD]
        allowed = f"{one['perSecond']:,}" + (f" ({one['burst']})" if one["burst"] != one["perSecond"] else "")
        rows.append(f"{one['name']:<33}{allowed:>9}  {lost[0]:>6}{lost[1]:>7}{lost[2]:>7}{fit[0]:>8}{fit[1]:>7}")
    return "\n".join(rows)


def _percent(share: float, peak: int) -> str:
    if not peak:
        return _NONE
    return f"{share:.0%}" if share == 0 or share >= 0.005 else "<1%"


def _many(number: int) -> str:
    return "1,000+" if number >= 1000 else f"{number:,}"


def cost_table(found: dict[str, Any]) -> str:
    """USD a month."""
    heads = f"{'CLUSTERS':<10}{'DETAIL target':>15}{'A CLUSTER':>12}{'DETAIL subnet':>16}{'A CLUSTER':>12}"
    rows = [f"{heads}{'DASHBOARDS':>13}"]
    for one in SCENARIOS:
        of_fleet = found["cost"][one.title]
        rows.append(
            f"{one.title:<10}{of_fleet['target']:>15,}{of_fleet['target'] / one.clusters:>12.2f}"
            f"{of_fleet['subnet']:>16,}{of_fleet['subnet'] / one.clusters:>12.2f}{of_fleet['dashboards']:>13,}"
        )
    return "\n".join(rows)


def ask_text(found: dict[str, Any]) -> str:
    """The commands, folded."""
    return "\n".join(command.replace(" --quota-code", " \\\n  --quota-code") for command in found["ask"])


def first_text(found: dict[str, Any]) -> str:
    """For each fleet what is more than its quota, or else what is nearest to it."""
    rows = []
    for one in SCENARIOS:
        listed = [c for c in found["counts"] if c["id"] not in _BY_PEOPLE]
        shares = sorted(((c["used"][one.title] / c["quota"], c) for c in listed), key=lambda pair: -pair[0])
        over = [f"{c['name']} {c['used'][one.title]:,} of {c['quota']:,}" for share, c in shares if share > 1]
        share, nearest = shares[0]
        text = "; ".join(over) if over else f"nothing; nearest: {nearest['name']}, {share:.0%} of {nearest['quota']:,}"
        rows += textwrap.wrap(text, _WIDTH, initial_indent=f"{one.title:<8}", subsequent_indent=" " * 8)
    return "\n".join(rows)


def as_table(found: dict[str, Any]) -> str:
    """All of it."""
    legend = "*: 15% of the clusters in one region of one account. !: more than the quota."
    return "\n\n".join(
        [
            "REACHED FIRST\n" + first_text(found),
            "AT ONCE, where most are in one account and region\n" + counts_table(found) + f"\n{legend}",
            "REQUESTS, in the busiest account and region of 1,000*\n" + rates_table(found),
            "USD A MONTH\n" + cost_table(found),
            "ASK FOR, for 1,000*\n" + ask_text(found),
        ]
    )
