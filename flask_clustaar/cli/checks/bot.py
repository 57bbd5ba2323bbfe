"""Check a bot file, and compare its steps with the handlers."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from ...filters import And, BotID, Filter, Not, Or, StepID, StepName
from ...models import Notification
from ...platform.bot import Bot, BotStep, links
from ...routing import Handler
from ...testing import make_notification
from ..findings import Finding, rule
from .source import Usage

UNREACHABLE = rule("unreachable", "warning", "A step cannot be reached.")
NO_SUCH_STEP = rule("no_such_step", "error", "The target step does not exist.")
NO_SUCH_STORY = rule("no_such_story", "error", "The target story does not exist.")
NOT_HANDLED = rule("not_handled", "error", "A step with a webhook has no handler.")
STEP_NOT_IN_BOT = rule(
    "step_not_in_bot", "error", "A handler's step is not in the bot."
)
NEVER_WRITTEN = rule(
    "never_written", "warning", "A session value is read and never written."
)


def check_bot(bot: Bot, handlers: Sequence[Handler], usage: Usage) -> Iterator[Finding]:
    """Find mistakes in a bot file, and differences between it and the program.

    :param handlers: the handlers of the webhook.
    :param usage: the strings and session values that the program uses.
    """
    yield from _dead_links(bot)
    yield from _unreachable(bot, usage)
    yield from _not_handled(bot, handlers)
    yield from _not_in_bot(bot, handlers)
    yield from _never_written(bot, usage)


# -- steps ---------------------------------------------------------------------------


def _dead_links(bot: Bot) -> Iterator[Finding]:
    for step in bot.steps.values():
        for link in links(step.actions, "actions"):
            where = f"{_label(step)}.{link.path}"
            if link.kind == "step" and link.id not in bot.steps:
                yield NO_SUCH_STEP(f"There is no step '{link.id}'.", where)
            if link.kind == "story" and link.id not in bot.stories:
                yield NO_SUCH_STORY(f"There is no story '{link.id}'.", where)


def _unreachable(bot: Bot, usage: Usage) -> Iterator[Finding]:
    """Find the steps that neither the bot nor the program can reach."""
    first = next(iter(bot.steps))
    reached: set[str] = set()
    left = [first, *(story.step for story in bot.stories.values())]
    left += [
        id
        for id, step in bot.steps.items()
        if id in usage.strings or (step.name in usage.strings and step.name)
    ]
    while left:
        id = left.pop()
        if id in reached or id not in bot.steps:
            continue
        reached.add(id)
        step = bot.steps[id]
        left += [link.id for link in links(step.actions) if link.kind == "step"]
        left += [step.next] if step.next else []
    for id, step in bot.steps.items():
        if id not in reached:
            yield UNREACHABLE(
                "This step cannot be reached: no button, jump, 'next' or story leads "
                "to it, and no handler names it.",
                _label(step),
            )


# -- handlers ------------------------------------------------------------------------


def _not_handled(bot: Bot, handlers: Sequence[Handler]) -> Iterator[Finding]:
    for step in bot.steps.values():
        if step.webhook and not any(_may_take(h, bot, step) for h in handlers):
            yield NOT_HANDLED(
                "The webhook is switched on for this step, but no handler matches it. "
                f"Add one with '@webhook.on_step({step.id!r})', or a fallback.",
                _label(step),
            )


def _not_in_bot(bot: Bot, handlers: Sequence[Handler]) -> Iterator[Finding]:
    names = [step.name for step in bot.steps.values() if step.name]
    for handler in handlers:
        for part in _parts(handler.filter):
            if isinstance(part, StepID):
                missing, known = part._names - bot.steps.keys(), [*bot.steps]
            elif isinstance(part, StepName):
                missing, known = part._names - set(names), names
            else:
                continue
            for each in sorted(missing):
                near = difflib.get_close_matches(each, known, 1)
                hint = f" Did you mean '{near[0]}'?" if near else ""
                yield STEP_NOT_IN_BOT(
                    f"'{handler.name}' ({handler.location}) is for the step '{each}', "
                    f"which is not in the bot file.{hint}"
                )


def _parts(filter: Any) -> Iterator[Filter]:
    if isinstance(filter, Filter):
        yield filter
        for each in filter._arguments:
            yield from _parts(each)


def _may_take(handler: Handler, bot: Bot, step: BotStep) -> bool:
    """Return whether a handler could run for a notification of a step."""
    sent = make_notification(step=step.id, step_name=step.name or "", bot_id=bot.bot_id)
    if handler.topic not in (None, sent.topic):
        return False
    return _matches(handler.filter, sent, bot) is not False


def _matches(filter: Any, sent: Notification, bot: Bot) -> bool | None:
    """Return whether a filter matches; None if it depends on more than the step."""
    match filter:
        case None:
            return True
        case StepID() | StepName():
            return bool(filter(sent))
        case BotID():
            return bool(filter(sent)) if bot.bot_id else None
        case And() | Or():
            found = [_matches(part, sent, bot) for part in filter._arguments]
            decisive = isinstance(filter, Or)
            if decisive in found:
                return decisive
            return None if None in found else not decisive
        case Not():
            inner = _matches(filter._arguments[0], sent, bot)
            return None if inner is None else not inner
    return None


# -- session values ------------------------------------------------------------------

_VARIABLE: Final = re.compile(r"\{\{\s*@session\.(\w+)")


def _never_written(bot: Bot, usage: Usage) -> Iterator[Finding]:
    """Find session values that are read, but written neither by bot nor program."""
    if usage.writes_others:
        return
    reads, writes = dict(usage.reads), set(usage.writes)
    for step in bot.steps.values():
        for item in _objects(step.actions):
            if item.get("type") == "store_session_value_action":
                writes.add(str(item.get("key")))
            if isinstance(item.get("sessionValues"), dict):
                writes |= item["sessionValues"].keys()
            if item.get("type") == "session_value":
                reads.setdefault(str(item.get("key")), _label(step))
        text = json.dumps(step.actions, ensure_ascii=False)
        for key in _VARIABLE.findall(text):
            reads.setdefault(key, _label(step))
    for key, place in sorted(reads.items()):
        if key not in writes:
            near = difflib.get_close_matches(key, writes, 1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            yield NEVER_WRITTEN(
                f"The session value '{key}' is read ({place}) and never written.{hint}"
            )


def _objects(node: Any) -> Iterator[dict[str, Any]]:
    values: Iterable[Any] = node if isinstance(node, list) else ()
    if isinstance(node, dict):
        yield node
        values = node.values()
    for each in values:
        yield from _objects(each)


def _label(step: BotStep) -> str:
    return step.name or step.id
