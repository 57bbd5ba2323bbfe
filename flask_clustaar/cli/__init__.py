"""``flask clustaar``: build, look into and talk to a bot, without the platform.

Flask imports this module whenever it runs any command. So it imports nothing of the
tools; each is in a module of its own, which is imported when it is called.
"""

from __future__ import annotations

import errno
import io
import sys
from importlib import import_module
from typing import Any

import click

#: The tools, in the order in which a person meets them.
_VERBS = ("new", "chat", "inspect", "send", "routes", "check", "verify", "schema")


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        module = import_module(f"{__name__}.{cmd_name}")
        command: click.Command = module.command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except OSError as error:
            # Click knows what to do when nobody reads on.
            if error.errno == errno.EPIPE:
                raise
            raise click.ClickException(f"{error.strerror or error}.") from error
        except RecursionError as error:
            raise click.ClickException("It is nested too deeply.") from error


@click.group(cls=_Verbs)
def clustaar() -> None:
    """Build, try and check a bot of the Clustaar platform.

    Nothing here needs the platform, an account or a connection. The application is
    found as by 'flask run': in 'app.py', or by 'flask --app NAME'.

    \b
      flask clustaar new shop
      flask clustaar chat
      flask clustaar send --text hello
      flask clustaar check
    """
    # Neither what people write nor what a terminal cannot show is worth a traceback.
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
