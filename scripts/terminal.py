"""Draw a terminal with a conversation as SVG, from a run of ``flask clustaar chat``."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path

TUTORIAL = Path(__file__).resolve().parent.parent / "examples" / "tutorial"
COMMAND = "flask --app reservations clustaar chat"
TYPED = "hello\n4\nTomorrow\n"

#: The colours of a terminal, by the codes that select them.
COLOURS = {"32": "#7ee2b8", "34": "#8ab4ff", "36": "#f2cc60"}
DIM, BRIGHT = "#8b949e", "#e6edf3"
GROUND = "#161b22"

LINE, LETTER, MARGIN = 22, 8.6, 18
COLUMNS = 56


def chat() -> str:
    """Return the picture of a conversation with the tutorial's bot."""
    return draw(f"$ {COMMAND}\n{run()}")


def run() -> str:
    """Hold the conversation; return what the terminal shows, with its colours."""
    settings = {"FLASK_CLUSTAAR_PRIVATE_KEY": "a key", "FORCE_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *COMMAND.split()],
        input=TYPED,
        cwd=TUTORIAL,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def draw(text: str) -> str:
    """Return a picture of lines with ANSI colours."""
    lines = text.rstrip().splitlines()
    width = COLUMNS * LETTER + 2 * MARGIN
    height = len(lines) * LINE + 2 * MARGIN + 18
    words = "; ".join(re.sub("\x1b.*?m", "", line).strip() for line in lines)
    shapes = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height}" '
        f'width="{width:g}" role="img" font-size="14" '
        "font-family=\"ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace\">",
        f"<title>{escape(words)}</title>",
        f'<rect width="{width:g}" height="{height}" rx="8" fill="{GROUND}"/>',
    ]
    shapes += [
        f'<circle cx="{MARGIN + 16 * index}" cy="18" r="5" fill="#30363d"/>'
        for index in range(3)
    ]
    for number, line in enumerate(lines):
        y = MARGIN + 18 + LINE * number + 15
        spans = "".join(_spans(line))
        shapes.append(f'<text x="{MARGIN}" y="{y}" xml:space="preserve">{spans}</text>')
    return "\n".join([*shapes, "</svg>", ""])


def _spans(line: str) -> Iterator[str]:
    fill, weight = BRIGHT, ""
    for code, words in re.findall(r"(?:\x1b\[(\d+)m)?([^\x1b]*)", line):
        if code == "0":
            fill, weight = BRIGHT, ""
        elif code == "1":
            weight = ' font-weight="700"'
        elif code:
            fill = COLOURS.get(code, DIM)
        if words:
            yield f'<tspan fill="{fill}"{weight}>{escape(words)}</tspan>'
