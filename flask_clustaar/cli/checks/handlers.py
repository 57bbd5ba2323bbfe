"""Check the registration of handlers: which never run, and which run twice."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from itertools import combinations
from operator import attrgetter
from types import ModuleType
from typing import Any

from ... import events
from ...channels import CHANNELS
from ...filters import And, Channel, Filter, InputType, Or, StepID
from ...filters.ids import OneOf
from ...models import Input
from ...routing import Handler, HandlerGroup, HandlerRegistry
from ...schemas.limits import OBJECT_ID
from ...wire import members_of
from ..findings import Finding, rule

NO_HANDLERS = rule("no_handlers", "warning", "The webhook has no handlers.")
NEVER_RUNS = rule("never_runs", "error", "A handler never runs.")
NEVER_RUNS_FOR_STEP = rule(
    "never_runs_for_step", "warning", "A handler never runs for one of its steps."
)
RUNS_TWICE = rule("runs_twice", "warning", "A function is registered twice.")
BOTH_ANSWER = rule("both_answer", "warning", "Two handlers answer for the same step.")
UNKNOWN_EVENT = rule("unknown_event", "warning", "An event looks misspelt.")
UNKNOWN_INPUT = rule("unknown_input", "warning", "An input type does not exist.")
UNKNOWN_CHANNEL = rule("unknown_channel", "warning", "A channel is unknown.")
STEP_NAME = rule("step_name", "hint", "A step id looks like the name of a step.")
NOT_INCLUDED = rule("not_included", "warning", "A handler group is never included.")


def check_handlers(handlers: Sequence[Handler], dispatch: str) -> Iterator[Finding]:
    """Find mistakes in how handlers are registered.

    :param handlers: all handlers of a webhook, in their order.
    :param dispatch: ``all``, or ``first``.
    """
    if not handlers:
        yield NO_HANDLERS(
            "The webhook has no handlers: every notification is answered with 404."
        )
    for handler in handlers:
        yield from _check_names(handler)
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
            yield from _both_answer(ordinary)


# -- names ---------------------------------------------------------------------------


def _check_names(handler: Handler) -> Iterator[Finding]:
    """Find events, input types, channels and steps that do not exist."""
    step_ids = _step_ids(handler)
    if step_ids == frozenset():
        yield NEVER_RUNS(f"{_name(handler)} never runs: no step has two ids.")
    for topic in _meant(handler.topic):
        yield UNKNOWN_EVENT(
            f"{_name(handler)} is for the event '{handler.topic}'. "
            f"Did you mean '{topic}'?"
        )
    for step_id in sorted(step_ids or ()):
        if not OBJECT_ID.accepts(step_id):
            yield STEP_NAME(
                f"{_name(handler)} is for the step '{step_id}', but a step id has 24 "
                "letters and digits. If this is a name, use 'StepName'."
            )
    for each in _parts(handler.filter):
        if isinstance(each, InputType):
            for name in sorted(each._names - set(members_of(Input))):
                yield UNKNOWN_INPUT(
                    f"{_name(handler)} is for the input type '{name}', which does not "
                    f"exist.{_hint(name, [*_INPUTS, *members_of(Input)])}"
                )
        if isinstance(each, Channel):
            for name in sorted(each._names - set(CHANNELS)):
                meant = {"webchat": "clustaar_web_chat", "messenger": "facebook"}
                alias = meant.get(name.lower())
                hint = f" Did you mean '{alias}'?" if alias else _hint(name, CHANNELS)
                yield UNKNOWN_CHANNEL(
                    f"{_name(handler)} is for the unknown channel '{name}'.{hint}",
                    level="warning" if hint else "hint",
                )


_INPUTS = ("message", "click", "custom_event", "url_loaded", "reply")


def _hint(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name.lower(), known, 1)
    return f" Did you mean '{near[0]}'?" if near else ""


def _meant(topic: str | None) -> list[str]:
    """Return the event that *topic* is a misspelling of, if it looks like one."""
    known = [value for name, value in vars(events).items() if name.isupper()]
    if topic is None or topic in known:
        return []
    return get_close_matches(topic, known, 1, cutoff=0.8)


def _parts(filter: Any) -> Iterator[Filter]:
    """Yield a filter and all filters in it."""
    if isinstance(filter, Filter):
        yield filter
        for each in filter._arguments:
            yield from _parts(each)


# -- handlers that never run ---------------------------------------------------------


def covers(wide: Filter | None, narrow: Filter | None) -> bool:
    """Return whether *wide* certainly matches everything that *narrow* matches."""
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
                yield NEVER_RUNS(
                    f"The fallback {_name(fallback)} never runs: {_name(handler)} "
                    "matches every time."
                )
                break


def _dead(handlers: Sequence[Handler]) -> Iterator[Finding]:
    """Find the handlers that never run because an earlier one always does."""
    # Only a filter for the same steps, or for all steps, covers a filter for steps.
    for_step: dict[str, list[Handler]] = defaultdict(list)
    for_all: list[Handler] = []
    for handler in handlers:
        own, step_ids = handler.filter, _step_ids(handler)
        if own is None or step_ids is None:
            first = _first(for_all, own)
            for_all.append(handler)
            if first is not None:
                yield NEVER_RUNS(_never(handler, first))
            continue
        taken: dict[str, Handler] = {}
        for step_id in sorted(step_ids):
            first = _first([*for_all, *for_step[step_id]], StepID(step_id) & own)
            for_step[step_id].append(handler)
            if first is not None:
                taken[step_id] = first
        if taken and len(taken) == len(step_ids):
            yield NEVER_RUNS(_never(handler, min(taken.values(), key=_NUMBER)))
            continue
        for step_id, first in taken.items():
            yield NEVER_RUNS_FOR_STEP(
                _never(handler, first, f" for the step '{step_id}'")
            )


def _first(earlier: Iterable[Handler], narrow: Filter | None) -> Handler | None:
    """Return the first handler that gets everything that *narrow* matches."""
    covering = (each for each in earlier if covers(each.filter, narrow))
    return min(covering, key=_NUMBER, default=None)


def _never(handler: Handler, first: Handler, when: str = "") -> str:
    return (
        f"{_name(handler)} never runs{when}: {_name(first)} is registered earlier and "
        "matches every time."
    )


# -- handlers that run twice ---------------------------------------------------------


def _twice(handlers: Sequence[Handler]) -> Iterator[Finding]:
    """Find the functions that are registered twice for the same notifications."""
    by_function: dict[int, list[Handler]] = defaultdict(list)
    for handler in handlers:
        by_function[id(handler.function)].append(handler)
    for same in by_function.values():
        if any(_overlap(one, other) for one, other in combinations(same, 2)):
            yield RUNS_TWICE(f"{_name(same[0])} is registered twice, so it runs twice.")


def _both_answer(handlers: Sequence[Handler]) -> Iterator[Finding]:
    """Find two handlers for one step that both return something."""
    for_step: dict[str, list[Handler]] = defaultdict(list)
    for handler in handlers:
        for step_id in _step_ids(handler) or ():
            for_step[step_id].append(handler)
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for step_id, theirs in sorted(for_step.items()):
        for one, other in combinations(theirs[:_MOST], 2):
            if (
                one.function is not other.function
                and _overlap(one, other)
                and _answers(one)
                and _answers(other)
            ):
                found[_name(one), _name(other)].append(step_id)
    for (first, second), step_ids in found.items():
        more = f" and {len(step_ids) - 1} more" if len(step_ids) > 1 else ""
        yield BOTH_ANSWER(
            f"{first} and {second} both answer for the step '{step_ids[0]}'{more}, so "
            "the bot sends both answers. To run only the first handler, set "
            "'CLUSTAAR_DISPATCH' to 'first'."
        )


#: The number of handlers per step up to which each pair is compared.
_MOST = 20


def _overlap(one: Handler, other: Handler) -> bool:
    return covers(one.filter, other.filter) or covers(other.filter, one.filter)


def _answers(handler: Handler) -> bool:
    """Return whether a function returns a value, as far as its source shows."""
    try:
        source = inspect.getsource(inspect.unwrap(handler.function))
        tree = ast.parse(textwrap.dedent(source))
    except (OSError, TypeError, SyntaxError, ValueError):
        return True
    returned = [node.value for node in ast.walk(tree) if isinstance(node, ast.Return)]
    return any(
        value is not None and not (isinstance(value, ast.Constant) and not value.value)
        for value in returned
    )


# -- groups --------------------------------------------------------------------------


def check_groups(
    webhooks: Iterable[HandlerRegistry], modules: Iterable[tuple[str, ModuleType]]
) -> Iterator[Finding]:
    """Find handler groups of the program that are never included.

    :param webhooks: all webhooks of the application.
    :param modules: the modules of the program, with their names.
    """
    known: set[int] = set()
    left: list[HandlerRegistry] = list(webhooks)
    while left:
        registry = left.pop()
        if id(registry) not in known:
            known.add(id(registry))
            left += registry._included
    for name, module in modules:
        for attribute, value in list(vars(module).items()):
            if not isinstance(value, HandlerGroup) or id(value) in known:
                continue
            known.add(id(value))
            if value.handlers:
                yield NOT_INCLUDED(
                    f"The handler group '{name}.{attribute}' is never included, so its "
                    f"handlers never run. Write 'webhook.include({attribute})'."
                )


_NUMBER = attrgetter("_number")


def _step_ids(handler: Handler) -> frozenset[str] | None:
    return None if handler.filter is None else handler.filter.step_ids()


def _name(handler: Handler) -> str:
    return f"'{handler.name}' ({handler.location})"
