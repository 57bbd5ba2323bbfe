"""How it is measured: in rounds, in which each contender has its turn.

A machine of two noisy cores is now quick and now slow, so nothing is ever compared
with what was measured at another time. In each round every contender, in an order that
is shuffled anew, answers a block of deliveries of a few milliseconds. What a contender
costs next to another one is the median, over the rounds, of the ratio of the two within
one round, and the spread is where eight of ten rounds lie.

The clock is the CPU time of the process, all threads together: unlike the time on the
wall it does not run while the machine does something else, and nothing measured here
waits. The deliveries are made and signed in front of each block, untimed, each one
different; after it each status must be 200.

Garbage: what was there before is frozen, and a full collection is made in front of each
block. Within a block the collector runs as it does in a server, so that everybody pays
for what they throw away.
"""

from __future__ import annotations

import gc
import itertools
import random
import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from .subjects import Contender

#: Each delivery of a run has a number of its own.
_numbers = itertools.count(1)

#: For how many seconds a contender is on, in each round.
BLOCK = 0.004


class Cost(NamedTuple):
    """What a delivery costs a contender."""

    #: Microseconds of CPU time, the median.
    cpu: float
    #: The same as a multiple of what it costs the reference: low, median and high.
    low: float
    ratio: float
    high: float


class Samples(NamedTuple):
    """Microseconds of CPU time, of each contender in each round."""

    costs: Mapping[str, list[float]]

    def cost(self, name: str, reference: str) -> Cost:
        """Return what *name* costs, next to *reference*."""
        pairs = zip(self.costs[name], self.costs[reference], strict=True)
        ratios = [cost / other for cost, other in pairs]
        low, *_, high = statistics.quantiles(ratios, n=10, method="inclusive")
        cpu = statistics.median(self.costs[name])
        return Cost(cpu, low, statistics.median(ratios), high)


def race(
    contenders: Mapping[str, Contender],
    *,
    rounds: int,
    block: float = BLOCK,
    tick: Callable[[], object] = lambda: None,
) -> Samples:
    """Let contenders answer deliveries, for some rounds.

    :param tick: is called after each round.
    """
    costs: dict[str, list[float]] = {name: [] for name in contenders}
    order = list(contenders)
    shuffle = random.Random(rounds).shuffle
    gc.collect()
    gc.freeze()
    try:
        counts = {name: calibrate(contenders[name], block) for name in contenders}
        gc.freeze()
        for _ in range(rounds):
            shuffle(order)
            for name in order:
                costs[name].append(measure(contenders[name], counts[name]))
            tick()
    finally:
        gc.unfreeze()
    return Samples(costs)


def measure(contender: Contender, count: int) -> float:
    """Return how many microseconds of CPU time a delivery takes, in a block."""
    environs = contender.deliver_many(itertools.islice(_numbers, count))
    gc.collect()
    start = time.process_time_ns()
    statuses = contender.serve(environs)
    spent = time.process_time_ns() - start
    if statuses != ["200 OK"] * count:
        raise RuntimeError(f"A delivery was answered with {sorted(set(statuses))}.")
    return spent / count / 1000


def calibrate(contender: Contender, block: float) -> int:
    """Warm a contender up; return how many deliveries take it *block* seconds."""
    measure(contender, 1)  # The first one of all can take a hundred times as long.
    for count in (1, 3, 10, 30):
        cost = measure(contender, count)
        if cost * count > block * 1e6:
            break
    return max(1, round(block * 1e6 / cost))
