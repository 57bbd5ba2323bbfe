"""Which handlers can never run, and which run twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from itertools import combinations
from operator import attrgetter

from .. import events
from ..filters import And, Filter, Or, StepID
from ..filters.names import OneOf
from ..routing import Handler
from ..schemas.limits import OBJECT_ID
from .findings import Finding, error, hint, warning


def check_handlers(handlers: Sequence[Handler], dispatch: str) -> Iterator[Finding]:
    """Find the mistakes in how handlers are registered.

    :param handlers: all of a webhook, in their order.
    :param dispatch: ``all``, or ``first``.
    """
    if not handlers:
        yield warning("It has no handlers: each notification is answered with 404.")
    for handler in handlers:
        step_ids = _step_ids(handler)
        if step_ids == frozenset():
            yield error(f"{_name(handler)} can never run: no step has two ids.")
        for topic in _meant(handler.topic):
            yield warning(
                f"{_name(handler)} is for '{handler.topic}'. Did you mean '{topic}'?"
            )
        for step_id in sorted(step_ids or ()):
            if not OBJECT_ID.accepts(step_id):
                yield hint(
                    f"{_name(handler)} is for the step '{step_id}', and ids have 24 "
                    f"letters and digits. Is it a name, for 'StepName'?"
                )
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


def _meant(topic: str | None) -> list[str]:
    """Return the event that *topic* is a misspelling of, if it looks like one."""
    known = [value for name, value in vars(events).items() if name.isupper()]
    if topic is None or topic in known:
        return []
    return get_close_matches(topic, known, 1, cutoff=0.8)


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
    if isinstance(wide, OneOf) and type(wide) is type(narrow):
        return bool(narrow._identity() <= wide._identity())
    return False


def _dead_fallbacks(
    theirs: Sequence[Handler], ordinary: Sequence[Handler]
) -> Iterator[Finding]:
    for fallback in theirs:
        for handler in ordinary if fallback.is_fallback else ():
            if covers(handler.filter, fallback.filter):
                yield error(
                    f"The fallback {_name(fallback)} can never run: {_name(handler)} "
                    "always does."
                )
                break


def _dead(handlers: Sequence[Handler]) -> Iterator[Finding]:
    """Find the handlers that never run because an earlier one always does."""
    # A filter for some steps is only covered by one for the same steps, or for all.
    for_step: dict[str, list[Handler]] = defaultdict(list)
    for_all: list[Handler] = []
    for handler in handlers:
        own, step_ids = handler.filter, _step_ids(handler)
        if own is None or step_ids is None:
            first = _first(for_all, own)
            for_all.append(handler)
            if first is not None:
                yield error(_never(handler, first))
            continue
        taken: dict[str, Handler] = {}
        for step_id in sorted(step_ids):
            first = _first([*for_all, *for_step[step_id]], StepID(step_id) & own)
            for_step[step_id].append(handler)
            if first is not None:
                taken[step_id] = first
        if taken and len(taken) == len(step_ids):
            yield error(_never(handler, min(taken.values(), key=_NUMBER)))
            continue
        for step_id, first in taken.items():
            yield warning(_never(handler, first, f" for the step '{step_id}'"))


def _first(earlier: Iterable[Handler], narrow: Filter | None) -> Handler | None:
    """Return the first handler that gets all that *narrow* matches."""
    covering = (each for each in earlier if covers(each.filter, narrow))
    return min(covering, key=_NUMBER, default=None)


def _never(handler: Handler, first: Handler, when: str = "") -> str:
    return f"{_name(handler)} can never run{when}: {_name(first)} always does, before."


def _twice(handlers: Sequence[Handler]) -> Iterator[Finding]:
    """Find the functions that are registered twice for the same notifications."""
    by_function: dict[int, list[Handler]] = defaultdict(list)
    for handler in handlers:
        by_function[id(handler.function)].append(handler)
    for same in by_function.values():
        if any(
            covers(one.filter, other.filter) or covers(other.filter, one.filter)
            for one, other in combinations(same, 2)
        ):
            yield warning(f"{_name(same[0])} is registered twice, so it runs twice.")


_NUMBER = attrgetter("_number")


def _step_ids(handler: Handler) -> frozenset[str] | None:
    return None if handler.filter is None else handler.filter.step_ids()


def _name(handler: Handler) -> str:
    return f"'{handler.name}' ({handler.location})"
