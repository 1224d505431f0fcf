"""Requests against a bucket of tokens, as AWS throttles: with the repetitions of botocore's standard mode."""

import heapq
import random
from collections.abc import Iterable
from typing import NamedTuple


class Call(NamedTuple):
    """at: in seconds. attempts: how often it is tried in all."""

    at: float
    attempts: int = 3


class Outcome(NamedTuple):
    """calls; lost: those that were refused each time; refused: attempts; peak: most attempts in one second."""

    calls: int
    lost: int
    refused: int
    peak: int


def accepted(times: Iterable[float], rate: float, burst: float) -> list[bool]:
    """Of requests in order of time, which a bucket of `burst` tokens accepts that gets `rate` more each second."""
    tokens, last, results = burst, 0.0, []
    for at in times:
        tokens, last = min(burst, tokens + (at - last) * rate), at
        results.append(tokens >= 1)
        tokens -= 1 if results[-1] else 0
    return results


def carried_out(calls: Iterable[Call], rate: float, burst: float, seed: int = 0) -> Outcome:
    """As botocore does, which waits a random part of 1, 2, 4, ... seconds, at most 20, before it tries again.

    https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
    """
    dice = random.Random(seed)
    waiting = [(call.at, number, 1, call.attempts) for number, call in enumerate(calls)]
    heapq.heapify(waiting)
    tokens, last = float(burst), 0.0
    seconds: dict[int, int] = {}
    total, lost, refused = len(waiting), 0, 0
    while waiting:
        at, number, attempt, attempts = heapq.heappop(waiting)
        seconds[int(at)] = seconds.get(int(at), 0) + 1
        tokens, last = min(burst, tokens + (at - last) * rate), at
        if tokens >= 1:
            tokens -= 1
            continue
        refused += 1
        if attempt == attempts:
            lost += 1
            continue
        pause = dice.random() * min(2 ** (attempt - 1), 20)
        heapq.heappush(waiting, (at + pause, number, attempt + 1, attempts))
    return Outcome(total, lost, refused, max(seconds.values(), default=0))
