"""Filters: what they match, their combinations, and their explanations."""

from __future__ import annotations

import copy
import json
import operator
import re
import sys
from collections import UserDict
from collections.abc import Callable
from functools import partial, reduce
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_clustaar import filters
from flask_clustaar.errors import ConfigurationError, InvalidJSON
from flask_clustaar.filters import (
    And,
    BotID,
    Channel,
    Custom,
    Filter,
    InputType,
    JMESPath,
    JSONKeyEquals,
    JSONKeyExists,
    JSONKeyIn,
    Not,
    Or,
    SessionValue,
    StepID,
    StepName,
    TestConsole,
    TextEquals,
    TextMatches,
    UserAttribute,
    UserDataContains,
    UserDataEquals,
    UserDataHas,
    Xor,
    as_filter,
)
from flask_clustaar.notifications import load_notification

STEP = "5a8c317624acbe05b1a36feb"
OTHER = "507f191e810c19729de860ea"

#: A notification as the platform sends it.
SAMPLE = {
    "topic": "conversation.step_reached",
    "botID": "507f1f77bcf86cd799439011",
    "data": {
        "channel": "facebook",
        "input": {"type": "message", "text": "Hello there", "attachments": []},
        "interlocutor": {
            "id": "507f1f77bcf86cd799439011",
            "customAttributes": {"age": "25"},
            "usedToTest": False,
        },
        "session": {"values": {"name": "John", "cart": {"items": [1, 2]}, "no": None}},
        "step": {
            "id": STEP,
            "name": "A step",
            "userData": '{"action": "Subscribe", "to": {"list": [1]}, "no": null}',
            "actions": [{"type": "pause_bot_action"}, {"type": "wait_action"}],
        },
    },
}


def sample(path: str, value: Any) -> dict[str, Any]:
    """Return the notification with another value at a path."""
    document = copy.deepcopy(SAMPLE)
    *keys, last = path.split(".")
    reduce(operator.getitem, keys, document)[last] = value  # type: ignore[arg-type]
    return document


def is_long(notification: Any) -> bool:
    return len(notification) > 10


class Caller:
    """A callable object."""

    def __call__(self, notification: Any) -> str:
        return "yes"

    def __repr__(self) -> str:
        return "Caller()"


class AsyncCaller:
    async def __call__(self, notification: Any) -> None: ...


async def is_async(notification: Any) -> None: ...


# --- What each filter matches -------------------------------------------------------


@pytest.mark.parametrize(
    "matching",
    [
        JSONKeyEquals("data.step.id", STEP),
        JSONKeyEquals("data.step.actions.0.type", "pause_bot_action"),
        JSONKeyEquals("data.step.actions[1].type", "wait_action"),
        JSONKeyEquals("data.step.actions.-1", {"type": "wait_action"}),
        JSONKeyEquals("data.session.values.cart", {"items": [1.0, 2]}),
        JSONKeyEquals("data.session.values.no", None),
        JSONKeyIn("data.channel", ["intercom", "facebook"]),
        JSONKeyIn("data.channel", {"intercom", "facebook"}),
        JSONKeyIn("data.session.values.cart", [{"items": [1, 2]}, "none"]),
        JSONKeyExists("data.step"),
        JSONKeyExists("data.session.values.no"),
        StepID(STEP),
        StepID([OTHER, STEP]),
        StepID((OTHER, STEP)),
        StepID({OTHER, STEP}),
        StepID(frozenset([OTHER, STEP])),
        StepID(OTHER, STEP),
        StepName("A step"),
        BotID("507f1f77bcf86cd799439011"),
        Channel("facebook"),
        Channel(["intercom", "facebook"]),
        InputType("message"),
        InputType("click", "message"),
        TextEquals("hello THERE"),
        TextEquals("Hello there", ignore_case=False),
        TextMatches("the.e$"),
        TextMatches("HELLO", re.IGNORECASE),
        TextMatches(re.compile("^hello", re.I)),
        SessionValue("name"),
        SessionValue("no"),
        SessionValue("name", "John"),
        SessionValue("no", None),
        SessionValue("cart.items.1", 2),
        UserAttribute("age"),
        UserAttribute("age", "25"),
        UserDataEquals("action", "Subscribe"),
        UserDataEquals("to.list.0", 1),
        UserDataEquals("no", None),
        UserDataHas("action"),
        UserDataHas("no"),
        UserDataContains("subscribe"),
        UserDataContains("Subscribe", ignore_case=False),
        JMESPath("data.step.actions[?type=='wait_action']"),
        JMESPath("length(data.step.actions) == `2`"),
        JMESPath("data.session.values.cart.items[0] && `0`"),
        as_filter(is_long) | as_filter(lambda n: n["topic"]),
    ],
    ids=repr,
)
def test_matches(matching: Filter) -> None:
    """The filter matches the notification, as an object and as JSON."""
    assert matching(SAMPLE) is True
    if "lambda" not in repr(matching):
        assert matching(SimpleNamespace(received=SAMPLE)) is True
    assert "did not match" not in matching.explain(SAMPLE)


@pytest.mark.parametrize(
    ("not_matching", "sentence"),
    [
        (
            StepID(OTHER),
            f"StepID('{OTHER}') did not match: data.step.id is '{STEP}'",
        ),
        (
            JSONKeyEquals("data.step.size", 1),
            "JSONKeyEquals('data.step.size', 1) did not match: "
            "data.step.size is absent",
        ),
        (
            JSONKeyEquals("data.session.values.absent", None),
            "JSONKeyEquals('data.session.values.absent', None) did not match: "
            "data.session.values.absent is absent",
        ),
        (
            JSONKeyEquals("data.session.values.cart.items", [1, 2, 3]),
            "JSONKeyEquals('data.session.values.cart.items', [1, 2, 3]) did not match: "
            "data.session.values.cart.items is [1, 2]",
        ),
        (
            JSONKeyIn("data.session.values.cart", [1, {"items": [True, 2]}]),
            "JSONKeyIn('data.session.values.cart', [1, {'items': [True, 2]}]) "
            "did not match: data.session.values.cart is {'items': [1, 2]}",
        ),
        (
            JSONKeyIn("data.channel", ["intercom"]),
            "JSONKeyIn('data.channel', ['intercom']) did not match: "
            "data.channel is 'facebook'",
        ),
        (
            JSONKeyExists("data.step.actions.2"),
            "JSONKeyExists('data.step.actions.2') did not match: "
            "data.step.actions.2 is absent",
        ),
        (
            JSONKeyExists("data.step.actions.type"),
            "JSONKeyExists('data.step.actions.type') did not match: "
            "data.step.actions.type is absent",
        ),
        (
            StepName("Other", "Another"),
            "StepName(['Other', 'Another']) did not match: data.step.name is 'A step'",
        ),
        (
            InputType("click"),
            "InputType('click') did not match: data.input.type is 'message'",
        ),
        (
            TextEquals("Hello"),
            "TextEquals('Hello') did not match: data.input.text is 'Hello there'",
        ),
        (
            TextMatches("^there"),
            "TextMatches('^there') did not match: data.input.text is 'Hello there'",
        ),
        (
            SessionValue("no", "yes"),
            "SessionValue('no', 'yes') did not match: data.session.values.no is null",
        ),
        (
            UserAttribute("size"),
            "UserAttribute('size') did not match: "
            "data.interlocutor.customAttributes.size is absent",
        ),
        (
            UserDataEquals("action", "subscribe"),
            "UserDataEquals('action', 'subscribe') did not match: "
            "data.step.userData.action is 'Subscribe'",
        ),
        (
            TestConsole(),
            "TestConsole() did not match: usedToTest is false",
        ),
        (
            JMESPath("data.step.actions[?type=='x']"),
            "JMESPath(\"data.step.actions[?type=='x']\") did not match: "
            "data.step.actions[?type=='x'] is []",
        ),
        (
            JMESPath("length(data.input.size)"),
            "JMESPath('length(data.input.size)') did not match: "
            "length(data.input.size) is an error (JMESPathTypeError)",
        ),
        (
            as_filter(is_long),
            "is_long did not match: is_long returned false",
        ),
    ],
    ids=lambda value: repr(value) if isinstance(value, Filter) else "",
)
def test_says_why_it_does_not_match(not_matching: Filter, sentence: str) -> None:
    """The explanation of a filter names the path and the value that it found."""
    assert not_matching(SAMPLE) is False
    assert not_matching.explain(SAMPLE) == sentence


def test_says_why_it_matches() -> None:
    """A filter that matches is also explained."""
    assert (
        Channel("facebook").explain(SAMPLE)
        == "Channel('facebook') matched: data.channel is 'facebook'"
    )


@pytest.mark.parametrize(
    ("friendly", "wire"),
    [
        ("message", "message"),
        ("click", "go_to_action"),
        ("custom_event", "custom_event"),
        ("url_loaded", "url_loaded_event"),
        ("reply", "legacy_reply_to_message_action"),
        ("url_loaded_event", "url_loaded_event"),
        ("voice_note", "voice_note"),
    ],
)
def test_input_types_have_friendly_names(friendly: str, wire: str) -> None:
    """An input type can be given by its friendly name or its name on the wire."""
    assert InputType(friendly)(sample("data.input", {"type": wire}))
    assert InputType(friendly) == InputType(wire)
    assert repr(InputType(friendly)) == f"InputType({friendly!r})"


def test_the_text_of_a_reply_is_its_message() -> None:
    """The text filters also match the text of a "reply" button."""
    reply = sample(
        "data.input", {"type": "legacy_reply_to_message_action", "message": "Yes"}
    )
    assert TextEquals("yes")(reply)
    assert TextMatches("^Y")(reply)
    assert "data.input.message is 'Yes'" in TextEquals("no").explain(reply)


def test_only_messages_have_a_text() -> None:
    """A text in an input of another type is not the user's text."""
    click = sample("data.input", {"type": "go_to_action", "text": "hello"})
    assert not TextEquals("hello")(click)
    assert "data.input.text is absent" in TextEquals("hello").explain(click)


@pytest.mark.parametrize(
    ("text", "typed"),
    [("Straße", "STRASSE"), ("été", "e\u0301te\u0301"), ("", "")],
)
def test_texts_are_folded(text: str, typed: str) -> None:
    """Case, and how an accented letter was typed, make no difference."""
    document = sample("data.input.text", typed)
    assert TextEquals(text)(document)
    assert TextEquals(text, ignore_case=False)(document) is (text == typed)


def test_user_data_is_searched_in_the_case_asked_for() -> None:
    """UserDataContains finds the text in its own case only, if asked to."""
    assert not UserDataContains("subscribe", ignore_case=False)(SAMPLE)


@pytest.mark.parametrize("used_to_test", [None, 1, "true"])
def test_only_true_is_the_test_console(used_to_test: Any) -> None:
    """Only true means the test console."""
    assert not TestConsole()(sample("data.interlocutor.usedToTest", used_to_test))
    assert TestConsole()(sample("data.interlocutor.usedToTest", True))


@pytest.mark.parametrize(
    "user_data",
    [
        None,
        "",
        "subscribe",
        "[1]",
        "null",
        '{"action": ',
        "9" * 5000,
        "[" * 100_000,
        17,
        ["action"],
    ],
    ids=lambda value: repr(value)[:20],
)
def test_user_data_that_is_not_an_object(user_data: Any) -> None:
    """Filters on userData do not match, and do not fail, if it is not a JSON
    object."""
    document = sample("data.step.userData", user_data)
    assert not UserDataHas("action")(document)
    assert not UserDataEquals("action", None)(document)
    assert UserDataHas("action").explain(document) == (
        "UserDataHas('action') did not match: data.step.userData is not a JSON object"
    )


def test_user_data_may_come_as_an_object() -> None:
    """UserData that is already an object is not parsed."""
    document = sample("data.step.userData", {"action": {"name": "subscribe"}})
    assert UserDataEquals("action.name", "subscribe")(document)


@pytest.mark.parametrize("expected", [0, 1, True, False, 1.0, None, "1", [], {}])
@pytest.mark.parametrize("found", [0, 1, True, False, 1.0, None, "1", [], {}])
def test_json_equality(expected: Any, found: Any) -> None:
    """Values are equal as JSON: 1 is 1.0, but neither is true."""
    both_boolean = isinstance(found, bool) is isinstance(expected, bool)
    same = both_boolean and found == expected
    assert JSONKeyEquals("key", expected)({"key": found}) is same
    assert JSONKeyIn("key", [expected])({"key": found}) is same


def test_booleans_are_not_numbers_at_any_depth() -> None:
    """1 is not true in lists and objects either."""
    assert not JSONKeyEquals("key", {"a": [1]})({"key": {"a": [True]}})
    assert not JSONKeyEquals("key", {"a": 1})({"key": {"b": 1}})


def test_an_integer_is_a_key_of_an_object() -> None:
    """In an object, an integer in a path is a key like any other."""
    assert JSONKeyEquals("answers.0", "no")({"answers": {"0": "no"}})


@pytest.mark.parametrize("position", ["2", "-3", "99999999999", "one", "1.0"])
def test_positions_that_are_not_there(position: str) -> None:
    """A position past either end of a list is absent."""
    assert not JSONKeyExists(f"key.{position}")({"key": [0, 1]})


def test_plain_mappings_of_any_kind() -> None:
    """A filter can be called with any mapping."""
    assert JSONKeyEquals("user.id", 1)(UserDict(user=UserDict(id=1)))
    assert JSONKeyEquals("user", {"ids": (1,)})(UserDict(user=UserDict(ids=(1,))))


def test_json_key_equals_of_plain_dict() -> None:
    """JSONKeyEquals compares the value at the path."""
    data = {"user": {"id": 1}}
    matching = JSONKeyEquals("user.id", 1)
    assert matching(data)
    data["user"]["id"] = 2
    assert not matching(data)


def test_json_key_in_plain_dict() -> None:
    """JSONKeyIn matches each of the values, and no other."""
    matching = JSONKeyIn("user.id", [1, 2])
    assert [matching({"user": {"id": n}}) for n in (1, 2, 3)] == [True, True, False]


def test_json_key_exists_in_plain_dict() -> None:
    """JSONKeyExists distinguishes missing from null."""
    matching = JSONKeyExists("user.id")
    assert matching({"user": {"id": 1}})
    assert matching({"user": {"id": None}})
    assert not matching({"user": {}})
    assert not matching({"user": None})


def test_step_id_of_plain_dict() -> None:
    """StepID compares data.step.id, which may be missing."""
    assert StepID(STEP)({"data": {"step": {"id": STEP}}})
    assert not StepID(STEP)({"data": {"step": {}}})
    assert not StepID(STEP)({"data": {"step": {"id": [STEP]}}})


def test_values_are_copied() -> None:
    """Changing a value after it was passed does not change the filter."""
    values = {"items": [1, 2]}
    matching = JSONKeyEquals("data.session.values.cart", values)
    values["items"].append(3)
    assert matching(SAMPLE)


def test_copies_match_the_same() -> None:
    """A deep copy of a filter is equal to it and matches the same."""
    matching = SessionValue("name") & ~StepID(OTHER)
    assert copy.deepcopy(matching) == matching
    assert copy.deepcopy(matching)(SAMPLE)


# --- Wrong arguments ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: StepID(1), TypeError, "StepID: pass a string or a list .* an int"),  # type: ignore[arg-type]
        (lambda: StepID(None), TypeError, "not None"),  # type: ignore[arg-type]
        (lambda: StepID({"a": 1}), TypeError, "not a dict"),
        (lambda: StepID([]), ValueError, "StepID: the list is empty"),
        (lambda: StepID(""), ValueError, "StepID: the string is empty"),
        (lambda: StepID([STEP, 1]), TypeError, "StepID: pass a string, not an int"),  # type: ignore[list-item]
        (lambda: StepID([STEP], OTHER), TypeError, "pass a string, not a list"),
        (lambda: Channel([""]), ValueError, "Channel: the string is empty"),
        (lambda: JSONKeyEquals("", 1), ValueError, "the string is empty"),
        (lambda: JSONKeyEquals(3, 1), TypeError, "pass a string, not an int"),  # type: ignore[arg-type]
        (lambda: JSONKeyEquals("a..b", 1), ValueError, "'a..b' is not a valid path"),
        (lambda: JSONKeyEquals(".a", 1), ValueError, "is not a valid path"),
        (lambda: JSONKeyExists("a[*].b"), ValueError, r"use 'JMESPath\(...\)'"),
        (lambda: JSONKeyExists("a[0"), ValueError, "is not a valid path"),
        *(
            (
                partial(JSONKeyExists, path),
                ValueError,
                r"is not a valid path.*'JMESPath\(",
            )
            for path in ["length(a.b)", "a.*.b", "*", '"a"."b"', "a | b", "a||b", "`1`"]
        ),
        (lambda: JSONKeyEquals("a", {1}), TypeError, "a set is not a JSON value"),
        (lambda: JSONKeyEquals("a", [b"x"]), TypeError, "a bytes is not a JSON value"),
        (lambda: JSONKeyEquals("a", {1: 2}), TypeError, "a dict is not a JSON value"),
        (lambda: JSONKeyIn("a", "abc"), TypeError, "a list of values, not a str"),
        (lambda: JSONKeyIn("a", b"abc"), TypeError, "a list of values, not a bytes"),
        (lambda: JSONKeyIn("a", {"b": 1}), TypeError, "a list of values, not a dict"),
        (lambda: JSONKeyIn("a", 1), TypeError, "a list of values, not an int"),  # type: ignore[arg-type]
        (lambda: JSONKeyIn("a", []), ValueError, "the list of values is empty"),
        (lambda: UserAttribute("age", 25), TypeError, "strings, including numbers"),
        (lambda: SessionValue(""), ValueError, "the string is empty"),
        (lambda: TextEquals(None), TypeError, "TextEquals: pass a string, not None"),  # type: ignore[arg-type]
        (lambda: UserDataContains(""), ValueError, "the string is empty"),
        (
            lambda: TextMatches("(a"),
            ValueError,
            r"'\(a' is not a valid regular expression",
        ),
        (
            lambda: TextMatches("a" * 200 + "("),
            ValueError,
            "is not a valid regular expression",
        ),
        (
            lambda: TextMatches("a", re.LOCALE),
            ValueError,
            "is not a valid regular expression",
        ),
        (lambda: TextMatches(re.compile("a"), re.I), ValueError, "already compiled"),
        (lambda: TextMatches(re.compile(b"a")), TypeError, "not a Pattern"),  # type: ignore[arg-type]
        (lambda: TextMatches(5), TypeError, "not an int"),  # type: ignore[arg-type]
        (lambda: JMESPath(""), ValueError, "the string is empty"),
        (lambda: JMESPath("a["), ValueError, "'a\\[' is not a valid expression: "),
        (lambda: JMESPath("a[?lenght(b)]"), ValueError, "no function 'lenght'"),
        (lambda: JMESPath("length()"), ValueError, "takes 1 arguments, not 0"),
        (lambda: JMESPath("length(a, b)"), ValueError, "takes 1 arguments, not 2"),
        (lambda: as_filter("abc"), TypeError, r"Did you mean 'StepID\('abc'\)'"),  # type: ignore[arg-type]
        (lambda: as_filter(StepID), TypeError, r"Did you mean 'StepID\(...\)'"),
        (
            lambda: as_filter([StepID(STEP)]),  # type: ignore[arg-type]
            TypeError,
            "must be a filter object .* a list",
        ),
        (lambda: as_filter(None), TypeError, "not None"),  # type: ignore[arg-type]
        (lambda: as_filter(is_async), TypeError, "'is_async' is async"),
        (lambda: as_filter(AsyncCaller()), TypeError, "'AsyncCaller' is async"),
        (lambda: as_filter(lambda: 1), TypeError, "must accept one argument"),  # type: ignore[arg-type,misc]
        (lambda: as_filter(lambda a, b: 1), TypeError, "must accept one argument"),  # type: ignore[arg-type,misc]
        (lambda: StepID(STEP) & "facebook", TypeError, "'facebook' is not a filter"),  # type: ignore[operator]
        (lambda: StepID | StepID(STEP), TypeError, r"Did you mean 'StepID\(...\)'"),
        (lambda: And(), ValueError, "And: pass at least one filter"),
        (lambda: bool(StepID(STEP)), TypeError, "with '&', '|' and '~'"),
    ],
)
def test_wrong_arguments(make: Any, error: type[Exception], message: str) -> None:
    """A filter that can never work is an error where it is written."""
    with pytest.raises(error, match=message):
        make()


def test_jmespath_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package, the error of JMESPath says what to install."""
    monkeypatch.setitem(sys.modules, "jmespath", None)
    with pytest.raises(ConfigurationError, match=r"Flask-Clustaar\[jmespath\]"):
        JMESPath("data")


@pytest.mark.parametrize(
    ("value", "is_true"),
    [
        (0, True),
        (0.0, True),
        (" ", True),
        ([None], True),
        (True, True),
        (False, False),
        (None, False),
        ("", False),
        ([], False),
        ({}, False),
    ],
)
def test_truth_of_jmespath(value: Any, is_true: bool) -> None:
    """In JMESPath, 0 is true."""
    assert JMESPath("key")({"key": value}) is is_true


def test_variadic_functions_of_jmespath() -> None:
    """A function that takes any number of arguments may have them."""
    assert JMESPath("not_null(a, b, data.channel)")(SAMPLE)


# --- Compositions -------------------------------------------------------------------

YES, NO = Channel("facebook"), Channel("intercom")


@pytest.mark.parametrize(
    ("composed", "matched", "reason"),
    [
        (YES & StepID(STEP), True, f"data.channel is 'facebook' and {STEP!r}"),
        (YES & NO, False, "data.channel is 'facebook'"),
        (NO & StepName("x"), False, "data.channel is 'facebook'"),
        (YES & StepName("x"), False, "data.step.name is 'A step'"),
        (YES | StepName("x"), True, "data.channel is 'facebook'"),
        (NO | StepName("x"), False, "data.channel is 'facebook' and data.step.name"),
        (YES ^ StepName("x"), True, "data.channel is 'facebook' and data.step.name"),
        (YES ^ StepID(STEP), False, "data.channel is 'facebook' and data.step.id"),
        (YES ^ YES ^ YES, True, "data.channel is 'facebook'"),
        (~NO, True, "data.channel is 'facebook'"),
        (~YES, False, "data.channel is 'facebook'"),
        (~~YES, True, "data.channel is 'facebook'"),
        (~TestConsole(), True, "usedToTest is false"),
        (YES & (lambda n: n["topic"]), True, "returned true"),
        ((lambda n: n["topic"]) & YES, True, "returned true"),
        ((lambda n: 0) | NO, False, "returned false"),
        (NO | (lambda n: 0), False, "returned false"),
        ((lambda n: "x") ^ YES, False, "returned true"),
        (YES ^ (lambda n: "x"), False, "returned true"),
    ],
    ids=lambda value: repr(value) if isinstance(value, Filter) else "",
)
def test_compositions(composed: Filter, matched: bool, reason: str) -> None:
    """Operators compose filters, and the parts that decided are the explanation."""
    reason = reason.replace(f"and {STEP!r}", f"and data.step.id is {STEP!r}")
    assert composed(SAMPLE) is matched
    assert reason in composed.explain(SAMPLE)
    assert (" did not match: " in composed.explain(SAMPLE)) is not matched


def test_explanation_of_negated_test_console() -> None:
    """The explanation names the whole filter, and the value that was found."""
    document = sample("data.interlocutor.usedToTest", True)
    assert (~TestConsole()).explain(
        document
    ) == "~TestConsole() did not match: usedToTest is true"


def test_parts_are_asked_as_far_as_needed() -> None:
    """Combinations short-circuit, also in explanations."""
    composed = NO & (lambda n: n["absent"])
    assert composed(SAMPLE) is False
    assert "facebook" in composed.explain(SAMPLE)
    assert (YES | (lambda n: n["absent"]))(SAMPLE) is True


a, b, c = StepID("a"), Channel("b"), TextEquals("c")


@pytest.mark.parametrize(
    ("composed", "expression"),
    [
        (a & b & c, "StepID('a') & Channel('b') & TextEquals('c')"),
        (a & (b & c), "StepID('a') & Channel('b') & TextEquals('c')"),
        (a & (b | c), "StepID('a') & (Channel('b') | TextEquals('c'))"),
        ((a | b) & c, "(StepID('a') | Channel('b')) & TextEquals('c')"),
        (a | b & c, "StepID('a') | Channel('b') & TextEquals('c')"),
        (a ^ b | c, "StepID('a') ^ Channel('b') | TextEquals('c')"),
        (a ^ (b | c), "StepID('a') ^ (Channel('b') | TextEquals('c'))"),
        (a & b ^ c, "StepID('a') & Channel('b') ^ TextEquals('c')"),
        (~a & b, "~StepID('a') & Channel('b')"),
        (~(a & b), "~(StepID('a') & Channel('b'))"),
        (a & is_long, "StepID('a') & is_long"),
        (a | Caller(), "StepID('a') | Caller()"),
        (StepID(["b", "a", "b"]), "StepID(['b', 'a'])"),
        (StepID({"b", "a"}), "StepID(['a', 'b'])"),
        (StepID(["a"]), "StepID('a')"),
        (JSONKeyIn("a", {2, 1}), "JSONKeyIn('a', [1, 2])"),
        (JSONKeyIn("a", iter([2, 1])), "JSONKeyIn('a', [2, 1])"),
        (TextEquals("x"), "TextEquals('x')"),
        (TextEquals("x", ignore_case=False), "TextEquals('x', ignore_case=False)"),
        (
            UserDataContains("x", ignore_case=False),
            "UserDataContains('x', ignore_case=False)",
        ),
        (TextMatches("a", re.I), "TextMatches('a', re.IGNORECASE)"),
        (TextMatches("(?i)a"), "TextMatches('(?i)a')"),
        (TextMatches(re.compile("a", re.I)), "TextMatches('a', re.IGNORECASE)"),
        (SessionValue("a"), "SessionValue('a')"),
        (SessionValue("a", None), "SessionValue('a', None)"),
        (TestConsole(), "TestConsole()"),
    ],
)
def test_repr_is_the_expression(composed: Filter, expression: str) -> None:
    """The repr of a filter is its source code."""
    assert repr(composed) == expression
    names = vars(filters) | {"re": re, "is_long": is_long}
    if "Caller" not in expression:
        assert eval(expression, names) == composed


@pytest.mark.parametrize(
    ("one", "same"),
    [
        (StepID(["a", "b"]), StepID({"b", "a"})),
        (JSONKeyIn("a", [1, {"b": 1}]), JSONKeyIn("a", [{"b": 1}, 1.0])),
        (JSONKeyEquals("a", {"b": 1, "c": 2}), JSONKeyEquals("a", {"c": 2, "b": 1})),
        (JSONKeyEquals("a[0]", 1), JSONKeyEquals("a.0", 1)),
        (TextMatches("a", re.I), TextMatches(re.compile("a", re.I))),
        (a & b, a & b),
        ((a & b) & c, a & (b & c)),
        (~~a, a),
        (as_filter(is_long), as_filter(is_long)),
    ],
)
def test_equal_filters(one: Filter, same: Filter) -> None:
    """Filters of the same class and arguments are equal, and have the same hash."""
    assert one == same
    assert hash(one) == hash(same)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (StepID("a"), StepID("b")),
        (StepID("a"), BotID("a")),
        (JSONKeyEquals("a", 1), JSONKeyEquals("a", True)),
        (JSONKeyEquals("a", None), JSONKeyExists("a")),
        (TextEquals("a"), TextEquals("a", ignore_case=False)),
        (a & b, b & a),
        (a & b, a | b),
        (as_filter(lambda n: 1), as_filter(lambda n: 1)),
        (StepID("a"), "StepID('a')"),
    ],
)
def test_different_filters(one: Filter, other: object) -> None:
    """Filters that may differ in what they match are not equal."""
    assert one != other


@pytest.mark.parametrize(
    ("composed", "ids"),
    [
        (StepID("x"), {"x"}),
        (StepID("x", "y"), {"x", "y"}),
        (JSONKeyEquals("data.step.id", "x"), {"x"}),
        (JSONKeyEquals("data.step.id", 5), None),
        (JSONKeyEquals("data.step.name", "x"), None),
        (JSONKeyExists("data.step.id"), None),
        (JSONKeyIn("data.step.id", ["x", "y"]), {"x", "y"}),
        (JSONKeyIn("data.step.id", ["x", None]), None),
        (JSONKeyIn("data.step.name", ["x"]), None),
        (StepID("x") & b, {"x"}),
        (b & StepID("x") & c, {"x"}),
        (StepID("x", "y") & StepID("y", "z"), {"y"}),
        (StepID("x") & StepID("y"), set()),
        (StepID("x") | StepID("y"), {"x", "y"}),
        (StepID("x") | b, None),
        (StepID("x") ^ StepID("y"), {"x", "y"}),
        (StepID("x") ^ b, None),
        ((StepID("x") | StepID("y")) & b, {"x", "y"}),
        (StepID("x") & b | StepID("y") & c, {"x", "y"}),
        (~StepID("x"), None),
        (~StepID("x") & StepID("y"), {"y"}),
        (b & c, None),
        (as_filter(is_long), None),
    ],
)
def test_step_ids(composed: Filter, ids: set[str] | None) -> None:
    """A filter returns the ids of the only steps that it can match."""
    assert composed.step_ids() == ids


@pytest.mark.parametrize(
    ("matching", "groups"),
    [
        (TextMatches("(H)"), ("H",)),
        (YES & TextMatches("(H)"), ("H",)),
        (TextMatches("(x)") | TextMatches("(H)"), ("H",)),
        ((NO & TextMatches("(H)")) | TextMatches("(t)"), ("t",)),
        (NO ^ TextMatches("(H)"), ("H",)),
        (YES ^ TextMatches("(H)"), None),
        (NO & TextMatches("(H)"), None),
        (TextMatches("(x)"), None),
        (~TextMatches("(H)"), None),
        (YES, None),
        (YES & StepID(STEP), None),
    ],
)
def test_match(matching: Filter, groups: tuple[str, ...] | None) -> None:
    """The match of the regular expression is available, also in combinations."""
    found = matching.match(SAMPLE)
    assert (found and found.groups()) == groups


def test_match_without_a_text() -> None:
    """Without a text, there is no match."""
    assert TextMatches("").match({"data": None}) is None


# --- Custom filters -----------------------------------------------------------------


class Weekday(Filter):
    def __init__(self, *days: str) -> None:
        super().__init__(*days)
        self.days = days

    def __call__(self, target: Any) -> bool:
        return target["day"] in self.days


class Always(Filter):
    def __init__(self) -> None:
        pass

    def __call__(self, target: Any) -> bool:
        return True


def test_derived_filters() -> None:
    """A custom class can be combined, compared and explained like the others."""
    monday = Weekday("mon")
    assert (monday & Always())({"day": "mon"})
    assert repr(monday | Always()) == "Weekday('mon') | Always()"
    assert monday == Weekday("mon") != Weekday("tue")
    assert Always() == Always()
    assert monday.explain({"day": "tue"}) == (
        "Weekday('mon') did not match: Weekday('mon') returned false"
    )


def test_functions_of_all_kinds() -> None:
    """Functions, partial functions, objects and built-in functions are filters."""
    assert Custom(partial(operator.contains, {"a"}))("a")
    assert Custom(Caller())({}) is True
    assert Custom(print)({}) is False
    assert Custom(operator.itemgetter("topic"))(SAMPLE)


def test_functions_get_what_the_filter_gets() -> None:
    """A function is called with the notification, not with its JSON."""
    notification = SimpleNamespace(received=SAMPLE, channel="facebook")
    composed = StepID(STEP) & (lambda n: n.channel == "facebook")
    assert composed(notification)


# --- What explanations show ---------------------------------------------------------


def test_values_can_be_left_out() -> None:
    """For logs, an explanation shows ids and types, but not texts of users."""
    composed = StepID(STEP) & ~TextEquals("secret")
    sentence = composed.explain(sample("data.input.text", "my number"), values=False)
    assert "data.input.text is a string" in sentence
    assert f"data.step.id is '{STEP}'" in sentence
    assert "my number" not in sentence


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("x", "a string"),
        (5, "a number"),
        (5.5, "a number"),
        ([1], "an array"),
        ({"a": 1}, "an object"),
        (None, "null"),
        (True, "true"),
        ((1,), "a value"),
    ],
)
def test_kinds_of_values(value: Any, kind: str) -> None:
    """Without values, an explanation names the type of the value."""
    explained = JSONKeyEquals("key", "x").explain({"key": value}, values=False)
    assert explained.endswith(f"key is {kind}")
    assert JSONKeyExists("x").explain({}, values=False).endswith("x is absent")


@pytest.mark.parametrize(
    "value",
    ["x" * 10_000, "\n\x1b[31m\u202e", 10**5000, [[[["x"]]]] * 100, {"a" * 500: "b"}],
    ids=lambda value: str(type(value)),
)
def test_what_was_found_is_shown_short(value: Any) -> None:
    """Values are cut, and cannot break the line or the terminal."""
    sentence = JSONKeyEquals("key", 1).explain({"key": value})
    assert len(sentence) < 150
    assert sentence.isprintable()


def test_long_filters_are_cut() -> None:
    """An explanation does not list ten thousand ids."""
    assert len(StepID([str(n) for n in range(10_000)]).explain(SAMPLE)) < 300


# --- Any document -------------------------------------------------------------------

texts = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["a", "b", "message", "x y", '{"a": 1}', "[", "legacy_reply"]),
)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), texts
)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)
    ),
    max_leaves=8,
)


def objects(**optional: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects with some of the keys; now and then anything instead."""
    return st.one_of(st.fixed_dictionaries({}, optional=optional), anything)


documents = objects(
    botID=st.one_of(texts, anything),
    data=objects(
        channel=st.one_of(texts, anything),
        input=objects(type=texts, text=texts, message=texts),
        interlocutor=objects(
            usedToTest=st.one_of(st.booleans(), anything),
            customAttributes=objects(a=texts),
        ),
        session=objects(values=objects(a=anything)),
        step=objects(
            id=st.one_of(texts, anything),
            name=texts,
            userData=st.one_of(texts, anything, anything.map(json.dumps)),
            actions=st.lists(anything, max_size=2),
        ),
    ),
)

leaves = st.one_of(
    st.sampled_from(
        [
            StepID("a"),
            StepID("a", "b"),
            StepName("a"),
            BotID("a"),
            Channel("a", "b"),
            InputType("message"),
            TestConsole(),
            TextEquals("a"),
            TextMatches("a|b"),
            SessionValue("a"),
            UserAttribute("a"),
            UserAttribute("a", "b"),
            UserDataContains("a"),
            UserDataHas("a"),
            JSONKeyExists("data.step.actions.0"),
            JMESPath("data.step.actions[?contains(type, 'a')]"),
            JMESPath("sort(data.step.actions)"),
            as_filter(lambda n: n == {}),
        ]
    ),
    st.builds(JSONKeyEquals, st.sampled_from(["data.step.id", "data.x"]), anything),
    st.builds(
        JSONKeyIn,
        st.sampled_from(["data.channel", "data.step.id"]),
        st.lists(anything, min_size=1, max_size=3),
    ),
    st.builds(SessionValue, st.just("a"), anything),
    st.builds(UserDataEquals, st.just("a"), anything),
)
any_filter = st.recursive(
    leaves,
    lambda inner: st.one_of(
        inner.map(Not),
        st.builds(And, inner, inner),
        st.builds(Or, inner, inner),
        st.builds(Xor, inner, inner),
    ),
    max_leaves=4,
)


@given(any_filter, documents)
def test_no_document_makes_a_filter_fail(tested: Filter, document: Any) -> None:
    """A filter answers true or false to any JSON, and its explanation agrees."""
    matched = tested(document)
    assert matched is True or matched is False
    for values in (True, False):
        sentence = tested.explain(document, values=values)
        assert (" did not match: " if not matched else " matched: ") in sentence
    assert tested.match(document) is None or matched


@given(st.text(max_size=12), anything, documents)
def test_any_path(path: str, value: Any, document: Any) -> None:
    """An invalid path raises an exception; a valid one works for any document."""
    try:
        tested = JSONKeyEquals(f"data.{path}", value)
    except ValueError:
        return
    assert tested(document) in (True, False)
    assert JSONKeyExists(path)(document) in (True, False)


@given(any_filter, any_filter, documents)
def test_laws_of_composition(f: Filter, g: Filter, document: Any) -> None:
    """Negation twice, De Morgan, and «exactly one» hold."""
    assert (~~f)(document) is f(document)
    assert (~(f & g))(document) is (~f | ~g)(document)
    assert (~(f | g))(document) is (~f & ~g)(document)
    assert (f ^ g)(document) is (f(document) != g(document))
    assert (f ^ g)(document) is ((f | g) & ~(f & g))(document)


@given(any_filter, documents)
def test_step_ids_are_the_only_ones(tested: Filter, document: Any) -> None:
    """A filter with step ids matches no other step."""
    ids = tested.step_ids()
    assert ids is None or not tested(document) or document["data"]["step"]["id"] in ids


@given(anything, anything)
def test_equals_is_in_a_list_of_one(expected: Any, found: Any) -> None:
    """JSONKeyIn is JSONKeyEquals for each value, and both match the value itself."""
    document = {"key": found}
    equals, is_in = JSONKeyEquals("key", expected), JSONKeyIn("key", [expected])
    assert equals(document) is is_in(document)
    assert equals({"key": expected})
    assert is_in({"key": expected})


@given(any_filter, any_filter)
def test_equality_and_hash(f: Filter, g: Filter) -> None:
    """Equal filters have equal hashes, and a filter is equal to itself."""
    assert f == f
    assert hash(f) == hash(f)
    assert f != g or hash(f) == hash(g)


def test_deeply_nested_documents() -> None:
    """A document nested deeper than Python's stack does not fail."""
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    document = {"data": {"step": {"id": deep}, "session": {"values": deep}}}
    for tested in (
        JSONKeyEquals("data.step.id", [[1]]),
        JSONKeyIn("data.step.id", [[[1]], "x"]),
        StepID("x"),
        SessionValue("a"),
        JMESPath("to_string(data.step.id)"),
    ):
        assert tested(document) is False
        assert tested.explain(document)


# -- what people type ----------------------------------------------------------------


@pytest.mark.parametrize(
    "typed",
    ["l'article", "L’ARTICLE", "  l‘article\n", "lʼarticle\u202f", "\u00a0L'Article"],
)
def test_texts_are_compared_as_people_mean_them(typed: str) -> None:
    """Case, typographic apostrophes and white space at the ends are ignored."""
    document = {"data": {"input": {"type": "message", "text": typed}}}
    assert TextEquals("l'article")(document)
    assert TextEquals("l’article")(document)
    assert TextEquals("l'article", ignore_case=False)(document) == (
        typed == "l'article"
    )


@pytest.mark.parametrize(
    "typed", ['say "hi" now', "Say «hi»\u00a0now", "say “HI”\u202fnow"]
)
def test_quotation_marks_and_spaces_are_compared_as_people_mean_them(
    typed: str,
) -> None:
    """Also in the step's userData."""
    document = {"data": {"step": {"userData": f"... {typed} ..."}}}
    assert UserDataContains('"hi" now')(document)


@pytest.mark.parametrize(
    ("make", "meant"),
    [
        (lambda: Channel("Facebook"), "facebook"),
        (lambda: InputType("mesage"), "message"),
    ],
)
def test_a_name_that_looks_misspelt_is_a_warning(
    make: Callable[[], Filter], meant: str
) -> None:
    """The platform's lists grow, so it is not an error."""
    with pytest.warns(UserWarning, match=f"Did you mean '{meant}'"):
        make()


def test_a_filter_parses_only_what_it_needs() -> None:
    """A part that is nested too deeply does not affect filters on other parts."""
    deep = b"[" * 200 + b"]" * 200
    body = b'{"topic":"x","data":{"channel":"facebook","session":{"values":{"a":%s}}}}'
    notification = load_notification(body % deep)
    assert Channel("facebook")(notification)
    with pytest.raises(InvalidJSON):
        SessionValue("a")(notification)
