"""The chat of the page: simulate the platform, and return what the page draws.

The page sends the state of the conversation with every call, and the server keeps
none. So a conversation survives reloads of the code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from werkzeug.wrappers import Response

from ..channels import WEBCHAT
from ..errors import ClustaarError
from ..models import ButtonAction, Notification, Step
from ..platform.bot import Bot
from ..platform.conversation import Conversation
from ..platform.documents import from_json
from ..platform.notifications import make_notification
from ..platform.offers import Clickable
from ..platform.reply import Reply
from ..transcript import Line
from ..wire import JSON
from .documents import differences, lines_of
from .sending import Sender
from .store import Store


def converse(sender: Sender, store: Store, bot: Bot | None, asked: JSON) -> JSON:
    """Perform an act of the user, and return the new state and what to draw.

    :param asked: ``act``, what the user did; ``state``, from the last call, or None at
        the beginning; ``how`` to send the first request; ``channel``.
    :raises LookupError: if the act is not possible.
    """
    chat = _Chat(sender, store, bot, str(asked.get("channel") or WEBCHAT))
    chat.how = str(asked.get("how") or "fresh")
    if asked.get("state"):
        chat.resume(asked["state"])
    session, user = chat.state["session"], chat.state["user"]
    try:
        _act(chat, asked.get("act") or {})
    except (ClustaarError, LookupError) as error:
        chat.items.append({"problem": str(error)})
    state = chat.state
    return {
        "state": state,
        "items": chat.items,
        "place": chat.step.id,
        "places": chat.places(),
        "session": lines_of(json.dumps(state["session"])),
        "user": lines_of(json.dumps(state["user"])),
        "sessionChanges": list(differences(session, state["session"])),
        "userChanges": list(differences(user, state["user"])),
    }


def _act(chat: _Chat, act: JSON) -> None:
    match act:
        case {"kind": "begin"}:
            pass
        case {"kind": "say", "text": str(text)}:
            _say(chat, text)
        case {"kind": "click", "title": str(title), "action": dict(action)}:
            chat.press(Clickable(title, _button(action)))
        case {"kind": "go", "step": str(step)}:
            chat.go_to(step)
        case _:
            raise LookupError("Unknown act.")


def _say(chat: _Chat, text: str) -> None:
    """Send a message, or execute a command such as ``/step``, as in the terminal."""
    command, _, rest = text.partition(" ")
    if command == "/event" and rest:
        chat.emit(rest)
    elif command == "/url" and rest:
        chat.open_url(rest)
    else:
        # '//' begins a message that begins with '/'.
        chat.say(text[1:] if text.startswith("//") else text)


def _button(action: JSON) -> ButtonAction:
    """Return the action of a button as an object."""
    button = {"type": "quick_reply", "title": "x", "action": action}
    row = {"type": "send_quick_replies_action", "message": "x", "buttons": [button]}
    step: Any = from_json(Step, {"actions": [row]})
    found: ButtonAction = step.actions[0].buttons[0].action
    return found


#: Types of actions that the page draws, so that they need no note.
_DRAWN: Final = frozenset(
    {
        "send_text_action",
        "send_image_action",
        "send_cards_action",
        "send_simple_cards_action",
        "send_quick_replies_action",
        "send_choices_list_action",
        "customer_satisfaction_action",
        "ask_location_action",
        "wait_action",
    }
)


class _Chat(Conversation):
    """A conversation that collects what the page draws."""

    def __init__(
        self, sender: Sender, store: Store, bot: Bot | None, channel: str
    ) -> None:
        self._sender, self._store = sender, store
        self.how = "fresh"
        #: What the page draws, in order.
        self.items: list[JSON] = []
        self._is_drawn = False
        super().__init__(
            self._exchange,
            takes=self._has_handler,
            bot=bot or Bot({}),
            channel=channel,
            listener=self._note,
        )
        handled = self._handled()
        if bot is None:
            for id, name in handled.items():
                self.steps[id] = make_notification(step=id, step_name=name).step
            self.start()

    def places(self) -> list[list[str]]:
        """Return the steps to which the conversation can go, as pairs of id and label.

        These are the known steps, the current step, and the first steps of stories that
        have a name.
        """
        steps = dict.fromkeys([*self.steps, str(self.step.id)])
        stories = self.bot.stories.values() if self.bot else ()
        named = [[each.step, f"Story: {each.name}"] for each in stories if each.name]
        return [*([id, self.label(id)] for id in steps), *named]

    def _handled(self) -> Mapping[str, str]:
        """Return the name of a handler for each step that has one."""
        return {
            id: handler.name.rpartition(".")[2]
            for handler in self._sender.webhook.handlers
            if handler.filter is not None
            for id in sorted(handler.filter.step_ids() or ())
        }

    def _has_handler(self, notification: Notification) -> bool:
        app, webhook = self._sender.app, self._sender.webhook
        with app.test_request_context(method="POST", data=b"{}"):
            return any(each.matched for each in webhook.explain(notification))

    def _exchange(self, body: bytes) -> Response:
        """Send a request; only the first one as ``how`` says."""
        how, self.how = self.how, "fresh"
        ids = self._sender.send(body, "chat", how=how)
        self.items += [{"id": id} for id in ids]
        delivery = self._store.get(ids[-1])
        if delivery is None:
            raise LookupError("The request was not recorded. The log shows why.")
        repeated = {"Idempotent-Replayed": "true"} if delivery["repeated"] else {}
        return Response(
            delivery["reply"],
            delivery["status"],
            repeated,
            content_type="application/json",
        )

    # -- what the page draws -----------------------------------------------------------

    def _show(self, action: JSON, buttons: Sequence[Clickable]) -> None:
        self.items.append({"action": action})
        self._is_drawn = action.get("type") in _DRAWN
        super()._show(action, buttons)
        self._is_drawn = False

    def _take(self, reply: Reply) -> Any:
        if reply.problem is not None:
            self.items.append({"problem": _told(reply.problem), "of": self._last_id()})
        return super()._take(reply)

    def _last_id(self) -> int | None:
        ids = [item["id"] for item in self.items if "id" in item]
        return ids[-1] if ids else None

    def _note(self, line: Line) -> None:
        """Add a note about what users do not see, such as a stored value or a jump."""
        if line.style == "info" and not self._is_drawn:
            self.items.append({"note": line.text.removeprefix("· ")})


def _told(problem: JSON) -> str:
    return f"{problem.get('status')} {problem.get('code') or ''}\n{problem['detail']}"
