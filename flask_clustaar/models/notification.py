"""Notifications and their parts."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping
from typing import Annotated, Any

from ..schemas.limits import NAME, KeysMatch, Length
from ..wire import NOT_NULL, REQUIRED, SANITISED, Key, Model, Text
from .actions import Action
from .buttons import GoToAction, LegacyReplyToMessageAction
from .inputs import Input, Message


class Coordinates(Model):
    """A geographic position, in degrees."""

    lat: float
    long: float


#: A name of the user, as the platform cleans it (PROTOCOL 4).
_Name = Annotated[Text, Length(max=2000)]


class Interlocutor(Model, envelope=True, whole=True):
    """The user.

    If a handler changes an attribute, the reply contains the interlocutor.
    """

    id: Annotated[str | None, REQUIRED, NOT_NULL] = None
    #: The id of the user on your website or on the channel; ``userID`` on the wire.
    remote_id: Annotated[str | None, Key("userID"), REQUIRED, NOT_NULL] = None
    external_id: str | None = None
    location: Annotated[Coordinates | None, REQUIRED] = None
    email: Annotated[str | None, SANITISED, Length(max=2000), REQUIRED] = None
    first_name: Annotated[_Name | None, REQUIRED] = None
    last_name: Annotated[_Name | None, REQUIRED] = None
    phone_number: Annotated[_Name | None, REQUIRED] = None
    #: All values are strings, including numbers.
    custom_attributes: Annotated[dict[str, str], KeysMatch(NAME)] = dataclasses.field(
        default_factory=dict
    )
    is_logged: bool | None = None
    #: True for users of the platform's test console.
    used_to_test: bool | None = None


class ConversationSession(Model, envelope=True, whole=True):
    """The session values of the conversation.

    Use it like a dict, ``session["name"]``, with one difference: *values* is the dict
    itself, and not a method.
    """

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

    def __reversed__(self) -> Iterator[str]:
        return reversed(self.values)

    def __len__(self) -> int:
        return len(self.values)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, dict):
            return self.values == other
        return super().__eq__(other)

    def __or__(self, other: Mapping[str, Any] | ConversationSession) -> dict[str, Any]:
        if not isinstance(other, (Mapping, ConversationSession)):
            return NotImplemented
        return self.values | dict(other)

    def __ror__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        if not isinstance(other, Mapping):
            return NotImplemented
        return dict(other) | self.values

    def __ior__(
        self,
        other: Mapping[str, Any] | ConversationSession | Iterable[tuple[str, Any]],
    ) -> ConversationSession:
        self.values.update(other)
        return self

    def keys(self) -> KeysView[str]:
        """Return the names of the values."""
        return self.values.keys()

    def items(self) -> ItemsView[str, Any]:
        """Return the names and the values."""
        return self.values.items()

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value *name*, or *default* if it is missing."""
        return self.values.get(name, default)

    def pop(self, name: str, *default: Any) -> Any:
        """Remove and return the value *name*.

        :raises KeyError: if it is missing, and no default was passed.
        """
        return self.values.pop(name, *default)

    def popitem(self) -> tuple[str, Any]:
        """Remove the value that was added last, and return its name and value.

        :raises KeyError: if the session is empty.
        """
        return self.values.popitem()

    def setdefault(self, name: str, default: Any = None) -> Any:
        """Return the value *name*; set it to *default* if it is missing."""
        return self.values.setdefault(name, default)

    def update(self, *args: Any, **values: Any) -> None:
        """Set several values, as ``dict.update`` does."""
        self.values.update(*args, **values)

    def clear(self) -> None:
        """Remove all values."""
        self.values.clear()

    def copy(self) -> dict[str, Any]:
        """Return the values as a new dict."""
        return self.values.copy()


class Step(Model, envelope=True):
    """The step that was reached. The bot designer enters *user_data*."""

    id: str | None = None
    name: str | None = None
    user_data: str | None = None
    actions: list[Action] = dataclasses.field(default_factory=list)


class StepReached(Model, type="step_reached_event", type_required=False, envelope=True):
    """A user reached a step."""

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
    """A notification of the platform (PROTOCOL 3)."""

    topic: str
    bot_id: str | None = None
    #: Unix time, in seconds.
    timestamp: float | None = None
    #: The content; ``data`` on the wire. The name is from ``clustaar.webhook``.
    event: Annotated[StepReached, Key("data")] = dataclasses.field(
        default_factory=StepReached
    )

    def __getstate__(self) -> dict[str, Any]:
        # Match objects cannot be pickled.
        return {key: self.__dict__[key] for key in self.__dict__ if key != "_match"}

    @property
    def delivery(self) -> str | None:
        """The identity of the delivery, in hexadecimal; None without a private key.

        A repeated request has the same identity. Use it as an idempotency key when a
        handler writes to other systems.
        """
        found: str | None = self.__dict__.get("_delivery")
        return found

    @property
    def match(self) -> re.Match[str] | None:
        """The match of the handler's :class:`~flask_clustaar.filters.TextMatches`."""
        found: re.Match[str] | None = self.__dict__.get("_match")
        return found

    @property
    def channel(self) -> str | None:
        """The channel of the conversation, such as ``facebook``."""
        return self.event.channel

    @property
    def input(self) -> Input | None:
        """The user's act that triggered the notification; None if it is unknown."""
        return self.event.input

    @property
    def interlocutor(self) -> Interlocutor:
        """The user."""
        return self.event.interlocutor

    @property
    def session(self) -> ConversationSession:
        """The session values. The reply contains the changes of handlers."""
        return self.event.session

    @property
    def step(self) -> Step:
        """The step that was reached."""
        return self.event.step

    @property
    def text(self) -> str:
        """The user's message, unchanged; empty without a message."""
        if isinstance(self.input, Message):
            return self.input.text
        if isinstance(self.input, LegacyReplyToMessageAction):
            return self.input.message
        return ""

    @property
    def clicked(self) -> dict[str, Any]:
        """The session values of the button that the user clicked, or an empty dict.

        The session also contains the values of earlier clicks. Use this attribute to
        find out what the user has just clicked.
        """
        action = self.input
        values = action.session_values if isinstance(action, GoToAction) else None
        return dict(values) if values else {}


#: The name of :class:`Notification` in ``clustaar.webhook``.
WebhookRequest = Notification
