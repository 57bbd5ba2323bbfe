"""A conversation as lines of text, drawn as the webchat draws it.

One format is used everywhere: by the terminal, below a failing test, and in the stories
that pytest runs::

    at Welcome
    you  hello
    bot  Which colour?
         [Red] [Blue]
    you  [Red]
    bot  Red it is.
    session colour = "red"
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Literal, NamedTuple, TypeVar

from .channels import CHANNELS, WEBCHAT, support
from .describe import shorten
from .printable import printable
from .schemas import schema_for
from .wire import JSON, Model, same

T = TypeVar("T")
Style = Literal["bot", "user", "card", "button", "info", "problem", "place", "value"]

#: Lines that begin at the margin: where the conversation is, and what is stored.
_AT_THE_MARGIN: Final = ("place", "value")


class Line(NamedTuple):
    """A line of a conversation; ``str()`` of it is the line as it is printed."""

    text: str
    #: What it is, for those who colour it.
    style: Style
    #: Who begins to speak with this line: ``bot``, ``you``, or nobody.
    speaker: str = ""

    @property
    def label(self) -> str:
        """The text before the line: the speaker, or white space."""
        return "" if self.style in _AT_THE_MARGIN else f"{self.speaker:<5}"

    def __str__(self) -> str:
        return f"{self.label}{self.text}".rstrip()


class Transcript:
    """A conversation so far; ``str()`` of it is a story that can be run again.

    :param listener: is called with each line when it is added.
    """

    def __init__(self, listener: Callable[[Line], object] | None = None) -> None:
        #: What was said and done.
        self.lines: list[Line] = []
        self._listener = listener

    def add(self, lines: Iterable[Line]) -> None:
        """Add lines at the end."""
        for line in lines:
            self.lines.append(line)
            if self._listener is not None:
                self._listener(line)

    def __str__(self) -> str:
        return "\n".join(map(str, self.lines))


def render_reply(reply: Model | JSON, channel: str | None = None) -> list[Line]:
    """Return what a user sees of a reply.

    :param reply: a :class:`~flask_clustaar.models.StepReachedResponse`, or its JSON.
    :param channel: where it is shown; by default in the webchat.
    """
    actions = _list(_raw(reply), "actions")
    lines = [line for each in actions for line in render_action(each, channel)]
    return lines or [info("says nothing")]


def render_action(action: Model | JSON, channel: str | None = None) -> list[Line]:
    """Return what a user sees of an action, drawn as the webchat draws it.

    Lines of the style ``info`` are about what a user does not see. An action of an
    unknown type is named by its type, and a malformed one is drawn as far as possible.

    :param channel: where it is shown, such as ``facebook``. If that channel is not
        known to show such an action, a line says so.
    """
    raw = _raw(action)
    render = _of_type(raw, _ACTIONS)
    if render is None:
        return [info(_fill(raw, "unknown action {type}"))]
    return [*render(raw), *_lost(raw, channel)]


def render_input(input: Model | JSON | None) -> list[Line]:
    """Return what the user did to make the platform send a notification."""
    raw = _raw(input)
    read = _of_type(raw, _INPUTS)
    if read is None:
        text = _fill(raw, "unknown input {type}") if raw else "no input"
        return _spoken("you", [info(text)])
    files = [
        Line(f"· {_fill(file, '{type} {url}', '{name} {url}')}", "user")
        for file in _objects(raw, "attachments")
    ]
    lines = [*read(raw), *files] or [Line("", "user")]
    return _spoken("you", lines)


def render_click(title: str, number: int | None = None) -> list[Line]:
    """Return the line of a click.

    :param title: the title that was clicked on.
    :param number: which one, from 1, if several have the title.
    """
    which = "" if number is None else f" ({number})"
    return [Line(f"[{title}]{which}", "user", "you")]


def render_problem(problem: JSON) -> list[Line]:
    """Return what a request that failed was answered with (RFC 9457)."""
    rows = [_fill(problem, "{status} {code}: {detail}", "{status}: {detail}")]
    for error in _objects(problem, "errors"):
        rows.append(_fill(error, "  {path}: {message}", "  {message}"))
    return _spoken("bot", [Line(row, "problem") for row in rows])


def render_place(step: str) -> Line:
    """Return the line that says where the conversation is.

    :param step: the step's name or id.
    """
    return Line(f"at {_line(step)}", "place")


def render_changes(
    kind: Literal["session", "user"], before: JSON, after: JSON
) -> list[Line]:
    """Return the values that changed, one in each line: ``session colour = "red"``."""
    lines = []
    for key in [*after, *(key for key in before if key not in after)]:
        if key not in after:
            lines.append(Line(f"{kind} {_line(key)} is removed", "value"))
        elif key not in before or not same(before[key], after[key]):
            lines.append(Line(f"{kind} {_line(key)} = {as_json(after[key])}", "value"))
    return lines


def info(text: str) -> Line:
    """Return a line about what a user does not see."""
    return Line(f"· {text}", "info")


def as_json(value: Any) -> str:
    """Return a value as JSON in one line, with letters as they are read."""
    return printable(json.dumps(value, ensure_ascii=False))


def _spoken(speaker: str, lines: list[Line]) -> list[Line]:
    """Return lines with the speaker before the first one."""
    return [line._replace(speaker=speaker) for line in lines[:1]] + lines[1:]


def plain(text: str) -> str:
    """Return HTML as the text that the webchat shows, as printable text."""
    text = _OBFUSCATED.sub(lambda what: _LABELS.get(what[2], what[2]), text)
    text = _TAG.sub("", _ITEM.sub("\n- ", _BREAK.sub("\n", text)))
    text = _REFERENCE.sub(lambda reference: html.unescape(reference[0]), text)
    return printable(text, lines=True).strip("\n")


def literal(text: str) -> str:
    """Return a text as a browser shows it where it is not HTML.

    Tags and references are shown as they are, and line breaks as spaces.
    """
    return printable(_SPACES.sub(" ", text).strip(" "))


_BREAK: Final = re.compile(r"<br\s*/?>|</(?:blockquote|ol|ul)>", re.IGNORECASE)
_ITEM: Final = re.compile("<li>", re.IGNORECASE)
_TAG: Final = re.compile(r"</?[a-zA-Z][^<>]*>")
#: Only with its semicolon: a URL may have '&copy=1'.
_REFERENCE: Final = re.compile(r"&#?\w+;")
#: What the platform puts in place of personal data, and the label that is shown.
_OBFUSCATED: Final = re.compile(r"\*\*(basic|custom)_obfuscation_of_(.+?)\*\*")
_LABELS: Final = {
    "phone_number": "Phone number",
    "email_address": "Email",
    "credit_card_number": "Credit Card",
    "social_security_number": "FR SSN",
}
#: White space that HTML collapses.
_SPACES: Final = re.compile(r"[ \t\n\f\r]+")


# -- what is seen --------------------------------------------------------------------

Renderer = Callable[[JSON], Iterator[Line]]


def _text(action: JSON) -> Iterator[Line]:
    texts = [t for t in _list(action, "alternatives") if isinstance(t, str)]
    said = action.get("text") or next(iter(texts), "")
    yield from _bubble(said, plain)
    yield from (info(f"or: {_line(plain(text))}") for text in texts if text != said)


def _image(action: JSON) -> Iterator[Line]:
    text = _fill(action, "image {imageURL} ({alt})", "image {imageURL}")
    yield Line(text, "card", "bot")


def _cards(action: JSON) -> Iterator[Line]:
    """Draw a carousel, with a line of dashes between two cards."""
    rows: list[Line] = []
    unseen: list[Line] = []
    for index, card in enumerate(_objects(action, "cards")):
        if index:
            rows.append(Line("--", "card"))
        rows.append(Line(_fill(card, "| {title}"), "card"))
        for row in ("| {subtitle}", "| image {imageURL}", "| -> {url}"):
            if said := _fill(card, row, ""):
                rows.append(Line(said, "card"))
        buttons = _objects(card, "buttons")
        drawn = [button for button in buttons if is_drawn(button)]
        if drawn:
            titles = [_fill(button, "[{title}]") for button in drawn]
            rows.append(Line(f"| {' '.join(titles)}", "button"))
        unseen += [
            info(_fill(each, "[{title}] is not drawn: its action is {action.type}"))
            for each in buttons
            if not is_drawn(each)
        ]
    yield from _spoken("bot", rows)
    yield from unseen


def is_drawn(button: JSON) -> bool:
    """Tell if the webchat draws a button of a card (WEBCHAT.md)."""
    return _at(button, "action.type") not in _UNDRAWN


_UNDRAWN: Final = (
    "legacy_reply_to_message_action",
    "customer_satisfaction_callback_action",
)


def _question(key: str, title: str) -> Renderer:
    """Make the renderer of a message with quick replies below it."""

    def render(action: JSON) -> Iterator[Line]:
        bubble = _bubble(action.get("message"), plain)
        titles = [_fill(button, title) for button in _objects(action, key)]
        row = Line(" ".join(titles), "button")
        yield from _spoken("bot", [*(bubble if action.get("message") else ()), row])

    return render


def _choices_list(action: JSON) -> Iterator[Line]:
    yield from _bubble(action.get("message"), literal)
    yield Line(_fill(action, "{placeholder} …"), "card")
    for section in _objects(action, "sections"):
        if title := _fill(section, "| {title}", ""):
            yield Line(title, "card")
        for choice in _objects(section, "choices"):
            yield Line(_fill(choice, "| [{title}]"), "button")


def _location(action: JSON) -> Iterator[Line]:
    yield from _bubble(action.get("message"), literal)
    yield Line("[Send location]", "button")


def _documents(action: JSON) -> Iterator[Line]:
    for document in _objects(action, "documents"):
        kinds = ", ".join(map(_words, _list(document, "authorizedFileTypes")))
        asked = _fill(document, "{name}: {message}", "{name}")
        yield info(f"asks for the document {asked} ({kinds})")


def _wait(action: JSON) -> Iterator[Line]:
    yield Line(_fill(action, "… {duration} s"), "info")


def _bubble(text: Any, read: Callable[[str], str]) -> Iterator[Line]:
    said = read(text) if isinstance(text, str) else _words(text)
    yield from _spoken("bot", [Line(row, "bot") for row in said.splitlines() or [""]])


def bubble_of(action: Model | JSON) -> str | None:
    """Return the text of the bubble that an action draws; None if it draws none."""
    rows = [line for line in render_action(action) if line.style == "bot"]
    return "\n".join(line.text for line in rows) if rows else None


def _lost(action: JSON, channel: str | None) -> Iterator[Line]:
    """Say if a channel is not known to show an action (PROTOCOL 6)."""
    name = CHANNELS.get(channel or "")
    if name is None or channel == WEBCHAT:
        return
    sentence = {"-": "not available on {}", "?": "support on {} is not documented"}
    support_of = sentence.get(support(action.get("type"), str(channel)))
    if support_of is not None:
        yield info(f"{action['type']}: {support_of.format(name)}")


# -- what is not seen ----------------------------------------------------------------


def _told(*sentences: str) -> Renderer:
    """Make the renderer that tells an action in one of these sentences."""

    def render(action: JSON) -> Iterator[Line]:
        yield info(_fill(action, *sentences))

    return render


def _stored(what: str) -> Renderer:
    """Make the renderer of an action that stores a value, or adds it to another."""
    sets, adds = (
        f"stores {what} {{key}} = {{value}}",
        f"adds {{value}} to {what} {{key}}",
    )

    def render(action: JSON) -> Iterator[Line]:
        yield info(_fill(action, adds if action.get("add") else sets))

    return render


def _jump(action: JSON) -> Iterator[Line]:
    for connection in _objects(action, "connections"):
        target = _fill(connection, *_TARGET)
        yield info(f"jumps to {target} if {render_predicates(connection)}")
    default = _fill({"target": action.get("defaultTarget")}, *_TARGET, "")
    yield info(f"jumps to {default}" if default else "jumps nowhere else")


def render_predicates(connection: JSON) -> str:
    """Return in words when a connection of a jump is taken."""
    return " and ".join(map(_condition, _objects(connection, "predicates")))


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
    "send_quick_replies_action": _question("buttons", "[{title}]"),
    "send_choices_list_action": _choices_list,
    "customer_satisfaction_action": _question("choices", "[{label}]"),
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


def _typed(text: Any) -> list[Line]:
    """Return a text as the user typed it, which is not HTML.

    A backslash stands before a first character that would make it read as something
    else that a user can do.
    """
    text = text if isinstance(text, str) else _words(text)
    rows = printable(text, lines=True).splitlines()
    if rows and rows[0].startswith(("[", "·", "\\")):
        rows[0] = f"\\{rows[0]}"
    return [Line(row, "user") for row in rows]


def _plain(text: Any) -> Any:
    return plain(text) if isinstance(text, str) else text


def _did(*sentences: str) -> Callable[[JSON], list[Line]]:
    """Make the renderer of something that the user did, other than writing."""
    return lambda raw: [Line(f"· {_fill(raw, *sentences)}", "user")]


#: How each type of input is drawn.
_INPUTS: Final[dict[str, Callable[[JSON], list[Line]]]] = {
    "message": lambda raw: _typed(raw.get("text")),
    "legacy_reply_to_message_action": lambda raw: _typed(_plain(raw.get("message"))),
    "go_to_action": _did(*(f"goes to {target}" for target in _TARGET)),
    "custom_event": _did("event {name}"),
    "url_loaded_event": _did("opens {url}"),
}


# -- what is read of a JSON object that may be of any shape --------------------------


def _raw(value: Any) -> JSON:
    """Return *value* as a JSON object; empty if it is not an object."""
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

    Without such a sentence, return the last one, with question marks.
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
    return literal(value) if isinstance(value, str) else shorten(value)


def _line(text: str) -> str:
    """Return a text in one line."""
    return printable(" ".join(text.split()))
