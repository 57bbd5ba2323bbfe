"""``flask clustaar steps``: print a Python module with the steps of bot files."""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Iterable, Iterator

import click

from ..errors import ConfigurationError
from ..printable import printable
from ..steps import MissingStepWarning, Steps
from .files import read_bot
from .terminal import echo


@click.command("steps")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
def command(files: tuple[str, ...]) -> None:
    """Print a Python module that names the steps of bot files.

    The module lets editors complete the names of steps, and type checkers find
    misspelt names. Keep it in the directory of the bot files.

    \b
      flask clustaar steps bot.json > steps.py
      flask clustaar steps north.json mutua.json > steps.py
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", MissingStepWarning)
        try:
            steps = Steps(*map(read_bot, files))
        except ConfigurationError as error:
            raise click.ClickException(str(error)) from error
    for warning in caught:
        echo(str(warning.message), label="Warning: ", err=True)
    click.echo(printable(_module(files, steps), lines=True))


def _module(files: Iterable[str], steps: Steps) -> str:
    names = [os.path.basename(file) for file in files]
    paths = ", ".join(f"_HERE / {json.dumps(name)}" for name in names)
    rows = [
        f"{identifier} = steps[{json.dumps(name, ensure_ascii=False)}]"
        for identifier, name in _identifiers(steps)
    ]
    return "\n".join(
        [
            '"""Steps by their names, written by \'flask clustaar steps\'."""',
            "",
            "from pathlib import Path",
            "",
            "from flask_clustaar.steps import Steps",
            "",
            "_HERE = Path(__file__).parent",
            "",
            f"steps = Steps({paths})",
            "",
            *rows,
        ]
    )


def _identifiers(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the Python name of each step, and its name in the bot file."""
    seen: set[str] = set()
    for name in names:
        wanted = re.sub(r"\W+", "_", name).strip("_").upper() or "STEP"
        if wanted[0].isdigit():
            wanted = f"STEP_{wanted}"
        identifier, number = wanted, 1
        while identifier in seen:
            number += 1
            identifier = f"{wanted}_{number}"
        seen.add(identifier)
        yield identifier, name
