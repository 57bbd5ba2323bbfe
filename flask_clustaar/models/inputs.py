"""Inputs: the acts that trigger notifications."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from ..wire import Model, Unknown


class Input(Model, family=True):
    """Base class of inputs, which trigger notifications (PROTOCOL 3)."""


class UnknownInput(Unknown, Input):
    """An input of unknown type or shape; kept unchanged."""


class Attachment(Model, family=True):
    """A file that the user sent with a message. Every attachment has a *url*."""

    if TYPE_CHECKING:
        #: The URL of the file; empty if the platform sent none.
        url: str = dataclasses.field(init=False)


class UnknownAttachment(Unknown, Attachment):
    """An attachment of unknown type or shape; kept unchanged."""

    if not TYPE_CHECKING:

        @property
        def url(self) -> str:
            """The URL of the file; empty if the platform sent none."""
            url = self.data.get("url") if isinstance(self.data, dict) else None
            return url if isinstance(url, str) else ""


class File(Attachment, type="file"):
    """A document."""

    url: str


class Audio(Attachment, type="audio"):
    """An audio file."""

    url: str


class Video(Attachment, type="video"):
    """A video."""

    url: str


class Image(Attachment, type="image"):
    """An image."""

    url: str


class Message(Input, type="message"):
    """The user sent a message or media. *text* is unchanged."""

    text: str = ""
    attachments: list[Attachment] = dataclasses.field(default_factory=list)


class CustomEvent(Input, type="custom_event"):
    """The website sent an event."""

    name: str


class URLLoadedEvent(Input, type="url_loaded_event"):
    """The user opened a URL that triggers a story."""

    url: str


Input._unknown = UnknownInput
Attachment._unknown = UnknownAttachment
