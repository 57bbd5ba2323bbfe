"""Text that is safe to print."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_clustaar.printable import printable

#: Everything that can upset a terminal, and what makes one line two.
UNSAFE = [
    *map(chr, range(0x09)),
    *map(chr, range(0x0A, 0x20)),
    *map(chr, range(0x7F, 0xA0)),
    *map(chr, range(0x2028, 0x202F)),
    *map(chr, range(0x2066, 0x206A)),
    "\ud800",
    "\udfff",
]


@pytest.mark.parametrize("character", UNSAFE, ids=ascii)
def test_unsafe_characters_are_escaped(character: str) -> None:
    """No control character reaches the output, whatever it is called."""
    assert printable(f"a{character}b") in (
        f"a\\u{ord(character):04x}b",
        {"\n": r"a\nb", "\r": r"a\rb"}.get(character),
    )


@pytest.mark.parametrize(
    "sequence",
    [
        "\x1b[2J",
        "\x9b2J",
        "\x1b]8;;https://example.com\x1b\\link\x1b]8;;\x07",
        "\x1b]52;c;ZXZpbA==\x07",
        "\x1bPq\x1b\\",
    ],
    ids=["CSI", "8-bit CSI", "OSC 8 link", "OSC 52 clipboard", "DCS"],
)
def test_terminal_escapes_are_text(sequence: str) -> None:
    """A terminal escape is shown, and not carried out."""
    shown = printable(sequence)

    assert shown.isprintable()
    assert "\\u001b" in shown or "\\u009b" in shown


@pytest.mark.parametrize(
    "text", ["héllo", "日本語", "مرحبا", "👩‍👩‍👧", "❤️", "5 < 6 & \\u001b", "a\tb", ""]
)
def test_ordinary_text_is_unchanged(text: str) -> None:
    """Letters of all languages, emoji and tabs are printed as they are."""
    assert printable(text) == text


def test_line_breaks_can_be_kept() -> None:
    """A text of several lines keeps them; a lone carriage return is escaped."""
    assert printable("a\r\nb\nc\rd\x85e", lines=True) == "a\nb\nc\\rd\\u0085e"


@given(st.text(st.characters(), max_size=50))
def test_json_stays_the_same_json(text: str) -> None:
    """Escaped JSON is JSON, and means the same."""
    shown = printable(json.dumps([text], ensure_ascii=False))

    assert json.loads(shown) == [text]
    assert len(shown.splitlines()) == 1
