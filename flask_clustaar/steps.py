"""Steps by their names, for handlers that serve several bots.

Two brands, or staging beside production, have the same steps under other ids. Bot files
(:class:`~flask_clustaar.platform.bot.Bot`) say which id a step has in which bot::

    steps = Steps("north.json", "mutua.json")


    @webhook.on_step(steps["quote.START"])
    def start(notification):
        return JumpToAction.step(steps["quote.AGE"])

A handler for a named step gets the step of each bot. A reply that leads to a named step
leaves with the id of the bot that asked.
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
    """A step of one bot is not in another one."""


class NamedStep(str):
    """A step of several bots; as a string it is its id in the first bot that has it."""

    #: The name of the step.
    name: str
    #: The id of the step in each bot, by the id of the bot.
    ids: Mapping[str | None, str]
    #: Keeps the translation of ids alive as long as one of its steps.
    _translator: _Translator

    def __repr__(self) -> str:
        return f"steps[{self.name!r}]"


class Steps:
    """The steps of one or several bots, by their names.

    What a bot lacks that another one has is a warning when the program starts.

    :param bots: bot files, or the bots themselves. Each of several needs its
        ``bot_id``.
    :raises OSError: if a file cannot be read.
    :raises ~flask_clustaar.platform.bot.BotFileError: if a file is not a bot file.
    :raises ConfigurationError: if a bot has no id, or two have the same one; or if a
        name is that of two steps of a bot.
    """

    def __init__(self, *bots: str | Path | Bot) -> None:
        #: The bots.
        self.bots: tuple[Bot, ...] = tuple(
            bot if isinstance(bot, Bot) else Bot.read(bot) for bot in bots
        )
        if not self.bots:
            raise ConfigurationError("'Steps' needs a bot file: Steps('bot.json').")
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
                    f"{bot.source} lacks steps that another bot has: "
                    f"{', '.join(missing)}.",
                    MissingStepWarning,
                )

    def __getitem__(self, name: str) -> NamedStep:
        """Return the step with a name.

        :raises ConfigurationError: if no bot has it.
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
                f"{bot.source} has no 'bot_id'. With several bots each needs one."
            )
        if bot.bot_id in seen:
            raise ConfigurationError(
                f"{seen[bot.bot_id].source} and {bot.source} have the same 'bot_id'."
            )
        seen[bot.bot_id] = bot


def _names(bot: Bot) -> dict[str, str]:
    """Return the ids of the steps of a bot that have a name, by their names."""
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


#: An object in a reply that leads somewhere: its id.
_ID: Final = re.compile(rb'("id":\s*")([A-Za-z0-9]{24})"')


class _Translator:
    """Puts the ids of the bot that asked into a reply."""

    def __init__(
        self, bots: tuple[Bot, ...], steps: Mapping[str, Mapping[str | None, str]]
    ) -> None:
        self._sources = {bot.bot_id: bot.source for bot in bots}
        self._names = {id: name for name, ids in steps.items() for id in ids.values()}
        #: For each bot, the ids of others, and its own id of the step, if it has it.
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
        """Return a reply for a bot, and what cannot be translated in it.

        :param reply: JSON.
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
