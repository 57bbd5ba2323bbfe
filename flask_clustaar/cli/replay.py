"""``flask clustaar replay``: run recorded requests through the current code."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import click
from flask import Flask
from flask.cli import ScriptInfo

from ..errors import ProblemError
from ..replaying import report
from ..replaying.baseline import (
    BaselineError,
    answer,
    check_inside,
    read_answer,
    worktree,
    write_answer,
)
from ..replaying.fixtures import write_test
from ..replaying.reader import Recorded, opened, read
from ..replaying.selection import KEYS, Selection
from ..replaying.sender import Replayed, Sender
from ..replaying.stories import conversation_of, write_story
from ..replaying.summary import Summary, as_recorded
from .application import chosen, load_app, webhooks_of
from .options import json_option, webhook_option
from .terminal import echo, echo_json, is_terminal

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def _filters(
    _: click.Context, __: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    """Read ``--only``."""
    filters = {}
    for value in values:
        name, equals, wanted = value.partition("=")
        if not equals or name not in KEYS:
            known = ", ".join(f"'{key}=...'" for key in KEYS)
            raise click.BadParameter(f"'{value}' is not one of {known}.")
        filters[name] = wanted
    return filters


@click.command("replay")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=FILE)
@webhook_option
@click.option(
    "--only",
    multiple=True,
    metavar="KEY=VALUE",
    callback=_filters,
    help="Replay only some lines: step=, handler=, status=, code=, webhook= or app=.",
)
@click.option("--line", type=int, metavar="N", help="Replay only line N.")
@click.option(
    "--twice",
    is_flag=True,
    help="Send each request twice, and ignore values that differ between the two.",
)
@click.option(
    "--baseline",
    metavar="REF",
    help="Compare with the replies of another git revision, not the recorded ones.",
)
@click.option(
    "--for-real", is_flag=True, help="Run the handlers even if TESTING is not set."
)
@json_option
@click.option(
    "--junit",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the summary as JUnit XML.",
)
@click.option(
    "--as-test",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write a test for the line that '--line' selects.",
)
@click.option(
    "--as-story",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write the conversation that contains that line as a story.",
)
@click.option("--answers", type=click.File("wb"), hidden=True)
@click.option("--inside", hidden=True)
def command(
    files: tuple[Path, ...],
    webhook: str | None,
    only: dict[str, str],
    line: int | None,
    twice: bool,
    baseline: str | None,
    for_real: bool,
    as_json: bool,
    junit: Path | None,
    as_test: Path | None,
    as_story: Path | None,
    answers: BinaryIO | None,
    inside: str | None,
) -> None:
    """Replay recorded requests, and compare the replies.

    FILE is a recording ('.jsonl' or '.jsonl.gz'), debug output of the platform, or a
    request saved for 'verify'.

    \b
      flask clustaar replay recordings/2026-11-25.jsonl
      flask clustaar replay recordings/*.jsonl --only handler=greet

    The exit status is 0 if all replies are the same as recorded, and 1 if any differs.

    Handlers run with all their side effects: they write to the database, send e-mails
    and call other services. So the application must be in testing mode; '--for-real'
    overrides this.
    """
    if as_test is not None:
        _write_test(files, line, as_test)
    if as_story is not None:
        _write_story(files, line, as_story)
    if as_test is not None or as_story is not None:
        return
    app = load_app()
    if inside is not None:
        try:
            check_inside(app, Path(inside))
        except BaselineError as error:
            raise click.ClickException(f"{error}.") from error
    if not (app.testing or for_real):
        raise click.UsageError(_NOT_TESTING)
    selection = _selection(app, webhook, only, line)
    summary = Summary()
    began = time.monotonic()
    with ExitStack() as stack:
        before = None
        if baseline is not None:
            before = stack.enter_context(_answers_of(baseline))
        for sender in selection.senders.values():
            stack.enter_context(sender.sending())
        bar = stack.enter_context(_progress(files))
        for recorded, sender in selection.lines(files, summary, bar.update):
            replayed = sender.send(recorded.request)
            if answers is not None:
                write_answer(answers, recorded, replayed)
                continue
            again = sender.send(recorded.request) if twice else None
            if before is not None:
                recorded = as_recorded(recorded, read_answer(before, recorded.line))
            summary.add(recorded, replayed, again)
            if recorded.status is None:
                _show(recorded, replayed)
    if answers is None:
        _finish(app, selection, summary, time.monotonic() - began, as_json, junit)


_NOT_TESTING = (
    "The application is not in testing mode. Replayed requests run your handlers with "
    "all side effects: they write to the database, send e-mails and call other "
    "services. Set TESTING and a test database, for example with 'flask --app "
    "\"bot:create_app({'TESTING': True})\" clustaar replay ...' or FLASK_TESTING=true. "
    "To run the handlers anyway, pass '--for-real'."
)


def _selection(
    app: Flask, name: str | None, only: dict[str, str], line: int | None
) -> Selection:
    webhooks = webhooks_of(app)
    if name is not None:
        webhooks = {name: chosen(webhooks, name)}
    senders = {each: Sender(app, webhook) for each, webhook in webhooks.items()}
    sender = None if name is None else senders[name]
    return Selection(app.name, senders, sender, only, line)


@contextmanager
def _progress(files: tuple[Path, ...]) -> Iterator[Any]:
    """Show a progress bar, on a terminal."""
    size = sum(file.stat().st_size for file in files)
    hidden = not is_terminal(sys.stderr)
    with click.progressbar(length=size, file=sys.stderr, hidden=hidden) as bar:
        yield bar


@contextmanager
def _answers_of(ref: str) -> Iterator[BinaryIO]:
    """Yield a file with the answers of another git revision to the same lines.

    :raises click.ClickException: if the revision cannot run.
    """
    context = click.get_current_context()
    app = context.ensure_object(ScriptInfo).app_import_path
    arguments = _arguments(context.params)
    with tempfile.NamedTemporaryFile(prefix="clustaar-") as file:
        try:
            with worktree(ref, Path.cwd()) as (root, other):
                answer(root, other, app, arguments, Path(file.name))
            with open(file.name, "rb") as answers:
                yield answers
        except BaselineError as error:
            raise click.ClickException(
                f"The revision '{ref}' cannot run: {error}."
            ) from error


def _arguments(params: dict[str, Any]) -> list[str]:
    """Return the arguments that select the same lines."""
    arguments = [str(path.absolute()) for path in params["files"]]
    for name, wanted in params["only"].items():
        arguments += ["--only", f"{name}={wanted}"]
    for option in ("webhook", "line"):
        if params[option] is not None:
            arguments += [f"--{option}", str(params[option])]
    return [*arguments, "--for-real"] if params["for_real"] else arguments


# -- output --------------------------------------------------------------------------


def _finish(
    app: Flask,
    selection: Selection,
    summary: Summary,
    seconds: float,
    as_json: bool,
    junit: Path | None,
) -> None:
    """Print the summary, and exit with its status."""
    for file, skipped in summary.damaged:
        echo(
            f"Skipped line {skipped.line} of '{file}': {skipped.reason}.",
            label="Warning: ",
            label_looks={"fg": "yellow"},
            err=True,
        )
    if not summary.replayed:
        raise click.ClickException(_nothing(app, summary, selection))
    groups = summary.groups()
    if junit is not None:
        junit.write_bytes(report.as_junit(summary, groups, seconds))
    if as_json:
        echo_json(report.as_json(summary, groups, seconds))
    else:
        for line in report.as_text(summary, groups, seconds):
            echo(line)
    if groups:
        click.get_current_context().exit(1)


def _nothing(app: Flask, summary: Summary, selection: Selection) -> str:
    """Return a sentence that says why no line was replayed."""
    reasons = [f"{count:,} x {reason}" for reason, count in summary.skipped.items()]
    told = f"No line was replayed ({'; '.join(reasons) or 'none was selected'})."
    if selection.others:
        told += (
            f" The application is '{app.name}'. Select lines of another application "
            "with '--only app=NAME', and the webhook for them with '--webhook NAME'."
        )
    return told


def _show(recorded: Recorded, replayed: Replayed) -> None:
    """Print the answer to a request without a recorded reply."""
    reply = replayed.reply.decode("utf-8", "replace")
    echo(f"Line {recorded.line}: {replayed.status} {reply}", err=True)


# -- tests ---------------------------------------------------------------------------


def _write_test(files: tuple[Path, ...], line: int | None, directory: Path) -> None:
    recorded = _recorded(files, line)
    several = len(webhooks_of(load_app())) > 1
    name = f"{files[0].name.partition('.')[0]}-{recorded.line}"
    with _existing():
        for file in write_test(recorded, directory, name, several=several):
            echo(f"Created {file}")


def _write_story(files: tuple[Path, ...], line: int | None, directory: Path) -> None:
    recorded = _recorded(files, line)
    with opened(files[0]) as file:
        conversation = conversation_of(recorded, (each for each, _ in read(file)))
    name = f"{files[0].name.partition('.')[0]}-{recorded.line}"
    story = directory / f"test_{name.replace('-', '_')}.story"
    try:
        with _existing():
            described = write_story(conversation, story)
    except ProblemError as error:
        reason = " ".join(str(error).split("\n"))
        raise click.ClickException(
            f"The conversation around line {recorded.line} of '{files[0]}' cannot be a "
            f"story. {reason}"
        ) from error
    echo(f"Created {story}")
    if described:
        echo(
            "The story needs a bot file with the actions and user data of these steps: "
            f"{', '.join(described)}.",
            label="Warning: ",
            label_looks={"fg": "yellow"},
            err=True,
        )


@contextmanager
def _existing() -> Iterator[None]:
    """Turn ``FileExistsError`` into an error of the command."""
    try:
        yield
    except FileExistsError as error:
        raise click.ClickException(f"{error}. Remove it first.") from error


def _recorded(files: tuple[Path, ...], number: int | None) -> Recorded:
    """Return a line of a recording.

    :raises click.ClickException: if it cannot be replayed.
    """
    if number is None or len(files) != 1:
        raise click.UsageError(
            "'--as-test' and '--as-story' need one FILE and '--line'."
        )
    with opened(files[0]) as file:
        for line, _ in read(file):
            if line.line == number:
                if isinstance(line, Recorded):
                    return line
                raise click.ClickException(
                    f"Line {number} of '{files[0]}' cannot be replayed: {line.reason}."
                )
    raise click.ClickException(f"'{files[0]}' has no line {number}.")
