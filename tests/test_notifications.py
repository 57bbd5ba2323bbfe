"""From the bytes of a body to a notification."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_clustaar.errors import InvalidJSON, InvalidNotification
from flask_clustaar.notifications import load_notification


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "line 1, column 1"),
        (b'{"topic": "x"', "line 1, column 14"),
        (b'{"topic": "\xff"}', "not UTF-8 at byte 11"),
        ("{}".encode("utf-16"), "not UTF-8"),
        (b"\xef\xbb\xbf{}", "byte order mark (BOM)"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"topic": "x", "n": NaN}', "not finite"),
        (b'{"topic": "x", "n": -Infinity}', "not finite"),
    ],
)
def test_invalid_json_is_rejected_with_the_reason(body: bytes, reason: str) -> None:
    """The reason contains the place, but nothing from the body."""
    with pytest.raises(InvalidJSON) as caught:
        load_notification(body)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("body", "path", "sentence"),
    [
        (b"null", "", "Not a valid object."),
        (b"[]", "", "Not a valid object."),
        (b"3", "", "Not a valid object."),
        (b"{}", "topic", "Missing data for required field."),
        (b'{"topic": null}', "topic", "Field may not be null."),
        (b'{"topic": ["x"]}', "topic", "Not a valid string."),
    ],
)
def test_an_invalid_notification_is_rejected_with_its_path(
    body: bytes, path: str, sentence: str
) -> None:
    """The envelope is an object with a topic."""
    with pytest.raises(InvalidNotification) as caught:
        load_notification(body)
    assert caught.value.violations == ((path, sentence),)


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_loaded_or_refused(body: bytes) -> None:
    """There is no other case."""
    try:
        load_notification(body)
    except (InvalidJSON, InvalidNotification):
        pass


def test_text_arrives_as_it_was_typed() -> None:
    """Received texts are neither escaped nor normalised (PROTOCOL 3)."""
    body = '{"topic": "x", "data": {"input": {"type": "message", "text": "5 < 6 ½"}}}'
    assert load_notification(body.encode()).text == "5 < 6 ½"


@pytest.mark.parametrize(
    ("received", "text"),
    [
        ({"type": "legacy_reply_to_message_action", "message": "hey"}, "hey"),
        ({"type": "message", "attachments": []}, ""),
        ({"type": "custom_event", "name": "cart"}, ""),
        (None, ""),
    ],
)
def test_the_text_is_what_the_interlocutor_wrote(received: Any, text: str) -> None:
    """Or the text of a reply button; empty if it is not a text."""
    document = {"topic": "x", "data": {"input": received}}
    assert load_notification(json.dumps(document).encode()).text == text


NUMBERS = [b"1e400", b"-1e400", b"1" * 5000]
DEEP = [b"[" * 97 + b"]" * 97, b'{"a":' * 97 + b"1" + b"}" * 97]


@pytest.mark.parametrize("part", [*NUMBERS, *DEEP], ids=lambda part: str(part[:6]))
def test_a_part_is_refused_when_it_is_used(part: bytes) -> None:
    """A number out of range, or more than a hundred levels, in the notification."""
    body = b'{"topic": "x", "new": %s, "data": {"session": {"values": {"a": %s}}}}'

    notification = load_notification(body % (part, part))

    assert notification.topic == "x"
    for use in (
        lambda: notification.session.values,
        lambda: notification.session.received,
        lambda: notification.received,
    ):
        with pytest.raises(InvalidJSON, match="nested too deeply|a number is not"):
            use()


@pytest.mark.parametrize("part", [DEEP[0][1:-1], DEEP[1][5:-1], b"1e300", b"1" * 4000])
def test_a_part_may_have_a_hundred_levels(part: bytes) -> None:
    """Counted from the notification itself."""
    body = b'{"topic": "x", "data": {"session": {"values": {"a": %s}}}}'
    notification = load_notification(body % part)
    assert notification.session.values == notification.session.received["values"]


@pytest.mark.parametrize(
    "part",
    [b'"\xff"', b"01", b"1.", b".5", b"NaN", b"[1,]", b'"\\x"', b'"\n"', b"{a:1}"],
)
def test_syntax_is_checked_everywhere(part: bytes) -> None:
    """Also where no handler looks: UTF-8, numbers, escapes, control characters."""
    body = b'{"topic": "x", "data": {"step": {"actions": [{"new": %s}]}}}'
    with pytest.raises(InvalidJSON):
        load_notification(body % part)


def test_lone_surrogates_are_accepted() -> None:
    """The standard library accepts them, and so does the platform's own parser."""
    body = (
        b'{"topic": "x", "timestamp": 1.5, '
        b'"data": {"input": {"type": "message", "text": "a\\ud800"}}}'
    )
    notification = load_notification(body)
    assert (notification.text, notification.timestamp) == ("a\ud800", 1.5)


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(st.recursive(st.none() | st.text() | FINITE | st.integers(), st.lists))
def test_both_parsers_read_the_same(value: object) -> None:
    """msgspec and the standard library load the same values."""
    text = json.dumps({"topic": "x", "n": value})
    loaded = load_notification(text.encode()).received
    assert repr(loaded) == repr(json.loads(text))
