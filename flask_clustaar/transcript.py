"""A conversation as a person sees it in a terminal, as lines of text."""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Literal, NamedTuple

from . import fast
from .filters import shorten
from .wire import JSON, Model

Style = Literal["bot", "user", "card", "button", "info", "problem"]


class Line(NamedTuple):
    """A line of a conversation."""

    text: str
    #: What it is, for those who colour it.
    style: Style


class Transcript:
    """A conversation so far; ``str()`` of it reads as one."""

    def __init__(self) -> None:
        #: Who spoke, and what they said.
        self.turns: list[tuple[str, list[Line]]] = []

    def add(self, speaker: str, lines: Iterable[Line]) -> None:
        """Add what somebody said."""
        self.turns.append((speaker, list(lines)))

    def __str__(self) -> str:
        rows = [
            f"{'' if index else speaker:<5}{line.text}"
            for speaker, lines in self.turns
            for index, line in enumerate(lines)
        ]
        return "\n".join(row.rstrip() for row in rows)


def render_reply(reply: Model | JSON) -> list[Line]:
    """Return what a person sees of a reply.

    :param reply: a :class:`~flask_clustaar.models.StepReachedResponse`, or its JSON.
    """
    numbers = itertools.count(1)
    actions = _list(_raw(reply), "actions")
    lines = [line for each in actions for line in render_action(each, numbers)]
    return lines or [info("says nothing")]


def render_action(
    action: Model | JSON, numbers: Iterator[int] | None = None
) -> list[Line]:
    """Return what a person sees of an action (PROTOCOL 7).

    What nobody sees is told in lines of the style ``info``. An action of an unknown
    type is told by its type, and one in an odd shape as far as it goes.

    :param numbers: the numbers of what can be chosen, to go on with.
    """
    raw = _raw(action)
    render = _of_type(raw, _ACTIONS)
    if render is None:
        return [info(f"unknown action {_words(raw.get('type'))}")]
    return list(render(raw, numbers or itertools.count(1)))


def render_input(input: Model | JSON | None) -> list[Line]:
    """Return what a person did to make the platform send a notification."""
    raw = _raw(input)
    read = _of_type(raw, _INPUTS)
    if read is None:
        return [info(f"unknown input {_words(raw.get('type'))}" if raw else "no input")]
    files = [_fill(f, "{type} {url}", "{name} {url}") for f in _objects(raw, "attachments")]
    return [Line(row, "user") for row in [*read(raw).splitlines(), *files] or [""]]


def render_problem(problem: JSON) -> list[Line]:
    """Return what a request that failed was answered with (RFC 9457)."""
    rows = [_fill(problem, "{status} {code}: {detail}", "{status}: {detail}")]
    for error in _objects(problem, "errors"):
        rows.append(_fill(error, "  {path}: {message}", "  {message}"))
    return [Line(row, "problem") for row in rows]


def info(text: str) -> Line:
    """Return a line about what nobody sees."""
    return Line(f"· {text}", "info")


def plain(text: str) -> str:
    """Return a text without its HTML, and without what would upset a terminal."""
    text = _TAG.sub("", _ITEM.sub("\n- ", _BREAK.sub("\n", text)))
    return _UNPRINTABLE.sub("\ufffd", html.unescape(text)).strip("\n")


_BREAK: Final = re.compile(r"<br\s*/?>|</(?:blockquote|ol|ul)>", re.IGNORECASE)
_ITEM: Final = re.compile("<li>", re.IGNORECASE)
_TAG: Final = re.compile(r"</?[a-zA-Z][^<>]*>")
#: Control characters, and halves of surrogate pairs, which UTF-8 cannot encode.
_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


# -- what is seen --------------------------------------------------------------------

Renderer = Callable[[JSON, Iterator[int]], Iterator[Line]]


def _text(action: JSON, numbers: Iterator[int]) -> Iterator[Line]:
    texts = _list(action, "alternatives")
    said = action.get("text") or next(iter(texts), "")
    yield from _bubble(said)
    yield from (info(f"or: {_words(text)}") for text in texts if text != said)


def _cards(action: JSON, numbers: Iterator[int]) -> Iterator[Line]:
    for index, card in enumerate(_objects(action, "cards")):
        if index:
            yield Line("", "card")
        yield Line(_fill(card, "| {title}"), "card")
        for row in [("| {subtitle}",), _ON_CARD, ("| -> {url}",)]:
            if said := _fill(card, *row, ""):
                yield Line(said, "card")
        if buttons := _objects(card, "buttons"):
            titles = [_fill(button, "[{title}]") for button in buttons]
            yield Line(f"| {'  '.join(titles)}", "button")


_ON_CARD: Final = ("| image {imageURL} ({alt})", "| image {imageURL}")


def _quick_replies(action: JSON, numbers: Iterator[int]) -> Iterator[Line]:
    yield from _bubble(action.get("message"))
    chips = _numbered(_objects(action, "buttons"), "{title}", numbers)
    yield Line("  ".join(chips), "button")


def _satisfaction(action: JSON, numbers: Iterator[int]) -> Iterator[Line]:
    yield from _bubble(action.get("message"))
    chips = _numbered(_objects(action, "choices"), "{label}", numbers)
    yield Line("  ".join(chips), "button")


def _choices_list(action: JSON, numbers: Iterator[int]) -> Iterator[Line]:
    yield from _bubble(action.get("message"))
    yield Line(_fill(action, "{placeholder} …"), "card")
    for section in _objects(action, "sections"):
        if title := _fill(section, "| {title}", ""):
            yield Line(title, "card")
        for chip in _numbered(_objects(section, "choices"), "{title}", numbers):
            yield Line(f"| {chip}", "button")


def _location(action: JSON, numbers: Iterator[int]) -> Iterator[Line]:
    yield from _bubble(action.get("message"))
    yield Line("[Send location]", "button")


def _documents(action: JSON, numbers: Iterator[int]) -> Iterator[Line]:
    yield from _bubble(action.get("message"))
    for document in _objects(action, "documents"):
        kinds = ", ".join(map(_words, _list(document, "authorizedFileTypes")))
        asked = _fill(document, "[Send {name}] {message}", "[Send {name}]")
        yield Line(f"{asked} ({kinds})", "button")


def _bubble(text: Any) -> Iterator[Line]:
    said = plain(text) if isinstance(text, str) else _words(text)
    yield from (Line(row, "bot") for row in said.splitlines())


def _numbered(
    items: Iterable[JSON], sentence: str, numbers: Iterator[int]
) -> list[str]:
    return [f"({next(numbers)}) {_fill(item, sentence)}" for item in items]


# -- what is not seen ----------------------------------------------------------------


def _told(*sentences: str) -> Renderer:
    """Make the renderer that tells an action in one of these sentences."""

    def render(action: JSON, numbers: Iterator[int]) -> Iterator[Line]:
        yield info(_fill(action, *sentences))

    return render


def _stored(what: str) -> Renderer:
    """Make the renderer of an action that stores a value."""

    def render(action: JSON, numbers: Iterator[int]) -> Iterator[Line]:
        sets, adds = f"stores {what} {{key}} = {{value}}", f"adds {{value}} to {what} {{key}}"
        yield info(_fill(action, adds if action.get("add") else sets))

    return render


def _jump(action: JSON, numbers: Iterator[int]) -> Iterator[Line]:
    for connection in _objects(action, "connections"):
        conditions = map(_condition, _objects(connection, "predicates"))
        yield info(f"jumps to {_target(connection, 'target')} if {' and '.join(conditions)}")
    yield info(f"jumps to {_target(action, 'defaultTarget')}")


def _target(raw: JSON, key: str) -> str:
    target = raw.get(key)
    if target is None:
        return "nowhere"
    return _fill(raw, f"{{{key}.type}} {{{key}.name}}", f"{{{key}.type}} {{{key}.id}}")


def _condition(predicate: JSON) -> str:
    """Return a predicate in words: ``session value city equals Paris``."""
    team, user = "connection_team_predicate", "connection_user_predicate"
    whose = {team: "the team", user: "the user"}.get(str(predicate.get("type")))
    return f"{whose or _in_words(predicate, 'valueGetter')} {_in_words(predicate, 'condition')}"


def _in_words(raw: JSON, key: str) -> str:
    part = raw.get(key)
    if not isinstance(part, dict):
        return _words(part)
    return " ".join(_words(part[k]).replace("_", " ") if k == "type" else _words(part[k]) for k in part)
