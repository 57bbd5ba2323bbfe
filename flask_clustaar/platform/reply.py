"""The reply to a notification: the webhook's, or the step's own actions."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from marshmallow import ValidationError
from werkzeug.wrappers import Response

from ..models import Action, Interlocutor, Notification, Step, StepReached
from ..schemas import schema_for, violations
from ..transcript import Line, bubble_of, render_problem, render_reply
from ..wire import JSON, members_of
from .documents import from_json
from .offers import Clickable, clickables


class Reply:
    """The reply of a step.

    :param response: the HTTP response. None if no request was sent, because the step
        does not use the webhook, or the bot is paused.
    :param sent: the notification; None if it could not be parsed.
    """

    def __init__(self, response: Response | None, sent: Notification | None) -> None:
        #: The notification; None if it could not be parsed.
        self.sent = sent
        self._response = response
        self._before = StepReached() if sent is None else sent.event
        if response is None:
            designed = self._before.step.received or {}
            #: The body; None if it is not JSON.
            self.json: Any = {"actions": designed.get("actions", [])}
        else:
            self.json = response.get_json(silent=True)
        #: The problem body (RFC 9457); None for a valid reply.
        self.problem: JSON | None = self._problem()
        body = self.json if self.ok else {}
        # A reply has keys of a step and of an event.
        self._step = from_json(Step, body)
        self._after = from_json(StepReached, body)

    def __repr__(self) -> str:
        return f"<Reply: {' / '.join(line.text for line in self.lines)}>"

    @property
    def ok(self) -> bool:
        """Whether it is a valid reply."""
        return self.problem is None

    @property
    def response(self) -> Response:
        """The HTTP response.

        :raises RuntimeError: if no request was sent.
        """
        if self._response is None:
            raise RuntimeError(
                "There is no response, because no request was sent: the step does not "
                "use the webhook, or the bot is paused."
            )
        return self._response

    @property
    def status_code(self) -> int:
        """The HTTP status.

        :raises RuntimeError: if no request was sent.
        """
        return self.response.status_code

    @property
    def repeated(self) -> bool:
        """Whether the reply is from the replay store, and no handler ran."""
        if self._response is None:
            return False
        return self._response.headers.get("Idempotent-Replayed") == "true"

    @property
    def actions(self) -> list[Action]:
        """The actions, as models."""
        return self._step.actions

    @property
    def texts(self) -> list[str]:
        """The text of each bubble as sent, which is HTML.

        For a text with alternatives, it is the first one. For plain text, use
        :attr:`bubbles`.
        """
        return [text for text in map(_said, self._raw_actions) if text]

    @property
    def bubbles(self) -> list[str]:
        """The text of each bubble as shown by the webchat, without HTML."""
        bubbles = map(bubble_of, self._raw_actions)
        return [bubble for bubble in bubbles if bubble is not None]

    @property
    def buttons(self) -> list[Clickable]:
        """The quick replies, buttons and choices, in order."""
        return clickables(self.actions)

    @property
    def titles(self) -> list[str]:
        """The titles of the :attr:`buttons`."""
        return [button.title for button in self.buttons]

    @property
    def session(self) -> JSON:
        """The session values after the reply; unchanged if it has no session."""
        brings = self._step.received.get("session") is not None
        return (self._after if brings else self._before).session.values

    @property
    def interlocutor(self) -> Interlocutor:
        """The user after the reply; unchanged if it has no interlocutor."""
        brings = self._step.received.get("interlocutor") is not None
        return (self._after if brings else self._before).interlocutor

    @property
    def lines(self) -> list[Line]:
        """The reply as the user sees it, as lines."""
        if self.problem is not None:
            return render_problem(self.problem)
        return render_reply(self.json, self._before.channel)

    @property
    def _raw_actions(self) -> list[JSON]:
        return self.json["actions"] if self.ok else []

    def _problem(self) -> JSON | None:
        if self._response is None:
            return None
        status = self._response.status_code
        if status == 200:
            return self._invalid()
        problem: JSON = {"status": status, "detail": _phrase(self._response)}
        return problem | (self.json if isinstance(self.json, dict) else {})

    def _invalid(self) -> JSON | None:
        """Return the problem if the body of a 200 is not a valid reply; else None."""
        detail = "The response is not a valid reply"
        if not isinstance(self.json, dict):
            return {"status": 200, "detail": f"{detail}: it is not a JSON object."}
        errors = [
            {"path": path, "message": message}
            for path, message in _wrong_with(self.json, self._before.step.received)
        ]
        if not errors:
            return None
        return {"status": 200, "detail": f"{detail}.", "errors": errors}


def _wrong_with(reply: JSON, step: JSON | None) -> list[tuple[str, str]]:
    """Return paths and sentences of what the platform rejects in a reply.

    Limits are checked only for actions of types that the step did not have, because
    actions of the platform may be sent back unchanged.
    """
    actions = reply.get("actions")
    if not isinstance(actions, list):
        return [("actions", "Must be a list of actions.")]
    wrong = []
    received = (step or {}).get("actions") or []
    types = [each.get("type") for each in received if isinstance(each, dict)]
    for index, action in enumerate(actions):
        if action not in received:
            wrong += _wrong_action(action, f"actions.{index}", types)
    session = reply.get("session")
    if session is not None and not (
        isinstance(session, dict) and isinstance(session.get("values"), dict)
    ):
        wrong.append(("session", "Must be an object with 'values', an object."))
    if not isinstance(reply.get("interlocutor", {}), dict | None):
        wrong.append(("interlocutor", "Must be an object."))
    return wrong


def _wrong_action(action: Any, path: str, received: list[Any]) -> list[tuple[str, str]]:
    kind = action.get("type") if isinstance(action, dict) else None
    model = members_of(Action).get(kind) if isinstance(kind, str) else None
    if model is None:
        return [(f"{path}.type", "Must be the type of an action.")]
    try:
        schema_for(model, received=kind in received).load(action)
    except ValidationError as error:
        return [
            (f"{path}.{found.path}" if found.path else path, found.message)
            for found in violations(error)
        ]
    return []


def _phrase(response: Response) -> str:
    if 300 <= response.status_code < 400:
        target = response.headers.get("Location", "")
        hint = ""
        if target.startswith("https:"):
            hint = " If only HTTPS is missing, set 'PREFERRED_URL_SCHEME' to 'https'."
        return f"The application redirects to '{target}'.{hint}"
    try:
        return HTTPStatus(response.status_code).phrase
    except ValueError:
        return "The server did not return a valid HTTP status."


def _said(action: JSON) -> str | None:
    """Return the text of an action's bubble, as sent."""
    if bubble_of(action) is None:
        return None
    alternatives = action.get("alternatives") or [None]
    text: str | None = action.get("text") or action.get("message") or alternatives[0]
    return text
