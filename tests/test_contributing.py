"""The examples of CONTRIBUTING for a new type, a new kind and a new limit."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

TEXT = (Path(__file__).parent.parent / "CONTRIBUTING.rst").read_text()

PROGRAM = """
from typing import Annotated
from flask_clustaar.schemas.limits import URL, Length
from both_ways import dump, load
from flask_clustaar.models import Action
from flask_clustaar.wire import STRIPPED, Text

{}
model, arguments, document = {}[0]

assert (document, []) == dump(model(**arguments))
assert model(**arguments) == load(model, document)
"""


KIND_AND_LIMIT = """
import datetime
from typing import Annotated
import marshmallow as ma
from flask_clustaar.schemas.kinds import *
from flask_clustaar.schemas.limits import *
from both_ways import dump, dump_fast, load
from flask_clustaar.errors import Violation
from flask_clustaar.json_schema import json_schema
from flask_clustaar.models import Action, StepReachedResponse
from flask_clustaar.schemas.attributes import attributes_of

{}
{}

class RemindAction(Action, type="remind_action"):
    day: Annotated[datetime.date, Weekday()]
    until: datetime.date | None = None

def errors(day):
    return dump(StepReachedResponse(actions=[RemindAction(day=day)]))[1]

wednesday, saturday = datetime.date(2026, 11, 25), datetime.date(2026, 11, 28)
document = {{"type": "remind_action", "day": "2026-11-25"}}
action = RemindAction(day=wednesday)
assert (document, []) == dump(action)
assert {{"actions": [document]}} == dump_fast(StepReachedResponse(actions=[action]))
assert action == load(RemindAction, document)
assert [] == errors(wednesday)
assert [Violation("actions.0.day", "Must be a weekday.")] == errors(saturday)
assert [Violation("actions.0.day", "Not a valid date.")] == errors("tomorrow")
schema = json_schema(RemindAction)["$defs"]["RemindAction"]
assert {{"type": "string"}} == schema["properties"]["day"]
day, until = (row.shape for row in attributes_of(RemindAction))
assert "date from Monday to Friday" == KINDS["date"].describe(day)
assert "date" == KINDS["date"].describe(until)
"""


def blocks(indent: int) -> list[str]:
    """Return the blocks of Python with an indent."""
    pattern = (
        rf"^ {{{indent - 4}}}.. code-block:: python\n\n((?: {{{indent}}}[^\n]*\n|\n)+)"
    )
    return [*map(textwrap.dedent, re.findall(pattern, TEXT, re.M))]


def run(program: str) -> None:
    """Run a program in a separate process, because types are registered globally."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)


def test_new_type() -> None:
    """The class and the row of the example belong together."""
    new_class, row = blocks(7)
    run(PROGRAM.format(new_class, f"[{row}]"))


def test_new_kind_and_limit() -> None:
    """The two classes of the example are all that it takes."""
    run(KIND_AND_LIMIT.format(*blocks(4)))
