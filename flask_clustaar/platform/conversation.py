"""A user's conversation with a bot, played to its end.

:class:`Conversation` does what the platform does: it sends what the user does to the
webhook, runs the actions of the reply, and follows jumps from step to step until the
bot waits for the user again.
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

#: How many jumps in a row are followed, by default.
MAX_JUMPS: Final = 25

#: Sends a body to the webhook.
Call = Callable[[bytes], Response]


class ConversationKeywords(TypedDict, total=False):
    """The keyword arguments of :class:`Conversation`, for those who pass them on."""

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

    With a bot file it runs to its end: values are stored, waits are waited, jumps are
    followed, a paused bot is silent, and a step that does not use the webhook runs as
    it was designed. ``Bot({})`` is a bot of which nothing is known but what handlers
    answer. Without a bot, notifications are sent and replies are shown, and actions are
    not run.

    :param call: sends a signed request with a body to the webhook.
    :param takes: tells if a handler takes a notification; by default one always does.
    :param bot: the bot, or the path of its file.
    :param session: the session values at the beginning.
    :param user: attributes that override the default user, John Doe; or the whole user.
    :param channel: where the conversation takes place.
    :param bot_id: the bot's id; by default that of the bot file.
    :param online: whether an agent is online; by default what the bot file says.
    :param intents: the id of the intent of each phrase, in addition to the bot file's.
    :param attachments: the URL of each document that the user sent, in addition to the
        bot file's; None for one that was not sent.
    :param max_jumps: how many jumps in a row are followed.
    :param sleep: waits for some seconds. By default waiting takes no time, and only
        ``elapsed`` grows.
    :param listener: is called with each line of the transcript when it is added.
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
        #: The bot, as its file describes it; None without one.
        self.bot: Bot | None = bot
        known = Bot({}) if bot is None else bot
        self.channel = channel
        self.bot_id: str | None = bot_id or known.bot_id or BOT_ID
        #: Whether an agent is online; None if nobody said.
        self.online: bool | None = known.online if online is None else online
        #: The id of the intent of each phrase.
        self.intents: dict[str, str | None] = {**known.intents, **intents}
        #: The URL of each document that the user sent.
        self.attachments: dict[str, str | None] = {**known.attachments, **attachments}
        self.max_jumps = max_jumps
        #: The steps that are known, by their ids.
        self.steps: dict[str, Step] = {
            id: _step(id, step.name, step.actions or (), step.user_data)
            for id, step in known.steps.items()
        }
        #: The id of the first step of each story, by the story's id.
        self.stories: dict[str, str] = {
            id: story.step for id, story in known.stories.items()
        }
        self._begin(next(iter(self.steps), STEP_ID))

    def _begin(self, step: str) -> None:
        """Begin, or begin again."""
        session, user = self._begin_with
        #: The session values that the next notification has.
        self.session: JSON = copy_json(session)
        #: The user, with what the bot changed.
        self.user: Interlocutor = copy.deepcopy(as_interlocutor(user))
        #: Whether the bot is paused: then it hears nothing.
        self.paused: bool = False
        #: The last reply.
        self.reply: Reply | None = None
        #: What the user saw since the last thing they did, as plain text: one text for
        #: each bubble.
        self.bubbles: list[str] = []
        #: The steps that were reached, by their names.
        self.visited: list[str] = []
        #: How many seconds the conversation has waited.
        self.elapsed: float = 0
        self.transcript: Transcript = Transcript(self._listener)
        #: The step that the conversation is at.
        self.step: Step = self.steps.get(step) or _step(step)
        self._message: str | None = None
        #: Whether the step was reached: if not, whatever the user does next reaches it.
        self._reached = False
        self._offers = Offers()
        self._shown_place: str | None = None
        self._shown: tuple[JSON, JSON] = {}, _flat(dump(as_interlocutor(NO_VALUES)))

    def __str__(self) -> str:
        return str(self.transcript)

    # -- where the conversation is -----------------------------------------------------

    def start(self, step: str | None = None) -> Self:
        """Begin the conversation again at a step, which the user's next act reaches.

        :param step: the step's name or id; by default the first one of the bot file.
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
        """Put the conversation at a step, which the user's next act reaches.

        The session and the user stay; a paused bot is resumed. A step that is given
        with more than its id is kept in :attr:`steps`, for clicks and jumps that lead
        there.

        :param step: the step's id, or the name of a step that is known.
        :param step_name: the step's name.
        :param actions: what the step would do without the webhook.
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
        """Return what a step is called: by its name if that is known and only its own.

        :param step: the step's id.
        """
        known = self.step if self.step.id == step else None
        name = getattr(self.steps.get(step, known), "name", None)
        named = [id for id, each in self.steps.items() if each.name == name]
        if name in (None, STEP_NAME) or named not in ([], [step]):
            return str(getattr(named_steps.get(step), "name", step))
        return str(name)

    # -- what the user does ------------------------------------------------------------

    def say(self, text: str, *, attachments: Iterable[Attachment] = ()) -> Reply:
        """Write to the bot, or send it media.

        The text reaches the current step if that was not reached yet. After that it
        reaches the step that is its ``next`` in the bot file, or else the same step.
        """
        return self._act(Message(text=text, attachments=list(attachments)))

    def click(self, title: str, *, index: int | None = None) -> Reply:
        """Click on a quick reply, a button of a card or a choice.

        Its target is the next step, and its session values are added. As in the
        webchat, each row of quick replies and each list takes one click, and each
        carousel one click that leads to a step.

        :param title: the title.
        :param index: which one, from 0, if several have the title.
        :raises LookupError: if there is no such button, or if clicking it sends no
            notification.
        """
        __tracebackhide__ = True
        return self._click(title, index, ("quick reply", "button", "choice"))

    def choose(self, title: str, *, index: int | None = None) -> Reply:
        """Choose from a list of choices; else as :meth:`click`."""
        __tracebackhide__ = True
        return self._click(title, index, ("choice",))

    def open_url(self, url: str) -> Reply:
        """Load a page with the webchat, whose URL triggers a story."""
        return self._act(URLLoadedEvent(url=url))

    def emit(self, event: str) -> Reply:
        """Let the website send an event."""
        return self._act(CustomEvent(name=event))

    def go_to(
        self, step: str, *, session_values: Mapping[str, Any] | None = None
    ) -> Reply:
        """Go to a step, as a click does.

        :param step: the step's name or id.
        :param session_values: values to add to the session.
        :raises LookupError: if there is no such step.
        """
        values = None if session_values is None else dict(session_values)
        action = GoToAction.step(self._id_of(step), session_values=values)
        label = self.label(self._target_id(action.target))
        return self._go(action, [Line(f"· goes to {printable(label)}", "user", "you")])

    def press(self, clickable: Clickable) -> Reply:
        """Click on something that a user still sees, whatever the last reply was.

        :raises LookupError: if clicking it sends no notification.
        """
        return self._press(clickable, render_click(clickable.title, None), Group())

    @property
    def state(self) -> JSON:
        """Where the conversation is, as JSON for :meth:`resume`."""
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
        """Go on where another conversation with the bot was, by its :attr:`state`.

        What can be clicked on is not part of it: see :meth:`press`.
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
        """What the user can click on that was shown since the last thing they did."""
        return self._offers.current

    def announce(self) -> None:
        """Add to the transcript where the conversation is, and what was set up.

        This happens by itself before the next thing that the user does.
        """
        at = self.label(str(self.step.id))
        changes = self._changes()
        if at == self._shown_place and not changes:
            return
        # A line between two parts: what follows was set up, and not said by the bot.
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

    # -- what the user does becomes a notification -------------------------------------

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
        """Do something as the user, and let the bot go on until it waits for the user.

        :param said: how the transcript shows it.
        :param step: the step that is reached.
        :param values: session values that are added on the way.
        """
        to_json(input)  # what cannot be sent is an error before anything happens
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
        """Return the step that something reaches that names none."""
        id = str(self.step.id)
        described = self.bot.steps.get(id) if self.bot else None
        if not self._reached or described is None or described.next is None:
            return id
        is_text = isinstance(input, Message | LegacyReplyToMessageAction)
        return described.next if is_text else id

    def _send(self, sent: Notification | None, call: Callable[[], Response]) -> Reply:
        """Send a request of one's own; the conversation goes on from what it says.

        :param sent: the notification in it; None for something else.
        """
        if sent is not None:
            self.session, self.user = copy_json(sent.session.values), sent.interlocutor
            self.channel, self.bot_id = sent.channel, sent.bot_id
            self.step, self._reached = sent.step, False
        self.announce()
        self._offers.next_turn()
        self.bubbles = []
        if sent is None:
            nothing = Line("· something that is not a notification", "user", "you")
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
        """Go on with a reply, and with those of the steps that jumps lead to."""
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
        """Reach a step, and return what it answers."""
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
        """Be at a step."""
        self.step, self._reached = step, True
        at = self.label(str(step.id))
        self.visited.append(at)
        if at != self._shown_place:
            self.transcript.add([render_place(at)])
            self._shown_place = at

    def _check_known(self, id: str, notification: Notification) -> None:
        """Check that a bot file that has steps has this one, or that it is handled."""
        if self.bot is None or not self.bot.steps or id in self.steps:
            return
        missing = f"the step '{id}' is not in {self.bot.source}"
        if not self._takes(notification):
            raise ConversationError(f"T{missing[1:]}, and no handler takes it.")
        self.transcript.add([info(missing)])

    def _is_designed(self, id: str, notification: Notification) -> bool:
        """Tell if a step runs as it was designed, and the webhook is not called."""
        step = self.bot.steps.get(id) if self.bot else None
        if step is None or step.webhook is False:
            return step is not None
        if step.actions is None or self._takes(notification):
            return False
        if step.webhook:
            note = "no handler takes this step, so it runs as it was designed"
            self.transcript.add([info(note)])
        return True

    # -- what the bot answers ----------------------------------------------------------

    def _take(self, reply: Reply) -> Target | None:
        """Go on with a reply; return where its actions jump to."""
        self.reply = reply
        if reply.repeated:
            note = "repeated from the replay store: no handler ran"
            self.transcript.add([info(note)])
        if reply.ok:
            self.session, self.user = copy_json(reply.session), reply.interlocutor
            return self._run(reply)
        self.transcript.add(reply.lines)
        return None

    def _run(self, reply: Reply) -> Target | None:
        """Show and run actions, in their order; return where they jump to."""
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
                    self._tell_of_jump(action)
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
        """Decide where a jump leads."""
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

    def _tell_of_jump(self, action: Action) -> None:
        if isinstance(action, JumpToAction):
            note = "the jump is not followed: that takes a bot file, or 'go_to'"
            self.transcript.add([info(note)])

    def _skip(self, count: int) -> None:
        if count:
            actions = "1 action" if count == 1 else f"{count} actions"
            self.transcript.add([info(f"{actions} after this: not run")])

    # -- the transcript ----------------------------------------------------------------

    def _show_changes(self) -> None:
        """Add what changed in the session and the user since the user did something."""
        self.transcript.add(self._changes())
        self._shown = copy_json(self.session), self.user_values

    def _changes(self) -> list[Line]:
        session, user = self._shown
        return [
            *render_changes("session", session, self.session),
            *render_changes("user", user, self.user_values),
        ]

    def _setup(self) -> list[Line]:
        """Return the lines that set up a conversation otherwise than by default."""
        lines = []
        if self.channel != WEBCHAT:
            lines.append(Line(f"channel = {as_json(self.channel)}", "value"))
        given = self.bot.online if self.bot else None
        if self.online != given:
            lines.append(Line(f"online = {as_json(self.online)}", "value"))
        return lines

    # -- steps and stories -------------------------------------------------------------

    def step_id(self, step: str) -> str | None:
        """Return the id of the step that a name or an id names; None if none is known.

        :param step: an id, the name of a step that is known, or a step of
            :mod:`flask_clustaar.steps`.
        """
        step = getattr(step, "ids", {}).get(self.bot_id, step)
        if step in self.steps or OBJECT_ID.accepts(step):
            return step
        named = [id for id, each in self.steps.items() if each.name == step]
        return named[0] if len(named) == 1 else None

    def _id_of(self, step: str) -> str:
        """Return the id of the step that a name or an id names.

        :raises LookupError: if it is a name that the bot file does not have.
        """
        id = self.step_id(step)
        if id is None and self.bot is not None:
            return self.bot.step(step).id
        return step if id is None else id

    def _target_id(self, target: Target) -> str:
        """Return the step that a click or a jump leads to."""
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
                "Add it there: a step that begins it has its id as 'story'."
            )
        return (
            f"The step that the story '{story}' begins with is not known. Say it "
            f"before: client.stories['{story}'] = '<id of the step>'"
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
    """Return why a connection was taken, as the end of a sentence."""
    if connection is None:
        return ""
    return f": {render_predicates(to_json(connection))}"


def _flat(user: JSON) -> JSON:
    """Return a user's attributes by their names in the models."""
    values = {
        attribute.name: user[attribute.key]
        for attribute in attributes_of(Interlocutor)
        if attribute.key in user
    }
    custom = values.pop("custom_attributes", None) or {}
    return values | {f"custom_attributes.{key}": custom[key] for key in custom}


def _no_notification(title: str, what: str) -> ConversationError:
    return ConversationError(f"'{title}' {what}: the webhook is not called.")
