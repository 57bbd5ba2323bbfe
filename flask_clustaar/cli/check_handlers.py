"""Which handlers can never run, and which run twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

from ..filters import And, Filter, Or, StepID, _OneOf
from ..routing import Handler
from .findings import Level


def check_handlers(
    handlers: Sequence[Handler], dispatch: str
) -> Iterator[tuple[Level, str]]:
    """Find the mistakes in how handlers are registered.

    :param handlers: all of a webhook, in their order.
    :param dispatch: ``all``, or ``first``.
    """
    if not handlers:
        yield "warning", "It has no handlers: each notification is answered with 404."
    for handler in handlers:
        if _step_ids(handler) == frozenset():
            yield "error", f"{_name(handler)} can never run: no step has two ids."
    by_topic: dict[str | None, list[Handler]] = defaultdict(list)
    for handler in handlers:
        by_topic[handler.topic].append(handler)
    for theirs in by_topic.values():
        ordinary = [each for each in theirs if not each.is_fallback]
        yield from _dead_fallbacks(theirs, ordinary)
        if dispatch == "first":
            yield from _dead(ordinary)
        else:
            yield from _twice(ordinary)


def covers(wide: Filter | None, narrow: Filter | None) -> bool:
    """Tell if *wide* surely matches whatever *narrow* matches."""
    if wide is None or wide == narrow:
        return True
    if narrow is None:
        return False
    if isinstance(wide, And):
        return all(covers(part, narrow) for part in wide._arguments)
    if isinstance(narrow, Or):
        return all(covers(wide, part) for part in narrow._arguments)
    if isinstance(wide, Or) and any(covers(part, narrow) for part in wide._arguments):
        return True
    if isinstance(narrow, And):
        return any(covers(wide, part) for part in narrow._arguments)
    if isinstance(wide, _OneOf) and type(wide) is type(narrow):
        return bool(narrow._identity() <= wide._identity())
    return False


def _dead_fallbacks(
    theirs: Sequence[Handler], ordinary: Sequence[Handler]
) -> Iterator[tuple[Level, str]]:
    for fallback in theirs:
        for handler in ordinary if fallback.is_fallback else ():
            if covers(handler.filter, fallback.filter):
                yield "error", (
                    f"The fallback {_name(fallback)} can never run: {_name(handler)} "
                    "gets all that it could get."
                )
                break


def _dead(handlers: Sequence[Handler]) -> Iterator[tuple[Level, str]]:
    """Find the handlers that never run because an earlier one is always first."""
    # A filter for some steps is only covered by one for the same steps, or for all.
    by_step: dict[str, list[Handler]] = defaultdict(list)
    for_all: list[Handler] = []
    for handler in handlers:
        step_ids = _step_ids(handler)
        if step_ids is None:
            first = _first(for_all, handler.filter)
            for_all.append(handler)
        else:
            ...
