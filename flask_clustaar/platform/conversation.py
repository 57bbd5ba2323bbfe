"""A user's conversation with a bot.

:class:`Conversation` simulates the platform: it sends every act of the user to the
webhook, executes the actions of the reply, and follows jumps until the bot waits for
the user again.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self, TypedDict

from werkzeug.wrappers import Response

from ..channels import WEBCHAT
from ..describe import named_steps
from ..models import (
    Action,
    Attachment,
    CustomerSatisfactionCallbackAction,
    CustomEvent,
    FlowConnection,
    GoToAction,
    Input,
    Interlocutor,
    JumpToAction,
    LegacyReplyToMessageAction,
    Message,
    Notification,
    OpenURLAction,
    Step,
    StoryTarget,
    Target,
    URLLoadedEvent,
)
from ..printable import printable
from ..schemas.attributes import attributes_of
from ..schemas.limits import OBJECT_ID
from ..transcript import (
    Line,
    Transcript,
    as_json,
    bubble_of,
    info,
    literal,
    render_action,
    render_changes,
    render_click,
    render_input,
    render_place,
    render_predicates,
)
from ..wire import JSON, copy_json
from .bot import Bot
from .conditions import Facts, decide, stored
from .documents import dump, encode, from_json, to_json
from .errors import ConversationError, JumpLoop
from .notifications import (
    BOT_ID,
    NO_VALUES,
    STEP_ID,
    STEP_NAME,
    as_interlocutor,
    make_notification,
)
from .offers import Clickable, Group, Kind, Offers
from .reply import Reply
from .signer import distinct

#: Default limit of consecutive jumps.
MAX_JUMPS: Final = 25

#: Sends a body to the webhook, and returns the response.
Call = Callable[[bytes], Response]


class ConversationKeywords(TypedDict, total=False):
    """The keyword arguments of :class:`Conversation`."""

    bot: Bot | str | Path | None
    session: Mapping[str, Any]
    user: Interlocutor | Mapping[str, Any]
    channel: str | None
    bot_id: str | None
    online: bool | None
    intents: Mapping[str, str | None]
    attachments: Mapping[str, str | None]
    max_jumps: int
    sleep: Callable[[float], object] | None
    listener: Callable[[Line], object] | None


class Conversation:
    """A user's conversation with a bot.

    With a bot file, actions are executed: values are stored, waits take time, jumps are
    followed, and a paused bot is silent. A step that does not use the webhook executes
    its own actions. ``Bot({})`` is a bot that has only handlers. Without a bot,
    notifications are sent and replies are shown, but actions are not executed.

    :param call: sends a signed request with a body to the webhook.
    :param takes: returns whether a handler matches a notification. Default: always.
    :param bot: the bot, or the path of its file.
    :param session: the initial session values.
    :param user: attributes that override the default user, John Doe; or the whole user.
    :param channel: the channel of the conversation.
    :param bot_id: the bot's id. Default: as in the bot file.
    :param online: whether an agent is online. Default: as in the bot file.
    :param intents: ids of intents, by phrase, added to those of the bot file.
    :param attachments: URLs of documents that the user sent, by name, added to those of
        the bot file; None for a missing document.
    :param max_jumps: the maximum number of consecutive jumps.
    :param sleep: called with the seconds of a wait. By default, waits take no time, and
        only ``elapsed`` grows.
    :param listener: called with each line that is added to the transcript.
    """

    def __init__(
        self,
        call: Call,
        *,
        takes: Callable[[Notification], bool] = lambda notification: True,
        bot: Bot | str | Path | None = None,
        session: Mapping[str, Any] = NO_VALUES,
        user: Interlocutor | Mapping[str, Any] = NO_VALUES,
        channel: str | None = WEBCHAT,
        bot_id: str | None = None,
        online: bool | None = None,
        intents: Mapping[str, str | None] = NO_VALUES,
        attachments: Mapping[str, str | None] = NO_VALUES,
        max_jumps: int = MAX_JUMPS,
        sleep: Callable[[float], object] | None = None,
        listener: Callable[[Line], object] | None = None,
    ) -> None:
        self._call, self._takes = call, takes
        self._sleep, self._listener = sleep, listener
        self._begin_with = dict(session), user
        if isinstance(bot, str | Path):
            bot = Bot.read(bot)
        #: The content of the bot file; None without one.
        self.bot: Bot | None = bot
        known = Bot({}) if bot is None else bot
        self.channel = channel
        self.bot_id: str | None = bot_id or known.bot_id or BOT_ID
        #: Whether an agent is online; None if unknown.
        self.online: bool | None = known.online if online is None else online
        #: The ids of intents, by phrase.
        self.intents: dict[str, str | None] = {**known.intents, **intents}
        #: The URLs of documents that the user sent, by name.
        self.attachments: dict[str, str | None] = {**known.attachments, **attachments}
        self.max_jumps = max_jumps
        #: The known steps, by id.
        self.steps: dict[str, Step] = {
            id: _step(id, step.name, step.actions or (), step.user_data)
            for id, step in known.steps.items()
        }
        #: The ids of the first steps of stories, by story id.
        self.stories: dict[str, str] = {
            id: story.step for id, story in known.stories.items()
        }
        self._begin(next(iter(self.steps), STEP_ID))

    def _begin(self, step: str) -> None:
        """Start the conversation, or start it again."""
        session, user = self._begin_with
        #: The session values for the next notification.
        self.session: JSON = copy_json(session)
        #: The user, with the bot's changes.
        self.user: Interlocutor = copy.deepcopy(as_interlocutor(user))
        #: Whether the bot is paused, and ignores the user.
        self.paused: bool = False
        #: The last reply.
        self.reply: Reply | None = None
        #: The plain text of each bubble since the user's last act.
        self.bubbles: list[str] = []
        #: The names of the steps that were reached, in order.
        self.visited: list[str] = []
        #: The total of all waits, in seconds.
        self.elapsed: float = 0
        self.transcript: Transcript = Transcript(self._listener)
        #: The current step.
        self.step: Step = self.steps.get(step) or _step(step)
        self._message: str | None = None
        #: Whether the step was reached. If not, the user's next act reaches it.
        self._reached = False
        self._offers = Offers()
        self._shown_place: str | None = None
        self._shown: tuple[JSON, JSON] = {}, _flat(dump(as_interlocutor(NO_VALUES)))

    def __str__(self) -> str:
        return str(self.transcript)

    # -- the current step --------------------------------------------------------------

    def start(self, step: str | None = None) -> Self:
        """Start the conversation again; the user's next act reaches the step.

        :param step: the name or id of the step. Default: the first of the bot file.
        :raises LookupError: if there is no such step.
        """
        first = next(iter(self.steps), STEP_ID)
        self._begin(first if step is None else self._id_of(step))
        return self

    def at(
        self,
        step: str,
        *,
        step_name: str | None = None,
        actions: Iterable[Action | JSON] = (),
        user_data: str | None = None,
    ) -> Self:
        """Set the current step; the user's next act reaches it.

        The session and the user are unchanged; a paused bot resumes. If you pass more
        than the id, the step is stored in :attr:`steps`, for later clicks and jumps.

        :param step: the id of the step, or the name of a known step.
        :param step_name: the name of the step.
        :param actions: the actions that the step has in the platform.
        :param user_data: value of the step's userData field.
        :raises LookupError: if there is no such step in the bot file.
        """
        given = _step(step, step_name, actions, user_data)
        id = self.step_id(step)
        if step_name is not None or given.actions or user_data is not None:
            id = id or step
            self.steps[id] = _step(id, step_name, given.actions, user_data)
        id = id or self._id_of(step)
        self.step = self.steps.get(id) or _step(id)
        self._reached = self.paused = False
        self._shown_place = None
        return self

    def label(self, step: str) -> str:
        """Return the name of a step if it is known and unique, otherwise the id.

        :param step: the step's id.
        """
        known = self.step if self.step.id == step else None
        name = getattr(self.steps.get(step, known), "name", None)
        named = [id for id, each in self.steps.items() if each.name == name]
        if name in (None, STEP_NAME) or named not in ([], [step]):
            return str(getattr(named_steps.get(step), "name", step))
        return str(name)

    # -- acts of the user --------------------------------------------------------------

    def say(self, text: str, *, attachments: Iterable[Attachment] = ()) -> Reply:
        """Send a message or media, and return the reply.

        The message reaches the current step, if that was not reached yet. Otherwise it
        reaches the step's ``next`` in the bot file, or the same step again.
        """
        return self._act(Message(text=text, attachments=list(attachments)))

    def click(self, title: str, *, index: int | None = None) -> Reply:
        """Click on a quick reply, a card's button or a choice, and return the reply.

        The click reaches the target step, and adds its session values. As in the
        webchat, a row of quick replies or a list accepts one click, and a carousel
        accepts one click that leads to a step.

        :param title: the title.
        :param index: its index, from 0, among buttons with the same title.
        :raises LookupError: if there is no such button, or if clicking it sends no
            notification.
        """
        __tracebackhide__ = True
        return self._click(title, index, ("quick reply", "button", "choice"))

    def choose(self, title: str, *, index: int | None = None) -> Reply:
        """Choose from a list of choices; otherwise like :meth:`click`."""
        __tracebackhide__ = True
        return self._click(title, index, ("choice",))

    def open_url(self, url: str) -> Reply:
        """Open a page with the webchat; its URL triggers a story."""
        return self._act(URLLoadedEvent(url=url))

    def emit(self, event: str) -> Reply:
        """Send an event from the website."""
        return self._act(CustomEvent(name=event))

    def go_to(
        self, step: str, *, session_values: Mapping[str, Any] | None = None
    ) -> Reply:
        """Reach a step, as a click does.

        :param step: the name or id of the step.
        :param session_values: values to add to the session.
        :raises LookupError: if there is no such step.
        """
        values = None if session_values is None else dict(session_values)
        action = GoToAction.step(self._id_of(step), session_values=values)
        label = self.label(self._target_id(action.target))
        return self._go(action, [Line(f"· goes to {printable(label)}", "user", "you")])

    def press(self, clickable: Clickable) -> Reply:
        """Click on a button of any reply, not only of the last one.

        :raises LookupError: if clicking it sends no notification.
        """
        return self._press(clickable, render_click(clickable.title, None), Group())

    @property
    def state(self) -> JSON:
        """The state of the conversation, as JSON for :meth:`resume`."""
        return {
            "session": copy_json(self.session),
            "user": dump(self.user),
            "step": dump(self.step),
            "reached": self._reached,
            "paused": self.paused,
            "message": self._message,
            "elapsed": self.elapsed,
        }

    def resume(self, state: JSON) -> Self:
        """Continue from the :attr:`state` of another conversation with the bot.

        The state does not include buttons: use :meth:`press`.
        """
        self.session = copy_json(state["session"])
        self.user = from_json(Interlocutor, state["user"])
        self.step = from_json(Step, state["step"])
        self.paused, self.elapsed = bool(state["paused"]), float(state["elapsed"])
        self._reached, self._message = bool(state["reached"]), state["message"]
        self._shown_place = self.label(str(self.step.id))
        self._shown = copy_json(self.session), self.user_values
        return self

    @property
    def offers(self) -> list[Clickable]:
        """What the user can click on since their last act."""
        return self._offers.current

    def announce(self) -> None:
        """Add the current step and the set-up to the transcript.

        This also happens automatically before the user's next act.
        """
        at = self.label(str(self.step.id))
        changes = self._changes()
        if at == self._shown_place and not changes:
            return
        # Separate two parts, because the values below are set-up, not the bot's.
        gap = [Line("", "place")] if self.transcript.lines else []
        place = render_place(at)
        self._shown_place = at
        setup = [] if gap else self._setup()
        self.transcript.add([*gap, place, *setup, *changes])
        self._shown = copy_json(self.session), self.user_values

    @property
    def user_values(self) -> JSON:
        """The user's attributes as JSON, by their names in the models."""
        return _flat(dump(self.user))

    # -- clicks ------------------------------------------------------------------------

    def _click(self, title: str, index: int | None, kinds: tuple[Kind, ...]) -> Reply:
        __tracebackhide__ = True
        if self.reply is not None and self.reply.problem is not None:
            raise ConversationError(
                f"There is no '{title}' to click on: the last answer was an error, "
                f"'{literal(str(self.reply.lines[0].text))}'."
            )
        offer, number = self._offers.find(literal(title), index, kinds)
        said = render_click(offer.clickable.title, number)
        return self._press(offer.clickable, said, offer.group)

    def _press(self, clickable: Clickable, said: Sequence[Line], group: Group) -> Reply:
        __tracebackhide__ = True
        step = values = None
        match clickable.action:
            case GoToAction() as input:
                step, values = self._target_id(input.target), input.session_values
            case CustomerSatisfactionCallbackAction(target=target) if target:
                input, step = GoToAction(target=target), self._target_id(target)
            case LegacyReplyToMessageAction() as input:
                pass
            case OpenURLAction(url=url):
                raise _no_notification(clickable.title, f"opens '{url}'")
            case other:
                what = f"is a '{other.type}' that leads to no step"
                raise _no_notification(clickable.title, what)
        group.spent_by = clickable.title
        return self._act(input, said, step, values)

    # -- notifications -----------------------------------------------------------------

    def _go(self, action: GoToAction, said: Sequence[Line]) -> Reply:
        step = self._target_id(action.target)
        return self._act(action, said, step, action.session_values)

    def _act(
        self,
        input: Input,
        said: Sequence[Line] = (),
        step: str | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> Reply:
        """Send an act of the user, and run the bot until it waits for the user.

        :param said: the lines of the act in the transcript.
        :param step: the id of the step that is reached.
        :param values: session values to add.
        """
        to_json(input)  # Raises for an invalid input, before anything changes.
        self.announce()
        self._offers.next_turn()
        self.bubbles = []
        self.transcript.add(said or render_input(input))
        if isinstance(input, Message):
            self._message = input.text
        elif isinstance(input, LegacyReplyToMessageAction):
            self._message = input.message
        if self.paused:
            self.transcript.add([info("the bot is paused")])
            self.reply = Reply(None, None)
            return self.reply
        self.session |= values or {}
        try:
            reached = step or self._step_for(input)
            return self._follow(self._reach(reached, input), input)
        finally:
            self._show_changes()

    def _step_for(self, input: Input) -> str:
        """Return the id of the step that an input without target reaches."""
        id = str(self.step.id)
        described = self.bot.steps.get(id) if self.bot else None
        if not self._reached or described is None or described.next is None:
            return id
        is_text = isinstance(input, Message | LegacyReplyToMessageAction)
        return described.next if is_text else id

    def _send(self, sent: Notification | None, call: Callable[[], Response]) -> Reply:
        """Send a given request, and continue the conversation from its notification.

        :param sent: the notification in the request; None if it has none.
        """
        if sent is not None:
            self.session, self.user = copy_json(sent.session.values), sent.interlocutor
            self.channel, self.bot_id = sent.channel, sent.bot_id
            self.step, self._reached = sent.step, False
        self.announce()
        self._offers.next_turn()
        self.bubbles = []
        if sent is None:
            nothing = Line("· not a notification", "user", "you")
            self.transcript.add([nothing])
            self.reply = Reply(call(), None)
            self.transcript.add(self.reply.lines)
            return self.reply
        self._message = sent.text or self._message
        self.transcript.add(render_input(sent.input))
        self._enter(sent.step)
        try:
            return self._follow(Reply(call(), sent), sent.input)
        finally:
            self._show_changes()

    def _follow(self, reply: Reply, input: Input | None) -> Reply:
        """Execute a reply, and follow its jumps from step to step."""
        path = [str(self.step.id)]
        target = self._take(reply)
        while target is not None:
            if len(path) > self.max_jumps:
                raise JumpLoop([self.label(each) for each in path])
            path.append(self._target_id(target))
            reply = self._reach(path[-1], input)
            target = self._take(reply)
        return reply

    def _reach(self, id: str, input: Input | None) -> Reply:
        """Reach a step, and return its reply."""
        here = self.step if self.step.id == id else _step(id)
        step = self.steps.get(id, here)
        self._enter(step)
        notification = make_notification(
            step=step,
            input=input,
            session=self.session,
            user=self.user,
            channel=self.channel,
            bot_id=self.bot_id,
            timestamp=int(time.time() + (0 if self._sleep else self.elapsed)),
        )
        self._check_known(id, notification)
        if self._is_designed(id, notification):
            return Reply(None, notification)
        body = distinct(encode(notification.received))
        return Reply(self._call(body), notification)

    def _enter(self, step: Step) -> None:
        """Make a step the current one."""
        self.step, self._reached = step, True
        at = self.label(str(step.id))
        self.visited.append(at)
        if at != self._shown_place:
            self.transcript.add([render_place(at)])
            self._shown_place = at

    def _check_known(self, id: str, notification: Notification) -> None:
        """Check that the bot file, if it has steps, or a handler knows this step.

        :raises ConversationError: if neither does.
        """
        if self.bot is None or not self.bot.steps or id in self.steps:
            return
        missing = f"the step '{id}' is not in {self.bot.source}"
        if not self._takes(notification):
            raise ConversationError(f"T{missing[1:]}, and no handler matches it.")
        self.transcript.add([info(missing)])

    def _is_designed(self, id: str, notification: Notification) -> bool:
        """Return whether a step executes its own actions, without the webhook."""
        step = self.bot.steps.get(id) if self.bot else None
        if step is None or step.webhook is False:
            return step is not None
        if step.actions is None or self._takes(notification):
            return False
        if step.webhook:
            note = "no handler matches this step, so its own actions are executed"
            self.transcript.add([info(note)])
        return True

    # -- replies -----------------------------------------------------------------------

    def _take(self, reply: Reply) -> Target | None:
        """Execute a reply; return the target of its jump, if it has one."""
        self.reply = reply
        if reply.repeated:
            note = "repeated: the replay store had the reply, so no handler ran"
            self.transcript.add([info(note)])
        if reply.ok:
            self.session, self.user = copy_json(reply.session), reply.interlocutor
            return self._run(reply)
        self.transcript.add(reply.lines)
        return None

    def _run(self, reply: Reply) -> Target | None:
        """Show and execute actions, in order; return the target of a jump."""
        actions: list[JSON] = reply.json["actions"]
        if not actions:
            self.transcript.add([info("says nothing")])
        for place, (raw, action) in enumerate(zip(actions, reply.actions, strict=True)):
            if self.bot is not None and isinstance(action, JumpToAction):
                target = self._jump(action)
            else:
                self._show(raw, [each for each in reply.buttons if each.place == place])
                target = None
                if self.bot is None:
                    self._describe_jump(action)
                else:
                    self._carry_out(raw)
            if target is not None or self.paused:
                self._skip(len(actions) - place - 1)
                return target
        return None

    def _show(self, action: JSON, buttons: Sequence[Clickable]) -> None:
        self.transcript.add(render_action(action, self.channel))
        bubble = bubble_of(action)
        if bubble is not None:
            self.bubbles.append(bubble)
        self._offers.add(buttons)

    def _carry_out(self, action: JSON) -> None:
        match action["type"]:
            case "wait_action":
                seconds = action["duration"]
                self.elapsed += seconds
                if self._sleep is not None:
                    self._sleep(seconds)
            case "store_session_value_action":
                key = action["key"]
                self.session[key] = stored(action, self.session.get(key))
            case "set_user_attribute_action":
                key, attributes = action["key"], self.user.custom_attributes
                value = stored(action, attributes.get(key))
                attributes[key] = value if isinstance(value, str) else as_json(value)
            case "pause_bot_action":
                self.paused = True

    def _jump(self, action: JumpToAction) -> Target | None:
        """Evaluate a jump; return its target, or None to stay."""
        facts = Facts(
            message=self._message,
            session=self.session,
            attributes=self.user.custom_attributes,
            is_logged=self.user.is_logged is True,
            online=self.online,
            intents=self.intents,
            attachments=self.attachments,
        )
        target, connection = decide(action, facts)
        if target is None:
            self.transcript.add([info("jumps nowhere")])
            return None
        label = self.label(self._target_id(target))
        self.transcript.add([info(f"jumps to {printable(label)}{_reason(connection)}")])
        return target

    def _describe_jump(self, action: Action) -> None:
        if isinstance(action, JumpToAction):
            note = "the jump is not followed: pass a bot file, or call 'go_to'"
            self.transcript.add([info(note)])

    def _skip(self, count: int) -> None:
        if count:
            actions = "1 action" if count == 1 else f"{count} actions"
            self.transcript.add([info(f"{actions} after the jump: not executed")])

    # -- the transcript ----------------------------------------------------------------

    def _show_changes(self) -> None:
        """Add the changes of session and user since the user's last act."""
        self.transcript.add(self._changes())
        self._shown = copy_json(self.session), self.user_values

    def _changes(self) -> list[Line]:
        session, user = self._shown
        return [
            *render_changes("session", session, self.session),
            *render_changes("user", user, self.user_values),
        ]

    def _setup(self) -> list[Line]:
        """Return lines for the values that differ from the defaults."""
        lines = []
        if self.channel != WEBCHAT:
            lines.append(Line(f"channel = {as_json(self.channel)}", "value"))
        given = self.bot.online if self.bot else None
        if self.online != given:
            lines.append(Line(f"online = {as_json(self.online)}", "value"))
        return lines

    # -- steps and stories -------------------------------------------------------------

    def step_id(self, step: str) -> str | None:
        """Return the id of a step; None if the step is unknown.

        :param step: an id, the name of a known step, or a step of
            :mod:`flask_clustaar.steps`.
        """
        step = getattr(step, "ids", {}).get(self.bot_id, step)
        if step in self.steps or OBJECT_ID.accepts(step):
            return step
        named = [id for id, each in self.steps.items() if each.name == step]
        return named[0] if len(named) == 1 else None

    def _id_of(self, step: str) -> str:
        """Return the id of a step.

        :raises LookupError: if the step is unknown.
        """
        id = self.step_id(step)
        if id is None and self.bot is not None:
            return self.bot.step(step).id
        return step if id is None else id

    def _target_id(self, target: Target) -> str:
        """Return the id of the step that a target leads to."""
        id = str(to_json(target)["id"])
        if isinstance(target, StoryTarget):
            if id not in self.stories:
                raise ConversationError(self._unknown_story(id))
            return self.stories[id]
        return id

    def _unknown_story(self, story: str) -> str:
        if self.bot is not None and self.bot.steps:
            return (
                f"It leads to the story '{story}', which is not in {self.bot.source}. "
                "Add the story: set its id as 'story' of its first step."
            )
        return (
            f"The first step of the story '{story}' is unknown. Set it first: "
            f"client.stories['{story}'] = '<id of the step>'"
        )


def _step(
    id: str,
    name: str | None = None,
    actions: Iterable[Action | JSON] = (),
    user_data: str | None = None,
) -> Step:
    document = {
        "id": id,
        "name": STEP_NAME if name is None else name,
        "userData": user_data,
        "actions": [to_json(action) for action in actions],
    }
    return from_json(Step, document)


def _reason(connection: FlowConnection | None) -> str:
    """Return the conditions of the connection, as the end of a sentence."""
    if connection is None:
        return ""
    return f": {render_predicates(to_json(connection))}"


def _flat(user: JSON) -> JSON:
    """Return the attributes of a user, with their names in the models."""
    values = {
        attribute.name: user[attribute.key]
        for attribute in attributes_of(Interlocutor)
        if attribute.key in user
    }
    custom = values.pop("custom_attributes", None) or {}
    return values | {f"custom_attributes.{key}": custom[key] for key in custom}


def _no_notification(title: str, what: str) -> ConversationError:
    return ConversationError(f"'{title}' {what}, so the webhook is not called.")
