"""What CONTRIBUTING says about a new type of the wire."""

from __future__ import annotations

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


def test_new_type() -> None:
    """The class and the row of the example belong together."""
    blocks = re.findall(r"code-block:: python\n\n((?: {7}[^\n]*\n|\n)+)", TEXT)
    new_class, row = map(textwrap.dedent, blocks)

    # In a process of its own, since a type is known from then on.
    program = PROGRAM.format(new_class, f"[{row}]")
    subprocess.run(
        [sys.executable, "-c", program], check=True, cwd=Path(__file__).parent
    )
