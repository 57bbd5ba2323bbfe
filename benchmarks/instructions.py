"""Count instructions instead of time, which is stable on busy machines.

Valgrind runs one Python for all subjects. Each subject is warmed up; then two children
are forked. Both create the same deliveries, but only one answers them. The difference
of their counts is the result. The results of two runs agree within half a percent.
"""

from __future__ import annotations

import gc
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .machine import run_module
from .payloads import PAYLOADS
from .subjects import Contender, Subject

#: The number of counted deliveries of each payload.
COUNTS = {"small": 100, "typical": 100, "large": 20}


def count(
    payloads: Sequence[str], subjects: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Return the instructions of an answer, by payload and subject."""
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as logs:
        valgrind = [
            "valgrind",
            "--tool=cachegrind",
            "--cache-sim=no",
            "--cachegrind-out-file=/dev/null",
            f"--log-file={logs}/%p",
        ]
        asked = json.dumps([payloads, subjects])
        lines = run_module(__name__, asked, valgrind, PYTHONHASHSEED="0")
        for payload, subject, idle, busy in lines:
            spent = total(Path(logs, str(busy))) - total(Path(logs, str(idle)))
            found.setdefault(payload, {})[subject] = spent / COUNTS[payload]
    return found


def total(log: Path) -> int:
    match = re.search(r"I +refs: +([0-9,]+)", log.read_text())
    if match is None:
        raise RuntimeError(f"No count of instructions in {log}.")
    return int(match[1].replace(",", ""))


# -- inside Valgrind -----------------------------------------------------------------


def _run(payloads: Sequence[str], names: Sequence[str]) -> None:
    now = time.time()
    setattr(time, "time", lambda: now)  # noqa: B010 (or deliveries become too old)
    for payload in payloads:
        for subject, contender in _contenders(payload, names):
            contender.serve(contender.deliver_many(range(1, 31)))
            gc.collect()
            gc.freeze()
            idle = _fork(contender, COUNTS[payload], serve=False)
            busy = _fork(contender, COUNTS[payload], serve=True)
            print(json.dumps([payload, subject.name, idle, busy]), flush=True)


def _contenders(
    payload: str, names: Sequence[str]
) -> Iterator[tuple[Subject, Contender]]:
    from .field import SUBJECTS

    for subject in SUBJECTS:
        if subject.name in names:
            yield subject, subject.build(PAYLOADS[payload])


def _fork(contender: Contender, count: int, *, serve: bool) -> int:
    child = os.fork()
    if child:
        if os.waitpid(child, 0)[1]:
            raise RuntimeError("A delivery was not answered with 200.")
        return child
    environs = contender.deliver_many(range(100, 100 + count))
    statuses: Any = contender.serve(environs) if serve else ["200 OK"]
    os._exit(set(statuses) != {"200 OK"})


if __name__ == "__main__":
    _run(*json.loads(sys.argv[1]))
