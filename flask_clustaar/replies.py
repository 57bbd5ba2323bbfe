"""What handlers may return, and how their answers become one reply."""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from . import fast
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
from .schemas import unknown_keys
from .wire import JSON, RECEIVED, Model, attributes_of, same

#: What is left out of a reply is logged here.
logger: logging.Logger = logging.getLogger("flask_clustaar")


class Answer(NamedTuple):
    """What one handler answered."""

    #: The handler's name, for messages.
    handler: str
    response: StepReachedResponse


def answer_of(value: Any, handler: str) -> Answer | None:
    """Return what a handler answered by returning *value*; None if it only watched.

    :param value: None, a string (one text), an action, a list of those, a
        :class:`~flask_clustaar.models.StepReachedResponse`, or a dict as it goes on
        the wire: of a reply, or of a single action.
    :param handler: the handler's name.
    :raises TypeError: when it is something else.
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


def _with_texts(response: StepReachedResponse) -> StepReachedResponse:
    """Return a response with actions for its strings, as in a list of actions."""
    actions: Any = response.actions
    if type(actions) is not list or str not in map(type, actions):
        return response
    with_texts = copy.copy(response)
    with_texts.actions = [
        SendTextAction(item) if isinstance(item, str) else item for item in actions
    ]
    return with_texts


def _action(item: Any, value: Any, handler: str) -> Any:
    if isinstance(item, str):
        return SendTextAction(item)
    if isinstance(item, dict):
        return item
    inside = "" if item is value else f" with {_described(item)} in it"
    raise TypeError(
        f"The handler '{handler}' returned {_described(value)}{inside}, which is no "
        f"answer. {_PARTS.get(type(item), _ANSWERS)}"
    )


_ANSWERS: Final = (
    "Return None, a string, an action, a list of those, a 'StepReachedResponse', "
    "or a dict in the shape of a reply."
)
#: What is taken for an action, and where it belongs.
_PARTS: Final[dict[type, str]] = {
    Button: "Put it into the 'buttons' of a 'Card'.",
    Card: "Put it into a 'SendCardsAction(cards=[...])'.",
    QuickReply: "Put it into the 'buttons' of a 'SendQuickRepliesAction'.",
    GoToAction: "It is for a button. To go on at once return a 'JumpToAction'.",
}


def _described(value: Any) -> str:
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
        response.interlocutor = None  # It may be a part of one, to be merged.
        violations = [*fast.dump(response)[1], *violations]
        raise InvalidReply(_whose([handler]), violations=violations)
    return response


def merge(answers: Sequence[Answer], notification: Notification) -> StepReachedResponse:
    """Lay several answers together, in the order of registration.

    - *Actions* are concatenated. Without any answer the step's own actions go back as
      they came.
    - The *session*: those that answers bring are laid over one another, a later value
      of a name replacing an earlier one. They lie over the received session, as
      handlers left it, unless each answer brings a session of its own: the platform
      does not say whether it merges, so values that nobody spoke of are never lost.
    - The *interlocutor*: those that answers bring are laid over the received one, as
      handlers left it; what they leave out (None) and custom attributes they do not
      name stay. Without one the received travels if a handler changed it.
    """
    responses = [answer.response for answer in answers]
    for answer in answers:
        _refuse_unknown_keys(answer, notification)
    reply = StepReachedResponse(
        actions=_merged_actions(responses, notification),
        session=_merged_session(responses, notification),
        interlocutor=_merged_interlocutor(responses, notification),
    )
    for response in responses:
        # What a dict had besides, for the judge to refuse.
        if not response.__dict__.keys() <= reply.__dict__.keys():
            reply.__dict__.update(response.__dict__ | reply.__dict__)
    return reply


def _refuse_unknown_keys(answer: Answer, notification: Notification) -> None:
    """Refuse what a session or an interlocutor in a dict does not have, nor came with.

    When they are merged it would be lost.
    """
    violations = []
    state = answer.response.__dict__
    for name in ("session", "interlocutor"):
        theirs = state.get(name)
        if type(theirs) is dict:
            ours: Model = getattr(notification, name)
            came = ours.received or ()
            violations += unknown_keys(type(ours), theirs, path=name, came=came)
    if violations:
        raise InvalidReply(_whose([answer.handler]), violations=violations)


def dumps(reply: StepReachedResponse, answers: Sequence[Answer]) -> bytes:
    """Return the reply as it leaves, cleaned and judged.

    :param answers: what *reply* was made of; tells whose fault it is.
    :raises InvalidReply: when the platform would refuse it.
    """
    try:
        text, violations = fast.dumps(reply)
    except (TypeError, ValueError, RecursionError) as error:
        about = Violation("", f"Cannot be written as JSON: {type(error).__name__}.")
        owners = [answer.handler for answer in answers]
        raise InvalidReply(_whose(owners), violations=[about]) from error
    if violations:
        raise InvalidReply(_whose(_owners(answers, violations)), violations=violations)
    return text.encode()


def _owners(answers: Sequence[Answer], violations: Sequence[Violation]) -> list[str]:
    """Return the handlers whose actions are at fault; all, if it is not actions."""
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


def _whose(handlers: Sequence[str]) -> str:
    names = ", ".join(f"'{handler}'" for handler in handlers)
    return f"The reply of {names} is invalid, and was not sent."


def _merged_actions(
    responses: Sequence[StepReachedResponse], notification: Notification
) -> Any:
    if not responses:
        return [_as_it_came(action) for action in _received_actions(notification)]
    if len(responses) == 1 and not isinstance(responses[0].actions, (list, tuple)):
        return responses[0].actions
    actions: list[Any] = []
    for response in responses:
        theirs: Any = response.actions
        actions += theirs if isinstance(theirs, (list, tuple)) else [theirs]
    if dict in map(type, actions):
        came = _AsItCame(_received_actions(notification))
        return [_as_it_came(a) if type(a) is dict and a in came else a for a in actions]
    return actions


class _AsItCame:
    """The actions that came, to find a dict among them in no time, however many."""

    #: As many comparisons take less time than to write everything as text.
    _FEW: Final = 20

    def __init__(self, actions: list[Any]) -> None:
        self._ids = frozenset(map(id, actions))
        self._by_type: dict[str, list[JSON]] = {}
        for action in actions:
            if type(action) is dict:
                self._by_type.setdefault(str(action.get("type")), []).append(action)
        self._by_text: dict[str, dict[str, JSON]] = {}
        self._asked = 0

    def __contains__(self, action: JSON) -> bool:
        if id(action) in self._ids:
            return True
        kind = str(action.get("type"))
        alike = self._by_type.get(kind, [])
        try:
            if len(alike) > self._FEW:
                alike = self._candidates(kind, action)
            return any(action == each and same(action, each) for each in alike)
        except Exception:
            return False  # Only what is no JSON raises, and that did not come.

    def _candidates(self, kind: str, action: JSON) -> list[JSON]:
        """Return which of many actions of a type are to be compared."""
        self._asked += 1
        if self._asked <= self._FEW:
            return self._by_type[kind]
        if kind not in self._by_text:
            self._by_text[kind] = {_text(each): each for each in self._by_type[kind]}
        found = self._by_text[kind].get(_text(action))
        return [] if found is None else [found]


def _text(action: JSON) -> str:
    return json.dumps(action, sort_keys=True)


def _received_actions(notification: Notification) -> list[Any]:
    """Return the step's actions as they came."""
    raw = notification.step.received
    actions = raw.get("actions") if isinstance(raw, dict) else None
    return actions if isinstance(actions, list) else []


def _as_it_came(action: Any) -> UnknownAction:
    untouched = UnknownAction(data=action)
    untouched.__dict__[RECEIVED] = action
    return untouched


def _merged_session(
    responses: Sequence[StepReachedResponse], notification: Notification
) -> Any:
    brought: list[Any] = [r.session for r in responses if r.session is not None]
    if not brought:
        session = notification.session
        return session if session.received is not None or session.values else None
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


def _merged_interlocutor(
    responses: Sequence[StepReachedResponse], notification: Notification
) -> Any:
    brought: list[Any] = [
        r.interlocutor for r in responses if r.interlocutor is not None
    ]
    if not brought and "interlocutor" not in notification.event.__dict__:
        return None  # Nobody looked at it, so nobody changed it.
    ours = notification.interlocutor
    if RECEIVED not in ours.__dict__:
        brought = [theirs for theirs in brought if theirs is not ours]
        if not brought:
            if fast.is_changed(ours):
                logger.warning("An interlocutor that did not come is not sent.")
            return None
    if not brought:
        return ours if fast.is_changed(ours) else None
    merged = copy.copy(ours)
    for theirs in brought:
        if theirs is ours:
            continue
        if isinstance(theirs, Interlocutor):
            given = {
                a.name: getattr(theirs, a.name) for a in attributes_of(Interlocutor)
            }
            given = {name: value for name, value in given.items() if value is not None}
        elif isinstance(theirs, dict):
            names = {a.key: a.name for a in attributes_of(Interlocutor)}
            given = {names[key]: theirs[key] for key in names if key in theirs}
        else:
            return theirs
        custom = given.get("custom_attributes")
        if isinstance(custom, dict):
            given["custom_attributes"] = merged.custom_attributes | custom
        merged.__dict__.update(given)
    return merged
