"""A conversation as lines of text, as the webchat shows it.

Terminal output, reports of failed tests and stories use the same format::

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

#: The styles of lines that are not indented: the current step, and stored values.
_AT_THE_MARGIN: Final = ("place", "value")


class Line(NamedTuple):
    """A line of a conversation; ``str()`` returns it as printed."""

    text: str
    #: The kind of line, which decides its colour.
    style: Style
    #: In the first line of a message, the speaker: ``bot`` or ``you``. Else empty.
    speaker: str = ""

    @property
    def label(self) -> str:
        """The label before the line: the speaker, or white space."""
        return "" if self.style in _AT_THE_MARGIN else f"{self.speaker:<5}"

    def __str__(self) -> str:
        return f"{self.label}{self.text}".rstrip()


class Transcript:
    """The transcript of a conversation; ``str()`` returns a story that can be run.

    :param listener: called with each added line.
    """

    def __init__(self, listener: Callable[[Line], object] | None = None) -> None:
        #: The lines so far.
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
    """Return a reply as the user sees it.

    :param reply: a :class:`~flask_clustaar.models.StepReachedResponse`, or its JSON.
    :param channel: the channel that shows it. Default: the webchat.
    """
    actions = _list(_raw(reply), "actions")
    lines = [line for each in actions for line in render_action(each, channel)]
    return lines or [info("says nothing")]


def render_action(action: Model | JSON, channel: str | None = None) -> list[Line]:
    """Return an action as the webchat shows it.

    Lines of the style ``info`` describe what the user does not see. Of unknown actions,
    the type is shown. Malformed actions are shown as far as possible.

    :param channel: the channel, such as ``facebook``. A line says if the channel does
        not support the action, or if its support is not documented.
    """
    raw = _raw(action)
    render = _of_type(raw, _ACTIONS)
    if render is None:
        return [info(_fill(raw, "unknown action {type}"))]
    return [*render(raw), *_lost(raw, channel)]


def render_input(input: Model | JSON | None) -> list[Line]:
    """Return the user's act that caused the notification."""
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

    :param title: the title of the button.
    :param number: its number among buttons with the same title, from 1.
    """
    which = "" if number is None else f" ({number})"
    return [Line(f"[{title}]{which}", "user", "you")]


def render_problem(problem: JSON) -> list[Line]:
    """Return a problem body (RFC 9457) as lines."""
    rows = [_fill(problem, "{status} {code}: {detail}", "{status}: {detail}")]
    for error in _objects(problem, "errors"):
        rows.append(_fill(error, "  {path}: {message}", "  {message}"))
    return _spoken("bot", [Line(row, "problem") for row in rows])


def render_place(step: str) -> Line:
    """Return the line that names the current step.

    :param step: the name or id of the step.
    """
    return Line(f"at {_line(step)}", "place")


def render_changes(
    kind: Literal["session", "user"], before: JSON, after: JSON
) -> list[Line]:
    """Return changed values, one per line, such as ``session colour = "red"``."""
    lines = []
    for key in [*after, *(key for key in before if key not in after)]:
        if key not in after:
            lines.append(Line(f"{kind} {_line(key)} is removed", "value"))
        elif key not in before or not same(before[key], after[key]):
            lines.append(Line(f"{kind} {_line(key)} = {as_json(after[key])}", "value"))
    return lines


def info(text: str) -> Line:
    """Return a line that describes what the user does not see."""
    return Line(f"· {text}", "info")


def as_json(value: Any) -> str:
    """Return a value as JSON in one line; only unsafe characters are escaped."""
    return printable(json.dumps(value, ensure_ascii=False))


def _spoken(speaker: str, lines: list[Line]) -> list[Line]:
    """Return the lines, with the speaker at the first one."""
    return [line._replace(speaker=speaker) for line in lines[:1]] + lines[1:]


def plain(text: str) -> str:
    """Convert HTML to the text that the webchat shows, safe to print."""
    text = _OBFUSCATED.sub(lambda what: _LABELS.get(what[2], what[2]), text)
    text = _TAG.sub("", _ITEM.sub("\n- ", _BREAK.sub("\n", text)))
    text = _REFERENCE.sub(lambda reference: html.unescape(reference[0]), text)
    return printable(text, lines=True).strip("\n")


def literal(text: str) -> str:
    """Return a plain text as a browser shows it.

    Tags and character references are shown literally, and line breaks as spaces.
    """
    return printable(_SPACES.sub(" ", text).strip(" "))


_BREAK: Final = re.compile(r"<br\s*/?>|</(?:blockquote|ol|ul)>", re.IGNORECASE)
_ITEM: Final = re.compile("<li>", re.IGNORECASE)
_TAG: Final = re.compile(r"</?[a-zA-Z][^<>]*>")
#: Only with a semicolon, because a URL may contain '&copy=1'.
_REFERENCE: Final = re.compile(r"&#?\w+;")
#: The platform's placeholders for personal data, and the labels that users see.
_OBFUSCATED: Final = re.compile(r"\*\*(basic|custom)_obfuscation_of_(.+?)\*\*")
_LABELS: Final = {
    "phone_number": "Phone number",
    "email_address": "Email",
    "credit_card_number": "Credit Card",
    "social_security_number": "FR SSN",
}
#: The white space that HTML collapses.
_SPACES: Final = re.compile(r"[ \t\n\f\r]+")


# -- visible actions -----------------------------------------------------------------

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
    """Yield the lines of a carousel, with a line of dashes between two cards."""
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
    """Return whether the webchat shows a card's button."""
    return _at(button, "action.type") not in _UNDRAWN


_UNDRAWN: Final = (
    "legacy_reply_to_message_action",
    "customer_satisfaction_callback_action",
)


def _question(key: str, title: str) -> Renderer:
    """Return a renderer for a message with quick replies."""

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
    """Return the text of an action's bubble; None if it has no bubble."""
    rows = [line for line in render_action(action) if line.style == "bot"]
    return "\n".join(line.text for line in rows) if rows else None


def _lost(action: JSON, channel: str | None) -> Iterator[Line]:
    """Yield a line if a channel does not support an action (PROTOCOL 6)."""
    name = CHANNELS.get(channel or "")
    if name is None or channel == WEBCHAT:
        return
    sentence = {"-": "not available on {}", "?": "support on {} is not documented"}
    support_of = sentence.get(support(action.get("type"), str(channel)))
    if support_of is not None:
        yield info(f"{action['type']}: {support_of.format(name)}")


# -- invisible actions ---------------------------------------------------------------


def _told(*sentences: str) -> Renderer:
    """Return a renderer that describes an action with one of these sentences."""

    def render(action: JSON) -> Iterator[Line]:
        yield info(_fill(action, *sentences))

    return render


def _stored(what: str) -> Renderer:
    """Return a renderer for an action that stores a value or adds to one."""
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
    """Describe the conditions of a jump's connection."""
    return " and ".join(map(_condition, _objects(connection, "predicates")))


_TARGET: Final = ("{target.type} {target.name}", "{target.type} {target.id}")


def _condition(predicate: JSON) -> str:
    """Describe a predicate, such as ``session value city equals Paris``."""
    subject = _SUBJECTS.get(_words(predicate.get("type")))
    getter, condition = predicate.get("valueGetter"), predicate.get("condition")
    return f"{subject or _in_words(getter)} {_in_words(condition)}"


_SUBJECTS: Final = {
    "connection_team_predicate": "the team",
    "connection_user_predicate": "the user",
}


def _in_words(value: Any) -> str:
    """Describe an object: its type, then its values."""
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
    """Return the lines of a user's message, which is plain text.

    If the first character would make the line read as another act, a backslash is
    added before it.
    """
    text = text if isinstance(text, str) else _words(text)
    rows = printable(text, lines=True).splitlines()
    if rows and rows[0].startswith(("[", "·", "\\")):
        rows[0] = f"\\{rows[0]}"
    return [Line(row, "user") for row in rows]


def _plain(text: Any) -> Any:
    return plain(text) if isinstance(text, str) else text


def _did(*sentences: str) -> Callable[[JSON], list[Line]]:
    """Return a renderer for an act of the user other than a message."""
    return lambda raw: [Line(f"· {_fill(raw, *sentences)}", "user")]


#: The renderers, by type of input.
_INPUTS: Final[dict[str, Callable[[JSON], list[Line]]]] = {
    "message": lambda raw: _typed(raw.get("text")),
    "legacy_reply_to_message_action": lambda raw: _typed(_plain(raw.get("message"))),
    "go_to_action": _did(*(f"goes to {target}" for target in _TARGET)),
    "custom_event": _did("event {name}"),
    "url_loaded_event": _did("opens {url}"),
}


# -- reading JSON of any shape -------------------------------------------------------


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
    """Fill the first of the *sentences* whose ``{path}`` fields *raw* has values for.

    Otherwise, fill the last one, with question marks for missing values.
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
    """Return a value as one line; None becomes an empty text."""
    if value is None:
        return ""
    return literal(value) if isinstance(value, str) else shorten(value)


def _line(text: str) -> str:
    """Return a text as one line."""
    return printable(" ".join(text.split()))
