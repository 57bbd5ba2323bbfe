"""Escaping of unsafe characters."""

from __future__ import annotations

import json
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_clustaar.printable import printable, printable_traceback

#: Everything that can upset a terminal, and what makes one line two.
UNSAFE = [
    *map(chr, range(0x09)),
    *map(chr, range(0x0A, 0x20)),
    *map(chr, range(0x7F, 0xA0)),
    "\u061c",
    "\u200e",
    "\u200f",
    *map(chr, range(0x2028, 0x202F)),
    *map(chr, range(0x2066, 0x206A)),
    "\ud800",
    "\udfff",
    "\ufffe",
    "\uffff",
]


@pytest.mark.parametrize("character", UNSAFE, ids=ascii)
def test_unsafe_characters_are_escaped(character: str) -> None:
    """No control character reaches the output."""
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
    """Letters of all languages, emoji and tabs are unchanged."""
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


# -- tracebacks ----------------------------------------------------------------------

#: A text that looks like the beginning of lines of a log, and of parts of a traceback.
FORGED = (
    "evil\nERROR forged\x1b[2J\u202e\n\nTraceback (most recent call last):\n"
    '  File "bot.py", line 1\n'
)


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    """Return an exception with a traceback."""
    try:
        raise error from cause
    except type(error) as caught:
        return caught


def with_context() -> Exception:
    try:
        try:
            raise ValueError(FORGED)
        except ValueError:
            raise KeyError(FORGED)  # noqa: B904
    except KeyError as error:
        return error


def with_a_note() -> Exception:
    error = raised(ValueError("x"))
    error.add_note(f"a note: {FORGED}")
    return error


def with_source() -> Exception:
    try:
        compile(FORGED, "bot", "exec")
    except SyntaxError as error:
        return error
    raise AssertionError


class Silent(Exception):
    """An exception without a text."""

    def __str__(self) -> str:
        raise ValueError(FORGED)


@pytest.mark.parametrize(
    "error",
    [
        raised(ValueError(FORGED)),
        raised(ValueError("x"), cause=raised(TypeError(FORGED))),
        raised(
            ExceptionGroup(
                FORGED, [raised(ValueError(FORGED)), ExceptionGroup("x", [KeyError(1)])]
            )
        ),
        with_context(),
        with_a_note(),
        raised(Silent()),
    ],
    ids=["message", "cause", "group", "context", "note", "without a text"],
)
def test_a_message_in_a_traceback_is_one_line(error: BaseException) -> None:
    """A text of a user in an exception cannot pass for another line of a log."""
    shown = printable_traceback(error)
    lines = [line.lstrip(" |") for line in shown.split("\n")]
    assert not any(line.startswith(("evil", "ERROR")) for line in lines)
    assert '  File "bot.py", line 1' not in shown.split("\n")
    assert not set(shown) & {"\x1b", "\u202e"}


def test_source_in_a_traceback_has_no_escapes() -> None:
    """The source of a ``SyntaxError`` may be a user's text."""
    assert not set(printable_traceback(with_source())) & {"\x1b", "\u202e"}


def recursive(depth: int) -> None:
    if depth == 0:
        raise ValueError("too deep")
    recursive(depth - 1)


def test_an_ordinary_traceback_is_unchanged() -> None:
    """As Python prints it."""
    for error in (
        raised(ValueError("é"), cause=raised(KeyError("a\nb"))),
        raised(ExceptionGroup("two", [ValueError(1), KeyError(2)])),
    ):
        plain = "".join(traceback.format_exception(error))
        assert printable_traceback(error) == plain
    with pytest.raises(ValueError, match="too deep") as caught:
        recursive(20)
    plain = "".join(traceback.format_exception(caught.value))
    assert printable_traceback(caught.value) == plain
