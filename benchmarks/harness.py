"""Measure contenders in rounds.

The speed of a busy machine varies, so only times of the same round are compared. In
each round, all contenders, in random order, answer a block of deliveries for a few
milliseconds. The clock is the CPU time of the process. The deliveries of a block are
created before the clock runs, existing objects are excluded from garbage collection,
and a full collection runs before each block.
"""

from __future__ import annotations

import gc
import itertools
import random
import statistics
import time
from collections.abc import Mapping
from typing import NamedTuple

from .subjects import Contender

#: Each delivery of a run has its own number.
_numbers = itertools.count(1)

#: The duration of a block, in seconds.
BLOCK = 0.008


class Cost(NamedTuple):
    """The time of a delivery."""

    #: Microseconds of CPU time, the median.
    cpu: float
    #: The ratio to the time of the reference: low, median and high.
    low: float
    ratio: float
    high: float


class Samples(NamedTuple):
    """Microseconds of CPU time of each contender in each round."""

    costs: Mapping[str, list[float]]

    def cost(self, name: str, reference: str) -> Cost:
        """Return the time of *name*, also relative to *reference*."""
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
) -> Samples:
    """Let contenders answer deliveries, for some rounds."""
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
    finally:
        gc.unfreeze()
    return Samples(costs)


def measure(contender: Contender, count: int) -> float:
    """Return the CPU time of a delivery in a block, in microseconds."""
    environs = contender.deliver_many(itertools.islice(_numbers, count))
    gc.collect()
    start = time.process_time_ns()
    statuses = contender.serve(environs)
    spent = time.process_time_ns() - start
    if statuses != ["200 OK"] * count:
        raise RuntimeError(f"A delivery was answered with {sorted(set(statuses))}.")
    return spent / count / 1000


def calibrate(contender: Contender, block: float) -> int:
    """Warm up a contender; return its number of deliveries in *block* seconds."""
    measure(contender, 1)  # The first one can take a hundred times as long.
    for count in (1, 3, 10, 30):
        cost = measure(contender, count)
        if cost * count > block * 1e6:
            break
    return max(1, round(block * 1e6 / cost))
