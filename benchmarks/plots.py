"""Draw plots as SVG, with logarithmic axes, for light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

#: A size with readable text on phones.
WIDTH, HEIGHT = 500, 400
LEFT, RIGHT, TOP, BOTTOM = 88, 144, 36, 56

#: The colours of the lines; the first line is drawn last and thickest.
COLOURS = (
    "#2563eb", "#111827", "#d97706", "#059669", "#db2777", "#7c3aed",
    "#0891b2", "#65a30d", "#dc2626",
)  # fmt: skip


class Axis(NamedTuple):
    """An axis of a plot."""

    label: str
    low: float
    high: float
    #: The start and end of the axis in the picture.
    start: float
    end: float

    def place(self, value: float) -> float:
        """Return the position of *value* in the picture."""
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Return the round values for the labels of the axis."""
        powers = range(math.floor(math.log10(self.low)), 8)
        values = [step * 10**power for power in powers for step in (1, 2, 5)]
        inside = [value for value in values if self.low <= value <= self.high]
        tens = [value for value in inside if math.log10(value).is_integer()]
        return tens if len(tens) > 2 else inside


def plot(
    title: str,
    x_label: str,
    y_label: str,
    x: Sequence[float],
    lines: Mapping[str, Sequence[float]],
) -> str:
    """Return a plot of *lines*: names, with a value for each of *x*."""
    values = [value for line in lines.values() for value in line]
    across = Axis(x_label, x[0], x[-1], LEFT, WIDTH - RIGHT)
    up = Axis(y_label, min(values) * 0.8, max(values) * 1.25, HEIGHT - BOTTOM, TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="system-ui, sans-serif" font-size="14" fill="#374151">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="6" fill="#ffffff"/>',
        _text(LEFT, 22, title, 'font-weight="600"'),
        *_grid(across, up),
        *_lines(across, up, x, lines),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _grid(across: Axis, up: Axis) -> list[str]:
    parts = []
    for value in across.ticks():
        at = across.place(value)
        parts.append(_line(at, up.start, at, up.end))
        parts.append(_text(at, up.start + 18, f"{value:,.0f}", 'text-anchor="middle"'))
    for value in up.ticks():
        at = up.place(value)
        parts.append(_line(across.start, at, across.end, at))
        parts.append(_text(across.start - 8, at + 4, f"{value:g}", 'text-anchor="end"'))
    middle = (across.start + across.end) / 2
    parts.append(_text(middle, HEIGHT - 14, across.label, 'text-anchor="middle"'))
    centre = (up.start + up.end) / 2
    turned = f'text-anchor="middle" transform="rotate(-90 18 {centre})"'
    parts.append(_text(18, centre, up.label, turned))
    return parts


def _lines(
    across: Axis, up: Axis, x: Sequence[float], lines: Mapping[str, Sequence[float]]
) -> list[str]:
    parts, free = [], float(HEIGHT)
    styles = dict(zip(lines, COLOURS, strict=False))
    first = next(iter(lines))
    labels = []
    for name in sorted(lines, key=lambda name: lines[name][-1]):
        # The names are at the ends of the lines, without overlaps.
        free = min(up.place(lines[name][-1]) + 4, free - 16)
        weight = ' font-weight="600"' if name == first else ""
        colour = f'fill="{styles[name]}"{weight}'
        labels.append(_text(across.end + 10, free, name, colour))
    for name in reversed(list(lines)):
        points = " ".join(
            f"{across.place(at):.1f},{up.place(value):.1f}"
            for at, value in zip(x, lines[name], strict=True)
        )
        width = 3 if name == first else 1.5
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{styles[name]}" '
            f'stroke-width="{width}" stroke-linejoin="round"/>'
        )
    return parts + labels


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
        'stroke="#e5e7eb"/>'
    )


def _text(x: float, y: float, text: str, attributes: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {attributes}>{escape(text)}</text>'
