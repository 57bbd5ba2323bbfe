"""``flask clustaar``: create, try and check a bot, without the platform.

Flask imports this module whenever it runs any command, so it imports nothing else of
the package. Each command is in its own module, which is imported when it runs.
"""

from __future__ import annotations

import errno
import io
import sys
from importlib import import_module
from typing import IO, Any

import click

#: The commands, in the order in which a developer needs them.
_COMMANDS = (
    "new",
    "chat",
    "inspect",
    "send",
    "routes",
    "check",
    "verify",
    "replay",
    "record",
    "schema",
    "steps",
)


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"{__name__}.{cmd_name}")
        command: click.Command = module.command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            raise _Failure(error) from error
        except OSError as error:
            # Click handles a pipe whose reader has gone.
            if error.errno == errno.EPIPE:
                raise
            text = f"{error.strerror or error}."
            raise _Failure(click.ClickException(text)) from error
        except RecursionError as error:
            text = "The document is nested too deeply."
            raise _Failure(click.ClickException(text)) from error


class _Failure(click.ClickException):
    """An error of a command, printed safely and wrapped to the terminal's width."""

    def __init__(self, error: click.ClickException) -> None:
        # Click and Flask break the lines of some of their messages.
        super().__init__(" ".join(map(str.strip, error.format_message().split("\n"))))
        self.exit_code = error.exit_code  # type: ignore[misc]
        self.context = getattr(error, "ctx", None)

    def show(self, file: IO[Any] | None = None) -> None:
        from .terminal import echo

        if self.context is not None:
            click.echo(self.context.get_usage(), err=True)
            click.echo(f"Try '{self.context.command_path} --help' for help.", err=True)
            click.echo(err=True)
        echo(self.message, label="Error: ", err=True)


def _show_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from importlib.metadata import version
    from platform import python_version

    from .._version import __version__

    click.echo(f"Flask-Clustaar {__version__}")
    click.echo(f"Flask {version('flask')}, marshmallow {version('marshmallow')}")
    click.echo(f"Python {python_version()}")
    ctx.exit()


@click.group(cls=_Commands)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version of Flask-Clustaar and exit.",
)
@click.pass_context
def clustaar(ctx: click.Context) -> None:
    """Create, try and check a bot for the Clustaar platform.

    Commands work offline: they do not call the platform and need no account. Flask
    finds the application as for 'flask run': in 'app.py', or with 'flask --app NAME'.

    \b
      flask clustaar new shop
      flask clustaar chat
      flask clustaar send --text hello
      flask clustaar check
    """
    from .terminal import wants_colour

    ctx.color = wants_colour()
    # Replace characters that cannot be decoded or printed, instead of raising.
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
