"""A conversation as a person sees it in a terminal, as lines of text."""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Literal, NamedTuple, TypeVar

from .describe import shorten
from .printable import printable
from .schemas import schema_for
from .wire import JSON, Model

T = TypeVar("T")
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
        return [info(_fill(raw, "unknown action {type}"))]
    return list(render(raw, numbers or itertools.count(1)))


def render_input(input: Model | JSON | None) -> list[Line]:
    """Return what a person did to make the platform send a notification."""
    raw = _raw(input)
    read = _of_type(raw, _INPUTS)
    if read is None:
        return [info(_fill(raw, "unknown input {type}") if raw else "no input")]
    files = [
        _fill(f, "{type} {url}", "{name} {url}") for f in _objects(raw, "attachments")
    ]
    return [Line(row, "user") for row in [*read(raw), *files] or [""]]


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
    """Return a bot's text without its HTML, as printable text."""
    text = _TAG.sub("", _ITEM.sub("\n- ", _BREAK.sub("\n", text)))
    text = _REFERENCE.sub(lambda reference: html.unescape(reference[0]), text)
    return printable(text, lines=True).strip("\n")


_BREAK: Final = re.compile(r"<br\s*/?>|</(?:blockquote|ol|ul)>", re.IGNORECASE)
_ITEM: Final = re.compile("<li>", re.IGNORECASE)
_TAG: Final = re.compile(r"</?[a-zA-Z][^<>]*>")
#: Only with its semicolon: a URL may have '&copy=1'.
_REFERENCE: Final = re.compile(r"&#?\w+;")


# -- what is seen --------------------------------------------------------------------

Renderer = Callable[[JSON, Iterator[int]], Iterator[Line]]


def _text(action: JSON, numbers: Iterator[int]) -> Iterator[Line]:
    texts = [t for t in _list(action, "alternatives") if isinstance(t, str)]
    said = action.get("text") or next(iter(texts), "")
    yield from _bubble(said)
    yield from (info(f"or: {_words(text)}") for text in texts if text != said)


def _image(action: JSON, numbers: Iterator[int]) -> Iterator[Line]:
    yield Line(_fill(action, "image {imageURL} ({alt})", "image {imageURL}"), "card")


def _cards(action: JSON, numbers: Iterator[int]) -> Iterator[Line]:
    for index, card in enumerate(_objects(action, "cards")):
        if index:
            yield Line("", "card")
        yield Line(_fill(card, "| {title}"), "card")
        for row in ("| {subtitle}", "| image {imageURL}", "| -> {url}"):
            if said := _fill(card, row, ""):
                yield Line(said, "card")
        if buttons := _objects(card, "buttons"):
            titles = [_fill(button, "[{title}]") for button in buttons]
            yield Line(f"| {'  '.join(titles)}", "button")


def _question(key: str, title: str) -> Renderer:
    """Make the renderer of a message with what to choose from below it."""

    def render(action: JSON, numbers: Iterator[int]) -> Iterator[Line]:
        yield from _bubble(action.get("message"))
        chips = _numbered(_objects(action, key), title, numbers)
        yield Line("  ".join(chips), "button")

    return render


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


def _wait(action: JSON, numbers: Iterator[int]) -> Iterator[Line]:
    yield Line(_fill(action, "… {duration} s"), "info")


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
    """Make the renderer of an action that stores a value, or adds it to another."""
    sets, adds = (
        f"stores {what} {{key}} = {{value}}",
        f"adds {{value}} to {what} {{key}}",
    )

    def render(action: JSON, numbers: Iterator[int]) -> Iterator[Line]:
        yield info(_fill(action, adds if action.get("add") else sets))

    return render


def _jump(action: JSON, numbers: Iterator[int]) -> Iterator[Line]:
    for connection in _objects(action, "connections"):
        conditions = map(_condition, _objects(connection, "predicates"))
        target = _fill(connection, *_TARGET)
        yield info(f"jumps to {target} if {' and '.join(conditions)}")
    default = _fill({"target": action.get("defaultTarget")}, *_TARGET, "")
    yield info(f"jumps to {default}" if default else "jumps nowhere else")


_TARGET: Final = ("{target.type} {target.name}", "{target.type} {target.id}")


def _condition(predicate: JSON) -> str:
    """Return a predicate in words: ``session value city equals Paris``."""
    subject = _SUBJECTS.get(_words(predicate.get("type")))
    getter, condition = predicate.get("valueGetter"), predicate.get("condition")
    return f"{subject or _in_words(getter)} {_in_words(condition)}"


_SUBJECTS: Final = {
    "connection_team_predicate": "the team",
    "connection_user_predicate": "the user",
}


def _in_words(value: Any) -> str:
    """Return a small object in words: its type, then its values."""
    raw = _raw(value)
    kind = _fill(raw, "{type}").replace("_", " ")
    return " ".join([kind, *(_words(raw[key]) for key in raw if key != "type")])


_ACTIONS: Final[dict[str, Renderer]] = {
    "send_text_action": _text,
    "send_image_action": _image,
    "send_cards_action": _cards,
    "send_simple_cards_action": _cards,
    "send_quick_replies_action": _question("buttons", "{title}"),
    "send_choices_list_action": _choices_list,
    "customer_satisfaction_action": _question("choices", "{label}"),
    "ask_location_action": _location,
    "ask_document_action": _documents,
    "google_custom_search_action": _told("searches the web for {query}"),
    "wait_action": _wait,
    "jump_to_action": _jump,
    "pause_bot_action": _told("pauses the bot"),
    "send_ai_task_action": _told("gives a task to {engine.name}"),
    "store_session_value_action": _stored("session value"),
    "set_user_attribute_action": _stored("user attribute"),
    "send_email_action": _told("sends an e-mail to {recipient}: {subject}"),
    "send_js_event_action": _told(
        "sends the page the event {event} with {payload}",
        "sends the page the event {event}",
    ),
    "create_zendesk_ticket_action": _told(
        "creates a Zendesk ticket: {subject}", "creates a Zendesk ticket: {description}"
    ),
    "create_user_request_action": _told("asks a colleague: {message}"),
    "send_webhook_request_action": _told("sends a request to {url}"),
    "assign_intercom_conversation_action": _told(
        "assigns the conversation in Intercom to {assigneeID}",
        "assigns the conversation in Intercom to nobody",
    ),
    "close_intercom_conversation_action": _told("closes the conversation in Intercom"),
    "transfer_iadvize_conversation_action": _told(
        "hands the conversation over in iAdvize to {distribution_rule.label}"
    ),
    "close_iadvize_conversation_action": _told("closes the conversation in iAdvize"),
}


def _typed(text: Any) -> list[str]:
    """Return a text as a person typed it: what looks like HTML in it is none."""
    if not isinstance(text, str):
        text = _words(text)
    return printable(text, lines=True).splitlines()


#: How each type of input is told, in rows.
_INPUTS: Final[dict[str, Callable[[JSON], list[str]]]] = {
    "message": lambda raw: _typed(raw.get("text")),
    "legacy_reply_to_message_action": lambda raw: [_fill(raw, "{message}")],
    "go_to_action": lambda raw: [f"-> {_fill(raw, *_TARGET)}"],
    "custom_event": lambda raw: [_fill(raw, "event {name}")],
    "url_loaded_event": lambda raw: [_fill(raw, "opens {url}")],
}


# -- what is read of a JSON object that may be of any shape --------------------------


def _raw(value: Any) -> JSON:
    """Return the JSON object that *value* is or leaves as; empty if it is none."""
    if isinstance(value, Model):
        value = schema_for(type(value)).dump(value)
    return value if isinstance(value, dict) else {}


def _of_type(raw: JSON, table: dict[str, T]) -> T | None:
    kind = raw.get("type")
    return table.get(kind) if isinstance(kind, str) else None


def _list(raw: JSON, key: str) -> list[Any]:
    value = raw.get(key)
    return value if isinstance(value, list) else []


def _objects(raw: JSON, key: str) -> list[JSON]:
    return [each for each in _list(raw, key) if isinstance(each, dict)]


def _fill(raw: JSON, *sentences: str) -> str:
    """Return the first of the *sentences* for whose ``{path}``s *raw* has values.

    If there is none it is the last one, with question marks.
    """
    *better, last = sentences
    sentence = next((each for each in better if _fits(raw, each)), last)
    return _PLACE.sub(lambda place: _at(raw, place[1]) or "?", sentence)


def _fits(raw: JSON, sentence: str) -> bool:
    return all(_at(raw, path) for path in _PLACE.findall(sentence))


_PLACE: Final = re.compile(r"\{([\w.]+)\}")


def _at(raw: Any, path: str) -> str:
    for key in path.split("."):
        raw = raw.get(key) if isinstance(raw, dict) else None
    return _words(raw)


def _words(value: Any) -> str:
    """Return a value in one line; None is empty."""
    if value is None:
        return ""
    text = plain(value) if isinstance(value, str) else shorten(value)
    return " ".join(text.split())
