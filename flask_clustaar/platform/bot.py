"""Bot files: the steps and stories of a bot, as the bot designer made them.

A bot file is JSON. It is a list of steps::

    [{"id": "507f191e810c19729de860ea", "name": "Welcome", "actions": []}]

or an object with the steps and more data about the bot. :data:`KEYS` and
:data:`STEP_KEYS` list the allowed keys.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn, Self

from marshmallow import ValidationError

from ..errors import ClustaarError, Violation
from ..models import Action
from ..schemas import schema_for, violations
from ..schemas.limits import OBJECT_ID
from ..wire import JSON, members_of

#: The keys of a bot file that is an object, with their types.
KEYS: Final[Mapping[str, tuple[type, ...]]] = {
    "bot_id": (str,),
    "steps": (list,),
    "stories": (list,),
    "online": (bool,),
    "intents": (dict,),
    "attachments": (dict,),
}
#: The keys of a step, with their types. ``user_data`` and ``userData`` are the same.
STEP_KEYS: Final[Mapping[str, tuple[type, ...]]] = {
    "id": (str,),
    "name": (str,),
    "actions": (list,),
    "user_data": (str,),
    "userData": (str,),
    "webhook": (bool,),
    "story": (str,),
    "next": (str,),
}
#: The keys of a story, with their types.
STORY_KEYS: Final[Mapping[str, tuple[type, ...]]] = {
    "id": (str,),
    "name": (str,),
    "step": (str,),
}


class BotFileError(ClustaarError, ValueError):
    """A bot file is invalid.

    :param source: the name of the file.
    :param violations: the mistakes, with their paths.
    """

    def __init__(self, source: str, violations: list[Violation]) -> None:
        rows = [f"{source}: {each}" for each in violations]
        super().__init__("\n".join(rows))
        self.source = source
        self.violations = violations


class BotStep(NamedTuple):
    """A step of a bot."""

    id: str
    name: str | None = None
    #: The actions that the step has in the platform; None if the file does not say.
    actions: list[JSON] | None = None
    user_data: str | None = None
    #: Whether the step uses the webhook. None, if the file does not say, means: if a
    #: handler matches.
    webhook: bool | None = None
    #: The id of the step that the user's next message reaches; None for this step.
    next: str | None = None


class BotStory(NamedTuple):
    """A story of a bot, and its first step."""

    id: str
    #: The id of the first step.
    step: str
    name: str | None = None


class Link(NamedTuple):
    """A reference in JSON to a step or a story."""

    #: Dotted path, such as ``actions.0.buttons.1.action.target``.
    path: str
    #: ``step`` or ``story``.
    kind: str
    id: str


@dataclasses.dataclass(frozen=True)
class Bot:
    """The content of a bot file.

    :param source: the name of the file in messages.
    """

    #: The steps, by id.
    steps: Mapping[str, BotStep]
    #: The stories, by id.
    stories: Mapping[str, BotStory] = dataclasses.field(default_factory=dict)
    bot_id: str | None = None
    #: Whether an agent is online; None if the file does not say.
    online: bool | None = None
    #: The intent of each phrase, as an id; None for a phrase without an intent.
    intents: Mapping[str, str | None] = dataclasses.field(default_factory=dict)
    #: The URL of each document that the user sent, by name.
    attachments: Mapping[str, str] = dataclasses.field(default_factory=dict)
    source: str = "the bot"

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a bot file.

        :raises OSError: if it cannot be read.
        :raises BotFileError: if it is not a bot file; the message lists every mistake
            with its line or path.
        """
        return cls.parse(Path(path).read_bytes(), str(path))

    @classmethod
    def parse(cls, content: bytes, source: str) -> Self:
        """Parse the content of a bot file.

        :param source: the name of the file in messages.
        :raises BotFileError: if it is not a bot file.
        """
        return cls.from_json(_decode(content, source), source)

    @classmethod
    def from_json(cls, document: Any, source: str = "the bot") -> Self:
        """Return the bot in the JSON document of a bot file.

        :raises BotFileError: if the document is invalid.
        """
        reader = _Reader()
        found = reader.read(document)
        if reader.violations:
            raise BotFileError(source, reader.violations)
        return cls(**found, source=source)

    def step(self, name: str) -> BotStep:
        """Return the step with this id or name.

        :raises LookupError: if nothing or more than one has the name.
        """
        if name in self.steps:
            return self.steps[name]
        named = [step for step in self.steps.values() if step.name == name]
        if len(named) == 1:
            return named[0]
        raise LookupError(_not_one(name, named, self.steps, self.source))

    def story(self, name: str) -> BotStory:
        """Return the story with this id or name.

        :raises LookupError: if nothing or more than one has the name.
        """
        if name in self.stories:
            return self.stories[name]
        named = [story for story in self.stories.values() if story.name == name]
        if len(named) == 1:
            return named[0]
        raise LookupError(
            _not_one(name, named, self.stories, self.source, kind="story")
        )

    def label(self, id: str) -> str:
        """Return the name of a step if it is unique, otherwise the id."""
        step = self.steps.get(id)
        if step is None or step.name is None:
            return id
        same = [each for each in self.steps.values() if each.name == step.name]
        return step.name if len(same) == 1 else id


def links(value: Any, path: str = "") -> Iterator[Link]:
    """Yield all references to steps and stories in a JSON value, in order.

    :param path: the path of *value*.
    """
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from links(item, f"{path}.{index}" if path else str(index))
    if not isinstance(value, dict):
        return
    for key, item in value.items():
        where = f"{path}.{key}" if path else str(key)
        if key in _TARGETS and isinstance(item, dict):
            kind, id = item.get("type"), item.get("id")
            if kind in ("step", "story") and isinstance(id, str):
                yield Link(where, kind, id)
        elif key not in ("sessionValues", "payload"):
            yield from links(item, where)


_TARGETS: Final = ("target", "defaultTarget", "selectTarget")


# -- reading -------------------------------------------------------------------------


def _decode(content: bytes, source: str) -> Any:
    try:
        return json.loads(content.decode("utf-8-sig"), parse_constant=_refuse)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _not_json(source, f"line {line}", "it is not UTF-8") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise _not_json(source, where, error.msg) from error
    except RecursionError as error:
        raise _not_json(source, "", "it is nested too deeply") from error
    except ValueError as error:
        raise _not_json(source, "", str(error)) from error


def _not_json(source: str, where: str, reason: str) -> BotFileError:
    return BotFileError(source, [Violation(where, f"The file is not JSON: {reason}.")])


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"'{constant}' is not a JSON number")


class _Reader:
    """Reads a document, and collects its mistakes."""

    def __init__(self) -> None:
        self.violations: list[Violation] = []

    def read(self, document: Any) -> dict[str, Any]:
        if isinstance(document, list):
            document = {"steps": document}
        if not isinstance(document, dict) or not document.get("steps"):
            self._wrong("", _NO_STEPS)
            return {}
        if not self._fits(document, KEYS, ""):
            return {}
        rows = self._steps(document["steps"])
        steps = {row["id"]: self._step(row, rows) for row in rows}
        bot_id = document.get("bot_id")
        if bot_id is not None:
            self._check_id(bot_id, "bot_id")
        return {
            "steps": steps,
            "stories": self._stories(document.get("stories") or [], rows),
            "bot_id": bot_id,
            "online": document.get("online"),
            "intents": self._texts(document, "intents", null=True),
            "attachments": self._texts(document, "attachments"),
        }

    def _steps(self, rows: list[Any]) -> list[JSON]:
        """Return the valid steps, and note all names and ids."""
        usable: dict[str, JSON] = {}
        for index, row in enumerate(rows):
            path = f"steps.{index}"
            if not self._fits(row, STEP_KEYS, path, required=("id",)):
                continue
            self._check_id(row["id"], f"{path}.id")
            if row["id"] in usable:
                self._wrong(f"{path}.id", "Another step has this id.")
            for position, action in enumerate(row.get("actions") or ()):
                self._check_action(action, f"{path}.actions.{position}")
            usable[row["id"]] = row | {"path": path}
        return list(usable.values())

    def _step(self, row: JSON, rows: list[JSON]) -> BotStep:
        following = row.get("next")
        if following is not None:
            following = self._find(following, rows, f"{row['path']}.next")
        return BotStep(
            id=row["id"],
            name=row.get("name"),
            actions=row.get("actions"),
            user_data=row.get("user_data", row.get("userData")),
            webhook=row.get("webhook"),
            next=following,
        )

    def _stories(self, stories: list[Any], rows: list[JSON]) -> dict[str, BotStory]:
        found: dict[str, BotStory] = {}
        for index, story in enumerate(stories):
            path = f"stories.{index}"
            if self._fits(story, STORY_KEYS, path, required=("id", "step")):
                self._check_id(story["id"], f"{path}.id")
                step = self._find(story["step"], rows, f"{path}.step")
                self._add(found, BotStory(story["id"], step, story.get("name")), path)
        for row in rows:
            if row.get("story"):
                path = f"{row['path']}.story"
                story = found.get(row["story"])
                if story is None or story.step != row["id"]:
                    self._add(found, BotStory(row["story"], row["id"]), path)
        return found

    def _add(self, found: dict[str, BotStory], story: BotStory, path: str) -> None:
        if story.id in found:
            self._wrong(path, f"The story '{story.id}' already has another first step.")
        found[story.id] = story

    def _texts(self, document: JSON, key: str, null: bool = False) -> JSON:
        texts: JSON = document.get(key) or {}
        for name, value in texts.items():
            if not (isinstance(value, str) or (null and value is None)):
                self._wrong(f"{key}.{name}", "Must be text.")
        return texts

    def _check_id(self, id: str, path: str) -> None:
        if not OBJECT_ID.accepts(id):
            self._wrong(path, f"'{id}' is not an object id (24 letters and digits).")

    def _check_action(self, action: Any, path: str) -> None:
        """Validate an action; actions of unknown type are accepted."""
        if not isinstance(action, dict) or not isinstance(action.get("type"), str):
            self._wrong(path, "Must be an object with a 'type'.")
            return
        model = members_of(Action).get(action["type"])
        if model is None:
            return
        try:
            schema_for(model, received=True).load(action)
        except ValidationError as error:
            for found in violations(error):
                where = f"{path}.{found.path}" if found.path else path
                self._wrong(where, found.message)

    def _find(self, name: str, rows: list[JSON], path: str) -> str:
        """Return the id of the step with this id or name."""
        if any(row["id"] == name for row in rows):
            return name
        named = [str(row["id"]) for row in rows if row.get("name") == name]
        if len(named) == 1:
            return named[0]
        steps = {row["id"]: BotStep(row["id"], row.get("name")) for row in rows}
        self._wrong(path, _not_one(name, [steps[id] for id in named], steps))
        return name

    def _fits(
        self,
        row: Any,
        keys: Mapping[str, tuple[type, ...]],
        path: str,
        required: tuple[str, ...] = (),
    ) -> bool:
        """Validate the keys of an object; return whether it can be used."""
        before = len(self.violations)
        if not isinstance(row, dict):
            self._wrong(path, "Must be an object.")
            return False
        for key in required:
            if not row.get(key):
                self._wrong(path, f"'{key}' is missing.")
        for key, value in row.items():
            where = f"{path}.{key}" if path else key
            if key not in keys:
                near = difflib.get_close_matches(key, keys, n=1)
                hint = f" Did you mean '{near[0]}'?" if near else ""
                self._wrong(where, f"Unknown key.{hint}")
            elif value is not None and not isinstance(value, keys[key]):
                self._wrong(where, f"Must be {_NAMES[keys[key][0]]}.")
        return len(self.violations) == before

    def _wrong(self, path: str, sentence: str) -> None:
        self.violations.append(Violation(path, sentence))


_NO_STEPS: Final = (
    "The bot file has no steps. Write a list of steps, such as "
    '[{"id": "507f191e810c19729de860ea", "name": "Welcome", "actions": []}].'
)
_NAMES: Final[Mapping[type, str]] = {
    str: "text",
    list: "a list",
    dict: "an object",
    bool: "true or false",
}


def _not_one(
    name: str,
    named: list[Any],
    known: Mapping[str, Any],
    source: str = "",
    kind: str = "step",
) -> str:
    """Return an error message for a name that is unknown or not unique."""
    if named:
        ids = ", ".join(f"'{each.id}'" for each in named)
        return f"The name '{name}' is not unique: {ids}. Use the id."
    names = [each.name for each in known.values() if each.name]
    near = difflib.get_close_matches(name, [*names, *known], n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    where = f" in {source}" if source else ""
    return f"There is no {kind} '{name}'{where}.{hint}"
