"""Convert the return values of handlers to answers, and merge them into a reply."""

from __future__ import annotations

import copy
import json
import logging
import operator
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from .errors import InvalidReply, Violation
from .models import (
    Action,
    Button,
    Card,
    ConversationSession,
    GoToAction,
    Interlocutor,
    Notification,
    QuickReply,
    SendTextAction,
    StepReachedResponse,
    UnknownAction,
)
from .schemas import schema_for, validate_model
from .schemas.attributes import attributes_of
from .schemas.kinds import plain_json, text_of
from .schemas.reading import part_of
from .schemas.received import Received
from .schemas.schema import Invalid
from .schemas.violations import unknown_keys
from .schemas.writing import UNCLEAR, changed_attributes
from .wire import JSON, RECEIVED, Model

#: Logs what is dropped from a reply.
logger: logging.Logger = logging.getLogger("flask_clustaar")


class Answer(NamedTuple):
    """The return value of one handler, as a response."""

    #: The name of the handler, for messages.
    handler: str
    response: StepReachedResponse


# -- return values -------------------------------------------------------------------


def answer_of(value: Any, handler: str) -> Answer | None:
    """Convert a handler's return value to an answer; None if it returned None.

    :param value: None, a string, an action, a list of strings and actions, a
        :class:`~flask_clustaar.models.StepReachedResponse`, or the JSON of a reply or
        an action, as a dict.
    :param handler: the name of the handler.
    :raises TypeError: if the value has another type.
    :raises InvalidReply: if the dict of a reply has unknown keys.
    """
    if value is None:
        return None
    if isinstance(value, StepReachedResponse):
        return Answer(handler, _with_texts(value))
    if isinstance(value, dict) and ("actions" in value or "type" not in value):
        return Answer(handler, _from_dict(value, handler))
    values = value if isinstance(value, (list, tuple)) else [value]
    actions = [
        item if isinstance(item, Action) else _action(item, value, handler)
        for item in values
    ]
    return Answer(handler, StepReachedResponse(actions=actions))


def evaluated(answer: Answer) -> Answer:
    """Return an answer with strings in place of the lazy strings in its actions.

    The result depends on the ``around`` functions, for example on the user's language.
    """
    actions = _evaluated(answer.response.actions)
    if actions is answer.response.actions:
        return answer
    response = copy.copy(answer.response)
    response.actions = actions
    return answer._replace(response=response)


def _evaluated(value: Any) -> Any:
    """Return *value* itself, or a copy if there are lazy strings in it."""
    if isinstance(value, Model):
        parts = vars(value)
        new = {k: _evaluated(parts[k]) for k in parts if k != RECEIVED}
        if all(new[k] is parts[k] for k in new):
            return value
        copied = copy.copy(value)
        vars(copied).update(new)
        return copied
    if isinstance(value, dict):
        new = {key: _evaluated(item) for key, item in value.items()}
        return value if all(new[key] is value[key] for key in new) else new
    if isinstance(value, list):
        items = [_evaluated(item) for item in value]
        return value if all(map(operator.is_, items, value)) else items
    text = text_of(value)
    return value if text is None else text


def _with_texts(response: StepReachedResponse) -> StepReachedResponse:
    """Replace the strings in a response by actions."""
    actions: Any = response.actions
    if type(actions) is not list or all(
        isinstance(item, (Action, dict)) for item in actions
    ):
        return response
    with_texts = copy.copy(response)
    with_texts.actions = [
        item if isinstance(item, Action) or text_of(item) is None else _text(item)
        for item in actions
    ]
    return with_texts


def _text(value: Any) -> SendTextAction:
    return SendTextAction(text_of(value))


def _action(item: Any, value: Any, handler: str) -> Any:
    if isinstance(item, dict):
        return item
    if text_of(item) is not None:
        return _text(item)
    inside = "" if item is value else f" with {_described(item)} in it"
    hint = _PARTS.get(type(item), _ANSWERS)
    if isinstance(item, type):
        hint = f"Did you forget the parentheses? Write '{item.__name__}()'."
    raise TypeError(
        f"The handler '{handler}' returned {_described(value)}{inside}, which is not a "
        f"valid reply. {hint}"
    )


_ANSWERS: Final = (
    "Return None, a string, an action, a list of those, a 'StepReachedResponse', "
    "or a dict in the shape of a reply."
)
#: Parts of actions, with a hint where to put them.
_PARTS: Final[dict[type, str]] = {
    Button: "Put it into the 'buttons' of a 'Card'.",
    Card: "Put it into a 'SendCardsAction(cards=[...])'.",
    QuickReply: "Put it into the 'buttons' of a 'SendQuickRepliesAction'.",
    GoToAction: "It is for a button. To continue at once, return a 'JumpToAction'.",
}


def _described(value: Any) -> str:
    if isinstance(value, type):
        return f"the class '{value.__name__}'"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} '{name}'"


def _from_dict(value: JSON, handler: str) -> StepReachedResponse:
    violations = unknown_keys(StepReachedResponse, value)
    if "actions" not in value:
        violations.append(Violation("actions", "Missing data for required field."))
    response = StepReachedResponse()
    for name in response.__dict__.keys() & value.keys():
        setattr(response, name, value[name])
    if violations:
        response.interlocutor = None  # It may be incomplete, and is merged later.
        raise _invalid([handler], [*validate_model(response)[1], *violations])
    return response


# -- merging answers -----------------------------------------------------------------


def merge(answers: Sequence[Answer], notification: Notification) -> StepReachedResponse:
    """Merge answers into a reply, in order of registration.

    - *Actions* are concatenated. Without answers, the step's own actions are sent
      unchanged.
    - *Session*: the sessions of the answers are merged; the last value wins. They are
      merged on top of the received session, which contains the changes of handlers. If
      every answer has a session, the received one is dropped. The platform does not
      document whether it merges, so values that no handler mentions are kept.
    - *Interlocutor*: the interlocutors of the answers are merged on top of the received
      one; missing values (None) and custom attributes are kept. Without one, the
      received interlocutor is sent if a handler changed it.
    """
    responses = [answer.response for answer in answers]
    if not any(map(_has_more_than_actions, responses)):
        return StepReachedResponse(
            actions=_merged_actions(responses, notification),
            session=_session(notification),
            interlocutor=_changed_interlocutor(notification),
        )
    for answer in answers:
        _refuse_unknown_keys(answer, notification)
    reply = StepReachedResponse(
        actions=_merged_actions(responses, notification),
        session=_merged_session(responses, notification),
        interlocutor=_merged_interlocutor(responses, notification),
    )
    for response in responses:
        # Copy unknown attributes, so that the schema reports them.
        if not response.__dict__.keys() <= reply.__dict__.keys():
            reply.__dict__.update(response.__dict__ | reply.__dict__)
    return reply


def _has_more_than_actions(response: StepReachedResponse) -> bool:
    state = response.__dict__
    return (
        len(state) != 3
        or state.get("session") is not None
        or state.get("interlocutor") is not None
    )


def _refuse_unknown_keys(answer: Answer, notification: Notification) -> None:
    """Reject unknown keys of a session or interlocutor that is a dict.

    Merging would drop them silently. Received keys are accepted.
    """
    violations = []
    state = answer.response.__dict__
    for name in ("session", "interlocutor"):
        theirs = state.get(name)
        if type(theirs) is dict:
            ours: Model = getattr(notification, name)
            keys = ours.received or ()
            violations += unknown_keys(type(ours), theirs, path=name, received=keys)
    if violations:
        raise _invalid([answer.handler], violations)


def _merged_actions(
    responses: Sequence[StepReachedResponse], notification: Notification
) -> Any:
    if not responses:
        return _step_actions(notification) or []
    if len(responses) == 1:
        actions: Any = responses[0].actions
        if type(actions) is not list:
            return actions
    else:
        actions = []
        for response in responses:
            theirs: Any = response.actions
            actions += theirs if isinstance(theirs, (list, tuple)) else [theirs]
    if dict in map(type, actions):
        return _with_unchanged(actions, notification)
    return actions


def _step_actions(notification: Notification) -> Received | None:
    """Return the received JSON of the step's actions; None if it is not a list."""
    return _part(notification.step, "actions", "[")


def _part(envelope: Model, name: str, opening: str) -> Received | None:
    """Return the received JSON of an envelope's attribute, unparsed.

    :param opening: the required first bracket; if it differs, None is returned.
    """
    part = part_of(envelope, name)
    if part is None:
        return None
    if part.raw is not None:
        fits = memoryview(part.raw)[0] == ord(opening)
    else:
        fits = isinstance(part.json, {"[": list, "{": dict}[opening])
    return part if fits else None


def _with_unchanged(actions: list[Any], notification: Notification) -> list[Any]:
    """Replace dicts that equal actions of the step by the received actions."""
    part = _step_actions(notification)
    if part is None:
        return actions
    received = {_canonical(action): action for action in part.json}
    received.pop(None, None)
    found = []
    for action in actions:
        text = _canonical(action, plain_json) if type(action) is dict else None
        if text in received:
            action = UnknownAction(data=received[text])
            action.__dict__[RECEIVED] = Received(value=action.data)
        found.append(action)
    return found


def _canonical(action: Any, check: Callable[[Any], Any] | None = None) -> bytes | None:
    """Return bytes that are equal for equal JSON values; None if it is not JSON.

    :param check: raises an exception if a value of the program is not JSON.
    """
    try:
        if check is not None:
            check(action)
        return msgspec.json.encode(action, order="sorted")
    except UNCLEAR:
        return None  # The schema reports the error.


def _merged_session(
    responses: Sequence[StepReachedResponse], notification: Notification
) -> Any:
    brought: list[Any] = [r.session for r in responses if r.session is not None]
    if not brought:
        return _session(notification)
    if len(brought) == len(responses) == 1:
        return brought[0]
    values: JSON = {}
    if len(brought) < len(responses):
        values.update(notification.session.values)
    for session in brought:
        theirs = session.get("values") if isinstance(session, dict) else session
        theirs = theirs.values if isinstance(theirs, ConversationSession) else theirs
        if not isinstance(theirs, dict):
            return session
        values.update(theirs)
    return ConversationSession(values=values)


def _session(notification: Notification) -> Any:
    """Return the received session, with the changes of handlers."""
    event = notification.event
    if "session" not in event.__dict__:  # No handler used it.
        if (part := _part(event, "session", "{")) is not None:
            return part
    session = notification.session
    return session if RECEIVED in session.__dict__ or session.values else None


def _merged_interlocutor(
    responses: Sequence[StepReachedResponse], notification: Notification
) -> Any:
    ours = notification.interlocutor
    brought: list[Any] = [
        r.interlocutor for r in responses if r.interlocutor is not None
    ]
    if RECEIVED not in ours.__dict__:
        brought = [theirs for theirs in brought if theirs is not ours]
    if not brought:
        return _changed_interlocutor(notification)
    merged = copy.copy(ours)
    for theirs in brought:
        given = _given(theirs) if theirs is not ours else {}
        if given is None:
            return theirs
        custom = given.get("custom_attributes")
        if isinstance(custom, dict):
            given["custom_attributes"] = merged.custom_attributes | custom
        merged.__dict__.update(given)
    return merged


def _changed_interlocutor(notification: Notification) -> Interlocutor | None:
    """Return the received interlocutor if a handler changed it."""
    if "interlocutor" not in notification.event.__dict__:
        return None  # No handler used it.
    ours = notification.interlocutor
    if not changed_attributes(ours):
        return None
    if RECEIVED in ours.__dict__:
        return ours
    logger.warning(
        "Changes to the interlocutor were dropped: the notification had none."
    )
    return None


def _given(interlocutor: Any) -> JSON | None:
    """Return the attributes of an answer's interlocutor; None if it is invalid."""
    rows = attributes_of(Interlocutor)
    if isinstance(interlocutor, Interlocutor):
        given = {row.name: getattr(interlocutor, row.name) for row in rows}
        return {name: value for name, value in given.items() if value is not None}
    if isinstance(interlocutor, dict):
        keys = {row.key: row.name for row in rows}
        return {keys[key]: interlocutor[key] for key in keys if key in interlocutor}
    return None


#: Translates a reply for a bot: takes its JSON and the bot's id, and returns JSON and
#: violations.
Translator = Callable[[bytes, Any], tuple[bytes, list[Violation]]]

#: The translators for every reply (:mod:`flask_clustaar.steps`).
translators: Final[list[weakref.ref[Translator]]] = []


# -- serialization -------------------------------------------------------------------


def dumps(
    reply: StepReachedResponse,
    answers: Sequence[Answer],
    *,
    received: bytes = b"",
    limit: int | None = None,
    notification: Notification | None = None,
) -> bytes:
    """Serialize a reply, cleaned and validated.

    :param answers: the answers that were merged into *reply*, for messages.
    :param received: the body of the notification.
    :param limit: the maximum size of the next notification, which will contain the
        session and the user, in bytes.
    :param notification: the notification.
    :raises InvalidReply: if the reply breaks the platform's rules (PROTOCOL 4 and 5),
        or makes the next notification too large.
    """
    try:
        body = schema_for(StepReachedResponse).encode(reply)
    except Invalid as error:
        owners = _owners(answers, error.violations)
        raise _invalid(owners, error.violations) from None
    except (TypeError, ValueError, RecursionError) as error:
        about = Violation("", f"Cannot be written as JSON: {type(error).__name__}.")
        raise _invalid([answer.handler for answer in answers], [about]) from error
    if translators and notification is not None:
        body = _translated(body, notification, answers)
    if limit is not None and _GROWTH * (len(received) + len(body)) > limit:
        if not (_is_as_received(reply.session) and _is_as_received(reply.interlocutor)):
            _check_return(body, received, limit, answers)
    return body


def _is_as_received(part: Any) -> bool:
    """Return whether a part of the reply is unchanged since it was received."""
    return part is None or isinstance(part, Received)


def _translated(
    body: bytes, notification: Notification, answers: Sequence[Answer]
) -> bytes:
    """Replace step ids by those of the bot that sent the notification."""
    for translate in filter(None, (each() for each in translators)):
        body, wrong = translate(body, notification.bot_id)
        if wrong:
            raise _invalid(_owners(answers, wrong), wrong)
    return body


def _check_return(
    body: bytes, received: bytes, limit: int, answers: Sequence[Answer]
) -> None:
    """Reject a reply that would make this user's next notification too large.

    Its size is that of this notification with the session and the user of the reply, in
    the same encoding. The platform may escape characters, which triples their size.
    """
    try:
        before, reply = json.loads(received).get("data"), json.loads(body)
    except (ValueError, RecursionError):
        return  # The next notification is invalid for another reason.
    before = before if isinstance(before, dict) else {}
    encode = json.JSONEncoder(
        ensure_ascii=received.isascii(),
        separators=(", ", ": ") if b": " in received[:40] else (",", ":"),
    ).encode

    def size_of(value: Any) -> int:
        return len(encode(value).encode(errors="surrogatepass"))

    other = size_of([before.get(name) for name in ("step", "input")])
    size = len(received) - other + min(other, _LEAST_OTHER)
    values = {}
    for name, key in (("session", "values"), ("interlocutor", "customAttributes")):
        if isinstance(after := reply.get(name), dict):
            size += size_of(after) - size_of(before.get(name))
            inside: Any = after.get(key)
            for inner in inside if isinstance(inside, dict) else ():
                values[f"{name}.{key}.{inner}"] = size_of(inside[inner])
    if not values:
        return
    if size > limit:
        raise _invalid(
            [answer.handler for answer in answers],
            [
                Violation(
                    max(values, key=lambda path: values[path]),
                    f"Too large: the next notification would have {size} bytes, and "
                    f"'CLUSTAAR_MAX_CONTENT_LENGTH' is {limit}.",
                )
            ],
        )
    now = time.monotonic()
    if 2 * size > limit and now >= _next_warning[0]:
        _next_warning[0] = now + 60
        logger.warning(
            "With its session, the next notification will have %d bytes. "
            "'CLUSTAAR_MAX_CONTENT_LENGTH' is %d.",
            size,
            limit,
        )


#: The next notification can be this many times as large as the reply, because
#: characters are escaped, and because the warning begins at half of the limit.
_GROWTH: Final = 6
#: The assumed size of the next step and input, in bytes.
_LEAST_OTHER: Final = 1000
#: The time of the next warning about a large session.
_next_warning: list[float] = [0.0]


def _owners(answers: Sequence[Answer], violations: Sequence[Violation]) -> list[str]:
    """Return the handlers whose actions are invalid; all handlers if others are."""
    by_action = [
        answer.handler
        for answer in answers
        if isinstance(answer.response.actions, (list, tuple))
        for _ in answer.response.actions
    ]
    found = set()
    for violation in violations:
        key, _, rest = violation.path.partition(".")
        index = rest.partition(".")[0]
        if key != "actions" or not index.isdigit() or int(index) >= len(by_action):
            return [answer.handler for answer in answers]
        found.add(by_action[int(index)])
    return [answer.handler for answer in answers if answer.handler in found]


def _invalid(handlers: Sequence[str], violations: Sequence[Violation]) -> InvalidReply:
    # Without an answer, what a handler changed in the session can be invalid.
    names = ", ".join(f"'{handler}'" for handler in handlers) or "the webhook"
    return InvalidReply(
        f"The reply of {names} is invalid, and was not sent.", violations=violations
    )
