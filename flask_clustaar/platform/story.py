"""Stories: conversations in text files, which run as tests.

A story has the format of transcripts (:mod:`flask_clustaar.transcript`), so the
transcript of a conversation is a story. Running it repeats the acts of the user, and
compares the answers of the bot::

    # A line that begins with '#' is a comment.
    at Welcome
    session colour = "blue"
    you  hello
    bot  Which colour?
         [Red] [Blue]
    you  [Red]
    bot  Red it is.
    session colour = "red"

``at`` names the first step. Values between it and the user's first act are set before
the act. An ``at`` after an empty line sets another step. All other lines after ``you``
are compared. Lines that the user sees are required; lines that the user does not see
(``at``, ``session``, ``user``, ``·``) are optional.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
from collections.abc import Callable, Sequence
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from ..errors import ClustaarError
from ..models import (
    Attachment,
    Audio,
    Coordinates,
    File,
    Image,
    Interlocutor,
    Video,
)
from ..printable import printable
from ..schemas.attributes import attributes_of
from ..transcript import Line, as_json
from ..wire import same
from .conversation import Conversation
from .documents import from_json


class StoryError(ClustaarError, ValueError):
    """A line of a story cannot be parsed.

    :param source: the name of the story.
    :param number: the number of the line, from 1.
    """

    def __init__(self, source: str, number: int, reason: str) -> None:
        reason = printable(reason, lines=True)
        super().__init__(f"{source}:{number}: {reason}")
        self.source: str = source
        self.number: int = number
        self.reason: str = reason


class StoryFailed(AssertionError):
    """A conversation differs from its story.

    :param difference: the first difference.
    """

    def __init__(self, source: str, difference: Difference) -> None:
        reason = printable(difference.reason, lines=True)
        super().__init__(f"{source}:{difference.number}: {reason}")
        self.source: str = source
        self.difference: Difference = difference


#: Performs an act in a conversation.
Act = Callable[[Conversation], object]


class Row(NamedTuple):
    """A line of a story."""

    #: The number of the line, from 1.
    number: int
    #: The line, as in a transcript.
    text: str


@dataclasses.dataclass
class Turn:
    """An act of the user, and the expected answer."""

    #: The number of its first line.
    number: int
    #: Its number of lines.
    height: int
    #: The set-up and the act, each with the number of its line.
    acts: list[tuple[int, Act]]
    #: The expected lines.
    expected: list[Row] = dataclasses.field(default_factory=list)


class Difference(NamedTuple):
    """A turn in which the conversation differs from the story."""

    turn: Turn
    #: The number of the line that differs.
    number: int
    #: The actual lines.
    actual: list[str]
    #: The actual lines, without optional ones that the story omits.
    shown: list[str]
    #: A sentence that says what differs.
    reason: str
    #: Whether an act was impossible, so that the story ends here.
    is_end: bool = False


class Story:
    """A story.

    :param text: the text of its file.
    :param source: its name in messages.
    :raises StoryError: if a line cannot be parsed.
    """

    def __init__(self, text: str, source: str) -> None:
        self.text: str = text
        self.source: str = source
        self.turns: list[Turn] = _Reader(text, source).read()

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read the story in a file.

        :raises OSError: if the file cannot be read.
        :raises StoryError: if a line cannot be parsed.
        """
        content = Path(path).read_bytes()
        try:
            return cls(content.decode("utf-8-sig"), str(path))
        except UnicodeDecodeError as error:
            number = content.count(b"\n", 0, error.start) + 1
            raise StoryError(str(path), number, "The file is not UTF-8.") from error

    def check(self, conversation: Conversation) -> None:
        """Run the story, and compare the answers.

        :raises StoryFailed: if an answer differs.
        """
        differences = self.run(conversation)
        if differences:
            raise StoryFailed(self.source, differences[0])

    def run(self, conversation: Conversation) -> list[Difference]:
        """Run the story; return the turns that differ.

        An impossible act, such as a click on a missing button, ends the story.
        """
        found = []
        conversation.start()
        for turn in self.turns:
            difference = _play(turn, conversation)
            if difference is not None:
                found.append(difference)
                if difference.is_end:
                    break
        return found

    def updated(self, differences: Sequence[Difference]) -> str:
        """Return the text of the story with the actual answers.

        Comments, impossible acts and turns that do not differ are unchanged.
        """
        lines = self.text.splitlines()
        for difference in reversed(differences):
            if difference.is_end:
                continue
            turn = difference.turn
            begin = turn.number - 1 + turn.height
            last = turn.expected[-1].number if turn.expected else begin
            comments = [line for line in lines[begin:last] if line.startswith("#")]
            lines[begin:last] = [*comments, *difference.actual]
        return "\n".join(lines) + "\n"


# -- running -------------------------------------------------------------------------


def _play(turn: Turn, conversation: Conversation) -> Difference | None:
    """Run a turn; return the difference, or None."""
    transcript = conversation.transcript
    begin = len(transcript.lines)
    for number, act in turn.acts:
        try:
            act(conversation)
        except (LookupError, TypeError, ValueError) as error:
            reason, failed = str(error), number
            break
    else:
        reason, failed = "", 0
    if conversation.transcript is not transcript:
        begin = 0
    answers = _answers(conversation.transcript.lines[begin:])
    if reason:
        actual = [str(line) for line in answers]
        return Difference(turn, failed, actual, actual, reason, is_end=True)
    return _compare(turn, answers, conversation)


def _answers(lines: Sequence[Line]) -> list[Line]:
    """Return the lines after the user's act."""
    spoken = [index for index, line in enumerate(lines) if line.style == "user"]
    return list(lines[spoken[-1] + 1 :]) if spoken else []


def _compare(
    turn: Turn, answers: Sequence[Line], conversation: Conversation
) -> Difference | None:
    wanted = [
        row for row in turn.expected if row.text and not _holds(row.text, conversation)
    ]
    texts = {row.text for row in wanted}
    got = [
        str(line)
        for line in answers
        if str(line) in texts or (line.style not in _UNSEEN and str(line))
    ]
    told = {row.text for row in turn.expected}
    kinds = {_kind(text) for text in told}
    differs = partial(
        Difference,
        turn,
        actual=[str(line) for line in answers],
        shown=[
            str(line)
            for line in answers
            if line.style not in _UNSEEN or line.style in kinds
        ],
    )
    for row, text in zip_longest(wanted, got):
        if row is None:
            last = turn.expected[-1].number if turn.expected else turn.number
            reason = f"The conversation continues: '{str(text).strip()}'."
            return differs(number=last, reason=reason)
        if row.text != text:
            return differs(number=row.number, reason="The conversation differs.")
    return None


def _kind(text: str) -> str:
    """Return the style of a line that the user does not see; otherwise empty."""
    if _VALUE.fullmatch(text):
        return "value"
    if text.startswith("at "):
        return "place"
    return "info" if text.startswith(("     · ", "     … ")) else ""


#: The styles of lines that the user does not see.
_UNSEEN: Final = ("info", "place", "value")


def _holds(text: str, conversation: Conversation) -> bool:
    """Return whether a line names a current value of the session or the user."""
    value = _VALUE.fullmatch(text)
    if value is None:
        return False
    kind, key, given = value.groups()
    values = conversation.session if kind == "session" else conversation.user_values
    if given is None:
        return key not in values
    return key in values and same(values[key], json.loads(given))


# -- reading -------------------------------------------------------------------------

_SPEAKER: Final = re.compile(r"(you|bot)(?: {1,2}|\t|$)(.*)")
_VALUE: Final = re.compile(r"(session|user) (.+?) (?:= (.*)|is removed)")
_SETTING: Final = re.compile(r"(online|channel) = (.*)")
_CLICK: Final = re.compile(r"\[(.*)\](?: \((\d+)\))?")
_ESCAPED: Final = re.compile(r"^\\([\[·\\])")
_FILE: Final = re.compile(r"· (file|audio|video|image) (\S+)")
_FILES: Final[dict[str, Callable[..., Attachment]]] = {
    "file": File,
    "audio": Audio,
    "video": Video,
    "image": Image,
}


class _Reader:
    """Reads the lines of a story."""

    def __init__(self, text: str, source: str) -> None:
        self._lines = text.splitlines()
        self._source = source
        self._number = 0

    def read(self) -> list[Turn]:
        turns: list[Turn] = []
        acts: list[tuple[int, Act]] = []
        is_answer = after_gap = False
        while self._number < len(self._lines):
            line = self._next()
            if line.startswith("#"):
                continue
            if line.startswith("at ") and (after_gap or not is_answer):
                acts.append((self._number, self._place(line[3:].strip(), turns)))
                is_answer = False
            elif (spoken := _SPEAKER.fullmatch(line)) and spoken[1] == "you":
                turns.append(self._turn(spoken[2], acts))
                acts, is_answer = [], True
            elif line and not is_answer:
                acts.append((self._number, self._prepare(line)))
            elif line:
                turns[-1].expected.append(Row(self._number, self._answer(line)))
            after_gap = not line
        if acts or not turns:
            raise self._error("Write an act of the user: 'you  hello'.")
        return turns

    def _next(self) -> str:
        self._number += 1
        return self._lines[self._number - 1].rstrip()

    def _error(self, reason: str) -> StoryError:
        return StoryError(self._source, self._number, reason)

    # -- set-up ------------------------------------------------------------------------

    def _place(self, step: str, turns: Sequence[Turn]) -> Act:
        if turns:
            return lambda conversation: conversation.at(step)
        return lambda conversation: conversation.start(step)

    def _prepare(self, line: str) -> Act:
        """Return the set-up in a line."""
        if value := _VALUE.fullmatch(line):
            kind, key, text = value.groups()
            given = None if text is None else self._json(text)
            if kind == "user":
                self._check_attribute(key)
                return lambda conversation: _set_user(conversation, key, given)
            if text is None:
                return lambda conversation: conversation.session.pop(key, None)
            return lambda conversation: conversation.session.update({key: given})
        if setting := _SETTING.fullmatch(line):
            name, given = setting[1], self._json(setting[2])
            return lambda conversation: setattr(conversation, name, given)
        words = "'at', 'session', 'user', 'online', 'channel' or 'you'"
        raise self._error(f"{_unreadable(line)} Here, a line begins with {words}.")

    def _json(self, text: str) -> Any:
        try:
            return json.loads(text)
        except ValueError as error:
            raise self._error(
                f"'{text}' is not JSON. Put texts in quotation marks."
            ) from error

    def _check_attribute(self, name: str) -> None:
        names = [attribute.name for attribute in attributes_of(Interlocutor)]
        if name not in names and not name.startswith("custom_attributes."):
            near = difflib.get_close_matches(name, names, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise self._error(
                f"Users have no attribute '{name}'.{hint} For a custom attribute, "
                f"write 'custom_attributes.{name}'."
            )

    # -- acts of the user --------------------------------------------------------------

    def _turn(self, text: str, acts: list[tuple[int, Act]]) -> Turn:
        number, rows = self._number, [text]
        attachments: list[Attachment] = []
        while (content := self._continuation()) is not None:
            if file := _FILE.fullmatch(content):
                attachments.append(_FILES[file[1]](url=file[2]))
            else:
                rows.append(content)
            self._number += 1
        act = self._act(rows, attachments)
        height = self._number - number + 1
        return Turn(number, height, [*acts, (number, act)])

    def _continuation(self) -> str | None:
        """Return the next line if it continues the user's message; else None."""
        rest = self._lines[self._number :]
        line = next((line for line in rest if line.strip()), "")
        content = _content(line)
        is_information = content.startswith(("· ", "… ")) and not _FILE.match(content)
        if not line.startswith((" ", "\t")) or is_information:
            return None
        return _content(rest[0])

    def _act(self, rows: list[str], attachments: list[Attachment]) -> Act:
        first, *more = rows
        if file := _FILE.fullmatch(first):
            attachments.insert(0, _FILES[file[1]](url=file[2]))
            first = ""
        if not more and not attachments:
            if click := _CLICK.fullmatch(first):
                title, which = click[1], click[2]
                index = None if which is None else int(which) - 1
                return lambda conversation: conversation.click(title, index=index)
            if first.startswith("· "):
                return self._deed(first[2:])
        text = "\n".join([_ESCAPED.sub(r"\1", first), *more])
        return lambda conversation: conversation.say(text, attachments=attachments)

    def _deed(self, text: str) -> Act:
        """Return an act of the user other than a message or a click."""
        for words, do in _DEEDS.items():
            if text.startswith(f"{words} "):
                rest = text.removeprefix(f"{words} ")
                return lambda conversation: do(conversation, rest)
        known = ", ".join(f"'· {words} ...'" for words in _DEEDS)
        raise self._error(f"Unknown act '· {text}'. A story can have {known}.")

    # -- answers of the bot ------------------------------------------------------------

    def _answer(self, line: str) -> str:
        """Return a line of an answer, as in a transcript."""
        if line.startswith((" ", "\t")):
            return f"     {_content(line)}"
        if spoken := _SPEAKER.fullmatch(line):
            return f"bot  {spoken[2]}".rstrip()
        if line.startswith("at ") or _VALUE.fullmatch(line):
            if value := _VALUE.fullmatch(line):
                return self._value(value)
            return line
        words = "'you', 'bot', five spaces, 'at', 'session' or 'user'"
        raise self._error(f"{_unreadable(line)} Here, a line begins with {words}.")

    def _value(self, value: re.Match[str]) -> str:
        kind, key, text = value.groups()
        if text is None:
            return value[0]
        return f"{kind} {key} = {as_json(self._json(text))}"


_DEEDS: Final[dict[str, Callable[[Conversation, str], object]]] = {
    "event": Conversation.emit,
    "opens": Conversation.open_url,
    "goes to": Conversation.go_to,
}


def _content(line: str) -> str:
    """Return the content of an indented line."""
    line = line.rstrip()
    return line[5:] if line[:5].isspace() and len(line) > 5 else line.strip()


def _unreadable(line: str) -> str:
    return f"'{line.strip()}' is not a line of a story."


def _set_user(conversation: Conversation, name: str, value: Any) -> None:
    user = conversation.user
    if name.startswith("custom_attributes."):
        key = name.removeprefix("custom_attributes.")
        user.custom_attributes[key] = value
    elif name == "location" and isinstance(value, dict):
        user.location = from_json(Coordinates, value)
    else:
        setattr(user, name, value)
