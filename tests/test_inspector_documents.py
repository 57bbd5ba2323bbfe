"""JSON in the inspector: shown line by line, compared, and checked while typed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_clustaar.inspector.documents import differences, lines_of
from flask_clustaar.inspector.editing import check, complete
from flask_clustaar.testing import make_notification

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=20,
)


# -- lines ---------------------------------------------------------------------------


@given(JSON)
def test_lines_are_the_document(document: Any) -> None:
    """The lines together are the document."""
    text = "\n".join(line.text for line in lines_of(json.dumps(document)))

    assert json.loads(text) == document


def test_lines_have_depths_and_paths() -> None:
    """Each line has its depth, and the path of the value that begins in it."""
    lines = lines_of('{"a": [{"b": 1}], "c": {}}')

    assert [
        (line.depth, line.text, line.path) for line in lines if line.path != "\0"
    ] == [
        (0, "{", ""),
        (1, '"a": [', "a"),
        (2, "{", "a.0"),
        (3, '"b": 1', "a.0.b"),
        (1, '"c": {}', "c"),
    ]


def test_marks() -> None:
    """A violation is at its value, or at the parent of a missing value."""
    lines = lines_of(
        '{"a": [{"b": 1}]}',
        [("a.0.b", "Too small."), ("a.0.c.d", "Missing."), ("", "No.")],
    )

    assert {line.path: line.marks for line in lines if line.marks} == {
        "": ("No.",),
        "a.0": ("c.d: Missing.",),
        "a.0.b": ("Too small.",),
    }


def test_text_that_is_not_json() -> None:
    """A text that is not JSON is unchanged; no text has no lines."""
    assert [line.text for line in lines_of("<p>\n</p>")] == ["<p>", "</p>"]
    assert lines_of(None) == []


# -- differences ---------------------------------------------------------------------

DIFFERENCES = [
    ({"a": 1}, {"a": 1}, []),
    ({"a": 1}, {"a": 2}, [("a", "changed", 1, 2)]),
    ({"a": 1}, {}, [("a", "removed", 1, None)]),
    ({}, {"a": None}, [("a", "added", None, None)]),
    (
        {"a": [1, 2]},
        {"a": [1, 3, 4]},
        [("a.1", "changed", 2, 3), ("a.2", "added", None, 4)],
    ),
    ([1], [], [("0", "removed", 1, None)]),
    ({"a": 1}, {"a": True}, [("a", "changed", 1, True)]),
    ({"a": {"b": 1}}, {"a": [1]}, [("a", "changed", {"b": 1}, [1])]),
]


@pytest.mark.parametrize(("before", "after", "expected"), DIFFERENCES)
def test_differences(before: Any, after: Any, expected: list[Any]) -> None:
    """Differences are added, removed and changed values, with their paths."""
    assert list(differences(before, after)) == expected


@given(JSON)
def test_a_document_is_like_itself(document: Any) -> None:
    """A document does not differ from itself."""
    assert list(differences(document, json.loads(json.dumps(document)))) == []


# -- checks --------------------------------------------------------------------------

NOTIFICATION = json.dumps(make_notification().received, indent=2)


def test_right() -> None:
    """A notification of the platform has no mistakes."""
    assert check(NOTIFICATION, "notification") == []
    assert check('{"actions": []}', "reply") == []


def test_misspelt_key() -> None:
    """A misspelt key is found in its line, with the right one."""
    text = NOTIFICATION.replace("firstName", "firstNme")
    line = text[: text.index("firstNme")].count("\n") + 1

    mistakes = check(text, "notification")

    found = next(each for each in mistakes if each.path.endswith("firstNme"))
    assert (found.line, found.sentence) == (
        line,
        "Unknown field. Did you mean 'firstName'?",
    )


def test_place_in_a_list() -> None:
    """A mistake in a list is found in its line, and a missing value at its object."""
    wait, text = (
        '{"type": "wait_action",\n"duration": 99}',
        '{"type": "send_text_action"}',
    )
    text = f'{{"actions": [\n{wait},\n{{"type": "send_text_action"}}]}}'

    lines = {each.path: each.line for each in check(text, "reply")}

    assert lines == {"actions.0.duration": 3, "actions.1.alternatives": 4}


def test_not_json() -> None:
    """Invalid JSON is reported with its line."""
    (mistake,) = check('{\n"a": 1,\n}', "notification")

    assert mistake.line in (2, 3)
    assert mistake.sentence.startswith("The text is not JSON: ")
    (deep,) = check("[" * 100_000, "notification")
    assert deep.sentence == "The document is nested too deeply."


# -- completion ----------------------------------------------------------------------

ACTIONS = '{"actions": [{"type": '
CARDS = f'{ACTIONS}"send_cards_action", '
USER = '{"data": {"interlocutor": {'

REPLIES = [
    ('{"', "", ["actions", "interlocutor", "session"]),
    ('{"actions": [{"', "", "type"),
    (f'{ACTIONS}"send_c', "send_c", ["send_cards_action", "send_choices_list_action"]),
    (f'{CARDS}"cards": [{{"im', "im", ["imageURL"]),
    (f'{ACTIONS}"x"}}, {{"type": "wait_action", "d', "d", ["duration"]),
    ("", "", []),
    ('{"actions": []}', "", []),
    ('{"a": 1, ', "", []),
    ('"', "", []),
    ("[}{]", "", []),
]
NOTIFICATIONS = [
    (f'{USER}"first', "first", ["firstName"]),
    (f'{USER}"x": {{"y": [1]}}, "last', "last", ["lastName"]),
    ('{"data": {"input": {"type":"cus', "cus", ["custom_event"]),
    ('{"data": {"nowhere": {"', "", []),
    ('{"data": {"in": "', "", []),
]


@pytest.mark.parametrize(
    ("kind", "text", "typed", "expected"),
    [("reply", *row) for row in REPLIES]
    + [("notification", *row) for row in NOTIFICATIONS],
)
def test_completions(kind: Any, text: str, typed: str, expected: Any) -> None:
    """A typed key or type is completed from the schema at its place."""
    found, options = complete(text + '"rest', len(text), kind)

    assert found == typed
    assert expected in options if isinstance(expected, str) else options == expected
