"""Measure how the time grows with handlers, reply and notification."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from .field import measured
from .harness import BLOCK, Cost, race
from .ours import OURS, build, offer
from .payloads import PAYLOADS, of_size
from .subjects import Contender, Subject
from .views import BY_HAND, by_hand

REFERENCE = BY_HAND.name

#: The times of each subject at each step.
Growth = dict[int, dict[str, Cost]]


class Scale(NamedTuple):
    """A quantity that grows, and the subjects to measure."""

    #: The name of the quantity.
    what: str
    steps: tuple[int, ...]
    contenders: Callable[[int], dict[str, Contender]]

    def measure(self, *, rounds: int, block: float = BLOCK) -> Growth:
        """Measure all there is at each step, in races of their own."""
        growth: Growth = {}
        for step in self.steps:
            contenders = self.contenders(step)
            samples = race(contenders, rounds=rounds, block=block)
            growth[step] = {name: samples.cost(name, REFERENCE) for name in contenders}
        return growth


def _handlers(count: int) -> dict[str, Contender]:
    payload = PAYLOADS["typical"]
    contenders = {subject.name: subject.build(payload) for subject in _others()}
    contenders[OURS.name] = build(payload, offer, handlers=count)
    return contenders


def _payload(size: int) -> dict[str, Contender]:
    payload = of_size(size)
    return {subject.name: subject.build(payload) for subject in [*_others(), OURS]}


def _cards(count: int) -> dict[str, Contender]:
    payload = PAYLOADS["typical"]
    return {
        REFERENCE: by_hand(payload, cards=count),
        OURS.name: build(payload, lambda notification: offer(notification, count)),
    }


def _others() -> list[Subject]:
    """Return the plain view and the other libraries."""
    return [subject for subject in measured() if subject.kind in ("floor", "field")]


SCALES: Mapping[str, Scale] = {
    "handlers": Scale("handlers", (1, 10, 100, 1_000, 10_000), _handlers),
    "payload": Scale(
        "bytes of the notification",
        (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000),
        _payload,
    ),
    "reply": Scale("cards in the reply", (1, 5, 10, 15, 20, 25), _cards),
}
