"""A conversation in the terminal: what is typed, and what happens then."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import click
from flask import Flask

from ..extension import ClustaarWebhook
from ..platform.bot import Bot
from ..platform.offers import Clickable
from ..printable import printable
from ..testing import STEP_ID, ClustaarClient
from ..transcript import Line, as_json, info
from .application import first_step
from .delivery import answer_exceptions
from .lines import say


class Conversation:
    """The user's side of a bot.

    :param step: the step to begin at; None for the first one that is known.
    :param name: the name of that step; None for the one that it has.
    :param bot: the bot file; None without one.
    :param sleep: waits for some seconds.
    :param echo: whether to print what the user types, which a terminal shows.
    :param about: how :class:`~flask_clustaar.testing.ClustaarClient` begins.
    :raises LookupError: if there is no such step.
    :raises TypeError: if it cannot begin like that.
    """

    def __init__(
        self,
        app: Flask,
        webhook: ClustaarWebhook,
        step: str | None,
        name: str | None,
        bot: Bot | None,
        sleep: Callable[[float], object],
        echo: bool,
        about: Mapping[str, Any],
    ) -> None:
        answer_exceptions(app)
        self._echo = echo
        self._client = ClustaarClient(
            app, webhook, bot=bot or Bot({}), sleep=sleep, listener=self._print, **about
        )
        first = None if bot else first_step(webhook) or STEP_ID
        self._first, self._name = step or first, name
        self.begin()

    def begin(self, _: str = "") -> None:
        """Begin, or begin again."""
        client = self._client.start(self._first)
        if self._name is not None:
            step = str(client.step.id)
            actions, user_data = client.step.actions, client.step.user_data
            client.at(step, step_name=self._name, actions=actions, user_data=user_data)
        client.announce()

    def hear(self, line: str) -> bool:
        """Do what a line says; return False if it is the last one."""
        text = line.strip()
        is_command = text.startswith("/") and not text.startswith("//")
        if is_command and self._echo:
            say([Line(printable(text), "user", "you")])
        if text in ("/quit", "/exit"):
            return False
        try:
            if is_command:
                self._command(text)
            elif text:
                self._act(text)
        except (LookupError, TypeError, ValueError) as error:
            say([Line(printable(f"{error}"), "problem")])
        return True

    def _print(self, line: Line) -> None:
        """Print a line of the transcript."""
        typed = line.style == "user" and not line.text.startswith(("[", "·"))
        if self._echo or not typed:
            say([line])

    # -- what is typed -----------------------------------------------------------------

    def _act(self, text: str) -> None:
        """Click on what the text names, or else write it."""
        number = self._number(text)
        if number is None:
            # '//' is for what begins with '/'.
            self._client.say(text.removeprefix("/"))
            return
        offered = self._client.offers
        title = offered[number].title
        same = [index for index, each in enumerate(offered) if each.title == title]
        index = same.index(number) if len(same) > 1 else None
        self._client.click(title, index=index)

    def _number(self, text: str) -> int | None:
        """Return which of what the bot offers a text names, from 0."""
        offered: list[Clickable] = self._client.offers
        titles = [each.title.casefold() for each in offered]
        if text.isdecimal() and 0 < int(text) <= len(titles):
            return int(text) - 1
        found = [i for i, title in enumerate(titles) if title == text.casefold()]
        if len(found) > 1:
            numbers = ", ".join(str(index + 1) for index in found)
            raise LookupError(f"Several have this title. Type a number: {numbers}.")
        return found[0] if found else None

    # -- commands ----------------------------------------------------------------------

    def _command(self, text: str) -> None:
        name, _, rest = text[1:].partition(" ")
        if name not in _COMMANDS:
            raise LookupError(f"There is no '/{name}'. '/help' tells what there is.")
        _COMMANDS[name][0](self, rest.strip())

    def _help(self, _: str) -> None:
        for name, (_do, help) in _COMMANDS.items():
            say([info(f"/{name:<8} {help}")])
        say([info("/quit     end the conversation")])
        say([info("//...     write something that begins with '/'")])

    def _session(self, _: str = "") -> None:
        say([info(f"session {as_json(self._client.session)}")])

    def _step(self, step: str) -> None:
        client = self._client
        if step:
            if client.step_id(step) is None:
                raise LookupError(
                    f"There is no step '{step}'. '/step' tells which are known; any "
                    "other goes by its id, of 24 letters and digits."
                )
            client.go_to(step)
            return
        client.announce()
        for known in client.steps.values():
            say([info(printable(f"known: {known.id} ({known.name})"))])

    def _json(self, _: str) -> None:
        if self._client.reply is None:
            raise LookupError("There is no reply yet.")
        text = json.dumps(self._client.reply.json, indent=2, ensure_ascii=False)
        click.echo(printable(text, lines=True))

    def _emit(self, event: str) -> None:
        self._client.emit(event)

    def _open(self, url: str) -> None:
        self._client.open_url(url)


_COMMANDS: Final[dict[str, tuple[Callable[[Conversation, str], None], str]]] = {
    "help": (Conversation._help, "tell what there is"),
    "session": (Conversation._session, "show the session values"),
    "step": (Conversation._step, "show the steps; with an id or a name, go there"),
    "event": (Conversation._emit, "let the website send an event of this name"),
    "url": (Conversation._open, "let the webchat load on this URL"),
    "json": (Conversation._json, "show the last answer as JSON"),
    "reset": (Conversation.begin, "begin again"),
}
