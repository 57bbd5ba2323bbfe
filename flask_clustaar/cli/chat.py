"""``flask clustaar chat``: talk to the bot in the terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import click

from ..errors import ProblemError
from ..platform.bot import Bot
from ..printable import printable
from ..testing import STEP_ID, ClustaarClient
from ..transcript import Line, as_json, info
from ..wire import JSON
from .application import chosen, handled_steps, load_app, webhooks_of
from .files import read_bot
from .lines import say, warn_of_reply
from .log import held_back_log, print_log
from .options import (
    FILE,
    bot_id_option,
    channel_option,
    complete_step,
    session_option,
    user_option,
    webhook_option,
)
from .target import answer_exceptions, known_address
from .terminal import echo, echo_json, is_terminal


@click.command("chat")
@webhook_option
@click.option(
    "--step",
    metavar="STEP",
    shell_complete=complete_step,
    help="Id or name of the first step. Default: the first step of the bot file, or "
    "the first step that has a handler.",
)
@click.option("--step-name", metavar="TEXT", help="Name of that step.")
@click.option(
    "--steps",
    "--bot",
    "steps",
    metavar="FILE",
    type=FILE,
    is_eager=True,
    help="Bot file with the steps and stories of the bot. With it, the conversation "
    "follows jumps, stores values and waits, as on the platform.",
)
@session_option
@user_option
@channel_option
@bot_id_option
@click.option(
    "--online/--offline",
    default=None,
    help="Whether an agent is online. Default: as in the bot file.",
)
@click.option(
    "--save",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="At the end, save the conversation as a story, such as 'test_red.story'.",
)
@click.option(
    "--ignore-problems",
    is_flag=True,
    help="Exit with status 0 even if a piped line fails.",
)
def command(
    webhook: str | None,
    step: str | None,
    step_name: str | None,
    steps: str | None,
    session: JSON,
    user: JSON,
    channel: str,
    bot_id: str | None,
    online: bool | None,
    save: str | None,
    ignore_problems: bool,
) -> None:
    """Talk to the bot in the terminal.

    Type what the user types. To click, type the title or the number of a button.
    '/help' lists the commands; Tab completes commands, buttons and steps. Without a
    terminal, the lines are read from standard input.

    \b
      flask clustaar chat
      flask clustaar chat --step 507f191e810c19729de860ea --session city=Paris
      flask clustaar chat --steps bot.json --save test_red.story
      printf 'hello\\n1\\n/session\\n' | flask clustaar chat

    The exit status is 1 if a piped line fails.
    """
    app = load_app()
    bot = read_bot(steps) if steps else None
    if save is not None:
        _refuse_existing(Path(save))
    hook = chosen(webhooks_of(app), webhook)
    answer_exceptions(app)
    known_address(app, hook)
    typed = is_terminal(sys.stdin) and is_terminal(sys.stdout)
    lines = _Lines(echo_typed=not typed)
    try:
        client = ClustaarClient(
            app,
            hook,
            bot=bot or Bot({}),
            session=session,
            user=user,
            channel=channel,
            bot_id=bot_id,
            online=online,
            sleep=time.sleep,
            listener=lines.print,
        )
        handled = {} if bot else handled_steps(hook)
        first = step if step or bot else next(iter(handled), STEP_ID)
        chat = _Chat(client, lines, handled, first, step_name)
        if typed:
            echo("Type a message. '/help' lists the commands.")
        chat.begin()
    except (LookupError, TypeError, ValueError) as error:
        raise click.UsageError(str(error)) from error
    for line in _typed(chat.completions) if typed else _piped():
        if not chat.hear(line):
            break
    if save is not None:
        chat.save(save)
    if chat.met_problem and not typed and not ignore_problems:
        click.get_current_context().exit(1)


# -- input ---------------------------------------------------------------------------


def _typed(completions: Callable[[str], list[str]]) -> Iterator[str]:
    """Yield the lines typed in a terminal, with history and completion."""
    with suppress(ImportError):
        import readline

        def complete(text: str, state: int) -> str | None:
            found = completions(text)
            return found[state] if state < len(found) else None

        readline.set_completer(complete)
        readline.set_completer_delims("")
        apple = "libedit" in (readline.__doc__ or "")
        readline.parse_and_bind("bind ^I rl_complete" if apple else "tab: complete")
    while True:
        try:
            yield input("you  ")
        except (EOFError, KeyboardInterrupt):
            click.echo()
            return


def _piped() -> Iterator[str]:
    """Yield the lines of standard input."""
    for line in sys.stdin or ():
        yield line.rstrip("\r\n")


class _Lines:
    """Prints the lines of the transcript.

    :param echo_typed: whether to print the input; a terminal already shows it.
    """

    def __init__(self, *, echo_typed: bool) -> None:
        self.echo_typed = echo_typed
        #: The last line that was typed.
        self.typed = ""

    def print(self, line: Line) -> None:
        is_on_screen = line.style == "user" and (
            not line.text.startswith(("[", "·")) or line.text == f"[{self.typed}]"
        )
        if self.echo_typed or not is_on_screen:
            say([line])


# -- the conversation ----------------------------------------------------------------


class _Chat:
    """A conversation whose user is in the terminal.

    :param handled: the steps that handlers ask for, by id, with the handlers' names;
        empty if there is a bot file, which names the steps.
    :param first: the id of the first step; None for the first one of the bot file.
    :param name: a name for that step; None to keep its own.
    """

    def __init__(
        self,
        client: ClustaarClient,
        lines: _Lines,
        handled: Mapping[str, str],
        first: str | None,
        name: str | None,
    ) -> None:
        self._client, self._lines, self._handled = client, lines, handled
        self._first, self._name = first, name
        #: Whether a line failed.
        self.met_problem = False

    def begin(self, _: str = "") -> None:
        """Start the conversation, or start it again."""
        client = self._client.start(self._first)
        if self._name is not None:
            step = str(client.step.id)
            actions, user_data = client.step.actions, client.step.user_data
            client.at(step, step_name=self._name, actions=actions, user_data=user_data)
        client.announce()

    def hear(self, line: str) -> bool:
        """Execute a line; return False if it ends the conversation."""
        text = line.strip()
        self._lines.typed = text
        is_command = text.startswith("/") and not text.startswith("//")
        if is_command and self._lines.echo_typed:
            say([Line(text, "user", "you")])
        if text in ("/quit", "/exit"):
            return False
        before = self._client.reply
        with held_back_log() as records:
            try:
                if is_command:
                    self._command(text)
                elif text:
                    self._act(text)
            except (
                click.ClickException,
                ProblemError,
                LookupError,
                TypeError,
                ValueError,
            ) as error:
                self.met_problem = True
                say([Line(str(error), "problem")])
            except KeyboardInterrupt:
                click.echo()
                return False
        reply = self._client.reply
        problem = None
        if reply is not None and reply is not before:
            problem = reply.problem
            self.met_problem = self.met_problem or problem is not None
            if problem is None:
                warn_of_reply(reply.json, self._client.channel)
        print_log(records, problem)
        return True

    def _act(self, text: str) -> None:
        """Click the button that the text names, or send the text as a message."""
        number = self._number(text)
        if number is None:
            # '//' begins a message that begins with '/'.
            self._client.say(text.removeprefix("/"))
            return
        offered = self._client.offers
        title = offered[number].title
        same = [index for index, each in enumerate(offered) if each.title == title]
        index = same.index(number) if len(same) > 1 else None
        self._client.click(title, index=index)

    def _number(self, text: str) -> int | None:
        """Return the index of the button that a text names; None if no button has it.

        :raises LookupError: if several buttons have this title.
        """
        titles = [each.title.casefold() for each in self._client.offers]
        if text.isdecimal() and 0 < int(text) <= len(titles):
            return int(text) - 1
        found = [i for i, title in enumerate(titles) if title == text.casefold()]
        if len(found) > 1:
            numbers = ", ".join(str(index + 1) for index in found)
            raise LookupError(
                f"Several buttons have this title. Type a number: {numbers}."
            )
        return found[0] if found else None

    def completions(self, text: str) -> list[str]:
        """Return the lines that begin with a text: commands, buttons and steps."""
        steps = self._client.steps
        names = [each.name for each in steps.values() if each.name]
        lines = [
            *(f"/{name}" for name in _COMMANDS),
            "/quit",
            *(f"/step {step}" for step in [*names, *steps, *self._handled]),
            *(each.title for each in self._client.offers),
        ]
        begun = text.casefold()
        return [
            each
            for each in lines
            # A terminal would carry out what is in a title.
            if each.casefold().startswith(begun) and printable(each) == each
        ]

    # -- commands ----------------------------------------------------------------------

    def _command(self, text: str) -> None:
        name, _, rest = text[1:].partition(" ")
        if name not in _COMMANDS:
            raise LookupError(f"Unknown command '/{name}'. '/help' lists the commands.")
        _COMMANDS[name][0](self, rest.strip())

    def _help(self, _: str) -> None:
        rows = [(f"/{name}", text) for name, (_do, text) in _COMMANDS.items()]
        rows += [("/quit", "end the conversation")]
        rows += [("//...", "send a message that begins with '/'")]
        for name, text in rows:
            echo(text, label=f"     · {name:<9} ", looks=_DIM, label_looks=_DIM)

    def _session(self, _: str = "") -> None:
        say([info(f"session {as_json(self._client.session)}")])

    def _step(self, step: str) -> None:
        client = self._client
        if step:
            if client.step_id(step) is None:
                raise LookupError(
                    f"Unknown step '{step}'. '/step' lists the known steps. For "
                    "another step, type its id (24 letters and digits)."
                )
            client.go_to(step)
            return
        client.announce()
        for known in client.steps.values():
            say([info(f"known: {known.id} ({known.name})")])
        for id, handler in self._handled.items():
            say([info(f"known: {id} (handler {handler})")])

    def _json(self, _: str) -> None:
        if self._client.reply is None:
            raise LookupError("There is no reply yet.")
        echo_json(self._client.reply.json)

    def _emit(self, event: str) -> None:
        self._client.emit(event)

    def _open(self, url: str) -> None:
        self._client.open_url(url)

    def _online(self, answer: str) -> None:
        if answer not in ("yes", "no"):
            raise LookupError("Type '/online yes' or '/online no'.")
        self._client.online = answer == "yes"

    def save(self, path: str) -> None:
        """Save the conversation so far as a story."""
        if not path:
            raise LookupError(
                "Type '/save' and a file name, such as '/save test_red.story'."
            )
        _refuse_existing(Path(path))
        try:
            Path(path).write_text(f"{self._client.transcript}\n", encoding="utf-8")
        except OSError as error:
            raise click.ClickException(
                f"Cannot write '{path}': {error.strerror}."
            ) from error
        echo(f"Saved '{path}'.", err=True)


def _refuse_existing(path: Path) -> None:
    if path.exists():
        raise click.UsageError(
            f"'{path}' already exists. Choose another name, or remove it."
        )


_DIM: Final[dict[str, Any]] = {"dim": True}

_COMMANDS: Final[dict[str, tuple[Callable[[_Chat, str], None], str]]] = {
    "help": (_Chat._help, "list the commands"),
    "session": (_Chat._session, "show the session values"),
    "step": (_Chat._step, "show the known steps; with an id or a name, go there"),
    "event": (_Chat._emit, "send an event with this name, as the website does"),
    "url": (_Chat._open, "load the webchat on this URL"),
    "online": (_Chat._online, "set whether an agent is online: yes or no"),
    "json": (_Chat._json, "show the last reply as JSON"),
    "save": (_Chat.save, "save the conversation as a story in this file"),
    "reset": (_Chat.begin, "start again"),
}
