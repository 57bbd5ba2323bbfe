"""Check that memory does not grow while one process answers many deliveries."""

from __future__ import annotations

import gc
import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .machine import run_module
from .ours import everything
from .payloads import PAYLOADS

#: The shortest lifetime of records that the settings allow, so that the store soon
#: reaches its final size: the deliveries of the last six seconds.
SETTINGS: dict[str, Any] = {
    "request_max_age": 2,
    "clock_skew": 1,
    "replay_ttl": 6,
    "replay_lease": 6,
    "replay_capacity": 1_000_000,
}

#: The number of measurements.
SAMPLES = 21


def run(count: int) -> Iterator[tuple[int, float]]:
    """Yield the number of answered deliveries, and the resident memory in megabytes.

    A separate process does the work.
    """
    yield from run_module(__name__, str(count))


def _serve(count: int) -> None:
    contender = everything(PAYLOADS["typical"], **SETTINGS)
    numbers = itertools.count()
    step = count // (SAMPLES - 1)
    for sample in range(SAMPLES):
        for start in range(0, step if sample else 0, 100):
            block = itertools.islice(numbers, min(100, step - start))
            statuses = contender.serve(contender.deliver_many(block))
            if set(statuses) != {"200 OK"}:
                sys.exit(1)
        gc.collect()
        print(json.dumps([sample * step, _megabytes()]), flush=True)


def _megabytes() -> float:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * 4096 / 1e6


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
