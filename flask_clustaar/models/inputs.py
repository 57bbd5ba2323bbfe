"""What made the platform send a notification: the interlocutor's input."""

from __future__ import annotations

import dataclasses

from ..wire import Model, Unknown


class Input(Model, family=True):
    """What triggered the execution of the step (PROTOCOL 3)."""


class UnknownInput(Unknown, Input):
    """An input of a type that is not known, kept as it came."""


class Attachment(Model, family=True):
    """A file that came with a message."""


class UnknownAttachment(Unknown, Attachment):
    """An attachment of a type that is not known, kept as it came."""


class File(Attachment, type="file"):
    """A document."""

    url: str


class Audio(Attachment, type="audio"):
    """A sound."""

    url: str


class Video(Attachment, type="video"):
    """A film."""

    url: str


class Image(Attachment, type="image"):
    """A picture."""

    url: str


class Message(Input, type="message"):
    """The interlocutor wrote or sent media; *text* is as they typed it."""

    text: str = ""
    attachments: list[Attachment] = dataclasses.field(default_factory=list)


class CustomEvent(Input, type="custom_event"):
    """The website sent an event."""

    name: str


class URLLoadedEvent(Input, type="url_loaded_event"):
    """The webchat was loaded on a URL that triggers a story."""

    url: str


Input._unknown = UnknownInput
Attachment._unknown = UnknownAttachment
