"""Generated requests: forged deliveries, rubbish, and hostile bodies."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from test_attack import GROWTH, Captured, Target, attacks

from .servers import serve

#: How many requests each server gets.
REQUESTS = 4_000
SERVERS = ("gunicorn (gthread)", "waitress")


def attack(directory: Path) -> str:
    """Send generated requests: none is accepted, and memory does not grow."""
    grown, began = [], time.monotonic()
    for name in SERVERS:
        below = directory / name.replace(" ", "-")
        below.mkdir()
        store = f"sqlite:///{below}/replay.db"
        with serve(
            name, below, clustaar_replay_store=store, clustaar_request_max_age=60
        ) as server:
            grown.append(_attack(Target(server)))
    each = REQUESTS * len(SERVERS) / (time.monotonic() - began)
    return (
        f"{REQUESTS} requests each to {' and '.join(SERVERS)} ({each:.0f} a second): "
        "none failed, nothing forged ran; memory grew by "
        f"{' and '.join(f'{kib / 1024:.1f}' for kib in grown)} MiB."
    )


def _attack(target: Target) -> int:
    """Return by how many KiB the server's memory has grown."""
    memory: list[int] = []

    @settings(
        max_examples=REQUESTS,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(attacks())
    def send(build: Callable[[Captured], bytes]) -> None:
        target.send(build)
        memory.append(target.server.memory())

    send()
    target.deliver()
    target.check_nothing_was_forged()
    grown = target.server.memory() - memory[REQUESTS // 5]
    assert grown < GROWTH, f"The memory grew by {grown} KiB."
    return grown
