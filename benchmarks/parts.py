"""The parts of a run, in order.

The results of a part are JSON, from which the report is created. ``--json`` writes
them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import click

from . import additions, imports, instructions, memory, scaling
from .field import SUBJECTS, measured, missing
from .harness import BLOCK, race
from .machine import one_core
from .payloads import JSON, PAYLOADS
from .views import BY_HAND


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


FULL = Effort(60, 15, 9, tuple(imports.IMPORTS), 100_000)
QUICK = Effort(25, 5, 5, ("flask_clustaar", "marshmallow"), 4_000, stride=2)


def run(names: list[str], effort: Effort) -> JSON:
    """Run parts, and return what they found; the terminal shows which one runs."""
    found: JSON = {"skipped": dict(missing())}
    for name in names:
        if name == "instructions" and shutil.which("valgrind") is None:
            found["skipped"][name] = "Valgrind is not installed"
            continue
        click.echo(f"Measuring {name} ...", err=True)
        with one_core():
            found[name] = PARTS[name](effort)
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


def _instructions(_: Effort) -> JSON:
    names = [subject.name for subject in SUBJECTS if subject.kind != "field"]
    return dict(instructions.count(list(PAYLOADS), names))


def _as_json(found: Mapping[str, Any]) -> JSON:
    return {name: each._asdict() for name, each in found.items()}


PARTS: Mapping[str, Callable[[Effort], JSON]] = {
    "requests": _requests,
    "scaling": _scaling,
    "additions": lambda effort: _as_json(additions.race(effort.rounds, effort.block)),
    "imports": lambda effort: _as_json(
        imports.measure(effort.imports, effort.import_rounds)
    ),
    "memory": lambda effort: {"samples": list(memory.run(effort.deliveries))},
    "instructions": _instructions,
}
