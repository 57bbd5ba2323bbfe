"""A conversation in the terminal: what is typed, and what becomes of it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

import click
from flask import Flask

from ..errors import ConfigurationError
from ..extension import ClustaarWebhook
from ..filters import StepID
from ..limits import OBJECT_ID
from ..models import JumpToAction, Target
from ..printable import printable
from ..routing import HandlerGroup
from ..testing import STEP_ID, Clickable, ClustaarClient, Reply
from ..transcript import Line, _objects, info, render_action
from ..wire import JSON, copy_json
from .application import first_step
from .delivery import answer_exceptions
from .lines import say
from .show import answer_lines, as_json, place
from .steps import place_steps

#: How many jumps are followed before somebody has to say something.
_JUMPS: Final = 10


class Conversation:
    """The user's side of a bot.

    :param step: the step to begin at; None for the first one that is known.
    :param name: the name of that step; None for the one that it has.
    :param steps: the steps to walk between, as a file has them.
    :param about: how :class:`~flask_clustaar.testing.ClustaarClient` shall begin.
    :raises TypeError: if it cannot begin like that.
    """

    def __init__(
        self,
        app: Flask,
        webhook: ClustaarWebhook,
        step: str | None,
        name: str | None,
        steps: Sequence[JSON],
        about: Mapping[str, Any],
    ) -> None:
        answer_exceptions(app)
        _answer_for_builder(webhook, steps)
        first = step or (steps[0]["id"] if steps else first_step(webhook)) or STEP_ID
        row = next((row for row in steps if row["id"] == first), {"id": first})
        # The conversation begins at the last one.
        self._steps = [*steps, row if name is None else row | {"name": name}]
        self._make: Callable[[], ClustaarClient] = partial(
            ClustaarClient, app, webhook, **about
        )
        self.begin()

    def begin(self, _: str = "") -> None:
        """Begin, or begin again."""
        self._client = self._make()
        place_steps(self._client, self._steps)
        self._shown_step: str | None = None
        self._shown_session = dict(self._client.session)
        self._show_place()

    def hear(self, line: str) -> bool:
        """Do what a line says; return False if it is the last one."""
        text = line.strip()
        if text in ("/quit", "/exit"):
            return False
        try:
            if text.startswith("/") and not text.startswith("//"):
                self._command(text)
            elif text:
                self._act(text)
        except (LookupError, TypeError, ValueError) as error:
            say("", [Line(printable(f"{error}"), "problem")])
        return True

    # -- what is typed -----------------------------------------------------------------

    def _act(self, text: str) -> None:
        """Click on what the text names, or else write it."""
        number = self._number(text)
        if number is None:
            # '//' is for what begins with '/'.
            self._show(self._client.say(text.removeprefix("/")))
            return
        offered = self._offered()
        title, action = offered[number]
        target = getattr(action, "target", None)
        if target is not None:
            self._step_of(target)
        same = [index for index, each in enumerate(offered) if each.title == title]
        reply = self._client.click(title, index=same.index(number))
        say("you", [Line(f"[{title}]", "user")])
        self._show(reply)

    def _number(self, text: str) -> int | None:
        """Return which of what the bot offers a text names, from 0."""
        titles = [each.title.casefold() for each in self._offered()]
        if text.isdecimal() and 0 < int(text) <= len(titles):
            return int(text) - 1
        found = [i for i, title in enumerate(titles) if title == text.casefold()]
        if len(found) > 1:
            numbers = ", ".join(str(index + 1) for index in found)
            raise LookupError(f"Several have this title. Type a number: {numbers}.")
        return found[0] if found else None

    def _offered(self) -> list[Clickable]:
        return self._client.reply.buttons if self._client.reply else []

    def _step_of(self, target: Target) -> str:
        """Return the step that a click or a jump leads to."""
        story = getattr(target, "story_id", "")
        step = getattr(target, "step_id", None) or self._client.stories.get(story)
        if step is None:
            raise LookupError(
                f"It leads to the story '{story}'. Name that as the 'story' of the "
                "step that begins it, in the file of '--steps'."
            )
        return str(step)

    # -- commands ----------------------------------------------------------------------

    def _command(self, text: str) -> None:
        name, _, rest = text[1:].partition(" ")
        if name not in _COMMANDS:
            raise LookupError(f"There is no '/{name}'. '/help' tells what there is.")
        _COMMANDS[name][0](self, rest.strip())

    def _help(self, _: str) -> None:
        for name, (_do, help) in _COMMANDS.items():
            say("", [info(f"/{name:<8} {help}")])
        say("", [info("/quit     end the conversation")])
        say("", [info("//...     write something that begins with '/'")])

    def _session(self, _: str = "") -> None:
        say("", [info(f"session {as_json(self._client.session)}")])

    def _step(self, step: str) -> None:
        if step:
            self._show(self._client.go_to(self._step_id(step)))
            return
        say("", [place(self._client.step)])
        for known in self._client.steps.values():
            say("", [info(printable(f"known: {known.id} ({known.name})"))])

    def _step_id(self, text: str) -> str:
        """Return the id of the step that a text names: it is one, or a name."""
        named = [row["id"] for row in self._steps if row.get("name") == text]
        step = str(named[0]) if named else text
        if not OBJECT_ID.question(step):
            raise LookupError(
                f"There is no step '{text}'. '/step' tells which are known; any other "
                "goes by its id, of 24 letters and digits."
            )
        return step

    def _json(self, _: str) -> None:
        if self._client.reply is None:
            raise LookupError("There is no reply yet.")
        text = json.dumps(self._client.reply.json, indent=2, ensure_ascii=False)
        click.echo(printable(text, lines=True))

    def _emit(self, event: str) -> None:
        self._show(self._client.emit(event))

    def _open(self, url: str) -> None:
        self._show(self._client.open_url(url))

    # -- what the bot says -------------------------------------------------------------

    def _show(self, reply: Reply) -> None:
        """Show a reply, and those of the steps that its jumps lead to."""
        self._show_one(reply)
        for _ in range(_JUMPS):
            target = _jump(reply)
            if target is None:
                return
            reply = self._client.go_to(self._step_of(target))
            self._show_one(reply)
        raise LookupError("It jumps and jumps. Say something to go on.")

    def _show_one(self, reply: Reply) -> None:
        self._show_place()
        say("bot", _lines(reply))
        if self._client.session != self._shown_session:
            self._session()
            self._shown_session = dict(self._client.session)

    def _show_place(self) -> None:
        step = self._client.step
        if step.id != self._shown_step:
            say("", [place(step)])
            self._shown_step = step.id


_COMMANDS: Final[dict[str, tuple[Callable[[Conversation, str], None], str]]] = {
    "help": (Conversation._help, "tell what there is"),
    "session": (Conversation._session, "show the session values"),
    "step": (Conversation._step, "show the steps; with an id or a name, go there"),
    "event": (Conversation._emit, "let the website send an event of this name"),
    "url": (Conversation._open, "let the webchat load on this URL"),
    "json": (Conversation._json, "show the last answer as JSON"),
    "reset": (Conversation.begin, "begin again"),
}


def _lines(reply: Reply) -> Iterable[Line]:
    """Return what the bot says, with a number on everything that can be clicked."""
    if not reply.ok or not reply.actions:
        return answer_lines(reply.status_code, reply.json)
    numbers = itertools.count(1)
    return (line for raw in reply.json["actions"] for line in _numbered(raw, numbers))


def _numbered(action: JSON, numbers: Iterator[int]) -> list[Line]:
    """Render an action, numbering the buttons of its cards, too."""
    action = copy_json(action)
    for card in _objects(action, "cards"):
        for button in _objects(card, "buttons"):
            button["title"] = f"({next(numbers)}) {button.get('title')}"
    return render_action(action, numbers)


def _jump(reply: Reply) -> Target | None:
    """Return where a reply certainly jumps to.

    Which condition matches is for the platform to say.
    """
    for action in reply.actions:
        if isinstance(action, JumpToAction) and not action.connections:
            return action.default_target
    return None


def _answer_for_builder(webhook: ClustaarWebhook, steps: Sequence[JSON]) -> None:
    """Let a step that nobody handles run as its builder made it.

    In the platform the webhook would not be switched on for it.
    """
    ids = [step["id"] for step in steps if step.get("actions")]
    if not ids or any(handler.is_fallback for handler in webhook.handlers):
        return
    group = HandlerGroup(filter=StepID(ids))
    group.fallback(lambda notification: notification.step.actions)
    # It is too late if the application answered requests when it was made.
    with suppress(ConfigurationError):
        webhook.include(group)
