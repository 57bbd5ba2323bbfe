"""The parts of a run, in order.

The results of a part are JSON, from which the report is created. ``--json`` writes
them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import click

from . import additions, imports, instructions, memory, scaling
from .field import SUBJECTS, measured, missing
from .harness import BLOCK, race
from .machine import one_core
from .payloads import PAYLOADS
from .views import BY_HAND

JSON = dict[str, Any]


class Effort(NamedTuple):
    """The amount of measuring."""

    #: The number of rounds, also for each step of a scale.
    rounds: int
    scale_rounds: int
    #: Rounds of fresh interpreters.
    import_rounds: int
    #: The imports to measure.
    imports: tuple[str, ...]
    #: The number of deliveries of the memory test.
    deliveries: int
    #: The stride of the steps of a scale; 2 omits every second one.
    stride: int = 1
    block: float = BLOCK


FULL = Effort(80, 15, 9, tuple(imports.IMPORTS), 100_000)
QUICK = Effort(25, 5, 5, ("flask_clustaar", "marshmallow"), 4_000, stride=2)


class Part(NamedTuple):
    """A part of the benchmarks."""

    run: Callable[[Effort], JSON]
    #: Returns what is missing here, if something is.
    missing: Callable[[], str | None] = lambda: None


def run(names: list[str], effort: Effort) -> JSON:
    """Run parts, and return what they found; the terminal shows which one runs."""
    found: JSON = {"skipped": dict(missing())}
    for name in names:
        part = PARTS[name]
        if (reason := part.missing()) is not None:
            found["skipped"][name] = reason
            continue
        click.echo(f"Measuring {name} ...", err=True)
        with one_core():
            found[name] = part.run(effort)
    return found


# -- the parts -----------------------------------------------------------------------


def _requests(effort: Effort) -> JSON:
    found: JSON = {}
    for payload in PAYLOADS.values():
        contenders = {subject.name: subject.build(payload) for subject in measured()}
        samples = race(contenders, rounds=effort.rounds, block=effort.block)
        found[payload.name] = {
            "bytes": len(payload.template().body(0)),
            "costs": {
                name: samples.cost(name, BY_HAND.name)._asdict() for name in contenders
            },
        }
    return found


def _scaling(effort: Effort) -> JSON:
    found: JSON = {}
    for name, scale in scaling.SCALES.items():
        steps = scale._replace(steps=scale.steps[:: effort.stride])
        growth = steps.measure(rounds=effort.scale_rounds, block=effort.block)
        found[name] = {
            "what": scale.what,
            "steps": list(growth),
            "costs": {
                subject: [growth[step][subject]._asdict() for step in growth]
                for subject in growth[scale.steps[0]]
            },
        }
    return found


def _additions(effort: Effort) -> JSON:
    found = additions.race(rounds=effort.rounds, block=effort.block)
    return {name: each._asdict() for name, each in found.items()}


def _imports(effort: Effort) -> JSON:
    found = imports.measure(effort.imports, rounds=effort.import_rounds)
    return {name: each._asdict() for name, each in found.items()}


def _memory(effort: Effort) -> JSON:
    return {"samples": list(memory.run(effort.deliveries))}


def _instructions(effort: Effort) -> JSON:
    names = [subject.name for subject in SUBJECTS if subject.kind != "field"]
    return dict(instructions.count(list(PAYLOADS), names))


PARTS: Mapping[str, Part] = {
    "requests": Part(_requests),
    "scaling": Part(_scaling),
    "additions": Part(_additions),
    "imports": Part(_imports),
    "memory": Part(_memory),
    "instructions": Part(
        _instructions,
        lambda: None if instructions.is_available() else "Valgrind is not installed",
    ),
}
