"""``flask clustaar inspect``: run the bot, with a page that shows its requests."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import sys
import tempfile
import threading
import webbrowser
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Any, Final

import click
from flask import Flask
from flask.cli import NoAppException, ScriptInfo
from werkzeug.serving import (
    WSGIRequestHandler,
    is_running_from_reloader,
    make_server,
    run_simple,
)

from ..inspector.access import Guard, WSGIEnviron
from ..inspector.describe import read_delivery, row_of
from ..inspector.program import Program
from ..inspector.recorder import Recorder
from ..inspector.server import create_inspector
from ..inspector.store import Store
from ..platform.bot import Bot
from ..printable import printable_traceback
from .application import chosen, load_app, webhooks_of
from .files import name_of, read, read_bot
from .options import FILE, webhook_option
from .terminal import echo

HOST: Final = "127.0.0.1"
#: How often to look for changes in the code, in seconds.
_INTERVAL: Final = 0.5
#: The environment variable in which the reloader passes the session to its children.
_STATE: Final = "CLUSTAAR_INSPECTOR_STATE"


@dataclass(frozen=True)
class _Session:
    """One run of the command, across all reloads."""

    port: int
    inspector_port: int
    #: The file descriptor of the inspector's socket. It stays open across reloads.
    fd: int
    token: str
    #: The file of the store.
    store: str

    @property
    def page(self) -> str:
        return f"http://{HOST}:{self.inspector_port}/{self.token}/"


@click.command("inspect")
@click.argument("recording", required=False, type=FILE)
@webhook_option
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=5000,
    show_default=True,
    help="Port of the bot; 0 for any free port.",
)
@click.option(
    "--inspector-port",
    type=click.IntRange(0, 65535),
    default=5001,
    show_default=True,
    help="Port of the inspector; 0 for any free port.",
)
@click.option("--no-reload", is_flag=True, help="Do not reload when the code changes.")
@click.option("--open", "open_page", is_flag=True, help="Open the page in a browser.")
@click.option(
    "--keep",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Keep the requests in FILE, and show them at the next start. Default: delete "
    "them at the end.",
)
@click.option(
    "--steps",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    help="Bot file with the steps and stories of the bot, as for 'chat --steps'.",
)
def command(
    recording: str | None,
    webhook: str | None,
    port: int,
    inspector_port: int,
    no_reload: bool,
    open_page: bool,
    keep: str | None,
    steps: str | None,
) -> None:
    """Run the bot, with a page to talk to it and to inspect its requests.

    The command starts two servers that only this machine can reach: the bot, which
    reloads when its code changes, and the inspector. Open the URL of the inspector in
    a browser. The URL contains a token that is new at each start.

    \b
      flask clustaar inspect
      flask clustaar inspect --open --steps steps.json
      flask clustaar inspect recording.jsonl

    RECORDING is a file that the page exported. The page shows its requests, and you
    can replay them.
    """
    if is_running_from_reloader():  # pragma: no cover (tests run it as a process)
        _serve(_Session(**json.loads(os.environ[_STATE])), webhook, steps, reload=True)
        return
    os.environ["FLASK_DEBUG"] = "1"
    with _session(port, inspector_port, keep) as session:
        if recording is not None:
            _import(recording, Store(session.store))
        os.environ[_STATE] = json.dumps(asdict(session))
        click.echo(f"Bot:        http://{HOST}:{session.port}")
        click.echo(f"Inspector:  {session.page}")
        sys.stdout.flush()
        if open_page:
            webbrowser.open(session.page)
        with suppress(KeyboardInterrupt):
            if no_reload:
                _serve(session, webhook, steps, reload=False)
            else:  # pragma: no cover (tests run it as a process)
                # This process only restarts the one that serves.
                run_simple(HOST, session.port, _broken, use_reloader=True)


# -- the parent process, which stays -------------------------------------------------


@contextmanager
def _session(port: int, inspector_port: int, keep: str | None) -> Iterator[_Session]:
    """Open the store and the socket, which outlast reloads; remove them at the end."""
    directory = tempfile.mkdtemp(prefix="clustaar-")
    try:
        with socket.create_server((HOST, inspector_port)) as listening:
            listening.set_inheritable(True)
            yield _Session(
                port=port or _free_port(),
                inspector_port=listening.getsockname()[1],
                fd=listening.fileno(),
                token=secrets.token_urlsafe(24),
                store=keep or os.path.join(directory, "deliveries.db"),
            )
    except OSError as error:
        raise click.ClickException(
            f"The inspector cannot listen on port {inspector_port}: {error.strerror}. "
            "Choose another with '--inspector-port'."
        ) from error
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as found:
        port: int = found.getsockname()[1]
    return port


# -- the child process, which is restarted when the code changes ---------------------


def _serve(
    session: _Session, webhook: str | None, steps: str | None, *, reload: bool
) -> None:
    store = Store(session.store)
    base_url = f"http://{HOST}:{session.port}"
    is_first = store.noted("token") != session.token
    app, bot, error = _load(webhook, steps, is_first=is_first)
    store.note("token", session.token)
    if app is not None:
        # Answer exceptions as in production, instead of raising them.
        app.config["PROPAGATE_EXCEPTIONS"] = False
        Recorder(app, store)
    info = click.get_current_context().ensure_object(ScriptInfo)
    program = Program(
        app,
        base_url,
        name=app.name if app else info.app_import_path or "app",
        error=error,
        chosen=webhook,
        bot=bot,
    )
    guard = Guard(
        create_inspector(program, store), session.inspector_port, session.token
    )
    with _serving(guard, session):
        run_simple(
            HOST,
            session.port,
            app or _broken,
            use_reloader=reload,
            reloader_interval=_INTERVAL,  # type: ignore[arg-type]
            threaded=True,
            extra_files=[steps] if steps else None,
        )


@contextmanager
def _serving(guard: Guard, session: _Session) -> Iterator[None]:
    """Serve the inspector in a thread, on the socket that lasts across reloads."""
    server = make_server(
        HOST,
        session.inspector_port,
        guard,
        threaded=True,
        request_handler=_Quiet,
        fd=session.fd,
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def _load(
    webhook: str | None, steps: str | None, *, is_first: bool
) -> tuple[Flask | None, Bot | None, BaseException | None]:
    """Return the application and the bot, or the error that prevents it."""
    try:
        app = load_app()
        chosen(webhooks_of(app), webhook or next(iter(webhooks_of(app))))
        return app, read_bot(steps) if steps else None, None
    except (click.ClickException, SystemExit) as error:
        cause = error.__cause__
        if isinstance(cause, NoAppException):
            cause = cause.__context__
        # Do not wait for a change of the code, because it cannot help.
        if is_first and (cause is None or isinstance(error, NoAppException)):
            raise
        shown = cause or error
        for line in printable_traceback(shown).split("\n")[:-1]:
            echo(line, err=True)
        return None, None, shown


def _broken(
    environ: WSGIEnviron, start_response: Callable[..., Any]
) -> Iterable[bytes]:
    start_response("503 Service Unavailable", [("Content-Type", "text/plain")])
    return [b"The application cannot be loaded. The inspector shows why.\n"]


class _Quiet(WSGIRequestHandler):
    """Logs no requests: the page sends them, and their paths contain the token."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Do not log the request."""


def _import(path: str, store: Store) -> None:
    """Store the requests of a recording.

    :raises click.ClickException: if a line is not a recorded request.
    """
    deliveries = []
    for number, line in enumerate(read(path).splitlines(), 1):
        try:
            delivery = read_delivery(line)
            deliveries.append((delivery, row_of(delivery)))
        except (ValueError, LookupError, TypeError) as error:
            reason = error if isinstance(error, ValueError) else "it is damaged"
            raise click.ClickException(
                f"Line {number} of {name_of(path)} is not a recorded request: {reason}."
            ) from error
    store.add(deliveries)
