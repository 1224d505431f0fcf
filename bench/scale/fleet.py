"""Fleets that are made up: how many clusters are in which account and region, and how large they are.

What is assumed, and can be changed here: a cluster has 2 to 6 control-plane subnets, 5 to 200 targets, and up to 30
load balancers before targets; most have few of each. An account has its clusters in 1 to 4 regions. The clusters of an
account and region share one VPC, which is the worst case for network interfaces.
"""

import random
from typing import Literal, NamedTuple

type Spread = Literal["even", "platform"]
ACCOUNTS = 200
_REGIONS = 4
# Of the clusters, in one region of one platform account: 150 of 1,000.
_PLATFORM_SHARE = 0.15
_SUBNETS = (2, 3, 3, 3, 4, 6)
_TARGETS = (5, 200)
_BALANCERS = 30


class Cluster(NamedTuple):
    """account: from 0. region: from 0, within the account. balancers: load balancers that targets are behind."""

    account: int
    region: int
    subnets: int
    targets: int
    balancers: int


# What docs/price.md and the figures for one cluster are about.
REFERENCE = Cluster(0, 0, 3, 20, 1)


def fleet(clusters: int, spread: Spread, seed: int = 0) -> list[Cluster]:
    """even: each account has as many, in as many regions as its number says. platform: one account has 15% in one
    region, the others what Zipf's law gives them.
    """
    dice = random.Random(f"{seed} {spread} {clusters}")
    made = []
    for number in range(clusters):
        account, region = _place(number, clusters, spread, dice)
        made.append(_cluster(account, region, dice))
    return made


def _place(number: int, clusters: int, spread: Spread, dice: random.Random) -> tuple[int, int]:
    if spread == "even":
        account = number % ACCOUNTS
        return account, number // ACCOUNTS % (1 + account % _REGIONS)
    if number < clusters * _PLATFORM_SHARE:
        return 0, 0
    account = dice.choices(range(1, ACCOUNTS), [1 / rank for rank in range(1, ACCOUNTS)])[0]
    return account, dice.randrange(1 + account % _REGIONS)


def _cluster(account: int, region: int, dice: random.Random) -> Cluster:
    low, high = _TARGETS
    targets = round(low * (high / low) ** (dice.random() ** 1.5))
    balancers = min(int(dice.expovariate(1)), _BALANCERS)
    return Cluster(account, region, dice.choice(_SUBNETS), targets, balancers)


def by_place(clusters: list[Cluster]) -> dict[tuple[int, int], list[Cluster]]:
    """The clusters of each account and region."""
    places: dict[tuple[int, int], list[Cluster]] = {}
    for cluster in clusters:
        places.setdefault((cluster.account, cluster.region), []).append(cluster)
    return places
