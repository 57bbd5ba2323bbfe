"""Filters on ids and names."""

from __future__ import annotations

from collections.abc import Iterable, Set
from difflib import get_close_matches
from typing import Any, Final

from ..channels import CHANNELS
from ..describe import type_name, warn_at_the_program
from .paths import Look
from .values import check_text


class OneOf(Look):
    """A filter on a string that must be one of several."""

    _personal = False

    def __init__(self, name: str | Iterable[str], *more: str) -> None:
        names = [name, *more] if isinstance(name, str) or more else name
        if not isinstance(names, (list, tuple, Set)):
            raise TypeError(
                f"{type(self).__name__}: pass a string or a list of strings, "
                f"not {type_name(names)}."
            )
        if not names:
            raise ValueError(f"{type(self).__name__}: the list is empty.")
        for each in names:
            check_text(self, each)
        ordered = sorted(names) if isinstance(names, Set) else dict.fromkeys(names)
        shown = list(ordered)
        super().__init__(shown if len(shown) > 1 else shown[0])
        self._names = frozenset(self._known(shown))

    def _known(self, names: Iterable[str]) -> Iterable[str]:
        """Return the names as they occur in notifications."""
        return map(self._on_the_wire, names)

    def _on_the_wire(self, name: str) -> str:
        return name

    def _warn_of_unknown(self, known: Iterable[str]) -> None:
        """Warn about names that look misspelt; others may be new on the platform."""
        known = list(known)
        for name in sorted(self._names.difference(known)):
            near = get_close_matches(name, known, 1)
            if near:
                warn_at_the_program(
                    f"{type(self).__name__}: '{name}' is unknown. Did you mean "
                    f"'{near[0]}'?",
                    UserWarning,
                )

    def _accepts(self, found: Any) -> bool:
        return isinstance(found, str) and found in self._names

    def _identity(self) -> Any:
        return self._names


class StepID(OneOf):
    """Match if the conversation reached one of these steps.

    An index finds handlers with this filter, so any number of them is fast.

    :param name: the id of the step, or a list, tuple or set of ids.
    :param more: more ids.
    """

    _path = "data.step.id"

    def _known(self, names: Iterable[str]) -> Iterable[str]:
        # A step of flask_clustaar.steps has one id per bot.
        for name in names:
            yield from getattr(name, "ids", {None: name}).values()

    def step_ids(self) -> frozenset[str] | None:
        return self._names


class StepName(OneOf):
    """Match if the conversation reached a step with one of these names.

    :param name: the name, or a list, tuple or set of names.
    :param more: more names.
    """

    _path = "data.step.name"


class BotID(OneOf):
    """Match if the notification is from one of these bots.

    :param name: the id of the bot, or a list, tuple or set of ids.
    :param more: more ids.
    """

    _path = "botID"


class Channel(OneOf):
    """Match if the conversation is on one of these channels.

    :param name: the channel, such as ``facebook``, or a list, tuple or set of them.
    :param more: more channels.
    """

    _path = "data.channel"

    def __init__(self, name: str | Iterable[str], *more: str) -> None:
        super().__init__(name, *more)
        self._warn_of_unknown(CHANNELS)


_INPUT_TYPES: Final = {
    "click": "go_to_action",
    "url_loaded": "url_loaded_event",
    "reply": "legacy_reply_to_message_action",
}


_OTHER_INPUTS: Final = ("message", "custom_event")


class InputType(OneOf):
    """Match if the user reached the step by an input of one of these types.

    :param name: ``message``, ``click``, ``custom_event``, ``url_loaded`` or ``reply``;
        or any type of the protocol, such as ``go_to_action`` (PROTOCOL 3); or a list,
        tuple or set of them.
    :param more: more types.
    """

    _path = "data.input.type"

    def __init__(self, name: str | Iterable[str], *more: str) -> None:
        super().__init__(name, *more)
        self._warn_of_unknown([*_INPUT_TYPES, *_INPUT_TYPES.values(), *_OTHER_INPUTS])

    def _on_the_wire(self, name: str) -> str:
        return _INPUT_TYPES.get(name, name)
