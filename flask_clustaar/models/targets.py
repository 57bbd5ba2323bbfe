"""Targets of actions."""

from __future__ import annotations

from typing import Annotated

from ..schemas.limits import ObjectID
from ..wire import Key, Model


class Target(Model, family=True):
    """Base class of targets: a step or a story."""


class StepTarget(Target, type="step"):
    """A step of the bot."""

    step_id: Annotated[ObjectID, Key("id")]
    name: str | None = None


class StoryTarget(Target, type="story"):
    """A story of the bot."""

    story_id: Annotated[ObjectID, Key("id")]
    name: str | None = None
