"""Steps by their names, for handlers that serve several bots.

Bots for several brands, or for staging and production, have the same steps with
different ids. Bot files (:class:`~flask_clustaar.platform.bot.Bot`) contain the ids::

    steps = Steps("north.json", "mutua.json")


    @webhook.on_step(steps["quote.START"])
    def start(notification):
        return JumpToAction.step(steps["quote.AGE"])

A handler for a named step gets the notifications of all bots. In a reply, a named step
becomes the id in the bot that sent the notification.
"""

from __future__ import annotations

import difflib
import json
import re
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from .describe import named_steps, warn_at_the_program
from .errors import ConfigurationError, Violation
from .platform.bot import Bot, links
from .replies import translators


class MissingStepWarning(UserWarning):
    """A step of one bot is missing in another bot."""


class NamedStep(str):
    """A step of several bots; as a string, its id in the first bot that has it."""

    #: The name of the step.
    name: str
    #: The id of the step in each bot, by the id of the bot.
    ids: Mapping[str | None, str]
    #: Keeps the translator alive as long as the step.
    _translator: _Translator

    def __repr__(self) -> str:
        return f"steps[{self.name!r}]"


class Steps:
    """The steps of one or several bots, by name.

    If a bot lacks a step that another bot has, a :exc:`MissingStepWarning` is issued.

    :param bots: bot files, or bots. If there are several, each requires a ``bot_id``.
    :raises OSError: if a file cannot be read.
    :raises ~flask_clustaar.platform.bot.BotFileError: if a file is not a bot file.
    :raises ConfigurationError: if a bot has no id, if two bots have the same id, or if
        two steps of a bot have the same name.
    """

    def __init__(self, *bots: str | Path | Bot) -> None:
        #: The bots.
        self.bots: tuple[Bot, ...] = tuple(
            bot if isinstance(bot, Bot) else Bot.read(bot) for bot in bots
        )
        if not self.bots:
            raise ConfigurationError("'Steps' requires a bot file: Steps('bot.json').")
        _check_ids(self.bots)
        found: dict[str, dict[str | None, str]] = {}
        for bot in self.bots:
            for name, id in _names(bot).items():
                found.setdefault(name, {})[bot.bot_id] = id
        translator = _Translator(self.bots, found)
        self._steps = {
            name: _named(name, ids, translator) for name, ids in found.items()
        }
        for bot in self.bots:
            missing = [f"'{n}'" for n, ids in found.items() if bot.bot_id not in ids]
            if missing:
                warn_at_the_program(
                    f"{bot.source} lacks steps of another bot: {', '.join(missing)}.",
                    MissingStepWarning,
                )

    def __getitem__(self, name: str) -> NamedStep:
        """Return the step with this name.

        :raises ConfigurationError: if no bot has such a step.
        """
        if name not in self._steps:
            near = difflib.get_close_matches(name, self._steps, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            sources = ", ".join(bot.source for bot in self.bots)
            raise ConfigurationError(f"There is no step '{name}' in {sources}.{hint}")
        return self._steps[name]

    def __contains__(self, name: object) -> bool:
        return name in self._steps

    def __iter__(self) -> Iterator[str]:
        return iter(self._steps)

    def __len__(self) -> int:
        return len(self._steps)


def _check_ids(bots: tuple[Bot, ...]) -> None:
    seen: dict[str | None, Bot] = {}
    for bot in bots:
        if bot.bot_id is None and len(bots) > 1:
            raise ConfigurationError(
                f"{bot.source} has no 'bot_id'. With several bots, each requires one."
            )
        if bot.bot_id in seen:
            raise ConfigurationError(
                f"{seen[bot.bot_id].source} and {bot.source} have the same 'bot_id'."
            )
        seen[bot.bot_id] = bot


def _names(bot: Bot) -> dict[str, str]:
    """Return the ids of the named steps of a bot, by name."""
    found: dict[str, str] = {}
    for step in bot.steps.values():
        if step.name is None:
            continue
        if step.name in found:
            raise ConfigurationError(
                f"Two steps in {bot.source} have the name '{step.name}': "
                f"'{found[step.name]}' and '{step.id}'."
            )
        found[step.name] = step.id
    return found


def _named(
    name: str, ids: Mapping[str | None, str], translator: _Translator
) -> NamedStep:
    step = NamedStep(next(iter(ids.values())))
    step.name, step.ids, step._translator = name, ids, translator
    for id in ids.values():
        named_steps[id] = step
    return step


#: Matches the id of a target in a reply.
_ID: Final = re.compile(rb'("id":\s*")([A-Za-z0-9]{24})"')


class _Translator:
    """Replaces step ids in a reply by those of the bot that sent the notification."""

    def __init__(
        self, bots: tuple[Bot, ...], steps: Mapping[str, Mapping[str | None, str]]
    ) -> None:
        self._sources = {bot.bot_id: bot.source for bot in bots}
        self._names = {id: name for name, ids in steps.items() for id in ids.values()}
        #: By bot: its own id for each id of other bots; None if it lacks the step.
        self._tables: dict[str | None, dict[bytes, str | None]] = {
            bot.bot_id: {
                id.encode(): ids.get(bot.bot_id)
                for ids in steps.values()
                for id in ids.values()
                if id not in bot.steps
            }
            for bot in bots
        }
        translators.append(weakref.ref(self, translators.remove))

    def __call__(
        self, reply: bytes, bot_id: str | None
    ) -> tuple[bytes, list[Violation]]:
        """Return the reply for a bot, and violations for steps that it lacks.

        :param reply: the JSON of the reply.
        """
        table = self._tables.get(bot_id)
        if not table:
            return reply, []
        missing = set()

        def put(match: re.Match[bytes]) -> bytes:
            id = table.get(match[2], "")
            if id is None:
                missing.add(match[2].decode())
            return match[1] + id.encode() + b'"' if id else match[0]

        translated = _ID.sub(put, reply)
        if not missing:
            return translated, []
        source = self._sources[bot_id]
        return reply, [
            Violation(
                link.path, f"The step '{self._names[link.id]}' is not in {source}."
            )
            for link in links(json.loads(reply))
            if link.id in missing
        ]
