"""What the platform sends: a notification, and what it wraps."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import ItemsView, Iterator, KeysView
from typing import Annotated, Any

from ..wire import NOT_NULL, REQUIRED, Key, Model
from .actions import Action
from .buttons import LegacyReplyToMessageAction
from .inputs import Input, Message


class Coordinates(Model):
    """A place on Earth, in degrees."""

    lat: float
    long: float


class Interlocutor(Model, envelope=True):
    """The person who talks with the bot.

    Change an attribute, and the reply carries the interlocutor.
    """

    id: Annotated[str | None, REQUIRED, NOT_NULL] = None
    #: The site's own id, or the channel's; ``userID`` on the wire.
    remote_id: Annotated[str | None, Key("userID"), REQUIRED, NOT_NULL] = None
    external_id: str | None = None
    location: Annotated[Coordinates | None, REQUIRED] = None
    email: Annotated[str | None, REQUIRED] = None
    first_name: Annotated[str | None, REQUIRED] = None
    last_name: Annotated[str | None, REQUIRED] = None
    phone_number: Annotated[str | None, REQUIRED] = None
    #: Values are strings, numbers too.
    custom_attributes: dict[str, str] = dataclasses.field(default_factory=dict)
    is_logged: bool | None = None
    #: True in the test console of the bot's builder.
    used_to_test: bool | None = None


class ConversationSession(Model, envelope=True):
    """What a story remembers: ``session["name"]``, or *values*, the dict itself."""

    values: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.values[name] = value

    def __delitem__(self, name: str) -> None:
        del self.values[name]

    def __contains__(self, name: object) -> bool:
        return name in self.values

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)

    def __len__(self) -> int:
        return len(self.values)

    def __bool__(self) -> bool:
        return True

    def keys(self) -> KeysView[str]:
        """Return the names of the values."""
        return self.values.keys()

    def items(self) -> ItemsView[str, Any]:
        """Return the names and the values."""
        return self.values.items()

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value *name*, or *default*."""
        return self.values.get(name, default)

    def pop(self, name: str, default: Any = None) -> Any:
        """Remove the value *name* and return it, or *default*."""
        return self.values.pop(name, default)

    def setdefault(self, name: str, default: Any = None) -> Any:
        """Return the value *name*; set it to *default* if it is not there."""
        return self.values.setdefault(name, default)

    def update(self, *args: Any, **values: Any) -> None:
        """Set several values, as ``dict.update`` does."""
        self.values.update(*args, **values)


class Step(Model, envelope=True):
    """The step that was reached; *user_data* is what its builder filled in."""

    id: str | None = None
    name: str | None = None
    user_data: str | None = None
    actions: list[Action] = dataclasses.field(default_factory=list)


class StepReached(Model, type="step_reached_event", type_required=False, envelope=True):
    """An interlocutor reached a step."""

    channel: str | None = None
    input: Input | None = None
    interlocutor: Interlocutor = dataclasses.field(default_factory=Interlocutor)
    session: ConversationSession = dataclasses.field(
        default_factory=ConversationSession
    )
    step: Step = dataclasses.field(default_factory=Step)


class Notification(
    Model, type="notification_event", type_required=False, envelope=True
):
    """What the platform sends when something happens (PROTOCOL 3)."""

    topic: str
    bot_id: str | None = None
    #: Unix time, in seconds.
    timestamp: float | None = None
    #: What happened, ``data`` on the wire; the predecessor's spelling.
    event: Annotated[StepReached, Key("data")] = dataclasses.field(
        default_factory=StepReached
    )

    @property
    def delivery(self) -> str | None:
        """The identity of the delivery, in hexadecimal; None without a private key.

        It is the same when the platform sends the same request again: an idempotency
        key for what a handler writes elsewhere.
        """
        found: str | None = self.__dict__.get("_delivery")
        return found

    #: What :class:`~flask_clustaar.filters.TextMatches` found, in the handler it let
    #: through.
    @property
    def match(self) -> re.Match[str] | None:
        found: re.Match[str] | None = self.__dict__.get("_match")
        return found

    @property
    def channel(self) -> str | None:
        """Where the conversation takes place, such as ``facebook``."""
        return self.event.channel

    @property
    def input(self) -> Input | None:
        """What made the platform send this; None if it does not say."""
        return self.event.input

    @property
    def interlocutor(self) -> Interlocutor:
        """The person who talks with the bot."""
        return self.event.interlocutor

    @property
    def session(self) -> ConversationSession:
        """What the story remembers; what a handler changes travels back."""
        return self.event.session

    @property
    def step(self) -> Step:
        """The step that was reached."""
        return self.event.step

    @property
    def text(self) -> str:
        """What the interlocutor wrote, as they typed it; empty if they did not."""
        if isinstance(self.input, Message):
            return self.input.text
        if isinstance(self.input, LegacyReplyToMessageAction):
            return self.input.message
        return ""


#: The predecessor's name of :class:`Notification`.
WebhookRequest = Notification
