"""From the bytes of a body to a notification."""

from __future__ import annotations

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
        (b'{"topic": "x", "n": 1e400}', "not finite"),
        (b'{"topic": "x", "n": ' + b"1" * 5000 + b"}", "too many digits"),
    ],
)
def test_what_is_no_json_is_refused_with_the_reason(body: bytes, reason: str) -> None:
    """The reason tells the place, and shows nothing of the body."""
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
def test_what_is_no_notification_is_refused_at_its_path(
    body: bytes, path: str, sentence: str
) -> None:
    """The envelope is an object with a topic."""
    with pytest.raises(InvalidNotification) as caught:
        load_notification(body)
    assert caught.value.violations == ((path, sentence),)


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_loaded_or_refused(body: bytes) -> None:
    """There is no third way."""
    try:
        load_notification(body)
    except (InvalidJSON, InvalidNotification):
        pass


def test_text_arrives_as_it_was_typed() -> None:
    """Nothing is escaped or normalised on the way in (PROTOCOL 3)."""
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
    """Or clicked to say; empty for what is no text."""
    import json

    document = {"topic": "x", "data": {"input": received}}
    assert load_notification(json.dumps(document).encode()).text == text


@pytest.mark.parametrize("around", ['{"a":%s}', "[%s]", '[{"a":[%s]}]'])
@pytest.mark.parametrize("padding", ["", " " * 10_000])
def test_a_notification_may_be_nested_a_hundred_levels(
    around: str, padding: str
) -> None:
    """In one more there is nothing that a bot could mean."""
    levels = around.count("{") + around.count("[")

    def nested(depth: int) -> bytes:
        value = "1"
        for _ in range(depth // levels):
            value = around % value
        return f'{{"topic": "x", "data": {value}{padding}}}'.encode()

    load_notification(nested(99 - 99 % levels))
    with pytest.raises(InvalidJSON, match="nested too deeply"):
        load_notification(nested(102 + levels))
