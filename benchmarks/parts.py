"""The parts of a run, in order.

The results of a part are JSON, from which the report is created. ``--json`` writes
them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import click

from . import additions, imports, instructions, memory, scaling, sockets
from .everybody import SUBJECTS, measured, missing
from .harness import BLOCK, race
from .payloads import PAYLOADS
from .views import BY_HAND

JSON = dict[str, Any]
Tick = Callable[[], object]


class Effort(NamedTuple):
    """The amount of measuring."""

    #: The number of rounds, also for each step of a scale.
    rounds: int
    scale_rounds: int
    #: The number of rounds over sockets, and of new interpreters.
    socket_rounds: int
    import_rounds: int
    #: The imports to measure.
    imports: tuple[str, ...]
    #: The number of deliveries of the memory test.
    deliveries: int
    #: The stride of the steps of a scale; 2 omits every second one.
    stride: int = 1
    block: float = BLOCK


FULL = Effort(120, 40, 150, 15, tuple(imports.IMPORTS), 200_000)
QUICK = Effort(25, 5, 20, 5, ("flask_clustaar", "marshmallow"), 4_000, stride=2)


class Part(NamedTuple):
    """A part of the benchmarks."""

    #: The label of the progress bar.
    label: str
    run: Callable[[Effort, Tick], JSON]
    #: The number of ticks of the progress bar.
    ticks: Callable[[Effort], int]
    #: Returns what is missing to run it; None if nothing is.
    missing: Callable[[], str | None] = lambda: None


def run(names: list[str], effort: Effort) -> JSON:
    """Run parts, each with a progress bar; return their results."""
    found: JSON = {"skipped": dict(missing())}
    for name in names:
        part = PARTS[name]
        if (reason := part.missing()) is not None:
            found["skipped"][name] = reason
            continue
        found[name] = _run(part, effort)
    return found


def _run(part: Part, effort: Effort) -> JSON:
    label, length = f"{part.label:<26}", part.ticks(effort)
    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
        return part.run(effort, lambda: bar.update(1))


# -- the parts -----------------------------------------------------------------------


def _requests(effort: Effort, tick: Tick) -> JSON:
    found: JSON = {}
    for payload in PAYLOADS.values():
        contenders = {subject.name: subject.build(payload) for subject in measured()}
        samples = race(contenders, rounds=effort.rounds, block=effort.block, tick=tick)
        found[payload.name] = {
            "bytes": len(payload.template().body(0)),
            "costs": {
                name: samples.cost(name, BY_HAND.name)._asdict() for name in contenders
            },
        }
    return found


def _scaling(effort: Effort, tick: Tick) -> JSON:
    found: JSON = {}
    for name, scale in _scales(effort).items():
        growth = scale.measure(
            rounds=effort.scale_rounds, block=effort.block, tick=tick
        )
        found[name] = {
            "what": scale.what,
            "steps": list(growth),
            "costs": {
                subject: [growth[step][subject]._asdict() for step in growth]
                for subject in growth[scale.steps[0]]
            },
        }
    return found


def _scales(effort: Effort) -> Mapping[str, scaling.Scale]:
    return {
        name: scale._replace(steps=scale.steps[:: effort.stride])
        for name, scale in scaling.SCALES.items()
    }


def _sockets(effort: Effort, tick: Tick) -> JSON:
    found = sockets.race(rounds=effort.socket_rounds, tick=tick)
    return {name: latency._asdict() for name, latency in found.items()}


def _additions(effort: Effort, tick: Tick) -> JSON:
    found = additions.race(rounds=effort.rounds, block=effort.block, tick=tick)
    return {name: each._asdict() for name, each in found.items()}


def _imports(effort: Effort, tick: Tick) -> JSON:
    found = imports.measure(effort.imports, rounds=effort.import_rounds, tick=tick)
    return {name: each._asdict() for name, each in found.items()}


def _memory(effort: Effort, tick: Tick) -> JSON:
    samples = []
    for sample in memory.run(effort.deliveries):
        samples.append(sample)
        tick()
    return {"samples": samples}


def _instructions(effort: Effort, tick: Tick) -> JSON:
    names = [subject.name for subject in SUBJECTS if subject.kind != "field"]
    return dict(instructions.count(list(PAYLOADS), names, tick))


def _scale_ticks(effort: Effort) -> int:
    steps = sum(len(scale.steps) for scale in _scales(effort).values())
    return steps * effort.scale_rounds


PARTS: Mapping[str, Part] = {
    "requests": Part(
        "Requests", _requests, lambda effort: len(PAYLOADS) * effort.rounds
    ),
    "scaling": Part("Handlers, payload, reply", _scaling, _scale_ticks),
    "socket": Part(
        "Over a socket",
        _sockets,
        lambda effort: effort.socket_rounds,
        lambda: None if sockets.is_available() else "gunicorn is not installed",
    ),
    "additions": Part(
        "Recording and metrics", _additions, lambda effort: effort.rounds
    ),
    "imports": Part("Imports", _imports, lambda effort: effort.import_rounds),
    "memory": Part("Memory", _memory, lambda effort: memory.SAMPLES),
    "instructions": Part(
        "Instructions",
        _instructions,
        lambda effort: (
            len(PAYLOADS) * sum(1 for subject in SUBJECTS if subject.kind != "field")
        ),
        lambda: None if instructions.is_available() else "Valgrind is not installed",
    ),
}
